/* SPDX-License-Identifier: MIT */
/*
 * Testing handlers without a broker: the real engine on an in-memory broker, in one thread, with a
 * virtual clock, so an hour of backoff takes no time. Works with any test framework.
 *
 * Threads: a test belongs to one thread; handlers run on it, inside warren_test_run and
 * warren_test_advance.
 */
#ifndef WARREN_TESTING_H
#define WARREN_TESTING_H

#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/job.h"
#include "warren/message.h"
#include "warren/worker.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A worker with its queues in memory. */
typedef struct warren_test warren_test;

/** Makes a test from a configuration (NULL: the defaults); its broker section is ignored. */
WARREN_API warren_status warren_test_open(warren_test **out, const char *config, warren_error *err);

/** Frees. NULL is fine. */
WARREN_API void warren_test_close(warren_test *test);

/** The worker inside, for warren_handle and warren_load before the first run, and warren_stats.
 * Borrowed. */
WARREN_API warren *warren_test_worker(warren_test *test);

/** Publishes a message, as a producer would. */
WARREN_API warren_status warren_test_publish(warren_test *test, const warren_message *message,
                                             warren_error *err);

/**
 * Runs everything that is due now, until nothing is left.
 * @return how many jobs ran; negative: a status
 */
WARREN_API int warren_test_run(warren_test *test, warren_error *err);

/**
 * Lets `by_ms` pass, running each job when it is due.
 * @param by_ms how long
 * @return how many jobs ran; negative: a status
 */
WARREN_API int warren_test_advance(warren_test *test, int64_t by_ms, warren_error *err);

/** The virtual time since the test began, in ms. */
WARREN_API int64_t warren_test_now_ms(const warren_test *test);

/** How many messages wait in a queue ("emails", "emails.dead", "warren.unrouted"); 0 when there is
 * none. */
WARREN_API size_t warren_test_waiting(warren_test *test, const char *queue);

/** How many messages wait in the delay ladder. */
WARREN_API size_t warren_test_delayed(warren_test *test);

/** How many messages of a type were published in all, by the test or by handlers; retries do not
 * count. */
WARREN_API size_t warren_test_published(const warren_test *test, const char *type);

/** The reason of the i-th dead letter of a configured queue, oldest first; NULL when there is none.
 * Valid until the next call on the test. */
WARREN_API const char *warren_test_dead_reason(warren_test *test, const char *queue, size_t index);

/** The last error's text of the i-th dead letter, "" when it has none; NULL when there is no such
 * letter. */
WARREN_API const char *warren_test_dead_error(warren_test *test, const char *queue, size_t index);

/**
 * Runs one handler on one message, with nothing around it (warren_job_publish says STATE). Gives
 * its verdict; its text (may be NULL, `text_size` bytes) and its delay (may be NULL; -1: the
 * policy's) are copied out.
 * @param out_verdict where its verdict goes
 * @param out_text where its text goes; may be NULL
 * @param text_size bytes of `out_text`
 * @param out_delay_ms where its delay goes, -1: the policy's; may be NULL
 */
WARREN_API warren_status warren_test_call(warren_handler *handler, void *user,
                                          const warren_message *message,
                                          warren_verdict *out_verdict, char *out_text,
                                          size_t text_size, int64_t *out_delay_ms,
                                          warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
