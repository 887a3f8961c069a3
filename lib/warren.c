// SPDX-License-Identifier: MIT
// DESIGN: the only file that knows all parts. A worker is started in the order in which the parts
// need each other, and stopped in reverse, as a drain:
//
//     start: settings ─▶ roster ─▶ broker ─▶ topology ─▶ consumer ─▶ publisher ─▶ pool ─▶ threads
//     stop:  take no more, give back what has not started
//            ─▶ wait for running jobs and their confirms ─▶ consumer ─▶ publisher ─▶ pool
//
// If a handler still runs when the time is up, its job stays unacknowledged (the broker gives it to
// another worker), and nothing that it may touch is freed: the worker is abandoned, which costs
// memory in a process that is about to end.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/signals.h"
#include "base/stacks.h"
#include "engine/dial.h"
#include "engine/topologist.h"
#include "front/control.h"
#include "front/worker.h"
#include "warren/warren.h"

enum { GRACE_US = 1000000 };

/* --- before the start --- */

warren_status warren_open(warren **out, const char *config, warren_error *err)
{
    warren *w = calloc(1, sizeof *w);
    if (!w) {
        return wr_no_memory(err);
    }
    struct wr_settings *settings = NULL;
    warren_status rc = wr_settings_load(&settings, config, NULL, err);
    if (rc) {
        free(w);
        return rc;
    }
    w->settings = settings;
    w->is_as_configured = true;
    w->configured_ms = wr_clock_wall_ms(NULL);
    w->started_ms = wr_clock_wall_ms(NULL);
    (void)pthread_mutex_init(&w->look_lock, NULL);
    (void)pthread_mutex_init(&w->live_lock, NULL);
    wr_watch_init(&w->consumer_watch, "consumer");
    wr_watch_init(&w->publisher_watch, "publisher");
    wr_watch_init(&w->control_watch, "control");
    (void)wr_process_name(w->name, sizeof w->name);
    const char *title =
        w->settings->broker.connection_name ? w->settings->broker.connection_name : "warren";
    (void)snprintf(w->consumer_name, sizeof w->consumer_name, "%s %s consumer", title, w->name);
    (void)snprintf(w->publisher_name, sizeof w->publisher_name, "%s %s publisher", title, w->name);
    *out = w;
    return WARREN_OK;
}

/* --- the start --- */

/* Declares or checks what the settings ask for, and learns which left-over queues are there. */
static warren_status prepare(void *user, struct wr_broker *broker, warren_error *err)
{
    warren *w = user;
    struct wr_topologist_report report = { 0 };
    uint16_t channel = (uint16_t)(w->roster.source_count + 1); /* behind those of the sources */
    warren_status rc = w->settings->topology_check
                           ? wr_topologist_check(broker, channel, w->topology, &report, err)
                           : wr_topologist_apply(broker, channel, w->topology, &report, err);
    if (!rc) {
        wr_roster_note_leftovers(&w->roster, report.leftovers, report.leftover_count);
        if (report.notes.size) {
            char notes[1024];
            wr_log(WR_INFO, "topology.note", "text=%s",
                   wr_log_quote(notes, sizeof notes, wr_text_string(&report.notes)));
        }
    }
    wr_topologist_report_done(&report);
    return rc;
}

/* Opens a connection and does with it what `ready` says; tries until it works, the time is up, or a
 * signal comes. */
static warren_status connect(warren *w, const struct wr_signals *signals,
                             struct wr_dial_options *dial, struct wr_broker **out,
                             warren_error *err)
{
    int64_t until_us = wr_clock_mono_us(NULL) + w->settings->broker.connect_wait_ms * WR_US_PER_MS;
    dial->broker.settings = &w->settings->broker;
    dial->broker.clock = w->clock;
    dial->user = w;
    if (wr_broker_is_local(dial->broker.settings)) {
        return wr_dial_now(out, dial, err);
    }
    bool is_free = true;
    warren_status rc =
        wr_dial_until(out, dial, until_us, signals ? signals->end_fd : -1, &is_free, err);
    w->is_abandoned = w->is_abandoned || !is_free;
    if (rc == WARREN_STATE && signals) {
        wr_signals_take_end(signals); /* taken, or it would end the process later */
    }
    return rc;
}

