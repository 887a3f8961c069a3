/* SPDX-License-Identifier: MIT */
/*
 * The runner: what happens to one job, from its handler to the moment it may be acknowledged. It
 * alone knows verdicts.
 *
 * Threads: run is called by workers, conclude also by the consumer thread (for jobs that no handler
 * may see) and by the publisher's (when the last message of a job is confirmed). A job is settled
 * exactly once, through `settle`.
 */
#ifndef WR_ENGINE_RUNNER_H
#define WR_ENGINE_RUNNER_H

#include "engine/counters.h"
#include "engine/publisher.h"
#include "engine/tracer.h"
#include "io/ledger.h"
#include "model/job.h"

struct wr_runner {
    _Atomic(const struct wr_settings *) settings; /* the newest */
    const struct wr_clock *clock;
    const char *worker; /* this worker's name in histories */
    struct wr_publisher *publisher;
    struct wr_ledger *ledger;                           /* may be NULL */
    struct wr_tracer *tracer;                           /* may be NULL */
    void (*settle)(void *user, struct warren_job *job); /* takes the job; any thread */
    /* Whether the broker has taken the job back meanwhile; any thread. */
    bool (*is_stale)(void *user, const struct warren_job *job);
    void *user;
};

/** Runs a job's handler and concludes. The pool's function: `user` is the runner. Takes the job. */
void wr_runner_run(void *user, struct warren_job *job);

/** Carries out the verdict that the job has. Takes the job. */
void wr_runner_conclude(struct wr_runner *runner, struct warren_job *job);

/** Publishes a message of a handler's; the job isn't settled before it is confirmed. */
warren_status wr_runner_publish(struct wr_runner *runner, struct warren_job *job,
                                const struct warren_message *message, warren_error *err);

/** The name of the queue at the broker that the job comes home to after a wait. Written into `out`.
 */
const char *wr_runner_home(char *out, size_t size, const struct warren_job *job);

#endif
