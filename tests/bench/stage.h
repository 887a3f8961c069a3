/* SPDX-License-Identifier: MIT */
/*
 * Where the sides meet: a vhost of this process on the broker of tests/support/live.h, a folder for
 * configurations, and what has to be declared, counted or taken away there. What fails ends the
 * process with a sentence. Threads: one.
 */
#ifndef TESTS_BENCH_STAGE_H
#define TESTS_BENCH_STAGE_H

#include <stdbool.h>

/** Makes vhost and folder, and exports WARREN_AMQP_URL; all of it goes at exit. */
void stage_open(void);

/** The version that the broker tells. Borrowed, static. */
const char *stage_broker_version(void);

/** Writes a configuration with these queue groups and so many threads (0: auto) and declares its
 * topology. Borrowed until stage_clear; the same path for the same words. */
const char *stage_config(const char *queues, int threads);

/** How many messages wait in a queue. */
long stage_depth(const char *queue);

/** Empties a queue; returns how many messages it had. */
long stage_purge(const char *queue);

/** Deletes all queues of the configurations that were made, with their dead queues. */
void stage_clear(void);

/** Declares a quorum queue; with a TTL its messages go on to the queue `home`, as the delay ladder's
 * would. It is deleted by stage_clear. */
void stage_declare(const char *queue, int ttl_ms, const char *home);

#endif
