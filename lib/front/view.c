// SPDX-License-Identifier: MIT
// DESIGN: sums over what the threads have counted, each by itself; nobody is stopped for it. A row a
// queue, a row a job type, and a row "(other)" a queue: for the types that it doesn't know, and for those
// that are beyond `http.types`, since a monitoring system has to keep each series that it was ever shown.
#include "front/view.h"

#include <unistd.h>

#define OTHER "(other)"

/* How many types have a row of their own. Lanes have the order of the settings. */
static size_t count_shown(const struct wr_settings *settings)
{
    size_t most = (size_t)settings->http_types;
    size_t count = 0;
    for (size_t i = 0; i < settings->queue_count; i++) {
        count += settings->queues[i].job_count;
    }
    return count < most ? count : most;
}

/* The rows of types come first, then those of the others, one a queue. */
static struct wr_view_type *others_of(struct wr_view *view, size_t queue)
{
    return &view->types[view->type_count - view->queue_count + queue];
}

/* NULL: its queue has come since the rows were made. */
static struct wr_view_type *row_of(struct wr_view *view, const struct wr_lane *lane)
{
    if (lane->queue_number >= view->queue_count) {
        return NULL;
    }
    return lane->number < view->type_count - view->queue_count
               ? &view->types[lane->number]
               : others_of(view, lane->queue_number);
}

/* --- rows --- */

static void make_rows(const struct wr_settings *settings, struct wr_view *view)
{
    size_t queues = settings->queue_count;
    size_t types = count_shown(settings) + queues;
    view->queues = calloc(queues + 1, sizeof *view->queues);
    view->types = calloc(types + 1, sizeof *view->types);
    bool is_whole = view->queues && view->types;
    view->queue_count = is_whole ? queues : 0;
    view->type_count = is_whole ? types : 0;
}

/* Every row is there from the first look on, at zero, also without a broker. */
static void name_rows(const struct wr_settings *settings, struct wr_view *view)
{
    size_t number = 0;
    for (size_t i = 0; i < view->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        struct wr_view_type *others = others_of(view, i);
        view->queues[i].queue = queue->name;
        view->queues[i].has_types = queue->job_count > 0;
        others->queue = queue->name;
        others->type = OTHER;
        for (size_t k = 0; k < queue->job_count; k++, number++) {
            bool is_shown = number < view->type_count - view->queue_count;
            struct wr_view_type *row = is_shown ? &view->types[number] : others;
            row->queue = queue->name;
            row->type = is_shown ? queue->jobs[k].type : OTHER;
            row->concurrency += (uint64_t)queue->jobs[k].concurrency;
        }
    }
}

/* --- jobs --- */

static void add_tally(struct wr_view_type *row, const struct wr_tally *tally)
{
    struct wr_tally_sum sum = {
        .run = row->run, .wait = row->wait, .total = row->total, .last_done_ms = row->last_done_ms
    };
    memcpy(sum.outcomes, row->outcomes, sizeof sum.outcomes);
    wr_tally_gather(tally, &sum);
    memcpy(row->outcomes, sum.outcomes, sizeof row->outcomes);
    row->run = sum.run;
    row->wait = sum.wait;
    row->total = sum.total;
    row->last_done_ms = sum.last_done_ms;
}

static void add_exemplar(struct wr_view_type *row, struct wr_exemplar exemplar)
{
    if (*exemplar.trace_id) {
        row->exemplar =
            (struct wr_view_exemplar){ .run_us = exemplar.run_us, .at_ms = exemplar.at_ms };
        memcpy(row->exemplar.trace_id, exemplar.trace_id, sizeof exemplar.trace_id);
    }
}

static void fill_types(const warren *w, struct wr_view *view)
{
    for (size_t i = 0; i < w->roster.lane_count; i++) {
        struct wr_lane *lane = &w->roster.lanes[i];
        struct wr_view_type *row = row_of(view, lane);
        if (row) {
            add_tally(row, &lane->tally);
            add_exemplar(row, wr_tally_exemplar(&lane->tally));
        }
    }
}

struct seats {
    struct wr_view *view;
    int64_t wall_ahead_us;
};

