/* SPDX-License-Identifier: MIT */
/*
 * A message to be published: a job for whoever handles its type.
 *
 * Everything but `type` may stay zero: `warren_message m = { .type = "email.welcome", .body = "{…}"
 * };`. All pointers are borrowed for the time of the call that takes the message.
 */
#ifndef WARREN_MESSAGE_H
#define WARREN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A header of a message. Names that start with `x-warren-` or `x-death` are refused, and so are `CC`
 * and `BCC`. */
typedef struct warren_header {
    const char *name;  /**< at most 255 bytes */
    const char *value; /**< a string; NULL: `number` is sent instead */
    int64_t number;    /**< sent where there is no `value` */
} warren_header;

/** What to publish, and when. */
typedef struct warren_message {
    const char *type; /**< the job type, at most 236 bytes */
    const void *body; /**< NULL: empty */
    size_t body_size; /**< bytes; 0 with a body: the length of the string `body` */
    const char
        *content_type; /**< NULL: "application/json" when the body starts with { or [, else none */
    const char *id;    /**< job id; NULL: a UUIDv7 is made */
    const char *correlation_id; /**< may be NULL */
    const char *reply_to;       /**< may be NULL */
    const char *app_id;         /**< may be NULL */
    const char *exchange; /**< NULL: the namespace's jobs exchange. Not together with a delay */
    int64_t delay_ms;     /**< run not before this long from now; at most `delay.max`; 0: at once */
    int64_t at_ms;        /**< run not before this time, in ms since 1970; 0: at once */
    int64_t expires_ms;   /**< not started within this time: dead with reason `expired`; 0: never */
    int max_attempts;     /**< instead of its type's policy; 0: as the policy says */
    const char *backoff;  /**< instead of its type's policy: "exponential 1s 2.0 10m", "fixed 30s",
                             "list 5s 1m" */
    int priority;         /**< 0…255, for queues with priorities */
    const warren_header *headers; /**< NULL: none */
    size_t header_count;          /**< how many of them */
} warren_message;

/** What a message on the wire has beside its body: one of AMQP's properties, or one of the headers that
 * Warren reads and writes. Static memory. */
typedef struct warren_message_part {
    const char *name;      /**< "message_id", "x-warren-attempt" */
    const char *kind;      /**< "string", "whole number", "list", … */
    const char *sentence;  /**< what it means */
    bool is_header;        /**< else it is a property */
    bool is_for_producers; /**< they may set it; else it is Warren's alone */
} warren_message_part;

/**
 * The part of that number: all properties, then all headers. False, and `out` untouched, when there are
 * not so many. For tools and documentation; any thread.
 * @param out where it goes
 * @return false when there are not so many
 */
WARREN_API bool warren_message_part_at(size_t index, warren_message_part *out);

#ifdef __cplusplus
}
#endif
#endif
