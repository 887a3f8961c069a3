// SPDX-License-Identifier: MIT
// DESIGN: counts since the start, from which whoever reads two of them makes rates; times of the while
// since the last one, since a wait of yesterday tells nobody how it is now. What a configuration amounts
// to is told as a hash: workers that differ in it were not restarted.
#include "front/news.h"

#include <inttypes.h>
#include <unistd.h>

#include "engine/pauses.h"
#include "front/view.h"

enum { JOBS_MOST = 64 };

static void add_string(struct wr_text *out, const char *name, const char *value)
{
    wr_text_add_format(out, "\"%s\":\"", name);
    wr_text_add_json(out, wr_slice_of(value));
    wr_text_add(out, "\"", 1);
}

static bool is_paused(const struct wr_list *pauses, const char *queue, const char *type)
{
    struct wr_pause pause = { .is_paused = true };
    bool fits = strlen(queue) < sizeof pause.queue && strlen(type) < sizeof pause.type;
    if (fits) {
        memcpy(pause.queue, queue, strlen(queue) + 1);
        memcpy(pause.type, type, strlen(type) + 1);
    }
    return fits && wr_pauses_find(pauses, &pause);
}

/* --- the configuration --- */

static uint64_t hash_of(const struct wr_settings *settings)
{
    struct wr_text text = { 0 };
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    wr_settings_write(settings, true, &text);
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    }
    wr_text_done(&text);
    return hash;
}

static void write_head(struct wr_news *news, warren *w, const char *id, const struct wr_view *view,
                       struct wr_text *out)
{
    char host[64] = "localhost";
    const warren_stats_data *stats = &view->stats;
    (void)gethostname(host, sizeof host - 1);
    if (news->settings != w->settings) {
        news->settings = w->settings;
        news->hash = hash_of(w->settings);
    }
    wr_text_add(out, "{", 1);
    add_string(out, "worker", id);
    wr_text_add(out, ",", 1);
    add_string(out, "host", host);
    wr_text_add(out, ",", 1);
    add_string(out, "version", warren_version());
    wr_text_add_format(out,
                       ",\"pid\":%d,\"config\":\"%08x\",\"at_ms\":%" PRId64
                       ",\"started_ms\":%" PRId64 ",\"heartbeat_ms\":%" PRId64
                       ",\"state\":\"%s\",\"ready\":%s,\"blocked\":%s,\"threads\":%" PRIu64
                       ",\"busy\":%u",
                       (int)getpid(), (unsigned)(news->hash ^ news->hash >> 32),
                       wr_clock_wall_ms(NULL), w->started_ms, w->settings->control_heartbeat_ms,
                       stats->draining ? "draining"
                       : stats->quiet  ? "quiet"
                                       : "running",
                       stats->ready ? "true" : "false", stats->blocked ? "true" : "false",
                       view->threads, stats->running);
}

/* --- rows --- */

static void write_queues(const struct wr_view *view, const struct wr_list *pauses,
                         struct wr_text *out)
{
    wr_text_add_string(out, ",\"queues\":[");
    for (size_t i = 0; i < view->queue_count; i++) {
        const struct wr_view_queue *queue = &view->queues[i];
        uint64_t dead = 0;
        for (int k = 0; k < WR_REASONS; k++) {
            dead += queue->dead[k];
        }
        wr_text_add_string(out, i ? ",{" : "{");
        add_string(out, "queue", queue->queue);
        wr_text_add_format(
            out,
            ",\"in_flight\":%" PRIu64 ",\"prefetch\":%" PRIu64 ",\"deliveries\":%" PRIu64
            ",\"dead\":%" PRIu64 ",\"consumed\":%s,\"paused\":%s}",
            queue->in_flight, queue->prefetch, queue->deliveries[0] + queue->deliveries[1], dead,
            queue->is_consumed ? "true" : "false",
            is_paused(pauses, queue->queue, "") ? "true" : "false");
    }
    wr_text_add(out, "]", 1);
}

/* What was added since the last time. */
static struct wr_histogram_sum waits_since(struct wr_news *news, const struct wr_view *view,
                                           size_t row)
{
    struct wr_histogram_sum since = view->types[row].wait;
    for (int i = 0; row < news->count && i < WR_HISTOGRAM_BUCKETS; i++) {
        since.buckets[i] -= news->waits[row].buckets[i];
    }
    return since;
}

