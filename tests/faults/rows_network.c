// SPDX-License-Identifier: MIT
// DESIGN: rows about the network between a worker, a source and a broker that is well. Both go through
// a chaos proxy in this process; the judge goes straight. What is injected: resets, half-closes and cuts
// by the proxy's sockets; silence with a kernel that acknowledges by a proxy that reads no more; lost
// packets by a filter on the proxy's sockets, under which nothing is acknowledged.
#include <signal.h>
#include <stdlib.h>

#include "proxy.h"
#include "rows.h"

enum {
    DRAIN_MS = 60000,
    READY_MS = 20000,
    AT_ONCE = 4,
    PREFETCH = 20,
    WINDOW = 100, /* of the source: unanswered at once */
    HEARTBEAT_MS = 5000,
    PUBLISH_MS = 4000, /* publish.timeout */
};

/* The worker, the source, and the proxy that both go through. */
struct scene {
    struct field *field;
    struct proxy *proxy;
    const char *config;
    struct field_process *worker, *source;
};

static void open_scene(struct scene *scene, struct field *field)
{
    *scene = (struct scene){ .field = field, .proxy = proxy_open(field_broker_port(field)) };
    scene->config = field_config(
        field, &(struct field_config){ .port = proxy_port(scene->proxy),
                                       .broker = "heartbeat = \"5s\"; connect_timeout = \"2s\";"
                                                 "rpc_timeout = \"3s\";",
                                       .main = "publish: { timeout = \"4s\"; };" });
    scene->worker = field_worker(field, &(struct field_worker){ .config = scene->config });
    (void)field_wait_gauge(field, scene->worker, "ready", 1, 1, READY_MS);
}

static void start_source(struct scene *scene, int rate)
{
    struct field_source source = { .config = scene->config,
                                   .rate = rate,
                                   .republish_ms = 120000,
                                   .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                   .odd_every = 10 };
    scene->source = field_source(scene->field, &source);
}

/* A lost connection may run again what the worker had, and send its retries or the source's window
 * twice; an answer that was lost means a second copy. */
static void close_scene(struct scene *scene, int losses)
{
    struct field *field = scene->field;
    proxy_pass(scene->proxy);
    (void)field_drain(field, DRAIN_MS);
    int64_t most = (int64_t)losses * (2 * PREFETCH + AT_ONCE + WINDOW) +
                   (int64_t)book_count(field->book, BOOK_UNKNOWN);
    field_note(field, "connections=%lld", (long long)field_gauge(scene->worker, "connections"));
    field_check(
        field, &(struct field_bounds){ .duplicates_most = most, .limits = { .at_once = AT_ONCE } });
    proxy_close(scene->proxy);
}

/* The first job has been done, so everybody is at work. */
static void wait_started(struct scene *scene, int part)
{
    (void)field_wait_count(scene->field, BOOK_STARTED, (uint64_t)(scene->field->jobs / part + 1),
                           30000);
}

static void reset_every_two_seconds(struct field *field)
{
    enum { RESETS = 5 };
    struct scene scene;
    open_scene(&scene, field);
    start_source(&scene, field->jobs / 10);
    for (int i = 0; i < RESETS; i++) {
        field_pass(field, 1000 + (int)field_random(field, 2000));
        size_t count = proxy_reset(scene.proxy, PROXY_ALL);
        field_expect(field, count > 0, "reset %d found no connection", i + 1);
    }
    (void)field_wait_gauge(field, scene.worker, "ready", 1, 1, READY_MS);
    field_expect(field, field_gauge(scene.worker, "connections") > 1,
                 "the worker never connected again");
    close_scene(&scene, RESETS);
}

static void half_close_by_the_broker(struct field *field)
{
    struct scene scene;
    open_scene(&scene, field);
    start_source(&scene, field->jobs / 4);
    wait_started(&scene, 4);
    int64_t before = field_gauge(scene.worker, "connections");
    field_expect(field, proxy_half_close(scene.proxy, PROXY_ALL) >= 2, "nothing to half-close");
    (void)field_wait_gauge(field, scene.worker, "connections", before + 1, INT64_MAX, READY_MS);
    close_scene(&scene, 1);
}

