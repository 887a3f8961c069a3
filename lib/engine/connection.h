/* SPDX-License-Identifier: MIT */
/*
 * A connection that comes back: opens a broker, notices that it is gone, and tries again with
 * exponential backoff and full jitter. Each opening is a new generation. The backoff starts anew
 * only once a connection has been of use: a broker that takes it and ends it again is asked ever
 * less often too. Opening happens on a thread of its own, so a step never waits for it.
 *
 * Threads: owned by one thread (consumer or publisher).
 */
#ifndef WR_ENGINE_CONNECTION_H
#define WR_ENGINE_CONNECTION_H

#include "base/mailbox.h"
#include "base/watch.h"
#include "engine/dial.h"

struct wr_connection {
    struct wr_dial_options options;
    struct wr_broker *broker; /* NULL: down */
    struct wr_dial *dial;     /* an opening that is under way */
    uint32_t generation;      /* counts openings */
    int failures;             /* tries in a row that failed, or were of no use */
    int64_t opened_us;
    int64_t next_try_us;
};

/** Says what to open; `watch` (may be NULL) belongs to the owner's thread from now on. */
void wr_connection_init(struct wr_connection *connection, const struct wr_dial_options *options);

/** Brings it on: begins to open when it is down and the time has come, and takes what was opened.
 * True: it has just been opened. */
bool wr_connection_step(struct wr_connection *connection, int64_t now_us);

/** Takes a broker that is open already. */
void wr_connection_adopt(struct wr_connection *connection, struct wr_broker *broker);

/** Says that the connection was of use: when it breaks, the first next try comes soon. One that
 * lasted for ten seconds was of use anyway. */
void wr_connection_prove(struct wr_connection *connection);

/** Drops the broker without a word (it is gone, or can't be trusted any more) and plans the next
 * try. `why` is for the log. */
void wr_connection_drop(struct wr_connection *connection, int64_t now_us, const char *why);

/** Says goodbye, and gives up what is being opened. False: an opening still hangs in a call that
 * can't be cut, so what it borrows must stay. */
bool wr_connection_close(struct wr_connection *connection);

/** A step that uses the broker begins, and ends: in between the watchdog has an eye on it. */
void wr_connection_begin(struct wr_connection *connection);
void wr_connection_end(struct wr_connection *connection);

/** When a step is needed at the latest: the next try, or what the broker asks for. */
int64_t wr_connection_deadline_us(const struct wr_connection *connection);

/** Sleeps until the socket or the mailbox has something, an opening has ended, or until `until_us`
 * of the machine's monotonic clock. */
void wr_connection_wait(struct wr_connection *connection, struct wr_mailbox *mailbox,
                        int64_t until_us);

/** Sleeps until the socket has something, and not longer than `most_us` (below a second). What is
 * pushed into a mailbox meanwhile wakes nobody: that is its use. */
void wr_connection_nap(const struct wr_connection *connection, int64_t most_us);

#endif
