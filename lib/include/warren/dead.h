/* SPDX-License-Identifier: MIT */
/*
 * Dead letters: jobs that used up their attempts, were given up by their handler, or could not be
 * read. Each stands in `<queue>.dead` with its reason and the history of its errors. Looking
 * changes nothing: nothing is lost, and the order stays. What the ladder or the dead exchange could
 * not bring home stands in `NS.unrouted` and is looked at and replayed in the same way (queue
 * "unrouted").
 *
 * Threads: as queue.h. All pointers handed to a visitor are valid during its call only.
 */
#ifndef WARREN_DEAD_H
#define WARREN_DEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One failure in a dead letter's history. */
typedef struct warren_dead_error {
    int64_t at_ms;      /**< since 1970 */
    int attempt;        /**< the run that failed */
    const char *worker; /**< who ran it */
    const char *text;
} warren_dead_error;

/** One dead letter. */
typedef struct warren_dead_letter {
    const char *id;     /**< "" when it never had one */
    const char *type;   /**< "" when it said none */
    const char *queue;  /**< the configured queue it was meant for */
    const char *reason; /**< failed, dead, crash_loop, bad_message, unknown_type, expired,
                           body_too_large, broker's words, … */
    const char *error;  /**< the last error's text, "" when there is none */
    int attempts;       /**< runs that were charged */
    int replays;        /**< how often it was replayed before */
    int64_t died_ms;    /**< since 1970; 0 when unknown */
    int64_t first_failed_ms;
    int64_t enqueued_ms;
    const char *content_type;
    const void *body;
    size_t body_size;
    const char *headers_json;        /**< all headers as one JSON object */
    const warren_dead_error *errors; /**< oldest first */
    size_t error_count;
} warren_dead_letter;

/** Which dead letters. Members left NULL or 0 do not restrict. */
typedef struct warren_dead_filter {
    const char *queue; /**< required: a configured queue (or its dead queue), or "unrouted" */
    const char *id;
    const char *type;
    const char *reason;
    size_t limit; /**< at most so many matching ones */
} warren_dead_filter;

/** Called for each dead letter, oldest first; false ends the walk. */
typedef bool warren_dead_visitor(const warren_dead_letter *letter, void *user);

/** Looks at dead letters; all of them go back in order. Always walks through the whole queue, also
 * with a limit, since its order would change otherwise. NOT_FOUND: no such queue. STATE: someone
 * else looks at it or consumes it now. */
WARREN_API warren_status warren_dead_each(warren_admin *admin, const warren_dead_filter *filter,
                                          warren_dead_visitor *visit, void *user,
                                          warren_error *err);

/**
 * Sends dead letters back to the queue they came from: publish, confirm, then acknowledge, one
 * after the other, so an interruption loses nothing (one may then be there twice). They keep id,
 * body, headers and history; their attempts start again, and `x-warren-replayed-at-ms` and
 * `x-warren-replays` say that they were replayed. `before` (may be NULL) is asked before each;
 * false ends the replay. `*out_count` (may be NULL) is set also on failure.
 */
WARREN_API warren_status warren_dead_replay(warren_admin *admin, const warren_dead_filter *filter,
                                            warren_dead_visitor *before, void *user,
                                            size_t *out_count, warren_error *err);

/** Throws dead letters away. `before` and `*out_count` as in warren_dead_replay. */
WARREN_API warren_status warren_dead_drop(warren_admin *admin, const warren_dead_filter *filter,
                                          warren_dead_visitor *before, void *user,
                                          size_t *out_count, warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
