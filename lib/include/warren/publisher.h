/* SPDX-License-Identifier: MIT */
/*
 * A publisher: puts jobs into the broker and knows that they are there. Every message is
 * persistent, mandatory and confirmed. It works alone, without a worker, and keeps one connection
 * on a thread of its own.
 *
 * Threads: one publisher may be used by any number of threads at once; after a fork by the parent
 * only, since its thread isn't in the child.
 */
#ifndef WARREN_PUBLISHER_H
#define WARREN_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/message.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A connection that publishes. */
typedef struct warren_publisher warren_publisher;

/**
 * Called once with the outcome of an asynchronous publish, on the publisher's thread: it must not
 * block nor call a blocking function of this publisher. `error` holds the text when `status` isn't
 * OK, and is NULL otherwise.
 */
typedef void warren_confirmed(void *user, warren_status status, const warren_error *error);

/**
 * Reads the broker section of the configuration (NULL: the defaults) and connects. The topology
 * isn't declared: a message that no queue takes is an error (UNROUTABLE). UNREACHABLE, REFUSED,
 * CONFIG as warren_open and warren_run.
 */
WARREN_API warren_status warren_publisher_open(warren_publisher **out, const char *config,
                                               warren_error *err);

/** Waits until what was published is confirmed or failed, at most `publish.timeout`, and frees.
 * NULL is fine. */
WARREN_API void warren_publisher_close(warren_publisher *publisher);

/**
 * Publishes and waits for the broker's confirm, at most `publish.timeout`. OK: the message is safe.
 * UNROUTABLE: no queue takes this type. NACKED: the broker could not store it. TIMEOUT: no answer
 * yet; UNKNOWN: the connection broke before the answer: in both cases it may be there or not, so
 * publish again with the same id. INVALID: wrong message. REFUSED: the broker takes no such message
 * (larger than its own limit, no right to write there). CLOSED: the worker has ended.
 */
WARREN_API warren_status warren_publish(warren_publisher *publisher, const warren_message *message,
                                        warren_error *err);

/**
 * Publishes without waiting; `done` (may be NULL) is called exactly once if OK was returned. The
 * message is copied. Waits only while `publish.window` messages are unconfirmed and a quarter as many
 * (rounded down) wait to be sent. A caller who waits looks again every 50 ms at the latest.
 * @param done called once if OK was returned; may be NULL
 */
WARREN_API warren_status warren_publish_async(warren_publisher *publisher,
                                              const warren_message *message, warren_confirmed *done,
                                              void *user, warren_error *err);

/** A run of publishes of one thread: each call waits only while its window is full. */
typedef struct warren_batch warren_batch;

/**
 * Starts a batch with at most `window` messages under way (0: as many as warren_publish_async takes).
 * @param window messages without a confirm at most; 0: `publish.window` and a quarter
 */
WARREN_API warren_status warren_batch_open(warren_batch **out, warren_publisher *publisher,
                                           size_t window, warren_error *err);

/** Publishes one message of the batch. Returns the error of an earlier message of the batch, once,
 * if one failed (this one was not sent then). */
WARREN_API warren_status warren_batch_publish(warren_batch *batch, const warren_message *message,
                                              warren_error *err);

/**
 * Waits for all confirms, tells how many messages are safe, and frees the batch. The first error,
 * if any failed.
 * @param out_confirmed how many messages are safe; may be NULL
 */
WARREN_API warren_status warren_batch_close(warren_batch *batch, size_t *out_confirmed,
                                            warren_error *err);

/**
 * Writes a fresh job id: a UUIDv7 (RFC 9562), 36 bytes and NUL. Any thread.
 * @param out where it goes
 */
WARREN_API void warren_make_id(char out[37]);

#ifdef __cplusplus
}
#endif
#endif
