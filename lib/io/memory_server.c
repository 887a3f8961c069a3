// SPDX-License-Identifier: MIT
// DESIGN: a server has no thread. Time passes for it whenever someone calls: the queue whose head
// is due first lets it go, and the server's clock stands at that moment meanwhile, so that a
// message on a ladder of TTL queues is home exactly when the sum of its TTLs is over, however
// seldom anyone looks. `due_us` makes the usual case one comparison; whenever it moves to an
// earlier moment, every connection is woken, since it may sleep for longer.
#include "io/memory_server.h"

#include <stdlib.h>

#include "io/memory_death.h"

#define QUORUM_LIMIT 20 /* what RabbitMQ 4.0 takes when a queue says nothing */

struct wr_memory *wr_memory_server_new(const char *name, const struct wr_clock *clock)
{
    struct wr_memory *server = calloc(1, sizeof *server);
    if (!server) {
        return NULL;
    }
    server->name = strdup(name);
    if (!server->name || wr_memory_routes_init(&server->routes, NULL)) {
        free(server->name);
        free(server);
        return NULL;
    }
    server->clock = clock;
    server->due_us = WR_MEMORY_NEVER;
    server->messages_most = WR_MEMORY_MESSAGES_MOST;
    (void)pthread_mutex_init(&server->lock, NULL);
    return server;
}

void wr_memory_server_free(struct wr_memory *server)
{
    wr_memory_routes_done(&server->routes);
    (void)pthread_mutex_destroy(&server->lock);
    free(server->name);
    free(server);
}

/* --- time --- */

static void note_due(struct wr_memory *server, int64_t due_us)
{
    if (due_us >= server->due_us) {
        return;
    }
    server->due_us = due_us;
    for (struct wr_memory_inbox *inbox = server->inboxes; inbox; inbox = inbox->next) {
        wr_memory_inbox_wake(inbox);
    }
}

static struct wr_memory_queue *first_due(const struct wr_memory *server)
{
    struct wr_memory_queue *first = server->routes.queues;
    for (struct wr_memory_queue *at = first; at; at = at->next) {
        if (wr_memory_queue_due_us(at) < wr_memory_queue_due_us(first)) {
            first = at;
        }
    }
    return first;
}

void wr_memory_server_enter(struct wr_memory *server)
{
    int64_t now_us = wr_clock_mono_us(server->clock);
    while (server->due_us <= now_us) {
        struct wr_memory_queue *queue = first_due(server);
        int64_t due_us = queue ? wr_memory_queue_due_us(queue) : WR_MEMORY_NEVER;
        if (!queue || due_us > now_us) {
            server->due_us = due_us;
            break;
        }
        server->now_us = due_us;
        struct wr_memory_held *held = queue->ready.first;
        wr_memory_list_remove(&queue->ready, held);
        wr_memory_server_bury(server, queue, held, "expired");
    }
    server->now_us = now_us;
}

static int64_t wall_s(const struct wr_memory *server)
{
    int64_t ago_us = wr_clock_mono_us(server->clock) - server->now_us;
    return (wr_clock_wall_ms(server->clock) - ago_us / WR_US_PER_MS) / 1000;
}

/* --- routing --- */

struct copies {
    struct wr_memory_routes *routes;
    struct wr_memory_exchange *exchange;
};

static void follow_copy(void *user, struct wr_slice key)
{
    struct copies *copies = user;
    wr_memory_routes_follow(copies->routes, copies->exchange, key);
}

bool wr_memory_server_route(struct wr_memory *server, const struct wr_memory_held *held)
{
    struct wr_memory_exchange *exchange =
        wr_memory_routes_exchange(&server->routes, held->exchange);
    wr_memory_routes_begin(&server->routes);
    if (!exchange && held->exchange.size) {
        return false;
    }
    struct copies copies = { &server->routes, exchange };
    wr_memory_routes_follow(&server->routes, exchange, held->key);
    wr_memory_death_copies(held, follow_copy, &copies);
    return true;
}

void wr_memory_server_dispatch_queue(struct wr_memory *server, struct wr_memory_queue *queue)
{
    wr_memory_queue_dispatch(queue);
    note_due(server, wr_memory_queue_due_us(queue));
}

