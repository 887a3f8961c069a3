/* SPDX-License-Identifier: MIT */
/*
 * A watch over one thing that can get stuck in somebody else's code: its owner says until when it
 * should be through, and how it can be cut off; a watchdog (or whoever wants an end) cuts it when
 * it is late. The owner is not interrupted: a cut makes the call that it is stuck in return.
 *
 * Threads: begin and end by the owner, at the price of a clock read and a store; set and clear by
 * the owner; look and cut by any other. A cut never meets what was cleared.
 */
#ifndef WR_BASE_WATCH_H
#define WR_BASE_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wr_watch {
    const char *role; /* for log lines; borrowed */
    _Atomic int64_t deadline_us;
    _Atomic int64_t begun_us; /* when its owner last began; 0: never */
    pthread_mutex_t lock;
    void (*cut)(void *what); /* under lock; NULL: nothing to cut now */
    void *what;
};

void wr_watch_init(struct wr_watch *watch, const char *role);
void wr_watch_done(struct wr_watch *watch);

/** Says what a cut does from now on: `cut(what)`, which may be called by any thread and must not
 * wait. */
void wr_watch_set(struct wr_watch *watch, void (*cut)(void *what), void *what);

/** From here on there is nothing to cut. */
void wr_watch_clear(struct wr_watch *watch);

/** The owner should be through `limit_us` from now; called again, it has that long anew. */
void wr_watch_begin(struct wr_watch *watch, int64_t limit_us);

/** When the owner last began a round, monotonic; 0: never. Any thread. */
int64_t wr_watch_begun_us(const struct wr_watch *watch);

/** It is through. */
void wr_watch_end(struct wr_watch *watch);

/** Cuts if the owner is late; true if so. One time is said only once. */
bool wr_watch_look(struct wr_watch *watch, int64_t now_us);

/** Cuts now, if there is anything to cut. */
void wr_watch_cut(struct wr_watch *watch);

#endif
