// SPDX-License-Identifier: MIT
// DESIGN: rows about jobs that run more than once by rights: those that fail always, those that are
// replayed from the dead queue, and those that were published twice.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "book_inside.h"
#include "letters.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, AT_ONCE = 4 };

enum {
    LATE_MOST_US = 5000000
}; /* a busy machine; that the waits grow is told by the early bound */

struct ladder {
    int64_t first_ms;
    int attempts;
};

static void expect_backoff(struct field *field, const struct entry *entry,
                           const struct ladder *ladder)
{
    int64_t wanted_us = ladder->first_ms * 1000;
    int attempt = 0;
    for (const struct run *run = entry->first; run; run = run->next) {
        attempt++;
        field_expect(field, run->attempt == attempt, "%s: attempt %d comes as number %d", entry->id,
                     run->attempt, attempt);
        int64_t gap_us = run->next ? run->next->began_us - run->ended_us : 0;
        field_expect(field, !run->next || gap_us + BOOK_TICK_US > wanted_us,
                     "%s: attempt %d came after %" PRId64 " us, early", entry->id, attempt + 1,
                     gap_us);
        field_expect(field, !run->next || gap_us <= wanted_us + LATE_MOST_US,
                     "%s: attempt %d came after %" PRId64 " us, late", entry->id, attempt + 1,
                     gap_us);
        wanted_us *= 2;
    }
    field_expect(field, attempt == ladder->attempts, "%s ran %d times, not %d", entry->id, attempt,
                 ladder->attempts);
}

static void expect_backoffs(struct field *field, const struct ladder *ladder)
{
    for (size_t i = 0; i < field->book->slot_count; i++) {
        for (const struct entry *entry = field->book->slots[i]; entry; entry = entry->next) {
            if (entry->job.failed) {
                expect_backoff(field, entry, ladder);
            }
        }
    }
}

static void judge_history(struct field *field, const warren_dead_letter *letter, const void *wanted)
{
    letters_judge_plain(field, letter, wanted);
    for (size_t i = 0; i < letter->error_count; i++) {
        char text[48];
        const warren_dead_error *error = &letter->errors[i];
        (void)snprintf(text, sizeof text, "attempt %zu fails", i + 1);
        field_expect(field, error->attempt == (int)i + 1 && strcmp(error->text, text) == 0,
                     "%s: error %zu is '%s' of attempt %d", letter->id, i + 1, error->text,
                     error->attempt);
        field_expect(field, !i || error->at_ms > letter->errors[i - 1].at_ms,
                     "%s: error %zu is older than the one before", letter->id, i + 1);
    }
}

static void poison_jobs(struct field *field)
{
    enum { ODD_EVERY = 20 };
    const struct ladder ladder = { .first_ms = 250, .attempts = 4 };
    const char *config = field_config(
        field, &(struct field_config){
                   .queue = "prefetch = 20; retry: { attempts = 4; backoff = \"exponential\"; "
                            "first = \"250ms\"; factor = 2.0; jitter = 0.0; };"
                            "jobs: ( { type = \"work\"; concurrency = 4; } );" });
    struct field_process *worker =
        letters_worker(field, &(struct field_worker){ .config = config });
    (void)field_source(field, &(struct field_source){ .odd_body = "{\"do\":\"fail\"}",
                                                      .odd_every = ODD_EVERY,
                                                      .rate = 500 });
    int poison = field->jobs / ODD_EVERY;
    (void)letters_wait(field, poison, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    struct letters_wanted wanted = { "failed", "attempt 4 fails", 4, 4 };
    (void)letters_read(field, config, judge_history, &wanted);
    expect_backoffs(field, &ladder);
    letters_expect_calm(field, worker, field->jobs + poison * (ladder.attempts - 1));
    field_check(field,
                &(struct field_bounds){
                    .dead = poison,
                    .dead_reason = "failed",
                    .limits = { .at_once = AT_ONCE, .attempts = 4, .retry_least_us = 250000 } });
}

static void judge_replays(struct field *field, const warren_dead_letter *letter, const void *wanted)
{
    field_expect(field, letter->replays == *(const int *)wanted, "%s was replayed %d times, not %d",
                 letter->id, letter->replays, *(const int *)wanted);
}

/* 375 ms are two levels of the ladder, 875 ms three, so each level sees the job again and again. */
static void replayed_jobs(struct field *field)
{
    enum { ROUNDS = 3, ATTEMPTS = 3 };
    const char *config = field_config(
        field,
        &(struct field_config){
            .queue = "prefetch = 20; retry: { attempts = 3; delays = [\"375ms\", \"875ms\"]; "
                     "jitter = 0.0; }; jobs: ( { type = \"work\"; concurrency = 4; } );" });
    struct field_worker failing = { .config = config, .behave = "{\"do\":\"fail\"}" };
    struct field_process *worker = letters_worker(field, &failing);
    (void)field_source(field, &(struct field_source){ .body = "as the worker does" });
    for (int round = 0; round < ROUNDS; round++) {
        if (!letters_wait(field, field->jobs, READY_MS)) {
            return;
        }
        (void)letters_read(field, config, judge_replays, &round);
        if (round == ROUNDS - 1) {
            field_signal(worker, SIGTERM);
            field_expect_exit(field, worker, 0, 5000);
            (void)letters_worker(field, &(struct field_worker){ .config = config });
        }
        letters_replay(field, config, (size_t)field->jobs);
    }
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    field_expect(field,
                 book_count(field->book, BOOK_FAILED) == (uint64_t)field->jobs * ROUNDS * ATTEMPTS,
                 "%" PRIu64 " failures, not %d", book_count(field->book, BOOK_FAILED),
                 field->jobs * ROUNDS * ATTEMPTS);
    field_note(field, "rounds=%d failures=%" PRIu64, ROUNDS, book_count(field->book, BOOK_FAILED));
    field_check(field,
                &(struct field_bounds){ .limits = { .at_once = AT_ONCE, .attempts = ATTEMPTS } });
}

static void twins(struct field *field)
{
    static const char *const same[] = { "FAULT_PREFIX=twin", NULL };
    const char *config = field_config(field, NULL);
    struct field_process *worker = letters_worker(
        field, &(struct field_worker){ .config = config, .behave = "{\"do\":\"sleep\",\"ms\":5}" });
    struct field_source jobs = { .body = "as the worker does", .environment = same };
    uint64_t each = (uint64_t)field->jobs;
    (void)field_source(field, &jobs);
    (void)field_source(field, &jobs); /* at the same time */
    (void)field_wait_count(field, BOOK_STARTED, 2 * each, READY_MS);
    (void)field_wait_gauge(field, worker, "done", 2 * (int64_t)each, 2 * (int64_t)each, READY_MS);
    (void)field_source(field, &jobs); /* all are done */
    (void)field_wait_count(field, BOOK_STARTED, 3 * each, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    letters_expect_calm(field, worker, 3 * field->jobs);
    field_check(field, &(struct field_bounds){ .duplicates_least = 2 * field->jobs,
                                               .duplicates_most = 2 * field->jobs,
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

const struct row rows_again[] = {
    ROW(49, ROW_SHORT, 500, 10, poison_jobs,
        "jobs that fail always: all attempts, growing backoff, dead with their history, never "
        "early"),
    ROW(50, ROW_PLAIN, 50, 20, replayed_jobs,
        "dead letters are replayed, fail and go through several levels again: none is dropped"),
    ROW(51, ROW_SHORT, 300, 10, twins,
        "the same id twice at once and again after success: each runs, and is counted"),
    ROWS_END,
};
