/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for jitter, ids and shuffling: not for secrets. Threads: any; each thread has its
 * own state.
 */
#ifndef WR_BASE_RANDOM_H
#define WR_BASE_RANDOM_H

#include <stdint.h>

/** The next 64 random bits of this thread. */
uint64_t wr_random(void);

/** Fixes this thread's sequence, so that a run can be repeated. */
void wr_random_seed(uint64_t seed);

#endif
