/* SPDX-License-Identifier: MIT */
/*
 * How many jobs of a source the broker hands over ahead. Either what the queue file says, or a number
 * that follows from what its jobs take: enough that no thread waits for the broker, and no more, since
 * what is handed over can't be done by an idle worker elsewhere.
 *
 * Threads: owned by the consumer thread. Pure: times are arguments.
 */
#ifndef WR_ENGINE_PREFETCH_H
#define WR_ENGINE_PREFETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most that is asked for by itself: beyond it there is nothing to gain. */
#define WR_PREFETCH_AUTO_MOST 1000

struct wr_prefetch {
    uint16_t now; /* what the broker was told last */
    bool is_auto;
    uint16_t least;
    int slots_most;   /* how many of its jobs can run at once */
    int64_t run_ns;   /* of a job, about; 0: none was settled yet */
    int64_t bytes;    /* of a delivery, about */
    int64_t slots_16; /* how many threads it can have, about, in sixteenths */
    int shrinks;      /* looks in a row that wanted less */
    uint64_t settled; /* since the last look */
    int64_t next_look_us;
};

/** `configured`: the queue file's, 0 for auto. `slots`: how many of its jobs can run at once; `types`:
 * how many types they are of. */
void wr_prefetch_init(struct wr_prefetch *prefetch, int configured, int slots, size_t types);

/** The same for a source that is consumed: what was learned stays. Returns what the broker should be
 * told now; `now` is the caller's to change. */
uint16_t wr_prefetch_refit(struct wr_prefetch *prefetch, int configured, int slots, size_t types);

/** A job is settled: what a run of its type takes (0: not known) and how large it was. */
void wr_prefetch_note(struct wr_prefetch *prefetch, int64_t run_ns, size_t bytes);

/** Whether it is time to look at wr_prefetch_wanted. */
bool wr_prefetch_is_due(const struct wr_prefetch *prefetch, int64_t now_us);

/** What the broker should be told: `now` unless another number is better by far. `slots`: how many
 * threads it has or could have at this moment. */
uint16_t wr_prefetch_wanted(struct wr_prefetch *prefetch, int slots, int64_t now_us);

#endif
