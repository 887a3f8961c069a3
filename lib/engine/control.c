// SPDX-License-Identifier: MIT
// DESIGN: three channels on one connection. Orders come through a queue that dies with it, so nobody
// obeys what was meant for a moment long ago. Pauses come from a stream, from its beginning on each time:
//
//     connect ─▶ own queue, bound to order.all and order.<id>
//             ─▶ stream from the first message ─▶ … ─▶ our own mark ─▶ what is paused is known
//     then: news every heartbeat, orders and pauses as they come
//
// The mark is a message that is sent behind the connect: when it comes out of the stream, all that was
// said before has been read. Until then pauses are only noted, or a queue that was paused and resumed a
// hundred times would be so again. Where no mark comes (an alarm, a right that is missing) what was read
// counts after a while, but ends nothing. The broker drops the oldest of the stream, so a pause that was
// said far behind its end is said again, by the worker that is first to think so.
#include "engine/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "engine/connection.h"
#include "engine/pauses.h"

enum {
    ORDERS = 1, /* channels */
    STATE = 2,
    OUT = 3,
    PREFETCH = 100,
    EVENTS_A_ROUND = 100,
    REWRITE_AFTER = 5000, /* messages; a worker waits for up to twice as many */
    LOOK_EVERY = 500,
    STREAM_TRIES = 3,
    MARK_WAIT_US = 2 * WR_US_PER_S,
    STOP_US = 300000,
    KEY_SIZE = 512
};

struct wr_control {
    struct wr_control_options options;
    struct wr_connection connection;
    struct wr_mailbox mailbox; /* for pokes and the end */
    struct wr_thread thread;
    atomic_bool stops;
    atomic_bool wants_news; /* soon */
    char exchange[300];
    char queue[512]; /* its own, at the broker; another one each time */
    char stream[300];
    /* Its thread's. */
    char mark[40];
    bool knows_all;      /* the stream was read up to the mark */
    bool has_out;        /* the channel for what it says is open */
    bool may_mark;       /* the broker has not refused a mark */
    int64_t heard_us;    /* when the mark was sent, or the stream last gave something */
    uint64_t place;      /* in the stream: messages read since the connect */
    uint64_t far;        /* behind the end: such a pause is said again */
    atomic_int failures; /* connections that ended before the stream was read to its end */
    struct wr_list now;  /* what the worker was told */
    struct wr_list next; /* what is read until the mark */
    int64_t next_news_us;
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t known;
    bool is_known; /* it was so once */
};

/* --- pauses --- */

static void tell(struct wr_control *control, const struct wr_pause *pause)
{
    const struct wr_wish *wish = &pause->wish;
    char who[300];
    char why[600];
    char queue[600];
    char type[600];
    wr_log(WR_WARN, pause->is_paused ? "control.pause" : "control.resume",
           "queue=%s type=%s who=%s why=%s", wr_log_quote(queue, sizeof queue, pause->queue),
           wr_log_quote(type, sizeof type, *pause->type ? pause->type : "-"),
           wr_log_quote(who, sizeof who, wish->who), wr_log_quote(why, sizeof why, wish->why));
    control->options.pause(control->options.user, pause);
    control->next_news_us = 0;
}

static void announce(struct wr_control *control)
{
    WR_SCOPED_LOCK(&control->lock);
    control->is_known = true;
    (void)pthread_cond_broadcast(&control->known);
}

/* What was paused and isn't in what has been read: its end was missed. */
static void tell_ended(struct wr_control *control)
{
    for (struct wr_link *link = control->now.first; link; link = link->next) {
        struct wr_pause gone = WR_OF(link, struct wr_paused, link)->pause;
        if (gone.is_paused && !wr_pauses_find(&control->next, &gone)) {
            gone.is_paused = false;
            tell(control, &gone);
        }
    }
}

static void tell_begun(struct wr_control *control)
{
    for (struct wr_link *link = control->next.first; link; link = link->next) {
        const struct wr_pause *pause = &WR_OF(link, struct wr_paused, link)->pause;
        if (pause->is_paused && !wr_pauses_find(&control->now, pause)) {
            tell(control, pause);
        }
    }
}

