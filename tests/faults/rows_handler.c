// SPDX-License-Identifier: MIT
// DESIGN: rows about handlers that misbehave. They run in the worker's own process, so a crash takes the
// worker along; a supervisor (restarts_most) starts it again, and the ledger in state_dir tells which
// job did it. The others in that process are done by it or by the next.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "field_inside.h"

enum {
    DRAIN_MS = 90000,
    READY_MS = 30000,
    AT_ONCE = 4,
    PREFETCH = 20,
    CRASHES_MOST = 3,
    RESTARTS_MOST = 60,
    HARMED_MS = 3000,
    SINGLE_ROUNDS = 6,
    MALLOCS_A_ROUND = 1500,
    MEMORY_MS = 700,
};

#define CRASHING_QUEUE                                                                             \
    "prefetch = 20; max_crashes = 3; retry: { attempts = 3; backoff = \"fixed\"; first = \"1s\"; " \
    "jitter = 0.0; }; jobs: ( { type = \"work\"; concurrency = 4; } );"

#define FAILING "FAULT_BEHAVE_fail={\"do\":\"fail\",\"times\":1}"
#define PUBLISHING "FAULT_BEHAVE_publish={\"do\":\"publish\",\"type\":\"work\",\"body\":\"x\"}"

static const char neighbour[] = "{\"do\":\"sleep\",\"ms\":5}";

static int64_t of_crashes(const struct field_process *worker)
{
    return (int64_t)worker->restarts * (PREFETCH + AT_ONCE);
}

static struct field_process *ready_worker(struct field *field, const struct field_worker *how)
{
    struct field_process *worker = field_worker(field, how);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    return worker;
}

/* --- a handler that never returns ----------------------------------------------------------------- */

static void hang(struct field *field)
{
    const char *config = field_config(
        field, &(struct field_config){
                   .main = "drain_timeout = \"2s\";",
                   .queue = "prefetch = 20; jobs: ( { type = \"work\"; concurrency = 4; },"
                            "{ type = \"hang\"; concurrency = 2; timeout = \"1s\"; } );" });
    struct field_worker how = { .config = config, .types = "work,hang" };
    struct field_process *worker = ready_worker(field, &how);
    (void)field_source(field, &(struct field_source){ .type = "hang",
                                                      .body = "{\"do\":\"hang\",\"fresh\":true}",
                                                      .count = 2 });
    (void)field_wait_gauge(field, worker, "overruns", 2, 2, READY_MS);
    (void)field_source(field, NULL);
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs, READY_MS);
    (void)field_expect(field, field_gauge(worker, "running") == 2, "a hanging handler was ended");
    field_signal(worker, SIGTERM);
    field_expect_exit(field, worker, 0, 2000 + 2000);
    field_note(field, "end_ms=%lld", (long long)field_end_ms(worker));
    (void)field_worker(field, &how);
    (void)field_drain(field, DRAIN_MS);
    field_check(
        field, &(struct field_bounds){ .limits = { .type = "work", .at_once = 4, .attempts = 1 } });
}

/* --- handlers that take the worker along ---------------------------------------------------------- */

/* Waits until the job is done. */
struct wanted_done {
    struct field *field;
    char id[64];
};

/* Waits until the job stands in the dead queue. */
struct wanted_dead {
    struct field *field;
    uint64_t least;
    int64_t looked_us;
};

static bool is_dead(void *user)
{
    struct wanted_dead *wanted = user;
    if (field_now_us() - wanted->looked_us < 200000) {
        return false;
    }
    wanted->looked_us = field_now_us();
    return field_depth(wanted->field, "work.dead") >= (int64_t)wanted->least;
}

/* Publishes one such job among its neighbours; it must end in the dead queue after just so many
 * crashes. */
static void poison(struct field *field, const char *body, uint64_t number)
{
    struct book_job job = { 0 };
    struct wanted_dead wanted = { .field = field, .least = number };
    (void)field_source(field, &(struct field_source){ .body = neighbour, .window = 20 });
    struct field_process *source =
        field_source(field, &(struct field_source){ .body = body, .count = 1 });
    bool has_died = field_wait(field, is_dead, &wanted, DRAIN_MS);
    (void)field_expect(field, has_died, "not dead: %s", body);
    field_read(field);
    (void)book_find(field->book, field_job_id(field, source, 0), &job);
    (void)field_expect(field, job.started == CRASHES_MOST, "%s ran %d times, not %d", body,
                       job.started, CRASHES_MOST);
}

