/* SPDX-License-Identifier: MIT */
/*
 * The consumer: owns the consuming connection, its sources and their ack windows. Deliveries become
 * jobs here and are freed here; only the consumer knows delivery tags.
 *
 * Threads: settle, drain, adopt, quiet, tell, wait and the readiness may be called from any; the rest by the consumer's
 * thread, or by the owner who steps it.
 */
#ifndef WR_ENGINE_CONSUMER_H
#define WR_ENGINE_CONSUMER_H

#include "engine/charge.h"
#include "engine/counters.h"
#include "engine/live.h"
#include "engine/pool.h"
#include "engine/runner.h"
#include "engine/source.h"
#include "io/broker.h"

struct wr_consumer;

struct wr_consumer_options {
    const struct wr_settings *settings;
    const struct wr_clock *clock; /* NULL: the machine's */
    const char *name;             /* of the connection */
    struct wr_watch *watch;       /* over its connection; borrowed */
    struct wr_counters *counters;
    struct wr_charge *charge;  /* may be NULL */
    struct wr_source *sources; /* borrowed; the consumer opens and closes what is in them */
    size_t source_count;
    /* Declares or checks the topology after each connect but an adopted one, and when something of
     * it seems to be missing. On the consumer's thread or, while it waits, on a dial's. */
    warren_status (*prepare)(void *user, struct wr_broker *broker, warren_error *err);
    void *user;
};

/** Makes a consumer on a connection that is open and prepared (taken; NULL: it connects when it
 * first can). */
warren_status wr_consumer_new(struct wr_consumer **out, const struct wr_consumer_options *options,
                              struct wr_broker *broker, warren_error *err);

/** Tells where jobs go and who concludes those that no handler may see. Before the first step. */
void wr_consumer_join(struct wr_consumer *consumer, struct wr_pool *pool, struct wr_runner *runner);

/** Consumes from every source (also after a reconnect, by itself). */
warren_status wr_consumer_subscribe(struct wr_consumer *consumer, warren_error *err);

warren_status wr_consumer_start(struct wr_consumer *consumer, warren_error *err);

/** One round. Returns when the next one is due at the latest. */
int64_t wr_consumer_step(struct wr_consumer *consumer, int64_t now_us);

/** Whether a step would move something now, without time passing. The consumer's owner. */
bool wr_consumer_has_work(struct wr_consumer *consumer);

/** The runner's `settle`: any thread. `user` is the consumer. */
void wr_consumer_settle(void *user, struct warren_job *job);

/** The runner's `is_stale`: any thread. */
bool wr_consumer_is_stale(void *user, const struct warren_job *job);

/** Something of the topology seems to be missing: it is prepared again soon. Any thread. */
void wr_consumer_repair(struct wr_consumer *consumer);

/** It goes by that from now on, which must stay until the consumer is freed. Any thread. */
void wr_consumer_adopt(struct wr_consumer *consumer, const struct wr_live *live);

/** Quiet: takes no more from the broker and gives back what has not started, until it isn't quiet any
 * more; the connection stays. Any thread. */
void wr_consumer_quiet(struct wr_consumer *consumer, bool is_quiet);

/** Whether it was told to be quiet. Any thread. */
bool wr_consumer_is_quiet(const struct wr_consumer *consumer);

/** Takes no more from one of its sources, and gives back what of it has not started; or takes from it
 * again. Any thread. */
void wr_consumer_hold(struct wr_consumer *consumer, struct wr_source *source, bool is_held);

/** Tells the log what its connection and its sources are at. Any thread; soon. */
void wr_consumer_tell(struct wr_consumer *consumer);

/** Starts no job any more, at once; takes no more from the broker and gives back what has not started,
 * soon. Any thread. */
void wr_consumer_drain(struct wr_consumer *consumer);

/** Waits until every job is settled and acknowledged; false when `timeout_us` passed first. After
 * drain. */
bool wr_consumer_wait_drained(struct wr_consumer *consumer, int64_t timeout_us);

/** Whether every source is being consumed and no drain has begun. */
bool wr_consumer_is_ready(const struct wr_consumer *consumer);

/** Ends the thread and the connection (`politely`: with a goodbye, which may take a second); what is
 * unsettled stays unacknowledged. Settles that come later are taken in silence until the consumer is
 * freed. False: an opening of a connection still hangs, and what the consumer borrows must stay. */
bool wr_consumer_stop(struct wr_consumer *consumer, bool politely);

/** Frees, with the jobs that came home after the stop. NULL is fine. */
void wr_consumer_free(struct wr_consumer *consumer);

#endif
