// SPDX-License-Identifier: MIT
// DESIGN: rows about processes that end: workers that are killed, told to end, or stopped for a while.
// What a worker's death may run twice is what it had been given: its prefetch, and what its handlers
// had finished without an ack.
#include <signal.h>

#include "proxy.h"
#include "rows.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, AT_ONCE = 4, PREFETCH = 20 };

/* What `count` lost connections of one worker may run twice. */
static int64_t of_lost_connections(int count)
{
    return (int64_t)count * (PREFETCH + AT_ONCE);
}

/* A worker for the given configuration, which has its queues. */
static struct field_process *ready_worker(struct field *field, const struct field_worker *how)
{
    struct field_process *worker = field_worker(field, how);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    return worker;
}

static void kill_worker_mid_job(struct field *field)
{
    struct field_worker how = { .behave = "{\"do\":\"sleep\",\"ms\":2}" };
    struct field_source jobs = { .body = "as the worker does", .rate = 2000 };
    struct field_process *victim = ready_worker(field, &how);
    (void)field_worker(field, &how);
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_STARTED, (uint64_t)field->jobs / 4, READY_MS);
    field_signal(victim, SIGKILL);
    field_expect_exit(field, victim, 128 + SIGKILL, 2000);
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .duplicates_most = of_lost_connections(1),
                                               .limits = { .at_once = AT_ONCE } });
}

/* One job after the other, so that the job of the crash is the only one that can run twice. */
static const char *one_by_one(struct field *field)
{
    return field_config(field, &(struct field_config){
                                   .queue = "prefetch = 1; retry: { attempts = 3; backoff = "
                                            "\"fixed\"; first = \"1s\"; jitter = 0.0; };"
                                            "jobs: ( { type = \"work\"; concurrency = 1; } );" });
}

static void crash_once(struct field *field, const char *point, const char *odd_body)
{
    struct field_worker how = { .config = one_by_one(field),
                                .crash_at = point,
                                .restarts_most = 1 };
    struct field_source jobs = { .odd_body = odd_body, .odd_every = 20 };
    struct field_process *worker = ready_worker(field, &how);
    (void)field_source(field, &jobs);
    (void)field_drain(field, DRAIN_MS);
    field_expect(field, worker->restarts == 1, "the worker did not crash at %s", point);
    field_check(field, &(struct field_bounds){
                           .duplicates_most = 1,
                           .duplicates_least = 1,
                           .limits = { .at_once = 1, .attempts = 2, .retry_least_us = 1000000 } });
}

static void crash_between_confirm_and_ack(struct field *field)
{
    crash_once(field, "retry_confirmed:10", "{\"do\":\"fail\",\"times\":1}");
}

static void crash_before_ack(struct field *field)
{
    crash_once(field, "before_ack:500", NULL);
}

static void term_mid_job(struct field *field)
{
    const char *config =
        field_config(field, &(struct field_config){ .main = "drain_timeout = \"5s\";" });
    struct field_worker how = { .config = config, .behave = "{\"do\":\"sleep\",\"ms\":200}" };
    struct field_source jobs = { .body = "as the worker does" };
    struct field_process *worker = ready_worker(field, &how);
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_STARTED, 2 * AT_ONCE, READY_MS);
    field_signal(worker, SIGTERM);
    field_expect_exit(field, worker, 0, 7000);
    int64_t given_back = field_gauge(worker, "given_back");
    field_expect(field, given_back > 0, "nothing was given back unstarted");
    field_note(field, "end_ms=%lld given_back=%lld", (long long)field_end_ms(worker),
               (long long)given_back);
    (void)field_worker(field, &(struct field_worker){ .config = config });
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

static void term_beyond_the_grace(struct field *field)
{
    const char *config =
        field_config(field, &(struct field_config){ .main = "drain_timeout = \"2s\";" });
    struct field_worker slow = { .config = config, .behave = "{\"do\":\"sleep\",\"ms\":60000}" };
    struct field_source jobs = { .body = "as the worker does" };
    struct field_process *worker = ready_worker(field, &slow);
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_STARTED, AT_ONCE, READY_MS);
    field_signal(worker, SIGTERM);
    field_expect_exit(field, worker, 0, 4000);
    field_note(field, "end_ms=%lld", (long long)field_end_ms(worker));
    (void)field_worker(field, &(struct field_worker){ .config = config });
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

