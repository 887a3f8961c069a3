// SPDX-License-Identifier: MIT
// DESIGN: one thread, one queue under a leaf lock, one batch in hand.
//
//     push ──▶ queue (2,048) ──512, or each second──▶ batch ──post──▶ collector
//              full: dropped                            │ later: 1 s, 2 s, then dropped
//
// A job never waits here: a push is a lock and two pointers, and a full queue drops. A collector that
// is gone or stuck costs spans, which are counted, and a stop the time that it is given.
#include "engine/exporter.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include "io/post.h"

enum { FLUSH_EVERY_US = 1000000, RETRY_FIRST_US = 1000000, POST_MOST_MS = 5000 };
enum { STOP_SLACK_US = 600000, WHY_SIZE = 256 };

struct wr_exporter {
    struct wr_exporter_options options;
    char *service;
    char *instance;
    struct wr_post *post;
    struct wr_thread thread;
    _Atomic uint64_t exported;
    _Atomic uint64_t dropped;
    _Atomic int64_t until_us; /* a delivery must have ended by then */
    /* The thread's. */
    struct wr_text batch; /* what is being sent; empty: nothing */
    size_t batch_count;   /* its spans */
    int tries;
    int64_t next_try_us;
    int64_t next_flush_us;
    uint64_t told; /* drops that the log knows of */
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct wr_list waiting;
    bool stops;
    bool is_closed; /* takes no more */
};

/* --- the queue --- */

void wr_exporter_push(struct wr_exporter *exporter, struct wr_span *span)
{
    bool is_taken = false;
    if (!wr_span_has_failed(span)) {
        WR_SCOPED_LOCK(&exporter->lock);
        is_taken = !exporter->is_closed && exporter->waiting.length < WR_EXPORT_QUEUE_MOST;
        if (is_taken) {
            wr_list_push(&exporter->waiting, &span->link);
        }
        if (exporter->waiting.length == WR_EXPORT_BATCH_MOST) {
            (void)pthread_cond_signal(&exporter->wake);
        }
    }
    if (!is_taken) {
        (void)atomic_fetch_add(&exporter->dropped, 1);
        wr_span_free(span);
    }
}

static struct wr_list take(struct wr_exporter *exporter, size_t most)
{
    struct wr_list taken = { 0 };
    WR_SCOPED_LOCK(&exporter->lock);
    while (taken.length < most && exporter->waiting.first) {
        wr_list_push(&taken, wr_list_take(&exporter->waiting));
    }
    return taken;
}

static size_t waiting(struct wr_exporter *exporter)
{
    WR_SCOPED_LOCK(&exporter->lock);
    return exporter->waiting.length;
}

static void free_all(struct wr_list *spans)
{
    for (struct wr_link *link; (link = wr_list_take(spans));) {
        wr_span_free(WR_OF(link, struct wr_span, link));
    }
}

/* --- a batch --- */

static enum wr_delivered post(void *user, struct wr_slice body, const _Atomic int64_t *until_us,
                              char *why)
{
    struct wr_exporter *exporter = user;
    struct wr_post_result result;
    if (wr_post_send(exporter->post, body, POST_MOST_MS, until_us, &result) == WARREN_OK) {
        return WR_DELIVERED;
    }
    (void)snprintf(why, WHY_SIZE, "%s", result.text);
    return result.may_retry ? WR_DELIVER_LATER : WR_DELIVER_NEVER;
}

static void forget_batch(struct wr_exporter *exporter)
{
    wr_text_done(&exporter->batch);
    exporter->batch_count = 0;
    exporter->tries = 0;
    exporter->next_try_us = 0;
}

static void drop_batch(struct wr_exporter *exporter)
{
    (void)atomic_fetch_add(&exporter->dropped, exporter->batch_count);
    forget_batch(exporter);
}

