/* SPDX-License-Identifier: MIT */
/*
 * What a worker counts that is rare, or belongs to no queue; what belongs to one stands in its source
 * (engine/source.h) and in the tallies of its types (engine/tally.h). Threads: any; each count is on its
 * own.
 */
#ifndef WR_ENGINE_COUNTERS_H
#define WR_ENGINE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

struct wr_counters {
    _Atomic uint64_t given_back;
    _Atomic uint64_t stale;
    _Atomic uint64_t connections;
    _Atomic uint64_t cancels;        /* consumers that the broker ended */
    _Atomic uint64_t channel_losses; /* channels that it closed */
    _Atomic uint64_t silences;       /* consumers that it forgot */
    _Atomic uint64_t home;           /* jobs that the delay ladder brought home */
    _Atomic uint64_t late;           /* of them, late */
    _Atomic uint64_t in_flight;
    _Atomic uint64_t prefetch; /* of all sources together, now */
    _Atomic uint64_t prefetch_changes;
    _Atomic uint64_t crashes;    /* of other processes' runs, found in their ledgers */
    _Atomic uint64_t interrupts; /* likewise */
};

static inline void wr_count(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/** The same where only one thread counts: it costs next to nothing. */
static inline void wr_count_alone(_Atomic uint64_t *counter, int by)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + (uint64_t)by, memory_order_relaxed);
}

static inline uint64_t wr_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
