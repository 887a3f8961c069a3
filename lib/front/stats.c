// SPDX-License-Identifier: MIT
// DESIGN: warren_stats may be called from any thread while another one starts or stops the worker,
// so its parts are looked at only between show and hide, under a lock that nothing on the way of a job
// takes (a dump takes the pool's below it, never the other way round). What the parts count is atomic
// or sharded, and kept at the end until the worker is closed.
#include <string.h>

#include "base/cleanup.h"
#include "front/worker.h"

static void add_outcomes(warren_stats_data *out, const struct wr_tally *tally)
{
    struct wr_tally_sum sum = { .last_done_ms = 0 };
    wr_tally_gather(tally, &sum);
    out->done += sum.outcomes[WR_OUTCOME_DONE];
    out->retried += sum.outcomes[WR_OUTCOME_RETRY];
    out->dead += sum.outcomes[WR_OUTCOME_DEAD];
    out->discarded += sum.outcomes[WR_OUTCOME_DISCARD];
    out->snoozed += sum.outcomes[WR_OUTCOME_SNOOZE];
}

static void read_types(const warren *w, warren_stats_data *out)
{
    for (size_t i = 0; i < w->roster.lane_count; i++) {
        add_outcomes(out, &w->roster.lanes[i].tally);
    }
}

static void read_queues(const warren *w, warren_stats_data *out)
{
    for (size_t i = 0; i < w->roster.source_count; i++) {
        const struct wr_source *source = &w->roster.sources[i];
        uint64_t again = wr_counted(&source->counts.again);
        out->received += wr_counted(&source->counts.first) + again;
        out->redelivered += again;
        add_outcomes(out, &source->strangers);
    }
}

/* What the parts say of themselves, for warren_stats. */
static void read_parts(const warren *w, warren_stats_data *out)
{
    read_queues(w, out);
    read_types(w, out);
    struct wr_pool_counts pool = wr_pool_counts(w->pool);
    out->running = (uint32_t)pool.running;
    out->overruns = pool.overruns;
    out->lane_waits = pool.lane_waits;
    out->draining = atomic_load(wr_pool_drains(w->pool));
    out->quiet = wr_consumer_is_quiet(w->consumer);
    out->ready = wr_consumer_is_ready(w->consumer) && !out->quiet && !out->draining;
    struct wr_publisher_state publisher = wr_publisher_state(w->publisher);
    out->forward_retries = publisher.repeats;
    out->publish_connections = publisher.connections;
    out->blocked = publisher.is_blocked;
}

void wr_worker_show(warren *w)
{
    WR_SCOPED_LOCK(&w->look_lock);
    w->has_parts = true;
}

void wr_worker_hide(warren *w)
{
    WR_SCOPED_LOCK(&w->look_lock);
    if (w->has_parts) {
        w->last = (warren_stats_data){ .size = sizeof w->last };
        read_parts(w, &w->last);
        w->last.ready = false;
        w->last.quiet = false;
        w->has_parts = false;
    }
}

/* Of the parts while they are there, else what they said last. */
static void look_at_parts(const warren *w, warren_stats_data *out)
{
    WR_SCOPED_LOCK((pthread_mutex_t *)(uintptr_t)&w->look_lock);
    if (w->has_parts) {
        read_parts(w, out);
        return;
    }
    out->received = w->last.received;
    out->redelivered = w->last.redelivered;
    out->done = w->last.done;
    out->retried = w->last.retried;
    out->dead = w->last.dead;
    out->discarded = w->last.discarded;
    out->snoozed = w->last.snoozed;
    out->draining = w->last.draining;
    out->overruns = w->last.overruns;
    out->lane_waits = w->last.lane_waits;
    out->forward_retries = w->last.forward_retries;
    out->publish_connections = w->last.publish_connections;
}

void wr_worker_with_parts(const warren *w, void (*look)(const warren *w, struct wr_view *view),
                          struct wr_view *view)
{
    WR_SCOPED_LOCK((pthread_mutex_t *)(uintptr_t)&w->look_lock);
    if (w->has_parts) {
        look(w, view);
    }
}

void warren_stats(const warren *w, warren_stats_data *out)
{
    const struct wr_counters *counters = &w->counters;
    warren_stats_data stats = { .given_back = wr_counted(&counters->given_back),
                                .stale = wr_counted(&counters->stale),
                                .connections = wr_counted(&counters->connections),
                                .crashes = wr_counted(&counters->crashes),
                                .interrupts = wr_counted(&counters->interrupts),
                                .prefetch = (uint32_t)wr_counted(&counters->prefetch),
                                .prefetch_changes = wr_counted(&counters->prefetch_changes),
                                .cancels = wr_counted(&counters->cancels),
                                .channel_losses = wr_counted(&counters->channel_losses),
                                .silences = wr_counted(&counters->silences),
                                .late = wr_counted(&counters->late),
                                .in_flight = (uint32_t)wr_counted(&counters->in_flight),
                                .config_reload_ok = atomic_load(&w->is_as_configured),
                                .config_reloaded_ms = atomic_load(&w->configured_ms) };
    look_at_parts(w, &stats);
    if (atomic_load(&w->has_started) && w->tracer) { /* which stays until the worker is closed */
        struct wr_exporter_counts spans = wr_exporter_counts(wr_tracer_exporter(w->tracer));
        stats.spans_exported = spans.exported;
        stats.spans_dropped = spans.dropped;
    }
    size_t size = out->size < sizeof stats ? out->size : sizeof stats;
    stats.size = size;
    memcpy(out, &stats, size);
}
