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

/* --- letting it fail --- */

/** Cuts every connection, as a broker's crash that loses nothing. */
void wr_memory_cut_all(struct wr_memory *server);

/** New connections are refused (UNREACHABLE) until taken back. */
void wr_memory_refuse_connects(struct wr_memory *server, bool refuse);

/** The next `count` publishes are not taken and answered with a nack. */
void wr_memory_nack_publishes(struct wr_memory *server, unsigned count);

/** The next `count` publishes are taken, but their connection is cut before the confirm. */
void wr_memory_drop_confirms(struct wr_memory *server, unsigned count);

/** Blocked: publishes wait until it is taken back; connections are told of both. */
void wr_memory_block(struct wr_memory *server, bool block);

/** How many messages it holds at most (2 million at first); publishes above that are nacked. */
void wr_memory_limit(struct wr_memory *server, size_t messages);

#endif
