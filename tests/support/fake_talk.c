// SPDX-License-Identifier: MIT
/*
 * DESIGN: the requests whose answer is only "ok" are a table; the few others are functions. What a
 * client sends must be good AMQP, or the test ends here: it is the broker that is strange, not the
 * client. A write that cannot go out at once waits in the session.
 */
#include "fake_talk.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

/* A method of the client, where it came, and the rest of its frame. */
struct request {
    struct fake_place place;
    struct fake_session *session;
    unsigned class, method;
    const unsigned char *rest;
    size_t size;
};

void fake_give_up(const char *what)
{
    fprintf(stderr, "fake broker: %s: %s\n", what, strerror(errno));
    exit(1);
}

int64_t fake_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * FAKE_US_PER_S + now.tv_nsec / 1000;
}

void fake_count(struct fake *fake, enum fake_count what)
{
    fake->counts[what]++;
    (void)pthread_cond_broadcast(&fake->changed);
}

/* --- writing --- */

void fake_flush(struct fake_session *session)
{
    ssize_t sent = 0;
    while (session->fd >= 0 && session->out_size > 0 && sent >= 0) {
        sent = send(session->fd, session->out, session->out_size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            session->out_size -= (size_t)sent;
            memmove(session->out, session->out + sent, session->out_size);
        }
    }
}

void fake_push(struct fake_session *session, const void *bytes, size_t size)
{
    if (session->fd < 0 || size == 0)
        return;
    session->out = realloc(session->out, session->out_size + size);
    if (!session->out)
        fake_give_up("memory");
    memcpy(session->out + session->out_size, bytes, size);
    session->out_size += size;
    fake_flush(session);
}

void fake_push_frame(struct fake_session *session, uint16_t channel, int type, const void *payload,
                     size_t size)
{
    struct wire head = { 0 };
    unsigned char end = WIRE_END;
    wire_number(&head, (uint64_t)type, 1);
    wire_number(&head, channel, 2);
    wire_number(&head, size, 4);
    fake_push(session, head.bytes, head.size);
    fake_push(session, payload, size);
    fake_push(session, &end, 1);
}

static void answer(const struct fake *fake, const struct request *request, const struct wire *wire)
{
    if (!fake->is_mute)
        fake_push_frame(request->session, request->place.channel, WIRE_METHOD, wire->bytes,
                        wire->size);
}

/* An answer that has no arguments, or whose arguments are in `more`. */
static void answer_with(const struct fake *fake, const struct request *request, int method,
                        const struct wire *more)
{
    struct wire wire = { 0 };
    wire_method(&wire, (enum wire_class)request->class, method);
    if (more)
        wire_put(&wire, more->bytes, more->size);
    answer(fake, request, &wire);
}

/* --- requests --- */

/* The n-th short string after `skip` bytes; *after is where it ends. */
static void short_at(const struct request *request, size_t skip, int n, char text[256],
                     size_t *after)
{
    size_t at = skip, length = 0;
    for (int i = 0; i <= n; i++) {
        at += i ? length + 1 : 0;
        length = at < request->size ? request->rest[at] : 0;
    }
    if (at + 1 + length > request->size)
        fake_give_up("a short string goes beyond its frame");
    memcpy(text, request->rest + at + 1, length);
    text[length] = '\0';
    *after = at + 1 + length;
}

static void say_start(const struct fake *fake, struct fake_session *session)
{
    static const char *const can[] = { "publisher_confirms", "exchange_exchange_bindings",
                                       "basic.nack",         "consumer_cancel_notify",
                                       "connection.blocked", "authentication_failure_close" };
    struct wire abilities = { 0 }, properties = { 0 }, start = { 0 };
    for (size_t i = 0; i < sizeof can / sizeof *can; i++) {
        wire_short(&abilities, can[i]);
        wire_put(&abilities, "t\1", 2);
    }
    wire_short(&properties, "product");
    wire_put(&properties, "S", 1);
    wire_long(&properties, "RabbitMQ");
    wire_short(&properties, "version");
    wire_put(&properties, "S", 1);
    wire_long(&properties, "3.10.8");
    wire_short(&properties, "capabilities");
    wire_put(&properties, "F", 1);
    wire_number(&properties, abilities.size, 4);
    wire_put(&properties, abilities.bytes, abilities.size);
    wire_method(&start, WIRE_CONNECTION, 10);
    wire_put(&start, "\0\11", 2);
    wire_number(&start, properties.size, 4);
    wire_put(&start, properties.bytes, properties.size);
    wire_long(&start, "PLAIN");
    wire_long(&start, "en_US");
    if (!fake->is_mute)
        fake_push_frame(session, 0, WIRE_METHOD, start.bytes, start.size);
}

