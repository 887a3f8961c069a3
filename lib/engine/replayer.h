/* SPDX-License-Identifier: MIT */
/*
 * Publishes one message after the other on a connection of its own and waits for each confirm, or for
 * those of many together.
 * It has its own connection because a broker that takes no publishes (disk or memory alarm) stops
 * reading from it, and what was taken from a queue must go back all the same.
 *
 * Threads: its caller's. Ownership: closes its connection.
 */
#ifndef WR_ENGINE_REPLAYER_H
#define WR_ENGINE_REPLAYER_H

#include "io/broker.h"

/** How many messages may wait for their confirms at once. */
#define WR_REPLAYER_WINDOW 256

struct wr_replayer {
    struct wr_broker *broker;
    int64_t timeout_us;
    uint64_t last_tag;
    uint64_t confirmed;                    /* all up to this tag; only of wr_replayer_post */
    bool is_confirmed[WR_REPLAYER_WINDOW]; /* of those behind it, by tag modulo the window */
    char lost[256]; /* why the connection has gone while nothing was sent; "": it has not */
};

/** Connects. Errors as wr_broker_open. */
warren_status wr_replayer_open(struct wr_replayer *replayer, const struct wr_settings *settings,
                               warren_error *err);

/** Publishes and waits. OK: the broker has it. UNROUTABLE, NACKED: it has not. STATE: the broker
 * takes no publishes now. TIMEOUT, CLOSED: it may have it or not. */
warren_status wr_replayer_send(struct wr_replayer *replayer, const struct wr_message *message,
                               warren_error *err);

/** Publishes and goes on; waits only while the window is full. Errors as wr_replayer_send, of any message
 * posted before: tags 1 to `confirmed` are stored, and the next one may be or not. Not to be mixed with
 * wr_replayer_send. */
warren_status wr_replayer_post(struct wr_replayer *replayer, const struct wr_message *message,
                               warren_error *err);

/** Waits for the confirms of all that was posted. */
warren_status wr_replayer_drain(struct wr_replayer *replayer, warren_error *err);

/** Keeps the connection alive while nothing is sent; never waits. An unopened one is fine. */
void wr_replayer_serve(struct wr_replayer *replayer);

/** Closes; an unopened (zeroed) one is fine. */
void wr_replayer_close(struct wr_replayer *replayer);

#endif
