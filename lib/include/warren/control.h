/* SPDX-License-Identifier: MIT */
/*
 * The control plane, for those who give orders and look on: what `warren worker`, `warren top` and
 * `warren queue pause` are made of. It is there where the configuration says `control.enabled`; orders,
 * answers and news go through the exchange NS.control of the broker, so who looks on needs no way to the
 * workers but the broker. Threads: as warren_admin (queue.h).
 */
#ifndef WARREN_CONTROL_H
#define WARREN_CONTROL_H

#include "warren/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An order. All strings may be NULL, but `order` and `who`. */
typedef struct warren_order {
    const char *order;  /**< "describe", "quiet", "resume", "drain", "reload", "dump" or "set" */
    const char *worker; /**< its id, as the news tell it; NULL: all workers */
    const char *who;    /**< gives it: for the workers' logs */
    const char *why;    /**< for the workers' logs, too */
    const char *queue;  /**< of `set` */
    const char *type;   /**< of `set` */
    const char *option; /**< of `set`: "concurrency", "prefetch" or "log.level" */
    const char *value;  /**< of `set` */
} warren_order;

/** A pause that holds. */
typedef struct warren_pause_info {
    const char *queue; /**< the configured queue */
    const char *type;  /**< "" when all of the queue is paused */
    const char *who;   /**< paused it; "" when that wasn't said */
    const char *why;   /**< "" when that wasn't said */
    int64_t at_ms;     /**< since 1970 */
} warren_pause_info;

/** Gets one JSON object, which is good until it returns. False: that was enough. */
typedef bool warren_news_visitor(const char *json, void *user);

/** Called for each pause. False: that was enough. */
typedef bool warren_pause_visitor(const warren_pause_info *pause, void *user);

/**
 * Gives an order, and hands over the answers that come within `wait_ms`: of `describe` what the worker
 * does, else {"worker": …, "ok": …, "text": …}. With a worker named it returns with its answer. NOT_FOUND:
 * nobody answered. STATE: the configuration has no control plane. UNROUTABLE: the broker has none.
 * @param order which, to whom, and why
 */
WARREN_API warren_status warren_control_order(warren_admin *admin, const warren_order *order,
                                              int64_t wait_ms, warren_news_visitor *visit,
                                              void *user, warren_error *err);

/** Hands over what workers tell, as it comes, for `wait_ms`. From the first call on the broker keeps it
 * for this admin, so that nothing is missed between two; use it for nothing else meanwhile. Errors as
 * above. */
WARREN_API warren_status warren_control_news(warren_admin *admin, int64_t wait_ms,
                                             warren_news_visitor *visit, void *user,
                                             warren_error *err);

/**
 * Pauses a queue, or one type of it (NULL: all), on all workers, also those that start later; or ends
 * that. OK: it is kept by the broker. NOT_FOUND: the configuration has no such queue or type.
 * @param type NULL: all of the queue
 * @param is_paused false: the pause ends
 * @param who does it: for the log and for those who look
 * @param why may be NULL
 */
WARREN_API warren_status warren_control_pause(warren_admin *admin, const char *queue,
                                              const char *type, bool is_paused, const char *who,
                                              const char *why, warren_error *err);

/** Visits what is paused now. */
WARREN_API warren_status warren_control_paused(warren_admin *admin, warren_pause_visitor *visit,
                                               void *user, warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