/* What differs from before is told. `is_whole`: all that was said before the connect has been read. */
static void know_all(struct wr_control *control, bool is_whole)
{
    tell_begun(control);
    if (is_whole) {
        tell_ended(control);
        wr_pauses_done(&control->now);
        control->now = control->next;
        control->next = (struct wr_list){ 0 };
        atomic_store(&control->failures, 0);
    }
    for (struct wr_link *link = control->next.first; link; link = link->next) {
        const struct wr_paused *at = WR_OF(link, struct wr_paused, link);
        wr_pauses_note(&control->now, &at->pause, at->place);
    }
    wr_pauses_done(&control->next);
    control->knows_all = true;
    announce(control);
}

/* --- out --- */

static void lose(struct wr_control *control, const char *why)
{
    if (!control->knows_all && atomic_fetch_add(&control->failures, 1) + 1 == STREAM_TRIES) {
        wr_log(WR_ERROR, "control.unreadable", "stream=%s", control->stream);
    }
    wr_connection_drop(&control->connection, wr_clock_mono_us(NULL), why);
    wr_pauses_done(&control->next);
}

/* Nobody has to be there for it. */
static void publish(struct wr_control *control, const char *key, const struct wr_text *body,
                    bool is_kept)
{
    struct wr_message message = { .exchange = wr_slice_of(control->exchange),
                                  .key = wr_slice_of(key),
                                  .present = WR_CONTENT_TYPE | WR_DELIVERY_MODE,
                                  .content_type = wr_slice_of("application/json"),
                                  .delivery_mode = is_kept ? 2 : 1,
                                  .body = { body->data, body->size } };
    warren_error err = { .status = WARREN_OK };
    if (!control->connection.broker || !control->has_out || body->failed) {
        return;
    }
    warren_status rc = wr_broker_publish(control->connection.broker, OUT, &message, &err);
    if (rc == WARREN_CLOSED || rc == WARREN_TIMEOUT || rc == WARREN_STATE) {
        lose(control, err.text);
    }
}

static void send_news(struct wr_control *control, int64_t now_us)
{
    struct wr_text body = { 0 };
    char key[KEY_SIZE];
    (void)snprintf(key, sizeof key, "news.%s", control->options.id);
    control->options.describe(control->options.user, &body);
    publish(control, key, &body, false);
    wr_text_done(&body);
    control->next_news_us = now_us + control->options.settings->control_heartbeat_ms * WR_US_PER_MS;
}

static void send_mark(struct wr_control *control, int64_t now_us)
{
    struct wr_text body = { 0 };
    (void)snprintf(control->mark, sizeof control->mark, "%016" PRIx64 "%016" PRIx64, wr_random(),
                   wr_random());
    wr_text_add_format(&body, "{\"mark\":\"%s\"}", control->mark);
    control->has_out = true;
    control->heard_us = now_us;
    control->knows_all = false;
    control->place = 0;
    control->far = REWRITE_AFTER + wr_random() % REWRITE_AFTER;
    wr_pauses_done(&control->next);
    if (control->may_mark) {
        publish(control, "state.mark", &body, false);
    }
    wr_text_done(&body);
}

static void say_again(struct wr_control *control, struct wr_paused *paused)
{
    struct wr_text body = { 0 };
    char key[KEY_SIZE];
    if (wr_pause_key(key, sizeof key, &paused->pause)) {
        wr_pause_write(&paused->pause, &body);
        publish(control, key, &body, true);
    }
    paused->place = control->place;
    wr_text_done(&body);
}

/* What was said so far behind the end that the broker may drop it soon. */
static void rewrite(struct wr_control *control)
{
    for (struct wr_link *link = control->now.first; link; link = link->next) {
        struct wr_paused *paused = WR_OF(link, struct wr_paused, link);
        if (paused->pause.is_paused && control->place - paused->place > control->far) {
            say_again(control, paused);
        }
    }
}

/* --- in --- */

