// SPDX-License-Identifier: MIT
// DESIGN: the way in. rabbitmq-c hands out one frame at a time and keeps its bytes in a pool that
// belongs to the channel, so each frame is used up here before the next one is read, and the pool
// is recycled after each.
//
//   method (deliver, return) -> header -> body ... body -> one event
//        exchange, key kept     block made   copied in
//
// A body is copied once, out of the frame into the delivery's block. One that is longer than
// allowed gets no block: its event comes at once and its frames are skipped. A channel that the
// broker closes is answered and forgotten here, with what it had delivered: the broker gives that
// to somebody else.
#include "io/broker_amqp_state.h"

#include <stdlib.h>

#include "model/strip.h"

enum { READ_EVER_MOST = 128 << 20 }; /* also the most that a broker takes, unless told otherwise */

static void keep(char *to, unsigned char *to_size, amqp_bytes_t from)
{
    size_t size = from.len > 255 ? 255 : from.len;
    if (size) {
        memcpy(to, from.bytes, size);
    }
    *to_size = (unsigned char)size;
}

/* The broker's words may quote what a stranger sent: they are told as plain text on one line. */
static void say(char *to, size_t size, amqp_bytes_t words)
{
    (void)wr_text_show(to, size, wr_amqp_slice(words), false);
}

static void broken_stream(struct wr_amqp *amqp, const char *what)
{
    amqp->is_broken = true;
    wr_amqp_die(amqp, 0, "the broker sent %s: not the protocol AMQP 0-9-1", what);
}

/* --- channels that end --- */

/* Deliveries and cancels of a channel that is gone mean nothing any more; confirms still count. */
static bool dies_with_channel(enum wr_event_kind kind)
{
    return kind == WR_EVENT_DELIVERY || kind == WR_EVENT_OVERSIZED || kind == WR_EVENT_MALFORMED ||
           kind == WR_EVENT_CANCELLED || kind == WR_EVENT_CHANNEL_CLOSED;
}

/* Drops what was queued, half put together, and not yet written. */
static void drop_messages(struct wr_amqp *amqp, uint16_t number)
{
    struct wr_list kept = { 0 };
    for (struct wr_link *link; (link = wr_list_take(&amqp->events));) {
        struct wr_amqp_event *waiting = WR_OF(link, struct wr_amqp_event, link);
        if (waiting->event.channel == number && dies_with_channel(waiting->event.kind)) {
            wr_delivery_free(waiting->event.delivery);
            free(waiting);
        } else {
            wr_list_push(&kept, link);
        }
    }
    amqp->events = kept;
    amqp->gathered = amqp->gather_channel == number ? 0 : amqp->gathered;
    struct wr_amqp_channel *channel = amqp->channels[number];
    wr_delivery_free(channel->delivery);
    channel->delivery = NULL;
    channel->part = WR_PART_METHOD;
}

void wr_amqp_channel_drop(struct wr_amqp *amqp, uint16_t number)
{
    if (amqp->channels[number]) {
        drop_messages(amqp, number);
        free(amqp->channels[number]);
        amqp->channels[number] = NULL;
    }
}

/* --- methods --- */

static void start_delivery(struct wr_amqp_channel *channel, const amqp_basic_deliver_t *deliver)
{
    channel->part = WR_PART_HEADER;
    channel->is_return = false;
    channel->tag = deliver->delivery_tag;
    channel->redelivered = deliver->redelivered;
    keep(channel->exchange, &channel->exchange_size, deliver->exchange);
    keep(channel->key, &channel->key_size, deliver->routing_key);
}

static void start_return(struct wr_amqp_channel *channel, const amqp_basic_return_t *returned)
{
    channel->part = WR_PART_HEADER;
    channel->is_return = true;
    channel->tag = 0;
    channel->redelivered = false;
    channel->return_code = returned->reply_code;
    keep(channel->reason, &channel->reason_size, returned->reply_text);
    keep(channel->exchange, &channel->exchange_size, returned->exchange);
    keep(channel->key, &channel->key_size, returned->routing_key);
}

/* The broker closed a channel: answers, and tells whoever is waiting: a call at once, sync when it
 * is asked, else an event. Until then the channel stays as a failed one, on which sending does
 * nothing. */
