// SPDX-License-Identifier: MIT
// DESIGN: a queue can't change its arguments or its name, and two can't share one; so messages go by
// way of a stand-in S while queue Q is made anew. New messages are bound to one of the two at any
// time: the new binding is made before the old one is taken away, in one write.
//
//     1  Q (old) ──move──► S            bindings lead to Q
//     2  bindings turn from Q to S      what still comes to Q is moved, too
//     3  delete Q once it is empty, nobody consumes it, and nothing is in anybody's hand
//     4  declare Q (new)
//     5  S ──move──► Q (new)            bindings lead to S
//     6  bindings turn from S to Q      what still comes to S is moved, too
//     7  delete S
//
// Where it stands can be seen: S and an unlike Q: 1 to 3; S and no Q: 4; S and a Q as wanted: 5 to
// 7. Each step may be done again. Order: what waited stays in line, since steps 2 and 6 turn the
// bindings only when little is left to move; that little may be overtaken by what comes then.
//
// Step 5 ends early when a worker consumes Q: it has bound its types to it already, so that a message
// would come to both queues until the bindings of S are gone.
#include "engine/migration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "engine/topologist_session.h"

enum {
    CHANNEL = 1,
    FEW = 100,        /* so many left are no reason for another pass */
    PASSES_MOST = 20, /* before the bindings turn, however much still comes */
    LOOK_US = 100000,
    GONE_US = 2000000,
    STILL_US = 3000000 /* what was routed just before the bindings turned has arrived by then */
};

void wr_migration_stand_in(char *out, size_t size, const char *ns, const char *queue)
{
    (void)snprintf(out, size, "%s.migrate.%s", ns, queue);
}

void wr_migration_state_done(struct wr_migration_state *state)
{
    wr_text_done(&state->differences);
    *state = (struct wr_migration_state){ 0 };
}

/* --- which queue --- */

static const struct wr_queue_settings *find_owner(const struct wr_settings *settings,
                                                  const char *name)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        if (strcmp(queue->name, name) == 0) {
            return queue;
        }
        for (size_t j = 0; j < queue->job_count; j++) {
            char isolated[WR_NAME_SIZE];
            wr_topology_isolated_queue(isolated, sizeof isolated, queue->name, queue->jobs[j].type);
            if (queue->jobs[j].isolate && strcmp(isolated, name) == 0) {
                return queue;
            }
        }
    }
    return NULL;
}

static const struct wr_item *find_item(const struct wr_topology *topology, const char *name)
{
    for (size_t i = 0; i < topology->length; i++) {
        if (topology->items[i].kind == WR_ITEM_QUEUE &&
            strcmp(topology->items[i].name, name) == 0) {
            return &topology->items[i];
        }
    }
    return NULL;
}

warren_status wr_migration_find(struct wr_migration *migration, const char *queue,
                                warren_error *err)
{
    migration->item = find_item(migration->topology, queue);
    migration->queue = find_owner(migration->settings, queue);
    if (!migration->item) {
        return wr_fail(err, WARREN_NOT_FOUND,
                       "queue %s is not in this configuration: `warren queue list` shows them",
                       queue);
    }
    if (!migration->queue) {
        return wr_fail(
            err, WARREN_STATE,
            "queue %s can't be migrated, only work queues and those of isolated types: a "
            "dead queue, the catch-all and the ladder are the same in every "
            "configuration. Replay or drop what is in it (`warren dead`), then delete it",
            queue);
    }
    wr_migration_stand_in(migration->stand_in, sizeof migration->stand_in, migration->settings->ns,
                          queue);
    if (strlen(migration->stand_in) > 255) {
        return wr_fail(err, WARREN_INVALID,
                       "queue %s: its stand-in would be called %s, which is longer than the 255 "
                       "bytes that AMQP allows",
                       queue, migration->stand_in);
    }
    return WARREN_OK;
}

/* --- what stands there --- */

/* Quorum whatever the queue is to be, and what expires in it dies as it would there. A policy that
 * limits its length makes it refuse, never drop. */
