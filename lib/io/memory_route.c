// SPDX-License-Identifier: MIT
// DESIGN: bindings are lists, and a routing walks them. An exchange is passed at most once in a
// routing and a queue reached at most once: both carry the stamp of the last routing that met them,
// so loops between exchanges end and no set has to be kept. An exchange whose bindings match
// nothing hands the message to its alternate exchange, also in the middle of the way.
#include "io/memory_route.h"

#include <stdlib.h>

#include "base/error.h"

static const char *const TYPES[] = {
    [WR_MEMORY_DIRECT] = "direct", [WR_MEMORY_FANOUT] = "fanout", [WR_MEMORY_TOPIC] = "topic"
};

const char *wr_memory_exchange_type(const struct wr_memory_exchange *exchange)
{
    return TYPES[exchange->kind];
}

warren_status wr_memory_routes_init(struct wr_memory_routes *routes, warren_error *err)
{
    *routes = (struct wr_memory_routes){ 0 };
    if (!wr_memory_routes_add_exchange(routes, "amq.direct", "direct", NULL) ||
        !wr_memory_routes_add_exchange(routes, "amq.fanout", "fanout", NULL) ||
        !wr_memory_routes_add_exchange(routes, "amq.topic", "topic", NULL)) {
        wr_memory_routes_done(routes);
        return wr_no_memory(err);
    }
    return WARREN_OK;
}

static void free_binding(struct wr_memory_binding *binding)
{
    free(binding->key);
    free(binding);
}

static void free_exchange(struct wr_memory_exchange *exchange)
{
    while (exchange->bindings) {
        struct wr_memory_binding *binding = exchange->bindings;
        exchange->bindings = binding->next;
        free_binding(binding);
    }
    free(exchange->name);
    free(exchange->alternate);
    free(exchange);
}

void wr_memory_routes_done(struct wr_memory_routes *routes)
{
    while (routes->exchanges) {
        struct wr_memory_exchange *exchange = routes->exchanges;
        routes->exchanges = exchange->next;
        free_exchange(exchange);
    }
    while (routes->queues) {
        struct wr_memory_queue *queue = routes->queues;
        routes->queues = queue->next;
        wr_memory_queue_free(queue);
    }
    free(routes->targets);
    *routes = (struct wr_memory_routes){ 0 };
}

struct wr_memory_exchange *wr_memory_routes_exchange(const struct wr_memory_routes *routes,
                                                     struct wr_slice name)
{
    struct wr_memory_exchange *at = routes->exchanges;
    while (at && !wr_slice_is(name, at->name)) {
        at = at->next;
    }
    return at;
}

struct wr_memory_queue *wr_memory_routes_queue(const struct wr_memory_routes *routes,
                                               struct wr_slice name)
{
    struct wr_memory_queue *at = routes->queues;
    while (at && !wr_slice_is(name, at->name)) {
        at = at->next;
    }
    return at;
}

struct wr_memory_exchange *wr_memory_routes_add_exchange(struct wr_memory_routes *routes,
                                                         const char *name, const char *type,
                                                         const char *alternate)
{
    size_t kind = 0;
    while (kind < sizeof TYPES / sizeof *TYPES && strcmp(TYPES[kind], type) != 0) {
        kind++;
    }
    struct wr_memory_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange || kind == sizeof TYPES / sizeof *TYPES) {
        free(exchange);
        return NULL;
    }
    exchange->kind = (enum wr_memory_exchange_kind)kind;
    exchange->name = strdup(name);
    exchange->alternate = alternate ? strdup(alternate) : NULL;
    if (!exchange->name || (alternate && !exchange->alternate)) {
        free_exchange(exchange);
        return NULL;
    }
    exchange->next = routes->exchanges;
    routes->exchanges = exchange;
    return exchange;
}

bool wr_memory_routes_add_queue(struct wr_memory_routes *routes, struct wr_memory_queue *queue)
{
    size_t count = 1;
    for (struct wr_memory_queue *at = routes->queues; at; at = at->next) {
        count++;
    }
    if (count > routes->target_room) {
        size_t room = count * 2 + 16;
        struct wr_memory_queue **targets = realloc(routes->targets, room * sizeof(void *));
        if (!targets) {
            return false;
        }
        routes->targets = targets;
        routes->target_room = room;
    }
    queue->next = routes->queues;
    routes->queues = queue;
    return true;
}

void wr_memory_routes_remove_queue(struct wr_memory_routes *routes, struct wr_memory_queue *queue)
{
    for (struct wr_memory_queue **at = &routes->queues; *at; at = &(*at)->next) {
        if (*at == queue) {
            *at = queue->next;
            break;
        }
    }
    for (struct wr_memory_exchange *source = routes->exchanges; source; source = source->next) {
        wr_memory_routes_unbind(source, NULL, queue, NULL);
    }
}

void wr_memory_routes_remove_exchange(struct wr_memory_routes *routes,
                                      struct wr_memory_exchange *exchange)
{
    for (struct wr_memory_exchange **at = &routes->exchanges; *at; at = &(*at)->next) {
        if (*at == exchange) {
            *at = exchange->next;
            break;
        }
    }
    for (struct wr_memory_exchange *source = routes->exchanges; source; source = source->next) {
        wr_memory_routes_unbind(source, NULL, NULL, exchange);
    }
    free_exchange(exchange);
}

