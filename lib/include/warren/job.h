/* SPDX-License-Identifier: MIT */
/*
 * A job, as its handler sees it, and the verdicts a handler can give.
 *
 * Threads: a handler runs on one worker thread; the job belongs to that thread until the handler
 * returns. Every pointer that these functions return is borrowed from the job and valid until the
 * handler returns.
 */
#ifndef WARREN_JOB_H
#define WARREN_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/message.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One delivery of one job. */
typedef struct warren_job warren_job;

/** What becomes of a job. Made by WARREN_DONE or by one of the functions below; the numbers are
 * part of the ABI. */
typedef enum warren_verdict {
    WARREN_DONE = 0, /**< finished: it is acknowledged */
    WARREN_RETRY =
        1, /**< failed: runs again after its backoff, until its attempts are used up, then dead */
    WARREN_DEAD = 2,    /**< failed for good: goes to the dead queue with its reason and history */
    WARREN_DISCARD = 3, /**< of no use (a user's error): logged, counted, gone */
    WARREN_SNOOZE = 4   /**< not now: runs again later, no attempt is charged */
} warren_verdict;

/**
 * A handler: does one job and gives its verdict. It may run on several threads at once, up to the
 * type's `concurrency`. `user` is what was registered with it.
 */
typedef warren_verdict warren_handler(warren_job *job, void *user);

/* --- verdicts: `return warren_retry(job, "smtp: %s", why);` --- */

/** Failed; run again after the backoff of the job's policy. The text (cut at 500 bytes) joins the
 * job's history. */
WARREN_API warren_verdict warren_retry(warren_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Failed; run again after `delay_ms` (rounded up to 125 ms, at most `delay.max`) instead of the
 * policy's backoff. An attempt is charged. */
WARREN_API warren_verdict warren_retry_after(warren_job *job, int64_t delay_ms, const char *format,
                                             ...) __attribute__((format(printf, 3, 4)));

/** Failed for good: to the dead queue, whatever attempts are left. */
WARREN_API warren_verdict warren_dead(warren_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Throw the job away: it is logged and counted, and nothing of it is kept. */
WARREN_API warren_verdict warren_discard(warren_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Run again after `delay_ms` (rounded up to 125 ms, at most `delay.max`); no attempt is charged.
 */
WARREN_API warren_verdict warren_snooze(warren_job *job, int64_t delay_ms);

/* --- what the job is --- */

/** The job's id: the message_id of its producer, else a UUIDv7 made at the first delivery. Never
 * NULL. */
WARREN_API const char *warren_job_id(const warren_job *job);

/** The job type. Never NULL. */
WARREN_API const char *warren_job_type(const warren_job *job);

/** The configured queue that it came from. Never NULL. */
WARREN_API const char *warren_job_queue(const warren_job *job);

/** Which run this is: 1 for the first. Only failures count, never restarts or lost connections. */
WARREN_API int warren_job_attempt(const warren_job *job);

/** How many runs the job has in all. */
WARREN_API int warren_job_max_attempts(const warren_job *job);

/** How often it was snoozed. */
WARREN_API int warren_job_snoozes(const warren_job *job);

/** Whether the broker has delivered it before: the run before may have been cut off halfway. */
WARREN_API bool warren_job_redelivered(const warren_job *job);

/** When it was published, in ms since 1970; 0 when its producer didn't say. */
WARREN_API int64_t warren_job_enqueued_ms(const warren_job *job);

/** True once the job's `timeout` has passed or the worker drains: a long handler asks now and then,
 * and leaves. */
WARREN_API bool warren_job_cancelled(const warren_job *job);

/* --- what it carries --- */

/** The body, byte for byte. `*out_size` may be NULL; a NUL stands behind the last byte. */
WARREN_API const void *warren_job_body(const warren_job *job, size_t *out_size);

/** The content type, such as "application/json"; "" when there is none. */
WARREN_API const char *warren_job_content_type(const warren_job *job);

/** The correlation id, "" when there is none. */
WARREN_API const char *warren_job_correlation_id(const warren_job *job);

/** Where a reply is wanted, "" when nowhere. */
WARREN_API const char *warren_job_reply_to(const warren_job *job);

/** A header that is a string or bytes: its bytes (not NUL-terminated) and size; NULL when it isn't
 * there. */
WARREN_API const char *warren_job_header(const warren_job *job, const char *name, size_t *out_size);

/**
 * Writes the W3C `traceparent` of this run (55 bytes and a NUL), for a handler that calls on others:
 * what they do becomes a child of it. Without a tracer (`trace.endpoint`) it is the message's own.
 * False, and `out` untouched, when the job is in no trace.
 * @param out where it goes
 * @return false when the job is in no trace
 */
WARREN_API bool warren_job_traceparent(const warren_job *job, char out[56]);

/**
 * The trace id alone: 32 hex digits and a NUL, as in the log. False, and `out` untouched, when the
 * job is in no trace.
 * @param out where it goes
 * @return false when the job is in no trace
 */
WARREN_API bool warren_job_trace_id(const warren_job *job, char out[33]);

/**
 * A header that is a whole number. False when it isn't there or is none.
 * @param out where the number goes
 * @return false when it isn't there or is none
 */
WARREN_API bool warren_job_header_int(const warren_job *job, const char *name, int64_t *out);

/* The body as JSON: parsed at the first of these calls. `path` is a member's name, or several
 * joined by dots
 * ("customer.name"). A body that isn't a JSON object has no members. */

/** A string member, NUL-terminated; NULL when it isn't there or is no string. */
WARREN_API const char *warren_job_string(warren_job *job, const char *path);

/**
 * A whole number member. False (and `*out` untouched) when it isn't there or is none.
 * @param out where the number goes
 * @return false when it isn't there or is none
 */
WARREN_API bool warren_job_int(warren_job *job, const char *path, int64_t *out);

/**
 * A number member. False (and `*out` untouched) when it isn't there or is none.
 * @param out where the number goes
 * @return false when it isn't there or is none
 */
WARREN_API bool warren_job_double(warren_job *job, const char *path, double *out);

/**
 * A true or false member; `fallback` when it isn't there or is neither.
 * @param fallback when it isn't there or is neither
 * @return the member, or `fallback`
 */
WARREN_API bool warren_job_bool(warren_job *job, const char *path, bool fallback);

/* --- more jobs --- */

/**
 * Publishes a message on the worker's connection: confirmed before this job is acknowledged.
 * Returns at once; if the broker does not confirm it, this job is retried instead of done. The
 * message is copied. INVALID: the message is wrong (text in `err`); NO_MEMORY; STATE: the handler
 * is run by warren_test_call.
 */
WARREN_API warren_status warren_job_publish(warren_job *job, const warren_message *message,
                                            warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
