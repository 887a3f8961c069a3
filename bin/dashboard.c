// SPDX-License-Identifier: MIT
// DESIGN: the table of panels, in the order of the page: how it goes, then job types, queues, dead
// letters, the broker, the workers. Each counter is shown as a rate or an increase over the range.
#include "dashboard.h"

/* clang-format off */
#define ROW(title) { title, "row", "", 24, "", { { NULL, NULL } } }
#define RATE(series) "rate(" series "[$__rate_interval])"
#define GROWTH(series) "increase(" series "[$__rate_interval])"
#define QUANTILE(part, by, series) \
    "histogram_quantile(" part ", sum by (" by "le) (" RATE(series) "))"
#define QUANTILES(by, series, legend) \
    { { QUANTILE("0.5", by, series), legend "p50" }, \
      { QUANTILE("0.95", by, series), legend "p95" }, \
      { QUANTILE("0.99", by, series), legend "p99" } }
#define PROCESSED(more) RATE("warren_jobs_processed_total{" OF_TYPE more "}")
#define FAILED PROCESSED(",outcome=~\"retry|dead\"")
#define ENDED PROCESSED(",outcome=~\"done|discard|retry|dead\"")
#define BY_TYPE "queue, type, "
#define TYPE "{{queue}} {{type}} "
#define INSTANCE "{{instance}}"

