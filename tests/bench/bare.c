// SPDX-License-Identifier: MIT
// DESIGN: the fastest simple way to use rabbitmq-c: frames are taken with amqp_simple_wait_frame and
// never copied, where amqp_consume_message would copy four strings and the body of each delivery.
// All that is received stays in the connection's pools until the next call.
#include "bare.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "side.h"

enum { FRAME_BYTES = 131072 };

static void check(amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        side_give_up(what, amqp_error_string2(reply.library_error));
    }
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        side_give_up(what, "the broker refuses");
    }
}

static void check_status(int status, const char *what)
{
    if (status != AMQP_STATUS_OK) {
        side_give_up(what, amqp_error_string2(status));
    }
}

amqp_connection_state_t bare_open(int channels)
{
    struct amqp_connection_info where;
    const char *url = getenv("WARREN_AMQP_URL");
    char *copy = strdup(url ? url : "amqp://localhost");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = connection ? amqp_tcp_socket_new(connection) : NULL;
    if (!copy || !socket || amqp_parse_url(copy, &where) != AMQP_STATUS_OK) {
        side_give_up("cannot connect", "WARREN_AMQP_URL");
    }
    check_status(amqp_socket_open(socket, where.host, where.port), "connect");
    check(amqp_login(connection, where.vhost, 2047, FRAME_BYTES, 0, AMQP_SASL_METHOD_PLAIN,
                     where.user, where.password),
          "log in");
    free(copy);
    for (int i = 1; i <= channels; i++) {
        amqp_channel_open(connection, (amqp_channel_t)i);
        check(amqp_get_rpc_reply(connection), "open a channel");
    }
    return connection;
}

void bare_close(amqp_connection_state_t connection)
{
    (void)amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(connection);
}

void bare_qos(amqp_connection_state_t connection, amqp_channel_t channel, long prefetch)
{
    amqp_basic_qos(connection, channel, 0, (uint16_t)prefetch, 0);
    check(amqp_get_rpc_reply(connection), "set the prefetch");
}

void bare_consume(amqp_connection_state_t connection, amqp_channel_t channel, const char *queue)
{
    /* Without an answer, or the deliveries of one queue are piled up while the next one is asked for,
     * and rabbitmq-c walks that pile at every job. */
    amqp_basic_consume_t consume = { .queue = amqp_cstring_bytes(queue), .nowait = 1 };
    consume.consumer_tag = amqp_cstring_bytes("bare");
    check_status(amqp_send_method(connection, channel, AMQP_BASIC_CONSUME_METHOD, &consume),
                 "consume");
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool read_frame(amqp_connection_state_t connection, long patience_us, amqp_frame_t *frame)
{
    struct timeval time = { .tv_sec = patience_us / 1000000, .tv_usec = patience_us % 1000000 };
    int status = 0;
    if (patience_us < 0 || amqp_data_in_buffer(connection) || amqp_frames_enqueued(connection)) {
        status = amqp_simple_wait_frame(connection, frame);
    } else {
        status = amqp_simple_wait_frame_noblock(connection, frame, &time);
    }
    if (status == AMQP_STATUS_TIMEOUT) {
        return false;
    }
    check_status(status, "read");
    return true;
}

static bool was_dead(const amqp_basic_properties_t *properties)
{
    bool has_headers = properties->_flags & AMQP_BASIC_HEADERS_FLAG;
    for (int i = 0; has_headers && i < properties->headers.num_entries; i++) {
        amqp_bytes_t name = properties->headers.entries[i].key;
        if (name.len == 7 && memcmp(name.bytes, "x-death", 7) == 0) {
            return true;
        }
    }
    return false;
}

static void read_content(amqp_connection_state_t connection, struct bare_event *out)
{
    amqp_frame_t frame;
    (void)read_frame(connection, BARE_PATIENT, &frame);
    if (frame.frame_type != AMQP_FRAME_HEADER) {
        side_give_up("read", "no header behind a delivery");
    }
    out->was_dead = was_dead(frame.payload.properties.decoded);
    uint64_t size = frame.payload.properties.body_size;
    (void)read_frame(connection, BARE_PATIENT, &frame);
    if (frame.frame_type != AMQP_FRAME_BODY || frame.payload.body_fragment.len != size) {
        side_give_up("read", "a body that is not one frame");
    }
    out->body = frame.payload.body_fragment;
}

void bare_next(amqp_connection_state_t connection, long patience_us, struct bare_event *out)
{
    amqp_frame_t frame;
    if (out->channel) {
        amqp_maybe_release_buffers_on_channel(connection, out->channel);
    }
    out->kind = BARE_NOTHING;
    if (!read_frame(connection, patience_us, &frame)) {
        return;
    }
    amqp_method_number_t id = frame.frame_type == AMQP_FRAME_METHOD ? frame.payload.method.id : 0;
    out->channel = frame.channel;
    if (id == AMQP_BASIC_DELIVER_METHOD) {
        const amqp_basic_deliver_t *deliver = frame.payload.method.decoded;
        out->kind = BARE_DELIVERY;
        out->tag = deliver->delivery_tag;
        read_content(connection, out);
    } else if (id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = frame.payload.method.decoded;
        out->kind = BARE_CONFIRM;
        out->tag = ack->delivery_tag;
        out->is_multiple = ack->multiple;
    } else {
        side_give_up("read", id ? amqp_method_name(id) : "a frame that nobody expects");
    }
}

/* --- writing -------------------------------------------------------------------------------------- */

void bare_publish(amqp_connection_state_t connection, amqp_channel_t channel, const char *exchange,
                  const char *key, const amqp_basic_properties_t *properties, const void *body)
{
    static const amqp_basic_properties_t plain = { ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                                   .delivery_mode = 2 };
    amqp_bytes_t bytes = { SIDE_BODY_BYTES, (void *)(uintptr_t)body };
    check_status(amqp_basic_publish(connection, channel, amqp_cstring_bytes(exchange),
                                    amqp_cstring_bytes(key), 1, 0, properties ? properties : &plain,
                                    bytes),
                 "publish");
}

void bare_confirm(amqp_connection_state_t connection, amqp_channel_t channel)
{
    amqp_confirm_select(connection, channel);
    check(amqp_get_rpc_reply(connection), "ask for confirms");
}

void bare_sync(amqp_connection_state_t connection)
{
    check(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
}

void bare_ack(amqp_connection_state_t connection, amqp_channel_t channel, uint64_t tag,
              bool is_multiple)
{
    check_status(amqp_basic_ack(connection, channel, tag, is_multiple), "acknowledge");
}
