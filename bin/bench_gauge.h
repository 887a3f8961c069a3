/* SPDX-License-Identifier: MIT */
/*
 * What a bench reads off its machine: times, their percentiles, and whose CPU was busy meanwhile.
 *
 * Threads: samples may be added by any number of threads at once; everything else belongs to one
 * thread at a time.
 */
#ifndef BENCH_GAUGE_H
#define BENCH_GAUGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Monotonic time. */
int64_t bench_now_ns(void);

/** Times, as many as there is room for; those beyond are dropped. */
struct bench_samples {
    int64_t *items;
    size_t capacity;
    atomic_size_t count; /* of those that were added, dropped ones too */
};

struct bench_times {
    size_t count;
    double p50_ms;
    double p99_ms;
    double max_ms;
};

/** False without memory. */
bool bench_samples_init(struct bench_samples *samples, size_t capacity);
void bench_samples_add(struct bench_samples *samples, int64_t ns);
/** Sums up, once nobody adds any more; sorts the samples. */
struct bench_times bench_samples_sum(struct bench_samples *samples);
void bench_samples_done(struct bench_samples *samples);

/** Where the CPU went between a gauge's begin and end. Shares are of one core, 1.0 being all of it;
 * negative: /proc doesn't tell. */
struct bench_load {
    double wall_s;
    double cpu_s;  /* of this process */
    double thread; /* share of the busiest thread of this process */
    char thread_name[16];
    double machine; /* share of all cores of this machine, whoever used them: 1.0 is all */
};

enum { BENCH_THREADS_MOST = 320 };

struct bench_gauge {
    int64_t begun_ns;
    double cpu_s;
    uint64_t busy; /* ticks of all cores */
    uint64_t total;
    size_t thread_count;
    struct bench_thread {
        long id;
        double cpu_s;
        char name[16];
    } threads[BENCH_THREADS_MOST];
};

void bench_gauge_begin(struct bench_gauge *gauge);
void bench_gauge_end(const struct bench_gauge *gauge, struct bench_load *out);

#endif