static void channel_closed(struct wr_amqp *amqp, uint16_t number, const amqp_channel_close_t *close,
                           struct wr_event *out)
{
    struct wr_amqp_channel *channel = amqp->channels[number];
    amqp_channel_close_ok_t answer = { 0 };
    (void)amqp_send_method(amqp->connection, number, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer);
    drop_messages(amqp, number);
    channel->has_failed = true;
    channel->code = close->reply_code;
    say(channel->text, sizeof channel->text, close->reply_text);
    bool is_asked = amqp->call.answer && amqp->call.channel == number;
    if (!is_asked && !channel->has_unsynced) {
        out->kind = WR_EVENT_CHANNEL_CLOSED;
        out->code = close->reply_code;
        memcpy(out->text, channel->text, sizeof out->text);
    }
}

/* What only arrives because a call asked for it. */
static void answered(struct wr_amqp *amqp, const amqp_frame_t *frame)
{
    struct wr_amqp_call *call = &amqp->call;
    const void *method = frame->payload.method.decoded;
    if (call->channel != frame->channel || call->answer != frame->payload.method.id) {
        return; /* of something declared, which nobody waits for */
    }
    call->is_answered = true;
    if (call->answer == AMQP_QUEUE_DECLARE_OK_METHOD) {
        call->messages = ((const amqp_queue_declare_ok_t *)method)->message_count;
        call->consumers = ((const amqp_queue_declare_ok_t *)method)->consumer_count;
    } else if (call->answer == AMQP_QUEUE_PURGE_OK_METHOD) {
        call->messages = ((const amqp_queue_purge_ok_t *)method)->message_count;
    }
}

static void settled(const amqp_frame_t *frame, struct wr_event *out)
{
    const void *method = frame->payload.method.decoded;
    if (frame->payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = method;
        out->kind = WR_EVENT_ACKED;
        out->tag = ack->delivery_tag;
        out->multiple = ack->multiple;
        return;
    }
    const amqp_basic_nack_t *nack = method;
    out->kind = WR_EVENT_NACKED;
    out->tag = nack->delivery_tag;
    out->multiple = nack->multiple;
}

static void channel_method(struct wr_amqp *amqp, const amqp_frame_t *frame, struct wr_event *out)
{
    struct wr_amqp_channel *channel = amqp->channels[frame->channel];
    const void *method = frame->payload.method.decoded;
    if (channel->part != WR_PART_METHOD && frame->payload.method.id != AMQP_CHANNEL_CLOSE_METHOD) {
        broken_stream(amqp, "a method inside a message");
        return;
    }
    switch (frame->payload.method.id) {
    case AMQP_BASIC_DELIVER_METHOD:
        start_delivery(channel, method);
        break;
    case AMQP_BASIC_RETURN_METHOD:
        start_return(channel, method);
        break;
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD:
        settled(frame, out);
        break;
    case AMQP_BASIC_CANCEL_METHOD:
        out->kind = WR_EVENT_CANCELLED;
        say(out->text, sizeof out->text, ((const amqp_basic_cancel_t *)method)->consumer_tag);
        break;
    case AMQP_CHANNEL_CLOSE_METHOD:
        channel_closed(amqp, frame->channel, method, out);
        break;
    default:
        answered(amqp, frame);
    }
}

