/* SPDX-License-Identifier: MIT */
/*
 * The watch over one thread's running job: whether it runs past its type's timeout. Threads: begin
 * and end by the thread that runs the job; a look by any.
 */
#ifndef WR_ENGINE_OVERTIME_H
#define WR_ENGINE_OVERTIME_H

#include <pthread.h>
#include <stdbool.h>

#include "engine/lane.h"
#include "model/job.h"

struct wr_overtime {
    pthread_mutex_t lock;
    /* Under lock: copies, since the job may be settled and freed before its thread is back. */
    int64_t deadline_us; /* 0: nothing to watch */
    const struct wr_lane *lane;
    char id[64];
    int attempt;
    char traceparent[64]; /* "": none */
};

void wr_overtime_init(struct wr_overtime *overtime);
void wr_overtime_done(struct wr_overtime *overtime);

/** A job with a deadline begins, and ends. */
void wr_overtime_begin(struct wr_overtime *overtime, const struct warren_job *job);
void wr_overtime_end(struct wr_overtime *overtime);

/** Whether the job has run past its deadline and this is the first look that sees it; says so in the
 * log. */
bool wr_overtime_look(struct wr_overtime *overtime, int64_t now_us);

#endif