static void repair(void *user)
{
    const warren *w = user;
    wr_consumer_repair(w->consumer);
}

static warren_status make_publisher(warren *w, const struct wr_signals *signals, warren_error *err)
{
    struct wr_broker *broker = NULL;
    struct wr_publisher_options options = { .settings = w->settings,
                                            .clock = w->clock,
                                            .name = w->publisher_name,
                                            .watch = &w->publisher_watch,
                                            .confirmed = w->confirmed,
                                            .user = w->confirmed_user,
                                            .missing = repair,
                                            .missing_user = w };
    struct wr_dial_options dial = { .broker = { .name = w->publisher_name,
                                                .watch = &w->publisher_watch } };
    warren_status rc = connect(w, signals, &dial, &broker, err);
    rc = rc ? rc : wr_publisher_new(&w->publisher, &options, broker, err);
    if (rc) {
        wr_broker_close(broker);
        return rc;
    }
    rc = wr_front_publisher_new(&w->front, w->publisher, w->settings, w->clock, err);
    if (!rc) {
        wr_front_publisher_trace(w->front, w->tracer);
    }
    return rc;
}

static warren_status build_topology(warren *w, warren_error *err)
{
    struct wr_topology *topology = NULL;
    warren_status rc = wr_topology_build(&topology, w->settings, w->trusts_x_death, err);
    if (!rc) {
        wr_topology_free(w->topology);
        w->topology = topology;
    }
    return rc;
}

/* A fresh connection of the consumer: an older server gets other arguments. */
static warren_status prepare_first(void *user, struct wr_broker *broker, warren_error *err)
{
    warren *w = user;
    warren_status rc = WARREN_OK;
    if (wr_broker_server(broker)->trusts_x_death) {
        w->trusts_x_death = true;
        rc = build_topology(w, err);
    }
    return rc ? rc : prepare(w, broker, err);
}

static warren_status make_consumer(warren *w, const struct wr_signals *signals, warren_error *err)
{
    struct wr_broker *broker = NULL;
    struct wr_consumer_options options = { .settings = w->settings,
                                           .clock = w->clock,
                                           .name = w->consumer_name,
                                           .watch = &w->consumer_watch,
                                           .counters = &w->counters,
                                           .charge = w->charge,
                                           .sources = w->roster.sources,
                                           .source_count = w->roster.source_count,
                                           .prepare = prepare,
                                           .user = w };
    struct wr_dial_options dial = { .broker = { .name = w->consumer_name,
                                                .body_most = w->settings->body_most,
                                                .watch = &w->consumer_watch },
                                    .ready = prepare_first };
    warren_status rc = connect(w, signals, &dial, &broker, err);
    rc = rc ? rc : wr_consumer_new(&w->consumer, &options, broker, err);
    if (rc) {
        wr_broker_close(broker);
    }
    return rc;
}

static warren_status make_pool(warren *w, warren_error *err)
{
    struct wr_pool_options options = { .threads = w->is_stepped ? 0 : w->roster.threads,
                                       .threads_most = w->is_stepped ? 0 : w->roster.threads_most,
                                       .shared_limit = w->roster.shared_limit,
                                       .clock = w->clock,
                                       .ledger = wr_charge_ledger(w->charge),
                                       .run = wr_runner_run,
                                       .user = &w->runner };
    w->runner = (struct wr_runner){ .settings = w->settings,
                                    .clock = w->clock,
                                    .worker = w->name,
                                    .publisher = w->publisher,
                                    .ledger = wr_charge_ledger(w->charge),
                                    .tracer = w->tracer,
                                    .settle = wr_consumer_settle,
                                    .is_stale = wr_consumer_is_stale,
                                    .user = w->consumer };
    warren_status rc = wr_pool_new(&w->pool, &options, err);
    if (!rc) {
        wr_consumer_join(w->consumer, w->pool, &w->runner);
    }
    return rc;
}

/* Before the first job and after the plugins, whose names stand in the ledger. Only warren_run has
 * signals to handle. */
