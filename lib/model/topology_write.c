// SPDX-License-Identifier: MIT
// DESIGN: a topology's items as people and programs read them. One sentence or one JSON object an
// item; nothing here decides anything.
#include <inttypes.h>

#include "model/topology.h"

static const char *type_name(enum wr_queue_type type)
{
    static const char *const names[] = { "quorum", "classic", "stream" };
    return names[type];
}

static void write_queue(const struct wr_item *item, struct wr_text *out)
{
    const struct wr_queue_arguments *arguments = &item->arguments;
    wr_text_add_format(out, "queue %s (%s", item->name, type_name(arguments->type));
    if (arguments->ttl_ms) {
        char ttl[32];
        wr_text_add_format(out, ", holds %s",
                           wr_duration_write(ttl, sizeof ttl, arguments->ttl_ms));
    }
    if (arguments->dead_exchange) {
        wr_text_add_format(out, ", %s to %s", arguments->ttl_ms ? "then" : "dead letters",
                           arguments->dead_exchange);
    }
    if (arguments->dead_key) {
        wr_text_add_format(out, " as %s", arguments->dead_key);
    }
    if (arguments->at_least_once) {
        wr_text_add_string(out, ", at least once");
    }
    if (arguments->delivery_limit) {
        wr_text_add_format(out, ", delivery limit %" PRId64, arguments->delivery_limit);
    }
    if (arguments->bytes_most) {
        wr_text_add_format(out, ", at most %" PRId64 " bytes", arguments->bytes_most);
    }
    wr_text_add_string(out, ")");
}

static void write_binding(const struct wr_item *item, struct wr_text *out)
{
    const char *kind = item->to_queue ? "queue" : "exchange";
    bool is_bind = item->kind == WR_ITEM_BIND;
    wr_text_add_format(out, "%s %s %s %s %s", is_bind ? "bind" : "unbind", kind, item->destination,
                       is_bind ? "to" : "from", item->name);
    if (item->key && item->key[0]) {
        wr_text_add_format(out, " with %s", item->key);
    }
}

void wr_item_write(const struct wr_item *item, struct wr_text *out)
{
    switch (item->kind) {
    case WR_ITEM_EXCHANGE:
        wr_text_add_format(out, "exchange %s (%s", item->name, item->type);
        if (item->alternate) {
            wr_text_add_format(out, ", unroutable to %s", item->alternate);
        }
        wr_text_add_string(out, item->is_foreign ? ", named by the config)" : ")");
        break;
    case WR_ITEM_QUEUE:
        write_queue(item, out);
        break;
    case WR_ITEM_BIND:
    case WR_ITEM_UNBIND:
        write_binding(item, out);
        break;
    }
}

/* --- JSON --- */

static void add_string(struct wr_text *out, const char *name, const char *value)
{
    if (value) {
        wr_text_add_format(out, ", \"%s\": \"", name);
        wr_text_add_json(out, wr_slice_of(value));
        wr_text_add_string(out, "\"");
    }
}

static void add_number(struct wr_text *out, const char *name, int64_t value)
{
    if (value) {
        wr_text_add_format(out, ", \"%s\": %" PRId64, name, value);
    }
}

static void add_queue_arguments(const struct wr_queue_arguments *arguments, struct wr_text *out)
{
    wr_text_add_format(out, ", \"arguments\": {\"x-queue-type\": \"%s\"",
                       type_name(arguments->type));
    add_string(out, "x-dead-letter-exchange", arguments->dead_exchange);
    add_string(out, "x-dead-letter-routing-key", arguments->dead_key);
    add_string(out, "x-dead-letter-strategy", arguments->at_least_once ? "at-least-once" : NULL);
    add_string(out, "x-overflow", arguments->reject_publish ? "reject-publish" : NULL);
    add_number(out, "x-message-ttl", arguments->ttl_ms);
    add_number(out, "x-delivery-limit", arguments->delivery_limit);
    add_number(out, "x-max-length-bytes", arguments->bytes_most);
    add_number(out, "x-stream-max-segment-size-bytes", arguments->segment_bytes);
    wr_text_add_string(out, "}");
}

void wr_item_write_json(const struct wr_item *item, struct wr_text *out)
{
    static const char *const kinds[] = { "exchange", "queue", "bind", "unbind" };
    wr_text_add_format(out, "{\"kind\": \"%s\"", kinds[item->kind]);
    if (item->kind == WR_ITEM_EXCHANGE || item->kind == WR_ITEM_QUEUE) {
        add_string(out, "name", item->name);
        wr_text_add_string(out, ", \"durable\": true");
    } else {
        add_string(out, "source", item->name);
        add_string(out, "destination", item->destination);
        add_string(out, "destination_type", item->to_queue ? "queue" : "exchange");
        add_string(out, "routing_key", item->key);
    }
    if (item->kind == WR_ITEM_QUEUE) {
        add_queue_arguments(&item->arguments, out);
    } else if (item->kind == WR_ITEM_EXCHANGE) {
        add_string(out, "type", item->type);
        wr_text_add_string(out, ", \"arguments\": {");
        if (item->alternate) {
            wr_text_add_string(out, "\"alternate-exchange\": \"");
            wr_text_add_json(out, wr_slice_of(item->alternate));
            wr_text_add_string(out, "\"");
        }
        wr_text_add_string(out, "}");
    }
    wr_text_add_string(out, "}");
}
