// SPDX-License-Identifier: MIT
// DESIGN: orders are rows of a table, each the same call that a signal or the service itself would make.
// What an order changes holds until it is taken back or the worker ends; what is to hold for other
// workers too is a pause, which the broker keeps.
#include "front/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/control.h"
#include "engine/pauses.h"
#include "front/news.h"
#include "model/settings_value.h"
#include "model/topology.h"

enum { KNOW_US = 3 * WR_US_PER_S };

struct wr_front_control {
    warren *w;
    struct wr_control *control;
    char id[160];
    char name[224]; /* of the connection */
    struct wr_news news;
    struct wr_list pauses;
};

/* --- pauses --- */

static bool is_paused(const struct wr_front_control *own, const char *queue, const char *type)
{
    struct wr_pause pause = { .is_paused = true };
    if (strlen(queue) >= sizeof pause.queue || strlen(type) >= sizeof pause.type) {
        return false; /* no pause has such a name */
    }
    memcpy(pause.queue, queue, strlen(queue) + 1);
    memcpy(pause.type, type, strlen(type) + 1);
    return wr_pauses_find(&own->pauses, &pause);
}

/* A type that waits in a queue of its own has that queue paused; of the others' queues their jobs are
 * put off. */
static bool is_source_paused(const struct wr_front_control *own, const struct wr_source *source,
                             const struct wr_queue_settings *queue)
{
    for (size_t i = 0; source->is_isolated && i < queue->job_count; i++) {
        char name[WR_NAME_SIZE];
        wr_topology_isolated_queue(name, sizeof name, queue->name, queue->jobs[i].type);
        if (strcmp(name, source->name) == 0 && is_paused(own, queue->name, queue->jobs[i].type)) {
            return true;
        }
    }
    return is_paused(own, queue->name, "");
}

static void apply_pauses(struct wr_front_control *own)
{
    struct wr_roster *roster = &own->w->roster;
    const struct wr_settings *settings = own->w->settings;
    for (size_t i = 0; i < roster->source_count; i++) {
        struct wr_source *source = &roster->sources[i];
        if (source->queue_number <
            settings->queue_count) { /* else it has just come: the next time */
            const struct wr_queue_settings *queue = &settings->queues[source->queue_number];
            wr_consumer_hold(own->w->consumer, source, is_source_paused(own, source, queue));
        }
    }
    for (size_t i = 0; i < roster->lane_count; i++) {
        struct wr_lane *lane = &roster->lanes[i];
        const struct wr_job_settings *job = lane->settings;
        bool is_held = is_paused(own, lane->queue->name, job->type);
        atomic_store_explicit(&lane->is_held, is_held, memory_order_relaxed);
    }
}

static void take_pause(void *user, const struct wr_pause *pause)
{
    struct wr_front_control *own = user;
    wr_pauses_note(&own->pauses, pause, 0);
    apply_pauses(own);
}

static void describe(void *user, struct wr_text *out)
{
    struct wr_front_control *own = user;
    apply_pauses(own); /* a reload may have brought queues */
    wr_news_write(&own->news, own->w, own->id, &own->pauses, out);
}

/* --- orders --- */

static warren_status refuse(const struct wr_order *order, warren_error *err)
{
    return wr_fail(err, WARREN_INVALID, "%s of %s%s%s to \"%s\" can't be set here", order->option,
                   *order->queue ? order->queue : "this worker", *order->type ? " type " : "",
                   order->type, order->value);
}

/* The place of an option in settings; NULL: there is none of that name. */
static void *find_place(struct wr_settings *settings, const struct wr_order *order,
                        const char **out_path)
{
    struct wr_queue_settings *queue = NULL;
    for (size_t i = 0; i < settings->queue_count; i++) {
        queue = strcmp(settings->queues[i].name, order->queue) == 0 ? &settings->queues[i] : queue;
    }
    if (strcmp(order->option, "log.level") == 0) {
        *out_path = "log.level";
        return settings;
    }
    if (queue && strcmp(order->option, "prefetch") == 0) {
        *out_path = "queue.prefetch";
        return queue;
    }
    for (size_t i = 0; queue && i < queue->job_count; i++) {
        if (strcmp(order->option, "concurrency") == 0 &&
            strcmp(queue->jobs[i].type, order->type) == 0) {
            *out_path = "queue.jobs.concurrency";
            return &queue->jobs[i];
        }
    }
    return NULL;
}

