// SPDX-License-Identifier: MIT
// DESIGN: declaring. Items are sent with the protocol's nowait, so that a whole delay ladder is one
// write and one answer: the channel works in order, hence whatever is answered after them comes
// after them. channel.flow is that question, since it asks for nothing. The first mistake closes
// the channel; what was sent behind it is ignored by the broker, and what is declared here
// afterwards is not even sent, until sync has told.
#include "io/broker_amqp_state.h"

#include <stdio.h>

#include "base/error.h"

enum { ARGUMENTS_MOST = 10 };

struct arguments {
    amqp_table_entry_t entries[ARGUMENTS_MOST];
    int count;
};

static void add_string(struct arguments *arguments, const char *key, const char *value)
{
    amqp_table_entry_t *entry = &arguments->entries[arguments->count++];
    entry->key = wr_amqp_string(key);
    entry->value.kind = AMQP_FIELD_KIND_UTF8;
    entry->value.value.bytes = wr_amqp_string(value);
}

static void add_number(struct arguments *arguments, const char *key, int64_t value)
{
    amqp_table_entry_t *entry = &arguments->entries[arguments->count++];
    entry->key = wr_amqp_string(key);
    entry->value.kind = AMQP_FIELD_KIND_I64;
    entry->value.value.i64 = value;
}

static void add_queue_arguments(struct arguments *out, const struct wr_queue_arguments *from)
{
    static const char *const types[] = { "quorum", "classic", "stream" };
    add_string(out, "x-queue-type", types[from->type]);
    if (from->dead_exchange) {
        add_string(out, "x-dead-letter-exchange", from->dead_exchange);
    }
    if (from->dead_key) {
        add_string(out, "x-dead-letter-routing-key", from->dead_key);
    }
    if (from->ttl_ms) {
        add_number(out, "x-message-ttl", from->ttl_ms);
    }
    if (from->delivery_limit) {
        add_number(out, "x-delivery-limit", from->delivery_limit);
    }
    if (from->at_least_once) {
        add_string(out, "x-dead-letter-strategy", "at-least-once");
    }
    if (from->reject_publish) {
        add_string(out, "x-overflow", "reject-publish");
    }
    if (from->bytes_most) {
        add_number(out, "x-max-length-bytes", from->bytes_most);
    }
    if (from->segment_bytes) {
        add_number(out, "x-stream-max-segment-size-bytes", from->segment_bytes);
    }
}

static warren_status send_exchange(struct wr_amqp *amqp, uint16_t number,
                                   const struct wr_item *item, bool passive, warren_error *err)
{
    struct arguments arguments = { 0 };
    if (item->alternate) {
        add_string(&arguments, "alternate-exchange", item->alternate);
    }
    amqp_exchange_declare_t declare = {
        .exchange = wr_amqp_string(item->name),
        .type = wr_amqp_string(item->type),
        .passive = passive,
        .durable = 1,
        .nowait = 1,
        .arguments = { arguments.count, arguments.entries },
    };
    return wr_amqp_send(amqp, number, AMQP_EXCHANGE_DECLARE_METHOD, &declare, err);
}

static warren_status send_queue(struct wr_amqp *amqp, uint16_t number, const struct wr_item *item,
                                bool passive, warren_error *err)
{
    struct arguments arguments = { 0 };
    if (!item->is_temporary) {
        add_queue_arguments(&arguments, &item->arguments);
    }
    amqp_queue_declare_t declare = {
        .queue = wr_amqp_string(item->name),
        .passive = passive,
        .durable = !item->is_temporary,
        .exclusive = item->is_temporary,
        .auto_delete = item->is_temporary,
        .nowait = 1,
        .arguments = { arguments.count, arguments.entries },
    };
    return wr_amqp_send(amqp, number, AMQP_QUEUE_DECLARE_METHOD, &declare, err);
}

static warren_status send_bind(struct wr_amqp *amqp, uint16_t number, const struct wr_item *item,
                               warren_error *err)
{
    if (item->to_queue) {
        amqp_queue_bind_t bind = {
            .queue = wr_amqp_string(item->destination),
            .exchange = wr_amqp_string(item->name),
            .routing_key = wr_amqp_string(item->key),
            .nowait = 1,
        };
        return wr_amqp_send(amqp, number, AMQP_QUEUE_BIND_METHOD, &bind, err);
    }
    amqp_exchange_bind_t bind = {
        .destination = wr_amqp_string(item->destination),
        .source = wr_amqp_string(item->name),
        .routing_key = wr_amqp_string(item->key),
        .nowait = 1,
    };
    return wr_amqp_send(amqp, number, AMQP_EXCHANGE_BIND_METHOD, &bind, err);
}

