/* SPDX-License-Identifier: MIT */
/*
 * Lateness: notices jobs that come home from the delay ladder long after they were due although
 * this worker stood ready for them, counts them, and says why, at most once a minute.
 *
 * Threads: the consumer's.
 */
#ifndef WR_ENGINE_LATENESS_H
#define WR_ENGINE_LATENESS_H

#include "engine/counters.h"
#include "engine/source.h"

#define WR_LATE_US 20000000 /* what a broker with Warren's settings may need after a restart */

struct wr_lateness {
    struct wr_counters *counters;
    uint64_t untold; /* late jobs since the last line */
    int64_t worst_us;
    const char *queue; /* of the last one; borrowed from its source */
    int64_t next_tell_us;
};

/** A job has come. `wall_ms`: now. */
void wr_lateness_note(struct wr_lateness *lateness, const struct warren_job *job, int64_t wall_ms,
                      int64_t now_us);

/** Writes the line if there is something to tell and it is time. */
void wr_lateness_tell(struct wr_lateness *lateness, int64_t now_us);

#endif
