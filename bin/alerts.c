// SPDX-License-Identifier: MIT
// DESIGN: the table is the only place that has an alert's expression; deploy/prometheus is written from
// it. What only grows is looked at twice: its increase, and, since a process may have counted before it
// was first seen, all that one has which is younger than the window.
#include "alerts.h"

#include <inttypes.h>

#define BY_TYPE "by (namespace, job, queue, type) "
#define BY_QUEUE "by (namespace, job, queue) "
#define GROWN(by, series, window)                                                                  \
    "sum " by "(increase(" series "[" window "])) > 0\n"                                           \
    "or sum " by "(" series " unless " series " offset " window ") > 0"
#define PROCESSED(outcomes, window)                                                                \
    "sum " BY_TYPE "(rate(warren_jobs_processed_total{@,outcome" outcomes "}[" window "]))"
#define FAILED "=~\"retry|dead\""
#define ENDED "=~\"done|discard|retry|dead\""
#define RETRIED "=\"retry\""
#define DONE "=\"done\""
#define DEPTH "sum by (vhost, queue) (rabbitmq_detailed_queue_messages_ready{@})"
/* Counters of a node lose what was before its restart, so only what they grew by tells something. */
#define GONE(why)                                                                                  \
    "sum(increase(rabbitmq_global_messages_dead_lettered_" why                                     \
    "_total{dead_letter_strategy=\"at_least_once\"}[1h]))"
#define LEFT "  " GONE("expired") "\n  + " GONE("rejected") "\n  + " GONE("delivery_limit")
#define LEFT_AND_NOT_CONFIRMED "(\n" LEFT "\n  - " GONE("confirmed") ")"
#define WHERE "{{ $labels.job }} {{ $labels.instance }}: "
#define TYPE "{{ $labels.type }} in {{ $labels.queue }}"

