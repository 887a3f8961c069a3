// SPDX-License-Identifier: MIT
// DESIGN: few buckets, so that a line's search is a handful of comparisons and a scrape stays small.
// Most jobs are short: the search begins at the bottom.
#include "base/histogram.h"

enum { MS = 1000, S = 1000000 };

const int64_t wr_histogram_bounds_us[WR_HISTOGRAM_BOUNDS] = {
    1 * MS, 2500,      5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS,
    1 * S,  2500 * MS, 5 * S,  10 * S,  30 * S,  60 * S,  300 * S,  1800 * S,
};

void wr_histogram_gather(const struct wr_histogram *histogram, struct wr_histogram_sum *sum)
{
    for (int i = 0; i < WR_HISTOGRAM_BUCKETS; i++) {
        sum->buckets[i] += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
    }
    sum->sum_us += atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
}

double wr_histogram_quantile_us(const struct wr_histogram_sum *sum, double part)
{
    uint64_t all = 0;
    for (int i = 0; i < WR_HISTOGRAM_BUCKETS; i++) {
        all += sum->buckets[i];
    }
    double wanted = part * (double)all;
    double below = 0;
    double lower_us = 0;
    for (int i = 0; all && i < WR_HISTOGRAM_BOUNDS; i++) {
        double upper_us = (double)wr_histogram_bounds_us[i];
        double here = (double)sum->buckets[i];
        if (here > 0 && below + here >= wanted) {
            return lower_us + (upper_us - lower_us) * (wanted - below) / here;
        }
        below += here;
        lower_us = upper_us;
    }
    return lower_us * (all ? 1 : 0);
}
