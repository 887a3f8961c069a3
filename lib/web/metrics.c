// SPDX-License-Identifier: MIT
// DESIGN: the table is the only place that knows a metric's name. Every row is written at each scrape,
// from the first one on, so that a rate over a counter never misses its beginning. Names: one prefix,
// base units, "_total" for what only grows; labels have few values, all known beforehand.
#include "web/metrics.h"

#include <inttypes.h>
#include <stdio.h>

enum { MS_PER_S = 1000 };

static const char *const redelivered_values[] = { "false", "true" };
static const char *const pod_cost_results[] = { "done", "failed" };
static const char *const consumer_role[] = { "consumer" };
static const char *const publisher_role[] = { "publisher" };

#define STAT(member) offsetof(struct wr_view, stats.member), 0
#define WORKER(member) offsetof(struct wr_view, member), 0
#define QUEUE(member) offsetof(struct wr_view_queue, member), 0
#define TYPE(member) offsetof(struct wr_view_type, member), 0
#define TYPE_WITH(member, exemplar)                                                                \
    offsetof(struct wr_view_type, member), offsetof(struct wr_view_type, exemplar)
#define ALONE NULL, NULL, 1
#define EACH(label, values, count) label, values, count

#define CONNECTIONS "Times a connection to the broker was made."

