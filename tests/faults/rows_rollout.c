// SPDX-License-Identifier: MIT
// DESIGN: rows about what an orchestrator does to workers day by day: a rollout replaces each of them,
// a scale-down ends some at once. None of it may cost a job an attempt. What is charged shows in three
// places: the attempt that a handler is told, dead letters, and the lines of a worker that reads what a
// dead one has left behind.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "book_inside.h"
#include "rows.h"

enum { WORKERS = 4, ROUNDS = 30, AT_ONCE = 8, ODD_EVERY = 50 };
enum { DRAIN_MS = 60000, READY_MS = 30000, END_MS = 10000 };

/* Prefetch is larger than what runs, so that each drain has something to give back. */
static const char queue_text[] =
    "prefetch = 40; retry: { attempts = 3; backoff = \"fixed\"; first = \"250ms\"; jitter = 0.0; };"
    "jobs: ( { type = \"work\"; concurrency = 8; } );";

/* A short ladder, since each worker declares it. */
#define MAIN(drain) "drain_timeout = \"" drain "\"; delay: { max = \"1s\"; };"

/* --- what is looked at ---------------------------------------------------------------------------- */

struct charges {
    uint64_t retried;  /* jobs that failed once, by their own word */
    uint64_t innocent; /* jobs that were charged with what they didn't do */
    int returns_most;  /* times that one job was given back */
    char example[96];
};

static void look_at(const struct book_job *job, void *user)
{
    struct charges *charges = user;
    charges->retried += job->failed > 0;
    if (job->returns_most > charges->returns_most) {
        charges->returns_most = job->returns_most;
    }
    if (job->attempt_most > job->failed + 1) {
        charges->innocent++;
        (void)snprintf(charges->example, sizeof charges->example, "%.80s", job->id);
    }
}

/* `failing` jobs said once that they fail, and nobody else was charged with an attempt. */
static void expect_attempts(struct field *field, uint64_t failing)
{
    struct charges charges = { .retried = 0 };
    book_each(field->book, look_at, &charges);
    field_expect(field, !charges.innocent, "%" PRIu64 " jobs were charged for nothing: %s",
                 charges.innocent, charges.example);
    field_expect(field, charges.retried == failing, "%" PRIu64 " jobs failed once, not %" PRIu64,
                 charges.retried, failing);
    field_note(field, "retried=%" PRIu64 " returns_most=%d", charges.retried, charges.returns_most);
}

static int count_logged(struct field_process *const *workers, const char *text)
{
    int count = 0;
    for (int i = 0; i < WORKERS; i++) {
        count += field_log_count(workers[i], text);
    }
    return count;
}

static void start_workers(struct field *field, const struct field_worker *how,
                          struct field_process **workers)
{
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = field_worker(field, how);
    }
    for (int i = 0; i < WORKERS; i++) {
        (void)field_wait_log(field, workers[i], "worker.start", 1, READY_MS);
    }
}

/* --- a rollout ------------------------------------------------------------------------------------ */

struct rollout {
    int64_t end_most_ms; /* from SIGTERM to the end of the process */
    int64_t given_back;
};

/* While it starts the next one may end already: at most two of four are away. */
static void replace(struct field *field, struct field_process *worker, struct rollout *rollout)
{
    (void)field_wait_log(field, worker, "worker.start", worker->restarts + 1, READY_MS);
    field_signal(worker, SIGTERM);
    field_expect_exit(field, worker, 0, END_MS);
    int64_t end_ms = field_end_ms(worker);
    int64_t given_back = field_gauge(worker, "given_back");
    rollout->end_most_ms = end_ms > rollout->end_most_ms ? end_ms : rollout->end_most_ms;
    rollout->given_back += given_back > 0 ? given_back : 0;
    field_worker_again(worker);
}

/* Each round has jobs of its own, so that it has load however fast the machine is. */
static void replace_all(struct field *field, const struct field_source *jobs,
                        struct field_process *const *workers, struct rollout *rollout)
{
    (void)field_source(field, jobs);
    for (int i = 0; i < WORKERS; i++) {
        replace(field, workers[i], rollout);
    }
}

