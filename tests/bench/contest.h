/* SPDX-License-Identifier: MIT */
/*
 * Plays a bench: its sides in turn, round after round, and what comes out of it. Threads: one.
 */
#ifndef TESTS_BENCH_CONTEST_H
#define TESTS_BENCH_CONTEST_H

#include "bench.h"

/** How to play. */
struct contest_options {
    int rounds;
    long jobs;     /**< instead of the bench's own count; 0: as it says */
    bool is_short; /**< only whether all works: no warming up, no waiting */
};

/** Plays it and fills `out`. */
void contest_play(struct bench *bench, const struct contest_options *options, struct outcome *out);

/** Whether all goals were met. */
bool contest_is_met(const struct outcome *outcome);

#endif
