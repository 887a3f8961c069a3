// SPDX-License-Identifier: MIT
// DESIGN: every verb on dead letters is one walk through a dead queue that differs only in what it does
// with a letter that matches. Here is what they share: which queue it is, the filter, the limit, the
// pace, the caller's progress, and a second connection for those that publish.
#include "front/dead_hunt.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/delay.h"
#include "model/replay.h"
#include "model/topology.h"

enum { NAME_SIZE = 256 };

/* The time of the next letter; a caller who fell behind by more than a second doesn't catch up. */
static void set_pace(struct wr_hunt *hunt, int64_t now_us)
{
    int64_t period_us = (int64_t)((double)WR_US_PER_S / hunt->admin->pace);
    int64_t base_us = hunt->next_us > now_us - WR_US_PER_S ? hunt->next_us : now_us;
    hunt->next_us = base_us + period_us;
}

static enum wr_walk_choice treat(struct wr_hunt *hunt, const struct wr_message *message,
                                 const struct wr_letter *letter)
{
    int64_t now_us = wr_clock_mono_us(NULL);
    bool is_paced = hunt->publishes && hunt->admin->pace > 0;
    if (!wr_letter_matches(letter, hunt->filter)) {
        return WR_WALK_KEEP;
    }
    if (hunt->filter->limit && hunt->matched >= hunt->filter->limit) {
        return WR_WALK_STOP;
    }
    if (!message && hunt->needs_message) {
        return WR_WALK_KEEP; /* nobody could read it there either */
    }
    if (is_paced && now_us < hunt->next_us) {
        return WR_WALK_LATER;
    }
    if (is_paced) {
        set_pace(hunt, now_us);
    }
    hunt->matched++;
    if (hunt->visit && !hunt->visit(&letter->data, hunt->user)) {
        return WR_WALK_STOP;
    }
    enum wr_walk_choice choice = hunt->treat(hunt, message, letter);
    if (hunt->rc) {
        return WR_WALK_STOP;
    }
    hunt->done += choice == WR_WALK_REMOVE;
    return choice;
}

static enum wr_walk_choice visit_message(void *user, const struct wr_message *message)
{
    static const struct wr_message unreadable = { 0 };
    struct wr_hunt *hunt = user;
    struct wr_letter letter;
    if (wr_letter_read(&letter, message ? message : &unreadable, &hunt->place)) {
        hunt->rc = wr_no_memory(hunt->err);
        return WR_WALK_STOP;
    }
    if (!message) {
        letter.message = NULL;
        letter.data.reason = "unreadable";
    }
    enum wr_walk_choice choice = treat(hunt, message, &letter);
    wr_letter_done(&letter);
    return choice;
}

static bool go_on(void *user, uint64_t visited, uint64_t total)
{
    struct wr_hunt *hunt = user;
    const warren_admin *admin = hunt->admin;
    wr_replayer_serve(&hunt->replayer);
    return !admin->progress || admin->progress(visited, total, admin->progress_user);
}

const struct wr_queue_settings *wr_hunt_queue(const struct wr_settings *settings,
                                              const char *wanted)
{
    for (size_t i = 0; wanted && i < settings->queue_count; i++) {
        char dead[NAME_SIZE];
        wr_topology_dead_queue(dead, sizeof dead, settings->queues[i].name);
        if (strcmp(wanted, settings->queues[i].name) == 0 || strcmp(wanted, dead) == 0) {
            return &settings->queues[i];
        }
    }
    return NULL;
}

/* Finds the queue to walk through, and what its letters have in common. */
static warren_status find_place(struct wr_hunt *hunt, char *name)
{
    const struct wr_settings *settings = hunt->admin->settings;
    const char *wanted = hunt->filter->queue ? hunt->filter->queue : "";
    const struct wr_queue_settings *queue = wr_hunt_queue(settings, wanted);
    hunt->place.ns = settings->ns;
    hunt->place.is_brief = hunt->filter->brief || !hunt->visit; /* nobody looks */
    if (queue) {
        hunt->place.queue = queue->name;
        hunt->place.exchange = queue->exchange;
        wr_topology_dead_queue(name, NAME_SIZE, queue->name);
        return WARREN_OK;
    }
    wr_topology_exchange(name, NAME_SIZE, settings->ns, "unrouted");
    if (strcmp(wanted, "unrouted") != 0 && strcmp(wanted, name) != 0) {
        return wr_fail(hunt->err, WARREN_NOT_FOUND,
                       "queue \"%s\" is not in this configuration: want the name of a configured "
                       "queue, or unrouted",
                       wanted);
    }
    return WARREN_OK;
}

warren_status wr_hunt_run(struct wr_hunt *hunt)
{
    char name[NAME_SIZE];
    struct wr_depth depth;
    const struct wr_settings *settings = hunt->admin->settings;
    warren_status rc = find_place(hunt, name);
    if (!rc) {
        rc = wr_admin_depth(hunt->admin, name, &depth, hunt->err);
    }
    if (!rc && depth.messages && hunt->publishes) {
        rc = wr_replayer_open(&hunt->replayer, settings, hunt->err);
    }
    if (rc) {
        return rc;
    }
    struct wr_deadwalk walk = { .broker = hunt->admin->broker,
                                .queue = name,
                                .patience_us = settings->broker.rpc_timeout_ms * WR_US_PER_MS,
                                .visit = visit_message,
                                .user = hunt,
                                .idle = go_on,
                                .later_us = &hunt->next_us };
    rc = wr_deadwalk_run(&walk, hunt->err);
    wr_replayer_close(&hunt->replayer);
    return hunt->rc ? hunt->rc : rc;
}

static warren_status send_letter(struct wr_hunt *hunt, const struct wr_message *message,
                                 const struct wr_letter *letter)
{
    warren_status rc = wr_replayer_send(&hunt->replayer, message, hunt->err);
    return rc ? wr_wrap(hunt->err, rc, "message %s stays where it is", letter->data.id) : rc;
}

warren_status wr_hunt_replay(struct wr_hunt *hunt, struct wr_homes *homes,
                             const struct wr_message *message, const struct wr_letter *letter)
{
    char exchange[NAME_SIZE];
    char key[WR_DELAY_KEY_SIZE];
    struct wr_text headers = { 0 };
    struct wr_message replay;
    wr_topology_exchange(exchange, sizeof exchange, hunt->admin->settings->ns, "deliver");
    warren_status rc = wr_homes_key(homes, message, letter, key, hunt->err);
    struct wr_replay how = { exchange, key, wr_clock_wall_ms(NULL) };
    if (!rc && wr_replay_write(message, letter, &how, &headers, &replay)) {
        rc = wr_no_memory(hunt->err);
    }
    if (!rc) {
        rc = send_letter(hunt, &replay, letter);
    }
    wr_text_done(&headers);
    return rc;
}

warren_status wr_hunt_bury(struct wr_hunt *hunt, const char *queue,
                           const struct wr_message *message, const struct wr_letter *letter)
{
    char exchange[NAME_SIZE];
    struct wr_text headers = { 0 };
    struct wr_message moved;
    wr_topology_exchange(exchange, sizeof exchange, hunt->admin->settings->ns, "dead");
    struct wr_replay how = { exchange, queue, wr_clock_wall_ms(NULL) };
    warren_status rc = wr_replay_write_move(message, letter, &how, &headers, &moved)
                           ? wr_no_memory(hunt->err)
                           : send_letter(hunt, &moved, letter);
    wr_text_done(&headers);
    return rc;
}