static void open_charge(warren *w, const struct wr_signals *signals)
{
    struct wr_charge_options options = { .settings = w->settings,
                                         .counters = &w->counters,
                                         .threads = w->roster.threads_most,
                                         .handles_faults = signals != NULL };
    w->charge = w->is_stepped ? NULL : wr_charge_open(&options);
}

static void look_at_load(void *user, struct wr_pod_load *out)
{
    const warren *w = user;
    *out = (struct wr_pod_load){ .running = wr_pool_counts(w->pool).running,
                                 .drains = atomic_load(wr_pool_drains(w->pool)) };
}

/* Without it jobs run all the same. */
static void start_pod_cost(warren *w)
{
    char text[600];
    warren_error err = { .status = WARREN_OK };
    struct wr_pod_cost_options options = { .api = w->settings->kubernetes_api,
                                           .account = w->settings->kubernetes_account,
                                           .interval_ms = w->settings->kubernetes_interval_ms,
                                           .look = look_at_load,
                                           .user = w };
    if (!w->settings->has_deletion_cost) {
        return;
    }
    warren_status rc = wr_pod_cost_new(&w->pod_cost, &options, &err);
    rc = rc ? rc : wr_pod_cost_start(w->pod_cost, &err);
    if (rc) {
        wr_log(WR_WARN, "pod.unusable", "error=%s", wr_log_quote(text, sizeof text, err.text));
    }
}

static warren_status start_threads(warren *w, warren_error *err)
{
    if (w->is_stepped) {
        return WARREN_OK;
    }
    start_pod_cost(w);
    struct wr_watch *const watches[] = { &w->consumer_watch, &w->publisher_watch,
                                         &w->control_watch };
    warren_status rc = wr_watchdog_new(&w->dog, watches, 3, err);
    rc = rc ? rc : wr_tracer_start(w->tracer, err);
    rc = rc ? rc : wr_publisher_start(w->publisher, err);
    return rc ? rc : wr_consumer_start(w->consumer, err);
}

static warren_status start_parts(warren *w, const struct wr_signals *signals, warren_error *err)
{
    warren_status rc = wr_worker_load_plugins(w, err);
    rc = rc ? rc : wr_tracer_new(&w->tracer, w->settings, w->clock, w->name, err);
    rc = rc ? rc : build_topology(w, err);
    rc = rc ? rc : wr_roster_build(&w->roster, w->settings, w->topology, err);
    if (!rc) {
        open_charge(w, signals);
    }
    rc = rc ? rc : make_consumer(w, signals, err);
    rc = rc ? rc : make_publisher(w, signals, err);
    rc = rc ? rc : make_pool(w, err);
    rc =
        rc ? rc : wr_front_control_start(&w->control, w, err); /* what is paused isn't taken from */
    rc = rc ? rc : wr_consumer_subscribe(w->consumer, err);
    return rc ? rc : start_threads(w, err);
}

/* Jobs that a stop without a drain left in the pool: the broker has them, the consumer frees them.
 */
static void abandon_waiting(warren *w)
{
    struct wr_list waiting = { 0 };
    if (w->pool) {
        waiting = wr_pool_take_back(w->pool);
    }
    for (struct wr_link *link; (link = wr_list_take(&waiting));) {
        struct warren_job *job = WR_OF(link, struct warren_job, link);
        job->settle = WR_SETTLE_LEAVE;
        wr_consumer_settle(w->consumer, job);
    }
}

/* Frees the parts, if no handler runs any more. After a drain none does: all jobs are home, and
 * their threads are at most on their last few instructions. What was published beside them has
 * until `until_us` to be confirmed, and not much longer than a confirm takes. */
