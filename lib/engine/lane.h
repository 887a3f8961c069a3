/* SPDX-License-Identifier: MIT */
/*
 * A lane: the waiting jobs of one job type in one queue, and the limit on how many of them run at
 * once. Lanes belong to the pool and are touched under its lock only; what is set before the start
 * may be read by anyone.
 */
#ifndef WR_ENGINE_LANE_H
#define WR_ENGINE_LANE_H

#include <stdatomic.h>

#include "base/list.h"
#include "engine/tally.h"
#include "model/settings.h"
#include "warren/job.h"

/** For how long a thread should be busy with what it takes at once, in ns. */
#define WR_QUANTUM_NS INT64_C(200000)

struct wr_lane {
    /* Set before the start. */
    const struct wr_queue_settings *queue;
    /* The type's newest: a reload puts others here, under the pool's lock; of these only what is LIVE
     * in the table may differ. Any thread may read it, and keep what it read. */
    _Atomic(const struct wr_job_settings *) settings;
    warren_handler *handler;
    void *user;
    size_t number;          /* among all lanes of the worker, from 0 */
    size_t queue_number;    /* of its queue among the configured ones, from 0 */
    _Atomic int64_t run_ns; /* what a run takes, about; 0: not known yet. Any thread may read it */
    atomic_bool
        is_held; /* paused: its jobs go into the delay ladder for a while. Set by any thread */
    struct wr_tally tally;
    /* Under the pool's lock. */
    struct wr_link link; /* in the pool's list of runnable lanes */
    bool is_listed;
    struct wr_list waiting;
    int running;
    int64_t last_wait_log_us; /* when it was last named for holding jobs back */
};

/** What a run takes, about; 0: not known yet. Any thread. */
static inline int64_t wr_lane_run_ns(const struct wr_lane *lane)
{
    return atomic_load_explicit(&lane->run_ns, memory_order_relaxed);
}

/** What one of its jobs should take, in ns, at most WR_QUANTUM_NS; that much also when nobody knows. */
int64_t wr_lane_expected_ns(const struct wr_lane *lane);

/** Notes what some runs took together. Any thread; of two at once one may be lost. */
void wr_lane_note_runs(struct wr_lane *lane, int64_t took_us, int64_t runs);

/** Gives lanes, which stand in the order of the settings, the newer settings of their types; returns
 * how many there are. Under the pool's lock. */
size_t wr_lanes_adopt(struct wr_lane *lanes, const struct wr_settings *settings);

/** Whether one of its jobs may start now. */
static inline bool wr_lane_has_work(const struct wr_lane *lane)
{
    return lane->waiting.first && lane->running < lane->settings->concurrency;
}

#endif
