// SPDX-License-Identifier: MIT
// DESIGN: who a job is, for every log line about it: the same fields, in the same order, whoever
// writes the line. Never its body.
#include <stdio.h>

#include "base/log.h"
#include "model/job.h"

bool wr_job_trace_id(const struct warren_job *job, char out[WR_TRACE_ID_SIZE])
{
    if (job->is_traced) {
        wr_trace_id_write(job->trace.id, out);
        return true;
    }
    return wr_trace_id_of(job->books.traceparent, out);
}

const char *wr_job_who(const struct warren_job *job, char *out)
{
    char id[300];
    char queue[WR_LOG_WORD_SIZE];
    char type[WR_LOG_WORD_SIZE];
    char trace_id[WR_TRACE_ID_SIZE] = "";
    char span_id[16 + WR_SPAN_ID_SIZE] = "";
    bool has_trace = wr_job_trace_id(job, trace_id);
    if (job->is_traced) {
        memcpy(span_id, " span_id=", 9);
        wr_span_id_write(job->trace.span, span_id + 9);
    }
    (void)snprintf(out, WR_JOB_WHO_SIZE, "queue=%s type=%s id=%s attempt=%d%s%s%s",
                   wr_log_word(queue, sizeof queue, job->queue->name),
                   job->settings ? wr_log_word(type, sizeof type, job->settings->type) : "-",
                   wr_text_quote(id, sizeof id, job->id), (int)job->books.attempt + 1,
                   has_trace ? " trace_id=" : "", trace_id, span_id);
    return out;
}

bool warren_job_traceparent(const warren_job *job, char out[56])
{
    struct wr_trace trace = job->trace;
    if (!job->is_traced && !wr_trace_read(job->books.traceparent, &trace)) {
        return false;
    }
    wr_trace_write(&trace, out);
    return true;
}

bool warren_job_trace_id(const warren_job *job, char out[33])
{
    return wr_job_trace_id(job, out);
}
