// SPDX-License-Identifier: MIT
// DESIGN: rows about the broker itself: restarted, killed, gone for a while, out of memory or disk, or
// tired of a slow consumer. Duplicates are bounded by what a lost connection leaves open: what a
// worker had been given runs again, a retry whose confirm got lost is published again, and so is a
// publish without an answer; and by what the ladder hands over while the broker goes down, since a
// level has up to 32 messages on their way to the next.
#include <signal.h>
#include <stdlib.h>

#include "field_inside.h"
#include "live.h"
#include "proxy.h"

enum {
    DRAIN_MS = 120000,
    READY_MS = 30000,
    AT_ONCE = 4,
    PREFETCH = 20,
    WINDOW = 60, /* of the source: what it publishes again by itself when its connection is lost */
    LEVEL_WINDOW = 32,
    LATE_MOST_US = 20 * 1000000, /* once the broker is up again, with the settings we ship */
};

static int64_t of_lost_connections(int count)
{
    return (int64_t)count * 2 * (PREFETCH + AT_ONCE);
}

static struct field_process *ready_worker(struct field *field, const struct field_worker *how)
{
    struct field_process *worker = field_worker(field, how);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    return worker;
}

/* --- restarts ------------------------------------------------------------------------------------- */

static void mid_batch(struct field *field, void (*harm)(struct field *field))
{
    struct field_worker how = { .behave = "{\"do\":\"sleep\",\"ms\":2}" };
    struct field_source jobs = { .body = "as the worker does",
                                 .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                 .odd_every = 10,
                                 .rate = 500,
                                 .window = WINDOW,
                                 .republish_ms = 90000 };
    struct field_process *worker = ready_worker(field, &how);
    struct field_process *other = ready_worker(field, &how);
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_STARTED, (uint64_t)field->jobs / 4, READY_MS);
    harm(field);
    (void)field_wait_gauge(field, worker, "connections", 2, 20, READY_MS);
    (void)field_wait_gauge(field, other, "connections", 2, 20, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    field_note(field, "connections=%lld", (long long)field_gauge(worker, "connections"));
    int64_t unknown = (int64_t)book_count(field->book, BOOK_UNKNOWN);
    field_check(field,
                &(struct field_bounds){
                    .duplicates_most = of_lost_connections(2) + LEVEL_WINDOW + WINDOW + unknown,
                    .limits = { .at_once = AT_ONCE, .retry_least_us = 1000000 } });
}

static void restart_gracefully(struct field *field)
{
    free(live_ctl("stop_app", NULL));
    free(live_ctl("start_app", NULL));
    (void)field;
}

static void kill_and_start(struct field *field)
{
    field_broker_kill(field);
    field_broker_start(field);
}

static void graceful_restart(struct field *field)
{
    mid_batch(field, restart_gracefully);
}

static void killed_mid_batch(struct field *field)
{
    mid_batch(field, kill_and_start);
}

/* --- what waits in the ladder --------------------------------------------------------------------- */

/* All jobs are delayed, confirmed, and waiting when `harm` comes; it returns when the broker is up. */
static void while_they_wait(struct field *field, int delay_ms, int spread_ms,
                            void (*harm)(struct field *field))
{
    struct field_source jobs = { .delay_ms = delay_ms, .delay_spread_ms = spread_ms };
    struct field_process *worker = ready_worker(field, NULL);
    struct field_process *source = field_source(field, &jobs);
    field_expect_exit(field, source, 0, READY_MS);
    harm(field);
    int64_t up_us = field_now_us();
    (void)field_wait_gauge(field, worker, "connections", 2, 20, READY_MS);
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs, DRAIN_MS);
    int64_t took_us = field_now_us() - up_us;
    int64_t most_us = LATE_MOST_US + (int64_t)(delay_ms + spread_ms) * 1000;
    field_note(field, "last_after_up_ms=%lld", (long long)took_us / 1000);
    (void)field_expect(field, took_us <= most_us, "the last came %lld ms after the broker was up",
                       (long long)took_us / 1000);
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .duplicates_most = of_lost_connections(1) +
                                                                  (int64_t)6 * LEVEL_WINDOW,
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

static void killed_with_delays(struct field *field)
{
    while_they_wait(field, 5000, 2000, kill_and_start);
}

