// SPDX-License-Identifier: MIT
// DESIGN: the ledger's own entries: who published what, who ran what, and what is left at the end.
// What the broker sees is held against them in ledger_watch.c.
#include "ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chronicle.h"
#include "ledger_watch.h"

static const char *const outcomes[] = { "crashed", "done", "retry",   "retry_after",
                                        "snooze",  "dead", "discard", "bad verdict" };

void ledger_begin(struct ledger *ledger, const struct wr_clock *clock)
{
    ledger->clock = clock;
    ledger->copy_count = 0;
    ledger->run_count = 0;
    memset(ledger->workers, 0, sizeof ledger->workers);
    ledger->has_faults = false;
    ledger->failure[0] = '\0';
}

void ledger_fail(struct ledger *ledger, const char *format, ...)
{
    if (ledger->failure[0]) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ledger->failure, sizeof ledger->failure, format, args);
    va_end(args);
    chronicle_note("*** %s", ledger->failure);
}

struct copy *ledger_publish(struct ledger *ledger, const struct copy *plan, const struct copy *twin)
{
    if (ledger->copy_count == LEDGER_COPIES) {
        return NULL;
    }
    struct copy *copy = &ledger->copies[ledger->copy_count];
    *copy = *plan;
    copy->number = ledger->copy_count++;
    copy->sender_ends = ledger->workers[copy->sender].ends;
    if (twin) {
        (void)snprintf(copy->id, sizeof copy->id, "%s", twin->id);
    } else {
        (void)snprintf(copy->id, sizeof copy->id, "id-%d", copy->number);
    }
    chronicle_note("publish copy=%d id=%s type=%s sender=%d delay=%lld attempts=%d backoff=%d "
                   "expires=%lld",
                   copy->number, copy->id, scene_type(copy->type)->name, copy->sender,
                   (long long)copy->delay_ms, copy->own_attempts, copy->own_backoff,
                   (long long)copy->expires_ms);
    return copy;
}

void ledger_answer(struct ledger *ledger, struct copy *copy, warren_status status)
{
    bool has_no_queue = copy->type == SCENE_NOBODY && !copy->delay_ms;
    chronicle_note("answer copy=%d status=%d", copy->number, status);
    copy->answers++;
    copy->status = status;
    if (copy->answers > 1) {
        ledger_fail(ledger, "copy %d was answered twice", copy->number);
    } else if (status == WARREN_OK && !copy->taken) {
        ledger_fail(ledger, "copy %d is confirmed, but the broker has not taken it", copy->number);
    } else if (status == WARREN_UNROUTABLE && !has_no_queue) {
        ledger_fail(ledger, "copy %d came back unroutable, but its type has a queue", copy->number);
    } else if (status && status != WARREN_UNROUTABLE && !ledger->has_faults) {
        ledger_fail(ledger, "copy %d failed with %d, but nothing was broken", copy->number, status);
    }
}

/* --- runs --- */

static int64_t wall_ms(const struct ledger *ledger)
{
    return wr_clock_wall_ms(ledger->clock);
}

/* Whether the engine knows that the delivery's channel is gone. */
static bool is_stale(const struct ledger *ledger, const struct run *run)
{
    return ledger->workers[run->worker].sources[run->channel - 1].epoch != run->generation;
}

/* What is wrong with a run that begins now; NULL: nothing. */
static const char *fault_of(const struct ledger *ledger, const struct run *run,
                            const struct warren_job *job)
{
    const struct copy *copy = run->copy;
    const struct state *state = &copy->states[run->state];
    struct scene_policy policy = scene_policy(copy->type, copy->own_attempts, copy->own_backoff);
    if (!state->taken) {
        return "the broker never took this attempt of it";
    }
    if (state->runs > state->taken + state->returned) {
        return "it runs more often than it was given out";
    }
    if (state->attempt + 1 > policy.attempts) {
        return "its attempts were used up";
    }
    if (wr_clock_mono_us(ledger->clock) < state->due_us) {
        return "it is not due yet";
    }
    if (copy->expires_ms && wall_ms(ledger) > copy->expires_ms) {
        return "it has expired";
    }
    if (is_stale(ledger, run)) {
        return "its delivery was given back before";
    }
    if (!wr_slice_is(job->id, copy->id) || scene_type_of(job->settings->type) != copy->type) {
        return "it has another id or type";
    }
    return NULL;
}

static bool is_same_delivery(const struct run *a, const struct run *b)
{
    return a->worker == b->worker && a->generation == b->generation && a->channel == b->channel &&
           a->tag == b->tag;
}

static void check_run(struct ledger *ledger, const struct run *run, const struct warren_job *job)
{
    const struct copy *copy = run->copy;
    const char *fault = fault_of(ledger, run, job);
    if (fault) {
        ledger_fail(ledger, "copy %d runs (attempt %d, snoozes %d), but %s", copy->number,
                    copy->states[run->state].attempt + 1, copy->states[run->state].snoozes, fault);
    }
    for (const struct run *other = ledger->runs; other < run; other++) {
        if (is_same_delivery(other, run)) {
            ledger_fail(ledger, "copy %d runs twice for one delivery", copy->number);
        }
    }
}

