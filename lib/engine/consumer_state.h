/* SPDX-License-Identifier: MIT */
/*
 * Private to consumer*.c: what a consumer is made of.
 *
 * - the thread: rounds, waiting, draining, life and end (consumer.c)
 * - the orders: what it is told while it runs: other settings, to be quiet (consumer_orders.c)
 * - the jobs: how one is made of a delivery, and the ways in which it leaves (consumer_jobs.c)
 *
 * Threads: the consumer's thread, or the owner who steps it, but for what is atomic or under a lock.
 */
#ifndef WR_ENGINE_CONSUMER_STATE_H
#define WR_ENGINE_CONSUMER_STATE_H

#include "base/mailbox.h"
#include "base/thread.h"
#include "engine/consumer.h"
#include "engine/lateness.h"
#include "engine/subscription.h"
#include "engine/tide.h"

struct wr_consumer {
    struct wr_consumer_options options;
    struct wr_pool *pool;
    struct wr_runner *runner;
    struct wr_mailbox settled;
    struct wr_thread thread;
    atomic_bool wants_drain;
    atomic_bool stops;
    /* Orders: taken up at the next step. */
    _Atomic(const struct wr_live *) ordered; /* NULL: nothing new */
    atomic_bool wants_quiet;
    atomic_bool wants_holding; /* some source is to be held, or not any more */
    atomic_bool wants_telling;
    /* Consumer's thread only. */
    struct wr_subscription sub;
    struct wr_lateness lateness;
    bool is_draining;
    bool is_quiet;
    bool has_moved;     /* in this round something came or went */
    bool has_come_home; /* since the pool was last roused, or looked at for that */
    int64_t quiet_us;   /* since when nothing has come home */
    struct wr_tide tide;
    int64_t wall_ms;      /* at the beginning of this round */
    size_t out;           /* jobs that are not home */
    struct wr_list batch; /* jobs of this round */
    int64_t next_watch_us;
    int64_t next_adapt_us;
    /* Under the end lock. */
    pthread_mutex_t end_lock;
    pthread_cond_t has_drained;
    bool is_drained;
};

/** Carries out what it was told meanwhile. */
void wr_consumer_obey(struct wr_consumer *consumer, int64_t now_us);

/** Whether there is something to obey. */
bool wr_consumer_has_orders(const struct wr_consumer *consumer);

/** Of what has not started, so many jobs of the source stay; the others go to whoever is idle. */
void wr_consumer_keep(struct wr_consumer *consumer, const struct wr_source *source, size_t count);

/** Gives back everything that has not started; returns how many. */
size_t wr_consumer_give_all_back(struct wr_consumer *consumer);

/** Makes a job of a delivery (kinds DELIVERY, OVERSIZED and MALFORMED), and puts it into the batch
 * unless it has its verdict already. */
void wr_consumer_receive(struct wr_consumer *consumer, struct wr_event *event, int64_t now_us);

/** A job comes home: it is settled with the broker as its `settle` says, and freed. */
void wr_consumer_take_home(struct wr_consumer *consumer, struct warren_job *job, int64_t now_us);

/** Whether the channel on which a job came is another by now. */
bool wr_consumer_has_lost(const struct warren_job *job);

/** Takes back all jobs that have not started, and gives those that don't stay to the broker (a lost
 * one is with it already). Returns how many. */
size_t wr_consumer_give_back(struct wr_consumer *consumer,
                             bool (*stays)(void *user, const struct warren_job *job), void *user);

#endif
