/* SPDX-License-Identifier: MIT */
/*
 * The mover takes messages out of one queue and puts them into another, oldest first: publish,
 * confirm, then acknowledge, with a window of them under way. Killed at any moment it leaves each
 * message in one of the two queues or, between confirm and acknowledgement, in both.
 *
 * Threads: its caller's. It has two connections, since a broker with an alarm stops reading from who
 * publishes. Nothing else may consume from the first one during a pass.
 */
#ifndef WR_ENGINE_MOVER_H
#define WR_ENGINE_MOVER_H

#include "io/broker.h"
#include "model/job.h"

struct wr_mover {
    struct wr_broker *taking;    /* borrowed; channels 2 and 3 are free */
    struct wr_broker *putting;   /* owned; NULL: not open */
    struct wr_job_rules rules;   /* by which a message's type is told */
    int64_t timeout_us;          /* for a confirm */
    uint64_t put;                /* publishes on the channel so far */
    uint64_t moved;              /* in all */
    bool (*goes_on)(void *user); /* asked now and then; false: the pass ends. NULL: it does */
    void *user;
};

/** Adds to `headers`, a copy of the message's, the moment at which it expires: that of its
 * `expiration`, counted from now, or of its own header, whichever is earlier. */
void wr_mover_expire(const struct wr_message *message, int64_t now_ms, struct wr_text *headers);

/** Opens the second connection. Errors as wr_broker_open. */
warren_status wr_mover_open(struct wr_mover *mover, warren_error *err);

/** Closes it. A zeroed mover is fine. */
void wr_mover_close(struct wr_mover *mover);

/**
 * Moves what stands in `from` now, and what comes with it, to the queue `to`. OK also when it was
 * stopped by `goes_on`. NOT_FOUND: one of the queues is gone. NACKED, UNROUTABLE: `to` does not take
 * them. INVALID: a message can't be read, so it can't be moved. CLOSED, TIMEOUT. Whatever is
 * returned, what was not confirmed is in `from` again.
 */
warren_status wr_mover_pass(struct wr_mover *mover, const char *from, const char *to,
                            warren_error *err);

/** Lets both connections breathe for so long. CLOSED: one is gone. */
warren_status wr_mover_rest(struct wr_mover *mover, int64_t us, warren_error *err);

/** How much stands in a queue. */
warren_status wr_mover_depth(struct wr_mover *mover, const char *queue, struct wr_depth *out,
                             warren_error *err);

#endif
