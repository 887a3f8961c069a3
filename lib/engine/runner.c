// SPDX-License-Identifier: MIT
// DESIGN: one job's story, read from the bottom up.
//
//     run: expired? JSON? ──▶ handler ──▶ verdict ──▶ conclude
//     conclude: DONE, DISCARD          ──▶ settle(ack)
//               RETRY, SNOOZE          ──▶ ladder ──confirm──▶ settle(ack)
//               DEAD, attempts used up ──▶ dead exchange ──confirm──▶ settle(ack)
//
// Forward first, then ack: a job that goes on as a message is settled by that message's confirm.
// The messages that a handler published itself count too: `open_publishes` starts at 1 for the job
// and is raised by each; whoever brings it to zero carries the verdict out. If one of them failed,
// "done" becomes a retry. A job whose connection was lost meanwhile goes nowhere: the broker has given
// it to somebody else, and sending it on too would leave two of it.
#include "engine/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/crashpoint.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/lane.h"
#include "engine/meter.h"
#include "model/topology.h"

/* A message of a job: its way on, or one that its handler published. */
struct errand {
    struct wr_request request;
    struct wr_runner *runner;
    struct warren_job *job;
    enum wr_forward_kind kind; /* of a way on */
};

static void settle(struct wr_runner *runner, struct warren_job *job, enum wr_settle how)
{
    job->settle = how;
    wr_tracer_settle(runner->tracer, job);
    runner->settle(runner->user, job);
}

/* A line about a job that has its verdict: who it is, what its handler took, `more`, and an error when
 * there is one. */
static void log_job(enum wr_level level, const char *event, const struct warren_job *job,
                    const char *more, const char *error)
{
    if (!wr_log_wants(level)) {
        return;
    }
    char text[600];
    char took[48] = "";
    char who[WR_JOB_WHO_SIZE];
    if (job->ended_us) {
        int64_t took_us = job->ended_us - job->started_us;
        (void)snprintf(took, sizeof took, " duration_ms=%lld", (long long)(took_us / WR_US_PER_MS));
    }
    wr_log(level, event, "%s%s%s%s%s", wr_job_who(job, who), took, more, error ? " error=" : "",
           error ? wr_log_quote(text, sizeof text, error) : "");
}

const char *wr_runner_home(char *out, size_t size, const struct warren_job *job)
{
    if (job->settings && job->settings->isolate) {
        wr_topology_isolated_queue(out, size, job->queue->name, job->settings->type);
    } else {
        (void)snprintf(out, size, "%s", job->queue->name);
    }
    return out;
}

static void forwarded(struct wr_request *request, warren_status status, const warren_error *error)
{
    struct errand *errand = WR_OF(request, struct errand, request);
    (void)error; /* an insisting request fails only when the publisher ends: the broker keeps the
                    original */
    WR_CRASH_POINT(errand->kind == WR_FORWARD_DEAD ? "dead_confirmed" : "retry_confirmed");
    settle(errand->runner, errand->job, status ? WR_SETTLE_LEAVE : WR_SETTLE_ACK);
    wr_parcel_done(&errand->request.parcel);
    free(errand);
}

/* Sends the job on as a message; its confirm settles the job. */
static void forward(struct wr_runner *runner, struct warren_job *job, const struct wr_forward *how)
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand || wr_parcel_forward(&errand->request.parcel, job, how)) {
        free(errand);
        log_job(WR_ERROR, "job.no_memory", job, " outcome=requeue ignoring=verdict", job->text);
        settle(runner, job, WR_SETTLE_REQUEUE);
        return;
    }
    errand->request.insists = true;
    errand->request.done = forwarded;
    errand->runner = runner;
    errand->job = job;
    errand->kind = how->kind;
    wr_publisher_submit(runner->publisher, &errand->request);
}

static struct wr_forward begin_forward(const struct wr_runner *runner, const struct warren_job *job,
                                       enum wr_forward_kind kind)
{
    return (struct wr_forward){ .kind = kind,
                                .ns = runner->settings->ns,
                                .worker = runner->worker,
                                .text = job->text,
                                .wall_ms = wr_clock_wall_ms(runner->clock) };
}

static void bury(struct wr_runner *runner, struct warren_job *job, const char *reason,
                 bool is_charged)
{
    struct wr_forward how = begin_forward(runner, job, WR_FORWARD_DEAD);
    how.reason = reason;
    how.is_charged = is_charged;
    if (!how.text && job->verdict == WARREN_DEAD) {
        how.text = "";
    }
    char more[80];
    (void)snprintf(more, sizeof more, " outcome=dead reason=%s", reason);
    log_job(WR_WARN, "job.dead", job, more, job->text);
    wr_meter_death(job, reason);
    job->verdict = WARREN_DEAD;
    job->reason = reason;
    forward(runner, job, &how);
}

