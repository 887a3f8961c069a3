/* SPDX-License-Identifier: MIT */
/*
 * Threads that have nothing to do, on a stack: who lay down last is called first. So jobs that come one
 * by one run on the same thread, whose stack and data the processor still has at hand, and it doesn't
 * matter how many others there are.
 *
 * To call and to wake are two things, since who is woken wants the lock at once: `call` under the lock,
 * `wake` without it.
 *
 * Threads: all but wr_sleepers_wake under one lock, the owner's.
 */
#ifndef WR_ENGINE_SLEEPERS_H
#define WR_ENGINE_SLEEPERS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

/** One thread; part of what its owner keeps of it. */
struct wr_sleeper {
    struct wr_sleeper *below; /* who lay down before it, or was called with it */
    sem_t is_called;
};

struct wr_sleepers {
    struct wr_sleeper *top;
    int count;
    int coming; /* were called and aren't up yet */
};

void wr_sleeper_init(struct wr_sleeper *sleeper);
void wr_sleeper_done(struct wr_sleeper *sleeper);

/** Sleeps until it is called; leaves the lock meanwhile. */
void wr_sleepers_join(struct wr_sleepers *sleepers, struct wr_sleeper *sleeper,
                      pthread_mutex_t *lock);

/** Takes as many as `count` from the stack. NULL: none. They are to be woken, by whoever called them. */
struct wr_sleeper *wr_sleepers_call(struct wr_sleepers *sleepers, int64_t count);

/** Wakes those that were called; NULL: none. */
void wr_sleepers_wake(struct wr_sleeper *called);

#endif