/* A panel reads as title, kind, unit, width, sentence, expressions with legends. */
static const struct panel panels[] = {
    ROW("Overview"),
    { "Workers", "stat", "short", 3,
      "Workers that show their metrics, and those of them that are ready.",
      { { "count(warren_ready{" OF_WORKER "})", "up" },
        { "sum(warren_ready{" OF_WORKER "})", "ready" } } },
    { "Done", "stat", "ops", 3,
      "Jobs done a second.",
      { { "sum(" PROCESSED(",outcome=\"done\"") ")", "" } } },
    { "Failing", "stat", "percentunit", 3,
      "Runs that end in a retry or in the dead queue.",
      { { "sum(" FAILED ") / (sum(" ENDED ") > 0)", "" } } },
    { "Running", "stat", "short", 3,
      "Jobs in handlers now.",
      { { "sum(warren_jobs_running{" OF_TYPE "})", "" } } },
    { "In flight", "stat", "short", 3,
      "Jobs delivered and not settled.",
      { { "sum(warren_jobs_in_flight{" OF_QUEUE "})", "" } } },
    { "Wait, p95", "stat", "s", 3,
      "From when a job could have run to its handler.",
      { { QUANTILE("0.95", "", "warren_job_wait_seconds_bucket{" OF_TYPE "}"), "" } } },
    { "Dead in the range", "stat", "short", 3,
      "Jobs that went to a dead queue.",
      { { "sum(increase(warren_dead_letters_total{" OF_QUEUE "}[$__range]))", "" } } },
    { "Threads busy", "stat", "percentunit", 3,
      "Of all threads that run jobs.",
      { { "sum(warren_threads_busy{" OF_WORKER "}) / sum(warren_threads{" OF_WORKER "})", "" } } },

    ROW("Jobs by type"),
    { "Outcomes", "timeseries", "ops", 12,
      "What becomes of jobs, a second.",
      { { "sum by (" BY_TYPE "outcome) (" PROCESSED("") ") > 0", TYPE "{{outcome}}" } } },
    { "Failing", "timeseries", "percentunit", 12,
      "Runs that end in a retry or in the dead queue, of all.",
      { { "sum by (queue, type) (" FAILED ") / sum by (queue, type) (" ENDED ")", TYPE } } },
    { "Run time", "timeseries", "s", 8, "How long handlers run.",
      QUANTILES(BY_TYPE, "warren_job_duration_seconds_bucket{" OF_TYPE "}", TYPE) },
    { "Wait", "timeseries", "s", 8,
      "From when a job could have run to its handler, without delays and backoff.",
      QUANTILES(BY_TYPE, "warren_job_wait_seconds_bucket{" OF_TYPE "}", TYPE) },
    { "End to end", "timeseries", "s", 8,
      "From a job's first publish to its end, with all delays and attempts.",
      QUANTILES(BY_TYPE, "warren_job_end_to_end_seconds_bucket{" OF_TYPE "}", TYPE) },
    { "Running, and the limit", "timeseries", "short", 8,
      "Jobs in handlers, and how many may be.",
      { { "sum by (queue, type) (warren_jobs_running{" OF_TYPE "})", TYPE },
        { "sum by (queue, type) (warren_job_concurrency{" OF_TYPE "})", TYPE "limit" } } },
    { "Oldest running job", "timeseries", "s", 8,
      "How long the job has been running that runs longest.",
      { { "time() - min by (queue, type) (warren_job_oldest_start_timestamp_seconds{" OF_TYPE
          "} > 0)",
          TYPE } } },
    { "Since the last success", "timeseries", "s", 8,
      "How long ago a job of the type was last done.",
      { { "time() - max by (queue, type) (warren_last_success_timestamp_seconds{" OF_TYPE "} > 0)",
          TYPE } } },

    ROW("Queues"),
    { "Deliveries", "timeseries", "ops", 8,
      "Taken from the broker, a second; redelivered ones were delivered before.",
      { { "sum by (queue) (" RATE("warren_deliveries_total{" OF_QUEUE ",redelivered=\"false\"}") ")",
          "{{queue}}" },
        { "sum by (queue) (" RATE("warren_deliveries_total{" OF_QUEUE ",redelivered=\"true\"}") ") > 0",
          "{{queue}} again" } } },
    { "In flight, and prefetch", "timeseries", "short", 8,
      "Jobs in hand, and how many the broker may hand over ahead.",
      { { "sum by (queue) (warren_jobs_in_flight{" OF_QUEUE "})", "{{queue}}" },
        { "sum by (queue) (warren_prefetch{" OF_QUEUE "})", "{{queue}} prefetch" } } },
    { "Workers that consume", "timeseries", "short", 8,
      "How many workers consume the queue now.",
      { { "sum by (queue) (warren_queue_consumed{" OF_QUEUE "})", "{{queue}}" },
        { "max by (queue) (warren_queue_paused{" OF_QUEUE "})", "{{queue}} paused" } } },
    { "Held back", "timeseries", "ops", 8,
      "Times a job type at its limit held jobs back while threads were idle.",
      { { "sum by (instance) (" RATE("warren_lane_waits_total{" OF_WORKER "}") ")", INSTANCE } } },
    { "Given back, and stale", "timeseries", "ops", 8,
      "Jobs that the broker delivers again.",
      { { "sum by (instance) (" RATE("warren_jobs_given_back_total{" OF_WORKER "}") ")",
          INSTANCE " given back" },
        { "sum by (instance) (" RATE("warren_jobs_stale_total{" OF_WORKER "}") ")",
          INSTANCE " stale" } } },
    { "Home from the delay ladder", "timeseries", "ops", 8,
      "Retries and delayed jobs whose time has come; late: 20 s and more.",
      { { "sum by (instance) (" RATE("warren_ladder_returns_total{" OF_WORKER "}") ")", INSTANCE },
        { "sum by (instance) (" RATE("warren_jobs_late_total{" OF_WORKER "}") ")",
          INSTANCE " late" } } },

    ROW("Dead letters"),
    { "By reason", "timeseries", "short", 12,
      "Jobs that went to the dead queue.",
      { { "sum by (queue, reason) (" GROWTH("warren_dead_letters_total{" OF_QUEUE "}") ") > 0",
          "{{queue}} {{reason}}" } } },
    { "In the range", "table", "short", 12,
      "The same, summed up over the time that is shown.",
      { { "sum by (queue, reason) (increase(warren_dead_letters_total{" OF_QUEUE
          "}[$__range])) > 0",
          "" } } },

    ROW("Broker"),
    { "Publishes", "timeseries", "ops", 8,
      "By the broker's word.",
      { { "sum by (result) (" RATE("warren_publishes_total{" OF_WORKER "}") ")", "{{result}}" },
        { "sum(" RATE("warren_forward_retries_total{" OF_WORKER "}") ")", "repeated" } } },
    { "Until the confirm", "timeseries", "s", 8,
      "From the sending of a message to the broker's confirm.",
      QUANTILES("", "warren_publish_confirm_seconds_bucket{" OF_WORKER "}", "") },
    { "Connections made", "timeseries", "short", 8,
      "One a role at the start; more are losses.",
      { { "sum by (instance, role) (" GROWTH("warren_connections_total{" OF_WORKER "}") ")",
          INSTANCE " {{role}}" } } },
    { "Blocked", "timeseries", "short", 8,
      "1 while the broker takes no publishes, because of an alarm.",
      { { "max by (instance) (warren_broker_blocked{" OF_WORKER "})", INSTANCE } } },
    { "Consumers lost", "timeseries", "short", 16,
      "Ended by the broker, closed with their channel, or forgotten.",
      { { "sum by (instance) (" GROWTH("warren_consumer_cancels_total{" OF_WORKER "}") ")",
          INSTANCE " cancelled" },
        { "sum by (instance) (" GROWTH("warren_consumer_channel_losses_total{" OF_WORKER "}") ")",
          INSTANCE " channel" },
        { "sum by (instance) (" GROWTH("warren_consumer_silences_total{" OF_WORKER "}") ")",
          INSTANCE " forgotten" } } },

    ROW("Workers"),
    { "Threads", "timeseries", "short", 8,
      "Of the pool; busy ones run a job, stuck ones one past its hard_timeout.",
      { { "sum by (instance) (warren_threads{" OF_WORKER "})", INSTANCE },
        { "sum by (instance) (warren_threads_busy{" OF_WORKER "})", INSTANCE " busy" },
        { "sum by (instance) (warren_threads_stuck{" OF_WORKER "})", INSTANCE " stuck" } } },
    { "Ready, draining", "timeseries", "short", 8,
      "1 while it is so.",
      { { "min by (instance) (warren_ready{" OF_WORKER "})", INSTANCE " ready" },
        { "max by (instance) (warren_draining{" OF_WORKER "})", INSTANCE " draining" } } },
    { "Crashes, interrupts, overruns", "timeseries", "short", 8,
      "Runs that ended with their process, that were cut off, that ran past their timeout.",
      { { "sum by (instance) (" GROWTH("warren_job_crashes_total{" OF_WORKER "}") ")",
          INSTANCE " crashes" },
        { "sum by (instance) (" GROWTH("warren_job_interrupts_total{" OF_WORKER "}") ")",
          INSTANCE " interrupts" },
        { "sum by (instance) (" GROWTH("warren_jobs_overrun_total{" OF_WORKER "}") ")",
          INSTANCE " overruns" } } },
    { "Prefetch changes", "timeseries", "short", 8,
      "Times an automatic prefetch was changed.",
      { { "sum by (instance) (" GROWTH("warren_prefetch_changes_total{" OF_WORKER "}") ")",
          INSTANCE } } },
    { "Versions", "table", "short", 16,
      "What is running where.",
      { { "sum by (instance, version) (warren_build_info{" OF_WORKER "})", "" } } },
};
/* clang-format on */

const struct panel *dashboard_panels(size_t *out_count)
{
    *out_count = sizeof panels / sizeof panels[0];
    return panels;
}
