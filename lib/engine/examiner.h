/* SPDX-License-Identifier: MIT */
/*
 * The examiner: finds out at a connected broker what only trying shows. One examination a function;
 * each leaves nothing behind and gives up at its deadline.
 *
 * Threads: the connection's. A connection that broke on the way is told by wr_broker_fd.
 */
#ifndef WR_ENGINE_EXAMINER_H
#define WR_ENGINE_EXAMINER_H

#include "io/broker.h"
#include "model/diagnosis.h"

struct wr_examiner {
    struct wr_broker *broker; /* channels 2 and 3 are free */
    const struct wr_settings *settings;
    int64_t connect_most_ms; /* for a second connection; 0: as the settings say */
    int64_t deadline_us;     /* monotonic: when the next answer comes too late */
    bool is_blocked;         /* the broker said that it takes no publishes now */
};

/** Publishes a message that no queue should take: it must come back. */
void wr_examine_unroutable(struct wr_examiner *examiner, struct wr_diagnosis *out);

/** Sends two messages through the lowest levels of the delay ladder, over one level and over two, to a
 * queue of this connection alone. */
void wr_examine_ladder(struct wr_examiner *examiner, struct wr_diagnosis *out);

/** Whether this user may consume the work queues: a consumer for a moment, on those where nothing
 * waits. */
void wr_examine_reading(struct wr_examiner *examiner, struct wr_diagnosis *out);

/** What stands in the catch-all. */
void wr_examine_catch_all(struct wr_examiner *examiner, struct wr_diagnosis *out);

#endif
