/* SPDX-License-Identifier: MIT */
/*
 * A histogram of durations in fixed buckets, from a millisecond to half an hour: the same for all
 * that is measured, so that any two can be laid over each other. The bounds are those that
 * OpenTelemetry advises for jobs of seconds, thinned out and continued upwards.
 *
 * Threads: add and gather from any; a reader may see an observation's bucket before its sum.
 */
#ifndef WR_BASE_HISTOGRAM_H
#define WR_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    WR_HISTOGRAM_BOUNDS = 17,
    WR_HISTOGRAM_BUCKETS = WR_HISTOGRAM_BOUNDS + 1 /* the last one has no bound */
};

/** The upper bounds, in microseconds, each within its bucket. */
extern const int64_t wr_histogram_bounds_us[WR_HISTOGRAM_BOUNDS];

struct wr_histogram {
    _Atomic uint64_t buckets[WR_HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_us;
};

/** Several of them added up, as one reader has it. */
struct wr_histogram_sum {
    uint64_t buckets[WR_HISTOGRAM_BUCKETS];
    uint64_t sum_us;
};

/** The bucket of a duration; below zero (a clock was set back) is zero. */
static inline int wr_histogram_bucket(int64_t us)
{
    int bucket = 0;
    while (bucket < WR_HISTOGRAM_BOUNDS && us > wr_histogram_bounds_us[bucket]) {
        bucket++;
    }
    return bucket;
}

static inline void wr_histogram_add(struct wr_histogram *histogram, int64_t us)
{
    us = us > 0 ? us : 0;
    (void)atomic_fetch_add_explicit(&histogram->buckets[wr_histogram_bucket(us)], 1,
                                    memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&histogram->sum_us, (uint64_t)us, memory_order_relaxed);
}

/** Adds what is in a histogram to a sum. */
void wr_histogram_gather(const struct wr_histogram *histogram, struct wr_histogram_sum *sum);

/** The duration below which that part (0 to 1) of all lies, in microseconds, by a straight line within
 * its bucket; 0 when there is none. Of the last bucket its lower bound is all that is known. */
double wr_histogram_quantile_us(const struct wr_histogram_sum *sum, double part);

#endif