static bool stop_parts(warren *w, bool drained, int64_t until_us)
{
    if (!drained) {
        wr_charge_cut(w->charge);
    }
    bool all_free = wr_front_control_stop(TAKE(w->control));
    all_free = wr_pod_cost_stop(w->pod_cost) && all_free; /* it looks at the pool */
    all_free = (!w->consumer || wr_consumer_stop(w->consumer, drained)) && all_free;
    abandon_waiting(w);
    if (w->publisher) {
        int64_t left_us = drained ? until_us - wr_clock_mono_us(NULL) : 0;
        left_us = left_us < GRACE_US ? left_us : GRACE_US;
        all_free = wr_publisher_stop(w->publisher, left_us) && all_free;
    }
    wr_watchdog_free(TAKE(w->dog));
    w->is_abandoned = w->is_abandoned || !all_free;
    bool was_shown = w->has_parts; /* only this thread changes it */
    wr_worker_hide(w);
    if (!wr_pool_stop(w->pool, drained ? -1 : 0)) {
        if (was_shown) {
            wr_worker_show(w);
        }
        wr_pool_abandon(w->pool);
        wr_charge_close(w->charge, true);
        w->charge = NULL;
        w->is_abandoned = true;
        return false;
    }
    w->pool = NULL;
    wr_charge_close(w->charge, false);
    w->charge = NULL;
    if (w->is_abandoned) { /* somebody may still look at them */
        return true;
    }
    wr_front_publisher_free(w->front);
    (void)wr_publisher_free(w->publisher);
    wr_consumer_free(w->consumer);
    w->front = NULL;
    w->publisher = NULL;
    w->consumer = NULL;
    return true;
}

/* After all that has spans. It is freed with the worker: a handler may still run, and counts be read. */
static void stop_tracer(warren *w)
{
    bool is_free = wr_tracer_stop(w->tracer);
    w->is_abandoned = w->is_abandoned || !is_free;
}

warren_status wr_worker_start(warren *w, const struct wr_signals *signals, warren_error *err)
{
    if (w->state != WR_WORKER_NEW) {
        return wr_fail(err, WARREN_STATE,
                       w->state == WR_WORKER_RUNNING
                           ? "the worker runs already"
                           : "the worker was started before; open another to start again");
    }
    if (!w->is_stepped) {
        wr_log_limit((uint32_t)w->settings->log_rate, NULL);
    }
    warren_status rc = wr_worker_serve(w, err);
    rc = rc ? rc : start_parts(w, signals, err);
    w->state = rc ? WR_WORKER_STOPPED : WR_WORKER_RUNNING;
    if (rc) {
        (void)stop_parts(w, true, 0);
        stop_tracer(w);
        wr_http_stop(TAKE(w->http));
        return rc;
    }
    wr_worker_show(w);
    atomic_store(&w->has_started, true);
    wr_log(WR_INFO, "worker.start", "name=%s threads=%d queues=%zu types=%zu", w->name,
           w->roster.threads, w->settings->queue_count, w->roster.lane_count);
    return WARREN_OK;
}

warren_status warren_start(warren *w, warren_error *err)
{
    return wr_worker_start(w, NULL, err);
}

/* --- the stop --- */

static warren_status end(warren *w, bool drained, int64_t until_us, warren_error *err)
{
    bool all_ended = stop_parts(w, drained, until_us);
    stop_tracer(w);
    wr_http_stop(TAKE(w->http));
    w->state = WR_WORKER_STOPPED;
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    wr_log(WR_INFO, "worker.stop", "drained=%d done=%llu retried=%llu dead=%llu given_back=%llu",
           drained, (unsigned long long)stats.done, (unsigned long long)stats.retried,
           (unsigned long long)stats.dead, (unsigned long long)stats.given_back);
    wr_log_flush(true);
    if (all_ended) {
        return WARREN_OK;
    }
    return wr_fail(err, WARREN_TIMEOUT,
                   "handlers still run after the drain's time: their jobs stay with the broker");
}

/* What is cut off from here on is no job's own fault, and no job starts any more. Whoever looks on is told
 * at once. */
static void begin_drain(warren *w)
{
    wr_charge_drain(w->charge);
    wr_consumer_drain(w->consumer);
    wr_front_control_poke(w->control);
    wr_pod_cost_poke(w->pod_cost);
}

warren_status warren_stop(warren *w, int64_t timeout_ms, warren_error *err)
{
    if (w->state != WR_WORKER_RUNNING) {
        return wr_fail(err, WARREN_STATE, "the worker does not run");
    }
    static const int64_t most_ms = INT64_C(86400000) * 36500; /* for ever, without an overflow */
    int64_t wait_ms = timeout_ms < 0 ? w->settings->drain_timeout_ms : timeout_ms;
    wait_ms = wait_ms < most_ms ? wait_ms : most_ms;
    int64_t until_us = wr_clock_mono_us(NULL) + wait_ms * WR_US_PER_MS;
    begin_drain(w);
    bool drained = wr_consumer_wait_drained(w->consumer, wait_ms * WR_US_PER_MS);
    return end(w, drained, until_us, err);
}

