/* SPDX-License-Identifier: MIT */
/*
 * A pace: something that wakes somebody, or costs a frame, happens once in three quarters of a period
 * at most on average, and within a period at the latest. So what itself comes once a period is never put
 * off for long: after one that came late there is room for an early one, and what was lost is made up
 * for. Pure.
 */
#ifndef WR_ENGINE_PACE_H
#define WR_ENGINE_PACE_H

#include <stdint.h>

/** When it may happen again, after it has happened now; `due_us` is what this said the last time (very
 * early: never). Between half a period and a whole one from now. */
static inline int64_t wr_pace_next_us(int64_t due_us, int64_t now_us, int64_t period_us)
{
    int64_t next_us = due_us + period_us * 3 / 4;
    next_us = next_us > now_us + period_us / 2 ? next_us : now_us + period_us / 2;
    return next_us < now_us + period_us ? next_us : now_us + period_us;
}

#endif
