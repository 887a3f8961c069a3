// SPDX-License-Identifier: MIT
// DESIGN: a run's script follows from the copy's number, attempt, snoozes and how often this
// attempt was begun, so that it doesn't depend on what else is in the program: that lets steps be
// dropped from a failing one. While a handler runs it may take some steps of the program for
// itself; nested ones are the jobs that run at the same time.
#include "handler.h"

#include <stdio.h>

#include "chronicle.h"

enum { SNOOZES_MOST = 3, CHILDREN_DEEP = 2 };

/* --- publishing --- */

/* Draws what a message says beside its type. */
static struct copy draw_copy(struct world *world, uint64_t random, int sender)
{
    static const int attempts[] = { 0, 0, 0, 1, 2, 6 };
    int64_t wall_ms = wr_clock_wall_ms(&world->clock);
    struct copy copy = { .sender = sender, .hash = mix(random, 2) };
    copy.type = pick(&random, 12) == 0 ? SCENE_NOBODY : pick(&random, SCENE_TYPES);
    copy.delay_ms = pick(&random, 4) == 0 ? 1 + pick(&random, SCENE_DELAY_MOST_MS) : 0;
    copy.own_attempts = attempts[pick(&random, 6)];
    copy.own_backoff = pick(&random, 3) == 0 ? pick(&random, SCENE_BACKOFFS) : 0;
    copy.expires_ms = pick(&random, 6) == 0 ? wall_ms + 1 + pick(&random, 4000) : 0;
    return copy;
}

/* The copy as a message; `header` is written for it. */
static warren_message write_message(const struct world *world, const struct copy *copy,
                                    warren_header *header)
{
    int64_t wall_ms = wr_clock_wall_ms(&world->clock);
    *header = (warren_header){ .name = "copy", .number = copy->number };
    return (warren_message){ .type = scene_type(copy->type)->name,
                             .body = "{}",
                             .id = copy->id,
                             .delay_ms = copy->delay_ms,
                             .expires_ms = copy->expires_ms ? copy->expires_ms - wall_ms : 0,
                             .max_attempts = copy->own_attempts,
                             .backoff = scene_backoff(copy->own_backoff),
                             .headers = header,
                             .header_count = 1 };
}

static struct world *answered_world; /* whose publishes are answered: there is one at a time */

static void count_unanswered(struct world *world, int sender, int by)
{
    world->unanswered += by;
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        if (world->slots[i].mode != SLOT_FREE && world->slots[i].number == sender) {
            world->slots[i].unanswered += by;
        }
    }
}

static void take_answer(void *user, warren_status status, const warren_error *error)
{
    struct copy *copy = user;
    (void)error;
    count_unanswered(answered_world, copy->sender, -1);
    ledger_answer(&answered_world->ledger, copy, status);
}

void handler_publish(struct world *world, const struct step *step)
{
    uint64_t random = mix(step->random, 3);
    struct slot *slot = &world->slots[step->slot];
    bool by_worker = pick(&random, 4) == 0 && slot_moves(slot);
    bool is_twin = pick(&random, 8) == 0 && world->ledger.copy_count;
    struct copy plan = draw_copy(world, step->random, by_worker ? slot->number : LEDGER_PRODUCER);
    const struct copy *twin =
        is_twin ? &world->ledger.copies[pick(&random, world->ledger.copy_count)] : NULL;
    struct copy *copy = ledger_publish(&world->ledger, &plan, twin);
    if (!copy) {
        return;
    }
    warren_header header;
    warren_error err = { .status = WARREN_OK };
    warren_message message = write_message(world, copy, &header);
    answered_world = world;
    count_unanswered(world, copy->sender, 1);
    if (warren_publish_async(by_worker ? slot->worker->front : world->front, &message, take_answer,
                             copy, &err)) {
        ledger_fail(&world->ledger, "copy %d is refused: %s", copy->number, err.text);
    }
}