/* Drains under the eyes of a second signal that ends it, which ends the process. */
static warren_status drain(warren *w, const struct wr_signals *signals, warren_error *err)
{
    enum { LOOK_EVERY_US = 20000 };
    int64_t until_us = wr_clock_mono_us(NULL) + w->settings->drain_timeout_ms * WR_US_PER_MS;
    bool drained = false;
    begin_drain(w);
    wr_service_stopping(&w->service, w->settings->drain_timeout_ms);
    while (!drained && wr_clock_mono_us(NULL) < until_us) {
        int number = wr_signals_wait(signals, 0);
        bool is_known = wr_signal_ends(number) && atomic_exchange(&w->was_told_to_drain, false);
        if (wr_signal_ends(number) && !is_known) { /* an order's own signal is no second one */
            _exit(128 + number);
        }
        wr_worker_heed(w, number);
        (void)wr_service_tick(&w->service);
        drained = wr_consumer_wait_drained(w->consumer, LOOK_EVERY_US);
    }
    warren_status rc = end(w, drained, until_us, err);
    return rc == WARREN_TIMEOUT ? WARREN_OK
                                : rc; /* not an error of the worker: the broker has the jobs */
}

warren_status warren_run(warren *w, warren_error *err)
{
    struct wr_signals signals;
    if (w->state != WR_WORKER_NEW) { /* before a service manager hears of it */
        return wr_fail(err, WARREN_STATE, "the worker was started before");
    }
    warren_status rc = wr_signals_open(&signals, err);
    if (rc) {
        return rc;
    }
    warren_error failure = { .status = WARREN_OK };
    bool shows_stacks = wr_stacks_install(); /* before the threads, which let its signal in */
    w->is_run = true;
    wr_worker_tell(w);
    rc = wr_worker_start(w, &signals, &failure);
    if (rc == WARREN_STATE && !failure.status) {
        rc = WARREN_OK; /* a signal came before there was a broker */
    } else if (rc) {
        (void)wr_fail(err, rc, "%s", failure.text);
    } else {
        wr_service_ready(&w->service);
        for (int number = 0; !wr_signal_ends(number);) {
            number = wr_signals_wait(&signals, wr_service_tick(&w->service));
            wr_worker_heed(w, number);
        }
        signals.outlives_terminal = true; /* it ends already: that isn't a second order */
        rc = drain(w, &signals, err);
    }
    wr_service_close(&w->service);
    if (shows_stacks) {
        wr_stacks_uninstall();
    }
    wr_signals_close(&signals);
    return rc;
}

void warren_close(warren *w)
{
    if (!w) {
        return;
    }
    if (w->state == WR_WORKER_RUNNING) {
        (void)warren_stop(w, 0, NULL);
    }
    if (w->is_abandoned) {
        return;
    }
    for (size_t i = 0; i < w->plugin_count; i++) {
        wr_plugin_close(&w->plugins[i]);
    }
    free(w->plugins);
    wr_roster_done(&w->roster);
    wr_topology_free(w->topology);
    wr_tracer_free(w->tracer);
    wr_pod_cost_free(w->pod_cost);
    wr_settings_free(w->settings);
    wr_worker_forget(w);
    wr_watch_done(&w->consumer_watch);
    wr_watch_done(&w->publisher_watch);
    wr_watch_done(&w->control_watch);
    (void)pthread_mutex_destroy(&w->look_lock);
    (void)pthread_mutex_destroy(&w->live_lock);
    free(w);
}

/* --- what it lends --- */

warren_publisher *warren_worker_publisher(warren *w)
{
    return w->front;
}

warren_status warren_job_publish(warren_job *job, const warren_message *message, warren_error *err)
{
    if (!job->home) {
        return wr_fail(err, WARREN_STATE,
                       "the job is run by warren_test_call: nothing can be published from it");
    }
    return wr_runner_publish(job->home, job, message, err);
}

const char *warren_version(void)
{
    return WARREN_VERSION;
}
