// SPDX-License-Identifier: MIT
// DESIGN: a lock for each thread, which nobody else wants but once a second. A job's overrun is told
// once: its deadline is forgotten then.
#include "engine/overtime.h"

#include "base/cleanup.h"
#include "base/log.h"

void wr_overtime_init(struct wr_overtime *overtime)
{
    *overtime = (struct wr_overtime){ 0 };
    (void)pthread_mutex_init(&overtime->lock, NULL);
}

void wr_overtime_done(struct wr_overtime *overtime)
{
    (void)pthread_mutex_destroy(&overtime->lock);
}

void wr_overtime_begin(struct wr_overtime *overtime, const struct warren_job *job)
{
    size_t most = sizeof overtime->id - 1;
    size_t size = job->id.size < most ? job->id.size : most;
    WR_SCOPED_LOCK(&overtime->lock);
    overtime->lane = job->lane;
    overtime->deadline_us = job->deadline_us;
    memcpy(overtime->id, job->id.data, size);
    overtime->id[size] = '\0';
}

void wr_overtime_end(struct wr_overtime *overtime)
{
    WR_SCOPED_LOCK(&overtime->lock);
    overtime->deadline_us = 0;
}

bool wr_overtime_look(struct wr_overtime *overtime, int64_t now_us)
{
    char id[2 * sizeof overtime->id];
    WR_SCOPED_LOCK(&overtime->lock);
    if (!overtime->deadline_us || now_us < overtime->deadline_us) {
        return false;
    }
    overtime->deadline_us = 0;
    const struct wr_lane *lane = overtime->lane;
    wr_log(WR_WARN, "job.overrun", "queue=%s type=%s id=%s timeout_ms=%lld", lane->queue->name,
           lane->settings->type, wr_log_quote(id, sizeof id, overtime->id),
           (long long)lane->settings->timeout_ms);
    return true;
}