/* queue.unbind knows no nowait: its answer arrives, is expected by no call and is dropped. */
static warren_status send_unbind(struct wr_amqp *amqp, uint16_t number, const struct wr_item *item,
                                 warren_error *err)
{
    if (item->to_queue) {
        amqp_queue_unbind_t unbind = {
            .queue = wr_amqp_string(item->destination),
            .exchange = wr_amqp_string(item->name),
            .routing_key = wr_amqp_string(item->key),
        };
        return wr_amqp_send(amqp, number, AMQP_QUEUE_UNBIND_METHOD, &unbind, err);
    }
    amqp_exchange_unbind_t unbind = {
        .destination = wr_amqp_string(item->destination),
        .source = wr_amqp_string(item->name),
        .routing_key = wr_amqp_string(item->key),
        .nowait = 1,
    };
    return wr_amqp_send(amqp, number, AMQP_EXCHANGE_UNBIND_METHOD, &unbind, err);
}

static bool fits(const char *name)
{
    return !name || strlen(name) <= 255;
}

static size_t size_of(const struct wr_item *item)
{
    size_t size = 512 + strlen(item->name);
    return size + (item->destination ? strlen(item->destination) : 0) +
           (item->key ? strlen(item->key) : 0);
}

/* One that isn't there is no mistake to RabbitMQ. */
static warren_status send_remove(struct wr_amqp *amqp, uint16_t number, const struct wr_item *item,
                                 bool only_idle, warren_error *err)
{
    if (item->kind == WR_ITEM_QUEUE) {
        amqp_queue_delete_t gone = { .queue = wr_amqp_string(item->name),
                                     .if_unused = only_idle,
                                     .if_empty = only_idle,
                                     .nowait = 1 };
        return wr_amqp_send(amqp, number, AMQP_QUEUE_DELETE_METHOD, &gone, err);
    }
    amqp_exchange_delete_t gone = { .exchange = wr_amqp_string(item->name), .nowait = 1 };
    return wr_amqp_send(amqp, number, AMQP_EXCHANGE_DELETE_METHOD, &gone, err);
}

warren_status wr_amqp_declare(struct wr_broker *broker, uint16_t number, const struct wr_item *item,
                              enum wr_declare how, warren_error *err)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    if (!fits(item->name) || !fits(item->destination) || !fits(item->key)) {
        return wr_fail(err, WARREN_INVALID, "a name or key is longer than 255 bytes");
    }
    warren_status status;
    struct wr_amqp_channel *channel = wr_amqp_channel_at(amqp, number, &status, err);
    if (!channel) {
        return status;
    }
    channel->has_unsynced = true;
    status = wr_amqp_make_room(amqp, size_of(item), err);
    bool is_binding = item->kind == WR_ITEM_BIND || item->kind == WR_ITEM_UNBIND;
    if (status || channel->has_failed || (how != WR_DECLARE && is_binding)) {
        return status;
    }
    if (how == WR_REMOVE || how == WR_REMOVE_IDLE) {
        return send_remove(amqp, number, item, how == WR_REMOVE_IDLE, err);
    }
    switch (item->kind) {
    case WR_ITEM_EXCHANGE:
        return send_exchange(amqp, number, item, how == WR_LOOK, err);
    case WR_ITEM_QUEUE:
        return send_queue(amqp, number, item, how == WR_LOOK, err);
    case WR_ITEM_BIND:
        return send_bind(amqp, number, item, err);
    default:
        return send_unbind(amqp, number, item, err);
    }
}

warren_status wr_amqp_depth(struct wr_broker *broker, uint16_t number, const char *queue,
                            struct wr_depth *out, warren_error *err)
{
    amqp_queue_declare_t look = { .queue = wr_amqp_string(queue), .passive = 1 };
    warren_status status = wr_amqp_ask_on(broker, number, AMQP_QUEUE_DECLARE_METHOD, &look, err);
    if (!status) {
        const struct wr_amqp_call *call = &wr_amqp_of(broker)->call;
        *out = (struct wr_depth){ call->messages, call->consumers };
    }
    return status;
}

warren_status wr_amqp_purge(struct wr_broker *broker, uint16_t number, const char *queue,
                            uint64_t *out_count, warren_error *err)
{
    amqp_queue_purge_t purge = { .queue = wr_amqp_string(queue) };
    warren_status status = wr_amqp_ask_on(broker, number, AMQP_QUEUE_PURGE_METHOD, &purge, err);
    if (!status && out_count) {
        *out_count = wr_amqp_of(broker)->call.messages;
    }
    return status;
}

warren_status wr_amqp_delete_queue(struct wr_broker *broker, uint16_t number, const char *queue,
                                   warren_error *err)
{
    amqp_queue_delete_t gone = { .queue = wr_amqp_string(queue) };
    return wr_amqp_ask_on(broker, number, AMQP_QUEUE_DELETE_METHOD, &gone, err);
}