/* A message of a job's own; one in four waits for its confirm. */
static void publish_own(struct slot *slot, struct run *run, warren_job *job, uint64_t random)
{
    struct world *world = slot->world;
    struct copy plan = draw_copy(world, random, slot->number);
    bool waits = pick(&random, 4) == 0;
    plan.depth = run->copy->depth + 1;
    plan.is_own = !waits;
    struct copy *copy = ledger_publish(&world->ledger, &plan, NULL);
    if (!copy) {
        return;
    }
    warren_header header;
    warren_error err = { .status = WARREN_OK };
    warren_message message = write_message(world, copy, &header);
    if (waits) {
        ledger_answer(&world->ledger, copy, warren_publish(slot->worker->front, &message, &err));
    } else if (warren_job_publish(job, &message, &err)) {
        ledger_fail(&world->ledger, "copy %d is refused: %s", copy->number, err.text);
    } else {
        run->own[run->own_count++] = copy;
    }
}

/* --- running --- */

static void enter(struct slot *slot, int type)
{
    struct ledger *ledger = &slot->world->ledger;
    int shared = 0;
    slot->world->depth++;
    slot->running[type]++;
    for (int i = 0; i < SCENE_TYPES; i++) {
        shared += scene_type(i)->isolate ? 0 : slot->running[i];
    }
    if (slot->running[type] > scene_type(type)->concurrency) {
        ledger_fail(ledger, "%d jobs of type %s run at once in worker %d", slot->running[type],
                    scene_type(type)->name, slot->number);
    }
    if (shared > scene_shared_limit(slot->world->program->scene)) {
        ledger_fail(ledger, "%d jobs run at once in worker %d", shared, slot->number);
    }
}

static void leave(struct slot *slot, int type)
{
    slot->running[type]--;
    slot->world->depth--;
}

static enum outcome pick_outcome(uint64_t *random, const struct warren_job *job)
{
    static const enum outcome all[] = { DONE,        DONE,   DONE,   DONE,  DONE,    DONE,
                                        RETRY,       RETRY,  RETRY,  RETRY, RETRY,   RETRY_AFTER,
                                        RETRY_AFTER, SNOOZE, SNOOZE, DEAD,  DISCARD, BAD_VERDICT };
    enum outcome outcome = all[pick(random, sizeof all / sizeof all[0])];
    return outcome == SNOOZE && job->books.snoozes >= SNOOZES_MOST ? DONE : outcome;
}

static warren_verdict give(warren_job *job, enum outcome outcome, int64_t asked_ms)
{
    switch (outcome) {
    case RETRY:
        return warren_retry(job, "as the script says");
    case RETRY_AFTER:
        return warren_retry_after(job, asked_ms, "not before %lld ms", (long long)asked_ms);
    case SNOOZE:
        return warren_snooze(job, asked_ms);
    case DEAD:
        return warren_dead(job, "as the script says");
    case DISCARD:
        return warren_discard(job, "as the script says");
    case BAD_VERDICT:
        return (warren_verdict)77;
    case IN_HAND:
    case DONE:
        break;
    }
    return WARREN_DONE;
}

static warren_verdict follow_script(struct slot *slot, struct run *run, warren_job *job)
{
    struct world *world = slot->world;
    const struct state *state = &run->copy->states[run->state];
    uint64_t random = mix(run->copy->hash, (uint64_t)(state->attempt * 1000 + state->snoozes * 50) +
                                               (uint64_t)state->runs);
    int own = run->copy->depth < CHILDREN_DEEP && pick(&random, 5) == 0 ? 1 + pick(&random, 2) : 0;
    int steps = pick(&random, 3) == 0 ? 1 + pick(&random, 4) : 0;
    for (int i = 0; i < own; i++) {
        publish_own(slot, run, job, draw(&random));
    }
    for (int i = 0; i < steps && slot_moves(slot); i++) {
        world_step(world);
    }
    if (slot->mode == SLOT_CRASHED) {
        return WARREN_DONE; /* nobody hears of it */
    }
    int64_t asked_ms = pick(&random, 2500);
    enum outcome outcome = pick_outcome(&random, job);
    ledger_verdict(&world->ledger, run, outcome, asked_ms);
    return give(job, outcome, asked_ms);
}

warren_verdict handler_run(warren_job *job, void *user)
{
    struct slot *slot = user;
    struct run *run = ledger_run(&slot->world->ledger, slot->number, job);
    if (!run) {
        return WARREN_DONE;
    }
    int type = run->copy->type;
    enter(slot, type);
    warren_verdict verdict = follow_script(slot, run, job);
    leave(slot, type);
    return verdict;
}