static struct wr_item stand_in_item(const struct wr_migration *migration)
{
    struct wr_queue_arguments arguments = migration->item->arguments;
    arguments.type = WR_QUORUM;
    arguments.delivery_limit = WR_DELIVERY_LIMIT_KEEP;
    arguments.reject_publish = true;
    return (struct wr_item){ .kind = WR_ITEM_QUEUE,
                             .name = migration->stand_in,
                             .arguments = arguments };
}

/* How much is in it; `*out_exists` false when it isn't there. */
static warren_status ask_depth(const struct wr_migration *migration, const char *name,
                               struct wr_depth *out, bool *out_exists, warren_error *err)
{
    warren_error said = { 0 };
    warren_status rc = wr_broker_channel_open(migration->broker, CHANNEL, false, err);
    if (rc) {
        return rc;
    }
    rc = wr_broker_depth(migration->broker, CHANNEL, name, out, &said);
    *out_exists = !rc;
    if (!rc) {
        (void)wr_broker_channel_close(migration->broker, CHANNEL, NULL);
    }
    return rc && rc != WARREN_NOT_FOUND ? wr_fail(err, rc, "%s", said.text) : WARREN_OK;
}

static bool has_line(const struct wr_text *text, const char *words)
{
    return strstr(wr_text_string(text), words) != NULL;
}

/* Which kind stands there, from what differs. */
static void read_kind(const struct wr_migration *migration, struct wr_migration_state *out)
{
    bool wants_classic = migration->item->arguments.type == WR_CLASSIC;
    bool is_other = has_line(&out->differences, ": x-queue-type is ");
    bool is_classic = has_line(&out->differences, ": x-queue-type is classic");
    bool is_quorum = has_line(&out->differences, ": x-queue-type is quorum");
    bool is_unsaid = has_line(&out->differences, ": x-queue-type is not set");
    out->was_classic = is_other ? is_classic || is_unsaid : wants_classic;
    out->is_foreign = is_other && !is_classic && !is_quorum && !is_unsaid;
}

static warren_status compare(const struct wr_migration *migration, struct wr_migration_state *out,
                             warren_error *err)
{
    struct wr_session session = { .broker = migration->broker, .channel = CHANNEL };
    warren_error said = { 0 };
    warren_status rc = wr_session_compare(&session, migration->item, &out->differences, &said);
    wr_session_done(&session);
    if (rc && rc != WARREN_MISMATCH) {
        return wr_fail(err, rc, "comparing queue %s: %s", migration->item->name, said.text);
    }
    read_kind(migration, out);
    return WARREN_OK;
}

warren_status wr_migration_look(const struct wr_migration *migration,
                                struct wr_migration_state *out, warren_error *err)
{
    bool has_queue = false;
    bool has_stand_in = false;
    warren_status rc = ask_depth(migration, migration->item->name, &out->depth, &has_queue, err);
    rc = rc ? rc : ask_depth(migration, migration->stand_in, &out->moved, &has_stand_in, err);
    if (!rc && has_queue) {
        rc = compare(migration, out, err);
    }
    if (rc) {
        return rc;
    }
    bool differs = out->differences.size > 0;
    if (!has_queue) {
        out->phase = has_stand_in ? WARREN_MIGRATION_RETURNING : WARREN_MIGRATION_ABSENT;
    } else if (differs) {
        out->phase = has_stand_in ? WARREN_MIGRATION_LEAVING : WARREN_MIGRATION_NEEDED;
    } else {
        out->phase = has_stand_in ? WARREN_MIGRATION_RETURNING : WARREN_MIGRATION_NOTHING;
    }
    return WARREN_OK;
}

/* --- bindings --- */

static warren_status turn_one(struct wr_session *session, struct wr_item bind, const char *from,
                              const char *to, warren_error *err)
{
    bind.kind = WR_ITEM_BIND;
    bind.destination = to;
    warren_status rc = wr_session_send(session, &bind, WR_DECLARE, err);
    bind.kind = WR_ITEM_UNBIND;
    bind.destination = from;
    return rc ? rc : wr_session_send(session, &bind, WR_DECLARE, err);
}

