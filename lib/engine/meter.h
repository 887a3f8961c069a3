/* SPDX-License-Identifier: MIT */
/*
 * The meter: a job is counted and timed, under its type and its queue. Threads: whoever
 * has the job.
 */
#ifndef WR_ENGINE_METER_H
#define WR_ENGINE_METER_H

#include "model/job.h"
#include "model/outcome.h"

/** Its handler has returned: how long it waited for its thread, and how long it ran. A job that was
 * delivered before has no wait: nobody knows what its first run took of it. */
void wr_meter_run(struct warren_job *job, int64_t now_us);

/** What became of it, once that is decided. */
void wr_meter_outcome(const struct warren_job *job, enum wr_outcome outcome);

/** The same for a dead letter, with its reason. */
void wr_meter_death(const struct warren_job *job, const char *reason);

#endif
