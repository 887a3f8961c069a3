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

static void copy(char *out, size_t size, struct wr_slice from)
{
    size_t used = from.size < size - 1 ? from.size : size - 1;
    if (used) {
        memcpy(out, from.data, used);
    }
    out[used] = '\0';
}

void wr_overtime_begin(struct wr_overtime *overtime, const struct warren_job *job)
{
    WR_SCOPED_LOCK(&overtime->lock);
    overtime->lane = job->lane;
    overtime->deadline_us = job->deadline_us;
    overtime->attempt = (int)job->books.attempt + 1;
    copy(overtime->id, sizeof overtime->id, job->id);
    copy(overtime->traceparent, sizeof overtime->traceparent, job->books.traceparent);
}

void wr_overtime_end(struct wr_overtime *overtime)
{
    WR_SCOPED_LOCK(&overtime->lock);
    overtime->deadline_us = 0;
}

bool wr_overtime_look(struct wr_overtime *overtime, int64_t now_us)
{
    char id[2 * sizeof overtime->id];
    char queue[WR_LOG_WORD_SIZE];
    char type[WR_LOG_WORD_SIZE];
    char trace_id[WR_TRACE_ID_SIZE] = "";
    WR_SCOPED_LOCK(&overtime->lock);
    if (!overtime->deadline_us || now_us < overtime->deadline_us) {
        return false;
    }
    overtime->deadline_us = 0;
    const struct wr_lane *lane = overtime->lane;
    bool has_trace = wr_trace_id_of(wr_slice_of(overtime->traceparent), trace_id);
    wr_log(WR_WARN, "job.overrun", "queue=%s type=%s id=%s attempt=%d timeout_ms=%lld%s%s",
           wr_log_word(queue, sizeof queue, lane->queue->name),
           wr_log_word(type, sizeof type, lane->settings->type),
           wr_log_quote(id, sizeof id, overtime->id), overtime->attempt,
           (long long)lane->settings->timeout_ms, has_trace ? " trace_id=" : "", trace_id);
    return true;
}
