/* SPDX-License-Identifier: MIT */
/*
 * One server of the memory broker: exchanges, queues, the messages in them, and time. Everything
 * here is called under its lock, after wr_memory_server_enter brought it up to now.
 */
#ifndef WR_IO_MEMORY_SERVER_H
#define WR_IO_MEMORY_SERVER_H

#include <pthread.h>

#include "io/memory.h"
#include "io/memory_route.h"

#define WR_MEMORY_MESSAGES_MOST 2000000
/** So many dead letters of a queue are under way at once; all others wait behind them. */
#define WR_MEMORY_STUCK_MOST 32

struct wr_memory_session;

struct wr_memory {
    struct wr_memory *next; /* under the registry's lock, as the two that follow */
    char *name;
    int holders;
    const struct wr_clock *clock; /* set before start */
    pthread_mutex_t lock;
    /* under lock */
    struct wr_memory_routes routes;
    struct wr_memory_inbox *inboxes; /* of all connections */
    struct wr_memory_session *sessions;
    size_t messages;
    size_t messages_most;
    int64_t now_us; /* while expired messages are worked off: the time of their expiry */
    int64_t due_us; /* nothing expires before */
    bool refuses_connects;
    bool is_blocked;
    unsigned nacks_due;
    unsigned drops_due;
    wr_memory_watcher *watcher; /* NULL: nobody watches */
    void *watcher_user;
};

/** NULL without memory. */
struct wr_memory *wr_memory_server_new(const char *name, const struct wr_clock *clock);
void wr_memory_server_free(struct wr_memory *server);

/** Brings the server up to now: expired messages leave their queues, in the order of their expiry
 * and as if it had happened just then. */
void wr_memory_server_enter(struct wr_memory *server);

/** Where a message goes; the outcome stands in `server->routes`. False: no such exchange. */
bool wr_memory_server_route(struct wr_memory *server, const struct wr_memory_held *held);

/** Puts a copy into each target of the last routing; takes `held`. False when memory was short. */
bool wr_memory_server_spread(struct wr_memory *server, struct wr_memory_held *held);

/** Moves a message out of its queue to the queue's dead letter exchange, or drops it. Takes
 * `held`, which must stand in no list. */
void wr_memory_server_bury(struct wr_memory *server, struct wr_memory_queue *queue,
                           struct wr_memory_held *held, const char *reason);

/** Puts a message that was out back into its queue, or buries it when it came back too often.
 * Nothing is handed out yet. Takes `held`. */
void wr_memory_server_return(struct wr_memory *server, struct wr_memory_held *held);

/** Hands out what can be handed out, in all queues, and notes the next expiry. */
void wr_memory_server_dispatch(struct wr_memory *server);
void wr_memory_server_dispatch_queue(struct wr_memory *server, struct wr_memory_queue *queue);

/** Tries again to place dead letters that no queue took: the topology has changed. */
void wr_memory_server_unstick(struct wr_memory *server);

#endif
