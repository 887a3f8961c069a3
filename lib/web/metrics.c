// SPDX-License-Identifier: MIT
// DESIGN: the table is the only place that knows a metric's name. Every row is written at each scrape,
// from the first one on, so that a rate over a counter never misses its beginning. Names: one prefix,
// base units, "_total" for what only grows; labels have few values, all known beforehand.
#include "web/metrics.h"

#define SHOWS(name, expression)                                                                    \
    static int64_t name(const struct wr_view *view)                                                \
    {                                                                                              \
        return (int64_t)(expression);                                                              \
    }

SHOWS(first_deliveries, view->stats.received - view->stats.redelivered)
SHOWS(redeliveries, view->stats.redelivered)
SHOWS(done, view->stats.done)
SHOWS(retried, view->stats.retried)
SHOWS(dead, view->stats.dead)
SHOWS(discarded, view->stats.discarded)
SHOWS(snoozed, view->stats.snoozed)
SHOWS(given_back, view->stats.given_back)
SHOWS(stale, view->stats.stale)
SHOWS(overruns, view->stats.overruns)
SHOWS(lane_waits, view->stats.lane_waits)
SHOWS(late, view->stats.late)
SHOWS(crashes, view->stats.crashes)
SHOWS(interrupts, view->stats.interrupts)
SHOWS(forward_retries, view->stats.forward_retries)
SHOWS(consumer_connections, view->stats.connections)
SHOWS(publisher_connections, view->stats.publish_connections)
SHOWS(cancels, view->stats.cancels)
SHOWS(channel_losses, view->stats.channel_losses)
SHOWS(silences, view->stats.silences)
SHOWS(prefetch_changes, view->stats.prefetch_changes)
SHOWS(running, view->stats.running)
SHOWS(in_flight, view->stats.in_flight)
SHOWS(prefetch, view->stats.prefetch)
SHOWS(ready, view->stats.ready)
SHOWS(draining, view->stats.draining)
SHOWS(blocked, view->stats.blocked)

#define DELIVERIES "Deliveries taken from the broker."
#define PROCESSED "Jobs that left a handler, or were judged before it, by what became of them."
#define CONNECTIONS "Times a connection to the broker was made."

/* clang-format off: a row reads as name, kind, label, its value, sentence, source. */
static const struct wr_metric metrics[] = {
    { "warren_deliveries", WR_COUNTER, "redelivered", "false", DELIVERIES, first_deliveries },
    { "warren_deliveries", WR_COUNTER, "redelivered", "true", DELIVERIES, redeliveries },
    { "warren_jobs_processed", WR_COUNTER, "outcome", "done", PROCESSED, done },
    { "warren_jobs_processed", WR_COUNTER, "outcome", "retry", PROCESSED, retried },
    { "warren_jobs_processed", WR_COUNTER, "outcome", "dead", PROCESSED, dead },
    { "warren_jobs_processed", WR_COUNTER, "outcome", "discard", PROCESSED, discarded },
    { "warren_jobs_processed", WR_COUNTER, "outcome", "snooze", PROCESSED, snoozed },
    { "warren_jobs_given_back", WR_COUNTER, NULL, NULL,
      "Jobs returned to the broker before they had started.", given_back },
    { "warren_jobs_stale", WR_COUNTER, NULL, NULL,
      "Jobs that ended after their connection was lost: the broker delivers them again.", stale },
    { "warren_jobs_late", WR_COUNTER, NULL, NULL,
      "Jobs that came home from the delay ladder 20 s or more after they were due.", late },
    { "warren_jobs_overrun", WR_COUNTER, NULL, NULL, "Jobs that ran past their timeout.",
      overruns },
    { "warren_job_crashes", WR_COUNTER, NULL, NULL,
      "Runs that ended with their process, found in its ledger.", crashes },
    { "warren_job_interrupts", WR_COUNTER, NULL, NULL,
      "Runs cut off by a drain or a neighbour's crash, found in a ledger.", interrupts },
    { "warren_lane_waits", WR_COUNTER, NULL, NULL,
      "Times a job type at its limit held jobs back while threads were idle.", lane_waits },
    { "warren_forward_retries", WR_COUNTER, NULL, NULL,
      "Publishes of retries and dead letters that had to be repeated.", forward_retries },
    { "warren_connections", WR_COUNTER, "role", "consumer", CONNECTIONS, consumer_connections },
    { "warren_connections", WR_COUNTER, "role", "publisher", CONNECTIONS, publisher_connections },
    { "warren_consumer_cancels", WR_COUNTER, NULL, NULL,
      "Consumers that the broker ended, such as with their queue.", cancels },
    { "warren_consumer_channel_losses", WR_COUNTER, NULL, NULL,
      "Consuming channels that the broker closed.", channel_losses },
    { "warren_consumer_silences", WR_COUNTER, NULL, NULL,
      "Consumers that the broker had forgotten.", silences },
    { "warren_prefetch_changes", WR_COUNTER, NULL, NULL, "Times an automatic prefetch was changed.",
      prefetch_changes },
    { "warren_jobs_running", WR_GAUGE, NULL, NULL, "Jobs in handlers now.", running },
    { "warren_jobs_in_flight", WR_GAUGE, NULL, NULL, "Jobs delivered and not settled now.",
      in_flight },
    { "warren_prefetch", WR_GAUGE, NULL, NULL,
      "Jobs that the broker may hand over ahead, all queues together.", prefetch },
    { "warren_ready", WR_GAUGE, NULL, NULL, "1 while every queue is consumed.", ready },
    { "warren_draining", WR_GAUGE, NULL, NULL, "1 once a drain has begun.", draining },
    { "warren_broker_blocked", WR_GAUGE, NULL, NULL,
      "1 while the broker takes no publishes, because of an alarm.", blocked },
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
    const char *suffix = is_open ? "" : suffix_of(metric);
    wr_text_add_format(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", metric->name, suffix, metric->help,
                       metric->name, suffix, metric->kind == WR_COUNTER ? "counter" : "gauge");
}

static void write_series(struct wr_text *out, const struct wr_metric *metric,
                         const struct wr_view *view)
{
    wr_text_add_format(out, "%s%s", metric->name, suffix_of(metric));
    if (metric->label) {
        wr_text_add_format(out, "{%s=\"%s\"}", metric->label, metric->label_value);
    }
    wr_text_add_format(out, " %lld\n", (long long)metric->read(view));
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
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        if (strcmp(metrics[i].name, family) != 0) {
            family = metrics[i].name;
            write_family(out, &metrics[i], is_open);
        }
        write_series(out, &metrics[i], view);
    }
    write_build(out, is_open);
    if (is_open) {
        wr_text_add_string(out, "# EOF\n");
    }
}
