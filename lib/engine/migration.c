// SPDX-License-Identifier: MIT
// DESIGN: a queue can't change its arguments or its name, and two can't share one; so messages go by
// way of a stand-in S while queue Q is made anew. New messages are bound to one of the two at any
// time: the new binding is made before the old one is taken away, in one write.
//
//     1  Q (old) ──move──► S            bindings lead to Q
//     2  bindings turn from Q to S      what still comes to Q is moved, too
//     3  delete Q once it is empty, nobody consumes it, and it holds nothing back (as far as that
//        can be asked: AMQP doesn't tell what is unacknowledged or waits for a dead letter's confirm)
//     4  declare Q (new)
//     5  S ──move──► Q (new)            bindings lead to S
//     6  bindings turn from S to Q      what still comes to S is moved, too
//     7  delete S
//
// Where it stands can be seen: S and an unlike Q: 1 to 3; S and no Q: 4; S and a Q as wanted: 5 to
// 7. Each step may be done again. Order: what waited stays in line, since steps 2 and 6 turn the
// bindings only when little is left to move; that little may be overtaken by what comes then.
//
// A run holds a queue of its connection's own, so that a second one can't delete what the first one
// has just filled. And before each deletion there is one more look.
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
    STILL_US = 3000000,  /* what was routed just before the bindings turned has arrived by then */
    FACTS_US = 10000000, /* the management API's counts are this much behind at most, usually 5 s */
    ASK_US = 1000000,
    HELD_US = 60000000 /* this much longer for what a queue still holds */
};

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

