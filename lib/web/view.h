/* SPDX-License-Identifier: MIT */
/*
 * What the pages are made of: what a worker says of itself at one moment. Plain data; strings are
 * borrowed from the worker, the rows are the view's.
 */
#ifndef WR_WEB_VIEW_H
#define WR_WEB_VIEW_H

#include <stdlib.h>

#include "base/histogram.h"
#include "model/outcome.h"
#include "warren/worker.h"

#define WR_VIEW_LOOPS 2

/** A thread that should come round all the time. */
struct wr_view_loop {
    const char *role;
    int64_t round_us; /* when its last round began, monotonic; 0: it has not begun */
};

/** A configured queue. */
struct wr_view_queue {
    const char *queue;
    uint64_t deliveries[2]; /* first ones, and repeated ones */
    uint64_t in_flight;
    uint64_t prefetch;
    bool has_types;
    bool is_consumed;
    bool is_paused; /* by an operator */
    uint64_t dead[WR_REASONS];
};

/** A run whose trace somebody may look at; trace_id "": none. */
struct wr_view_exemplar {
    char trace_id[33];
    int64_t run_us;
    int64_t at_ms; /* Unix time */
};

/** A job type of a queue. */
struct wr_view_type {
    const char *queue;
    const char *type;
    uint64_t outcomes[WR_OUTCOMES];
    uint64_t running;     /* now */
    uint64_t concurrency; /* its limit */
    int64_t oldest_ms;    /* when the oldest running job began, Unix time; 0: none runs */
    int64_t last_done_ms; /* Unix time; 0: never */
    struct wr_histogram_sum run;
    struct wr_histogram_sum wait;
    struct wr_histogram_sum total;
    struct wr_view_exemplar exemplar; /* of `run` */
};

/** A job that runs. */
struct wr_view_job {
    const char *queue;
    const char *type;
    char id[64];      /* cut, if it is longer */
    int64_t since_ms; /* Unix time */
};

struct wr_view {
    bool has_started; /* every queue was consumed once */
    int64_t now_us;   /* monotonic */
    warren_stats_data stats;
    struct wr_view_loop loops[WR_VIEW_LOOPS];
    uint64_t threads; /* of the pool */
    uint64_t stuck;   /* of them, those whose job runs past its hard_timeout */
    const char *stuck_type;
    uint64_t ladder_returns;
    uint64_t publishes[WR_PUBLISH_RESULTS];
    struct wr_histogram_sum confirm;
    uint64_t pod_cost_writes[2];  /* done, failed */
    struct wr_view_queue *queues; /* owned */
    size_t queue_count;
    struct wr_view_type *types; /* owned */
    size_t type_count;
    struct wr_view_job *jobs; /* owned; those that run, one a thread */
    size_t job_count;
    size_t jobs_most;
};

static inline void wr_view_done(struct wr_view *view)
{
    free(view->queues);
    free(view->types);
    free(view->jobs);
}

#endif
