// SPDX-License-Identifier: MIT
// DESIGN: one thread, one connection, one channel in confirm mode. A request moves from the mailbox
// to `waiting`, from there into the window when it is sent, and out of it with the broker's word.
//
//     submit ──mailbox──▶ waiting ──publish──▶ window ──ack──▶ done(OK)
//                            ▲                   │
//                            │                   ├── return, nack ──▶ done(UNROUTABLE, NACKED),
//                            │                   │                    or later again if it insists
//                            └─ connection lost ─┘ sent again, with the same message id
//
// A request that insists is a job's way on (retry, dead letter): it is repeated with a growing wait
// until the broker has it, since giving up would mean to lose the job or to run it in a tight loop.
// All others end at their deadline: TIMEOUT if they were never sent, UNKNOWN if they were.
#include "engine/publisher.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread.h"
#include "engine/connection.h"
#include "engine/request.h"
#include "engine/window.h"

enum { CHANNEL = 1, REPEAT_FIRST_US = 100000, REPEAT_MOST_US = 5000000, STEP_MOST_US = 1000000 };
enum { ACCESS_REFUSED = 403, NOT_FOUND = 404, PRECONDITION_FAILED = 406 }; /* AMQP's reply codes */

struct wr_publisher {
    struct wr_publisher_options options;
    struct wr_mailbox mailbox;
    struct wr_thread thread;
    _Atomic uint64_t repeats;
    /* Publisher's thread only. */
    struct wr_connection connection;
    bool has_channel;
    bool is_blocked;
    size_t suspects;        /* the first ones of `waiting` go one at a time: see find_culprit */
    struct wr_list waiting; /* to be sent, in order */
    struct wr_list later;   /* insisting ones that wait for their next try */
    struct wr_window window;
    int64_t next_expiry_us;
    /* Under the end lock. */
    pthread_mutex_t end_lock;
    pthread_cond_t is_idle;
    bool stops; /* end as soon as nothing is open, or at once when `gives_up` */
    bool gives_up;
    bool has_ended; /* the thread has gone */
};

/* The broker would not have it. A request that insists tries again, after a wait that doubles up to
 * 5 s. */
static void fail(struct wr_publisher *publisher, struct wr_request *request, warren_status status,
                 const char *text, int64_t now_us)
{
    if (!request->insists) {
        wr_request_finish(request, status, text);
        return;
    }
    int shift = request->tries < 6 ? request->tries : 6;
    int64_t wait_us = (int64_t)REPEAT_FIRST_US << shift;
    request->tries++;
    request->is_returned = false;
    request->due_us = now_us + (wait_us < REPEAT_MOST_US ? wait_us : REPEAT_MOST_US);
    wr_list_push(&publisher->later, &request->link);
    (void)atomic_fetch_add(&publisher->repeats, 1);
    char id[256];
    char quoted_id[300];
    char why[300];
    (void)snprintf(id, sizeof id, "%.*s", WR_SLICE(request->parcel.message.message_id));
    wr_log(WR_WARN, "forward.repeat", "id=%s exchange=%s key=%s tries=%d cause=%s",
           wr_log_quote(quoted_id, sizeof quoted_id, id), request->parcel.exchange,
           request->parcel.key, request->tries, wr_log_quote(why, sizeof why, text));
}

/* Returns how many were sent and are to be sent again; they stand first. */
static size_t lose_connection(struct wr_publisher *publisher, int64_t now_us, const char *why)
{
    char quoted[300];
    wr_log(WR_WARN, "connection.lost", "role=publisher cause=%s",
           wr_log_quote(quoted, sizeof quoted, why));
    wr_connection_drop(&publisher->connection, now_us);
    publisher->has_channel = false;
    publisher->is_blocked = false;
    struct wr_list open = { 0 };
    wr_window_reset(&publisher->window, &open);
    size_t sent = open.length;
    wr_list_append(&open, &publisher->waiting); /* what was sent first goes first again */
    publisher->waiting = open;
    return sent;
}

/* The broker closed the channel over an exchange that isn't there or may not be written to: what
 * goes there fails, or it would close the channel again and again and hold up all others. */
