// SPDX-License-Identifier: MIT
// DESIGN: the main thread looks at the worker every 5 s, or twice within the watchdog's time, and sends
// WATCHDOG=1 if the worker is alive by the judgement of /livez. A thread that is stuck so ends as it
// does under a liveness probe: the manager stops the worker, which drains, and starts it again.
//
//     open ─▶ "waiting for the broker" ─▶ READY=1 ─▶ look: WATCHDOG=1, STATUS= ─▶ STOPPING=1
//                                             └─ reload: RELOADING=1 … READY=1
//
// How long the manager waits is its unit's affair, but what the configuration allows goes before it: by
// EXTEND_TIMEOUT_USEC a drain_timeout that was raised needs no other unit.
#include "front/service.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "web/health.h"

static const int64_t look_every_us = 5 * WR_US_PER_S;
static const int64_t margin_ms =
    15000; /* for what comes after a drain: confirms, threads, memory */

/* --- the status --- */

static void add_queues(struct wr_text *out, const struct wr_view *view)
{
    size_t consumed = 0;
    size_t paused = 0;
    for (size_t i = 0; i < view->queue_count; i++) {
        consumed += view->queues[i].is_consumed && !view->queues[i].is_paused;
        paused += view->queues[i].is_paused;
    }
    if (consumed < view->queue_count) {
        wr_text_add_format(out, "taking jobs from %zu of %zu queues", consumed, view->queue_count);
    } else {
        wr_text_add_format(out, "taking jobs from %zu queue%s", consumed, consumed == 1 ? "" : "s");
    }
    if (paused) {
        wr_text_add_format(out, " (%zu paused)", paused);
    }
}

void wr_service_describe(struct wr_text *out, const struct wr_view *view)
{
    const warren_stats_data *stats = &view->stats;
    if (!view->has_started) {
        wr_text_add_string(out, "waiting for the broker");
        return;
    }
    if (stats->draining) {
        wr_text_add_string(out, "draining");
    } else if (stats->quiet) {
        wr_text_add_string(out, "quiet: taking no jobs");
    } else {
        add_queues(out, view);
    }
    wr_text_add_format(
        out, "; %" PRIu32 " running, %" PRIu64 " done, %" PRIu64 " retried, %" PRIu64 " dead",
        stats->running, stats->done, stats->retried, stats->dead);
    if (view->stuck) {
        wr_text_add_format(out, "; %" PRIu64 " stuck", view->stuck);
    }
    if (stats->blocked) {
        wr_text_add_string(out, "; the broker takes no publishes");
    }
    if (!stats->config_reload_ok) {
        wr_text_add_string(out, "; not all of the last reload is in effect");
    }
}

/* --- sending --- */

static void send_lines(struct wr_service *service, const struct wr_text *lines)
{
    warren_error err = { .status = WARREN_OK };
    char quoted[300];
    if (lines->failed) {
        return;
    }
    warren_status rc = wr_notify_send(&service->notify, wr_text_string(lines), &err);
    if (rc && !service->is_unreachable) {
        wr_log(WR_WARN, "service.unreachable", "error=%s",
               wr_log_quote(quoted, sizeof quoted, err.text));
    }
    service->is_unreachable = rc != WARREN_OK;
}

/* The status, if it is another one or `is_anew`. */
static void add_status(struct wr_service *service, struct wr_text *lines, const char *status,
                       bool is_anew)
{
    if (is_anew || strcmp(wr_text_string(&service->told), status) != 0) {
        wr_text_add_format(lines, "STATUS=%s\n", status);
        wr_text_clear(&service->told);
        wr_text_add_string(&service->told, status);
    }
}

/* A start that came to nothing ends without a drain. */
static void look_at(const struct wr_service *service, struct wr_view *out)
{
    service->options.look(service->options.user, out);
    out->stats.draining = out->stats.draining || service->is_stopping;
}

/* Sends a change of state with its status. `more`: further lines. */
static void tell(struct wr_service *service, const char *state, const char *more)
{
    struct wr_text lines = { 0 };
    struct wr_text status = { 0 };
    struct wr_view view;
    look_at(service, &view);
    wr_service_describe(&status, &view);
    wr_view_done(&view);
    wr_text_add_string(&lines, state);
    add_status(service, &lines, wr_text_string(&status), true);
    wr_text_add_string(&lines, more);
    send_lines(service, &lines);
    wr_text_done(&status);
    wr_text_done(&lines);
}