static void rolling_restart(struct field *field)
{
    struct field_process *workers[WORKERS];
    struct rollout rollout = { .given_back = 0 };
    struct field_config config = { .queue = queue_text, .main = MAIN("10s") };
    struct field_worker how = { .config = field_config(field, &config),
                                .behave = "{\"do\":\"sleep\",\"ms\":10}" };
    struct field_source jobs = { .body = "as the worker does",
                                 .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                 .odd_every = ODD_EVERY,
                                 .count = field->jobs / ROUNDS };
    start_workers(field, &how, workers);
    int64_t began_us = field_now_us();
    uint64_t failing = 0;
    for (int i = 0; i < ROUNDS; i++) {
        jobs.count = i + 1 < ROUNDS ? jobs.count : field->jobs - i * jobs.count;
        failing += (uint64_t)(jobs.count / ODD_EVERY);
        replace_all(field, &jobs, workers, &rollout);
    }
    for (int i = 0; i < WORKERS;
         i++) { /* or the drain's SIGTERM would meet one that is no worker yet */
        (void)field_wait_log(field, workers[i], "worker.start", ROUNDS + 1, READY_MS);
    }
    int64_t took_ms = (field_now_us() - began_us) / 1000;
    (void)field_drain(field, DRAIN_MS);
    int64_t charged =
        count_logged(workers, "run.crashed") + count_logged(workers, "run.interrupted");
    field_expect(field, !charged, "%" PRId64 " runs were taken for cut off", charged);
    field_expect(field, rollout.given_back > 0, "no drain had anything to give back");
    field_note(field, "replaced=%d in_ms=%" PRId64 " end_most_ms=%" PRId64 " given_back=%" PRId64,
               ROUNDS * WORKERS, took_ms, rollout.end_most_ms, rollout.given_back);
    expect_attempts(field, failing);
    field_check(field,
                &(struct field_bounds){
                    .limits = { .at_once = AT_ONCE, .attempts = 2, .retry_least_us = 250000 } });
}

/* --- a scale-down --------------------------------------------------------------------------------- */

struct search {
    struct field *field;
    struct field_process *const *workers;
    const char *id;
    int found; /* index of the worker that runs it; -1: none */
};

static bool is_running(void *user)
{
    struct search *search = user;
    field_read(search->field);
    const struct entry *entry = book_entry(search->field->book, search->id);
    for (int i = 0; entry && entry->last && i < WORKERS; i++) {
        search->found = entry->last->pid == search->workers[i]->pid ? i : search->found;
    }
    return search->found >= 0;
}

/* Who is killed runs this one, and only the first time. */
static const char long_job[] = "{\"do\":\"sleep\",\"ms\":60000,\"fresh\":1}";

static int start_long_job(struct field *field, struct field_process *const *workers, char id[64])
{
    struct field_process *source =
        field_source(field, &(struct field_source){ .body = long_job, .count = 1 });
    (void)snprintf(id, 64, "%s", field_job_id(field, source, 0));
    struct search search = { field, workers, id, -1 };
    (void)field_wait(field, is_running, &search, READY_MS);
    field_expect(field, search.found >= 0, "the long job never began");
    return search.found < 0 ? 0 : search.found;
}

static void scale_down(struct field *field)
{
    enum { GRACE_MS = 2000, FEW = 3 };
    char id[64];
    struct field_process *workers[WORKERS];
    struct field_config config = { .queue = queue_text, .main = MAIN("60s") };
    struct field_worker how = { .config = field_config(field, &config),
                                .behave = "{\"do\":\"sleep\",\"ms\":10}" };
    start_workers(field, &how, workers);
    int victim = start_long_job(field, workers, id);
    (void)field_source(field, &(struct field_source){ .body = "as the worker does",
                                                      .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                                      .odd_every = ODD_EVERY,
                                                      .window = 500 });
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs / 10, READY_MS);
    for (int i = 0; i < FEW; i++) {
        field_signal(workers[(victim + i) % WORKERS], SIGTERM);
    }
    for (int i = 1; i < FEW; i++) {
        field_expect_exit(field, workers[(victim + i) % WORKERS], 0, END_MS);
    }
    int64_t left_ms = GRACE_MS - (field_now_us() - workers[victim]->signalled_us) / 1000;
    field_pass(field, left_ms > 0 ? (int)left_ms : 0);
    field_expect(field, workers[victim]->pid, "the worker with the long job left it");
    field_signal(workers[victim], SIGKILL);
    field_expect_exit(field, workers[victim], 128 + SIGKILL, 2000);
    (void)field_drain(field, DRAIN_MS);
    int charged = count_logged(workers, "run.interrupted");
    field_expect(field, charged == 1 && count_logged(workers, id) >= 1,
                 "%d runs count as cut off, not just that of %s", charged, id);
    field_expect(field, !count_logged(workers, "run.crashed"), "a kill in a drain is no crash");
    expect_attempts(field, (uint64_t)(field->jobs / ODD_EVERY));
    field_check(field,
                &(struct field_bounds){
                    .duplicates_most = AT_ONCE - 1, /* done, and their acks with the killed one */
                    .limits = { .at_once = AT_ONCE, .attempts = 2, .retry_least_us = 250000 } });
}

const struct row rows_rollout[] = {
    ROW(60, ROW_SHORT | ROW_DEPLOY, 50000, 35, rolling_restart,
        "4 workers are replaced one after another, 30 times, under load: no job pays for it"),
    ROW(78, ROW_SHORT | ROW_DEPLOY, 5000, 15, scale_down,
        "3 of 4 workers end at once under load, one is killed when its grace has passed: only what "
        "it ran is cut off"),
    ROWS_END,
};