/* Those of the configuration, and all others that are known to lead to one of the two queues. */
static warren_status turn_bindings(const struct wr_migration *migration, const char *from,
                                   const char *to, warren_error *err)
{
    struct wr_session session = { .broker = migration->broker, .channel = CHANNEL };
    const struct wr_topology *topology = migration->topology;
    const struct wr_bindings *known = migration->bindings;
    warren_status rc = WARREN_OK;
    for (size_t i = 0; !rc && i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        if (item->kind == WR_ITEM_BIND && item->to_queue &&
            strcmp(item->destination, migration->item->name) == 0) {
            rc = turn_one(&session, *item, from, to, err);
        }
    }
    for (size_t i = 0; !rc && known && i < known->length; i++) {
        const struct wr_binding *binding = &known->items[i];
        if (binding->to_queue && binding->source[0] &&
            (strcmp(binding->destination, migration->item->name) == 0 ||
             strcmp(binding->destination, migration->stand_in) == 0)) {
            struct wr_item item = { .name = binding->source,
                                    .to_queue = true,
                                    .key = binding->key };
            rc = turn_one(&session, item, from, to, err);
        }
    }
    rc = rc ? rc : wr_session_sync(&session, err);
    wr_session_done(&session);
    return rc ? wr_wrap(err, rc, "turning the bindings from %s to %s", from, to) : WARREN_OK;
}

static warren_status carry_out(const struct wr_migration *migration, const struct wr_item *item,
                               enum wr_declare how, warren_error *err)
{
    struct wr_session session = { .broker = migration->broker, .channel = CHANNEL };
    warren_status rc = wr_session_try(&session, item, how, err);
    wr_session_done(&session);
    return rc;
}

/* --- moving --- */

struct journey {
    struct wr_migration *migration;
    struct wr_mover mover;
    warren_migration_step step;
    bool is_stopped;
};

static bool tell(struct journey *journey, warren_migration_step step)
{
    const struct wr_migration *migration = journey->migration;
    journey->step = step;
    journey->is_stopped =
        journey->is_stopped ||
        (migration->visit && !migration->visit(migration->user, step, journey->mover.moved));
    return !journey->is_stopped;
}

static bool goes_on(void *user)
{
    struct journey *journey = user;
    return tell(journey, journey->step);
}

static warren_status stopped(const struct journey *journey, warren_error *err)
{
    return wr_fail(err, WARREN_AGAIN,
                   "stopped on the way; queue %s and %s hold all messages, and the same command "
                   "goes on",
                   journey->migration->item->name, journey->migration->stand_in);
}

/* One pass; `*out_depth`: what stands in `from` after it. */
static warren_status pass(struct journey *journey, const char *from, const char *to,
                          struct wr_depth *out_depth, warren_error *err)
{
    warren_status rc = wr_mover_pass(&journey->mover, from, to, err);
    if (!rc && journey->is_stopped) {
        rc = stopped(journey, err);
    }
    return rc ? rc : wr_mover_depth(&journey->mover, from, out_depth, err);
}

/* Until little is left. `watched`: a queue whose consumer ends it, or NULL. */
static warren_status move_most(struct journey *journey, const char *from, const char *to,
                               const char *watched, warren_error *err)
{
    struct wr_depth left = { 0 };
    warren_status rc = wr_mover_depth(&journey->mover, from, &left, err);
    for (int i = 0; !rc && left.messages > FEW && i < PASSES_MOST; i++) {
        struct wr_depth at = { 0 };
        rc = watched ? wr_mover_depth(&journey->mover, watched, &at, err) : WARREN_OK;
        if (at.consumers) {
            return rc;
        }
        rc = rc ? rc : pass(journey, from, to, &left, err);
    }
    return rc;
}

/* A consumer that has ended, such as our own, is counted for a moment more. */
static warren_status await_nobody(struct journey *journey, const char *queue, struct wr_depth *out,
                                  warren_error *err)
{
    int64_t end_us = wr_clock_mono_us(NULL) + GONE_US;
    warren_status rc = WARREN_OK;
    while (!rc && out->consumers && wr_clock_mono_us(NULL) < end_us) {
        rc = wr_mover_rest(&journey->mover, LOOK_US, err);
        rc = rc ? rc : wr_mover_depth(&journey->mover, queue, out, err);
    }
    return rc;
}