/* A row reads as group, name, scope, limit, severity, how long, expression, texts. */
/* clang-format off */
static const struct alert alerts[] = {
    { "warren-jobs", "WarrenJobStuck", OF_WORKERS, NO_LIMIT, "critical", "1m",
      "warren_threads_stuck > 0", WHERE "{{ $value }} threads are stuck in their handlers",
      "Jobs run past their hard_timeout, so their threads are lost until the process ends." },
    { "warren-jobs", "WarrenJobRunsLong", OF_TYPES, RUN_S, "warning", "1m",
      "time() - warren_job_oldest_start_timestamp_seconds{@} > #\n"
      "and warren_job_oldest_start_timestamp_seconds{@} > 0",
      TYPE ": a job has been running for {{ $value | humanizeDuration }}",
      "It began longer ago than is meant for its type. At the broker's consumer_timeout it is "
      "given to another worker and runs twice." },
    { "warren-jobs", "WarrenJobWaitLong", OF_TYPES, WAIT_S, "warning", "5m",
      "histogram_quantile(0.95, sum by (namespace, job, queue, type, le) (\n"
      "  rate(warren_job_wait_seconds_bucket{@}[5m]))) > #",
      TYPE ": jobs wait {{ $value | humanizeDuration }} for their handler (p95)",
      "Five of a hundred jobs wait longer than this, without the delays that were asked for." },
    { "warren-jobs", "WarrenJobFailureRatio", OF_TYPES, FAILED_PART, "warning", "10m",
      PROCESSED(FAILED, "10m") "\n"
                               "/ " PROCESSED(ENDED, "10m") " > #",
      TYPE ": {{ $value | humanizePercentage }} of the runs fail",
      "Runs that end in a retry or in the dead queue, of all runs in ten minutes." },
    { "warren-jobs", "WarrenRetryStorm", OF_TYPES, NO_LIMIT, "critical", "5m",
      PROCESSED(RETRIED, "5m") " > 1\n"
                               "and " PROCESSED(RETRIED, "5m") "\n"
                                                               "  > 2 * " PROCESSED(DONE, "5m"),
      TYPE ": {{ $value | humanize }} retries a second, more than twice what gets done",
      "Most of the work is spent on jobs that fail: what they depend on is probably down." },
    { "warren-jobs", "WarrenDeadLetters", OF_QUEUES, NO_LIMIT, "warning", "",
      GROWN("by (namespace, job, queue, reason) ", "warren_dead_letters_total{@}", "10m"),
      "{{ $labels.queue }}: {{ $value | humanize }} jobs went to the dead queue "
      "({{ $labels.reason }})",
      "They stay there, with their history, until somebody replays or drops them." },
    { "warren-jobs", "WarrenJobCrashes", OF_WORKERS, NO_LIMIT, "warning", "",
      GROWN("by (namespace, job, instance) ", "warren_job_crashes_total", "15m"),
      WHERE "{{ $value | humanize }} runs ended with their process",
      "A handler took its whole worker with it. After max_crashes the job is dead as crash_loop." },
    { "warren-queues", "WarrenNoProgress", OF_QUEUES, IDLE_TIME, "warning", "5m",
      "sum " BY_QUEUE "(min_over_time(warren_jobs_in_flight{@}[#])) > 0\n"
      "and sum " BY_QUEUE "(increase(warren_jobs_processed_total{@}[#])) == 0",
      "{{ $labels.queue }}: {{ $value }} jobs are in hand, and none ends",
      "Workers hold jobs of the queue, and for longer than any should take none has ended." },
    { "warren-queues", "WarrenQueueNotConsumed", OF_QUEUES, NO_LIMIT, "critical", "2m",
      "max " BY_QUEUE "(warren_queue_consumed{@}) == 0\n"
      "  unless max " BY_QUEUE "(warren_queue_paused{@}) == 1",
      "{{ $labels.queue }}: no worker takes jobs from it",
      "Workers are up, but none of them consumes the queue." },
    { "warren-broker", "WarrenBrokerBlocked", OF_WORKERS, NO_LIMIT, "critical", "2m",
      "warren_broker_blocked == 1", WHERE "the broker takes no publishes",
      "An alarm of the broker (memory or disk): publishes, retries and dead letters wait." },
    { "warren-broker", "WarrenConnectionFlapping", OF_WORKERS, NO_LIMIT, "warning", "",
      "sum by (namespace, job, instance, role) (increase(warren_connections_total[15m])) > 3",
      WHERE "{{ $value | humanize }} new connections ({{ $labels.role }}) in 15 minutes",
      "With each lost connection the jobs that were running run again." },
    { "warren-broker", "WarrenPublishesFailing", OF_WORKERS, NO_LIMIT, "warning", "",
      GROWN("by (namespace, job, instance, result) ",
            "warren_publishes_total{result!=\"confirmed\"}", "10m"),
      WHERE "{{ $value | humanize }} publishes were {{ $labels.result }}",
      "The broker did not store them, no queue takes them, or no answer came in time." },
    { "warren-broker", "WarrenLadderLate", OF_WORKERS, NO_LIMIT, "warning", "",
      GROWN("by (namespace, job, instance) ", "warren_jobs_late_total", "15m"),
      WHERE "{{ $value | humanize }} delayed jobs came home 20 s or more too late",
      "The broker held them back, as one without Warren's settings does after a restart." },
    { "warren-workers", "WarrenWorkerNotReady", OF_WORKERS, NO_LIMIT, "warning", "5m",
      "warren_ready == 0 unless warren_draining == 1", WHERE "not ready",
      "It is up, and does not consume all of its queues." },
    { "warren-workers", "WarrenConfigReloadFailed", OF_WORKERS, NO_LIMIT, "warning", "1m",
      "warren_config_last_reload_successful == 0",
      WHERE "the configuration could not be read again",
      "It goes on with the one that it had; a worker that starts with these files ends at once." },
    { "warren-workers", "WarrenMetricsAbsent", OF_WORKERS, NO_LIMIT, "critical", "5m",
      "group by (namespace, job) (last_over_time(warren_build_info[1d]))\n"
      "  unless group by (namespace, job) (warren_build_info)\n"
      "or absent_over_time(warren_build_info[1d])",
      "{{ $labels.job }}: no worker shows its metrics",
      "No worker is up, or none can be scraped: no other alert of Warren's can fire." },
};