/* `before`: what other workers may have run twice already. */
static void crash_by(struct field *field, const char *const bodies[],
                     const char *const *environment, int64_t before)
{
    const char *config = field_config(field, &(struct field_config){ .queue = CRASHING_QUEUE });
    struct field_worker how = { .config = config,
                                .restarts_most = RESTARTS_MOST,
                                .environment = environment };
    struct field_process *worker = ready_worker(field, &how);
    int64_t count = 0;
    for (; bodies[count]; count++) {
        poison(field, bodies[count], (uint64_t)count + 1);
    }
    (void)field_drain(field, DRAIN_MS);
    (void)field_expect(field, worker->restarts == count * CRASHES_MOST, "%d restarts, not %lld",
                       worker->restarts, (long long)count * CRASHES_MOST);
    field_note(field, "restarts=%d", worker->restarts);
    field_check(field, &(struct field_bounds){ .dead = count,
                                               .dead_reason = "crash_loop",
                                               .duplicates_most = before + of_crashes(worker),
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

static void crash(struct field *field)
{
    static const char *const bodies[] = { "{\"do\":\"segfault\",\"before_ms\":20}",
                                          "{\"do\":\"abort\",\"before_ms\":20}",
                                          "{\"do\":\"overflow\",\"before_ms\":20}", NULL };
    crash_by(field, bodies, NULL, 0);
}

static void leak(struct field *field)
{
    static const char *const bodies[] = { "{\"do\":\"leak\",\"ms\":1}", NULL };
    static const char *const environment[] = { "FAULT_AS_MIB=800", NULL };
    crash_by(field, bodies, environment, 0);
}

static bool has_done(void *user)
{
    const struct wanted_done *wanted = user;
    struct book_job job = { 0 };
    field_read(wanted->field);
    return book_find(wanted->field->book, wanted->id, &job) && job.done;
}

/* One job like that among its neighbours; waits until it has done its harm. */
static void do_harm(struct field *field, const char *body)
{
    (void)field_source(field, &(struct field_source){ .body = neighbour, .window = 20 });
    struct field_process *source =
        field_source(field, &(struct field_source){ .body = body, .count = 1 });
    struct wanted_done wanted = { .field = field };
    (void)snprintf(wanted.id, sizeof wanted.id, "%s", field_job_id(field, source, 0));
    bool is_done = field_wait(field, has_done, &wanted, READY_MS);
    (void)field_expect(field, is_done, "not done: %s", body);
}

/* What closes the library's own fds leaves a worker that is of no use and may not even hear a
 * SIGTERM: it is for a probe to see that it isn't ready, and to kill it. Nothing is lost by it. */
static void change_the_process(struct field *field)
{
    static const char *const leaving[] = { "{\"do\":\"exit\",\"code\":3,\"before_ms\":20}", NULL };
    struct field_process *worker = ready_worker(field, NULL);
    do_harm(field, "{\"do\":\"rude\"}");
    (void)field_expect(field, field_gauge(worker, "connections") == 1, "not rude, but harmful");
    do_harm(field, "{\"do\":\"closefds\",\"fresh\":true}");
    field_pass(field, HARMED_MS);
    field_note(field, "connections=%lld", (long long)field_gauge(worker, "connections"));
    int64_t again = (field_gauge(worker, "connections") + 1) * (PREFETCH + AT_ONCE);
    field_signal(worker, SIGKILL);
    field_expect_exit(field, worker, 128 + SIGKILL, 2000);
    crash_by(field, leaving, NULL, again);
}

/* --- memory that is refused ----------------------------------------------------------------------- */

/* One round: what fails, and whether bodies are JSON, in whose parser a refusal is a crash
 * (json-c 0.16), so that only there the worker may end by one. */
struct refusal {
    const char *config;
    const char *which; /* the n-th malloc, or each n-th (%n) */
    const char *body;
    bool may_crash;
};

static void publish_three_types(struct field *field, const char *body)
{
    static const char *const types[] = { "work", "fail", "publish" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct field_source jobs = { .type = types[i],
                                     .body = body,
                                     .count = i ? field->jobs / 4 : field->jobs };
        field_expect_exit(field, field_source(field, &jobs), 0, READY_MS);
    }
}

/* A worker whose malloc fails, counted from its readiness on. It may lose its connection, give jobs
 * back, or end. */
static void refuse_memory(struct field *field, const struct refusal *refusal)
{
    char *after = field_print("%s/after", field->folder);
    char *preload = field_print("LD_PRELOAD=%s", FAULT_SHIM);
    char *shim = field_print("WARREN_SHIM=malloc:%s", refusal->which);
    char *from = field_print("WARREN_SHIM_AFTER=%s", after);
    const char *const environment[] = { preload, shim, from, FAILING, PUBLISHING, NULL };
    struct field_worker how = { .config = refusal->config,
                                .types = "work,fail,publish",
                                .environment = environment };
    (void)unlink(after);
    struct field_process *worker = ready_worker(field, &how);
    (void)close(open(after, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    publish_three_types(field, refusal->body);
    field_pass(field, MEMORY_MS);
    if (worker->pid) {
        field_signal(worker, SIGTERM);
    }
    int code = field_wait_exit(field, worker, READY_MS);
    (void)field_expect(field, code >= 0 && (code < 128 || refusal->may_crash),
                       "%s with malloc:%s ends with %d", worker->name, refusal->which, code);
    free(after);
    free(preload);
    free(shim);
    free(from);
}

static void refuse_some_memory(struct field *field, struct refusal *refusal)
{
    for (int round = 0; round < SINGLE_ROUNDS; round++) {
        char *which = field_print("%d", 1 + (int)field_random(field, MALLOCS_A_ROUND));
        refusal->which = which;
        refuse_memory(field, refusal);
        free(which);
    }
    refusal->which = "%53";
    refuse_memory(field, refusal);
}

static void failing_malloc(struct field *field)
{
    static const char *const environment[] = { FAILING, PUBLISHING, NULL };
    const char *config = field_config(
        field, &(struct field_config){
                   .main = "drain_timeout = \"2s\";",
                   .queue = "prefetch = 20; max_crashes = 1000; retry: { attempts = 8; backoff = "
                            "\"fixed\"; first = \"1s\"; jitter = 0.0; }; jobs: ("
                            "{ type = \"work\"; concurrency = 4; }, { type = \"fail\"; },"
                            "{ type = \"publish\"; } );" });
    struct refusal plain = { .config = config, .body = "as its type does" };
    struct refusal json = { .config = config, .body = "{\"as\":\"its type\"}", .may_crash = true };
    refuse_some_memory(field, &plain);
    refuse_some_memory(field, &json);
    (void)field_worker(field, &(struct field_worker){ .config = config,
                                                      .types = "work,fail,publish",
                                                      .environment = environment });
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .duplicates_most = (int64_t)2 * (SINGLE_ROUNDS + 1) *
                                                                  (PREFETCH + AT_ONCE),
                                               .limits = { .attempts = 8 } });
}

const struct row rows_handler[] = {

    ROW(39, ROW_PLAIN, 500, 15, hang,
        "handlers hang: seen as overruns, others go on, a drain leaves them to another worker"),
    ROW(40, ROW_PLAIN, 200, 60, crash,
        "handlers crash their worker: crash_loop after max_crashes, the neighbours finish"),
    ROW(41, ROW_PLAIN, 200, 40, leak, "a handler uses up the memory: the same"),
    ROW(42, ROW_PLAIN, 200, 40, change_the_process,
        "handlers change the process, close its fds, call exit: nothing is lost, no ack for exit"),
    ROW(43, ROW_ONCE, 60, 60, failing_malloc,
        "malloc fails at random calls: jobs run again or the worker ends, no crash, nothing lost"),
    ROWS_END,
};