static void fill_batch(struct wr_exporter *exporter)
{
    struct wr_list spans = take(exporter, WR_EXPORT_BATCH_MOST);
    exporter->batch_count = spans.length;
    wr_spans_write(&exporter->batch, &spans, &exporter->options.resource);
    free_all(&spans);
    if (exporter->batch.failed) {
        drop_batch(exporter);
    }
}

static void tell_failure(const struct wr_exporter *exporter, const char *why, int64_t wait_us)
{
    char quoted[2 * WHY_SIZE];
    wr_log(WR_WARN, "trace.failed", "spans=%zu tries=%d next_try_ms=%lld error=%s",
           exporter->batch_count, exporter->tries, (long long)(wait_us / WR_US_PER_MS),
           wr_log_quote(quoted, sizeof quoted, why));
}

static void send_batch(struct wr_exporter *exporter, int64_t now_us, bool is_last)
{
    char why[WHY_SIZE] = "";
    struct wr_slice body = { exporter->batch.data, exporter->batch.size };
    enum wr_delivered what =
        exporter->options.deliver(exporter->options.user, body, &exporter->until_us, why);
    if (what == WR_DELIVERED) {
        (void)atomic_fetch_add(&exporter->exported, exporter->batch_count);
        forget_batch(exporter);
        return;
    }
    exporter->tries++;
    bool goes_on = what == WR_DELIVER_LATER && exporter->tries < WR_EXPORT_TRIES && !is_last;
    int64_t wait_us = goes_on ? (int64_t)RETRY_FIRST_US << (exporter->tries - 1) : 0;
    tell_failure(exporter, why, wait_us);
    if (goes_on) {
        exporter->next_try_us = now_us + wait_us;
    } else {
        drop_batch(exporter);
    }
}

static void tell_drops(struct wr_exporter *exporter)
{
    uint64_t dropped = atomic_load(&exporter->dropped);
    if (dropped != exporter->told) {
        wr_log(WR_WARN, "trace.dropped", "spans=%llu in_all=%llu",
               (unsigned long long)(dropped - exporter->told), (unsigned long long)dropped);
        exporter->told = dropped;
    }
}

bool wr_exporter_step(struct wr_exporter *exporter, int64_t now_us, bool is_last)
{
    if (exporter->batch_count) {
        if (now_us < exporter->next_try_us && !is_last) {
            return false;
        }
    } else {
        size_t count = waiting(exporter);
        bool is_due = count >= WR_EXPORT_BATCH_MOST || is_last || now_us >= exporter->next_flush_us;
        if (is_due) {
            exporter->next_flush_us = now_us + FLUSH_EVERY_US;
            tell_drops(exporter);
        }
        if (!count || !is_due) {
            return false;
        }
        fill_batch(exporter);
    }
    if (exporter->batch_count) {
        send_batch(exporter, now_us, is_last);
    }
    return true;
}

/* --- the thread --- */

/* Waits until something may be due. False: it is to stop. */
static bool wait(struct wr_exporter *exporter)
{
    WR_SCOPED_LOCK(&exporter->lock);
    bool is_full = !exporter->batch_count && exporter->waiting.length >= WR_EXPORT_BATCH_MOST;
    if (!exporter->stops && !is_full) {
        (void)wr_cond_wait(&exporter->wake, &exporter->lock, FLUSH_EVERY_US / 4);
    }
    return !exporter->stops;
}

static void *loop(void *user)
{
    struct wr_exporter *exporter = user;
    while (wait(exporter)) {
        (void)wr_exporter_step(exporter, wr_clock_mono_us(NULL), false);
    }
    while (wr_clock_mono_us(NULL) < atomic_load(&exporter->until_us) &&
           wr_exporter_step(exporter, wr_clock_mono_us(NULL), true)) {
    }
    return NULL;
}

warren_status wr_exporter_start(struct wr_exporter *exporter, warren_error *err)
{
    return wr_thread_start(&exporter->thread, "warren-trace", WR_STACK_IO, loop, exporter, err);
}

