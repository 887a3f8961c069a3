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

/* The control plane's memory: some 40,000 orders. A stream drops whole segments. */
#define WR_STATE_BYTES INT64_C(16777216)
#define WR_STATE_SEGMENT_BYTES INT64_C(1048576)

#define WR_DELIVERY_LIMIT_WORK INT64_C(1000)
#define WR_DELIVERY_LIMIT_KEEP                                                                     \
    INT64_C(2147483647) /* dead queues and the catch-all: looking loses nothing */

#define WR_NAME_SIZE 512

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
    int64_t bytes_most;        /* x-max-length-bytes; 0: none. Streams: the oldest go */
    int64_t segment_bytes;     /* x-stream-max-segment-size-bytes; 0: the broker's own */
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
    bool is_level;            /* of the delay ladder */
    bool is_foreign; /* an exchange that the config only names; still declared, as durable topic */
    bool is_temporary;    /* a queue of this connection alone, gone with it; no x-queue-type */
    bool has_arguments;   /* unbinding: of a binding with arguments; it is told and never sent */
    const char *leftover; /* unbinding: done only when this queue of wr_leftover is there */
};

/**
 * A queue that a type had for itself while it was isolated, and may have left behind. `marker` is
 * an exchange (without bindings) that stands as long as nobody deletes it once the type was
 * isolated, so that another service's queue of the same name is never taken for a left-over.
 */
struct wr_leftover {
    const char *queue;
    const char *marker;
    const char *of_queue; /* the configured queue */
    const char *type;
    struct wr_queue_arguments arguments; /* what it was declared with */
};

struct wr_topology_block;

struct wr_topology {
    struct wr_item *items;
    size_t length;
    struct wr_leftover *leftovers; /* those that may exist */
    size_t leftover_count;
    const char *marker; /* an exchange that exists if any type of the namespace ever was isolated */
    struct wr_topology_block *blocks; /* the strings */
};

/** A binding that stands in the broker, as the management API tells. Borrowed strings. */
struct wr_binding {
    const char *source;
    const char *destination;
    bool to_queue;
    const char *key;
    bool has_arguments; /* which are not known here; none of ours has any */
};

/** All bindings of a vhost. Borrowed. */
struct wr_bindings {
    const struct wr_binding *items;
    size_t length;
};

/**
 * Builds the list. `trusts_x_death`: the server is older than 4.0, so work queues are dead-lettered
 * at most once (DESIGN section 5, rule 4). Unbindings are part of it: a type that became isolated
 * leaves the shared queue, and the other way round.
 */
warren_status wr_topology_build(struct wr_topology **out, const struct wr_settings *settings,
                                bool trusts_x_death, warren_error *err);

void wr_topology_free(struct wr_topology *topology);

/**
 * Unbindings of what this config doesn't ask for, guessed without knowing the broker's bindings:
 * every configured type leaves every configured queue that doesn't list it, on the queue's jobs
 * exchange and on NS.deliver. Unbinding what isn't bound is no error, so all can be sent.
 */
warren_status wr_topology_build_prune(struct wr_topology **out, const struct wr_settings *settings,
                                      warren_error *err);

/**
 * The same, known exactly: unbindings of those of `bindings` that lead from an exchange of the
 * topology to a queue or exchange of it and that it doesn't ask for. What other services bind is
 * never among them.
 */
warren_status wr_topology_build_surplus(struct wr_topology **out,
                                        const struct wr_topology *topology,
                                        const struct wr_bindings *bindings, warren_error *err);

/** For each item of kind bind (or unbind), whether it stands among `bindings`; `out` has room for
 * topology->length; other kinds get false. NO_MEMORY. */
warren_status wr_topology_find_bound(const struct wr_topology *topology,
                                     const struct wr_bindings *bindings, bool *out,
                                     warren_error *err);

/* Names, each written into `out` (WR_NAME_SIZE bytes are enough; a longer name is cut, and
 * wr_topology_build refuses it). */
void wr_topology_dead_queue(char *out, size_t size, const char *queue);
void wr_topology_isolated_queue(char *out, size_t size, const char *queue, const char *type);
void wr_topology_exchange(char *out, size_t size, const char *ns,
                          const char *what); /* "jobs" -> NS.jobs */

/** One line about an item, for people: `queue emails (quorum, dead letters to warren.dead as
 * emails)`. */
void wr_item_write(const struct wr_item *item, struct wr_text *out);

/** The item as a JSON object. */
void wr_item_write_json(const struct wr_item *item, struct wr_text *out);

/* --- for the files that build topologies --- */

struct wr_topology_builder {
    struct wr_topology *topology;
    size_t capacity;
    size_t leftover_capacity;
    bool failed; /* an allocation failed; adding does nothing */
};

/** Starts an empty topology; NO_MEMORY. */
warren_status wr_topology_start(struct wr_topology_builder *builder, warren_error *err);

/** A copy of `text` that the topology owns; NULL for NULL. */
const char *wr_topology_keep(struct wr_topology_builder *builder, const char *text);

/** Appends an item; copies its strings. */
void wr_topology_add(struct wr_topology_builder *builder, struct wr_item item);

/** Appends a left-over that may exist; copies its strings. */
void wr_topology_add_leftover(struct wr_topology_builder *builder, struct wr_leftover leftover);

/** Hands the topology over, or frees it and fails when an allocation failed. */
warren_status wr_topology_finish(struct wr_topology_builder *builder, struct wr_topology **out,
                                 warren_error *err);

#endif