struct run *ledger_run(struct ledger *ledger, int worker, struct warren_job *job)
{
    int64_t number = -1;
    (void)warren_job_header_int(job, "copy", &number);
    if (number < 0 || number >= ledger->copy_count || ledger->run_count == LEDGER_RUNS) {
        ledger_fail(ledger, "a job runs that nobody published, or too many of them");
        return NULL;
    }
    struct copy *copy = &ledger->copies[number];
    const struct wr_source *source = job->source;
    struct run *run = &ledger->runs[ledger->run_count];
    *run = (struct run){ .copy = copy,
                         .worker = worker,
                         .generation = job->generation,
                         .channel = source->channel,
                         .tag = job->tag };
    run->state = ledger_state(ledger, copy, (int)job->books.attempt, (int)job->books.snoozes);
    copy->states[run->state].runs++;
    chronicle_note("run copy=%d worker=%d attempt=%d snoozes=%d tag=%llu redelivered=%d",
                   copy->number, worker, warren_job_attempt(job), (int)job->books.snoozes,
                   (unsigned long long)job->tag, job->redelivered);
    check_run(ledger, run, job);
    ledger->run_count++;
    return run;
}

void ledger_verdict(struct ledger *ledger, struct run *run, enum outcome outcome, int64_t asked_ms)
{
    run->outcome = outcome;
    run->asked_ms = asked_ms;
    run->ended_us = wr_clock_mono_us(ledger->clock);
    run->sender_ends = ledger->workers[run->worker].ends;
    run->is_stale = is_stale(ledger, run);
    chronicle_note("verdict copy=%d worker=%d %s %lld", run->copy->number, run->worker,
                   outcomes[outcome], (long long)asked_ms);
}

/* --- the end --- */

/* How many letters of each copy stand in a queue. */
static void count_letters(struct wr_memory *server, const char *queue, int *counts)
{
    struct wr_delivery *letter;
    for (size_t i = 0; (letter = wr_memory_peek(server, queue, i)) != NULL; i++) {
        int number = ledger_copy_number(&letter->message);
        if (number >= 0) {
            counts[number]++;
        }
        wr_delivery_free(letter);
    }
}

/* Runs of a copy that never was two: attempts, what was cut off, and snoozes. */
static void check_runs(struct ledger *ledger, const struct copy *copy)
{
    struct scene_policy policy = scene_policy(copy->type, copy->own_attempts, copy->own_backoff);
    int runs = 0;
    int allowed = policy.attempts;
    bool is_one = true;
    for (int i = 0; i < copy->state_count; i++) {
        const struct state *state = &copy->states[i];
        runs += state->runs;
        allowed += state->returned;
        allowed += state->snoozes ? 1 : 0; /* each snooze is a state of its own */
        is_one = is_one && state->taken <= 1;
    }
    if (is_one && runs > allowed) {
        ledger_fail(ledger, "copy %d ran %d times, at most %d are allowed", copy->number, runs,
                    allowed);
    }
}

static void check_copy(struct ledger *ledger, const struct copy *copy, int dead, int unrouted)
{
    int expected_answers = copy->is_own ? 0 : 1;
    if (copy->answers != expected_answers) {
        ledger_fail(ledger, "copy %d got %d answers", copy->number, copy->answers);
    }
    if (copy->taken && copy->ends + dead + unrouted == 0) {
        ledger_fail(ledger, "copy %d is lost: the broker took it, and it never ended",
                    copy->number);
    }
    if (dead != copy->dead) {
        ledger_fail(ledger, "copy %d has %d dead letters, %d were sent", copy->number, dead,
                    copy->dead);
    }
    if (unrouted != (copy->type == SCENE_NOBODY ? copy->taken : 0)) {
        ledger_fail(ledger, "copy %d is %d times in the catch-all", copy->number, unrouted);
    }
    if (!ledger->has_faults && copy->ends + dead + unrouted > 1) {
        ledger_fail(ledger, "copy %d ended %d times, but nothing was broken", copy->number,
                    copy->ends + dead + unrouted);
    }
    check_runs(ledger, copy);
}

void ledger_close(struct ledger *ledger, struct wr_memory *server)
{
    int dead[LEDGER_COPIES] = { 0 };
    int unrouted[LEDGER_COPIES] = { 0 };
    count_letters(server, "mail.dead", dead);
    count_letters(server, "rest.dead", dead);
    count_letters(server, "warren.unrouted", unrouted);
    for (int i = 0; i < ledger->copy_count; i++) {
        check_copy(ledger, &ledger->copies[i], dead[i], unrouted[i]);
    }
}