static void refuse_exchange(struct wr_publisher *publisher, const struct wr_event *event,
                            int64_t now_us)
{
    struct wr_list open = publisher->waiting;
    publisher->waiting = (struct wr_list){ 0 };
    for (struct wr_link *link; (link = wr_list_take(&open));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        char quoted[256 + 2];
        (void)snprintf(quoted, sizeof quoted, "'%s'", request->parcel.exchange);
        if (strstr(event->text, quoted)) {
            fail(publisher, request, event->code == NOT_FOUND ? WARREN_UNROUTABLE : WARREN_REFUSED,
                 event->text, now_us);
        } else {
            wr_list_push(&publisher->waiting, link);
        }
    }
}

/* The broker ended the channel over one of the `sent` messages and doesn't say which (too large for
 * it, a property that it refuses). They go again one at a time; the one that is alone when it
 * happens again is the one, and holds up no other any more. */
static void find_culprit(struct wr_publisher *publisher, const struct wr_event *event, size_t sent,
                         int64_t now_us)
{
    publisher->suspects = sent > 1 ? sent : 0;
    if (sent == 1) {
        struct wr_link *link = wr_list_take(&publisher->waiting);
        fail(publisher, WR_OF(link, struct wr_request, link), WARREN_REFUSED, event->text, now_us);
    }
}

static void take_end(struct wr_publisher *publisher, const struct wr_event *event, int64_t now_us)
{
    size_t sent = lose_connection(publisher, now_us, event->text);
    if (event->code == ACCESS_REFUSED || event->code == NOT_FOUND) {
        refuse_exchange(publisher, event, now_us);
    } else if (event->code == PRECONDITION_FAILED) {
        find_culprit(publisher, event, sent, now_us);
    }
}

static void connect(struct wr_publisher *publisher, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    if (wr_connection_is_due(&publisher->connection, now_us) &&
        wr_connection_open(&publisher->connection, now_us, &err)) {
        return;
    }
    if (publisher->connection.broker && !publisher->has_channel) {
        if (wr_broker_channel_open(publisher->connection.broker, CHANNEL, true, &err)) {
            (void)lose_connection(publisher, now_us, err.text);
            return;
        }
        publisher->has_channel = true;
    }
}

static void take_requests(struct wr_publisher *publisher, int64_t now_us)
{
    struct wr_list fresh = wr_mailbox_take(&publisher->mailbox);
    wr_list_append(&publisher->waiting, &fresh);
    struct wr_list later = publisher->later;
    publisher->later = (struct wr_list){ 0 };
    for (struct wr_link *link; (link = wr_list_take(&later));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        bool is_due = request->due_us <= now_us;
        wr_list_push(is_due ? &publisher->waiting : &publisher->later, link);
    }
}

static bool may_send(const struct wr_publisher *publisher)
{
    const struct wr_window *window = &publisher->window;
    bool has_room = publisher->suspects ? wr_window_is_empty(window) : !wr_window_is_full(window);
    return publisher->has_channel && !publisher->is_blocked && has_room;
}

static void send_waiting(struct wr_publisher *publisher, int64_t now_us)
{
    struct wr_broker *broker = publisher->connection.broker;
    while (broker && publisher->waiting.first && may_send(publisher)) {
        warren_error err = { .status = WARREN_OK };
        struct wr_request *request =
            WR_OF(wr_list_take(&publisher->waiting), struct wr_request, link);
        warren_status rc = wr_broker_publish(broker, CHANNEL, &request->parcel.message, &err);
        if (rc == WARREN_INVALID) {
            fail(publisher, request, rc, err.text, now_us);
            continue;
        }
        if (rc == WARREN_AGAIN || rc == WARREN_TIMEOUT) {
            wr_request_push_first(&publisher->waiting, request);
            if (rc == WARREN_TIMEOUT) { /* the broker takes no data: a fresh connection may */
                (void)lose_connection(publisher, now_us, err.text);
            }
            return;
        }
        request->is_returned = false;
        request->was_sent = true;
        wr_window_add(&publisher->window, request); /* also when it broke: it may have gone out */
        if (rc) {
            (void)lose_connection(publisher, now_us, err.text);
            return;
        }
    }
}