static void connection_closed(struct wr_amqp *amqp, const amqp_connection_close_t *close)
{
    amqp_connection_close_ok_t answer = { 0 };
    (void)amqp_send_method(amqp->connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
    amqp->is_broken = true;
    char text[256];
    say(text, sizeof text, close->reply_text);
    wr_amqp_die(amqp, close->reply_code, "%s%s", text,
                close->reply_code == AMQP_INTERNAL_ERROR
                    ? ": a fault of the broker's own, its log says which"
                    : "");
}

static void connection_method(struct wr_amqp *amqp, const amqp_frame_t *frame, struct wr_event *out)
{
    const void *method = frame->payload.method.decoded;
    switch (frame->payload.method.id) {
    case AMQP_CONNECTION_CLOSE_METHOD:
        connection_closed(amqp, method);
        break;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        out->kind = WR_EVENT_BLOCKED;
        say(out->text, sizeof out->text, ((const amqp_connection_blocked_t *)method)->reason);
        break;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        out->kind = WR_EVENT_UNBLOCKED;
        break;
    default:
        answered(amqp, frame);
    }
}

/* --- content --- */

static void give(struct wr_amqp_channel *channel, struct wr_event *out)
{
    channel->part = WR_PART_METHOD;
    out->tag = channel->tag;
    out->delivery = channel->delivery;
    channel->delivery = NULL;
    out->kind = WR_EVENT_DELIVERY;
    if (channel->is_return) {
        out->kind = WR_EVENT_RETURNED;
        out->code = channel->return_code;
        say(out->text, sizeof out->text, (amqp_bytes_t){ channel->reason_size, channel->reason });
    }
}

/* No block for this body: its frames will be skipped. */
static void skip(struct wr_amqp_channel *channel, enum wr_event_kind kind, uint64_t size,
                 struct wr_event *out)
{
    channel->part = size ? WR_PART_SKIP : WR_PART_METHOD;
    channel->left = size;
    if (!channel->is_return) {
        out->kind = kind;
        out->tag = channel->tag;
        out->size = size;
    }
}

/* Long bodies aren't read: the broker dead-letters such a message alone. But a server below 4.0
 * crashes when it dead-letters a malformed x-death, so this kind goes the way of short ones. */
static bool is_unread(const struct wr_amqp *amqp, uint64_t size, struct wr_slice properties)
{
    struct wr_message message;
    bool needs_reading = amqp->broker.server.trusts_x_death && size <= READ_EVER_MOST &&
                         !wr_message_read(&message, properties, NULL) &&
                         wr_strip_has_bad_death(message.headers);
    return !needs_reading;
}

static void header(struct wr_amqp *amqp, const amqp_frame_t *frame, struct wr_event *out)
{
    struct wr_amqp_channel *channel = amqp->channels[frame->channel];
    uint64_t size = frame->payload.properties.body_size;
    if (channel->part != WR_PART_HEADER) {
        broken_stream(amqp, "a header without its method");
        return;
    }
    struct wr_slice properties = wr_amqp_slice(frame->payload.properties.raw);
    bool is_long = size > (uint64_t)amqp->body_most && is_unread(amqp, size, properties);
    if (is_long && !channel->is_return) {
        skip(channel, WR_EVENT_OVERSIZED, size, out);
        return;
    }
    warren_status status = wr_delivery_new(
        &channel->delivery, (struct wr_slice){ channel->exchange, channel->exchange_size },
        (struct wr_slice){ channel->key, channel->key_size }, properties, is_long ? 0 : size,
        &channel->body);
    if (status == WARREN_NO_MEMORY) {
        wr_amqp_die(amqp, 0, "out of memory for a message of %llu bytes", (unsigned long long)size);
        return;
    }
    if (status) {
        skip(channel, WR_EVENT_MALFORMED, size, out);
        return;
    }
    channel->delivery->tag = channel->tag;
    channel->delivery->channel = frame->channel;
    channel->delivery->redelivered = channel->redelivered;
    channel->left = size;
    channel->part = WR_PART_BODY;
    if (is_long) {
        give(channel, out); /* a return is known by its properties */
        channel->part = WR_PART_SKIP;
    } else if (size == 0) {
        give(channel, out);
    }
}

static void body(struct wr_amqp *amqp, const amqp_frame_t *frame, struct wr_event *out)
{
    struct wr_amqp_channel *channel = amqp->channels[frame->channel];
    amqp_bytes_t part = frame->payload.body_fragment;
    bool is_due = channel->part == WR_PART_BODY || channel->part == WR_PART_SKIP;
    if (!is_due || part.len > channel->left) {
        broken_stream(amqp, "more of a body than it announced");
        return;
    }
    if (channel->part == WR_PART_BODY && part.len) {
        memcpy(channel->body, part.bytes, part.len);
        channel->body += part.len;
    }
    channel->left -= part.len;
    if (channel->left) {
        return;
    }
    if (channel->part == WR_PART_BODY) {
        give(channel, out);
    }
    channel->part = WR_PART_METHOD;
}

/* While our channel.close is under way only its answer counts. */
static bool is_dropped(const struct wr_amqp_channel *channel, const amqp_frame_t *frame)
{
    if (!channel) {
        return true; /* an answer to a channel that was closed meanwhile */
    }
    if (!channel->is_closing) {
        return false;
    }
    return frame->frame_type != AMQP_FRAME_METHOD ||
           (frame->payload.method.id != AMQP_CHANNEL_CLOSE_METHOD &&
            frame->payload.method.id != AMQP_CHANNEL_CLOSE_OK_METHOD);
}

static void take(struct wr_amqp *amqp, const amqp_frame_t *frame, struct wr_event *out)
{
    if (frame->channel == 0) {
        if (frame->frame_type == AMQP_FRAME_METHOD) {
            connection_method(amqp, frame, out);
        }
        return;
    }
    out->channel = frame->channel;
    if (frame->channel > WR_CHANNELS_MOST || is_dropped(amqp->channels[frame->channel], frame)) {
        return;
    }
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        channel_method(amqp, frame, out);
        break;
    case AMQP_FRAME_HEADER:
        header(amqp, frame, out);
        break;
    case AMQP_FRAME_BODY:
        body(amqp, frame, out);
        break;
    default:
        broken_stream(amqp, "a frame of an unknown type");
    }
}

