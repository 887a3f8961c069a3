/* SPDX-License-Identifier: MIT */
/*
 * Walking through a queue from its oldest message on, settling some and giving the others back in
 * the order in which they stood. Messages that arrive during a walk are not part of it.
 *
 * Threads: the connection's; nothing else may use the connection during a walk.
 */
#ifndef WR_ENGINE_DEADWALK_H
#define WR_ENGINE_DEADWALK_H

#include "io/broker.h"

enum wr_walk_choice {
    WR_WALK_KEEP,   /* it goes back */
    WR_WALK_REMOVE, /* it is acknowledged */
    WR_WALK_STOP,   /* it goes back, and so do all others: nothing more is visited */
    WR_WALK_LATER   /* it is visited again at `*later_us` */
};

/** Called for each message, oldest first. NULL: one whose properties or body can't be read. */
typedef enum wr_walk_choice wr_walk_visitor(void *user, const struct wr_message *message);

/** Told ten times a second, also while the walk waits, and once at the end, how many of `total`
 * messages have been visited; false ends the walk as WR_WALK_STOP does. */
typedef bool wr_walk_idler(void *user, uint64_t visited, uint64_t total);

struct wr_deadwalk {
    struct wr_broker *broker; /* channel 1 is open; 2 and above are free */
    const char *queue;
    int64_t patience_us; /* how long the queue may let us wait: for its next message, for others to
                            end their walk */
    wr_walk_visitor *visit;
    void *user;
    wr_walk_idler *idle;     /* NULL: nobody is told */
    const int64_t *later_us; /* monotonic; for WR_WALK_LATER */
    int64_t round_us; /* how long messages are held at most before they all go back for a moment;
                                0: 5 minutes */
};

/** Walks. What was removed stays removed also when the walk fails later; all else goes back.
 * NOT_FOUND: no such queue, or no more. Channel 1 stays open. STATE: someone else consumes it. TIMEOUT:
 * the queue stopped delivering. */
warren_status wr_deadwalk_run(const struct wr_deadwalk *walk, warren_error *err);

/** Waits for the next event until `deadline_us` (monotonic); WR_EVENT_NONE when it has passed. */
void wr_deadwalk_wait(struct wr_broker *broker, int64_t deadline_us, struct wr_event *out);

#endif