static void on_start_ok(struct fake *fake, const struct request *request)
{
    struct wire tune = { 0 };
    wire_number(&tune, 2047, 2);
    wire_number(&tune, FAKE_FRAME_MOST, 4);
    wire_number(&tune, fake->heartbeat_s, 2);
    answer_with(fake, request, 30, &tune);
}

/* The smaller of both sides' wishes is the client's to say. */
static void on_tune_ok(struct fake *fake, const struct request *request)
{
    uint64_t interval_s = request->size >= 8 ? wire_read(request->rest + 6, 2) : 0;
    request->session->beat_us = fake->is_beating ? (int64_t)interval_s * FAKE_US_PER_S / 2 : 0;
    request->session->next_beat_us = fake_now_us();
}

static void on_open(struct fake *fake, const struct request *request)
{
    struct wire more = { 0 };
    wire_short(&more, "");
    answer_with(fake, request, 41, &more);
    fake_count(fake, FAKE_LOGINS);
}

static void on_close(struct fake *fake, const struct request *request)
{
    answer_with(fake, request, 51, NULL);
}

static void on_channel_open(struct fake *fake, const struct request *request)
{
    struct wire more = { 0 };
    request->session->channels[request->place.channel] = (struct fake_channel){ 0 };
    wire_long(&more, "");
    answer_with(fake, request, 11, &more);
    fake_count(fake, FAKE_CHANNEL_OPENS);
}

static void on_channel_close(struct fake *fake, const struct request *request)
{
    if (request->method == 40)
        answer_with(fake, request, 41, NULL);
    request->session->channels[request->place.channel].is_closed = true;
    fake_count(fake, FAKE_CHANNEL_CLOSES);
}

/* Exchanges are made, but none is ever there. */
static void on_exchange_declare(struct fake *fake, const struct request *request)
{
    char name[256];
    size_t after = 0;
    struct wire close = { 0 };
    short_at(request, 2, 1, name, &after);
    unsigned bits = request->rest[after];
    if (!(bits & 1U) && !(bits & 16U))
        answer_with(fake, request, 11, NULL);
    if (!(bits & 1U))
        return;
    wire_method(&close, WIRE_CHANNEL, 40);
    wire_number(&close, 404, 2);
    wire_short(&close, "NOT_FOUND - no exchange");
    wire_number(&close, (WIRE_EXCHANGE << 16) + 10, 4);
    answer(fake, request, &close);
}

static void on_flow(struct fake *fake, const struct request *request)
{
    struct wire more = { 0 };
    wire_number(&more, 1, 1);
    answer_with(fake, request, 21, &more);
}

static void on_queue_declare(struct fake *fake, const struct request *request)
{
    char name[256];
    size_t after = 0;
    struct wire more = { 0 };
    short_at(request, 2, 0, name, &after);
    unsigned bits = request->rest[after];
    if (bits & 16U)
        return;
    wire_short(&more, name);
    wire_number(&more, fake->ready, 4);
    wire_number(&more, 1, 4);
    answer_with(fake, request, 11, &more);
    if (bits & 1U)
        fake_count(fake, FAKE_LOOKS);
}

static void on_consume(struct fake *fake, const struct request *request)
{
    struct fake_consumer *consumer = &fake->consumer;
    size_t after = 0;
    struct wire more = { 0 };
    consumer->place = request->place;
    short_at(request, 2, 0, consumer->queue, &after);
    short_at(request, 2, 1, consumer->tag, &after);
    wire_short(&more, consumer->tag);
    if (!(request->rest[after] & 8U))
        answer_with(fake, request, 21, &more);
    fake_count(fake, FAKE_CONSUMES);
}

