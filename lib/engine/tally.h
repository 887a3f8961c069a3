/* SPDX-License-Identifier: MIT */
/*
 * A tally: what became of the jobs of one type, and what times they took. It is counted in shards, so
 * that threads which run the same type don't write to the same memory.
 *
 * Threads: count from any, each under the slot of its thread; gather from any. Nobody waits.
 */
#ifndef WR_ENGINE_TALLY_H
#define WR_ENGINE_TALLY_H

#include "base/histogram.h"
#include "model/outcome.h"

enum { WR_TALLY_SHARDS = 8 };

/** What one or several threads have counted. */
struct wr_tally_shard {
    _Atomic uint64_t outcomes[WR_OUTCOMES];
    _Atomic int64_t last_done_ms;
    struct wr_histogram run;   /* in the handler */
    struct wr_histogram wait;  /* from when it could have run, backoff and delay aside */
    struct wr_histogram total; /* from the first publish to the end, whatever end */
};

/** Zero-initialised. A shard is made when it is first counted in. */
struct wr_tally {
    _Atomic(struct wr_tally_shard *) shards[WR_TALLY_SHARDS];
};

/** All shards together. */
struct wr_tally_sum {
    uint64_t outcomes[WR_OUTCOMES];
    int64_t last_done_ms; /* Unix time; 0: never */
    struct wr_histogram_sum run;
    struct wr_histogram_sum wait;
    struct wr_histogram_sum total;
};

/** The shard of a thread; NULL without memory: then that isn't counted. */
struct wr_tally_shard *wr_tally_shard(struct wr_tally *tally, int slot);

/** Adds a tally to a sum. */
void wr_tally_gather(const struct wr_tally *tally, struct wr_tally_sum *sum);

void wr_tally_done(struct wr_tally *tally);

#endif
