/* SPDX-License-Identifier: MIT */
/*
 * A connection that comes back: opens a broker, notices that it is gone, and tries again with
 * exponential backoff and full jitter. Each opening is a new generation. The backoff starts anew
 * only once a connection has been of use: a broker that takes it and ends it again is asked ever
 * less often too.
 *
 * Threads: owned by one thread (consumer or publisher).
 */
#ifndef WR_ENGINE_CONNECTION_H
#define WR_ENGINE_CONNECTION_H

#include "base/mailbox.h"
#include "io/broker.h"

struct wr_connection {
    struct wr_broker_options options;
    const char *role;         /* for log lines: "consumer", "publisher" */
    struct wr_broker *broker; /* NULL: down */
    uint32_t generation;      /* counts openings */
    int failures;             /* tries in a row that failed, or were of no use */
    int64_t opened_us;
    int64_t next_try_us;
};

/** Whether it is down and the time of the next try has come. */
bool wr_connection_is_due(const struct wr_connection *connection, int64_t now_us);

/** Tries once. On failure the next try is planned. */
warren_status wr_connection_open(struct wr_connection *connection, int64_t now_us,
                                 warren_error *err);

/** Takes a broker that is open already. */
void wr_connection_adopt(struct wr_connection *connection, struct wr_broker *broker);

/** Says that the connection was of use: when it breaks, the first next try comes soon. One that
 * lasted for ten seconds was of use anyway. */
void wr_connection_prove(struct wr_connection *connection);

/** Drops the broker without a word (it is gone, or can't be trusted any more) and plans the next
 * try. */
void wr_connection_drop(struct wr_connection *connection, int64_t now_us);

/** Says goodbye. */
void wr_connection_close(struct wr_connection *connection);

/** When a step is needed at the latest: the next try, or what the broker asks for. */
int64_t wr_connection_deadline_us(const struct wr_connection *connection);

/** Sleeps until the socket or the mailbox has something, or until `until_us` of the machine's
 * monotonic clock. */
void wr_connection_wait(struct wr_connection *connection, struct wr_mailbox *mailbox,
                        int64_t until_us);

#endif