static void on_cancel(struct fake *fake, const struct request *request)
{
    char tag[256];
    size_t after = 0;
    struct wire more = { 0 };
    short_at(request, 0, 0, tag, &after);
    wire_short(&more, tag);
    if (!(request->rest[after] & 1U))
        answer_with(fake, request, 31, &more);
    fake_count(fake, FAKE_CANCELS);
}

static void on_confirm_select(struct fake *fake, const struct request *request)
{
    request->session->channels[request->place.channel].confirms = true;
    if (request->size == 0 || !request->rest[0])
        answer_with(fake, request, 11, NULL);
}

static void on_publish(struct fake *fake, const struct request *request)
{
    struct fake_channel *channel = &request->session->channels[request->place.channel];
    (void)fake;
    request->session->publish =
        (struct fake_publish){ .place = request->place, .tag = ++channel->publishes };
}

static void on_settle(struct fake *fake, const struct request *request)
{
    bool is_ack = request->method == 80;
    if (is_ack && request->size >= 9) {
        fake->last_ack = wire_read(request->rest, 8);
        fake->is_last_multiple = request->rest[8] & 1U;
    }
    fake_count(fake, is_ack ? FAKE_ACKS : FAKE_REJECTS);
}

static void on_get(struct fake *fake, const struct request *request)
{
    struct wire more = { 0 };
    wire_short(&more, "");
    answer_with(fake, request, 72, &more);
}

/* What is answered with "ok", unless a bit behind its short strings says that nobody waits. */
struct plain {
    unsigned class, method;
    int ok, strings;
    unsigned no_wait;
};

static const struct plain plains[] = {
    { WIRE_EXCHANGE, 20, 21, 1, 2 }, { WIRE_EXCHANGE, 30, 31, 3, 1 },
    { WIRE_EXCHANGE, 40, 51, 3, 1 }, { WIRE_QUEUE, 20, 21, 3, 1 },
    { WIRE_QUEUE, 50, 51, 3, 0 },    { WIRE_BASIC, 10, 11, 0, 0 },
    { WIRE_BASIC, 110, 111, 0, 0 },
};

/* Those answer with the number of messages. */
static const struct plain counted[] = {
    { WIRE_QUEUE, 30, 31, 1, 1 },
    { WIRE_QUEUE, 40, 41, 1, 4 },
};

struct special {
    unsigned class, method;
    void (*handle)(struct fake *, const struct request *);
};

static const struct special specials[] = {
    { WIRE_CONNECTION, 11, on_start_ok },
    { WIRE_CONNECTION, 31, on_tune_ok },
    { WIRE_CONNECTION, 40, on_open },
    { WIRE_CONNECTION, 50, on_close },
    { WIRE_CHANNEL, 10, on_channel_open },
    { WIRE_CHANNEL, 40, on_channel_close },
    { WIRE_CHANNEL, 41, on_channel_close },
    { WIRE_CHANNEL, 20, on_flow },
    { WIRE_EXCHANGE, 10, on_exchange_declare },
    { WIRE_QUEUE, 10, on_queue_declare },
    { WIRE_BASIC, 20, on_consume },
    { WIRE_BASIC, 30, on_cancel },
    { WIRE_BASIC, 40, on_publish },
    { WIRE_BASIC, 70, on_get },
    { WIRE_BASIC, 80, on_settle },
    { WIRE_BASIC, 90, on_settle },
    { WIRE_BASIC, 120, on_settle },
    { WIRE_CONFIRM, 10, on_confirm_select },
};

static bool is_waited_for(const struct plain *plain, const struct request *request)
{
    char text[256];
    size_t after = 0;
    if (!plain->strings || !plain->no_wait)
        return true;
    short_at(request, 2, plain->strings - 1, text, &after);
    return after >= request->size || !(request->rest[after] & plain->no_wait);
}

static void answer_plainly(struct fake *fake, const struct request *request)
{
    struct wire none = { 0 };
    wire_number(&none, 0, 4);
    for (size_t i = 0; i < sizeof plains / sizeof *plains; i++) {
        const struct plain *plain = &plains[i];
        if (plain->class == request->class && plain->method == request->method &&
            is_waited_for(plain, request))
            answer_with(fake, request, plain->ok, NULL);
    }
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        const struct plain *plain = &counted[i];
        if (plain->class == request->class && plain->method == request->method &&
            is_waited_for(plain, request))
            answer_with(fake, request, plain->ok, &none);
    }
}

