// SPDX-License-Identifier: MIT
// DESIGN: io/broker.h's connection, used by hand. One message at a time, each confirmed before the
// next, since what a row sends are some dozens of odd ones. Tables nested beyond what that connection
// is willing to write go through rabbitmq-c itself.
#include "sender.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "field_inside.h"
#include "io/broker.h"
#include "io/broker_amqp_compat.h"
#include "live.h"

enum { CHANNEL = 1, ANSWER_MS = 60000, ID_BYTES = 64 };

static struct {
    struct wr_broker *broker;
    struct wr_broker_settings settings;
    int count;
} sender;

void sender_open(struct field *field)
{
    warren_error err = { .status = WARREN_OK };
    field_need_broker(field);
    sender.settings = (struct wr_broker_settings){ .url = (char *)(uintptr_t)live_url(),
                                                   .heartbeat_ms = 60000,
                                                   .connect_timeout_ms = 5000,
                                                   .rpc_timeout_ms = 30000,
                                                   .tls = { .verify = true } };
    struct wr_broker_options options = { .settings = &sender.settings, .name = "sender" };
    if (wr_broker_open(&sender.broker, &options, &err) ||
        wr_broker_channel_open(sender.broker, CHANNEL, true, &err)) {
        field_give_up("the sender cannot connect", err.text);
    }
}

void sender_close(void)
{
    wr_broker_close(sender.broker);
    sender.broker = NULL;
}

size_t sender_body_most(void)
{
    return (size_t)(wr_broker_server(sender.broker)->major < 4 ? 128 : 16) << 20;
}

void sender_id(const struct field *field, int n, char *out, size_t size)
{
    (void)snprintf(out, size, "%" PRIx64 "-x%d", field->seed, n);
}

/* The next event of the connection, which stands still while nothing comes. */
static struct wr_event next_event(void)
{
    struct wr_event event = { .kind = WR_EVENT_NONE };
    int64_t until_us = field_now_us() + ANSWER_MS * INT64_C(1000);
    while (event.kind == WR_EVENT_NONE && field_now_us() < until_us) {
        struct pollfd polled = { .fd = wr_broker_fd(sender.broker), .events = POLLIN };
        if (!wr_broker_has_more(sender.broker)) {
            (void)poll(&polled, 1, 100);
        }
        wr_broker_next(sender.broker, &event);
    }
    return event;
}

static void wait_for_confirm(void)
{
    struct wr_event event = next_event();
    if (event.kind != WR_EVENT_ACKED) {
        char text[300];
        (void)snprintf(text, sizeof text, "event %d: %s", event.kind, event.text);
        field_give_up("the broker did not confirm", text);
    }
}

static void note_asked(struct field *field, const char *id)
{
    char line[2 * ID_BYTES];
    (void)snprintf(line, sizeof line, "A %s work %lld 0", id, (long long)field_now_us());
    book_line(field->book, line);
}

static void note_confirmed(struct field *field, const char *id)
{
    char line[2 * ID_BYTES];
    (void)snprintf(line, sizeof line, "C %s %lld", id, (long long)field_now_us());
    book_line(field->book, line);
}

int sender_send(struct field *field, struct wr_message message, bool is_in_book)
{
    warren_error err = { .status = WARREN_OK };
    char id[ID_BYTES];
    sender_id(field, sender.count, id, sizeof id);
    message.exchange = message.exchange.data ? message.exchange : wr_slice_of("warren.jobs");
    message.key = message.key.data ? message.key : wr_slice_of("work");
    message.present |= WR_DELIVERY_MODE;
    message.delivery_mode = 2;
    if (is_in_book) {
        message.present |= WR_MESSAGE_ID;
        message.message_id = wr_slice_of(id);
        note_asked(field, id);
    }
    if (wr_broker_publish(sender.broker, CHANNEL, &message, &err)) {
        field_give_up("the sender cannot publish", err.text);
    }
    wait_for_confirm();
    if (is_in_book) {
        note_confirmed(field, id);
    }
    return is_in_book ? sender.count++ : -1;
}

/* --- by rabbitmq-c -------------------------------------------------------------------------------- */

static amqp_connection_state_t connect_plainly(void)
{
    struct amqp_connection_info info;
    amqp_connection_state_t state = amqp_new_connection();
    char *url = strdup(live_url());
    if (!url || !state || amqp_parse_url(url, &info) ||
        amqp_socket_open(amqp_tcp_socket_new(state), info.host, info.port)) {
        field_give_up("rabbitmq-c cannot connect", live_vhost());
    }
    amqp_rpc_reply_t reply = amqp_login(state, live_vhost(), 0, AMQP_DEFAULT_FRAME_SIZE, 0,
                                        AMQP_SASL_METHOD_PLAIN, info.user, info.password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL || !amqp_channel_open(state, CHANNEL)) {
        field_give_up("rabbitmq-c cannot log in", live_vhost());
    }
    free(url);
    return state;
}

/* Closing the connection waits until the broker has read everything, so it counts as a confirm. */
static void publish_plainly(const amqp_basic_properties_t *properties)
{
    amqp_connection_state_t state = connect_plainly();
    int rc = amqp_basic_publish(state, CHANNEL, amqp_cstring_bytes("warren.jobs"),
                                amqp_cstring_bytes("work"), 0, 0, properties,
                                amqp_cstring_bytes("deep"));
    amqp_rpc_reply_t reply = amqp_connection_close(state, AMQP_REPLY_SUCCESS);
    if (rc || reply.reply_type != AMQP_RESPONSE_NORMAL) {
        field_give_up("rabbitmq-c cannot publish", amqp_error_string2(rc));
    }
    (void)amqp_destroy_connection(state);
}

void sender_send_nested(struct field *field, int depth)
{
    char id[ID_BYTES];
    amqp_table_entry_t *entries = calloc((size_t)depth, sizeof *entries);
    if (!entries) {
        field_give_up("out of memory", "nested tables");
    }
    for (int i = 0; i < depth; i++) {
        bool is_last = i + 1 == depth;
        entries[i].key = amqp_empty_bytes;
        entries[i].value.kind = is_last ? AMQP_FIELD_KIND_VOID : AMQP_FIELD_KIND_TABLE;
        if (!is_last) {
            entries[i].value.value.table = (amqp_table_t){ 1, &entries[i + 1] };
        }
    }
    sender_id(field, sender.count++, id, sizeof id);
    amqp_basic_properties_t properties = { ._flags = AMQP_BASIC_HEADERS_FLAG |
                                                     AMQP_BASIC_DELIVERY_MODE_FLAG |
                                                     AMQP_BASIC_MESSAGE_ID_FLAG,
                                           .delivery_mode = 2,
                                           .message_id = amqp_cstring_bytes(id),
                                           .headers = { 1, entries } };
    note_asked(field, id);
    publish_plainly(&properties);
    note_confirmed(field, id);
    free(entries);
}

bool sender_reads_deep(void)
{
    return amqp_version_number() < AMQP_VERSION_CODE(0, 14, 0, 0);
}
