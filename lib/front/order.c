// SPDX-License-Identifier: MIT
// DESIGN: an operator's end of the control plane. Whoever listens has a queue of the broker for that
// moment, exclusive and gone with its channel; so nothing is left behind, and nobody else's answers are
// read. What is paused is read from the stream as a worker reads it: up to a mark of our own.
#include "warren/control.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/random.h"
#include "engine/pauses.h"
#include "front/admin.h"
#include "model/topology.h"

enum {
    EAR = 2,
    MOUTH = 3,
    NEWS = 4,
    PREFETCH = 100,
    READ_MS = 5000,
    SAY_MS = 5000,
    NEWS_SIZE = 1 << 20
};

/* What one call has at the broker. */
struct ear {
    warren_admin *admin;
    char token[40];
    char exchange[WR_NAME_SIZE];
    char queue[WR_NAME_SIZE + 48];
    uint16_t channel; /* on which it listens */
    int64_t until_us;
};

/* --- the broker --- */

static warren_status refuse_without_control(const warren_admin *admin, warren_error *err)
{
    if (admin->settings->has_control) {
        return WARREN_OK;
    }
    return wr_fail(err, WARREN_STATE,
                   "control.enabled is false in %s: workers of this configuration tell nothing and "
                   "take no orders. Set it to true for them and for this command",
                   admin->settings->file ? admin->settings->file : "the defaults");
}

static warren_status explain(const struct ear *ear, int code, const char *text, warren_error *err)
{
    enum { NOT_FOUND = 404, ACCESS_REFUSED = 403 };
    if (code == NOT_FOUND) {
        return wr_fail(
            err, WARREN_UNROUTABLE,
            "the broker has no control plane (%s): a worker with control.enabled declares "
            "it when it starts, or `warren topology apply`",
            text);
    }
    return wr_fail(err, code == ACCESS_REFUSED ? WARREN_REFUSED : WARREN_UNREACHABLE, "%s: %s",
                   ear->exchange, text);
}

static void begin(struct ear *ear, warren_admin *admin, int64_t wait_ms)
{
    *ear = (struct ear){ .admin = admin,
                         .channel = EAR,
                         .until_us = wr_clock_mono_us(NULL) + wait_ms * WR_US_PER_MS };
    (void)snprintf(ear->token, sizeof ear->token, "%016" PRIx64 "%016" PRIx64, wr_random(),
                   wr_random());
    wr_topology_exchange(ear->exchange, sizeof ear->exchange, admin->settings->ns, "control");
    (void)snprintf(ear->queue, sizeof ear->queue, "%s.%s", ear->exchange, ear->token);
}

static void end(const struct ear *ear)
{
    (void)wr_broker_channel_close(ear->admin->broker, EAR, NULL);
    (void)wr_broker_channel_close(ear->admin->broker, MOUTH, NULL);
}

/* The next event, NONE when the time is up. */
static void next(const struct ear *ear, struct wr_event *event)
{
    struct wr_broker *broker = ear->admin->broker;
    for (;;) {
        wr_broker_next(broker, event);
        int64_t left_us = ear->until_us - wr_clock_mono_us(NULL);
        if (event->kind != WR_EVENT_NONE || left_us <= 0) {
            return;
        }
        int64_t beat_us = wr_broker_deadline_us(broker) - wr_clock_mono_us(NULL);
        int64_t sleep_us = beat_us < left_us ? beat_us : left_us;
        struct pollfd polled = { .fd = wr_broker_fd(broker), .events = POLLIN };
        if (!wr_broker_has_more(broker)) {
            (void)poll(&polled, 1, sleep_us <= 0 ? 0 : (int)(sleep_us / WR_US_PER_MS + 1));
        }
    }
}

/* Opens the channel on which things are said, with confirms. */
static warren_status open_mouth(const struct ear *ear, warren_error *err)
{
    return wr_broker_channel_open(ear->admin->broker, MOUTH, true, err);
}

static warren_status listen_to(const struct ear *ear, const char *key, warren_error *err)
{
    struct wr_broker *broker = ear->admin->broker;
    struct wr_item queue = { .kind = WR_ITEM_QUEUE,
                             .name = ear->queue,
                             .is_temporary = true,
                             .arguments = { .type = WR_CLASSIC } };
    struct wr_item bound = { .kind = WR_ITEM_BIND,
                             .name = ear->exchange,
                             .destination = ear->queue,
                             .to_queue = true,
                             .key = key };
    warren_error text = { .status = WARREN_OK };
    warren_status rc = wr_broker_channel_open(broker, ear->channel, false, err);
    rc = rc ? rc : wr_broker_declare(broker, ear->channel, &queue, WR_DECLARE, err);
    rc = rc ? rc : wr_broker_declare(broker, ear->channel, &bound, WR_DECLARE, err);
    if (rc) {
        return rc;
    }
    rc = wr_broker_sync(broker, ear->channel, &text);
    if (rc == WARREN_CLOSED || rc == WARREN_TIMEOUT) {
        return wr_fail(err, rc == WARREN_CLOSED ? WARREN_UNREACHABLE : rc, "%s", text.text);
    }
    if (rc) {
        return explain(ear,
                       rc == WARREN_NOT_FOUND ? 404
                       : rc == WARREN_REFUSED ? 403
                                              : 0,
                       text.text, err);
    }
    rc = wr_broker_prefetch(broker, ear->channel, PREFETCH, err);
    return rc ? rc
              : wr_broker_consume(broker, ear->channel, ear->queue,
                                  ear->channel == NEWS ? "news" : "ear", err);
}

