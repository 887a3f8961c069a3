// SPDX-License-Identifier: MIT
// DESIGN: each sleeper has a semaphore of its own, so that the one that is meant is woken, and none twice:
// who was called lies on the stack no more. A condition variable would wake whoever has waited longest,
// which is the coldest one.
#include "engine/sleepers.h"

#include <stddef.h>

void wr_sleeper_init(struct wr_sleeper *sleeper)
{
    sleeper->below = NULL;
    (void)sem_init(&sleeper->is_called, 0, 0);
}

void wr_sleeper_done(struct wr_sleeper *sleeper)
{
    (void)sem_destroy(&sleeper->is_called);
}

void wr_sleepers_join(struct wr_sleepers *sleepers, struct wr_sleeper *sleeper,
                      pthread_mutex_t *lock)
{
    sleeper->below = sleepers->top;
    sleepers->top = sleeper;
    sleepers->count++;
    (void)pthread_mutex_unlock(lock);
    while (sem_wait(&sleeper->is_called)) {
        continue; /* a signal came */
    }
    (void)pthread_mutex_lock(lock);
    sleepers->coming--;
}

struct wr_sleeper *wr_sleepers_call(struct wr_sleepers *sleepers, int64_t count)
{
    struct wr_sleeper *called = NULL;
    for (; count > 0 && sleepers->top; count--) {
        struct wr_sleeper *sleeper = sleepers->top;
        sleepers->top = sleeper->below;
        sleepers->count--;
        sleepers->coming++;
        sleeper->below = called;
        called = sleeper;
    }
    return called;
}

void wr_sleepers_wake(struct wr_sleeper *called)
{
    while (called) {
        struct wr_sleeper *next = called->below; /* once up, it may lie down again */
        (void)sem_post(&called->is_called);
        called = next;
    }
}