/* What is held has not run: it is no outcome. */
static void tell_postponed(struct warren_job *job, enum wr_forward_kind kind, int64_t delay_ms)
{
    char more[80];
    bool is_retry = kind == WR_FORWARD_RETRY;
    (void)snprintf(more, sizeof more, " outcome=%s delay_ms=%lld", is_retry ? "retry" : "snooze",
                   (long long)delay_ms);
    if (kind == WR_FORWARD_HOLD) {
        log_job(WR_DEBUG, "job.held", job, more, job->text);
        return;
    }
    log_job(WR_INFO, is_retry ? "job.retry" : "job.snooze", job, more, job->text);
    wr_meter_outcome(job, is_retry ? WR_OUTCOME_RETRY : WR_OUTCOME_SNOOZE);
}

static void postpone(struct wr_runner *runner, struct warren_job *job, enum wr_forward_kind kind,
                     int64_t delay_ms)
{
    struct wr_forward how = begin_forward(runner, job, kind);
    char home[WR_DELAY_KEY_SIZE];
    int64_t rounded_ms = wr_delay_round_up(delay_ms > 0 ? delay_ms : 1);
    how.delay_ms = rounded_ms;
    how.home = wr_runner_home(home, sizeof home, job);
    how.is_charged = kind == WR_FORWARD_RETRY;
    if (kind == WR_FORWARD_RETRY && !how.text) {
        how.text = "";
    }
    tell_postponed(job, kind, rounded_ms);
    forward(runner, job, &how);
}

static int64_t cap_delay(const struct wr_runner *runner, int64_t delay_ms)
{
    int64_t most_ms = runner->settings->delay_max_ms;
    return delay_ms < most_ms ? delay_ms : most_ms;
}

static void retry(struct wr_runner *runner, struct warren_job *job)
{
    struct wr_retry_policy policy = job->settings->retry;
    (void)wr_job_policy(job, &policy, NULL); /* was checked before the run */
    int64_t delay_ms;
    if (!wr_retry_plan(&policy, (int)job->books.attempt + 1, wr_random(), &delay_ms)) {
        bury(runner, job, "failed", true);
        return;
    }
    postpone(runner, job, WR_FORWARD_RETRY,
             cap_delay(runner, job->delay_ms >= 0 ? job->delay_ms : delay_ms));
}

static void discard(struct wr_runner *runner, struct warren_job *job)
{
    log_job(WR_WARN, "job.discard", job, " outcome=discard", job->text);
    wr_meter_outcome(job, WR_OUTCOME_DISCARD);
    settle(runner, job, WR_SETTLE_ACK);
}

__attribute__((format(printf, 2, 3))) static void say(struct warren_job *job, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    wr_job_say(job, format, args);
    va_end(args);
}

/* The verdict, once nothing of the job is unconfirmed. Nobody else holds the job any more: before, the
 * publisher's thread may read its settings for a line of the log. */
static void carry_out(struct wr_runner *runner, struct warren_job *job)
{
    const struct wr_lane *lane = job->lane;
    if (lane) {
        job->settings = atomic_load(&lane->settings); /* a failure goes by the newest policy */
    }
    wr_tracer_conclude(runner->tracer, job);
    if (runner->is_stale(runner->user,
                         job)) { /* it runs again: a copy of it would be one too many */
        wr_meter_outcome(job, WR_OUTCOME_INTERRUPTED);
        settle(runner, job, WR_SETTLE_LEAVE);
        return;
    }
    if (atomic_load(&job->publish_failed) && job->verdict != WARREN_DEAD) {
        say(job, "a message that the job published was not confirmed");
        job->verdict = WARREN_RETRY;
        job->delay_ms = -1;
    }
    switch (job->verdict) {
    case WARREN_DONE:
        log_job(WR_DEBUG, "job.done", job, " outcome=done", NULL);
        wr_meter_outcome(job, WR_OUTCOME_DONE);
        settle(runner, job, WR_SETTLE_ACK);
        return;
    case WARREN_RETRY:
        retry(runner, job);
        return;
    case WARREN_SNOOZE:
        postpone(runner, job, job->is_held ? WR_FORWARD_HOLD : WR_FORWARD_SNOOZE,
                 cap_delay(runner, job->delay_ms));
        return;
    case WARREN_DISCARD:
        discard(runner, job);
        return;
    case WARREN_DEAD:
        bury(runner, job, job->reason ? job->reason : "dead", !job->reason);
        return;
    }
    say(job, "the handler returned %d, which is no verdict", (int)job->verdict);
    bury(runner, job, "bad_verdict", true);
}

void wr_runner_conclude(struct wr_runner *runner, struct warren_job *job)
{
    if (atomic_fetch_sub(&job->open_publishes, 1) == 1) {
        carry_out(runner, job);
    }
}

static void published(struct wr_request *request, warren_status status, const warren_error *error)
{
    struct errand *errand = WR_OF(request, struct errand, request);
    if (status) {
        char text[600];
        char who[WR_JOB_WHO_SIZE]; /* its handler may still run */
        wr_log(WR_WARN, "job.publish_failed", "%s error=%s", wr_job_who(errand->job, who),
               wr_log_quote(text, sizeof text, error->text));
        atomic_store(&errand->job->publish_failed, true);
    }
    wr_runner_conclude(errand->runner, errand->job);
    wr_parcel_done(&errand->request.parcel);
    free(errand);
}