static void note_seat(void *user, const struct wr_desk_view *desk)
{
    struct seats *seats = user;
    struct wr_view *view = seats->view;
    const struct wr_lane *lane = desk->lane;
    int64_t since_us = desk->started_us;
    int64_t most_ms = lane->settings->hard_timeout_ms;
    if (most_ms && view->now_us - since_us > most_ms * WR_US_PER_MS) {
        view->stuck++;
        view->stuck_type = lane->settings->type;
    }
    int64_t since_ms = (seats->wall_ahead_us + since_us) / WR_US_PER_MS;
    if (view->job_count < view->jobs_most) {
        struct wr_view_job *job = &view->jobs[view->job_count++];
        *job = (struct wr_view_job){ .queue = lane->queue->name,
                                     .type = lane->settings->type,
                                     .since_ms = since_ms };
        memcpy(job->id, desk->id, sizeof job->id);
    }
    struct wr_view_type *row = row_of(view, lane);
    if (!row) {
        return;
    }
    row->running++;
    row->oldest_ms = !row->oldest_ms || since_ms < row->oldest_ms ? since_ms : row->oldest_ms;
}

/* --- queues --- */

static void add_source(struct wr_view_queue *row, const struct wr_source *source)
{
    const struct wr_source_counts *counts = &source->counts;
    row->deliveries[0] += wr_counted(&counts->first);
    row->deliveries[1] += wr_counted(&counts->again);
    row->in_flight += wr_counted(&counts->in_flight);
    row->prefetch += wr_counted(&counts->prefetch);
    if (!source->is_leftover && source->state != WR_SOURCE_CONSUMING) {
        row->is_consumed = false;
    }
    row->is_paused = row->is_paused || (!source->is_isolated && atomic_load(&source->wants_hold));
    for (size_t i = 0; i < WR_REASONS; i++) {
        row->dead[i] += wr_counted(&counts->dead[i]);
    }
}

static void fill_queues(const warren *w, struct wr_view *view)
{
    for (size_t i = 0; i < view->queue_count; i++) {
        view->queues[i].is_consumed = view->queues[i].has_types;
    }
    for (size_t i = 0; i < w->roster.source_count; i++) {
        const struct wr_source *source = &w->roster.sources[i];
        size_t number = source->queue_number;
        if (number < view->queue_count) {
            add_source(&view->queues[number], source);
            add_tally(others_of(view, number), &source->strangers);
        }
    }
}

/* --- all of it --- */

static void fill_publisher(const warren *w, struct wr_view *view)
{
    struct wr_publisher_state state = wr_publisher_state(w->publisher);
    memcpy(view->publishes, state.results, sizeof view->publishes);
    view->confirm = state.confirm;
}

static void fill_parts(const warren *w, struct wr_view *view)
{
    struct seats seats = { view, wr_clock_wall_ms(NULL) * WR_US_PER_MS - view->now_us };
    if (view->type_count) {
        fill_queues(w, view);
        fill_types(w, view);
    }
    view->jobs = calloc((size_t)w->roster.threads + 1, sizeof *view->jobs);
    view->jobs_most = view->jobs ? (size_t)w->roster.threads : 0;
    wr_pool_jobs(w->pool, note_seat, &seats);
    view->threads = (uint64_t)w->roster.threads;
    fill_publisher(w, view);
}

void wr_view_look(void *user, struct wr_view *out)
{
    const warren *w = user;
    *out = (struct wr_view){ .has_started = atomic_load(&w->has_started),
                             .now_us = wr_clock_mono_us(NULL),
                             .stats = { .size = sizeof out->stats },
                             .ladder_returns = wr_counted(&w->counters.home),
                             .loops = { { "consumer", wr_watch_begun_us(&w->consumer_watch) },
                                        { "publisher", wr_watch_begun_us(&w->publisher_watch) } } };
    warren_stats(w, &out->stats);
    if (out->has_started) { /* from then on it stays until the worker is closed */
        struct wr_pod_cost_counts writes = wr_pod_cost_counts(w->pod_cost);
        out->pod_cost_writes[0] = writes.done;
        out->pod_cost_writes[1] = writes.failed;
    }
    const struct wr_settings *settings = w->settings; /* all rows of one and the same */
    make_rows(settings, out);
    name_rows(settings, out);
    wr_worker_with_parts(w, fill_parts, out);
}

/* --- for a service manager, which is told by the view --- */

void wr_worker_tell(warren *w)
{
    const struct wr_broker_settings *broker = &w->settings->broker;
    struct wr_service_options options = {
        .address = getenv("NOTIFY_SOCKET"),
        .watchdog_us =
            wr_notify_watchdog_us(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), getpid()),
        .start_most_ms =
            2 * (broker->connect_wait_ms + broker->connect_timeout_ms), /* to take, to publish */
        .clock = w->clock,
        .look = wr_view_look,
        .user = w,
    };
    wr_service_open(&w->service, &options);
}