static void answer(struct wr_control *control, const struct wr_order *order, bool is_done,
                   struct wr_text *sentence)
{
    struct wr_text body = { 0 };
    char key[KEY_SIZE];
    (void)snprintf(key, sizeof key, "answer.%s", order->token);
    if (order->verb == WR_ORDER_DESCRIBE) {
        control->options.describe(control->options.user, &body);
    } else {
        wr_text_add_string(&body, "{\"worker\":\"");
        wr_text_add_json(&body, wr_slice_of(control->options.id));
        wr_text_add_format(&body, "\",\"ok\":%s,\"text\":\"", is_done ? "true" : "false");
        wr_text_add_json(&body, wr_slice_of(wr_text_string(sentence)));
        wr_text_add_string(&body, "\"}");
    }
    publish(control, key, &body, false);
    wr_text_done(&body);
}

static void take_order(struct wr_control *control, const struct wr_message *message)
{
    struct wr_order order;
    struct wr_text sentence = { 0 };
    warren_error err = { .status = WARREN_OK };
    char who[300];
    char why[600];
    if (wr_order_read(message->body, &order, &err)) {
        wr_log(WR_WARN, "control.bad_order", "error=%s", wr_log_quote(why, sizeof why, err.text));
        return;
    }
    bool is_done = order.verb == WR_ORDER_DESCRIBE ||
                   control->options.obey(control->options.user, &order, &sentence);
    wr_log(order.verb == WR_ORDER_DESCRIBE ? WR_DEBUG : WR_WARN, "control.order",
           "order=%s done=%d who=%s why=%s", wr_order_words[order.verb], is_done,
           wr_log_quote(who, sizeof who, order.wish.who),
           wr_log_quote(why, sizeof why, order.wish.why));
    if (*order.token) {
        answer(control, &order, is_done, &sentence);
    }
    wr_text_done(&sentence);
    control->next_news_us = order.verb == WR_ORDER_DESCRIBE ? control->next_news_us : 0;
}

static bool is_mark(const struct wr_control *control, const struct wr_message *message)
{
    char want[80];
    (void)snprintf(want, sizeof want, "{\"mark\":\"%s\"}", control->mark);
    return wr_slice_is(message->body, want);
}

/* Only what stands under its own key counts: rights go by keys. */
static bool read_pause(const struct wr_message *message, struct wr_pause *out)
{
    warren_error err = { .status = WARREN_OK };
    char key[KEY_SIZE] = "";
    char text[600];
    warren_status rc = wr_pause_read(message->body, out, &err);
    if (!rc && !(wr_pause_key(key, sizeof key, out) && wr_slice_is(message->key, key))) {
        rc = wr_fail(&err, WARREN_INVALID, "it stands under another key than %s", key);
    }
    if (rc) {
        wr_log(WR_WARN, "control.bad_state", "error=%s", wr_log_quote(text, sizeof text, err.text));
    }
    return rc == WARREN_OK;
}

static void take_pause(struct wr_control *control, const struct wr_pause *pause)
{
    bool was_paused = wr_pauses_find(&control->now, pause) != NULL;
    wr_pauses_note(&control->now, pause, control->place);
    bool is_paused = wr_pauses_find(&control->now, pause) != NULL;
    if (was_paused != is_paused) {
        tell(control, pause);
    }
}

static void take_state(struct wr_control *control, const struct wr_message *message)
{
    struct wr_pause pause;
    control->place++;
    control->heard_us = wr_clock_mono_us(NULL);
    if (wr_slice_is(message->key, "state.mark")) {
        if (!control->knows_all && is_mark(control, message)) {
            bool is_whole = atomic_load(&control->failures) < STREAM_TRIES;
            know_all(control, is_whole);
            if (!is_whole) { /* the next connection tries once more to read all */
                atomic_store(&control->failures, STREAM_TRIES - 1);
            }
        }
    } else if (read_pause(message, &pause)) {
        if (control->knows_all) {
            take_pause(control, &pause);
        } else {
            wr_pauses_note(&control->next, &pause, control->place);
        }
    }
    if (control->knows_all && control->place % LOOK_EVERY == 0) {
        rewrite(control);
    }
}

/* The broker would not have what was said: without the right to mark it goes on without marks. */
static void lose_out(struct wr_control *control, const struct wr_event *event)
{
    warren_error err = { .status = WARREN_OK };
    bool was_mark = control->may_mark && !control->knows_all;
    control->has_out = false;
    control->may_mark = control->may_mark && !was_mark;
    if (was_mark && wr_broker_channel_open(control->connection.broker, OUT, false, &err)) {
        lose(control, event->text);
        return;
    }
    control->has_out = was_mark;
}

