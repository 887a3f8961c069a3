// SPDX-License-Identifier: MIT
// DESIGN: RabbitMQ compares a declaration with what exists argument by argument and names the first
// that differs. People (and Warren's own explanation of a mismatch) read that sentence, so it is
// written here in the same words.
#include "io/memory_declare.h"

#include <inttypes.h>
#include <stdio.h>

#define VHOST "in vhost '/'"

/* An argument as the sentence shows it. */
struct shown {
    char text[300];
};

static struct shown show_string(const char *value)
{
    struct shown shown = { "none" };
    if (value) {
        (void)snprintf(shown.text, sizeof shown.text, "the value '%s' of type 'longstr'", value);
    }
    return shown;
}

static struct shown show_int(int64_t value)
{
    struct shown shown = { "none" };
    if (value) {
        (void)snprintf(shown.text, sizeof shown.text, "the value '%" PRId64 "' of type 'long'",
                       value);
    }
    return shown;
}

/* Who is compared, and where the difference goes. */
struct comparison {
    const char *kind; /* "queue" */
    const char *name;
    struct wr_memory_refusal *out;
};

static bool differ(const struct comparison *comparison, const char *argument, const char *received,
                   const char *current)
{
    return wr_memory_refuse(comparison->out, 406,
                            "PRECONDITION_FAILED - inequivalent arg '%s' for %s '%s' " VHOST
                            ": received %s but current is %s",
                            argument, comparison->kind, comparison->name, received, current);
}

/* Both there: only the values are shown, in quotes; else what is there, with its type. */
static bool same_string(const struct comparison *comparison, const char *argument,
                        const char *received, const char *current)
{
    if (received == current || (received && current && strcmp(received, current) == 0)) {
        return true;
    }
    if (received && current) {
        char texts[2][300];
        (void)snprintf(texts[0], sizeof texts[0], "'%s'", received);
        (void)snprintf(texts[1], sizeof texts[1], "'%s'", current);
        return differ(comparison, argument, texts[0], texts[1]);
    }
    struct shown got = show_string(received);
    struct shown has = show_string(current);
    return differ(comparison, argument, got.text, has.text);
}

static bool same_int(const struct comparison *comparison, const char *argument, int64_t received,
                     int64_t current)
{
    if (received == current) {
        return true;
    }
    if (received && current) {
        char texts[2][32];
        (void)snprintf(texts[0], sizeof texts[0], "'%" PRId64 "'", received);
        (void)snprintf(texts[1], sizeof texts[1], "'%" PRId64 "'", current);
        return differ(comparison, argument, texts[0], texts[1]);
    }
    struct shown got = show_int(received);
    struct shown has = show_int(current);
    return differ(comparison, argument, got.text, has.text);
}

static const char *type_of(const struct wr_queue_arguments *arguments)
{
    static const char *const names[] = { "quorum", "classic", "stream" };
    return names[arguments->type];
}

static bool same_queue(const struct wr_memory_queue *queue, const struct wr_queue_arguments *want,
                       struct wr_memory_refusal *out)
{
    struct comparison queue_is = { "queue", queue->name, out };
    const struct wr_queue_arguments *has = &queue->arguments;
    return same_string(&queue_is, "x-queue-type", type_of(want), type_of(has)) &&
           same_string(&queue_is, "x-dead-letter-exchange", want->dead_exchange,
                       has->dead_exchange) &&
           same_string(&queue_is, "x-dead-letter-routing-key", want->dead_key, has->dead_key) &&
           same_string(&queue_is, "x-dead-letter-strategy",
                       want->at_least_once ? "at-least-once" : NULL,
                       has->at_least_once ? "at-least-once" : NULL) &&
           same_string(&queue_is, "x-overflow", want->reject_publish ? "reject-publish" : NULL,
                       has->reject_publish ? "reject-publish" : NULL) &&
           same_int(&queue_is, "x-message-ttl", want->ttl_ms, has->ttl_ms) &&
           same_int(&queue_is, "x-max-length-bytes", want->bytes_most, has->bytes_most) &&
           same_int(&queue_is, "x-stream-max-segment-size-bytes", want->segment_bytes,
                    has->segment_bytes) &&
           same_int(&queue_is, "x-delivery-limit", want->delivery_limit, has->delivery_limit);
}

