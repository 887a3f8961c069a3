// SPDX-License-Identifier: MIT
// DESIGN: three verbs on one walk. Looking keeps every letter; dropping acknowledges those that
// match; replaying publishes a match on a second connection, waits for the confirm, and only then
// acknowledges. So at any interruption a letter is still in its dead queue, or already in its work
// queue, or (between confirm and ack) in both, but never in neither.
//
// A replay goes home through `NS.deliver` with a key of zero delay, so that it reaches its own
// queue only, not every queue that its type is bound to. What the catch-all holds from the ladder
// keeps the key that it had.
#include "warren/dead.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/deadwalk.h"
#include "engine/replayer.h"
#include "front/admin.h"
#include "model/delay.h"
#include "model/letter.h"
#include "model/replay.h"
#include "model/topology.h"

enum { NAME_SIZE = 256 };

enum verb { LOOK, REPLAY, DROP };

/* One call of warren_dead_*. */
struct hunt {
    warren_admin *admin;
    const warren_dead_filter *filter;
    enum verb verb;
    warren_dead_visitor *visit; /* may be NULL, but for LOOK */
    void *user;
    struct wr_letter_place place;
    struct wr_replayer replayer;
    char known_home[NAME_SIZE]; /* the home queue that was last seen to exist */
    size_t matched;
    size_t done;
    warren_status rc;
    warren_error *err;
};

/* --- where a letter goes home to --- */

static bool is_isolated(const struct wr_queue_settings *queue, const char *type)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        if (queue->jobs[i].isolate && strcmp(queue->jobs[i].type, type) == 0) {
            return true;
        }
    }
    return false;
}

/* The queue that a type's jobs of `queue` stand in. */
static void name_home(const struct wr_queue_settings *queue, const char *type, char *home)
{
    if (is_isolated(queue, type)) {
        wr_topology_isolated_queue(home, NAME_SIZE, queue->name, type);
    } else {
        memcpy(home, queue->name, strlen(queue->name) + 1);
    }
}

static warren_status find_home(struct hunt *hunt, const warren_dead_letter *letter, char *home)
{
    const struct wr_queue_settings *queue = wr_settings_queue(hunt->admin->settings, letter->queue);
    if (!queue) {
        return wr_fail(hunt->err, WARREN_NOT_FOUND,
                       "message %s was meant for queue \"%s\", which this configuration doesn't "
                       "have: add it, or drop the message",
                       letter->id, letter->queue);
    }
    name_home(queue, letter->type, home);
    return WARREN_OK;
}

/* A queue that isn't there would send the replay on to the catch-all. */
static warren_status check_home(struct hunt *hunt, const char *home)
{
    struct wr_depth depth;
    if (strcmp(home, hunt->known_home) == 0) {
        return WARREN_OK;
    }
    warren_status rc = wr_admin_depth(hunt->admin, home, &depth, hunt->err);
    if (!rc) {
        memcpy(hunt->known_home, home, strlen(home) + 1);
    }
    return rc;
}

/* The same for a delayed publish, which goes home by its type. */
static warren_status check_type(struct hunt *hunt, const char *type)
{
    const struct wr_settings *settings = hunt->admin->settings;
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        for (size_t j = 0; j < queue->job_count; j++) {
            if (strcmp(queue->jobs[j].type, type) == 0) {
                char home[NAME_SIZE];
                name_home(queue, type, home);
                return check_home(hunt, home);
            }
        }
    }
    return settings->takes_all
               ? WARREN_OK
               : wr_fail(hunt->err, WARREN_NOT_FOUND,
                         "job type %s is in no queue of this configuration: add it, or drop the "
                         "message",
                         type);
}

/* The key under which `NS.deliver` brings it home. */
static warren_status make_key(struct hunt *hunt, const struct wr_message *message,
                              const struct wr_letter *letter, char *key)
{
    char home[NAME_SIZE];
    const char *ladder_queue = letter->is_on_ladder ? letter->data.queue : "";
    if (letter->is_on_ladder) {
        memcpy(key, message->key.data, message->key.size);
        key[message->key.size] = '\0';
        return *ladder_queue ? check_home(hunt, ladder_queue) : check_type(hunt, letter->data.type);
    }
    warren_status rc = find_home(hunt, &letter->data, home);
    if (!rc) {
        rc = check_home(hunt, home);
    }
    if (!rc && !wr_delay_key(key, WR_DELAY_KEY_SIZE, 0, "queue", home)) {
        rc = wr_fail(hunt->err, WARREN_INVALID, "queue name %s is too long", home);
    }
    return rc;
}

static warren_status send_home(struct hunt *hunt, const struct wr_message *message,
                               const struct wr_letter *letter)
{
    char exchange[NAME_SIZE];
    char key[WR_DELAY_KEY_SIZE];
    struct wr_text headers = { 0 };
    struct wr_message replay;
    wr_topology_exchange(exchange, sizeof exchange, hunt->admin->settings->ns, "deliver");
    warren_status rc = make_key(hunt, message, letter, key);
    struct wr_replay how = { exchange, key, wr_clock_wall_ms(NULL) };
    if (!rc && wr_replay_write(message, letter, &how, &headers, &replay)) {
        rc = wr_no_memory(hunt->err);
    }
    if (!rc) {
        rc = wr_replayer_send(&hunt->replayer, &replay, hunt->err);
        if (rc) {
            rc = wr_wrap(hunt->err, rc, "message %s stays where it is", letter->data.id);
        }
    }
    wr_text_done(&headers);
    return rc;
}