/* Until nothing has come, and nobody has consumed, for `still_us`. */
static warren_status move_rest(struct journey *journey, const char *from, const char *to,
                               int64_t still_us, warren_error *err)
{
    int64_t since_us = wr_clock_mono_us(NULL);
    warren_status rc = WARREN_OK;
    while (!rc && wr_clock_mono_us(NULL) - since_us < still_us) {
        struct wr_depth depth = { 0 };
        uint64_t before = journey->mover.moved;
        rc = pass(journey, from, to, &depth, err);
        if (!rc && depth.consumers) {
            rc = await_nobody(journey, from, &depth, err);
        }
        if (!rc && depth.consumers) {
            return wr_fail(err, WARREN_STATE,
                           "queue %s is being consumed (%" PRIu64 " consumers): stop the workers "
                           "that have the old configuration, then the same command goes on",
                           from, depth.consumers);
        }
        if (journey->mover.moved != before || depth.messages) {
            since_us = wr_clock_mono_us(NULL);
        } else if (!rc) {
            rc = goes_on(journey) ? wr_mover_rest(&journey->mover, LOOK_US, err)
                                  : stopped(journey, err);
        }
    }
    return rc;
}

/* --- steps 1 to 3 --- */

/* A classic queue is deleted by the broker's own leave only: empty, and without a consumer. */
static warren_status delete_queue(struct journey *journey, const struct wr_migration_state *state,
                                  warren_error *err)
{
    const struct wr_migration *migration = journey->migration;
    enum wr_declare how = state->was_classic ? WR_REMOVE_IDLE : WR_REMOVE;
    warren_status rc = carry_out(migration, migration->item, how, err);
    while (rc == WARREN_MISMATCH) {
        rc = move_rest(journey, migration->item->name, migration->stand_in, LOOK_US, err);
        rc = rc ? rc : carry_out(migration, migration->item, how, err);
    }
    return rc;
}

static warren_status leave(struct journey *journey, const struct wr_migration_state *state,
                           warren_error *err)
{
    const struct wr_migration *migration = journey->migration;
    const char *queue = migration->item->name;
    struct wr_item stand_in = stand_in_item(migration);
    warren_status rc = WARREN_OK;
    if (state->phase == WARREN_MIGRATION_NEEDED) { /* one that is there may be of another run */
        rc = carry_out(migration, &stand_in, WR_DECLARE, err);
    }
    if (!rc && !tell(journey, WARREN_MIGRATION_MOVING_OUT)) {
        return stopped(journey, err);
    }
    rc = rc ? rc : move_most(journey, queue, migration->stand_in, NULL, err);
    rc = rc ? rc : turn_bindings(migration, queue, migration->stand_in, err);
    if (!rc && !tell(journey, WARREN_MIGRATION_TURNED_AWAY)) {
        return stopped(journey, err);
    }
    int64_t still_us = migration->rest_us > STILL_US ? migration->rest_us : STILL_US;
    rc = rc ? rc : move_rest(journey, queue, migration->stand_in, still_us, err);
    rc = rc ? rc : delete_queue(journey, state, err);
    if (!rc && !tell(journey, WARREN_MIGRATION_DELETED)) {
        return stopped(journey, err);
    }
    return rc;
}

/* --- steps 4 to 7 --- */

static warren_status declare_queue(struct journey *journey, warren_error *err)
{
    const struct wr_migration *migration = journey->migration;
    warren_error said = { 0 };
    warren_status rc = carry_out(migration, migration->item, WR_DECLARE, &said);
    if (rc == WARREN_MISMATCH) {
        return wr_fail(err, rc,
                       "queue %s was declared again with the old arguments: stop the workers that "
                       "have the old configuration, then the same command goes on (%s)",
                       migration->item->name, said.text);
    }
    return rc ? wr_fail(err, rc, "declaring queue %s: %s", migration->item->name, said.text)
              : WARREN_OK;
}

