/* SPDX-License-Identifier: MIT */
/*
 * A channel of a connection to the memory broker: what is out on it, and what its tags count.
 * Threads: under the server's lock.
 */
#ifndef WR_IO_MEMORY_CHANNEL_H
#define WR_IO_MEMORY_CHANNEL_H

#include "io/memory_held.h"
#include "io/memory_inbox.h"

/** Why the server closes a channel: AMQP's reply code and RabbitMQ's sentence. */
struct wr_memory_refusal {
    int code; /* 0: no refusal */
    char text[256];
};

struct wr_memory_channel {
    struct wr_memory_channel *next; /* of the same connection */
    struct wr_memory_inbox *inbox;  /* the connection's */
    int64_t body_most;
    struct wr_memory_list unacked; /* by tag */
    uint64_t delivered;            /* the newest delivery's tag */
    uint64_t published;            /* the newest publish's tag */
    uint16_t number;
    uint16_t prefetch; /* for consumers to come */
    bool confirms;
    struct wr_memory_refusal refusal; /* with a code: closed by the server */
};

/** Writes a refusal; returns false, for `return wr_memory_refuse(…)`. */
bool wr_memory_refuse(struct wr_memory_refusal *out, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The refusal as a status with its text. */
warren_status wr_memory_refusal_status(const struct wr_memory_refusal *refusal, warren_error *err);

/** The unsettled delivery of that tag; NULL when there is none. */
struct wr_memory_held *wr_memory_channel_find(const struct wr_memory_channel *channel,
                                              uint64_t tag);

/** Tells the owner how a publish ended: `kind` is WR_EVENT_ACKED or WR_EVENT_NACKED. */
void wr_memory_channel_confirm(struct wr_memory_channel *channel, uint64_t tag,
                               enum wr_event_kind kind);

#endif
