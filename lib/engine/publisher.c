// SPDX-License-Identifier: MIT
// DESIGN: one thread, one connection, one channel in confirm mode; what is open lies in the outbox.
//
//     submit ──mailbox──▶ outbox ──publish──▶ broker ──ack, nack, return──▶ outbox ──▶ done
//
// Nothing is sent while the broker is blocked (an alarm) or the socket takes no data: a send would
// hang, and with it everybody's deadline. A channel that the broker closes is opened again on the
// same connection; when that helps nothing three times in a row, the connection is made anew.
#include "engine/publisher.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread.h"
#include "engine/connection.h"
#include "engine/outbox.h"

enum { CHANNEL = 1, CHANNEL_TRIES = 3 };
enum { STEP_MOST_US = 1000000, FULL_LOOK_US = 20000, STOP_GRACE_US = 300000 };
enum { BURST_LEAST = 4, NAP_US = 200 };
enum { DOUBT_EVERY_US = 1000000, NACKS_MOST = 8 };
enum { ACCESS_REFUSED = 403, NOT_FOUND = 404, PRECONDITION_FAILED = 406 }; /* AMQP's reply codes */

struct wr_publisher {
    struct wr_publisher_options options;
    struct wr_mailbox mailbox;
    struct wr_thread thread;
    atomic_bool is_blocked;
    _Atomic uint64_t connections;
    /* Publisher's thread only. */
    struct wr_connection connection;
    bool has_channel;
    int channel_losses;    /* in a row, without a confirm in between */
    int64_t full_since_us; /* since when the socket takes no data; 0: it does */
    int64_t doubt_us;      /* when confirms are next looked after */
    int64_t asked_us;      /* when the broker last answered a question about late ones */
    int nacks;             /* in a row */
    int sent;              /* in this round */
    struct wr_outbox outbox;
    /* Under the end lock. */
    pthread_mutex_t end_lock;
    pthread_cond_t is_idle;
    bool stops; /* end as soon as nothing is open, or at once when `gives_up` */
    bool gives_up;
    bool has_ended; /* the thread has gone */
};

/* --- the connection and its channel --- */

static void forget_channel(struct wr_publisher *publisher)
{
    publisher->has_channel = false;
    publisher->full_since_us = 0;
}

static void lose_connection(struct wr_publisher *publisher, int64_t now_us, const char *why)
{
    wr_connection_drop(&publisher->connection, now_us, why);
    forget_channel(publisher);
    publisher->channel_losses = 0;
    atomic_store(&publisher->is_blocked, false);
    (void)wr_outbox_rewind(&publisher->outbox);
}

/* The broker closed the channel over what was sent on it. */
static void lose_channel(struct wr_publisher *publisher, const struct wr_event *event,
                         int64_t now_us)
{
    char quoted[300];
    wr_log(WR_WARN, "channel.lost", "role=publisher code=%d cause=%s", event->code,
           wr_log_quote(quoted, sizeof quoted, event->text));
    forget_channel(publisher);
    size_t sent = wr_outbox_rewind(&publisher->outbox);
    if (event->code == ACCESS_REFUSED || event->code == NOT_FOUND) {
        wr_outbox_refuse(&publisher->outbox, event, now_us);
    } else if (event->code == PRECONDITION_FAILED) {
        wr_outbox_blame(&publisher->outbox, event, sent, now_us);
    }
    if (event->code == NOT_FOUND && publisher->options.missing) {
        publisher->options.missing(publisher->options.missing_user);
    }
    if (++publisher->channel_losses > CHANNEL_TRIES) {
        lose_connection(publisher, now_us, "its channel is closed again and again");
    }
}

/* On a dial's thread, so that nobody waits for the answer. */
static warren_status open_channel(void *user, struct wr_broker *broker, warren_error *err)
{
    (void)user;
    return wr_broker_channel_open(broker, CHANNEL, true, err);
}

static void connect(struct wr_publisher *publisher, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    if (wr_connection_step(&publisher->connection, now_us)) {
        publisher->has_channel = true;
        (void)atomic_fetch_add(&publisher->connections, 1);
        return;
    }
    if (publisher->connection.broker && !publisher->has_channel) {
        if (open_channel(NULL, publisher->connection.broker, &err)) {
            lose_connection(publisher, now_us, err.text);
            return;
        }
        publisher->has_channel = true;
    }
}

/* --- out --- */

/* Whether the socket takes data; when it took none for as long as a broker may be silent, a fresh
 * one may. A slow line shows no room for long, so this is no matter of seconds. */
