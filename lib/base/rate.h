/* SPDX-License-Identifier: MIT */
/*
 * A rate: how often something may happen in a window of one second, and how often it was asked for.
 * One word, so that any number of threads can ask without a lock. Zero-initialise.
 *
 * Threads: any.
 */
#ifndef WR_BASE_RATE_H
#define WR_BASE_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { WR_RATE_WINDOW_US = 1000000 };

struct wr_rate {
    _Atomic uint64_t word; /* the window's number above, how often it was asked for below */
};

/** Asks once. False: `most` were admitted in this window already. `*out_left_out` tells how many
 * were refused in a window that has ended, once. */
bool wr_rate_take(struct wr_rate *rate, uint32_t most, int64_t now_us, uint32_t *out_left_out);

/** How many were refused in a window that has ended and that nobody has told yet; also in the one
 * that hasn't ended when `is_last`. */
uint32_t wr_rate_flush(struct wr_rate *rate, uint32_t most, int64_t now_us, bool is_last);

#endif
