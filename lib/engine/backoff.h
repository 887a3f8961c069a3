/* SPDX-License-Identifier: MIT */
/*
 * Waits between tries: 100 ms, doubled each time up to 30 s, with full jitter, so that a fleet
 * doesn't come back all at once. Threads: any.
 */
#ifndef WR_ENGINE_BACKOFF_H
#define WR_ENGINE_BACKOFF_H

#include <stdint.h>

#include "base/random.h"
#include "warren/error.h"

/** How long to wait after `failures` tries in a row that failed before the last one, which ended
 * with `status`: a refusal (password, vhost, rights) is worth fewer tries from the start. */
static inline int64_t wr_backoff_us(int failures, warren_status status)
{
    static const int64_t first_us = 100000;
    static const int64_t refused_us = 2000000;
    static const int64_t last_us = 30000000;
    int64_t most_us = status == WARREN_REFUSED ? refused_us : first_us;
    for (int i = 0; i < failures && most_us < last_us; i++) {
        most_us *= 2;
    }
    most_us = most_us < last_us ? most_us : last_us;
    return first_us / 2 + (int64_t)(wr_random() % (uint64_t)most_us);
}

#endif
