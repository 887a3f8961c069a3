/* SPDX-License-Identifier: MIT */
/*
 * An ack window: which deliveries of one channel are settled, and which acknowledgements that
 * makes. Tags come in order from 1; they are settled in any order. `multiple` is sent only up to a
 * tag below which everything is settled: when these are a quarter of the window, else within a
 * millisecond, and not much more often than that (pace.h). What is settled behind an unsettled one is
 * sent singly after 50 ms, at once when these are a quarter of the window, and at that pace while the
 * window is full.
 *
 * Threads: owned by the consumer thread. Pure: `now` is an argument.
 */
#ifndef WR_ENGINE_ACKS_H
#define WR_ENGINE_ACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"

#define WR_ACKS_GATHER_US 1000
#define WR_ACKS_STRAGGLER_US 50000

struct wr_acks {
    uint8_t *states;     /* ring: the state of a tag */
    int64_t *settled_us; /* ring: since when it is settled */
    size_t capacity;     /* a power of two */
    uint64_t first;      /* the lowest tag that isn't gone */
    uint64_t next;       /* the tag after the highest delivered one */
    size_t window;       /* how many may be unacknowledged: the prefetch */
    int64_t gather_us;   /* the pace of acknowledgements */
    size_t open;         /* neither acknowledged nor forgotten */
    size_t settled;      /* settled and not yet acknowledged */
    int64_t since_us;    /* since when the oldest such one is; valid while settled > 0 */
    int64_t due_us;      /* when one may be acknowledged that is not a quarter of the window */
};

/** Sends one acknowledgement. */
typedef void wr_acks_send(void *user, uint64_t tag, bool multiple);

/** Starts empty, for a fresh channel. `gather_us`: WR_ACKS_GATHER_US, or 0 where an acknowledgement
 * costs nothing. */
warren_status wr_acks_init(struct wr_acks *acks, size_t window, int64_t gather_us);
void wr_acks_done(struct wr_acks *acks);

/** A delivery has come. NO_MEMORY when the ring can't grow. INVALID: not the next tag. */
warren_status wr_acks_deliver(struct wr_acks *acks, uint64_t tag);

/** A delivery is settled: it is to be acknowledged. One that isn't open (never delivered, settled or
 * forgotten before) is ignored: an acknowledgement of it would close the channel. */
void wr_acks_settle(struct wr_acks *acks, uint64_t tag, int64_t now_us);

/** An open delivery is to be answered in another way (nack, reject). False: it isn't open, so it must
 * not be answered. */
bool wr_acks_forget(struct wr_acks *acks, uint64_t tag);

/** All that is not acknowledged yet never will be. Gives the last such tag, 0: there is none. */
uint64_t wr_acks_abandon(struct wr_acks *acks);

/** Sends what is to be sent now. */
void wr_acks_flush(struct wr_acks *acks, int64_t now_us, wr_acks_send *send, void *user);

/** When wr_acks_flush has something to send at the latest; INT64_MAX: nothing is pending. */
int64_t wr_acks_deadline_us(const struct wr_acks *acks);

/** From now on so many may be unacknowledged. */
void wr_acks_resize(struct wr_acks *acks, size_t window);

/** How many deliveries are neither acknowledged nor forgotten. */
size_t wr_acks_open(const struct wr_acks *acks);

#endif