static void resolve(struct wr_publisher *publisher, const struct wr_event *event, int64_t now_us)
{
    struct wr_list answered = { 0 };
    wr_connection_prove(&publisher->connection);
    wr_window_resolve(&publisher->window, event->tag, event->multiple, &answered);
    for (struct wr_link *link; (link = wr_list_take(&answered));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        publisher->suspects -= publisher->suspects ? 1 : 0;
        if (request->is_returned) {
            fail(publisher, request, WARREN_UNROUTABLE, "no queue takes it", now_us);
        } else if (event->kind == WR_EVENT_NACKED) {
            fail(publisher, request, WARREN_NACKED, "the broker could not store it", now_us);
        } else {
            if (publisher->options.confirmed && !request->insists) {
                publisher->options.confirmed(publisher->options.user, &request->parcel.message);
            }
            wr_request_finish(request, WARREN_OK, NULL);
        }
    }
}

static void note_return(struct wr_publisher *publisher, struct wr_event *event)
{
    struct wr_request *request = wr_window_find(&publisher->window, &event->delivery->message);
    if (request) {
        request->is_returned = true;
    }
    wr_delivery_free(event->delivery);
}

static void note_block(const struct wr_publisher *publisher, const char *why)
{
    char quoted[300];
    wr_log(WR_WARN, publisher->is_blocked ? "broker.blocked" : "broker.unblocked", "cause=%s",
           wr_log_quote(quoted, sizeof quoted, why));
}