/* Until the worker says that it has lost the connection; the time it took. */
static void expect_notice(struct scene *scene, int most_ms)
{
    int64_t began_us = field_now_us();
    (void)field_wait_log(scene->field, scene->worker, "connection.lost role=consumer", 1, most_ms);
    field_note(scene->field, "noticed_ms=%lld", (long long)((field_now_us() - began_us) / 1000));
}

/* No answer may be later than its deadline, whatever the network does. */
static void expect_answers_in_time(const struct scene *scene)
{
    struct book_sum sum;
    struct field *field = scene->field;
    field_read(field);
    book_close(field->book, &(struct book_limits){ 0 }, &sum);
    field_note(field, "answer_most_ms=%lld", (long long)(sum.answer_most_us / 1000));
    field_expect(field, sum.answer_most_us < (PUBLISH_MS + 1000) * 1000LL,
                 "an answer came after %lld ms", (long long)(sum.answer_most_us / 1000));
}

static void silence_whose_kernel_acknowledges(struct field *field)
{
    struct scene scene;
    open_scene(&scene, field);
    start_source(&scene, field->jobs / 6);
    wait_started(&scene, 4);
    proxy_freeze(scene.proxy);
    expect_notice(&scene, 2 * HEARTBEAT_MS + 1000);
    proxy_thaw(scene.proxy);
    close_scene(&scene, 1);
    expect_answers_in_time(&scene);
}

static void packets_are_lost(struct field *field)
{
    struct scene scene;
    open_scene(&scene, field);
    start_source(&scene, field->jobs / 6);
    wait_started(&scene, 4);
    proxy_lose(scene.proxy, true);
    expect_notice(&scene, 2 * HEARTBEAT_MS + 1000);
    proxy_lose(scene.proxy, false);
    close_scene(&scene, 1);
    expect_answers_in_time(&scene);
}

static void slow_network(struct field *field)
{
    struct scene scene;
    open_scene(&scene, field);
    int64_t before = field_gauge(scene.worker, "connections");
    proxy_rate(scene.proxy, 8192);
    proxy_delay(scene.proxy, 200);
    start_source(&scene, 0);
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs, 120000);
    field_expect(field, field_gauge(scene.worker, "connections") == before,
                 "a slow network cost a connection");
    close_scene(&scene, 0);
}

/* A byte of the framing, never of a job: TCP's sums and TLS guard those, AMQP has nothing for it. Nor the
 * low bytes of a frame's size: whoever is told of 65,000 bytes waits for them, which is row 61. */
static void corrupt_bytes(struct field *field)
{
    static const uint64_t framing[] = { 0, 3, 4, 7, 8, 9, 10 };
    enum { BYTES = sizeof framing / sizeof *framing };
    struct scene scene;
    open_scene(&scene, field);
    start_source(&scene, field->jobs / 20);
    for (int i = 0; i < 2 * BYTES; i++) {
        int64_t before = field_gauge(scene.worker, "connections");
        proxy_corrupt(scene.proxy,
                      (struct proxy_point){ PROXY_ALL, i % 2 ? PROXY_TO_CLIENT : PROXY_TO_BROKER,
                                            framing[i / 2] },
                      0xff);
        (void)field_wait_gauge(field, scene.worker, "connections", before + 1, INT64_MAX, READY_MS);
    }
    field_note(field, "corrupted=%zu", proxy_counts(scene.proxy).corrupted);
    close_scene(&scene, 2 * BYTES);
}

const struct row rows_network[] = {
    ROW(16, ROW_SHORT, 2000, 15, reset_every_two_seconds,
        "connections are reset every 2 s: both sides come back"),
    ROW(17, ROW_ONCE, 1000, 10, half_close_by_the_broker,
        "the broker's side is closed, the other is open: a new connection"),
    ROW(19, ROW_SHORT, 1200, 20, silence_whose_kernel_acknowledges,
        "the network is silent, its kernel acknowledges: noticed by heartbeats"),
    ROW(20, ROW_ONCE, 1200, 20, packets_are_lost, "packets are lost: noticed, no publish is late"),
    ROW(21, ROW_ONCE, 300, 30, slow_network, "8 KiB/s and 200 ms: slow, and no connection is lost"),
    ROW(22, ROW_ONCE, 400, 30, corrupt_bytes,
        "a byte of the framing is wrong: a new connection, no crash"),
    ROWS_END,
};