void wr_memory_server_dispatch(struct wr_memory *server)
{
    for (struct wr_memory_queue *at = server->routes.queues; at; at = at->next) {
        wr_memory_server_dispatch_queue(server, at);
    }
}

bool wr_memory_server_spread(struct wr_memory *server, struct wr_memory_held *held)
{
    struct wr_memory_routes *routes = &server->routes;
    bool complete = true;
    for (size_t i = 1; i < routes->target_count; i++) {
        struct wr_memory_held *copy = wr_memory_held_copy(held);
        if (!copy) {
            complete = false;
            continue;
        }
        wr_memory_queue_push(routes->targets[i], copy, server->now_us);
        wr_memory_server_dispatch_queue(server, routes->targets[i]);
    }
    if (!routes->target_count) {
        wr_memory_held_free(held);
        return complete;
    }
    wr_memory_queue_push(routes->targets[0], held, server->now_us);
    wr_memory_server_dispatch_queue(server, routes->targets[0]);
    return complete;
}

/* --- dead letters --- */

static bool is_at_least_once(const struct wr_memory_queue *queue)
{
    const struct wr_queue_arguments *arguments = &queue->arguments;
    return arguments->type == WR_QUORUM && arguments->at_least_once && arguments->reject_publish;
}

static void drop_cycles(struct wr_memory_routes *routes, const struct wr_memory_held *letter)
{
    size_t kept = 0;
    for (size_t i = 0; i < routes->target_count; i++) {
        if (!wr_memory_death_is_cycle(letter, routes->targets[i]->name)) {
            routes->targets[kept++] = routes->targets[i];
        }
    }
    routes->target_count = kept;
}

/* Sends the dead letter of `held` on its way; false when no queue takes it. */
static bool send_letter(struct wr_memory *server, struct wr_memory_queue *queue,
                        const struct wr_memory_held *held, const char *reason)
{
    struct wr_memory_held *letter = wr_memory_death_record(held, queue, reason, wall_s(server));
    if (!letter) {
        return false;
    }
    bool routed = wr_memory_server_route(server, letter);
    if (routed) {
        drop_cycles(&server->routes, letter);
    }
    if (!routed || !server->routes.target_count) {
        wr_memory_held_free(letter);
        return false;
    }
    return wr_memory_server_spread(server, letter);
}

void wr_memory_server_bury(struct wr_memory *server, struct wr_memory_queue *queue,
                           struct wr_memory_held *held, const char *reason)
{
    bool waits = queue->arguments.dead_exchange && is_at_least_once(queue);
    bool blocked = waits && queue->stuck.length >= WR_MEMORY_STUCK_MOST;
    bool sent =
        !blocked && queue->arguments.dead_exchange && send_letter(server, queue, held, reason);
    if (sent || !waits) {
        wr_memory_held_free(held);
        return;
    }
    held->reason = reason;
    wr_memory_list_push(&queue->stuck, held);
}

/* One pass over what is under way; whether something left, so that others move up. */
static bool unstick_some(struct wr_memory *server, struct wr_memory_queue *queue)
{
    bool moved = false;
    struct wr_memory_held *held = queue->stuck.first;
    for (int i = 0; held && i < WR_MEMORY_STUCK_MOST; i++) {
        struct wr_memory_held *after = held->after;
        if (send_letter(server, queue, held, held->reason)) {
            wr_memory_list_remove(&queue->stuck, held);
            wr_memory_held_free(held);
            moved = true;
        }
        held = after;
    }
    return moved;
}

void wr_memory_server_unstick(struct wr_memory *server)
{
    for (struct wr_memory_queue *at = server->routes.queues; at; at = at->next) {
        while (at->stuck.first && unstick_some(server, at)) {
        }
    }
}

void wr_memory_server_return(struct wr_memory *server, struct wr_memory_held *held)
{
    struct wr_memory_queue *queue = held->queue;
    if (!queue) {
        wr_memory_held_free(held);
        return;
    }
    held->returns++;
    int64_t limit =
        queue->arguments.delivery_limit ? queue->arguments.delivery_limit : QUORUM_LIMIT;
    if (queue->arguments.type == WR_QUORUM && held->returns > limit) {
        wr_memory_server_bury(server, queue, held, "delivery_limit");
        return;
    }
    wr_memory_queue_requeue(queue, held);
}
