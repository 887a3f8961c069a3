/* SPDX-License-Identifier: MIT */
/*
 * The exporter: sends spans that have ended to a collector, in the background and within bounds. At
 * most 2,048 spans wait; what comes while that many do is dropped and counted. They go out 512 at a
 * time, or once a second; a batch that the collector can't take now is tried three times.
 *
 * Threads: push and counts by any; all else by the exporter's own thread, or by its owner when it has
 * none.
 */
#ifndef WR_ENGINE_EXPORTER_H
#define WR_ENGINE_EXPORTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/span.h"
#include "warren/error.h"

enum { WR_EXPORT_QUEUE_MOST = 2048, WR_EXPORT_BATCH_MOST = 512, WR_EXPORT_TRIES = 3 };

struct wr_exporter;

/** What became of a batch. */
enum wr_delivered { WR_DELIVERED, WR_DELIVER_LATER, WR_DELIVER_NEVER };

/** Delivers a request (JSON); must end when the monotonic clock has passed `*until_us`. `why` (256
 * bytes) gets the reason when it couldn't. */
typedef enum wr_delivered wr_deliver(void *user, struct wr_slice body,
                                     const _Atomic int64_t *until_us, char *why);

struct wr_exporter_options {
    const char *endpoint; /* of a collector: http://localhost:4318 */
    struct wr_span_resource resource;
    wr_deliver *deliver; /* NULL: posts to the endpoint */
    void *user;
};

/** Counts of spans. */
struct wr_exporter_counts {
    uint64_t exported;
    uint64_t dropped;
};

/** Makes one; the options' strings are copied. CONFIG: it can't post. */
warren_status wr_exporter_new(struct wr_exporter **out, const struct wr_exporter_options *options,
                              warren_error *err);

/** Delivers otherwise from here on: for tests. Before the start. */
void wr_exporter_deliver_to(struct wr_exporter *exporter, wr_deliver *deliver, void *user);

/** Starts its thread. */
warren_status wr_exporter_start(struct wr_exporter *exporter, warren_error *err);

/** Takes a span that has ended. Never waits for the collector. */
void wr_exporter_push(struct wr_exporter *exporter, struct wr_span *span);

/** One round at that moment: sends a batch if one is due, or at once when `is_last`. False: nothing
 * was due. */
bool wr_exporter_step(struct wr_exporter *exporter, int64_t now_us, bool is_last);

/** Any thread. */
struct wr_exporter_counts wr_exporter_counts(const struct wr_exporter *exporter);

/** Sends what waits, for at most `timeout_us`, drops and counts the rest, and ends the thread. False:
 * it hangs in a look-up of the collector's name; then nothing of it may be freed. */
bool wr_exporter_stop(struct wr_exporter *exporter, int64_t timeout_us);

/** Frees one that has stopped, or never started. NULL is fine. */
void wr_exporter_free(struct wr_exporter *exporter);

#endif