static warren_status come_back(struct journey *journey, warren_error *err)
{
    const struct wr_migration *migration = journey->migration;
    const char *queue = migration->item->name;
    struct wr_item stand_in = stand_in_item(migration);
    warren_status rc = declare_queue(journey, err);
    if (!rc && !tell(journey, WARREN_MIGRATION_MOVING_BACK)) {
        return stopped(journey, err);
    }
    rc = rc ? rc : move_most(journey, migration->stand_in, queue, queue, err);
    rc = rc ? rc : turn_bindings(migration, migration->stand_in, queue, err);
    if (!rc && !tell(journey, WARREN_MIGRATION_TURNED_BACK)) {
        return stopped(journey, err);
    }
    rc = rc ? rc : move_rest(journey, migration->stand_in, queue, STILL_US, err);
    rc = rc ? rc : carry_out(migration, &stand_in, WR_REMOVE, err);
    if (!rc) {
        (void)tell(journey, WARREN_MIGRATION_DONE);
    }
    return rc;
}

/* --- the story --- */

static warren_status check_start(const struct wr_migration *migration,
                                 const struct wr_migration_state *state, warren_error *err)
{
    const char *queue = migration->item->name;
    bool leaves =
        state->phase == WARREN_MIGRATION_NEEDED || state->phase == WARREN_MIGRATION_LEAVING;
    if (state->phase == WARREN_MIGRATION_ABSENT) {
        return wr_fail(err, WARREN_NOT_FOUND,
                       "queue %s is not at the broker: `warren topology apply` declares it", queue);
    }
    if (leaves && state->is_foreign) {
        return wr_fail(err, WARREN_STATE,
                       "queue %s is neither classic nor quorum, so it can't be emptied: %s", queue,
                       wr_text_string(&state->differences));
    }
    if (leaves && state->depth.consumers) {
        return wr_fail(err, WARREN_STATE,
                       "queue %s has %" PRIu64
                       " consumers: stop its workers first, and start those "
                       "with the new configuration when the new queue is there",
                       queue, state->depth.consumers);
    }
    return WARREN_OK;
}

static warren_status travel(struct journey *journey, const struct wr_migration_state *state,
                            warren_error *err)
{
    warren_status rc = WARREN_OK;
    if (state->phase != WARREN_MIGRATION_RETURNING) {
        rc = leave(journey, state, err);
    }
    return rc ? rc : come_back(journey, err);
}

/* As above: a migration that was killed a moment ago may still be counted as a consumer. */
static warren_status look_for_start(const struct wr_migration *migration,
                                    struct wr_migration_state *out, warren_error *err)
{
    int64_t end_us = wr_clock_mono_us(NULL) + GONE_US;
    for (;;) {
        warren_status rc = wr_migration_look(migration, out, err);
        if (rc || !out->depth.consumers || wr_clock_mono_us(NULL) >= end_us) {
            return rc ? rc : check_start(migration, out, err);
        }
        wr_migration_state_done(out);
        wr_clock_pass_us(LOOK_US);
    }
}

warren_status wr_migration_run(struct wr_migration *migration, uint64_t *out_moved,
                               warren_error *err)
{
    struct wr_migration_state state = { 0 };
    struct journey journey = { .migration = migration };
    char jobs[WR_NAME_SIZE];
    const char *exchange = migration->queue->exchange;
    wr_topology_exchange(jobs, sizeof jobs, migration->settings->ns, "jobs");
    journey.mover =
        (struct wr_mover){ .taking = migration->broker,
                           .rules = { .settings = migration->settings,
                                      .queue = migration->queue,
                                      .jobs_exchange = wr_slice_of(exchange ? exchange : jobs) },
                           .goes_on = goes_on,
                           .user = &journey };
    warren_status rc = look_for_start(migration, &state, err);
    if (!rc && state.phase != WARREN_MIGRATION_NOTHING) {
        rc = wr_mover_open(&journey.mover, err);
        rc = rc ? rc : travel(&journey, &state, err);
        wr_mover_close(&journey.mover);
    }
    *out_moved = journey.mover.moved;
    wr_migration_state_done(&state);
    return rc;
}