/* --- the walk --- */

static enum wr_walk_choice treat(struct hunt *hunt, const struct wr_message *message,
                                 const struct wr_letter *letter)
{
    if (!wr_letter_matches(letter, hunt->filter)) {
        return WR_WALK_KEEP;
    }
    if (hunt->filter->limit && hunt->matched >= hunt->filter->limit) {
        return WR_WALK_STOP;
    }
    if (!message && hunt->verb == REPLAY) {
        return WR_WALK_KEEP; /* nobody could read it there either */
    }
    hunt->matched++;
    if (hunt->visit && !hunt->visit(&letter->data, hunt->user)) {
        return WR_WALK_STOP;
    }
    if (hunt->verb == LOOK) {
        return WR_WALK_KEEP;
    }
    hunt->rc = hunt->verb == REPLAY ? send_home(hunt, message, letter) : WARREN_OK;
    if (hunt->rc) {
        return WR_WALK_STOP;
    }
    hunt->done++;
    return WR_WALK_REMOVE;
}

static enum wr_walk_choice visit_message(void *user, const struct wr_message *message)
{
    static const struct wr_message unreadable = { 0 };
    struct hunt *hunt = user;
    struct wr_letter letter;
    if (wr_letter_read(&letter, message ? message : &unreadable, &hunt->place)) {
        hunt->rc = wr_no_memory(hunt->err);
        return WR_WALK_STOP;
    }
    if (!message) {
        letter.data.reason = "unreadable";
    }
    enum wr_walk_choice choice = treat(hunt, message, &letter);
    wr_letter_done(&letter);
    return choice;
}

/* By the queue's own name, or by that of its dead queue. */
static const struct wr_queue_settings *find_queue(const struct wr_settings *settings,
                                                  const char *wanted)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        char dead[NAME_SIZE];
        wr_topology_dead_queue(dead, sizeof dead, settings->queues[i].name);
        if (strcmp(wanted, settings->queues[i].name) == 0 || strcmp(wanted, dead) == 0) {
            return &settings->queues[i];
        }
    }
    return NULL;
}

/* Finds the queue to walk through, and what its letters have in common. */
static warren_status find_place(struct hunt *hunt, char *name)
{
    const struct wr_settings *settings = hunt->admin->settings;
    const char *wanted = hunt->filter->queue ? hunt->filter->queue : "";
    const struct wr_queue_settings *queue = find_queue(settings, wanted);
    hunt->place.ns = settings->ns;
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

static warren_status run_hunt(struct hunt *hunt)
{
    char name[NAME_SIZE];
    struct wr_depth depth;
    const struct wr_settings *settings = hunt->admin->settings;
    warren_status rc = find_place(hunt, name);
    if (!rc) {
        rc = wr_admin_depth(hunt->admin, name, &depth, hunt->err);
    }
    if (!rc && depth.messages && hunt->verb == REPLAY) {
        rc = wr_replayer_open(&hunt->replayer, settings, hunt->err);
    }
    if (rc) {
        return rc;
    }
    struct wr_deadwalk walk = { .broker = hunt->admin->broker,
                                .queue = name,
                                .patience_us = settings->broker.rpc_timeout_ms * WR_US_PER_MS,
                                .visit = visit_message,
                                .user = hunt };
    rc = wr_deadwalk_run(&walk, hunt->err);
    wr_replayer_close(&hunt->replayer);
    return hunt->rc ? hunt->rc : rc;
}

warren_status warren_dead_each(warren_admin *admin, const warren_dead_filter *filter,
                               warren_dead_visitor *visit, void *user, warren_error *err)
{
    struct hunt hunt = {
        .admin = admin, .filter = filter, .verb = LOOK, .visit = visit, .user = user, .err = err
    };
    return run_hunt(&hunt);
}

static warren_status settle(struct hunt *hunt, size_t *out_count)
{
    warren_status rc = run_hunt(hunt);
    if (out_count) {
        *out_count = hunt->done;
    }
    return rc;
}

warren_status warren_dead_replay(warren_admin *admin, const warren_dead_filter *filter,
                                 warren_dead_visitor *before, void *user, size_t *out_count,
                                 warren_error *err)
{
    struct hunt hunt = {
        .admin = admin, .filter = filter, .verb = REPLAY, .visit = before, .user = user, .err = err
    };
    return settle(&hunt, out_count);
}

warren_status warren_dead_drop(warren_admin *admin, const warren_dead_filter *filter,
                               warren_dead_visitor *before, void *user, size_t *out_count,
                               warren_error *err)
{
    struct hunt hunt = {
        .admin = admin, .filter = filter, .verb = DROP, .visit = before, .user = user, .err = err
    };
    return settle(&hunt, out_count);
}
