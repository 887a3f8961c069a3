// SPDX-License-Identifier: MIT
// DESIGN: publishing. rabbitmq-c takes properties as a struct and headers as its own tree, so the
// headers' bytes are turned into that tree in a pool which is recycled for each message: after the
// first few messages nothing is allocated. Small messages are gathered (broker_amqp_gather.c), or with
// TLS go through amqp_basic_publish; larger ones frame by frame, so that the socket can be asked between
// two of them.
#include "io/broker_amqp_state.h"

#include "base/error.h"

/* Of a frame; of a header frame (frame, class and size, flags, table length, numbers); of a method
 * frame (frame, method, ticket, two short strings, flags); of a publish without its headers and body,
 * about. */
enum {
    FRAME_OVERHEAD = 8,
    HEADER_OVERHEAD = 8 + 12 + 2 + 4 + 10,
    METHOD_MOST = 8 + 4 + 2 + 2 * 256 + 1,
    MESSAGE_OVERHEAD = 256
};

static void fill_properties(const struct wr_message *message, amqp_basic_properties_t *out)
{
    out->_flags = message->present & 0xFFFC;
    out->content_type = wr_amqp_bytes(message->content_type);
    out->content_encoding = wr_amqp_bytes(message->content_encoding);
    out->delivery_mode = message->delivery_mode;
    out->priority = message->priority;
    out->correlation_id = wr_amqp_bytes(message->correlation_id);
    out->reply_to = wr_amqp_bytes(message->reply_to);
    out->expiration = wr_amqp_bytes(message->expiration);
    out->message_id = wr_amqp_bytes(message->message_id);
    out->timestamp = message->timestamp;
    out->type = wr_amqp_bytes(message->type);
    out->user_id = wr_amqp_bytes(message->user_id);
    out->app_id = wr_amqp_bytes(message->app_id);
    out->cluster_id = wr_amqp_bytes(message->cluster_id);
}

/* Exchange, key and all string properties travel as short strings; properties and headers together
 * in one frame. Says how many bytes the message takes at most. */
static warren_status check_lengths(const struct wr_message *message, size_t frame_most,
                                   size_t *out_bytes, warren_error *err)
{
    size_t size = HEADER_OVERHEAD + (message->present & WR_HEADERS ? message->headers.size : 0);
    const struct {
        const char *name;
        struct wr_slice value;
        unsigned bit; /* 0: always sent */
    } shorts[] = {
        { "exchange", message->exchange, 0 },
        { "routing key", message->key, 0 },
        { "content_type", message->content_type, WR_CONTENT_TYPE },
        { "content_encoding", message->content_encoding, WR_CONTENT_ENCODING },
        { "correlation_id", message->correlation_id, WR_CORRELATION_ID },
        { "reply_to", message->reply_to, WR_REPLY_TO },
        { "expiration", message->expiration, WR_EXPIRATION },
        { "message_id", message->message_id, WR_MESSAGE_ID },
        { "type", message->type, WR_TYPE },
        { "user_id", message->user_id, WR_USER_ID },
        { "app_id", message->app_id, WR_APP_ID },
        { "cluster_id", message->cluster_id, WR_CLUSTER_ID },
    };
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
        bool is_sent = !shorts[i].bit || (message->present & shorts[i].bit);
        if (is_sent && shorts[i].value.size > 255) {
            return wr_fail(err, WARREN_INVALID, "%s has %zu bytes, AMQP allows 255", shorts[i].name,
                           shorts[i].value.size);
        }
        size += is_sent && shorts[i].bit ? 1 + shorts[i].value.size : 0;
    }
    if (size > frame_most) {
        return wr_fail(err, WARREN_INVALID,
                       "properties and headers need %zu bytes, this broker's frames hold %zu", size,
                       frame_most);
    }
    size_t frames = message->body.size / (frame_most - FRAME_OVERHEAD) + 1;
    *out_bytes = size + METHOD_MOST + message->body.size + frames * FRAME_OVERHEAD;
    return WARREN_OK;
}

/* A library's status as ours; whatever went out only half leaves the connection unusable. */
static warren_status sent(struct wr_amqp *amqp, int status, warren_error *err)
{
    if (status == AMQP_STATUS_OK) {
        return WARREN_OK;
    }
    amqp->is_broken = true;
    wr_amqp_drain(amqp); /* the broker's own words may lie in the socket still */
    wr_amqp_die_of(amqp, status);
    return wr_fail(err, WARREN_CLOSED, "the connection to the broker is gone: %s", amqp->dead_text);
}