static void take_method(struct fake *fake, struct request *request, const unsigned char *payload,
                        size_t size)
{
    if (size < 4)
        fake_give_up("a method frame of the client is too short");
    request->class = (unsigned)wire_read(payload, 2);
    request->method = (unsigned)wire_read(payload + 2, 2);
    request->rest = payload + 4;
    request->size = size - 4;
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
        if (specials[i].class == request->class && specials[i].method == request->method) {
            specials[i].handle(fake, request);
            return;
        }
    }
    answer_plainly(fake, request);
}

void fake_push_confirm(struct fake_session *session, uint16_t channel, uint64_t tag,
                       enum fake_answer kind)
{
    struct wire wire = { 0 };
    bool is_ack = kind == FAKE_ACK || kind == FAKE_ACK_MULTIPLE;
    bool is_multiple = kind == FAKE_ACK_MULTIPLE || kind == FAKE_NACK_MULTIPLE;
    wire_method(&wire, WIRE_BASIC, is_ack ? 80 : 120);
    wire_number(&wire, tag, 8);
    wire_number(&wire, is_multiple, 1);
    fake_push_frame(session, channel, WIRE_METHOD, wire.bytes, wire.size);
}

/* The message is whole. */
static void end_publish(struct fake *fake, struct fake_session *session)
{
    const struct fake_publish *publish = &session->publish;
    size_t number = fake->counts[FAKE_PUBLISHES];
    fake->publishes = realloc(fake->publishes, (number + 1) * sizeof *fake->publishes);
    if (!fake->publishes)
        fake_give_up("memory");
    fake->publishes[number] = *publish;
    uint16_t channel = publish->place.channel;
    if (session->channels[channel].is_closed)
        fake_count(fake, FAKE_LATE_PUBLISHES);
    if (session->channels[channel].confirms && !fake->is_withheld && !fake->is_mute)
        fake_push_confirm(session, channel, publish->tag, FAKE_ACK);
    fake_count(fake, FAKE_PUBLISHES);
}

static void take_content(struct fake *fake, struct fake_session *session, int type,
                         const unsigned char *payload, size_t size)
{
    if (type == WIRE_HEADER && size >= 12)
        session->publish.size = session->body_left = wire_read(payload + 4, 8);
    if (type == WIRE_BODY)
        session->body_left -= size < session->body_left ? size : session->body_left;
    if (session->body_left == 0)
        end_publish(fake, session);
}

/* --- frames --- */

static void take_frame(struct fake *fake, struct fake_session *session, const unsigned char *frame,
                       size_t size)
{
    uint16_t channel = (uint16_t)wire_read(frame + 1, 2);
    struct request request = { .place = { session->number, channel }, .session = session };
    if (frame[WIRE_FRAME_HEAD + size] != WIRE_END || channel >= FAKE_CHANNELS) {
        fprintf(stderr, "fake broker: frame of type %d, channel %d, size %zu, end %d\n", frame[0],
                channel, size, frame[WIRE_FRAME_HEAD + size]);
        fake_give_up("the client sent no good frame");
    }
    if (frame[0] == WIRE_HEARTBEAT)
        fake_count(fake, FAKE_HEARTBEATS);
    else if (session->is_stuck)
        return;
    else if (frame[0] == WIRE_METHOD)
        take_method(fake, &request, frame + WIRE_FRAME_HEAD, size);
    else
        take_content(fake, session, frame[0], frame + WIRE_FRAME_HEAD, size);
}

void fake_take_frames(struct fake *fake, struct fake_session *session)
{
    size_t at = 0;
    if (!session->has_greeted && session->in_size >= 8) {
        session->has_greeted = true;
        at = 8;
        say_start(fake, session);
    }
    while (session->has_greeted && session->in_size - at >= WIRE_FRAME_HEAD) {
        size_t size = (size_t)wire_read(session->in + at + 3, 4);
        if (session->in_size - at < WIRE_FRAME_HEAD + size + 1)
            break;
        take_frame(fake, session, session->in + at, size);
        at += WIRE_FRAME_HEAD + size + 1;
    }
    session->in_size -= at;
    memmove(session->in, session->in + at, session->in_size);
}
