/* SPDX-License-Identifier: MIT */
/*
 * The tide: whether so many jobs come that take next to nothing that the threads have time to spare
 * and the broker is what all wait for. Then a few large rounds of the consumer cost less than many
 * small ones, and nobody waits for longer. Or whether so few come that each may be looked after at once.
 *
 * Threads: owned by the consumer thread. Pure: `now` is an argument.
 */
#ifndef WR_ENGINE_TIDE_H
#define WR_ENGINE_TIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wr_tide {
    bool is_flood;
    bool is_trickle;
    size_t jobs;     /* since the last turn */
    int64_t work_ns; /* that they should take */
    int64_t turned_us;
};

/** Jobs were handed to the pool, which should be busy with them for so long. */
static inline void wr_tide_note(struct wr_tide *tide, size_t jobs, int64_t work_ns)
{
    tide->jobs += jobs;
    tide->work_ns += work_ns;
}

/** Decides anew every two milliseconds: 8,000 jobs a second and more that keep a single thread busy for
 * less than half of the time are a flood; up to 2,000 are a trickle. */
static inline void wr_tide_turn(struct wr_tide *tide, int64_t now_us)
{
    enum { TURN_US = 2000, JOBS_LEAST = 16, JOBS_FEW = 4, WORK_PART = 2 };
    int64_t passed_us = now_us - tide->turned_us;
    if (passed_us < TURN_US) {
        return;
    }
    tide->is_flood = passed_us < 2 * TURN_US && tide->jobs >= JOBS_LEAST &&
                     tide->work_ns / 1000 <= passed_us / WORK_PART;
    tide->is_trickle = (int64_t)tide->jobs * TURN_US <= JOBS_FEW * passed_us;
    tide->jobs = 0;
    tide->work_ns = 0;
    tide->turned_us = now_us;
}

#endif