static void handle(struct wr_control *control, struct wr_event *event)
{
    switch (event->kind) {
    case WR_EVENT_DELIVERY:
        if (event->channel == STATE) {
            take_state(control, &event->delivery->message);
        } else {
            take_order(control, &event->delivery->message);
        }
        wr_delivery_free(event->delivery);
        break;
    case WR_EVENT_RETURNED: /* nobody listens */
        wr_delivery_free(event->delivery);
        return;
    case WR_EVENT_CHANNEL_CLOSED:
        if (event->channel == OUT) {
            lose_out(control, event);
            return;
        }
        lose(control, event->text);
        return;
    case WR_EVENT_CANCELLED:
    case WR_EVENT_CLOSED:
        lose(control, event->text);
        return;
    case WR_EVENT_OVERSIZED:
    case WR_EVENT_MALFORMED:
        break;
    default:
        return;
    }
    if (control->connection.broker) {
        (void)wr_broker_ack(control->connection.broker, event->channel, event->tag, false);
    }
}

/* --- its connection --- */

static warren_status bind(const struct wr_control *control, struct wr_broker *broker,
                          const char *key, warren_error *err)
{
    struct wr_item item = { .kind = WR_ITEM_BIND,
                            .name = control->exchange,
                            .destination = control->queue,
                            .to_queue = true,
                            .key = key };
    return wr_broker_declare(broker, ORDERS, &item, WR_DECLARE, err);
}

/* The queue has another name each time: the broker may still have the one of a connection that it does
 * not know to be gone. */
static warren_status open_orders(struct wr_control *control, struct wr_broker *broker,
                                 warren_error *err)
{
    char key[KEY_SIZE];
    (void)snprintf(control->queue, sizeof control->queue, "%s.%s.%04x", control->exchange,
                   control->options.id, (unsigned)(wr_random() & 0xFFFF));
    struct wr_item queue = { .kind = WR_ITEM_QUEUE,
                             .name = control->queue,
                             .is_temporary = true,
                             .arguments = { .type = WR_CLASSIC } };
    (void)snprintf(key, sizeof key, "order.%s", control->options.id);
    warren_status rc = wr_broker_channel_open(broker, ORDERS, false, err);
    rc = rc ? rc : wr_broker_declare(broker, ORDERS, &queue, WR_DECLARE, err);
    rc = rc ? rc : bind(control, broker, "order.all", err);
    rc = rc ? rc : bind(control, broker, key, err);
    rc = rc ? rc : wr_broker_sync(broker, ORDERS, err);
    rc = rc ? rc : wr_broker_prefetch(broker, ORDERS, PREFETCH, err);
    return rc ? rc : wr_broker_consume(broker, ORDERS, control->queue, "orders", err);
}

static warren_status open_state(const struct wr_control *control, struct wr_broker *broker,
                                warren_error *err)
{
    warren_status rc = wr_broker_channel_open(broker, STATE, false, err);
    rc = rc ? rc : wr_broker_prefetch(broker, STATE, PREFETCH, err);
    /* After some tries that never came to its end, what is in it must be what ends them. */
    const char *offset = atomic_load(&control->failures) < STREAM_TRIES ? "first" : "next";
    return rc ? rc : wr_broker_consume_stream(broker, STATE, control->stream, offset, "state", err);
}

/* On a dial's thread. */
static warren_status open_channels(void *user, struct wr_broker *broker, warren_error *err)
{
    struct wr_control *control = user;
    warren_status rc = wr_broker_channel_open(broker, OUT, false, err);
    rc = rc ? rc : open_orders(control, broker, err);
    rc = rc ? rc : open_state(control, broker, err);
    return rc ? wr_wrap(err, rc, "control plane") : WARREN_OK;
}

/* --- the thread --- */