static bool is_same(const struct wr_value *a, const struct wr_value *b)
{
    return a->text && b->text ? strcmp(a->text, b->text) == 0 : a->number == b->number;
}

static warren_status set(warren *w, const struct wr_order *order, warren_error *err)
{
    struct wr_settings *newer = NULL;
    const char *path = NULL;
    WR_SCOPED_LOCK(&w->live_lock);
    warren_status rc = wr_settings_copy(&newer, w->settings, err);
    if (rc) {
        return rc;
    }
    void *place = find_place(newer, order, &path);
    struct wr_value value;
    const struct wr_option *option = place ? wr_settings_option(wr_slice_of(path)) : NULL;
    if (!option || !wr_value_parse(option, order->value, &value) ||
        !wr_value_fits(option, &value)) {
        wr_settings_free(newer);
        return refuse(order, err);
    }
    struct wr_value before;
    wr_value_load(option, place, &before);
    bool is_there = is_same(&before, &value); /* else each such order would keep a copy for good */
    rc = is_there || wr_value_store(option, place, &value) ? WARREN_OK : wr_no_memory(err);
    if (rc || is_there) {
        wr_settings_free(newer);
        return rc;
    }
    return wr_worker_adopt(w, newer, err);
}

static warren_status drain(warren *w, warren_error *err)
{
    if (!w->is_run) {
        return wr_fail(err, WARREN_STATE,
                       "this service has a main loop of its own, which has to end it");
    }
    if (!atomic_exchange(&w->was_told_to_drain, true) && !*wr_pool_drains(w->pool)) {
        (void)kill(getpid(), SIGTERM); /* once: a second one would end it at once */
    }
    return WARREN_OK;
}

static warren_status carry_out(warren *w, const struct wr_order *order, warren_error *err)
{
    switch (order->verb) {
    case WR_ORDER_QUIET:
        return warren_pause(w, err);
    case WR_ORDER_RESUME:
        return warren_resume(w, err);
    case WR_ORDER_DRAIN:
        return drain(w, err);
    case WR_ORDER_RELOAD:
        return warren_reload(w, err);
    case WR_ORDER_DUMP:
        warren_dump(w);
        return WARREN_OK;
    case WR_ORDER_SET:
        return set(w, order, err);
    default:
        return WARREN_OK;
    }
}

static bool obey(void *user, const struct wr_order *order, struct wr_text *answer)
{
    struct wr_front_control *own = user;
    warren_error err = { .status = WARREN_OK };
    warren_status rc = carry_out(own->w, order, &err);
    wr_text_add_string(answer, rc ? err.text : "done");
    return rc == WARREN_OK;
}

/* --- its life --- */

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
    struct wr_control_options options = { .settings = w->settings,
                                          .name = own->name,
                                          .id = own->id,
                                          .watch = &w->control_watch,
                                          .describe = describe,
                                          .obey = obey,
                                          .pause = take_pause,
                                          .user = own };
    warren_status rc = wr_control_start(&own->control, &options, err);
    if (rc) {
        free(own);
        return rc;
    }
    if (!wr_control_wait(own->control, KNOW_US)) {
        wr_log(WR_WARN, "control.late", "name=%s", w->name);
    }
    *out = own;
    return WARREN_OK;
}

void wr_front_control_poke(struct wr_front_control *own)
{
    if (own) {
        wr_control_poke(own->control);
    }
}

bool wr_front_control_stop(struct wr_front_control *own)
{
    if (!own) {
        return true;
    }
    if (!wr_control_stop(own->control)) {
        return false;
    }
    wr_news_done(&own->news);
    wr_pauses_done(&own->pauses);
    free(own);
    return true;
}
