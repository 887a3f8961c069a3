/* SPDX-License-Identifier: MIT */
/*
 * Exchanges and bindings of the memory broker: which queues get a message. Threads: under the
 * server's lock.
 */
#ifndef WR_IO_MEMORY_ROUTE_H
#define WR_IO_MEMORY_ROUTE_H

#include "io/memory_queue.h"

enum wr_memory_exchange_kind { WR_MEMORY_DIRECT, WR_MEMORY_FANOUT, WR_MEMORY_TOPIC };

struct wr_memory_binding {
    struct wr_memory_binding *next;
    char *key;
    struct wr_memory_queue *queue; /* one of these two */
    struct wr_memory_exchange *exchange;
};

struct wr_memory_exchange {
    struct wr_memory_exchange *next;
    char *name;
    char *alternate; /* NULL: none */
    enum wr_memory_exchange_kind kind;
    struct wr_memory_binding *bindings;
    uint64_t stamp; /* of the last round that passed it */
};

/** All exchanges and queues of a server, and the outcome of the last routing. */
struct wr_memory_routes {
    struct wr_memory_exchange *exchanges;
    struct wr_memory_queue *queues;
    struct wr_memory_queue **targets;
    size_t target_count;
    size_t target_room;
    uint64_t stamp;  /* of routings: one a message */
    uint64_t rounds; /* one a key: a message may have several */
};

/** The predeclared exchanges. */
warren_status wr_memory_routes_init(struct wr_memory_routes *routes, warren_error *err);
void wr_memory_routes_done(struct wr_memory_routes *routes);

struct wr_memory_exchange *wr_memory_routes_exchange(const struct wr_memory_routes *routes,
                                                     struct wr_slice name);
struct wr_memory_queue *wr_memory_routes_queue(const struct wr_memory_routes *routes,
                                               struct wr_slice name);

/** NULL without memory, or when the type is none of direct, fanout and topic. */
struct wr_memory_exchange *wr_memory_routes_add_exchange(struct wr_memory_routes *routes,
                                                         const char *name, const char *type,
                                                         const char *alternate);
bool wr_memory_routes_add_queue(struct wr_memory_routes *routes, struct wr_memory_queue *queue);

/** Takes the queue out of the list and out of all bindings; it is the caller's then. */
void wr_memory_routes_remove_queue(struct wr_memory_routes *routes, struct wr_memory_queue *queue);

/** Frees an exchange with its bindings, and those of others to it. */
void wr_memory_routes_remove_exchange(struct wr_memory_routes *routes,
                                      struct wr_memory_exchange *exchange);

/** Binds to `queue` or, when that is NULL, to `exchange`. The same binding twice is one. */
bool wr_memory_routes_bind(struct wr_memory_exchange *source, const char *key,
                           struct wr_memory_queue *queue, struct wr_memory_exchange *exchange);
void wr_memory_routes_unbind(struct wr_memory_exchange *source, const char *key,
                             const struct wr_memory_queue *queue,
                             const struct wr_memory_exchange *exchange);

/** Starts a routing: no targets yet. */
void wr_memory_routes_begin(struct wr_memory_routes *routes);

/** Adds the queues that a key reaches from an exchange; each queue only once. NULL: the default
 * exchange. */
void wr_memory_routes_follow(struct wr_memory_routes *routes, struct wr_memory_exchange *exchange,
                             struct wr_slice key);

/** Whether a topic pattern takes a key: words between dots, `*` one word, `#` any number. */
bool wr_memory_topic_matches(struct wr_slice pattern, struct wr_slice key);

const char *wr_memory_exchange_type(const struct wr_memory_exchange *exchange);

#endif