static void stop_for_long(struct field *field)
{
    field_broker_stop(field);
    field_pass(field, 6000); /* three times the delay */
    field_broker_start(field);
}

static void down_longer_than_the_delay(struct field *field)
{
    while_they_wait(field, 2000, 0, stop_for_long);
}

static void down_at_start(struct field *field)
{
    struct proxy *proxy = proxy_open(field_broker_port(field));
    struct field_worker how = { .config = field_config(
                                    field, &(struct field_config){ .port = proxy_port(proxy) }) };
    const char *straight = field_config(field, NULL);
    proxy_refuse(proxy, true);
    struct field_process *worker = field_worker(field, &how);
    (void)field_wait_log(field, worker, "connect.failed", 3, READY_MS);
    (void)field_expect(field, field_gauge_most(worker, "ready") == 0, "ready without a broker");
    proxy_refuse(proxy, false);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    (void)field_source(field, &(struct field_source){ .config = straight });
    (void)field_drain(field, DRAIN_MS);
    proxy_close(proxy);
    field_check(field, &(struct field_bounds){ .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

/* --- alarms --------------------------------------------------------------------------------------- */

enum { ALARM_MS = 10000, PUBLISH_MS = 2000, SLACK_MS = 1000 };

static const char *with_short_patience(struct field *field)
{
    return field_config(field, &(struct field_config){ .main = "publish: { timeout = \"2s\"; };"
                                                               "drain_timeout = \"3s\";" });
}

/* The source's unanswered publishes got their answer in time, while the worker went on. */
static void expect_no_standstill(struct field *field, const struct field_process *worker,
                                 uint64_t done_before)
{
    struct book_sum sum;
    field_read(field);
    uint64_t done = book_count(field->book, BOOK_DONE) - done_before;
    book_close(field->book, &(struct book_limits){ 0 }, &sum);
    field_note(field, "done_under_alarm=%llu answer_most_ms=%lld", (unsigned long long)done,
               (long long)sum.answer_most_us / 1000);
    (void)field_expect(field, done >= 500, "only %llu jobs were done under the alarm",
                       (unsigned long long)done);
    (void)field_expect(field, field_gauge(worker, "blocked") == 1, "the worker is not blocked");
    (void)field_expect(field, book_count(field->book, BOOK_UNKNOWN) > 0,
                       "no publish ran into its deadline");
    (void)field_expect(field, sum.answer_most_us <= (PUBLISH_MS + SLACK_MS) * 1000LL,
                       "a publish waited %lld ms for its answer",
                       (long long)sum.answer_most_us / 1000);
}

/* Work waits already, a few jobs of it are to be retried, and a source goes on publishing. */
static void under_alarm(struct field *field, void (*alarm)(struct field *field, bool is_on))
{
    const char *config = with_short_patience(field);
    struct field_worker how = { .config = config, .behave = "{\"do\":\"sleep\",\"ms\":8}" };
    struct field_source waiting = { .body = "as the worker does",
                                    .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                    .odd_every = field->jobs / 8 };
    struct field_source going_on = {
        .count = 1500, .rate = 100, .window = 20, .republish_ms = 60000
    };
    struct field_process *worker = ready_worker(field, &how);
    struct field_process *source = field_source(field, &waiting);
    (void)field_wait_count(field, BOOK_CONFIRMED, (uint64_t)field->jobs, READY_MS);
    field_expect_exit(field, source, 0, READY_MS);
    source = field_source(field, &going_on);
    (void)field_wait_count(field, BOOK_CONFIRMED, (uint64_t)field->jobs + 10, READY_MS);
    alarm(field, true);
    (void)field_wait_log(field, source, "broker.blocked", 1, READY_MS);
    field_read(field);
    uint64_t done = book_count(field->book, BOOK_DONE);
    field_pass(field, ALARM_MS);
    expect_no_standstill(field, worker, done);
    alarm(field, false);
    (void)field_wait_gauge(field, worker, "blocked", 0, 0, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    int64_t unknown = (int64_t)book_count(field->book, BOOK_UNKNOWN);
    field_check(field, &(struct field_bounds){
                           .duplicates_most = unknown,
                           .limits = { .at_once = AT_ONCE, .retry_least_us = 1000000 } });
}

static void memory_alarm(struct field *field)
{
    under_alarm(field, field_broker_memory_alarm);
}

static void disk_alarm(struct field *field)
{
    under_alarm(field, field_broker_disk_alarm);
}

static void term_under_alarm(struct field *field)
{
    const char *config = with_short_patience(field);
    struct field_worker failing = { .config = config,
                                    .behave = "{\"do\":\"fail\",\"before_ms\":50}" };
    struct field_process *worker = ready_worker(field, &failing);
    struct field_source jobs = { .body = "as the worker does" };
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_CONFIRMED, (uint64_t)field->jobs, READY_MS);
    field_broker_memory_alarm(field, true);
    (void)field_wait_log(field, worker, "broker.blocked", 1, READY_MS);
    (void)field_wait_gauge(field, worker, "in_flight", PREFETCH, PREFETCH, READY_MS);
    field_signal(worker, SIGTERM);
    field_expect_exit(field, worker, 0, 3000 + 2000);
    field_note(field, "end_ms=%lld", (long long)field_end_ms(worker));
    field_broker_memory_alarm(field, false);
    (void)field_worker(field, &(struct field_worker){ .config = config });
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){
                           .duplicates_most = of_lost_connections(1),
                           .limits = { .at_once = AT_ONCE, .retry_least_us = 1000000 } });
}

/* --- a consumer that is too slow ------------------------------------------------------------------ */

static void consumer_timeout(struct field *field)
{
    /* The broker looks for slow consumers once a minute; here once a second. */
    field_need_broker(field);
    free(live_ctl("eval",
                  "application:set_env(rabbit, channel_tick_interval, 1000), "
                  "application:set_env(rabbit, consumer_timeout, 5000).",
                  NULL));
    char *more = field_print("queue: { name = \"other\"; type = \"%s\"; jobs: ( { type = "
                             "\"other\"; concurrency = 2; } ); };",
                             field->queue_type);
    struct field_worker how = { .config =
                                    field_config(field, &(struct field_config){ .more = more }),
                                .types = "work,other" };
    struct field_process *worker = ready_worker(field, &how);
    (void)field_source(
        field, &(struct field_source){ .body = "{\"do\":\"sleep\",\"ms\":12000,\"fresh\":true}",
                                       .count = 1 });
    (void)field_source(field, &(struct field_source){ .type = "other", .rate = 50 });
    (void)field_drain(field, DRAIN_MS);
    (void)field_expect(field, field_gauge(worker, "channel_losses") >= 1, "no channel was closed");
    (void)field_expect(field, field_gauge(worker, "connections") == 1,
                       "the other queue's connection was lost, too");
    field_note(field, "channel_losses=%lld", (long long)field_gauge(worker, "channel_losses"));
    field_check(field, &(struct field_bounds){ .duplicates_most = of_lost_connections(1),
                                               .limits = { .attempts = 1 } });
    free(more);
}

const struct row rows_broker[] = {
    ROW(11, ROW_SHORT | ROW_OWN, 2000, 40, graceful_restart,
        "the broker is restarted gracefully mid-batch: all that was confirmed is done"),
    ROW(12, ROW_OWN, 2000, 45, killed_mid_batch,
        "the broker is killed mid-batch and started again"),
    ROW(13, ROW_OWN, 1000, 45, killed_with_delays,
        "the broker is killed while jobs wait in the ladder: all come, none early"),
    ROW(14, ROW_OWN, 1000, 45, down_longer_than_the_delay,
        "the broker is down for longer than jobs are delayed: they come after it"),
    ROW(15, ROW_PLAIN, 1000, 10, down_at_start,
        "no broker at the start of a worker: it waits, is not ready, then works"),
    ROW(23, ROW_SHORT | ROW_OWN, 6000, 40, memory_alarm,
        "a memory alarm: publishes end by their deadline, consuming goes on, retries wait"),
    ROW(24, ROW_OWN, 6000, 40, disk_alarm, "a disk alarm: the same"),
    ROW(25, ROW_OWN, 200, 40, term_under_alarm,
        "SIGTERM under an alarm with retries pending: it ends in time, originals stay"),
    ROW(38, ROW_OWN | ROW_ONCE, 500, 60, consumer_timeout,
        "a job outlasts the broker's consumer_timeout: it is redelivered, other queues go on"),
    ROWS_END,
};
