/* SPDX-License-Identifier: MIT */
/*
 * A source: one queue at the broker that the consumer takes from, with its channel, its ack window
 * and the lanes that its jobs go to. A source comes and goes by itself: its queue may be deleted and
 * its channel closed while all others go on.
 *
 * Threads: set before the start; then owned by the consumer thread, but for `epoch` and what is
 * counted, which any thread may read, and its state.
 */
#ifndef WR_ENGINE_SOURCE_H
#define WR_ENGINE_SOURCE_H

#include <stdatomic.h>

#include "engine/acks.h"
#include "engine/counters.h"
#include "engine/lane.h"
#include "engine/prefetch.h"
#include "io/broker.h"
#include "model/job.h"

/** What is counted of a source. Written by the consumer's thread, the dead letters by any; read by
 * any. */
struct wr_source_counts {
    _Atomic uint64_t first;     /* deliveries */
    _Atomic uint64_t again;     /* those of what was delivered before */
    _Atomic uint64_t in_flight; /* now */
    _Atomic uint64_t prefetch;  /* now */
    _Atomic uint64_t dead[WR_REASONS];
};

enum wr_source_state {
    WR_SOURCE_CLOSED, /* no channel */
    WR_SOURCE_IDLE,   /* a channel, but the broker sends nothing: what it sent can be settled */
    WR_SOURCE_CONSUMING
};

struct wr_source {
    char *name;       /* of the queue at the broker */
    bool is_isolated; /* of one type, which has threads of its own */
    bool is_leftover; /* an earlier configuration's queue, which may be deleted once it is empty */
    atomic_bool is_absent;  /* such a one that the broker lacks: not taken from; a dial's says so */
    atomic_bool wants_hold; /* told by any thread: is_held is to be that */
    bool is_held;           /* paused: not taken from either, until that is taken back */
    size_t queue_number;    /* of the configured queue, from 0 */
    uint16_t channel;
    struct wr_prefetch prefetch;
    unsigned resizes; /* each has a consumer tag of its own: see wr_source_resize */
    struct wr_job_rules rules;
    struct wr_lane *
        *lanes; /* of the configured queue, sorted by type; shared with its other sources */
    size_t lane_count;

    struct wr_source_counts counts;
    struct wr_tally strangers; /* jobs of types that the queue doesn't know */

    _Atomic enum wr_source_state state;
    struct wr_acks acks;
    unsigned settles; /* frames that settle something, none 5 s after another: wr_source_conclude */
    int64_t settled_us;     /* when the last of them was sent */
    _Atomic uint32_t epoch; /* of the channel, unlike any other: a job from another one is stale;
                               0: no channel */
    int failures;           /* tries in a row that did not get it to consume */
    int64_t next_try_us;
    int64_t opened_us; /* when it began to consume */
    int64_t full_us;   /* when its window last had no room */
    int64_t heard_us;  /* when a delivery last came, or it began to consume */
    bool is_suspected; /* jobs were ready at the last look, and none has come since */
    bool has_hinted;   /* about the broker's consumer timeout */
};

/** Whether it is to be taken from. */
static inline bool wr_source_is_wanted(const struct wr_source *source)
{
    return !source->is_absent && !source->is_held;
}

/** The lane of a type, NULL when the queue doesn't know it. */
struct wr_lane *wr_source_lane(const struct wr_source *source, struct wr_slice type);

/** Sorts lanes for wr_source_lane. */
void wr_source_sort(struct wr_lane **lanes, size_t count);

/** How many of its jobs can run at once, and of how many types they are. */
int wr_source_slots(const struct wr_source *source, int shared_limit, size_t *out_types);

/** Opens its channel if need be, as that epoch, and consumes. NOT_FOUND, REFUSED …: the broker has
 * closed the channel over it, and so the source is closed. */
warren_status wr_source_open(struct wr_source *source, struct wr_broker *broker, uint32_t epoch,
                             int64_t now_us, warren_error *err);

/** Sends the acknowledgements that have become possible; returns when more will be. */
int64_t wr_source_flush(struct wr_source *source, struct wr_broker *broker, int64_t now_us);

/** Tells the broker another prefetch: a second consumer with it takes the first one's place, and what
 * that was sent stays open. Errors as wr_source_open; the channel's end is the caller's to note. */
warren_status wr_source_resize(struct wr_source *source, struct wr_broker *broker,
                               uint16_t prefetch, warren_error *err);

/** Ends its consumer. */
warren_status wr_source_cancel(const struct wr_source *source, struct wr_broker *broker,
                               warren_error *err);

/** Whether that is the tag of its consumer (and not of one that it has replaced). */
bool wr_source_has_tag(const struct wr_source *source, const char *tag);

/** Its queue is gone. What it sent is never acknowledged, and runs on: by then there may be another queue
 * of that name, to whose messages such an acknowledgement would go. */
void wr_source_abandon(struct wr_source *source, struct wr_broker *broker);

/** A frame that settles something was sent on its channel. */
void wr_source_note_settle(struct wr_source *source);

/**
 * Before its channel is closed and when nothing of it runs any more: has a quorum queue carry out all
 * that was settled. Of more than 32 commands that a channel has not seen carried out, RabbitMQ (3.10 and
 * 4.x) keeps the later ones back, and forgets them when the channel closes: what was acknowledged would
 * run again. A consumer that comes and goes makes it wait for the queue. It may be sent one job, which
 * goes back with the channel. False if the broker refused, or was lost.
 */
bool wr_source_conclude(struct wr_source *source, struct wr_broker *broker);

/** Forgets its channel, which is gone: what it delivered is stale. */
void wr_source_forget(struct wr_source *source);

/** A delivery has come and stands in the window. */
void wr_source_note_delivery(struct wr_source *source, int64_t now_us);

/** Whether the broker could send it something now: its window has room. */
bool wr_source_has_room(const struct wr_source *source);

#endif
