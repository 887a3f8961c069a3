/* SPDX-License-Identifier: MIT */
/*
 * A tally: what became of the jobs of one type, and what times they took. It is counted in shards, so
 * that threads which run the same type don't write to the same memory.
 *
 * Threads: count from any, each under the slot of its thread; gather from any. Nobody waits.
 */
#ifndef WR_ENGINE_TALLY_H
#define WR_ENGINE_TALLY_H

#include <stdbool.h>

#include "base/histogram.h"
#include "model/outcome.h"
#include "model/trace.h"

enum { WR_TALLY_SHARDS = 8 };

/** What one or several threads have counted. */
struct wr_tally_shard {
    _Atomic uint64_t outcomes[WR_OUTCOMES];
    _Atomic int64_t last_done_ms;
    struct wr_histogram run;   /* in the handler */
    struct wr_histogram wait;  /* from when it could have run, backoff and delay aside */
    struct wr_histogram total; /* from the first publish to the end, whatever end */
};

/** A run that somebody may look at: the trace that it was in. Of those of a second one is kept. */
struct wr_exemplar {
    char trace_id[WR_TRACE_ID_SIZE]; /* "": none */
    int64_t run_us;
    int64_t at_ms; /* Unix time of its end */
};

/** Zero-initialised. A shard is made when it is first counted in. */
struct wr_tally {
    _Atomic(struct wr_tally_shard *) shards[WR_TALLY_SHARDS];
    _Atomic int64_t next_exemplar_us; /* another one is wanted from then on */
    atomic_bool is_busy;              /* somebody writes or reads the exemplar; others go without */
    struct wr_exemplar exemplar;
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

/** Whether an exemplar is wanted now; whoever is told so gives one, or nobody does for a second. */
bool wr_tally_wants_exemplar(struct wr_tally *tally, int64_t now_us);
void wr_tally_give_exemplar(struct wr_tally *tally, const struct wr_exemplar *exemplar);

/** The last one; none while it is being written. */
struct wr_exemplar wr_tally_exemplar(struct wr_tally *tally);

/** Adds a tally to a sum. */
void wr_tally_gather(const struct wr_tally *tally, struct wr_tally_sum *sum);

void wr_tally_done(struct wr_tally *tally);

#endif
