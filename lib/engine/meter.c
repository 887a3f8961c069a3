// SPDX-License-Identifier: MIT
// DESIGN: a job is timed by two readings of the monotonic clock, at the start and the end of its
// handler. Wall times, which messages carry, are set against them by the distance that the two clocks
// had when the job came: that saves two readings a job, and a clock that is set while it runs changes
// nothing.
#include "engine/meter.h"

#include "engine/lane.h"
#include "engine/source.h"

/* Where it is counted; NULL: nowhere, for want of memory. */
static struct wr_tally_shard *shard_of(const struct warren_job *job)
{
    struct wr_lane *lane = job->lane;
    struct wr_source *source = job->source;
    if (lane) {
        return wr_tally_shard(&lane->tally, job->slot);
    }
    return source ? wr_tally_shard(&source->strangers, 0) : NULL;
}

/* Since that moment of the wall clock, until that of the monotonic one. */
static int64_t since_us(const struct warren_job *job, int64_t wall_ms, int64_t until_us)
{
    return job->wall_ahead_us + until_us - wall_ms * WR_US_PER_MS;
}

/* A trace that shows what such a run is like. */
static void give_exemplar(const struct warren_job *job, int64_t now_us)
{
    struct wr_lane *lane = job->lane;
    struct wr_exemplar exemplar = { .run_us = now_us - job->started_us,
                                    .at_ms = (job->wall_ahead_us + now_us) / WR_US_PER_MS };
    if (lane && wr_tally_wants_exemplar(&lane->tally, now_us) &&
        wr_job_trace_id(job, exemplar.trace_id)) {
        wr_tally_give_exemplar(&lane->tally, &exemplar);
    }
}

void wr_meter_run(struct warren_job *job, int64_t now_us)
{
    struct wr_tally_shard *shard = shard_of(job);
    const struct wr_bookkeeping *books = &job->books;
    job->ended_us = now_us;
    if (!shard) {
        return;
    }
    wr_histogram_add(&shard->run, now_us - job->started_us);
    give_exemplar(job, now_us);
    int64_t ready_ms =
        books->run_at_ms > books->enqueued_ms ? books->run_at_ms : books->enqueued_ms;
    if (ready_ms && !job->redelivered) {
        wr_histogram_add(&shard->wait, since_us(job, ready_ms, job->started_us));
    }
}

void wr_meter_outcome(const struct warren_job *job, enum wr_outcome outcome)
{
    struct wr_tally_shard *shard = shard_of(job);
    if (!shard) {
        return;
    }
    wr_count(&shard->outcomes[outcome]);
    bool is_end =
        outcome == WR_OUTCOME_DONE || outcome == WR_OUTCOME_DEAD || outcome == WR_OUTCOME_DISCARD;
    if (is_end && job->ended_us && job->books.enqueued_ms) {
        wr_histogram_add(&shard->total, since_us(job, job->books.enqueued_ms, job->ended_us));
    }
    if (outcome == WR_OUTCOME_DONE) {
        atomic_store_explicit(&shard->last_done_ms,
                              (job->wall_ahead_us + job->ended_us) / WR_US_PER_MS,
                              memory_order_relaxed);
    }
}

void wr_meter_death(const struct warren_job *job, const char *reason)
{
    struct wr_source *source = job->source;
    wr_meter_outcome(job, WR_OUTCOME_DEAD);
    if (source) {
        wr_count(&source->counts.dead[wr_reason_find(reason)]);
    }
}
