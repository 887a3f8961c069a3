// SPDX-License-Identifier: MIT
// DESIGN: connections that are cut again and again, as soon as all of them have been of use: what one
// cycle leaves behind, however little, a thousand show. `jobs` of the row are its reconnects, of a
// worker's two connections and a source's one together, so `faults --row 59 --jobs 10000` is a longer look.
#include <inttypes.h>
#include <signal.h>

#include "letters.h"
#include "proxy.h"

enum {
    DRAIN_MS = 120000,
    READY_MS = 30000,
    AT_ONCE = 4,
    PREFETCH = 8,
    RATE = 20, /* jobs a second: less than a worker ends between two cuts */
    WINDOW = 20,
    CONNECTIONS = 3,
    WARM_UP = 150,              /* reconnects until caches and pools have their size */
    GROWS_MOST_KIB = 512,       /* after that, whatever the rest is, */
    GROWS_MOST_BYTES_EACH = 512 /* and a reconnect at most so much */
};

/* A sanitizer keeps what was freed for a while: no growth is seen by its memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { KEEPS_FREED = true };
#else
enum { KEEPS_FREED = false };
#endif

struct scene {
    struct field *field;
    struct proxy *proxy;
    struct field_process *worker;
    struct field_process *source;
    size_t accepted; /* reached, and these counts too, all three connections are of use again */
    uint64_t confirmed;
    uint64_t followed;
    uint64_t cuts;
};

static bool is_of_use(void *user)
{
    const struct scene *scene = user;
    const struct book *book = scene->field->book;
    struct proxy_counts counts = proxy_counts(scene->proxy);
    field_read(scene->field);
    return counts.accepted >= scene->accepted && counts.open >= CONNECTIONS &&
           book_count(book, BOOK_CONFIRMED) > scene->confirmed &&
           book_started_of(book, "follow") > scene->followed;
}

static bool wait_for_use(struct scene *scene)
{
    bool holds = field_wait(scene->field, is_of_use, scene, READY_MS);
    return field_expect(scene->field, holds, "not all connections came back after cut %" PRIu64,
                        scene->cuts);
}

static void cut(struct scene *scene)
{
    scene->accepted = proxy_counts(scene->proxy).accepted + CONNECTIONS;
    (void)proxy_reset(scene->proxy, PROXY_ALL);
    field_read(scene->field);
    scene->confirmed = book_count(scene->field->book, BOOK_CONFIRMED);
    scene->followed = book_started_of(scene->field->book, "follow");
    scene->cuts++;
}

/* Cuts until so many connections were made. */
static bool reconnect(struct scene *scene, size_t accepted)
{
    bool goes_on = true;
    while (goes_on && proxy_counts(scene->proxy).accepted < accepted) {
        cut(scene);
        goes_on = wait_for_use(scene);
    }
    return goes_on;
}

struct limits {
    const struct field_process *process;
    const struct field_usage *before;
};

static bool is_small(void *user)
{
    const struct limits *limits = user;
    struct field_usage now = field_usage(limits->process);
    return now.fds <= limits->before->fds && now.threads <= limits->before->threads;
}

/* A connection that is just being opened again has a thread and a descriptor more, for a moment. */
static void expect_no_growth(struct field *field, const struct field_process *process,
                             const struct field_usage *before, int reconnects)
{
    struct limits limits = { process, before };
    (void)field_wait(field, is_small, &limits, READY_MS);
    struct field_usage after = field_usage(process);
    int64_t grown_kib = after.rss_kib - before->rss_kib;
    int64_t most_kib = GROWS_MOST_KIB + (int64_t)reconnects * GROWS_MOST_BYTES_EACH / 1024;
    field_expect(field, after.fds <= before->fds, "%s has %d descriptors, not %d", process->name,
                 after.fds, before->fds);
    field_expect(field, after.threads <= before->threads, "%s has %d threads, not %d",
                 process->name, after.threads, before->threads);
    field_expect(field, grown_kib <= most_kib || KEEPS_FREED,
                 "%s grew by %" PRId64 " KiB, more than %" PRId64, process->name, grown_kib,
                 most_kib);
    field_note(field, "%s: rss_kib=%" PRId64 "%+" PRId64 " fds=%d threads=%d", process->name,
               before->rss_kib, grown_kib, after.fds, after.threads);
}

static void play(struct scene *scene)
{
    struct field *field = scene->field;
    if (!wait_for_use(scene) || !reconnect(scene, WARM_UP)) {
        return;
    }
    struct field_usage worker = field_usage(scene->worker);
    struct field_usage source = field_usage(scene->source);
    uint64_t cuts = scene->cuts;
    int64_t began_us = field_now_us();
    if (!reconnect(scene, (size_t)field->jobs)) {
        return;
    }
    int64_t done = (int64_t)(scene->cuts - cuts);
    field_note(field, "cuts=%" PRIu64 " cycle_ms=%" PRId64 " connections=%" PRId64 "+%" PRId64,
               scene->cuts, (field_now_us() - began_us) / 1000 / (done ? done : 1),
               field_gauge(scene->worker, "connections"),
               field_gauge(scene->worker, "publish_connections"));
    expect_no_growth(field, scene->worker, &worker, field->jobs - WARM_UP);
    expect_no_growth(field, scene->source, &source, field->jobs - WARM_UP);
}

static void cut_again_and_again(struct field *field)
{
    struct scene scene = { .field = field, .proxy = proxy_open(field_broker_port(field)) };
    const char *config = field_config(
        field,
        &(struct field_config){
            .port = proxy_port(scene.proxy),
            .queue = "prefetch = 8; retry: { attempts = 3; backoff = \"fixed\"; first = \"125ms\"; "
                     "jitter = 0.0; }; jobs: ( { type = \"work\"; concurrency = 2; },"
                     "{ type = \"follow\"; concurrency = 2; } );" });
    scene.worker =
        letters_worker(field, &(struct field_worker){ .config = config, .types = "work,follow" });
    scene.source = field_source(
        field, &(struct field_source){ .config = config,
                                       .body = "{\"do\":\"publish\",\"type\":\"follow\"}",
                                       .count = 100000, /* ended by the row */
                                       .rate = RATE,
                                       .window = WINDOW,
                                       .republish_ms = 600000 });
    play(&scene);
    field_signal(scene.source, SIGTERM);
    (void)field_wait_exit(field, scene.source, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    proxy_close(scene.proxy);
    field_check(field,
                &(struct field_bounds){
                    .duplicates_most = (int64_t)scene.cuts * (2 * (PREFETCH + AT_ONCE) + WINDOW),
                    .may_be_unconfirmed = true,
                    .dead = -1, /* a follow-up that cannot be published is a failure */
                    .limits = { .at_once = AT_ONCE, .attempts = 3 } });
}

const struct row rows_reconnect[] = {
    ROW(59, ROW_ONCE, 1000, 100, cut_again_and_again,
        "1,000 reconnects of worker and source: no growth in memory, threads and descriptors"),
    ROWS_END,
};
