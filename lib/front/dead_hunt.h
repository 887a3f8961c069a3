/* SPDX-License-Identifier: MIT */
/*
 * One call on dead letters: a walk through a dead queue with a filter and a verb. Shared by dead*.c.
 * Threads: the admin's one.
 */
#ifndef WR_FRONT_DEAD_HUNT_H
#define WR_FRONT_DEAD_HUNT_H

#include "engine/deadwalk.h"
#include "engine/replayer.h"
#include "front/admin.h"
#include "front/dead_home.h"
#include "model/letter.h"

struct wr_hunt {
    /* Set before the run. */
    warren_admin *admin;
    const warren_dead_filter *filter;
    warren_dead_visitor *visit; /* asked before each letter; NULL: nobody */
    void *user;
    bool publishes;     /* needs the replayer, and goes at the admin's pace */
    bool needs_message; /* passes over what can't be read */
    /* What becomes of a letter that matches; `message` is NULL when it can't be read. A failure goes
     * into `rc` and `err`, and ends the hunt. */
    enum wr_walk_choice (*treat)(struct wr_hunt *hunt, const struct wr_message *message,
                                 const struct wr_letter *letter);
    const void *with; /* what the verb knows, or */
    void *verb;       /* what it changes */
    warren_error *err;
    /* Of the run. */
    struct wr_letter_place place;
    struct wr_replayer replayer;
    int64_t next_us; /* when the pace allows the next one */
    size_t matched;
    size_t done; /* removed from the dead queue */
    warren_status rc;
};

/** Walks. NOT_FOUND: no such queue. STATE: someone else consumes it. Else the verb's error. */
warren_status wr_hunt_run(struct wr_hunt *hunt);

/** Sends a letter home, and waits for the confirm. The error says that it stays where it is. */
warren_status wr_hunt_replay(struct wr_hunt *hunt, struct wr_homes *homes,
                             const struct wr_message *message, const struct wr_letter *letter);

/** The same into the dead queue of a configured queue. */
warren_status wr_hunt_bury(struct wr_hunt *hunt, const char *queue,
                           const struct wr_message *message, const struct wr_letter *letter);

/** A configured queue by its own name, or by that of its dead queue; NULL when there is none. */
const struct wr_queue_settings *wr_hunt_queue(const struct wr_settings *settings,
                                              const char *wanted);

#endif
