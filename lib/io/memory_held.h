/* SPDX-License-Identifier: MIT */
/*
 * A message as the memory broker holds it: one heap block with the bytes behind the struct,
 * standing in exactly one list (a queue's ready messages, or a channel's unsettled ones) or in
 * none. Threads: under the server's lock.
 */
#ifndef WR_IO_MEMORY_HELD_H
#define WR_IO_MEMORY_HELD_H

#include "io/broker.h"

#define WR_MEMORY_NEVER INT64_MAX

struct wr_memory_queue;
struct wr_memory_consumer;

struct wr_memory_held {
    struct wr_memory_held *before;
    struct wr_memory_held *after;
    struct wr_slice exchange;
    struct wr_slice key;
    struct wr_slice properties; /* in the form of the wire */
    struct wr_slice body;
    size_t *census;      /* counts the messages of a server; NULL: counts nowhere */
    uint64_t position;   /* in its queue; kept when it is given back */
    int64_t expires_us;  /* WR_MEMORY_NEVER: does not */
    int64_t lifetime_ms; /* the message's own `expiration`; -1: none */
    const char *reason;  /* a dead letter that waits: why it died */
    uint32_t returns;    /* how often it was given back */
    bool redelivered;
    bool has_deaths; /* its x-death is the server's own */
    /* while it is out: */
    uint64_t tag;
    struct wr_memory_queue *queue;       /* NULL: was deleted meanwhile */
    struct wr_memory_consumer *consumer; /* NULL: ended meanwhile */
};

struct wr_memory_list {
    struct wr_memory_held *first;
    struct wr_memory_held *last;
    struct wr_memory_held *inserted; /* by position, most lately: where the next search begins */
    size_t length;
};

/** What a held message is made of; all is copied. */
struct wr_memory_content {
    struct wr_slice exchange;
    struct wr_slice key;
    struct wr_slice properties;
    struct wr_slice body;
};

/** A new message; NULL without memory. `census` is counted up now and down when it is freed. */
struct wr_memory_held *wr_memory_held_new(const struct wr_memory_content *content, size_t *census);

/** The same of a message as a client hands it in. */
struct wr_memory_held *wr_memory_held_of(const struct wr_message *message, size_t *census);

/** The same content again, for another queue. NULL without memory. */
struct wr_memory_held *wr_memory_held_copy(const struct wr_memory_held *held);

void wr_memory_held_free(struct wr_memory_held *held);

/** What a client gets: a block of its own, with x-delivery-count when `counts` and it came back
 * before. INVALID when the properties can't be read. */
warren_status wr_memory_held_deliver(const struct wr_memory_held *held, bool counts,
                                     struct wr_delivery **out);

void wr_memory_list_push(struct wr_memory_list *list, struct wr_memory_held *held);

/** Puts it where its position says: quick near the front, and behind the one inserted before. */
void wr_memory_list_insert(struct wr_memory_list *list, struct wr_memory_held *held);

void wr_memory_list_remove(struct wr_memory_list *list, struct wr_memory_held *held);

/** Frees all; the list is empty afterwards. */
size_t wr_memory_list_clear(struct wr_memory_list *list);

#endif