/* rabbitmq-c 0.15 (not 0.11) refuses headers that are nested deeper than 100, and then reads nothing
 * more. But it has handed out the frame, and sending works on: so the owner learns whose message it
 * is and can reject it, or it would come back on every new connection. */
static bool is_refused_delivery(struct wr_amqp *amqp, const amqp_frame_t *frame,
                                struct wr_event *out)
{
    if (frame->frame_type != AMQP_FRAME_HEADER || frame->channel > WR_CHANNELS_MOST) {
        return false;
    }
    struct wr_amqp_channel *channel = amqp->channels[frame->channel];
    uint64_t size = frame->payload.properties.body_size;
    bool is_delivery = channel && channel->part == WR_PART_HEADER && !channel->is_return &&
                       !is_dropped(channel, frame);
    if (!is_delivery || !is_unread(amqp, size, wr_amqp_slice(frame->payload.properties.raw))) {
        return false;
    }
    out->channel = frame->channel;
    skip(channel, WR_EVENT_MALFORMED, size, out);
    return true;
}

static bool read_failed(struct wr_amqp *amqp, int status, const amqp_frame_t *frame,
                        struct wr_event *out)
{
    amqp->is_stuck = status == AMQP_STATUS_BAD_AMQP_DATA && is_refused_delivery(amqp, frame, out);
    if (!amqp->is_stuck) {
        wr_amqp_die_of(amqp, status);
    }
    return amqp->is_stuck;
}

/* All that one look at the socket brought is used up. Another look would mostly cost two system calls
 * to learn that there is no more; if there is, the owner's poll says so at once. TLS may hold bytes
 * that no poll shows. */
static bool is_used_up(const struct wr_amqp *amqp)
{
    return amqp->has_heard && !amqp->is_thorough && !amqp->is_tls &&
           !amqp_data_in_buffer(amqp->connection) && !amqp_frames_enqueued(amqp->connection);
}

bool wr_amqp_read(struct wr_amqp *amqp, struct wr_event *out)
{
    wr_event_clear(out);
    if (amqp->is_dead || is_used_up(amqp)) {
        return false;
    }
    if (amqp->is_stuck) {
        amqp->is_broken = true;
        wr_amqp_die(amqp, 0, "a message's headers are nested too deep for rabbitmq-c to read on");
        return false;
    }
    amqp_frame_t frame = { .frame_type = 0 };
    struct timeval at_once = { 0 };
    int status = amqp_simple_wait_frame_noblock(amqp->connection, &frame, &at_once);
    amqp->is_drained = status == AMQP_STATUS_TIMEOUT;
    if (amqp->is_drained) {
        return false;
    }
    if (status != AMQP_STATUS_OK) {
        return read_failed(amqp, status, &frame, out);
    }
    amqp->has_heard = true;
    take(amqp, &frame, out);
    amqp_maybe_release_buffers_on_channel(amqp->connection, frame.channel);
    return !amqp->is_dead;
}

void wr_amqp_note_time(struct wr_amqp *amqp)
{
    amqp->read_us = wr_clock_mono_us(NULL);
    if (amqp->has_heard) {
        amqp->heard_us = amqp->read_us;
        amqp->has_heard = false;
    }
}

void wr_amqp_drain(struct wr_amqp *amqp)
{
    struct wr_event event;
    amqp->is_thorough = true;
    while (wr_amqp_read(amqp, &event)) {
        if (event.kind == WR_EVENT_NONE) {
            continue;
        }
        struct wr_amqp_event *waiting = malloc(sizeof *waiting);
        if (!waiting) {
            wr_delivery_free(event.delivery);
            wr_amqp_die(amqp, 0, "out of memory for an event");
            break;
        }
        waiting->event = event;
        wr_list_push(&amqp->events, &waiting->link);
    }
    amqp->is_thorough = false;
    wr_amqp_note_time(amqp);
}
