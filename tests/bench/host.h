/* SPDX-License-Identifier: MIT */
/*
 * What the host of a virtual machine took from it while something ran: "steal" in /proc/stat, the
 * time in which a processor had work and was not given to us (proc(5)). Threads: any.
 */
#ifndef TESTS_BENCH_HOST_H
#define TESTS_BENCH_HOST_H

/** A moment, in ticks of all processors together. */
struct host_mark {
    long long wanted; /**< in which there was work, whether it was done or not */
    long long taken;
};

struct host_mark host_mark(void);

/** How much of what was wanted since then the host took, in percent. A single tick is nothing: it may
 * have begun before. 0 on a machine that is no guest. */
double host_took(const struct host_mark *since);

#endif
