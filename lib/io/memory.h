/* SPDX-License-Identifier: MIT */
/*
 * The memory broker's servers, seen from outside: to keep one alive without a connection, to look
 * into its queues, and to let it fail in the ways that real brokers do. For the test harness and
 * for tests; connections go through wr_broker_open with a URL `memory:` or `memory:name`.
 *
 * Ownership: whoever opens a server holds it; it is freed, with all it contains, when the last
 * holder closed it and the last connection is closed. Threads: any.
 */
#ifndef WR_IO_MEMORY_H
#define WR_IO_MEMORY_H

#include "base/clock.h"
#include "io/broker.h"

struct wr_memory;

/** The server of that name ("" is the one of `memory:`), made when there is none. The clock (NULL:
 * the machine's) is that of the first who opens it or connects; it must outlive the server. NULL
 * without memory. */
struct wr_memory *wr_memory_open(const char *name, const struct wr_clock *clock);

/** Lets it go. NULL is fine. */
void wr_memory_close(struct wr_memory *server);

/* --- looking; each first lets expire what is due --- */

/** How many messages are ready and how many out in a queue; false when there is no such queue. */
bool wr_memory_depth(struct wr_memory *server, const char *queue, uint64_t *out_ready,
                     uint64_t *out_unacked);

/** A copy of the ready message at `index` (0 = the oldest), to be freed with wr_delivery_free; NULL
 * when there is none. */
struct wr_delivery *wr_memory_peek(struct wr_memory *server, const char *queue, size_t index);

/** Dead letters of an at-least-once queue that wait since no queue takes them. */
uint64_t wr_memory_stuck(struct wr_memory *server, const char *queue);

/** How many connections are open. */
size_t wr_memory_connections(struct wr_memory *server);

/** When the next message expires, in microseconds of the server's clock; INT64_MAX: none does. */
int64_t wr_memory_deadline_us(struct wr_memory *server);

/* --- watching: what became of each message, as a proxy between client and broker would see it --- */

enum wr_memory_sight_kind {
    WR_MEMORY_JOINED,   /* a connection was made */
    WR_MEMORY_LEFT,     /* it is gone; what was out on it was returned before */
    WR_MEMORY_TAKEN,    /* a publish stands in at least one queue; its confirm follows */
    WR_MEMORY_ACKED,    /* a delivery was acknowledged, and is gone */
    WR_MEMORY_RETURNED, /* a delivery went back to its queue */
    WR_MEMORY_REFUSED   /* the server closed a channel over a mistake: `queue` is its sentence */
};

/** Everything is borrowed until the watcher returns; what a kind doesn't have is NULL or 0. */
struct wr_memory_sight {
    enum wr_memory_sight_kind kind;
    const char *connection; /* its name */
    uint16_t channel;
    uint64_t tag;      /* of the delivery */
    const char *queue; /* where the delivery came from */
    struct wr_slice exchange;
    struct wr_slice key;
    struct wr_slice properties; /* in the form of the wire: wr_message_read */
};

/** Is called under the server's lock: it must call nothing of the server. */
typedef void wr_memory_watcher(void *user, const struct wr_memory_sight *sight);

/** Tells `watcher` (NULL: nobody) what happens from now on. */
void wr_memory_watch(struct wr_memory *server, wr_memory_watcher *watcher, void *user);

/* --- letting it fail --- */

/** Cuts every connection, as a broker's crash that loses nothing. */
void wr_memory_cut_all(struct wr_memory *server);

/** Cuts the connections of that name, as their process's crash. */
void wr_memory_cut(struct wr_memory *server, const char *connection);

/** The server closes that channel of the connections of that name, over an acknowledgement that took
 * too long (406), as RabbitMQ's consumer_timeout does. */
void wr_memory_close_channel(struct wr_memory *server, const char *connection, uint16_t channel);

/** The server ends the consumers of a queue, which stays, as when its leader moves. What they were
 * sent can still be settled. */
void wr_memory_cancel(struct wr_memory *server, const char *queue);

/** New connections are refused (UNREACHABLE) until taken back. */
void wr_memory_refuse_connects(struct wr_memory *server, bool refuse);

/** The next `count` publishes are not taken and answered with a nack. */
void wr_memory_nack_publishes(struct wr_memory *server, unsigned count);

/** The next `count` publishes are taken, but their connection is cut before the confirm. */
void wr_memory_drop_confirms(struct wr_memory *server, unsigned count);

/** Blocked: publishes wait until it is taken back; connections are told of both. */
void wr_memory_block(struct wr_memory *server, bool block);

/** Forgets the consumers of a queue without telling them, as a broker can after a change of leader. */
void wr_memory_forget_consumers(struct wr_memory *server, const char *queue);

/** Closes the channels that consume from a queue, as over a delivery that was not settled in time. */
void wr_memory_close_consumers(struct wr_memory *server, const char *queue);

/** How many messages it holds at most (2 million at first); publishes above that are nacked. */
void wr_memory_limit(struct wr_memory *server, size_t messages);

#endif