static bool leads_here(const struct wr_migration *migration, const struct wr_binding *binding)
{
    return binding->to_queue && binding->source[0] &&
           (strcmp(binding->destination, migration->item->name) == 0 ||
            strcmp(binding->destination, migration->stand_in) == 0);
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
        if (leads_here(migration, binding)) {
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
    int64_t asked_us; /* when the management API was asked last */
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

/* Whether the queue, still since `since_us`, holds nothing back; true also when nobody can tell. */
static warren_status look_at_held(struct journey *journey, const char *queue, int64_t since_us,
                                  bool *out_is_free, warren_error *err)
{
    const struct wr_migration *migration = journey->migration;
    struct wr_migration_held held = { -1, -1 };
    int64_t now_us = wr_clock_mono_us(NULL);
    *out_is_free = !migration->held;
    if (!migration->held || now_us - journey->asked_us < ASK_US) {
        return WARREN_OK;
    }
    journey->asked_us = now_us;
    if (!migration->held(migration->user, queue, &held)) {
        return wr_fail(err, WARREN_STATE,
                       "the management API doesn't tell what queue %s still holds, so it was not "
                       "deleted: look at broker.management_url, then the same command goes on",
                       queue);
    }
    *out_is_free = held.unacked == 0 && held.dead_lettering <= 0;
    if (!*out_is_free && now_us - since_us > migration->still_us + FACTS_US + HELD_US) {
        return wr_fail(err, WARREN_STATE,
                       "queue %s still holds messages that are not ready (%" PRId64
                       " unacknowledged, %" PRId64 " on their way to its dead letter exchange; -1: "
                       "not told), so it was not deleted: look at its workers and at `warren "
                       "doctor`, then the same command goes on",
                       queue, held.unacked, held.dead_lettering);
    }
    return WARREN_OK;
}

static warren_status breathe(struct journey *journey, warren_error *err)
{
    return goes_on(journey) ? wr_mover_rest(&journey->mover, LOOK_US, err) : stopped(journey, err);
}

static warren_status still_consumed(const char *queue, const struct wr_depth *depth,
                                    warren_error *err)
{
    return wr_fail(err, WARREN_STATE,
                   "queue %s is being consumed (%" PRIu64 " consumers): stop the workers that have "
                   "the old configuration, then the same command goes on",
                   queue, depth->consumers);
}

/* Until nothing has come, and nobody has consumed, for `still_us`, and nothing is held back. */
static warren_status move_rest(struct journey *journey, const char *from, const char *to,
                               int64_t still_us, warren_error *err)
{
    int64_t since_us = wr_clock_mono_us(NULL);
    bool is_free = false;
    warren_status rc = WARREN_OK;
    if (journey->migration->held && still_us < FACTS_US) {
        still_us = FACTS_US;
    }
    while (!rc && !is_free) {
        struct wr_depth depth = { 0 };
        uint64_t before = journey->mover.moved;
        rc = pass(journey, from, to, &depth, err);
        if (!rc && depth.consumers) {
            rc = await_nobody(journey, from, &depth, err);
        }
        if (!rc && depth.consumers) {
            return still_consumed(from, &depth, err);
        }
        int64_t now_us = wr_clock_mono_us(NULL);
        if (journey->mover.moved != before || depth.messages) {
            since_us = now_us;
        } else if (!rc && now_us - since_us >= still_us) {
            rc = look_at_held(journey, from, since_us, &is_free, err);
        }
        if (!rc && !is_free) {
            rc = breathe(journey, err);
        }
    }
    return rc;
}

/* --- steps 1 to 3 --- */

static warren_status not_as_left(const struct wr_migration *migration, warren_error *err)
{
    return wr_fail(err, WARREN_MISMATCH,
                   "queue %s was deleted or declared by somebody else meanwhile, so nothing was "
                   "deleted: see who did it, then the same command goes on",
                   migration->item->name);
}

/* The last look: the queue is the old one, nothing is in it, and nobody consumes it. */
static warren_status look_at_old(const struct wr_migration *migration,
                                 const struct wr_migration_state *state, bool *out_is_idle,
                                 warren_error *err)
{
    struct wr_migration_state now = { 0 };
    warren_status rc = wr_migration_look(migration, &now, err);
    if (!rc && (now.phase != WARREN_MIGRATION_LEAVING || now.kind != state->kind)) {
        rc = not_as_left(migration, err);
    }
    *out_is_idle = !now.depth.messages && !now.depth.consumers;
    wr_migration_state_done(&now);
    return rc;
}

/* A classic queue is deleted by the broker's own leave only: empty, and without a consumer. */
static warren_status delete_queue(struct journey *journey, const struct wr_migration_state *state,
                                  warren_error *err)
{
    const struct wr_migration *migration = journey->migration;
    enum wr_declare how = state->kind == WR_KIND_CLASSIC ? WR_REMOVE_IDLE : WR_REMOVE;
    for (;;) {
        bool is_idle = false;
        warren_status rc = look_at_old(migration, state, &is_idle, err);
        if (rc) {
            return rc;
        }
        rc = is_idle ? carry_out(migration, migration->item, how, err) : WARREN_MISMATCH;
        if (rc != WARREN_MISMATCH) {
            return rc;
        }
        rc = move_rest(journey, migration->item->name, migration->stand_in, LOOK_US, err);
        if (rc) {
            return rc;
        }
    }
}

static int64_t at_least(int64_t still_us)
{
    return still_us > STILL_US ? still_us : STILL_US;
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
    rc = rc ? rc
            : move_rest(journey, queue, migration->stand_in, at_least(migration->still_us), err);
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

/* The last look: the new queue stands there, and nothing is in the stand-in. */
static warren_status look_at_stand_in(const struct wr_migration *migration, bool *out_is_idle,
                                      warren_error *err)
{
    struct wr_migration_state now = { 0 };
    warren_status rc = wr_migration_look(migration, &now, err);
    if (!rc && (now.phase != WARREN_MIGRATION_RETURNING || !now.has_queue)) {
        rc = not_as_left(migration, err);
    }
    *out_is_idle = !now.moved.messages && !now.moved.consumers;
    wr_migration_state_done(&now);
    return rc;
}

static warren_status delete_stand_in(struct journey *journey, const struct wr_item *stand_in,
                                     warren_error *err)
{
    const struct wr_migration *migration = journey->migration;
    bool is_idle = false;
    warren_status rc = look_at_stand_in(migration, &is_idle, err);
    while (!rc && !is_idle) {
        rc = move_rest(journey, stand_in->name, migration->item->name, LOOK_US, err);
        rc = rc ? rc : look_at_stand_in(migration, &is_idle, err);
    }
    return rc ? rc : carry_out(migration, stand_in, WR_REMOVE, err);
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
    rc = rc ? rc
            : move_rest(journey, migration->stand_in, queue, at_least(migration->still_back_us),
                        err);
    rc = rc ? rc : delete_stand_in(journey, &stand_in, err);
    if (!rc) {
        (void)tell(journey, WARREN_MIGRATION_DONE);
    }
    return rc;
}

/* --- the story --- */

/* A binding's arguments are not known here, only that it has some. */
static warren_status check_bindings(const struct wr_migration *migration, warren_error *err)
{
    const struct wr_bindings *known = migration->bindings;
    for (size_t i = 0; known && i < known->length; i++) {
        const struct wr_binding *binding = &known->items[i];
        if (binding->has_arguments && leads_here(migration, binding)) {
            return wr_fail(
                err, WARREN_STATE,
                "the binding from %s to %s (key \"%s\") has arguments, which a migration "
                "can't carry over: remove it first, and make it again afterwards",
                binding->source, binding->destination, binding->key);
        }
    }
    return WARREN_OK;
}

/* Without one of these the bindings could be turned neither away nor back. */
static warren_status check_exchanges(const struct wr_migration *migration, warren_error *err)
{
    const struct wr_topology *topology = migration->topology;
    for (size_t i = 0; i < topology->length; i++) {
        const struct wr_item *bind = &topology->items[i];
        if (bind->kind != WR_ITEM_BIND || !bind->to_queue ||
            strcmp(bind->destination, migration->item->name) != 0) {
            continue;
        }
        const struct wr_item exchange = { .kind = WR_ITEM_EXCHANGE, .name = bind->name };
        warren_error said = { 0 };
        warren_status rc = carry_out(migration, &exchange, WR_LOOK, &said);
        if (rc == WARREN_NOT_FOUND) {
            return wr_fail(err, WARREN_NOT_FOUND,
                           "exchange %s, from which queue %s gets jobs, is not at the broker: "
                           "`warren topology apply` declares it",
                           bind->name, migration->item->name);
        }
        if (rc) {
            return wr_fail(err, rc, "looking for exchange %s: %s", bind->name, said.text);
        }
    }
    return WARREN_OK;
}

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
    if (leaves && state->kind == WR_KIND_UNKNOWN) {
        return wr_fail(err, WARREN_STATE,
                       "queue %s: AMQP doesn't tell whether it is classic or quorum, since it has "
                       "an argument that Warren's queues never have: set broker.management_url, "
                       "which tells it. %s",
                       queue, wr_text_string(&state->differences));
    }
    if (leaves && state->kind == WR_KIND_FOREIGN) {
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
    warren_status rc = check_bindings(migration, err);
    return rc || state->phase == WARREN_MIGRATION_NOTHING ? rc : check_exchanges(migration, err);
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

static warren_status lock(const struct wr_migration *migration, warren_error *err)
{
    struct wr_item item = { .kind = WR_ITEM_QUEUE, .name = migration->lock, .is_temporary = true };
    int64_t end_us = wr_clock_mono_us(NULL) + GONE_US;
    for (;;) {
        warren_error said = { 0 };
        warren_status rc = carry_out(migration, &item, WR_DECLARE, &said);
        if (!rc) {
            return WARREN_OK;
        }
        if (!strstr(said.text, "RESOURCE_LOCKED")) {
            return wr_fail(err, rc, "declaring %s: %s", migration->lock, said.text);
        }
        if (wr_clock_mono_us(NULL) >= end_us) { /* that of one that was killed is gone by then */
            return wr_fail(err, WARREN_STATE,
                           "another migration of queue %s is under way (it holds %s): wait for it",
                           migration->item->name, migration->lock);
        }
        wr_clock_pass_us(LOOK_US);
    }
}

static void unlock(const struct wr_migration *migration)
{
    struct wr_item item = { .kind = WR_ITEM_QUEUE, .name = migration->lock, .is_temporary = true };
    (void)carry_out(migration, &item, WR_REMOVE, NULL);
}

static warren_status run_locked(struct journey *journey, warren_error *err)
{
    struct wr_migration_state state = { 0 };
    warren_status rc = look_for_start(journey->migration, &state, err);
    if (!rc && state.phase != WARREN_MIGRATION_NOTHING) {
        rc = wr_mover_open(&journey->mover, err);
        rc = rc ? rc : travel(journey, &state, err);
        wr_mover_close(&journey->mover);
    }
    wr_migration_state_done(&state);
    return rc;
}

warren_status wr_migration_run(struct wr_migration *migration, uint64_t *out_moved,
                               warren_error *err)
{
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
    warren_status rc = lock(migration, err);
    if (!rc) {
        rc = run_locked(&journey, err);
        unlock(migration);
    }
    *out_moved = journey.mover.moved;
    return rc;
}
