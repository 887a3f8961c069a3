/* SPDX-License-Identifier: MIT */
/*
 * The subscription: the consuming connection and all sources on it, kept alive. It knows what is
 * gone (the connection, one channel, one consumer) and brings back just that.
 *
 * Threads: the consumer's, but for what says otherwise.
 */
#ifndef WR_ENGINE_SUBSCRIPTION_H
#define WR_ENGINE_SUBSCRIPTION_H

#include "engine/connection.h"
#include "engine/counters.h"
#include "engine/source.h"

struct wr_subscription_options {
    struct wr_broker_options broker;
    struct wr_counters *counters;
    struct wr_source *sources; /* borrowed; opened and closed here */
    size_t source_count;
    /* Declares or checks the topology; in a step, or on a dial's thread, and then no step does. */
    warren_status (*prepare)(void *user, struct wr_broker *broker, warren_error *err);
    void *user;
    /* Told after an epoch has ended: its jobs that have not started should not. */
    void (*lost)(void *owner);
    void *owner;
};

struct wr_subscription {
    struct wr_subscription_options options;
    struct wr_connection connection;
    uint32_t epochs;           /* how many there were */
    atomic_bool is_complete;   /* every queue is consumed */
    atomic_bool wants_prepare; /* something of the topology seems to be missing */
    int prepare_failures;
    int64_t prepare_due_us; /* not before */
    size_t next_look;       /* at which source */
    int64_t look_due_us;
    bool may_look;   /* the broker lets us ask for depths */
    bool is_resting; /* its consumers were cancelled until it is woken */
    bool has_grown;  /* sources were added while a dial was under way */
    bool has_ended;  /* its consumers were cancelled: nothing is brought back any more */
};

/** On a connection that is open and prepared (taken), or NULL: it opens one when it first can. */
void wr_subscription_init(struct wr_subscription *sub,
                          const struct wr_subscription_options *options, struct wr_broker *broker);

/** Consumes from every source for the first time. What the broker refuses ends it; a connection that
 * is lost meanwhile comes back in the next steps. */
warren_status wr_subscription_begin(struct wr_subscription *sub, int64_t now_us, warren_error *err);

/** Brings back what is gone and due, and looks whether a silent source is a dead one. */
void wr_subscription_step(struct wr_subscription *sub, int64_t now_us);

/** When a step is needed at the latest. */
int64_t wr_subscription_deadline_us(const struct wr_subscription *sub);

/** The connection is of no more use. */
void wr_subscription_lose(struct wr_subscription *sub, int64_t now_us, const char *why);

/** The broker ended a consumer (its queue was deleted, or its leader is gone), or a channel. */
void wr_subscription_note_cancel(struct wr_subscription *sub, const struct wr_event *event,
                                 int64_t now_us);
void wr_subscription_note_channel(struct wr_subscription *sub, const struct wr_event *event,
                                  int64_t now_us);

/** Tells the broker another prefetch for a source that is consumed. False: its channel or the
 * connection was lost over it. */
bool wr_subscription_resize(struct wr_subscription *sub, struct wr_source *source,
                            uint16_t prefetch, int64_t now_us);

/** The source of a channel, NULL when it isn't one of ours. */
struct wr_source *wr_subscription_source(const struct wr_subscription *sub, uint16_t channel);

/** Sources were added behind those it has: the topology is prepared, and then they are consumed. */
void wr_subscription_extend(struct wr_subscription *sub, size_t source_count, int64_t now_us);

/** Holds one source: ends its consumer, if it has one; or consumes from it again. */
void wr_subscription_hold(struct wr_subscription *sub, struct wr_source *source, bool is_held,
                          int64_t now_us);

/** Ends all consumers for now; what they have been sent can still be settled, and a connection that is
 * lost comes back. */
void wr_subscription_rest(struct wr_subscription *sub, int64_t now_us);

/** Consumes again. */
void wr_subscription_wake(struct wr_subscription *sub);

/** Ends all consumers for good; what they have been sent can still be settled. False: lost on the
 * way. */
bool wr_subscription_cancel(struct wr_subscription *sub, int64_t now_us);

/** Says goodbye; everything is closed then. False as wr_connection_close. */
bool wr_subscription_close(struct wr_subscription *sub);

#endif