static warren_status say(const struct ear *ear, const char *key, const struct wr_text *body,
                         bool is_kept, warren_error *err)
{
    struct wr_message message = { .exchange = wr_slice_of(ear->exchange),
                                  .key = wr_slice_of(key),
                                  .present = WR_CONTENT_TYPE | WR_DELIVERY_MODE,
                                  .content_type = wr_slice_of("application/json"),
                                  .delivery_mode = is_kept ? 2 : 1,
                                  .body = { body->data, body->size } };
    return body->failed ? wr_no_memory(err)
                        : wr_broker_publish(ear->admin->broker, MOUTH, &message, err);
}

/* --- listening --- */

struct hearing {
    warren_news_visitor *visit;
    void *user;
    size_t heard;
    size_t wanted; /* then it ends; 0: with the time */
};

/* False: that was enough. */
static bool hear(struct hearing *hearing, const struct wr_message *message)
{
    char *json = message->body.size < NEWS_SIZE ? wr_slice_copy(message->body) : NULL;
    bool goes_on = true;
    if (json) {
        hearing->heard++;
        goes_on = hearing->visit(json, hearing->user);
        free(json);
    }
    return goes_on && hearing->heard != hearing->wanted;
}

static warren_status hear_all(const struct ear *ear, struct hearing *hearing, warren_error *err)
{
    for (;;) {
        struct wr_event event;
        bool goes_on = true;
        next(ear, &event);
        switch (event.kind) {
        case WR_EVENT_NONE:
            return WARREN_OK;
        case WR_EVENT_DELIVERY:
            goes_on = event.channel != ear->channel || hear(hearing, &event.delivery->message);
            (void)wr_broker_ack(ear->admin->broker, event.channel, event.tag, false);
            wr_delivery_free(event.delivery);
            break;
        case WR_EVENT_RETURNED: /* nobody is there; the wait ends by its time */
            wr_delivery_free(event.delivery);
            break;
        case WR_EVENT_OVERSIZED:
        case WR_EVENT_MALFORMED: /* or the broker would send no more after some of them */
            (void)wr_broker_ack(ear->admin->broker, event.channel, event.tag, false);
            break;
        case WR_EVENT_CHANNEL_CLOSED:
        case WR_EVENT_CLOSED:
            return explain(ear, event.code, event.text, err);
        default:
            break;
        }
        if (!goes_on) {
            return WARREN_OK;
        }
    }
}

warren_status warren_control_news(warren_admin *admin, int64_t wait_ms, warren_news_visitor *visit,
                                  void *user, warren_error *err)
{
    struct ear ear;
    struct hearing hearing = { .visit = visit, .user = user };
    warren_status rc = refuse_without_control(admin, err);
    if (rc) {
        return rc;
    }
    begin(&ear, admin, wait_ms);
    ear.channel = NEWS;
    if (!admin->hears_news) {
        rc = listen_to(&ear, "news.#", err);
        admin->hears_news = rc == WARREN_OK;
    }
    return rc ? rc : hear_all(&ear, &hearing, err);
}

/* --- orders --- */

static bool copy(char *out, size_t size, const char *text)
{
    int length = snprintf(out, size, "%s", text ? text : "");
    return length >= 0 && (size_t)length < size;
}

static warren_status write_order(const struct ear *ear, const warren_order *from,
                                 struct wr_text *out, warren_error *err)
{
    struct wr_order order = { .verb = WR_ORDER_VERBS };
    for (int i = 0; i < WR_ORDER_VERBS; i++) {
        order.verb =
            strcmp(wr_order_words[i], from->order) == 0 ? (enum wr_order_verb)i : order.verb;
    }
    if (order.verb == WR_ORDER_VERBS) {
        return wr_fail(err, WARREN_INVALID, "there is no order \"%s\"", from->order);
    }
    order.wish.at_ms = wr_clock_wall_ms(NULL);
    (void)copy(order.wish.who, sizeof order.wish.who, from->who);
    (void)copy(order.wish.why, sizeof order.wish.why, from->why);
    if (!copy(order.token, sizeof order.token, ear->token) ||
        !copy(order.queue, sizeof order.queue, from->queue) ||
        !copy(order.type, sizeof order.type, from->type) ||
        !copy(order.option, sizeof order.option, from->option) ||
        !copy(order.value, sizeof order.value, from->value)) {
        return wr_fail(err, WARREN_INVALID, "a name or a value of the order is too long");
    }
    wr_order_write(&order, out);
    return WARREN_OK;
}