static bool no_memory(struct wr_memory_refusal *out)
{
    return wr_memory_refuse(out, 541, "INTERNAL_ERROR - no memory");
}

static bool is_reserved(const char *name)
{
    return strncmp(name, "amq.", 4) == 0;
}

static bool declare_queue(struct wr_memory *server, const struct wr_item *item, enum wr_declare how,
                          struct wr_memory_refusal *out)
{
    struct wr_memory_queue *queue =
        wr_memory_routes_queue(&server->routes, wr_slice_of(item->name));
    if (queue) {
        return how == WR_LOOK || same_queue(queue, &item->arguments, out);
    }
    if (how == WR_LOOK) {
        return wr_memory_refuse(out, 404, "NOT_FOUND - no queue '%s' " VHOST, item->name);
    }
    if (is_reserved(item->name)) {
        return wr_memory_refuse(out, 403,
                                "ACCESS_REFUSED - queue name '%s' contains reserved prefix 'amq.*'",
                                item->name);
    }
    queue = wr_memory_queue_new(item->name, &item->arguments);
    if (queue && wr_memory_routes_add_queue(&server->routes, queue)) {
        return true;
    }
    wr_memory_queue_free(queue);
    return no_memory(out);
}

static bool declare_exchange(struct wr_memory *server, const struct wr_item *item,
                             enum wr_declare how, struct wr_memory_refusal *out)
{
    struct wr_memory_exchange *exchange =
        wr_memory_routes_exchange(&server->routes, wr_slice_of(item->name));
    struct comparison exchange_is = { "exchange", item->name, out };
    if (how == WR_LOOK) {
        return exchange ||
               wr_memory_refuse(out, 404, "NOT_FOUND - no exchange '%s' " VHOST, item->name);
    }
    if (exchange) {
        return same_string(&exchange_is, "type", item->type, wr_memory_exchange_type(exchange)) &&
               same_string(&exchange_is, "alternate-exchange", item->alternate,
                           exchange->alternate);
    }
    if (is_reserved(item->name) || !*item->name) {
        return wr_memory_refuse(
            out, 403, "ACCESS_REFUSED - exchange name '%s' contains reserved prefix 'amq.*'",
            item->name);
    }
    return wr_memory_routes_add_exchange(&server->routes, item->name, item->type,
                                         item->alternate) ||
           wr_memory_refuse(out, 503, "COMMAND_INVALID - unknown exchange type '%s'", item->type);
}

static bool bind(struct wr_memory *server, const struct wr_item *item,
                 struct wr_memory_refusal *out)
{
    struct wr_memory_routes *routes = &server->routes;
    struct wr_memory_exchange *source = wr_memory_routes_exchange(routes, wr_slice_of(item->name));
    struct wr_slice name = wr_slice_of(item->destination);
    struct wr_memory_queue *queue = item->to_queue ? wr_memory_routes_queue(routes, name) : NULL;
    struct wr_memory_exchange *exchange =
        item->to_queue ? NULL : wr_memory_routes_exchange(routes, name);
    bool is_bind = item->kind == WR_ITEM_BIND;
    if (!*item->name) {
        return wr_memory_refuse(out, 403,
                                "ACCESS_REFUSED - operation not permitted on the default exchange");
    }
    if (!source || (!queue && !exchange)) {
        /* Taking away what is not there is no error. */
        return !is_bind || wr_memory_refuse(out, 404, "NOT_FOUND - no %s '%s' " VHOST,
                                            source && item->to_queue ? "queue" : "exchange",
                                            source ? item->destination : item->name);
    }
    const char *key = item->key ? item->key : "";
    if (is_bind) {
        return wr_memory_routes_bind(source, key, queue, exchange) || no_memory(out);
    }
    wr_memory_routes_unbind(source, key, queue, exchange);
    return true;
}

bool wr_memory_declare(struct wr_memory *server, const struct wr_item *item, enum wr_declare how,
                       struct wr_memory_refusal *out)
{
    switch (item->kind) {
    case WR_ITEM_QUEUE:
        return declare_queue(server, item, how, out);
    case WR_ITEM_EXCHANGE:
        return declare_exchange(server, item, how, out);
    default:
        return how == WR_LOOK || bind(server, item, out);
    }
}