static warren_status send_frame(struct wr_amqp *amqp, const amqp_frame_t *frame, size_t size,
                                warren_error *err)
{
    warren_status status = wr_amqp_make_room(amqp, size, err);
    if (status == WARREN_TIMEOUT) { /* in the middle of a message there is no way back */
        amqp->is_broken = true;
        wr_amqp_die(amqp, 0, "the broker stopped taking a message in the middle of it");
        return WARREN_CLOSED;
    }
    return status ? status : sent(amqp, amqp_send_frame(amqp->connection, frame), err);
}

/* The frames of one message, each when the socket takes it. */
static warren_status send_large(struct wr_amqp *amqp, uint16_t number,
                                const struct wr_message *message,
                                amqp_basic_properties_t *properties, warren_error *err)
{
    amqp_basic_publish_t publish = {
        .exchange = wr_amqp_bytes(message->exchange),
        .routing_key = wr_amqp_bytes(message->key),
        .mandatory = 1,
    };
    warren_status status = wr_amqp_send(amqp, number, AMQP_BASIC_PUBLISH_METHOD, &publish, err);
    amqp_frame_t frame = { .frame_type = AMQP_FRAME_HEADER, .channel = number };
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.body_size = message->body.size;
    frame.payload.properties.decoded = properties;
    status = status ? status : send_frame(amqp, &frame, MESSAGE_OVERHEAD, err);
    size_t most = (size_t)amqp_get_frame_max(amqp->connection) - FRAME_OVERHEAD;
    frame.frame_type = AMQP_FRAME_BODY;
    for (size_t at = 0; !status && at < message->body.size; at += most) {
        size_t left = message->body.size - at;
        struct wr_slice part = { message->body.data + at, left < most ? left : most };
        frame.payload.body_fragment = wr_amqp_bytes(part);
        status = send_frame(amqp, &frame, part.size, err);
    }
    return status;
}

static warren_status check_state(struct wr_amqp *amqp, uint16_t number, warren_error *err)
{
    warren_status status;
    const struct wr_amqp_channel *channel = wr_amqp_channel_at(amqp, number, &status, err);
    if (!channel || channel->has_failed) {
        return status;
    }
    if (amqp->is_blocked) {
        return wr_fail(err, WARREN_AGAIN, "the broker takes no publishes now (an alarm)");
    }
    if (amqp->events.length >= WR_EVENTS_MOST) {
        return wr_fail(err, WARREN_AGAIN, "%d events wait to be taken first", WR_EVENTS_MOST);
    }
    return WARREN_OK;
}

static warren_status make_way(struct wr_amqp *amqp, uint16_t number, size_t bytes, bool is_gathered,
                              warren_error *err)
{
    if (is_gathered) {
        return wr_amqp_make_place(amqp, number, bytes, err);
    }
    warren_status status = wr_amqp_flush(amqp, err);
    amqp->is_roomy = false; /* what follows is written without asking again */
    return status ? status : wr_amqp_make_room(amqp, bytes, err);
}

warren_status wr_amqp_publish(struct wr_broker *broker, uint16_t number,
                              const struct wr_message *message, warren_error *err)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    warren_status status = check_state(amqp, number, err);
    size_t frame_most = status ? 0 : (size_t)amqp_get_frame_max(amqp->connection);
    size_t bytes = 0;
    status = status ? status : check_lengths(message, frame_most, &bytes, err);
    bool is_gathered = !amqp->is_tls && bytes <= WR_GATHER_BYTES;
    status = status ? status : make_way(amqp, number, bytes, is_gathered, err);
    status = status ? status : check_state(amqp, number, err); /* something may have come in */
    if (status || amqp->channels[number]->has_failed) {
        return status; /* on a failed channel it is as if it had crossed the broker's close */
    }
    amqp_basic_properties_t properties;
    fill_properties(message, &properties);
    recycle_amqp_pool(&amqp->pool);
    if (message->present & WR_HEADERS) {
        status = wr_amqp_table(message->headers, &amqp->pool, &properties.headers, err);
    }
    if (status) {
        return status;
    }
    if (is_gathered) {
        return wr_amqp_gather(amqp, number, message, &properties, err);
    }
    if (message->body.size > frame_most / 2) {
        return send_large(amqp, number, message, &properties, err);
    }
    return sent(amqp,
                amqp_basic_publish(amqp->connection, number, wr_amqp_bytes(message->exchange),
                                   wr_amqp_bytes(message->key), 1, 0, &properties,
                                   wr_amqp_bytes(message->body)),
                err);
}