static warren_status send_order(const struct ear *ear, const warren_order *order, warren_error *err)
{
    char key[WR_NAME_SIZE];
    struct wr_text body = { 0 };
    int length = snprintf(key, sizeof key, "order.%s", order->worker ? order->worker : "all");
    if (length < 0 || length > 255) {
        return wr_fail(err, WARREN_INVALID, "no worker has so long an id");
    }
    warren_status rc = write_order(ear, order, &body, err);
    rc = rc ? rc : open_mouth(ear, err);
    rc = rc ? rc : say(ear, key, &body, false, err);
    wr_text_done(&body);
    return rc;
}

warren_status warren_control_order(warren_admin *admin, const warren_order *order, int64_t wait_ms,
                                   warren_news_visitor *visit, void *user, warren_error *err)
{
    struct ear ear;
    char key[80];
    struct hearing hearing = { .visit = visit, .user = user, .wanted = order->worker ? 1 : 0 };
    warren_status rc = refuse_without_control(admin, err);
    if (rc) {
        return rc;
    }
    begin(&ear, admin, wait_ms);
    (void)snprintf(key, sizeof key, "answer.%s", ear.token);
    rc = listen_to(&ear, key, err);
    rc = rc ? rc : send_order(&ear, order, err);
    rc = rc ? rc : hear_all(&ear, &hearing, err);
    end(&ear);
    if (!rc && !hearing.heard) {
        rc = wr_fail(err, WARREN_NOT_FOUND,
                     order->worker ? "no worker %s answered: `warren worker list` shows those "
                                     "that are there"
                                   : "no worker answered%s",
                     order->worker ? order->worker : "");
    }
    return rc;
}

/* --- pauses --- */

static warren_status check_names(const warren_admin *admin, const char *name, const char *type,
                                 warren_error *err)
{
    const struct wr_queue_settings *queue = wr_settings_queue(admin->settings, name);
    bool is_there = queue && !type;
    for (size_t i = 0; queue && type && i < queue->job_count; i++) {
        is_there = is_there || strcmp(queue->jobs[i].type, type) == 0;
    }
    if (is_there) {
        return WARREN_OK;
    }
    return queue ? wr_fail(err, WARREN_NOT_FOUND, "queue %s has no job type \"%s\"", name, type)
                 : wr_fail(err, WARREN_NOT_FOUND,
                           "queue %s is not in this configuration: `warren queue list` shows them",
                           name);
}

/* Waits for the broker's word on what was said. */
static warren_status confirm(const struct ear *ear, warren_error *err)
{
    bool is_returned = false;
    for (;;) {
        struct wr_event event;
        next(ear, &event);
        switch (event.kind) {
        case WR_EVENT_NONE:
            return wr_fail(err, WARREN_TIMEOUT, "the broker did not confirm it in time");
        case WR_EVENT_DELIVERY:
            wr_delivery_free(event.delivery);
            break;
        case WR_EVENT_RETURNED:
            is_returned = true;
            wr_delivery_free(event.delivery);
            break;
        case WR_EVENT_ACKED:
            return is_returned ? explain(ear, 404, "no stream is bound to it", err) : WARREN_OK;
        case WR_EVENT_NACKED:
            return wr_fail(err, WARREN_NACKED, "the broker could not store it");
        case WR_EVENT_CHANNEL_CLOSED:
        case WR_EVENT_CLOSED:
            return explain(ear, event.code, event.text, err);
        default:
            break;
        }
    }
}

static warren_status send_mark(const struct ear *ear, warren_error *err)
{
    struct wr_text body = { 0 };
    wr_text_add_format(&body, "{\"mark\":\"%s\"}", ear->token);
    warren_status rc = open_mouth(ear, err);
    rc = rc ? rc : say(ear, "state.mark", &body, false, err);
    wr_text_done(&body);
    return rc;
}

static bool is_own_mark(const struct ear *ear, const struct wr_message *message)
{
    char want[80];
    (void)snprintf(want, sizeof want, "{\"mark\":\"%s\"}", ear->token);
    return wr_slice_is(message->key, "state.mark") && wr_slice_is(message->body, want);
}

