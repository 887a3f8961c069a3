/* SPDX-License-Identifier: MIT */
/*
 * The topology as data: the list of exchanges, queues and bindings that the settings ask for, in
 * the order in which they can be declared. The same list is applied, checked, planned, exported and
 * drawn.
 *
 * Ownership: a topology owns its items and their strings. Threads: not changed after it was built.
 */
#ifndef WR_MODEL_TOPOLOGY_H
#define WR_MODEL_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/settings.h"
#include "warren/error.h"

#define WR_DELIVERY_LIMIT_WORK INT64_C(1000)
#define WR_DELIVERY_LIMIT_KEEP                                                                     \
    INT64_C(2147483647) /* dead queues and the catch-all: looking loses nothing */

enum wr_item_kind { WR_ITEM_EXCHANGE, WR_ITEM_QUEUE, WR_ITEM_BIND, WR_ITEM_UNBIND };

/** What a queue is declared with; all of it becomes x-arguments. */
struct wr_queue_arguments {
    enum wr_queue_type type;
    const char *dead_exchange; /* NULL: none */
    const char *dead_key;      /* NULL: the message's own */
    int64_t ttl_ms;            /* 0: none */
    int64_t delivery_limit;    /* 0: none (classic queues) */
    bool at_least_once;        /* x-dead-letter-strategy */
    bool reject_publish;       /* x-overflow */
};

struct wr_item {
    enum wr_item_kind kind;
    const char *name;        /* the exchange or queue; of a binding: its source exchange */
    const char *type;        /* exchange: "topic", "direct", "fanout" */
    const char *alternate;   /* exchange: its alternate-exchange, or NULL */
    const char *destination; /* binding */
    bool to_queue;           /* binding: the destination is a queue, else an exchange */
    const char *key;         /* binding */
    struct wr_queue_arguments arguments;
    bool strategy_may_differ; /* a work queue: another strategy or overflow is accepted with a note
                               */
    bool is_foreign; /* an exchange that the config only names; still declared, as durable topic */
};

struct wr_topology {
    struct wr_item *items;
    size_t length;
    char *bytes; /* the strings */
};

/**
 * Builds the list. `trusts_x_death`: the server is older than 4.0, so work queues are dead-lettered
 * at most once (DESIGN section 5, rule 4). Unbindings are part of it: a type that became isolated
 * leaves the shared queue, and the other way round.
 */
warren_status wr_topology_build(struct wr_topology **out, const struct wr_settings *settings,
                                bool trusts_x_death, warren_error *err);

void wr_topology_free(struct wr_topology *topology);

/* Names, each written into `out` (255 bytes are enough). */
void wr_topology_dead_queue(char *out, size_t size, const char *queue);
void wr_topology_isolated_queue(char *out, size_t size, const char *queue, const char *type);
void wr_topology_exchange(char *out, size_t size, const char *ns,
                          const char *what); /* "jobs" -> NS.jobs */

/** One line about an item, for people: `queue emails (quorum, dead letters to warren.dead as
 * emails)`. */
void wr_item_write(const struct wr_item *item, struct wr_text *out);

#endif