static bool has_room(struct wr_publisher *publisher, int64_t now_us)
{
    if (wr_broker_has_room(publisher->connection.broker)) {
        publisher->full_since_us = 0;
        return true;
    }
    int64_t most_us = wr_broker_stuck_us(&publisher->options.settings->broker);
    if (!publisher->full_since_us) {
        publisher->full_since_us = now_us;
    } else if (now_us - publisher->full_since_us > most_us) {
        lose_connection(publisher, now_us, "the broker takes no data");
    }
    return false;
}

static bool may_send(struct wr_publisher *publisher, int64_t now_us)
{
    return publisher->connection.broker && publisher->has_channel &&
           !atomic_load(&publisher->is_blocked) && has_room(publisher, now_us);
}

/* False: no more now. */
static bool send_one(struct wr_publisher *publisher, struct wr_request *request, int64_t now_us)
{
    WR_UNCLEARED warren_error err;
    wr_error_clear(&err);
    warren_status rc =
        wr_broker_publish(publisher->connection.broker, CHANNEL, &request->parcel.message, &err);
    if (rc == WARREN_INVALID) {
        wr_outbox_fail(&publisher->outbox, request, rc, err.text, now_us);
        return true;
    }
    if (rc == WARREN_AGAIN || rc == WARREN_TIMEOUT) {
        wr_outbox_put_back(&publisher->outbox, request);
        if (rc == WARREN_TIMEOUT) { /* the broker takes no data: a fresh connection may */
            lose_connection(publisher, now_us, err.text);
        }
        return false;
    }
    wr_outbox_sent(&publisher->outbox, request,
                   now_us); /* also when it broke: it may have gone out */
    if (rc) {
        lose_connection(publisher, now_us, err.text);
    }
    return rc == WARREN_OK;
}

/* Several at once are written at once, and the broker is woken once. */
static void cork(struct wr_publisher *publisher, bool holds_back)
{
    if (publisher->connection.broker) {
        wr_broker_cork(publisher->connection.broker, holds_back);
    }
}

static void send_waiting(struct wr_publisher *publisher, int64_t now_us)
{
    bool goes_on = true;
    bool are_several = publisher->outbox.waiting.length > 1;
    if (are_several) {
        cork(publisher, true);
    }
    publisher->sent = 0;
    while (goes_on && publisher->outbox.waiting.first && may_send(publisher, now_us)) {
        struct wr_request *request = wr_outbox_next(&publisher->outbox);
        goes_on = request && send_one(publisher, request, now_us);
        publisher->sent += goes_on ? 1 : 0;
    }
    if (are_several) {
        cork(publisher, false);
    }
}

/* --- in --- */

static void note_block(struct wr_publisher *publisher, bool is_blocked, const char *why)
{
    char quoted[300];
    atomic_store(&publisher->is_blocked, is_blocked);
    wr_log(WR_WARN, is_blocked ? "broker.blocked" : "broker.unblocked", "cause=%s",
           wr_log_quote(quoted, sizeof quoted, why));
}

static void handle(struct wr_publisher *publisher, struct wr_event *event, int64_t now_us)
{
    switch (event->kind) {
    case WR_EVENT_ACKED:
    case WR_EVENT_NACKED:
        wr_connection_prove(&publisher->connection);
        publisher->channel_losses = 0;
        publisher->nacks = event->kind == WR_EVENT_NACKED ? publisher->nacks + 1 : 0;
        wr_outbox_resolve(&publisher->outbox, event, now_us);
        break;
    case WR_EVENT_RETURNED:
        wr_outbox_resolve(&publisher->outbox, event, now_us);
        break;
    case WR_EVENT_BLOCKED:
    case WR_EVENT_UNBLOCKED:
        note_block(publisher, event->kind == WR_EVENT_BLOCKED, event->text);
        break;
    case WR_EVENT_CHANNEL_CLOSED:
        lose_channel(publisher, event, now_us);
        break;
    case WR_EVENT_CLOSED:
        lose_connection(publisher, now_us, event->text);
        break;
    case WR_EVENT_DELIVERY:
        wr_delivery_free(event->delivery);
        break;
    case WR_EVENT_NONE:
    case WR_EVENT_OVERSIZED:
    case WR_EVENT_MALFORMED:
    case WR_EVENT_CANCELLED:
        break;
    }
}

static void take_events(struct wr_publisher *publisher, int64_t now_us)
{
    WR_UNCLEARED struct wr_event event;
    while (publisher->connection.broker) {
        wr_broker_next(publisher->connection.broker, &event);
        if (event.kind == WR_EVENT_NONE) {
            return;
        }
        handle(publisher, &event, now_us);
    }
}

/* --- doubts --- */

/* A limit that was lifted does not reach a channel that was refused before (RabbitMQ 3.10): nacks
 * without end are asked on a fresh one. */
