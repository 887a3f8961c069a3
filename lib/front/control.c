// SPDX-License-Identifier: MIT
// DESIGN: orders are rows of a table, each the same call that a signal or the service itself would make.
// What an order changes holds until it is taken back or the worker ends; what is to hold for other
// workers too is a pause, which the broker keeps.
#include "front/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/random.h"
#include "engine/control.h"
#include "engine/pauses.h"
#include "front/news.h"

enum { KNOW_US = 3 * WR_US_PER_S };

struct wr_front_control {
    warren *w;
    struct wr_control *control;
    char id[160];
    char name[224]; /* of the connection */
    struct wr_watch watch;
    struct wr_news news;
    struct wr_list pauses;
};

static void describe(void *user, struct wr_text *out)
{
    struct wr_front_control *own = user;
    wr_news_write(&own->news, own->w, own->id, &own->pauses, out);
}

static void pause_queue(void *user, const struct wr_pause *pause)
{
    struct wr_front_control *own = user;
    wr_pauses_note(&own->pauses, pause);
    wr_worker_hold(own->w, pause->queue, pause->type, pause->is_paused);
}

static bool obey(void *user, const struct wr_order *order, struct wr_text *answer)
{
    struct wr_front_control *own = user;
    return wr_worker_obey(own->w, order, answer);
}

/* An address that no other worker of the namespace has: two containers may have the same host name and
 * the same process id. Words of a routing key are parted by dots. */
static void name_parts(struct wr_front_control *own)
{
    const struct wr_broker_settings *broker = &own->w->settings->broker;
    (void)snprintf(own->id, sizeof own->id, "%s-%04x", own->w->name,
                   (unsigned)(wr_random() & 0xFFFF));
    (void)snprintf(own->name, sizeof own->name, "%s %s control",
                   broker->connection_name ? broker->connection_name : "warren", own->w->name);
}

warren_status wr_front_control_start(struct wr_front_control **out, warren *w, warren_error *err)
{
    *out = NULL;
    if (!w->settings->has_control || w->is_stepped || wr_broker_is_local(&w->settings->broker)) {
        return WARREN_OK;
    }
    struct wr_front_control *own = calloc(1, sizeof *own);
    if (!own) {
        return wr_no_memory(err);
    }
    own->w = w;
    name_parts(own);
    wr_watch_init(&own->watch, "control");
    struct wr_control_options options = { .settings = w->settings,
                                          .name = own->name,
                                          .id = own->id,
                                          .watch = &own->watch,
                                          .describe = describe,
                                          .obey = obey,
                                          .pause = pause_queue,
                                          .user = own };
    warren_status rc = wr_control_start(&own->control, &options, err);
    if (rc) {
        wr_watch_done(&own->watch);
        free(own);
        return rc;
    }
    (void)wr_control_wait(own->control, KNOW_US);
    *out = own;
    return WARREN_OK;
}

bool wr_front_control_stop(struct wr_front_control *own)
{
    if (!own) {
        return true;
    }
    if (!wr_control_stop(own->control)) {
        return false;
    }
    wr_watch_done(&own->watch);
    wr_news_done(&own->news);
    wr_pauses_done(&own->pauses);
    free(own);
    return true;
}