static void tell_with_time(struct wr_service *service, const char *state, int64_t most_ms)
{
    char more[64];
    (void)snprintf(more, sizeof more, "EXTEND_TIMEOUT_USEC=%" PRId64 "\n",
                   (most_ms + margin_ms) * WR_US_PER_MS);
    tell(service, state, more);
}

/* --- looking --- */

static bool is_alive(struct wr_service *service, const struct wr_view *view)
{
    struct wr_text checks = { 0 };
    bool is_live = wr_health_write(&checks, WR_HEALTH_LIVE, view);
    if (!is_live && !service->is_unwell && checks.size) {
        char quoted[600];
        checks.data[checks.size - 1] = '\0'; /* its newline */
        wr_log(WR_ERROR, "service.unwell", "checks=%s",
               wr_log_quote(quoted, sizeof quoted, wr_text_string(&checks)));
    }
    service->is_unwell = !is_live;
    wr_text_done(&checks);
    return is_live;
}

static void look(struct wr_service *service)
{
    struct wr_text lines = { 0 };
    struct wr_text status = { 0 };
    struct wr_view view;
    look_at(service, &view);
    if (service->options.watchdog_us && is_alive(service, &view)) {
        wr_text_add_string(&lines, "WATCHDOG=1\n");
    }
    wr_service_describe(&status, &view);
    wr_view_done(&view);
    if (service->is_unreachable && service->is_ready) { /* it may have missed that */
        wr_text_add_string(&lines, "READY=1\n");
    }
    add_status(service, &lines, wr_text_string(&status), service->is_unreachable);
    if (lines.size) {
        send_lines(service, &lines);
    }
    wr_text_done(&status);
    wr_text_done(&lines);
}

static int64_t period_us(const struct wr_service *service)
{
    int64_t half_us = service->options.watchdog_us / 2;
    return half_us && half_us < look_every_us ? half_us : look_every_us;
}

/* --- the calls --- */

void wr_service_open(struct wr_service *service, const struct wr_service_options *options)
{
    warren_error err = { .status = WARREN_OK };
    char quoted[300];
    *service = (struct wr_service){ .options = *options };
    if (!options->address || !options->address[0]) {
        return;
    }
    if (wr_notify_open(&service->notify, options->address, &err)) {
        wr_log(WR_WARN, "service.unreachable", "error=%s",
               wr_log_quote(quoted, sizeof quoted, err.text));
        return;
    }
    service->is_open = true;
    service->look_us = wr_clock_mono_us(options->clock) + period_us(service);
    tell_with_time(service, "", options->start_most_ms);
}

void wr_service_ready(struct wr_service *service)
{
    if (service->is_open) {
        service->is_ready = true;
        tell(service, "READY=1\n", "");
        service->look_us = wr_clock_mono_us(service->options.clock) + period_us(service);
    }
}

void wr_service_reloading(struct wr_service *service)
{
    char state[80];
    (void)snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
                   wr_clock_mono_us(service->options.clock));
    if (service->is_open && !service->is_stopping) {
        tell(service, state, "");
    }
}

void wr_service_reloaded(struct wr_service *service)
{
    if (service->is_open && !service->is_stopping) {
        tell(service, "READY=1\n", "");
    }
}

void wr_service_stopping(struct wr_service *service, int64_t most_ms)
{
    if (service->is_open && !service->is_stopping) {
        service->is_ready = false;
        service->is_stopping = true;
        tell_with_time(service, "STOPPING=1\n", most_ms);
    }
}

int64_t wr_service_tick(struct wr_service *service)
{
    if (!service->is_open) {
        return -1;
    }
    int64_t now_us = wr_clock_mono_us(service->options.clock);
    if (now_us >= service->look_us) {
        look(service);
        service->look_us = now_us + period_us(service);
    }
    return service->look_us - now_us;
}

void wr_service_close(struct wr_service *service)
{
    if (service->is_open) {
        wr_service_stopping(service, 0); /* a start that came to nothing has not said it */
        wr_notify_close(&service->notify);
        service->is_open = false;
    }
    wr_text_done(&service->told);
}