static void end_by_two(struct field *field, const char *config, int signal)
{
    struct field_worker slow = { .config = config, .behave = "{\"do\":\"sleep\",\"ms\":60000}" };
    uint64_t before = book_count(field->book, BOOK_STARTED);
    struct field_process *worker = ready_worker(field, &slow);
    (void)field_wait_count(field, BOOK_STARTED, before + 1, READY_MS);
    field_signal(worker, signal);
    field_pass(field, 100);
    field_signal(worker, signal);
    field_expect_exit(field, worker, 128 + signal, 1000);
    field_note(field, "end_ms=%lld", (long long)field_end_ms(worker));
}

static void two_signals(struct field *field)
{
    const char *config = field_config(field, NULL);
    (void)field_source(
        field, &(struct field_source){ .body = "as the worker does", .republish_ms = READY_MS });
    end_by_two(field, config, SIGTERM);
    end_by_two(field, config, SIGINT);
    (void)field_worker(field, &(struct field_worker){ .config = config });
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

static void term_without_a_broker(struct field *field)
{
    struct proxy *proxy = proxy_open(field_broker_port(field));
    const char *config = field_config(field, &(struct field_config){ .port = proxy_port(proxy) });
    const char *straight = field_config(field, NULL);
    struct field_worker how = { .config = config };
    struct field_process *worker = ready_worker(field, &how);
    (void)field_source(field, &(struct field_source){ .config = straight });
    (void)field_wait_count(field, BOOK_STARTED, 10, READY_MS);
    proxy_refuse(proxy, true);
    (void)proxy_reset(proxy, PROXY_ALL);
    (void)field_wait_log(field, worker, "connection.failed", 1, 5000);
    field_signal(worker, SIGTERM);
    field_expect_exit(field, worker, 0, 2000);
    field_note(field, "reconnecting_end_ms=%lld", (long long)field_end_ms(worker));
    struct field_process *early = field_worker(field, &how);
    (void)field_wait_log(field, early, "connect.failed", 1, READY_MS);
    field_signal(early, SIGTERM);
    field_expect_exit(field, early, 0, 2000);
    field_note(field, "connecting_end_ms=%lld", (long long)field_end_ms(early));
    (void)field_worker(field, &(struct field_worker){ .config = straight });
    (void)field_drain(field, DRAIN_MS);
    proxy_close(proxy);
    field_check(field, &(struct field_bounds){ .duplicates_most = of_lost_connections(1),
                                               .limits = { .at_once = AT_ONCE } });
}

static void stopped_for_a_while(struct field *field)
{
    const char *config =
        field_config(field, &(struct field_config){ .broker = "heartbeat = \"5s\";" });
    struct field_worker how = { .config = config, .behave = "{\"do\":\"sleep\",\"ms\":20}" };
    struct field_source jobs = { .body = "as the worker does", .republish_ms = 60000, .rate = 100 };
    struct field_process *worker = ready_worker(field, &how);
    (void)field_worker(field, &how);
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_STARTED, 50, READY_MS);
    field_signal(worker, SIGSTOP);
    field_pass(field, 20000);
    field_signal(worker, SIGCONT);
    (void)field_wait_gauge(field, worker, "connections", 2, 3, 15000);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, 15000);
    field_expect(field, field_gauge(worker, "stale") > 0, "no late settle was dropped");
    field_note(field, "stale=%lld", (long long)field_gauge(worker, "stale"));
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .duplicates_most = of_lost_connections(1),
                                               .limits = { .at_once = AT_ONCE } });
}

const struct row rows_process[] = {
    ROW(1, ROW_SHORT, 2000, 5, kill_worker_mid_job,
        "a worker is killed mid-job: another one runs what it had"),
    ROW(2, ROW_SHORT, 2000, 10, crash_between_confirm_and_ack,
        "a worker dies between the confirm of a retry and the ack: that job runs twice, none is "
        "lost"),
    ROW(3, ROW_SHORT, 2000, 10, crash_before_ack,
        "a worker dies after its handler and before the ack: that job runs twice"),
    ROW(5, ROW_SHORT, 100, 10, term_mid_job,
        "SIGTERM mid-job: running jobs end, the rest goes back, exit 0, nothing runs twice"),
    ROW(6, ROW_SHORT, 100, 10, term_beyond_the_grace,
        "SIGTERM and a handler beyond drain_timeout: its job is left to another worker, exit 0"),
    ROW(7, ROW_SHORT, 100, 10, two_signals,
        "a second SIGTERM or SIGINT ends the worker at once with 128 + n"),
    ROW(8, ROW_SHORT, 2000, 15, term_without_a_broker,
        "SIGTERM while it reconnects, and before the first connection: it ends promptly"),
    ROW(9, ROW_PLAIN, 3000, 50, stopped_for_a_while,
        "a worker is stopped until the broker drops it: late settles are dropped, it comes back"),
    ROWS_END,
};