/* clang-format off: a row reads as name, kind, scope, label, sentence, where its value lies. */
static const struct wr_metric metrics[] = {
    { "warren_jobs_processed", WR_COUNTER, WR_OF_TYPE,
      EACH("outcome", wr_outcome_names, WR_OUTCOMES),
      "Jobs that left a handler, or were judged before it, by what became of them.", WR_CELL_U64,
      TYPE(outcomes) },
    { "warren_job_duration_seconds", WR_HISTOGRAM, WR_OF_TYPE, ALONE, "How long handlers ran.",
      WR_CELL_HISTOGRAM, TYPE_WITH(run, exemplar) },
    { "warren_job_wait_seconds", WR_HISTOGRAM, WR_OF_TYPE, ALONE,
      "How long jobs waited for their handler, from when they could have run: delays and backoff "
      "are no part of it.",
      WR_CELL_HISTOGRAM, TYPE(wait) },
    { "warren_job_end_to_end_seconds", WR_HISTOGRAM, WR_OF_TYPE, ALONE,
      "From a job's first publish to its end, done or dead, with all delays and attempts.",
      WR_CELL_HISTOGRAM, TYPE(total) },
    { "warren_jobs_running", WR_GAUGE, WR_OF_TYPE, ALONE, "Jobs in handlers now.", WR_CELL_U64,
      TYPE(running) },
    { "warren_job_concurrency", WR_GAUGE, WR_OF_TYPE, ALONE,
      "How many jobs of the type may run at once.", WR_CELL_U64, TYPE(concurrency) },
    { "warren_job_oldest_start_timestamp_seconds", WR_GAUGE, WR_OF_TYPE, ALONE,
      "When the job began that runs longest; 0 when none runs.", WR_CELL_MS, TYPE(oldest_ms) },
    { "warren_last_success_timestamp_seconds", WR_GAUGE, WR_OF_TYPE, ALONE,
      "When a job was last done; 0 when none ever was.", WR_CELL_MS, TYPE(last_done_ms) },
    { "warren_deliveries", WR_COUNTER, WR_OF_QUEUE, EACH("redelivered", redelivered_values, 2),
      "Deliveries taken from the broker.", WR_CELL_U64, QUEUE(deliveries) },
    { "warren_dead_letters", WR_COUNTER, WR_OF_QUEUE, EACH("reason", wr_reason_names, WR_REASONS),
      "Jobs that were sent to the dead queue.", WR_CELL_U64, QUEUE(dead) },
    { "warren_jobs_in_flight", WR_GAUGE, WR_OF_QUEUE, ALONE, "Jobs delivered and not settled now.",
      WR_CELL_U64, QUEUE(in_flight) },
    { "warren_prefetch", WR_GAUGE, WR_OF_QUEUE, ALONE, "Jobs that the broker may hand over ahead.",
      WR_CELL_U64, QUEUE(prefetch) },
    { "warren_queue_consumed", WR_GAUGE, WR_OF_QUEUE, ALONE, "1 while the queue is consumed.",
      WR_CELL_BOOL, QUEUE(is_consumed) },
    { "warren_queue_paused", WR_GAUGE, WR_OF_QUEUE, ALONE, "1 while an operator has it paused.",
      WR_CELL_BOOL, QUEUE(is_paused) },
    { "warren_jobs_given_back", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Jobs returned to the broker before they had started.", WR_CELL_U64, STAT(given_back) },
    { "warren_jobs_stale", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Jobs that ended after their connection was lost: the broker delivers them again.",
      WR_CELL_U64, STAT(stale) },
    { "warren_ladder_returns", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Jobs that came home from the delay ladder.", WR_CELL_U64, WORKER(ladder_returns) },
    { "warren_jobs_late", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Jobs that came home from the delay ladder 20 s or more after they were due.", WR_CELL_U64,
      STAT(late) },
    { "warren_jobs_overrun", WR_COUNTER, WR_OF_WORKER, ALONE, "Jobs that ran past their timeout.",
      WR_CELL_U64, STAT(overruns) },
    { "warren_job_crashes", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Runs that ended with their process, found in its ledger.", WR_CELL_U64, STAT(crashes) },
    { "warren_job_interrupts", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Runs cut off by a drain or a neighbour's crash, found in a ledger.", WR_CELL_U64,
      STAT(interrupts) },
    { "warren_lane_waits", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Times a job type at its limit held jobs back while threads were idle.", WR_CELL_U64,
      STAT(lane_waits) },
    { "warren_publishes", WR_COUNTER, WR_OF_WORKER,
      EACH("result", wr_publish_result_names, WR_PUBLISH_RESULTS),
      "Publishes by the broker's word: the service's own, retries and dead letters, and repeats.",
      WR_CELL_U64, WORKER(publishes) },
    { "warren_publish_confirm_seconds", WR_HISTOGRAM, WR_OF_WORKER, ALONE,
      "From the sending of a message to the broker's confirm.", WR_CELL_HISTOGRAM,
      WORKER(confirm) },
    { "warren_forward_retries", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Publishes of retries and dead letters that had to be repeated.", WR_CELL_U64,
      STAT(forward_retries) },
    { "warren_connections", WR_COUNTER, WR_OF_WORKER, EACH("role", consumer_role, 1), CONNECTIONS,
      WR_CELL_U64, STAT(connections) },
    { "warren_connections", WR_COUNTER, WR_OF_WORKER, EACH("role", publisher_role, 1), CONNECTIONS,
      WR_CELL_U64, STAT(publish_connections) },
    { "warren_consumer_cancels", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Consumers that the broker ended, such as with their queue.", WR_CELL_U64, STAT(cancels) },
    { "warren_consumer_channel_losses", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Consuming channels that the broker closed.", WR_CELL_U64, STAT(channel_losses) },
    { "warren_consumer_silences", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Consumers that the broker had forgotten.", WR_CELL_U64, STAT(silences) },
    { "warren_prefetch_changes", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Times an automatic prefetch was changed.", WR_CELL_U64, STAT(prefetch_changes) },
    { "warren_threads", WR_GAUGE, WR_OF_WORKER, ALONE, "Threads that run jobs.", WR_CELL_U64,
      WORKER(threads) },
    { "warren_threads_busy", WR_GAUGE, WR_OF_WORKER, ALONE, "Of them, those that run one now.",
      WR_CELL_U32, STAT(running) },
    { "warren_threads_stuck", WR_GAUGE, WR_OF_WORKER, ALONE,
      "Of them, those whose job runs past its hard_timeout.", WR_CELL_U64, WORKER(stuck) },
    { "warren_ready", WR_GAUGE, WR_OF_WORKER, ALONE, "1 while every queue is consumed.",
      WR_CELL_BOOL, STAT(ready) },
    { "warren_quiet", WR_GAUGE, WR_OF_WORKER, ALONE, "1 while the worker was told to take no jobs.",
      WR_CELL_BOOL, STAT(quiet) },
    { "warren_draining", WR_GAUGE, WR_OF_WORKER, ALONE, "1 once a drain has begun.", WR_CELL_BOOL,
      STAT(draining) },
    { "warren_broker_blocked", WR_GAUGE, WR_OF_WORKER, ALONE,
      "1 while the broker takes no publishes, because of an alarm.", WR_CELL_BOOL, STAT(blocked) },
    { "warren_config_last_reload_successful", WR_GAUGE, WR_OF_WORKER, ALONE,
      "1 while all that the files said at the last reload, or the start, is in effect.",
      WR_CELL_BOOL, STAT(config_reload_ok) },
    { "warren_config_last_reload_success_timestamp_seconds", WR_GAUGE, WR_OF_WORKER, ALONE,
      "When all that the files say was last in effect.", WR_CELL_MS, STAT(config_reloaded_ms) },
    { "warren_pod_cost_writes", WR_COUNTER, WR_OF_WORKER, EACH("result", pod_cost_results, 2),
      "Times the cost of deleting this pod was written to the Kubernetes API.", WR_CELL_U64,
      WORKER(pod_cost_writes) },
    { "warren_spans_exported", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Spans that the collector has taken.", WR_CELL_U64, STAT(spans_exported) },
    { "warren_spans_dropped", WR_COUNTER, WR_OF_WORKER, ALONE,
      "Spans that it could not get: it is gone, slow, or refuses them.", WR_CELL_U64,
      STAT(spans_dropped) },
};
/* clang-format on */

const struct wr_metric *wr_metrics(size_t *out_count)
{
    *out_count = sizeof metrics / sizeof metrics[0];
    return metrics;
}

bool wr_metrics_wants_open(const char *accept)
{
    return strstr(accept, "application/openmetrics-text") != NULL;
}

const char *wr_metrics_type(bool is_open)
{
    return is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                   : "text/plain; version=0.0.4; charset=utf-8";
}

static const char *suffix_of(const struct wr_metric *metric)
{
    return metric->kind == WR_COUNTER ? "_total" : "";
}

/* OpenMetrics names a counter's family without its suffix, the older text with it. */
static void write_family(struct wr_text *out, const struct wr_metric *metric, bool is_open)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    const char *suffix = is_open ? "" : suffix_of(metric);
    wr_text_add_format(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", metric->name, suffix, metric->help,
                       metric->name, suffix, kinds[metric->kind]);
}

/* --- labels --- */

/* Backslash, quote and line feed are escaped, in both formats. */
static void add_label(struct wr_text *out, const char *name, const char *value)
{
    wr_text_add_format(out, "%s%s=\"", out->size ? "," : "", name);
    for (const char *at = value; *at; at++) {
        if (*at == '\\' || *at == '"') {
            wr_text_add(out, "\\", 1);
        }
        wr_text_add(out, *at == '\n' ? "\\n" : at, *at == '\n' ? 2 : 1);
    }
    wr_text_add(out, "\"", 1);
}

/* --- values --- */

static void write_start(struct wr_text *out, const char *name, const char *suffix,
                        const char *labels)
{
    wr_text_add_string(out, name);
    wr_text_add_string(out, suffix);
    if (*labels) {
        wr_text_add(out, "{", 1);
        wr_text_add_string(out, labels);
        wr_text_add(out, "}", 1);
    }
}

/* A bound as OpenMetrics wants it: a float's shortest form, with its point. */
static const char *bound_name(char out[32], int64_t us)
{
    (void)snprintf(out, 32, "%.4f", (double)us / 1e6);
    size_t size = strlen(out);
    while (out[size - 1] == '0' && out[size - 2] != '.') {
        out[--size] = '\0';
    }
    return out;
}

/* OpenMetrics only: the trace of a run stands behind the bucket that it is in. */
static void write_exemplar(struct wr_text *out, const struct wr_view_exemplar *exemplar)
{
    wr_text_add_format(out, " # {trace_id=\"%s\"} %.6f %" PRId64 ".%03d", exemplar->trace_id,
                       (double)exemplar->run_us / 1e6, exemplar->at_ms / MS_PER_S,
                       (int)(exemplar->at_ms % MS_PER_S));
}

static void write_histogram(struct wr_text *out, const struct wr_metric *metric, const char *labels,
                            const struct wr_histogram_sum *sum,
                            const struct wr_view_exemplar *exemplar)
{
    uint64_t count = 0;
    int shown = exemplar && *exemplar->trace_id ? wr_histogram_bucket(exemplar->run_us) : -1;
    for (int i = 0; i < WR_HISTOGRAM_BUCKETS; i++) {
        char bound[32] = "+Inf";
        count += sum->buckets[i];
        wr_text_add_string(out, metric->name);
        wr_text_add_format(
            out, "_bucket{%s%sle=\"%s\"} %" PRIu64, labels, *labels ? "," : "",
            i < WR_HISTOGRAM_BOUNDS ? bound_name(bound, wr_histogram_bounds_us[i]) : bound, count);
        if (i == shown) {
            write_exemplar(out, exemplar);
        }
        wr_text_add(out, "\n", 1);
    }
    write_start(out, metric->name, "_sum", labels);
    wr_text_add_format(out, " %.6f\n", (double)sum->sum_us / 1e6);
    write_start(out, metric->name, "_count", labels);
    wr_text_add_format(out, " %" PRIu64 "\n", count);
}

static void write_value(struct wr_text *out, const struct wr_metric *metric, const char *cell)
{
    if (metric->cell == WR_CELL_MS) {
        int64_t ms = *(const int64_t *)(const void *)cell;
        wr_text_add_format(out, " %" PRId64 ".%03d\n", ms / MS_PER_S, (int)(ms % MS_PER_S));
        return;
    }
    uint64_t number = metric->cell == WR_CELL_U64   ? *(const uint64_t *)(const void *)cell
                      : metric->cell == WR_CELL_U32 ? *(const uint32_t *)(const void *)cell
                                                    : *(const bool *)(const void *)cell;
    wr_text_add_format(out, " %" PRIu64 "\n", number);
}

/* The series of one row for one of what its scope says; `labels` are those of the scope. */
static void write_series(struct wr_text *out, const struct wr_metric *metric, const char *labels,
                         const void *base, bool is_open)
{
    const char *cell = (const char *)base + metric->offset;
    if (metric->kind == WR_HISTOGRAM) {
        bool has_exemplar = is_open && metric->exemplar;
        const void *exemplar = has_exemplar ? (const char *)base + metric->exemplar : NULL;
        write_histogram(out, metric, labels, (const void *)cell, exemplar);
        return;
    }
    for (size_t i = 0; i < metric->value_count; i++) {
        write_start(out, metric->name, suffix_of(metric), metric->label ? "" : labels);
        if (metric->label) {
            wr_text_add_format(out, "{%s%s%s=\"%s\"}", labels, *labels ? "," : "", metric->label,
                               metric->values[i]);
        }
        write_value(out, metric, cell + i * sizeof(uint64_t));
    }
}

/* --- all of it --- */

/* The labels of each queue and each type, written once for all rows. */
struct labels {
    char **of_queues;
    char **of_types;
};

static char *make_labels(const char *queue, const char *type)
{
    struct wr_text text = { 0 };
    add_label(&text, "queue", queue);
    if (type) {
        add_label(&text, "type", type);
    }
    return wr_text_take(&text);
}

static void free_all(char **strings, size_t count)
{
    for (size_t i = 0; strings && i < count; i++) {
        free(strings[i]);
    }
    free(strings);
}

static bool make_all_labels(struct labels *labels, const struct wr_view *view)
{
    bool is_whole = true;
    labels->of_queues = calloc(view->queue_count + 1, sizeof(char *));
    labels->of_types = calloc(view->type_count + 1, sizeof(char *));
    for (size_t i = 0; labels->of_queues && i < view->queue_count; i++) {
        labels->of_queues[i] = make_labels(view->queues[i].queue, NULL);
        is_whole = is_whole && labels->of_queues[i];
    }
    for (size_t i = 0; labels->of_types && i < view->type_count; i++) {
        labels->of_types[i] = make_labels(view->types[i].queue, view->types[i].type);
        is_whole = is_whole && labels->of_types[i];
    }
    return is_whole && labels->of_queues && labels->of_types;
}

static void write_row(struct wr_text *out, const struct wr_metric *metric,
                      const struct wr_view *view, const struct labels *labels, bool is_open)
{
    switch (metric->scope) {
    case WR_OF_WORKER:
        write_series(out, metric, "", view, is_open);
        return;
    case WR_OF_QUEUE:
        for (size_t i = 0; i < view->queue_count; i++) {
            write_series(out, metric, labels->of_queues[i], &view->queues[i], is_open);
        }
        return;
    case WR_OF_TYPE:
        for (size_t i = 0; i < view->type_count; i++) {
            write_series(out, metric, labels->of_types[i], &view->types[i], is_open);
        }
        return;
    }
}

static void write_build(struct wr_text *out, bool is_open)
{
    wr_text_add_format(out,
                       "# HELP warren_build%s What is running.\n# TYPE warren_build%s %s\n"
                       "warren_build_info{version=\"%s\"} 1\n",
                       is_open ? "" : "_info", is_open ? "" : "_info", is_open ? "info" : "gauge",
                       warren_version());
}

void wr_metrics_write(struct wr_text *out, const struct wr_view *view, bool is_open)
{
    const char *family = "";
    struct labels labels = { NULL, NULL };
    if (!make_all_labels(&labels, view)) {
        out->failed = true;
    }
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0] && !out->failed; i++) {
        if (strcmp(metrics[i].name, family) != 0) {
            family = metrics[i].name;
            write_family(out, &metrics[i], is_open);
        }
        write_row(out, &metrics[i], view, &labels, is_open);
    }
    write_build(out, is_open);
    if (is_open) {
        wr_text_add_string(out, "# EOF\n");
    }
    free_all(labels.of_queues, view->queue_count);
    free_all(labels.of_types, view->type_count);
}