static void doubt_channel(struct wr_publisher *publisher, int64_t now_us)
{
    if (publisher->nacks < NACKS_MOST || !wr_window_is_empty(&publisher->outbox.window)) {
        return;
    }
    publisher->nacks = 0;
    forget_channel(publisher);
    (void)wr_outbox_rewind(&publisher->outbox); /* numbers count from 1 on each channel */
    if (wr_broker_channel_close(publisher->connection.broker, CHANNEL, NULL)) {
        lose_connection(publisher, now_us, "its channel could not be closed");
    }
}

/* A confirm may take long (a queue without a majority), but a broker that lives answers a question
 * meanwhile. One that sends heartbeats and nothing else would keep a job's way on for ever. */
static void doubt_broker(struct wr_publisher *publisher, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    const struct wr_settings *settings = publisher->options.settings;
    int64_t silent_us = wr_broker_stuck_us(&settings->broker); /* a dead one shows itself by then */
    int64_t patience_us = settings->publish_timeout_ms * WR_US_PER_MS;
    patience_us = patience_us > silent_us ? patience_us : silent_us;
    int64_t since_us = wr_window_oldest_us(&publisher->outbox.window);
    since_us = since_us > publisher->asked_us ? since_us : publisher->asked_us;
    if (since_us == INT64_MAX || now_us - since_us < patience_us) {
        return;
    }
    publisher->asked_us = now_us;
    if (wr_broker_sync(publisher->connection.broker, CHANNEL, &err)) {
        lose_connection(publisher, now_us, err.text);
    }
}

static void doubt(struct wr_publisher *publisher, int64_t now_us)
{
    if (!publisher->has_channel || now_us < publisher->doubt_us ||
        atomic_load(&publisher->is_blocked)) {
        return;
    }
    publisher->doubt_us = now_us + DOUBT_EVERY_US;
    doubt_broker(publisher, now_us);
    if (publisher->has_channel) {
        doubt_channel(publisher, now_us);
    }
}

/* --- steps --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_step_us(const struct wr_publisher *publisher, int64_t now_us)
{
    int64_t next_us = earlier(now_us + STEP_MOST_US, wr_outbox_deadline_us(&publisher->outbox));
    if (publisher->full_since_us) {
        next_us = earlier(next_us, now_us + FULL_LOOK_US);
    }
    return earlier(next_us, wr_connection_deadline_us(&publisher->connection));
}

int64_t wr_publisher_step(struct wr_publisher *publisher, int64_t now_us)
{
    wr_connection_begin(&publisher->connection);
    connect(publisher, now_us);
    wr_outbox_take(&publisher->outbox, wr_mailbox_take(&publisher->mailbox), now_us);
    /* Before sending: a dead peer shows itself here, not in a send that hangs. */
    take_events(publisher, now_us);
    send_waiting(publisher, now_us);
    take_events(publisher, now_us);
    wr_outbox_expire(&publisher->outbox, now_us);
    doubt(publisher, now_us);
    wr_connection_end(&publisher->connection);
    return next_step_us(publisher, now_us);
}

static bool may_end(struct wr_publisher *publisher)
{
    WR_SCOPED_LOCK(&publisher->end_lock);
    bool is_open =
        !wr_outbox_is_empty(&publisher->outbox) || !wr_mailbox_is_empty(&publisher->mailbox);
    return publisher->stops && (!is_open || publisher->gives_up);
}

/* To be woken by each request would cost more than it: where many come, the thread looks by itself. */
static void wait(struct wr_publisher *publisher, int64_t until_us)
{
    if (publisher->sent >= BURST_LEAST) {
        wr_connection_nap(&publisher->connection, NAP_US);
    } else {
        wr_connection_wait(&publisher->connection, &publisher->mailbox, until_us);
    }
}

static void *loop(void *user)
{
    struct wr_publisher *publisher = user;
    int64_t until_us = 0;
    while (!may_end(publisher)) {
        wait(publisher, until_us);
        until_us = wr_publisher_step(publisher, wr_clock_mono_us(publisher->options.clock));
    }
    WR_SCOPED_LOCK(&publisher->end_lock);
    publisher->has_ended = true;
    (void)pthread_cond_broadcast(&publisher->is_idle);
    return NULL;
}

/* --- life --- */

static void make_connection(struct wr_publisher *publisher, struct wr_broker *broker)
{
    const struct wr_publisher_options *options = &publisher->options;
    struct wr_dial_options dial = { .broker = { .settings = &options->settings->broker,
                                                .name = options->name,
                                                .clock = options->clock,
                                                .watch = options->watch },
                                    .ready = open_channel };
    wr_connection_init(&publisher->connection, &dial);
    if (broker) {
        wr_connection_adopt(&publisher->connection, broker);
        (void)atomic_fetch_add(&publisher->connections, 1);
    }
}

