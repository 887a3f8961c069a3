/* SPDX-License-Identifier: MIT */
/*
 * When acknowledgements left a process, as a library for LD_PRELOAD sees it. A program finds it with
 * dlsym, so that without it nothing is there and nothing is slower. Threads: any.
 */
#ifndef TESTS_BENCH_ACK_CLOCK_H
#define TESTS_BENCH_ACK_CLOCK_H

#include <stdint.h>

/** When `tag` was acknowledged (CLOCK_MONOTONIC); 0: not yet, or no such tag. */
typedef int64_t ack_clock_when(uint64_t tag);

/** The one that the library exports. */
ack_clock_when ack_clock_when_acked;

#endif