static void take_events(struct wr_control *control)
{
    for (int i = 0; i < EVENTS_A_ROUND && control->connection.broker; i++) {
        struct wr_event event;
        wr_broker_next(control->connection.broker, &event);
        if (event.kind == WR_EVENT_NONE) {
            return;
        }
        handle(control, &event);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Returns when the next round is due. */
static int64_t step(struct wr_control *control, int64_t now_us)
{
    wr_connection_begin(&control->connection);
    if (wr_connection_step(&control->connection, now_us)) {
        send_mark(control, now_us);
        control->next_news_us = now_us;
    }
    take_events(control);
    if (control->connection.broker && !control->knows_all &&
        now_us - control->heard_us >= MARK_WAIT_US) {
        know_all(control, false); /* the mark was lost, or may not be sent: what was read must do */
    }
    bool is_asked = atomic_exchange(&control->wants_news, false);
    if (control->connection.broker && (is_asked || now_us >= control->next_news_us)) {
        send_news(control, now_us);
    }
    int64_t next_us = wr_connection_deadline_us(&control->connection);
    if (control->connection.broker) {
        next_us = earlier(next_us, control->next_news_us);
        next_us = control->knows_all ? next_us : earlier(next_us, control->heard_us + MARK_WAIT_US);
    }
    wr_connection_end(&control->connection);
    return next_us;
}

static void *run(void *user)
{
    struct wr_control *control = user;
    while (!atomic_load(&control->stops)) {
        int64_t next_us = step(control, wr_clock_mono_us(NULL));
        wr_connection_wait(&control->connection, &control->mailbox, next_us);
    }
    return NULL;
}

/* --- its life --- */

static void free_control(struct wr_control *control)
{
    wr_pauses_done(&control->now);
    wr_pauses_done(&control->next);
    wr_mailbox_done(&control->mailbox);
    (void)pthread_mutex_destroy(&control->lock);
    (void)pthread_cond_destroy(&control->known);
    free(control);
}

static void name_parts(struct wr_control *control)
{
    const char *ns = control->options.settings->ns;
    (void)snprintf(control->exchange, sizeof control->exchange, "%s.control", ns);
    (void)snprintf(control->stream, sizeof control->stream, "%s.state", ns);
}

warren_status wr_control_start(struct wr_control **out, const struct wr_control_options *options,
                               warren_error *err)
{
    struct wr_control *control = calloc(1, sizeof *control);
    if (!control) {
        return wr_no_memory(err);
    }
    control->options = *options;
    warren_status rc = wr_mailbox_init(&control->mailbox, err);
    if (rc) {
        free(control);
        return rc;
    }
    (void)pthread_mutex_init(&control->lock, NULL);
    wr_cond_init(&control->known);
    name_parts(control);
    control->may_mark = true;
    struct wr_dial_options dial = { .broker = { .settings = &options->settings->broker,
                                                .name = options->name,
                                                .body_most = WR_ORDER_BYTES,
                                                .watch = options->watch },
                                    .ready = open_channels,
                                    .user = control };
    wr_connection_init(&control->connection, &dial);
    rc = wr_thread_start(&control->thread, "warren-control", WR_STACK_IO, run, control, err);
    if (rc) {
        free_control(control);
        return rc;
    }
    *out = control;
    return WARREN_OK;
}

bool wr_control_wait(struct wr_control *control, int64_t timeout_us)
{
    int64_t until_us = wr_clock_mono_us(NULL) + timeout_us;
    WR_SCOPED_LOCK(&control->lock);
    while (!control->is_known) {
        int64_t left_us = until_us - wr_clock_mono_us(NULL);
        if (left_us <= 0 || !wr_cond_wait(&control->known, &control->lock, left_us)) {
            break;
        }
    }
    return control->is_known;
}

void wr_control_poke(struct wr_control *control)
{
    atomic_store(&control->wants_news, true);
    wr_mailbox_poke(&control->mailbox);
}

bool wr_control_stop(struct wr_control *control)
{
    if (!control) {
        return true;
    }
    atomic_store(&control->stops, true);
    wr_mailbox_poke(&control->mailbox);
    if (!wr_thread_join_within(&control->thread, STOP_US)) {
        wr_watch_cut(control->options.watch); /* a call that waits for the broker returns */
        wr_thread_join(&control->thread);
    }
    bool is_free = wr_connection_close(&control->connection);
    if (is_free) { /* else the opening still looks at it */
        free_control(control);
    }
    return is_free;
}
