/* SPDX-License-Identifier: MIT */
/*
 * Threads: started with a name, all signals blocked (main reads them), a stack that a deep header
 * cannot overrun (rabbitmq-c 0.11 decodes nested tables by recursion), joined exactly once.
 */
#ifndef WR_BASE_THREAD_H
#define WR_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"

#define WR_STACK_IO (16u << 20)    /* bytes; virtual, only what is touched becomes resident */
#define WR_STACK_WORKER (8u << 20) /* handlers are users' code and expect a usual stack */

struct wr_thread {
    pthread_t id;
    bool started;
};

/** Starts `run(user)`; `name` has at most 15 bytes. */
warren_status wr_thread_start(struct wr_thread *thread, const char *name, size_t stack_bytes,
                              void *(*run)(void *), void *user, warren_error *err);

/** Waits for the thread's end. Does nothing when it was not started. */
void wr_thread_join(struct wr_thread *thread);

/** The same for at most `timeout_us`; false: it still runs and is still to be joined. */
bool wr_thread_join_within(struct wr_thread *thread, int64_t timeout_us);

/** A condition variable on the monotonic clock. */
void wr_cond_init(pthread_cond_t *cond);

/** Waits at most `timeout_us` (< 0: without end). False when the time passed. The mutex must be
 * held. */
bool wr_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, long long timeout_us);

#endif