static const struct alert rabbitmq_alerts[] = {
    { "warren-rabbitmq", "WarrenBacklogNoConsumers", OF_INBOXES, NO_LIMIT, "critical", "5m",
      DEPTH " > 0\n"
      "and sum by (vhost, queue) (rabbitmq_detailed_queue_consumers{@}) == 0",
      "{{ $labels.queue }}: {{ $value }} jobs wait, and nobody consumes it",
      "Jobs are published, and no worker is connected to the queue." },
    { "warren-rabbitmq", "WarrenBacklogGrows", OF_INBOXES, BACKLOG, "warning", "15m",
      DEPTH " > #\n"
      "and sum by (vhost, queue) (deriv(rabbitmq_detailed_queue_messages_ready{@}[15m])) > 0",
      "{{ $labels.queue }}: {{ $value }} jobs wait, and they get more",
      "More is published than done." },
    { "warren-rabbitmq", "WarrenUnrouted", OF_WORKERS, NO_LIMIT, "warning", "5m",
      "sum by (vhost, queue) (rabbitmq_detailed_queue_messages_ready{queue=~\".+[.]unrouted\"}) > 0",
      "{{ $labels.queue }}: {{ $value }} messages found no queue",
      "Delayed jobs whose time had come, and that no queue takes any more." },
    { "warren-rabbitmq", "WarrenDeadLettersHeld", OF_WORKERS, NO_LIMIT, "warning", "10m",
      LEFT_AND_NOT_CONFIRMED " > 0.1 * (\n" LEFT ")",
      "{{ $value | humanize }} messages are held between two queues of the broker",
      "Of what left quorum queues by their dead-letter exchange in an hour, more than a tenth was not "
      "confirmed by where it goes: retries, delayed jobs or dead letters, which no queue shows." },
};
/* clang-format on */

/* --- limits --- */

enum { S = 1000, MINUTE = 60 * S };

static int64_t at_least(int64_t least, int64_t number)
{
    return number < least ? least : number;
}

static int64_t at_most(int64_t most, int64_t number)
{
    return number > most ? most : number;
}

static void write_seconds(char out[LIMIT_BYTES], int64_t ms)
{
    (void)snprintf(out, LIMIT_BYTES, ms % S ? "%" PRId64 ".%03d" : "%" PRId64, ms / S,
                   (int)(ms % S));
}

static void write_minutes(char out[LIMIT_BYTES], int64_t ms)
{
    (void)snprintf(out, LIMIT_BYTES, "%" PRId64 "m", (ms + MINUTE - 1) / MINUTE);
}

/* A run may take twice its timeout; without one, as long as the broker lets it. */
void limit_of_type(char out[LIMIT_BYTES], enum alert_limit limit, const struct plan_type *type)
{
    int64_t timeout_ms = type ? type->timeout_ms : 0;
    out[0] = '\0';
    if (limit == RUN_S) {
        write_seconds(out, timeout_ms ? 2 * timeout_ms : 30 * MINUTE);
    } else if (limit == WAIT_S) { /* within the histogram's buckets */
        int64_t wait_ms = at_most(15 * MINUTE, at_least(MINUTE, 2 * timeout_ms));
        write_seconds(out, timeout_ms ? wait_ms : 5 * MINUTE);
    } else if (limit == FAILED_PART) { /* with one attempt each failure is a dead letter */
        (void)snprintf(out, LIMIT_BYTES, "%s", type && type->attempts <= 1 ? "0.05" : "0.25");
    }
}

void limit_of_queue(char out[LIMIT_BYTES], enum alert_limit limit, const struct plan_queue *queue)
{
    int64_t timeout_ms = queue ? queue->timeout_ms : 0;
    out[0] = '\0';
    if (limit == IDLE_TIME) {
        write_minutes(out, timeout_ms ? at_least(10 * MINUTE, 2 * timeout_ms) : 30 * MINUTE);
    }
}

/* A hundred jobs for each that may run at once. */
void limit_of_inbox(char out[LIMIT_BYTES], enum alert_limit limit, const struct plan_inbox *inbox)
{
    out[0] = '\0';
    if (limit == BACKLOG) {
        (void)snprintf(out, LIMIT_BYTES, "%" PRId64,
                       inbox ? 100 * at_least(1, inbox->concurrency) : 1000);
    }
}

const struct alert *alerts_table(bool is_rabbitmq, size_t *out_count)
{
    *out_count = is_rabbitmq ? sizeof rabbitmq_alerts / sizeof rabbitmq_alerts[0]
                             : sizeof alerts / sizeof alerts[0];
    return is_rabbitmq ? rabbitmq_alerts : alerts;
}