warren_status wr_publisher_new(struct wr_publisher **out,
                               const struct wr_publisher_options *options, struct wr_broker *broker,
                               warren_error *err)
{
    struct wr_publisher *publisher = calloc(1, sizeof *publisher);
    if (!publisher) {
        return wr_no_memory(err);
    }
    publisher->options = *options;
    publisher->outbox.confirmed = options->confirmed;
    publisher->outbox.user = options->user;
    (void)pthread_mutex_init(&publisher->end_lock, NULL);
    wr_cond_init(&publisher->is_idle);
    warren_status rc = wr_mailbox_init(&publisher->mailbox, err);
    rc = rc ? rc
            : wr_window_init(&publisher->outbox.window, (size_t)options->settings->publish_window,
                             err);
    if (rc) {
        (void)wr_publisher_free(publisher);
        return rc;
    }
    make_connection(publisher, broker);
    *out = publisher;
    return WARREN_OK;
}

warren_status wr_publisher_start(struct wr_publisher *publisher, warren_error *err)
{
    return wr_thread_start(&publisher->thread, "warren-publish", WR_STACK_IO, loop, publisher, err);
}

void wr_publisher_submit(struct wr_publisher *publisher, struct wr_request *request)
{
    if (!wr_mailbox_push(&publisher->mailbox, &request->link)) {
        wr_request_finish(request, WARREN_CLOSED, "the publisher has ended");
    }
}

bool wr_publisher_has_work(struct wr_publisher *publisher)
{
    const struct wr_broker *broker = publisher->connection.broker;
    return !wr_mailbox_is_empty(&publisher->mailbox) ||
           (broker && (!publisher->has_channel || wr_broker_has_more(broker)));
}

struct wr_publisher_state wr_publisher_state(const struct wr_publisher *publisher)
{
    const struct wr_publish_counts *counts = &publisher->outbox.counts;
    struct wr_publisher_state state = { .repeats = wr_counted(&counts->repeats),
                                        .connections = atomic_load(&publisher->connections),
                                        .is_blocked = atomic_load(&publisher->is_blocked) };
    for (int i = 0; i < WR_PUBLISH_RESULTS; i++) {
        state.results[i] = wr_counted(&counts->results[i]);
    }
    wr_histogram_gather(&counts->confirm, &state.confirm);
    return state;
}

/* Asks the thread to end and waits; false at the timeout. */
static bool wait_for_end(struct wr_publisher *publisher, int64_t timeout_us)
{
    int64_t until_us = wr_clock_mono_us(NULL) + timeout_us;
    {
        WR_SCOPED_LOCK(&publisher->end_lock);
        publisher->stops = true;
        publisher->gives_up = timeout_us == 0;
    }
    wr_mailbox_poke(&publisher->mailbox);
    WR_SCOPED_LOCK(&publisher->end_lock);
    while (!publisher->has_ended) {
        int64_t left_us = until_us - wr_clock_mono_us(NULL);
        if (left_us <= 0) {
            return false;
        }
        (void)wr_cond_wait(&publisher->is_idle, &publisher->end_lock, left_us);
    }
    return true;
}

/* A thread that is in a call meanwhile gets a moment; then its connection is cut under it. */
static void end_thread(struct wr_publisher *publisher, int64_t timeout_us)
{
    if (!publisher->thread.started) {
        return;
    }
    if (timeout_us <= 0 || !wait_for_end(publisher, timeout_us)) {
        (void)wait_for_end(publisher, 0);
    }
    if (!wr_thread_join_within(&publisher->thread, STOP_GRACE_US)) {
        wr_watch_cut(publisher->options.watch);
        wr_thread_join(&publisher->thread);
    }
}

bool wr_publisher_stop(struct wr_publisher *publisher, int64_t timeout_us)
{
    end_thread(publisher, timeout_us);
    struct wr_list left = wr_mailbox_close(&publisher->mailbox);
    if (!wr_outbox_is_empty(&publisher->outbox)) { /* it did not answer: nor would it a goodbye */
        wr_watch_cut(publisher->options.watch);
    }
    bool is_free = wr_connection_close(&publisher->connection);
    wr_list_append(&publisher->outbox.waiting, &left);
    wr_outbox_close(&publisher->outbox);
    return is_free;
}

bool wr_publisher_free(struct wr_publisher *publisher)
{
    if (!publisher) {
        return true;
    }
    bool is_free = true;
    if (publisher->mailbox.fd >= 0 && publisher->outbox.window.slots) {
        is_free = wr_publisher_stop(publisher, 0);
    }
    wr_window_done(&publisher->outbox.window);
    wr_mailbox_done(&publisher->mailbox);
    (void)pthread_cond_destroy(&publisher->is_idle);
    (void)pthread_mutex_destroy(&publisher->end_lock);
    free(publisher);
    return is_free;
}