/* Reads the stream up to the mark. */
static warren_status read_pauses(const struct ear *ear, struct wr_list *pauses, warren_error *err)
{
    for (bool goes_on = true; goes_on;) {
        struct wr_event event;
        struct wr_pause pause;
        next(ear, &event);
        switch (event.kind) {
        case WR_EVENT_NONE:
            return wr_fail(err, WARREN_TIMEOUT, "the stream of the control plane has no end");
        case WR_EVENT_DELIVERY:
            goes_on = !is_own_mark(ear, &event.delivery->message);
            if (!wr_pause_read(event.delivery->message.body, &pause, NULL)) {
                wr_pauses_note(pauses, &pause, 0);
            }
            (void)wr_broker_ack(ear->admin->broker, EAR, event.tag, false);
            wr_delivery_free(event.delivery);
            break;
        case WR_EVENT_RETURNED:
            wr_delivery_free(event.delivery);
            return explain(ear, 404, "no stream is bound to it", err);
        case WR_EVENT_OVERSIZED:
        case WR_EVENT_MALFORMED:
            (void)wr_broker_ack(ear->admin->broker, event.channel, event.tag, false);
            break;
        case WR_EVENT_CHANNEL_CLOSED:
        case WR_EVENT_CLOSED:
            return explain(ear, event.code, event.text, err);
        default:
            break;
        }
    }
    return WARREN_OK;
}

/* All that was said, and is kept, about pauses. */
static warren_status read_state(warren_admin *admin, struct wr_list *pauses, warren_error *err)
{
    struct ear ear;
    char stream[WR_NAME_SIZE];
    struct wr_broker *broker = admin->broker;
    begin(&ear, admin, READ_MS);
    wr_topology_exchange(stream, sizeof stream, admin->settings->ns, "state");
    warren_status rc = wr_broker_channel_open(broker, EAR, false, err);
    rc = rc ? rc : wr_broker_prefetch(broker, EAR, PREFETCH, err);
    rc = rc ? rc : wr_broker_consume_stream(broker, EAR, stream, "first", "ear", err);
    if (rc == WARREN_NOT_FOUND) {
        rc = explain(&ear, 404, "no stream", err);
    }
    rc = rc ? rc : send_mark(&ear, err);
    rc = rc ? rc : read_pauses(&ear, pauses, err);
    end(&ear);
    return rc;
}

warren_status warren_control_pause(warren_admin *admin, const char *queue, const char *type,
                                   bool is_paused, const char *who, const char *why,
                                   warren_error *err)
{
    struct ear ear;
    struct wr_pause pause = { .is_paused = is_paused };
    struct wr_list known = { 0 };
    char key[WR_NAME_SIZE];
    struct wr_text body = { 0 };
    warren_status rc = refuse_without_control(admin, err);
    rc = rc ? rc : check_names(admin, queue, type, err);
    if (rc) {
        return rc;
    }
    (void)copy(pause.wish.who, sizeof pause.wish.who, who);
    (void)copy(pause.wish.why, sizeof pause.wish.why, why);
    if (!copy(pause.queue, sizeof pause.queue, queue) ||
        !copy(pause.type, sizeof pause.type, type) || !wr_pause_key(key, sizeof key, &pause)) {
        return wr_fail(err, WARREN_INVALID,
                       "the names of queue and type together are longer than 248 bytes");
    }
    rc = read_state(admin, &known, err);
    if (!rc) { /* the last word counts, also if the clock of who said the one before is ahead */
        int64_t said_ms = wr_pauses_said_ms(&known, &pause);
        int64_t now_ms = wr_clock_wall_ms(NULL);
        pause.wish.at_ms = now_ms > said_ms ? now_ms : said_ms + 1;
    }
    wr_pauses_done(&known);
    if (rc) {
        return rc;
    }
    begin(&ear, admin, SAY_MS);
    wr_pause_write(&pause, &body);
    rc = open_mouth(&ear, err);
    rc = rc ? rc : say(&ear, key, &body, true, err);
    rc = rc ? rc : confirm(&ear, err);
    wr_text_done(&body);
    end(&ear);
    return rc;
}

warren_status warren_control_paused(warren_admin *admin, warren_pause_visitor *visit, void *user,
                                    warren_error *err)
{
    struct wr_list pauses = { 0 };
    warren_status rc = refuse_without_control(admin, err);
    rc = rc ? rc : read_state(admin, &pauses, err);
    for (struct wr_link *link = rc ? NULL : pauses.first; link; link = link->next) {
        const struct wr_pause *pause = &WR_OF(link, struct wr_paused, link)->pause;
        const warren_pause_info info = { pause->queue, pause->type, pause->wish.who,
                                         pause->wish.why, pause->wish.at_ms };
        if (pause->is_paused && !visit(&info, user)) {
            break;
        }
    }
    wr_pauses_done(&pauses);
    return rc;
}