/* --- life --- */

/* <endpoint>/v1/traces, as OTLP's exporters name it; a URL that ends so already stays. */
static char *full_url(const char *endpoint)
{
    static const char path[] = "/v1/traces";
    struct wr_text url = { 0 };
    size_t size = strlen(endpoint);
    size_t path_size = sizeof path - 1;
    bool has_path = size > path_size && strcmp(endpoint + size - path_size, path) == 0;
    while (!has_path && size && endpoint[size - 1] == '/') {
        size--;
    }
    wr_text_add(&url, endpoint, size);
    wr_text_add_string(&url, has_path ? "" : path);
    return wr_text_take(&url);
}

static warren_status prepare(struct wr_exporter *exporter, warren_error *err)
{
    struct wr_exporter_options *options = &exporter->options;
    exporter->service = strdup(options->resource.service);
    exporter->instance = strdup(options->resource.instance);
    if (!exporter->service || !exporter->instance) {
        return wr_no_memory(err);
    }
    options->resource = (struct wr_span_resource){ exporter->service, exporter->instance };
    if (options->deliver) {
        return WARREN_OK;
    }
    AUTO_FREE char *url = full_url(options->endpoint);
    options->deliver = post;
    options->user = exporter;
    warren_status rc =
        url ? wr_post_open(&exporter->post, &(struct wr_post_options){ .url = url }, err)
            : wr_no_memory(err);
    return rc ? wr_wrap(err, rc, "trace.endpoint") : WARREN_OK;
}

warren_status wr_exporter_new(struct wr_exporter **out, const struct wr_exporter_options *options,
                              warren_error *err)
{
    struct wr_exporter *exporter = calloc(1, sizeof *exporter);
    if (!exporter) {
        return wr_no_memory(err);
    }
    exporter->options = *options;
    atomic_init(&exporter->until_us, INT64_MAX);
    (void)pthread_mutex_init(&exporter->lock, NULL);
    wr_cond_init(&exporter->wake);
    warren_status rc = prepare(exporter, err);
    if (rc) {
        wr_exporter_free(exporter);
        return rc;
    }
    *out = exporter;
    return WARREN_OK;
}

void wr_exporter_deliver_to(struct wr_exporter *exporter, wr_deliver *deliver, void *user)
{
    exporter->options.deliver = deliver;
    exporter->options.user = user;
}

struct wr_exporter_counts wr_exporter_counts(const struct wr_exporter *exporter)
{
    return (struct wr_exporter_counts){ atomic_load(&exporter->exported),
                                        atomic_load(&exporter->dropped) };
}

bool wr_exporter_stop(struct wr_exporter *exporter, int64_t timeout_us)
{
    atomic_store(&exporter->until_us, wr_clock_mono_us(NULL) + timeout_us);
    {
        WR_SCOPED_LOCK(&exporter->lock);
        exporter->stops = true;
        (void)pthread_cond_signal(&exporter->wake);
    }
    bool has_ended = wr_thread_join_within(&exporter->thread, timeout_us + STOP_SLACK_US);
    {
        WR_SCOPED_LOCK(&exporter->lock);
        exporter->is_closed = true;
    }
    struct wr_list left = take(exporter, SIZE_MAX);
    (void)atomic_fetch_add(&exporter->dropped, left.length);
    free_all(&left);
    if (has_ended) {
        drop_batch(exporter);
        tell_drops(exporter);
    }
    return has_ended;
}

void wr_exporter_free(struct wr_exporter *exporter)
{
    if (!exporter) {
        return;
    }
    wr_post_close(exporter->post);
    wr_text_done(&exporter->batch);
    free_all(&exporter->waiting);
    free(exporter->service);
    free(exporter->instance);
    (void)pthread_mutex_destroy(&exporter->lock);
    (void)pthread_cond_destroy(&exporter->wake);
    free(exporter);
}
