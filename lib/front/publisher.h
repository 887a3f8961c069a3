/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a warren_publisher: an engine publisher, and how many of its messages are
 * under way. Threads: any, but for making and freeing it.
 */
#ifndef WR_FRONT_PUBLISHER_H
#define WR_FRONT_PUBLISHER_H

#include <pthread.h>

#include "engine/publisher.h"
#include "engine/tracer.h"
#include "model/settings.h"
#include "warren/publisher.h"

/** Wraps an engine publisher (borrowed, as the settings are). */
warren_status wr_front_publisher_new(warren_publisher **out, struct wr_publisher *publisher,
                                     const struct wr_settings *settings,
                                     const struct wr_clock *clock, warren_error *err);

/** Its messages get spans of that tracer (borrowed; NULL: none) from here on. */
void wr_front_publisher_trace(warren_publisher *publisher, struct wr_tracer *tracer);

/** Whoever waits calls `pump` again and again instead of sleeping: for a publisher that has no
 * thread. */
void wr_front_publisher_pump(warren_publisher *publisher, void (*pump)(void *user), void *user);

/** How many messages callers may have under way: a window of unconfirmed ones, and a quarter as many
 * that wait behind them, so that each confirm finds the next one ready to go. */
size_t wr_front_publisher_room(const warren_publisher *publisher);

/** Waits for `cond` under `lock`, at most `timeout_us` (< 0: without end); a publisher without a
 * thread of its own is driven meanwhile, with the lock released. May return early: loop on a
 * predicate. */
void wr_front_publisher_wait(const warren_publisher *publisher, pthread_cond_t *cond,
                             pthread_mutex_t *lock, int64_t timeout_us);

/** Frees the wrapping only. NULL is fine. */
void wr_front_publisher_free(warren_publisher *publisher);

#endif