static void handle(struct wr_publisher *publisher, struct wr_event *event, int64_t now_us)
{
    switch (event->kind) {
    case WR_EVENT_ACKED:
    case WR_EVENT_NACKED:
        resolve(publisher, event, now_us);
        break;
    case WR_EVENT_RETURNED:
        note_return(publisher, event);
        break;
    case WR_EVENT_BLOCKED:
    case WR_EVENT_UNBLOCKED:
        publisher->is_blocked = event->kind == WR_EVENT_BLOCKED;
        note_block(publisher, event->text);
        break;
    case WR_EVENT_CHANNEL_CLOSED:
    case WR_EVENT_CLOSED:
        take_end(publisher, event, now_us);
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
    while (publisher->connection.broker) {
        struct wr_event event;
        wr_broker_next(publisher->connection.broker, &event);
        if (event.kind == WR_EVENT_NONE) {
            return;
        }
        handle(publisher, &event, now_us);
    }
}

static void expire(struct wr_publisher *publisher, int64_t now_us)
{
    enum { LOOK_EVERY_US = 50000 };
    if (now_us < publisher->next_expiry_us) {
        return;
    }
    struct wr_list over = { 0 };
    int64_t next_us = wr_window_expire(&publisher->window, now_us, &over);
    int64_t waiting_us = wr_request_expire(&publisher->waiting, now_us, &over);
    next_us = waiting_us < next_us ? waiting_us : next_us;
    publisher->next_expiry_us = now_us + LOOK_EVERY_US > next_us ? now_us + LOOK_EVERY_US : next_us;
    if (next_us == INT64_MAX) { /* whatever comes now has its deadline later than a look from now */
        publisher->next_expiry_us = now_us + LOOK_EVERY_US;
    }
    for (struct wr_link *link; (link = wr_list_take(&over));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        wr_request_finish(request, request->was_sent ? WARREN_UNKNOWN : WARREN_TIMEOUT,
                          request->was_sent ? "no confirm in time: it may be there or not"
                                            : "the broker took nothing in time");
    }
}

static bool has_open(struct wr_publisher *publisher)
{
    return publisher->waiting.first || publisher->later.first ||
           !wr_window_is_empty(&publisher->window) || !wr_mailbox_is_empty(&publisher->mailbox);
}

static int64_t next_step_us(struct wr_publisher *publisher, int64_t now_us)
{
    int64_t next_us = now_us + STEP_MOST_US;
    int64_t connection_us = wr_connection_deadline_us(&publisher->connection);
    next_us = connection_us < next_us ? connection_us : next_us;
    if (has_open(publisher) && publisher->next_expiry_us < next_us) {
        next_us = publisher->next_expiry_us;
    }
    for (struct wr_link *link = publisher->later.first; link; link = link->next) {
        int64_t due_us = WR_OF(link, struct wr_request, link)->due_us;
        next_us = due_us < next_us ? due_us : next_us;
    }
    return next_us;
}

int64_t wr_publisher_step(struct wr_publisher *publisher, int64_t now_us)
{
    connect(publisher, now_us);
    take_requests(publisher, now_us);
    take_events(
        publisher,
        now_us); /* before sending: a dead peer shows itself here, not in a send that hangs */
    send_waiting(publisher, now_us);
    take_events(publisher, now_us);
    expire(publisher, now_us);
    return next_step_us(publisher, now_us);
}

/* Whether the thread may end; tells those who wait that nothing is open. */
static bool may_end(struct wr_publisher *publisher)
{
    WR_SCOPED_LOCK(&publisher->end_lock);
    bool is_open = has_open(publisher);
    return publisher->stops && (!is_open || publisher->gives_up);
}

static void close_all(struct wr_publisher *publisher)
{
    struct wr_list left = wr_mailbox_close(&publisher->mailbox);
    wr_window_reset(&publisher->window, &publisher->waiting);
    wr_list_append(&publisher->waiting, &publisher->later);
    wr_list_append(&publisher->waiting, &left);
    wr_connection_close(&publisher->connection);
    for (struct wr_link *link; (link = wr_list_take(&publisher->waiting));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        wr_request_finish(request, request->was_sent ? WARREN_UNKNOWN : WARREN_CLOSED,
                          "the publisher has ended");
    }
}

static void *loop(void *user)
{
    struct wr_publisher *publisher = user;
    int64_t until_us = 0;
    while (!may_end(publisher)) {
        wr_connection_wait(&publisher->connection, &publisher->mailbox, until_us);
        until_us = wr_publisher_step(publisher, wr_clock_mono_us(publisher->options.clock));
    }
    WR_SCOPED_LOCK(&publisher->end_lock);
    publisher->has_ended = true;
    (void)pthread_cond_broadcast(&publisher->is_idle);
    return NULL;
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
    (void)pthread_mutex_init(&publisher->end_lock, NULL);
    wr_cond_init(&publisher->is_idle);
    publisher->connection =
        (struct wr_connection){ .options = { .settings = &options->settings->broker,
                                             .name = options->name,
                                             .clock = options->clock },
                                .role = "publisher" };
    warren_status rc = wr_mailbox_init(&publisher->mailbox, err);
    rc = rc ? rc
            : wr_window_init(&publisher->window, (size_t)options->settings->publish_window, err);
    if (rc) {
        wr_publisher_free(publisher);
        return rc;
    }
    if (broker) {
        wr_connection_adopt(&publisher->connection, broker);
    }
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

uint64_t wr_publisher_repeats(const struct wr_publisher *publisher)
{
    return atomic_load(&publisher->repeats);
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
        if (!publisher->gives_up && left_us <= 0) {
            return false;
        }
        (void)wr_cond_wait(&publisher->is_idle, &publisher->end_lock,
                           publisher->gives_up ? -1 : left_us);
    }
    return true;
}

void wr_publisher_stop(struct wr_publisher *publisher, int64_t timeout_us)
{
    if (publisher->thread.started) {
        if (!wait_for_end(publisher, timeout_us > 0 ? timeout_us : 0)) {
            (void)wait_for_end(publisher, 0);
        }
        wr_thread_join(&publisher->thread);
    }
    close_all(publisher);
}

void wr_publisher_free(struct wr_publisher *publisher)
{
    if (!publisher) {
        return;
    }
    if (publisher->mailbox.fd >= 0 && publisher->window.slots) {
        wr_publisher_stop(publisher, 0);
    }
    wr_window_done(&publisher->window);
    wr_mailbox_done(&publisher->mailbox);
    (void)pthread_cond_destroy(&publisher->is_idle);
    (void)pthread_mutex_destroy(&publisher->end_lock);
    free(publisher);
}