static warren_status compose(struct wr_runner *runner, const struct warren_job *job,
                             const struct warren_message *message, struct wr_request *out,
                             warren_error *err)
{
    const struct wr_settings *settings = runner->settings;
    struct wr_tracing tracing;
    wr_tracer_compose(runner->tracer, job, message, &tracing);
    struct wr_compose how = { settings->ns, settings->delay_max_ms, settings->body_most,
                              wr_clock_wall_ms(runner->clock), tracing.carried };
    warren_status rc = wr_parcel_compose(&out->parcel, message, &how, err);
    if (!rc && wr_parcel_keep(&out->parcel)) {
        wr_parcel_done(&out->parcel);
        rc = wr_no_memory(err);
    }
    if (rc) {
        wr_tracing_drop(&tracing);
        return rc;
    }
    out->tracer = runner->tracer;
    out->span = wr_tracing_take(&tracing, &out->parcel, message);
    return WARREN_OK;
}

warren_status wr_runner_publish(struct wr_runner *runner, struct warren_job *job,
                                const struct warren_message *message, warren_error *err)
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand) {
        return wr_no_memory(err);
    }
    warren_status rc = compose(runner, job, message, &errand->request, err);
    if (rc) {
        free(errand);
        return rc;
    }
    errand->request.deadline_us =
        wr_clock_mono_us(runner->clock) + runner->settings->publish_timeout_ms * WR_US_PER_MS;
    errand->request.done = published;
    errand->runner = runner;
    errand->job = job;
    (void)atomic_fetch_add(&job->open_publishes, 1);
    wr_publisher_submit(runner->publisher, &errand->request);
    return WARREN_OK;
}

static bool claims_json(const struct warren_job *job)
{
    static const char json[] = "application/json";
    struct wr_slice type = job->message->content_type;
    size_t size = sizeof json - 1;
    return (job->message->present & WR_CONTENT_TYPE) && type.size >= size &&
           memcmp(type.data, json, size) == 0 && (type.size == size || type.data[size] == ';');
}

static void condemn_as_expired(struct warren_job *job)
{
    char second[32] = "";
    time_t seconds = (time_t)(job->books.expires_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts)) {
        (void)strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    wr_job_condemn(job, "expired", "it was to start before %s.%03dZ", second,
                   (int)(job->books.expires_ms % 1000));
}

/* What may keep a job from its handler. NO_MEMORY: it cannot be told now. */
static warren_status check(struct wr_runner *runner, struct warren_job *job)
{
    WR_UNCLEARED warren_error err;
    WR_UNCLEARED struct wr_retry_policy policy;
    wr_error_clear(&err);
    if (job->books.expires_ms && wr_clock_wall_ms(runner->clock) > job->books.expires_ms) {
        condemn_as_expired(job);
    }
    bool has_own_policy = job->books.max_attempts || job->books.backoff.size;
    if (has_own_policy && !wr_job_policy(job, &policy, &err)) {
        wr_job_condemn(job, "bad_message", "%s", err.text);
    }
    if (job->queue->json_raw || !claims_json(job)) {
        return WARREN_OK;
    }
    warren_status rc = wr_job_check_json(job, runner->settings->json_depth, &err);
    if (rc && rc != WARREN_NO_MEMORY) {
        wr_job_condemn(job, "bad_message", "%s", err.text);
    }
    return rc == WARREN_NO_MEMORY ? rc : WARREN_OK;
}

/* Its type is paused, but not its queue: it waits in the ladder, or the queue would stand still behind
 * it. */
static void put_off(struct wr_runner *runner, struct warren_job *job)
{
    enum { HELD_MS = 30000 };
    job->is_held = true;
    job->verdict = WARREN_SNOOZE;
    job->delay_ms = HELD_MS;
    wr_runner_conclude(runner, job);
}

void wr_runner_run(void *user, struct warren_job *job)
{
    struct wr_runner *runner = user;
    const struct wr_lane *lane = job->lane;
    if (atomic_load_explicit(&lane->is_held, memory_order_relaxed)) {
        put_off(runner, job);
        return;
    }
    job->home = runner;
    wr_ledger_begin(runner->ledger, job->slot, job); /* a body may crash its check, too */
    if (check(runner, job)) { /* nobody's fault: it is tried again, here or elsewhere */
        wr_ledger_end(runner->ledger, job->slot);
        log_job(WR_ERROR, "job.no_memory", job, " outcome=requeue", job->text);
        settle(runner, job, WR_SETTLE_REQUEUE);
        return;
    }
    if (!job->reason) {
        wr_tracer_begin(runner->tracer, job);
        WR_CRASH_POINT("before_handler");
        job->verdict = lane->handler(job, lane->user);
        wr_tracer_end(runner->tracer, job);
        WR_CRASH_POINT("before_ack");
        wr_meter_run(job, wr_clock_mono_us(runner->clock));
    }
    wr_ledger_end(runner->ledger, job->slot);
    wr_runner_conclude(runner, job);
}
