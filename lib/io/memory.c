// SPDX-License-Identifier: MIT
// DESIGN: servers live in one list of the process, by name, so that connections opened in different
// places meet. A server is counted by those who hold it, connections included; the registry's lock
// and a server's lock are never held together.
#include "io/memory.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "io/memory_session.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct wr_memory *registry; /* under registry_lock */

struct wr_memory *wr_memory_open(const char *name, const struct wr_clock *clock)
{
    WR_SCOPED_LOCK(&registry_lock);
    struct wr_memory *server = registry;
    while (server && strcmp(server->name, name) != 0) {
        server = server->next;
    }
    if (!server) {
        server = wr_memory_server_new(name, clock);
        if (!server) {
            return NULL;
        }
        server->next = registry;
        registry = server;
    }
    server->holders++;
    return server;
}

/* Whether the caller was the last one: the server is nobody's then. */
static bool let_go(struct wr_memory *server)
{
    WR_SCOPED_LOCK(&registry_lock);
    if (--server->holders > 0) {
        return false;
    }
    struct wr_memory **at = &registry;
    while (*at != server) {
        at = &(*at)->next;
    }
    *at = server->next;
    return true;
}

void wr_memory_close(struct wr_memory *server)
{
    if (server && let_go(server)) {
        wr_memory_server_free(server);
    }
}

static struct wr_memory_queue *find(struct wr_memory *server, const char *queue)
{
    wr_memory_server_enter(server);
    return wr_memory_routes_queue(&server->routes, wr_slice_of(queue));
}

bool wr_memory_depth(struct wr_memory *server, const char *queue, uint64_t *out_ready,
                     uint64_t *out_unacked)
{
    WR_SCOPED_LOCK(&server->lock);
    const struct wr_memory_queue *found = find(server, queue);
    if (!found) {
        return false;
    }
    *out_ready = found->ready.length;
    *out_unacked = found->unacked;
    return true;
}

struct wr_delivery *wr_memory_peek(struct wr_memory *server, const char *queue, size_t index)
{
    WR_SCOPED_LOCK(&server->lock);
    const struct wr_memory_queue *found = find(server, queue);
    const struct wr_memory_held *held = found ? found->ready.first : NULL;
    for (size_t i = 0; held && i < index; i++) {
        held = held->after;
    }
    struct wr_delivery *delivery = NULL;
    if (!held || wr_memory_held_deliver(held, found->arguments.type == WR_QUORUM, &delivery)) {
        return NULL;
    }
    delivery->redelivered = held->redelivered;
    return delivery;
}

uint64_t wr_memory_stuck(struct wr_memory *server, const char *queue)
{
    WR_SCOPED_LOCK(&server->lock);
    const struct wr_memory_queue *found = find(server, queue);
    return found ? found->stuck.length : 0;
}

size_t wr_memory_connections(struct wr_memory *server)
{
    WR_SCOPED_LOCK(&server->lock);
    size_t count = 0;
    for (struct wr_memory_session *at = server->sessions; at; at = at->next) {
        count += at->end.code == 0;
    }
    return count;
}

int64_t wr_memory_deadline_us(struct wr_memory *server)
{
    WR_SCOPED_LOCK(&server->lock);
    wr_memory_server_enter(server);
    return server->due_us;
}

void wr_memory_watch(struct wr_memory *server, wr_memory_watcher *watcher, void *user)
{
    WR_SCOPED_LOCK(&server->lock);
    server->watcher = watcher;
    server->watcher_user = user;
}

/* Those of that name; NULL: all. */
static void cut(struct wr_memory *server, const char *name)
{
    WR_SCOPED_LOCK(&server->lock);
    wr_memory_server_enter(server);
    for (struct wr_memory_session *at = server->sessions; at; at = at->next) {
        if (!name || strcmp(at->name, name) == 0) {
            wr_memory_session_drop(at, 320, "CONNECTION_FORCED - the connection was cut");
        }
    }
}

void wr_memory_cut_all(struct wr_memory *server)
{
    cut(server, NULL);
}

void wr_memory_cut(struct wr_memory *server, const char *connection)
{
    cut(server, connection);
}

void wr_memory_close_channel(struct wr_memory *server, const char *connection, uint16_t channel)
{
    WR_SCOPED_LOCK(&server->lock);
    wr_memory_server_enter(server);
    for (struct wr_memory_session *at = server->sessions; at; at = at->next) {
        struct wr_memory_channel *found = wr_memory_session_channel(at, channel);
        if (found && !found->refusal.code && strcmp(at->name, connection) == 0) {
            (void)wr_memory_refuse(&found->refusal, 406,
                                   "PRECONDITION_FAILED - delivery acknowledgement on channel %u "
                                   "timed out",
                                   channel);
            wr_memory_session_refuse(at, found);
        }
    }
}

void wr_memory_cancel(struct wr_memory *server, const char *queue)
{
    WR_SCOPED_LOCK(&server->lock);
    struct wr_memory_queue *found = find(server, queue);
    if (found) {
        wr_memory_session_cancel(found);
    }
}

void wr_memory_refuse_connects(struct wr_memory *server, bool refuse)
{
    WR_SCOPED_LOCK(&server->lock);
    server->refuses_connects = refuse;
}

void wr_memory_nack_publishes(struct wr_memory *server, unsigned count)
{
    WR_SCOPED_LOCK(&server->lock);
    server->nacks_due = count;
}

void wr_memory_drop_confirms(struct wr_memory *server, unsigned count)
{
    WR_SCOPED_LOCK(&server->lock);
    server->drops_due = count;
}

void wr_memory_block(struct wr_memory *server, bool block)
{
    WR_SCOPED_LOCK(&server->lock);
    wr_memory_server_enter(server);
    if (server->is_blocked == block) {
        return;
    }
    server->is_blocked = block;
    struct wr_event event = { .kind = block ? WR_EVENT_BLOCKED : WR_EVENT_UNBLOCKED };
    (void)strcpy(event.text, block ? "blocked by a test" : "");
    for (struct wr_memory_session *at = server->sessions; at; at = at->next) {
        if (at->end.code) {
            continue;
        }
        wr_memory_inbox_push(&at->inbox, &event);
        if (!block) {
            wr_memory_session_resume(at);
        }
    }
}

void wr_memory_limit(struct wr_memory *server, size_t messages)
{
    WR_SCOPED_LOCK(&server->lock);
    server->messages_most = messages;
}

/* The first channel that consumes from the queue; NULL: none. */
static struct wr_memory_channel *consuming(struct wr_memory *server, const char *queue)
{
    const struct wr_memory_queue *found = find(server, queue);
    return found && found->consumers ? found->consumers->channel : NULL;
}

void wr_memory_forget_consumers(struct wr_memory *server, const char *queue)
{
    WR_SCOPED_LOCK(&server->lock);
    wr_memory_server_enter(server);
    struct wr_memory_channel *channel;
    while ((channel = consuming(server, queue))) {
        (void)wr_memory_queue_end_consumers(find(server, queue), channel, NULL);
    }
}

void wr_memory_close_consumers(struct wr_memory *server, const char *queue)
{
    WR_SCOPED_LOCK(&server->lock);
    wr_memory_server_enter(server);
    struct wr_memory_channel *channel;
    while ((channel = consuming(server, queue))) {
        (void)wr_memory_refuse(&channel->refusal, 406,
                               "PRECONDITION_FAILED - delivery acknowledgement on channel %d timed "
                               "out",
                               channel->number);
        wr_memory_session_refuse(WR_OF(channel->inbox, struct wr_memory_session, inbox), channel);
    }
}
