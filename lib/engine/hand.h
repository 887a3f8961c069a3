/* SPDX-License-Identifier: MIT */
/*
 * A worker's hand: jobs of one lane that it has taken and runs one after the other. What it has not
 * started may be taken out again.
 *
 * Threads: filled by the worker under the pool's lock, when it is empty; emptied by others under that
 * lock; played by the worker without it. Who raises the index has the job.
 */
#ifndef WR_ENGINE_HAND_H
#define WR_ENGINE_HAND_H

#include <stdatomic.h>
#include <stdint.h>

#include "model/job.h"

enum { WR_HAND_MOST = 64 };

struct wr_hand {
    _Atomic uint32_t state; /* the next one's index, and behind 16 bits how many there were */
    struct warren_job *jobs[WR_HAND_MOST];
};

/** Fills an empty hand with up to `most` jobs from the front of the list; returns how many. */
static inline uint32_t wr_hand_fill(struct wr_hand *hand, struct wr_list *from, uint32_t most)
{
    uint32_t count = 0;
    most = most < WR_HAND_MOST ? most : WR_HAND_MOST;
    for (; count < most && from->first; count++) {
        hand->jobs[count] = WR_OF(wr_list_take(from), struct warren_job, link);
    }
    atomic_store_explicit(&hand->state, count << 16, memory_order_release);
    return count;
}

/** The next job, which is the caller's now; NULL: none is left. */
static inline struct warren_job *wr_hand_play(struct wr_hand *hand)
{
    uint32_t state = atomic_load_explicit(&hand->state, memory_order_acquire);
    while ((state & 0xFFFF) < state >> 16) {
        if (atomic_compare_exchange_weak_explicit(&hand->state, &state, state + 1,
                                                  memory_order_acq_rel, memory_order_acquire)) {
            return hand->jobs[state & 0xFFFF];
        }
    }
    return NULL;
}

/** Whether a job is left. */
static inline bool wr_hand_has_more(const struct wr_hand *hand)
{
    uint32_t state = atomic_load_explicit(&hand->state, memory_order_acquire);
    return (state & 0xFFFF) < state >> 16;
}

#endif
