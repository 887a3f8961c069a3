/* SPDX-License-Identifier: MIT */
/*
 * Queues, as an operator sees them: what waits, who consumes, and emptying one.
 *
 * Threads: an admin belongs to one thread at a time. Strings handed to a visitor are valid during
 * its call only.
 */
#ifndef WARREN_QUEUE_H
#define WARREN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An operator's connection. Declares nothing. */
typedef struct warren_admin warren_admin;

/** Reads the configuration (NULL: the defaults) and connects. Errors as warren_publisher_open. */
WARREN_API warren_status warren_admin_open(warren_admin **out, const char *config,
                                           warren_error *err);

/** Disconnects and frees. NULL is fine. */
WARREN_API void warren_admin_close(warren_admin *admin);

/** What stands in a queue now. */
typedef struct warren_queue_info {
    const char *name;   /**< as the broker knows it */
    const char *queue;  /**< the configured queue that it belongs to; "" for the catch-all */
    const char *kind;   /**< "work", "isolated", "dead" or "unrouted" */
    bool exists;        /**< false: not declared at the broker, and the counts are 0 */
    uint64_t messages;  /**< ready for delivery; not those being worked on */
    uint64_t consumers; /**< of all workers and strangers */
} warren_queue_info;

/** Called for each queue; false ends the walk. */
typedef bool warren_queue_visitor(const warren_queue_info *info, void *user);

/** Visits all configured queues: work, isolated and dead queues in the order of the configuration,
 * then the catch-all. */
WARREN_API warren_status warren_queue_each(warren_admin *admin, warren_queue_visitor *visit,
                                           void *user, warren_error *err);

/**
 * Throws away all ready messages of a configured queue (or one of its isolated or dead queues, or
 * "unrouted"). NOT_FOUND: not a queue of this configuration, or not at the broker.
 * @param name a queue of the configuration, one of its isolated or dead queues, or "unrouted"
 * @param out_count how many messages were thrown away
 */
WARREN_API warren_status warren_queue_purge(warren_admin *admin, const char *name,
                                            uint64_t *out_count, warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