bool wr_memory_routes_bind(struct wr_memory_exchange *source, const char *key,
                           struct wr_memory_queue *queue, struct wr_memory_exchange *exchange)
{
    struct wr_memory_binding **at = &source->bindings;
    for (; *at; at = &(*at)->next) {
        if ((*at)->queue == queue && (*at)->exchange == exchange && !strcmp((*at)->key, key)) {
            return true;
        }
    }
    struct wr_memory_binding *binding = calloc(1, sizeof *binding);
    char *copy = strdup(key);
    if (!binding || !copy) {
        free(binding);
        free(copy);
        return false;
    }
    *binding = (struct wr_memory_binding){ .key = copy, .queue = queue, .exchange = exchange };
    *at = binding;
    return true;
}

void wr_memory_routes_unbind(struct wr_memory_exchange *source, const char *key,
                             const struct wr_memory_queue *queue,
                             const struct wr_memory_exchange *exchange)
{
    for (struct wr_memory_binding **at = &source->bindings; *at;) {
        struct wr_memory_binding *binding = *at;
        if (binding->queue == queue && binding->exchange == exchange &&
            (!key || strcmp(binding->key, key) == 0)) {
            *at = binding->next;
            free_binding(binding);
        } else {
            at = &binding->next;
        }
    }
}

/* Cuts the first word off; `more` tells whether a dot followed it. */
static struct wr_slice cut_word(struct wr_slice *rest, bool *more)
{
    const char *dot = rest->size ? memchr(rest->data, '.', rest->size) : NULL;
    struct wr_slice word = { rest->data, dot ? (size_t)(dot - rest->data) : rest->size };
    size_t used = word.size + (dot ? 1 : 0);
    *rest = (struct wr_slice){ rest->data + used, rest->size - used };
    *more = dot != NULL;
    return word;
}

/* `#` is tried with no word, then with one more each time: at the last one seen only, since an
 * earlier one need never be tried again. So the time is at most the product of both lengths. */
bool wr_memory_topic_matches(struct wr_slice pattern, struct wr_slice key)
{
    bool pattern_more = pattern.size > 0;
    bool key_more = key.size > 0;
    bool has_hash = false;
    struct wr_slice after_hash = { 0 };
    struct wr_slice at_hash = { 0 };
    bool after_more = false;
    bool at_more = false;
    for (;;) {
        struct wr_slice rest = pattern;
        bool rest_more = false;
        struct wr_slice word = { 0 };
        if (pattern_more) {
            word = cut_word(&rest, &rest_more);
        }
        if (pattern_more && wr_slice_is(word, "#")) {
            has_hash = true;
            after_hash = rest;
            after_more = rest_more;
            at_hash = key;
            at_more = key_more;
            pattern = rest;
            pattern_more = rest_more;
            continue;
        }
        if (!pattern_more && !key_more) {
            return true;
        }
        bool fits = pattern_more && key_more;
        if (fits) {
            struct wr_slice had = cut_word(&key, &key_more);
            fits = wr_slice_is(word, "*") || wr_slice_equals(word, had);
        }
        if (fits) {
            pattern = rest;
            pattern_more = rest_more;
            continue;
        }
        if (!has_hash || !at_more) {
            return false;
        }
        (void)cut_word(&at_hash, &at_more);
        key = at_hash;
        key_more = at_more;
        pattern = after_hash;
        pattern_more = after_more;
    }
}

static bool takes(const struct wr_memory_exchange *exchange,
                  const struct wr_memory_binding *binding, struct wr_slice key)
{
    switch (exchange->kind) {
    case WR_MEMORY_FANOUT:
        return true;
    case WR_MEMORY_DIRECT:
        return wr_slice_is(key, binding->key);
    default:
        return wr_memory_topic_matches(wr_slice_of(binding->key), key);
    }
}

static void reach(struct wr_memory_routes *routes, struct wr_memory_queue *queue)
{
    if (queue && queue->stamp != routes->stamp) {
        queue->stamp = routes->stamp;
        routes->targets[routes->target_count++] = queue;
    }
}

/* The recursion is as deep as there are exchanges at most: each is passed once. */
static void pass(struct wr_memory_routes *routes, struct wr_memory_exchange *exchange,
                 struct wr_slice key, uint64_t round)
{
    if (!exchange || exchange->stamp == round) {
        return;
    }
    exchange->stamp = round;
    bool matched = false;
    for (struct wr_memory_binding *at = exchange->bindings; at; at = at->next) {
        if (takes(exchange, at, key)) {
            matched = true;
            reach(routes, at->queue);
            pass(routes, at->exchange, key, round);
        }
    }
    if (!matched && exchange->alternate) {
        struct wr_slice name = wr_slice_of(exchange->alternate);
        pass(routes, wr_memory_routes_exchange(routes, name), key, round);
    }
}

void wr_memory_routes_begin(struct wr_memory_routes *routes)
{
    routes->stamp++;
    routes->target_count = 0;
}

void wr_memory_routes_follow(struct wr_memory_routes *routes, struct wr_memory_exchange *exchange,
                             struct wr_slice key)
{
    if (!exchange) {
        reach(routes, wr_memory_routes_queue(routes, key));
        return;
    }
    pass(routes, exchange, key, ++routes->rounds);
}