static void write_type(const struct wr_view_type *type, const struct wr_histogram_sum *waits,
                       bool is_held, struct wr_text *out)
{
    add_string(out, "queue", type->queue);
    wr_text_add(out, ",", 1);
    add_string(out, "type", type->type);
    wr_text_add_format(out, ",\"running\":%" PRIu64 ",\"concurrency\":%" PRIu64, type->running,
                       type->concurrency);
    for (int i = 0; i < WR_OUTCOMES; i++) {
        wr_text_add_format(out, ",\"%s\":%" PRIu64, wr_outcome_names[i], type->outcomes[i]);
    }
    wr_text_add_format(
        out, ",\"oldest_ms\":%" PRId64 ",\"wait_p50_us\":%.0f,\"wait_p95_us\":%.0f,\"paused\":%s",
        type->oldest_ms, wr_histogram_quantile_us(waits, 0.5),
        wr_histogram_quantile_us(waits, 0.95), is_held ? "true" : "false");
}

static bool has_something(const struct wr_view_type *type)
{
    uint64_t sum = type->running + type->concurrency;
    for (int i = 0; i < WR_OUTCOMES; i++) {
        sum += type->outcomes[i];
    }
    return sum > 0;
}

static void write_types(struct wr_news *news, const struct wr_view *view,
                        const struct wr_list *pauses, struct wr_text *out)
{
    const char *comma = "";
    wr_text_add_string(out, ",\"types\":[");
    for (size_t i = 0; i < view->type_count; i++) {
        const struct wr_view_type *type = &view->types[i];
        if (has_something(type)) {
            struct wr_histogram_sum waits = waits_since(news, view, i);
            wr_text_add_format(out, "%s{", comma);
            write_type(type, &waits, is_paused(pauses, type->queue, type->type), out);
            wr_text_add(out, "}", 1);
            comma = ",";
        }
    }
    wr_text_add(out, "]", 1);
}

static int compare_jobs(const void *a, const void *b)
{
    int64_t first = ((const struct wr_view_job *)a)->since_ms;
    int64_t second = ((const struct wr_view_job *)b)->since_ms;
    return first < second ? -1 : first > second ? 1 : 0;
}

/* Those that run longest. */
static void write_jobs(struct wr_view *view, struct wr_text *out)
{
    size_t most = view->job_count < JOBS_MOST ? view->job_count : JOBS_MOST;
    if (view->job_count) {
        qsort(view->jobs, view->job_count, sizeof *view->jobs, compare_jobs);
    }
    wr_text_add_string(out, ",\"jobs\":[");
    for (size_t i = 0; i < most; i++) {
        const struct wr_view_job *job = &view->jobs[i];
        wr_text_add_string(out, i ? ",{" : "{");
        add_string(out, "queue", job->queue);
        wr_text_add(out, ",", 1);
        add_string(out, "type", job->type);
        wr_text_add(out, ",", 1);
        add_string(out, "id", job->id);
        wr_text_add_format(out, ",\"since_ms\":%" PRId64 "}", job->since_ms);
    }
    wr_text_add(out, "]", 1);
}

static void remember(struct wr_news *news, const struct wr_view *view)
{
    struct wr_histogram_sum *grown =
        realloc(news->waits, (view->type_count + 1) * sizeof *news->waits);
    if (!grown) {
        return;
    }
    news->waits = grown;
    news->count = view->type_count;
    for (size_t i = 0; i < view->type_count; i++) {
        grown[i] = view->types[i].wait;
    }
}

void wr_news_write(struct wr_news *news, warren *w, const char *id, const struct wr_list *pauses,
                   struct wr_text *out)
{
    struct wr_view view;
    wr_view_look(w, &view);
    write_head(news, w, id, &view, out);
    write_queues(&view, pauses, out);
    write_types(news, &view, pauses, out);
    write_jobs(&view, out);
    wr_text_add(out, "}", 1);
    remember(news, &view);
    wr_view_done(&view);
}

void wr_news_done(struct wr_news *news)
{
    free(news->waits);
    news->waits = NULL;
    news->count = 0;
}
