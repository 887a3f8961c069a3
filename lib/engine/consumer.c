// SPDX-License-Identifier: MIT
// DESIGN: one thread, one connection, one channel a source. A round takes everything the
// socket has, hands the new jobs over in batches, takes settled jobs from the mailbox, and sends
// the acknowledgements that have become possible. While something moves the next round comes by
// itself (`wait`); now and then the prefetch is fitted to what the jobs take (`adapt`).
//
//     broker ──next──▶ decode ──▶ batch ──▶ pool ──▶ runner
//     broker ◀── ack window ◀──mailbox── settle ◀───────┘
//
// How a job is made and leaves is in consumer_jobs.c. Each channel that is opened is an epoch
// (subscription.c): a job that comes home from an older one is dropped, since the broker has given it
// to somebody else by then, and one that has not started when its channel breaks is dropped at once.
// A drain cancels the consumers, gives back what has not started, and is over when no job is out.
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/consumer_state.h"

enum { EVENTS_A_ROUND = 2048, STEP_MOST_US = 1000000, WATCH_EVERY_US = 1000000 };
enum { ADAPT_EVERY_US = 20000, ALIVE_US = 5000000, ROUSE_EVERY_US = 5000 };
enum { BATCH_MOST = 64 };
/* How long settled jobs may gather. In a flood the window is filled anew while the thread sleeps. */
enum {
    NAP_LEAST_US = 100,
    NAP_US = 500,
    NAP_US_A_JOB = 2,
    FLOOD_NAP_US = 600,
    FLOOD_NAP_US_A_JOB = 4
};
enum { STOP_GRACE_US = 300000 }; /* for a thread to end before its connection is cut */
enum { CONCLUDE_MOST_US = 1000000 };

/* What has not started goes with its channel: running it too would double it for certain. */
static bool still_stands(void *user, const struct warren_job *job)
{
    (void)user;
    return !wr_consumer_has_lost(job);
}

static void forget_lost(void *user)
{
    (void)wr_consumer_give_back(user, still_stands, NULL);
}

/* --- events --- */

static void handle(struct wr_consumer *consumer, struct wr_event *event, int64_t now_us)
{
    switch (event->kind) {
    case WR_EVENT_DELIVERY:
    case WR_EVENT_OVERSIZED:
    case WR_EVENT_MALFORMED:
        wr_consumer_receive(consumer, event, now_us);
        break;
    case WR_EVENT_CANCELLED:
        wr_subscription_note_cancel(&consumer->sub, event, now_us);
        break;
    case WR_EVENT_CHANNEL_CLOSED:
        wr_subscription_note_channel(&consumer->sub, event, now_us);
        break;
    case WR_EVENT_CLOSED:
        wr_subscription_lose(&consumer->sub, now_us, event->text);
        break;
    case WR_EVENT_RETURNED:
        wr_delivery_free(event->delivery);
        break;
    case WR_EVENT_NONE:
    case WR_EVENT_ACKED:
    case WR_EVENT_NACKED:
    case WR_EVENT_BLOCKED: /* nothing is published here: taking and acknowledging go on */
    case WR_EVENT_UNBLOCKED:
        break;
    }
}

static void hand_over(struct wr_consumer *consumer)
{
    if (consumer->batch.first) {
        consumer->has_moved = true;
        size_t count = consumer->batch.length;
        wr_tide_note(&consumer->tide, count, wr_pool_push(consumer->pool, &consumer->batch));
    }
}

static void take_events(struct wr_consumer *consumer, int64_t now_us)
{
    consumer->wall_ms = wr_clock_wall_ms(consumer->options.clock);
    WR_UNCLEARED struct wr_event event;
    for (int i = 0; i < EVENTS_A_ROUND && consumer->sub.connection.broker; i++) {
        wr_broker_next(consumer->sub.connection.broker, &event);
        if (event.kind == WR_EVENT_NONE) {
            break;
        }
        handle(consumer, &event, now_us);
        if (consumer->batch.length >= BATCH_MOST) { /* the first needn't wait for the last */
            hand_over(consumer);
        }
    }
    atomic_store_explicit(&consumer->options.counters->in_flight, consumer->out,
                          memory_order_relaxed);
    hand_over(consumer);
}

/* --- settling --- */

static void take_settled(struct wr_consumer *consumer, int64_t now_us)
{
    struct wr_list settled = wr_mailbox_take(&consumer->settled);
    for (struct wr_link *link; (link = wr_list_take(&settled));) {
        wr_consumer_take_home(consumer, WR_OF(link, struct warren_job, link), now_us);
    }
}

static int64_t flush_acks(struct wr_consumer *consumer, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < consumer->options.source_count && consumer->sub.connection.broker; i++) {
        struct wr_source *source = &consumer->options.sources[i];
        int64_t deadline_us = wr_source_flush(source, consumer->sub.connection.broker, now_us);
        next_us = deadline_us < next_us ? deadline_us : next_us;
    }
    return next_us;
}

/* --- prefetch --- */

static void adapt_source(struct wr_consumer *consumer, struct wr_source *source, int64_t now_us)
{
    uint16_t before = source->prefetch.now;
    int slots = source->is_isolated
                    ? source->prefetch.slots_most
                    : wr_pool_slots(consumer->pool, source->lanes, source->lane_count);
    uint16_t wanted = wr_prefetch_wanted(&source->prefetch, slots, now_us);
    bool is_told =
        wanted != before && wr_subscription_resize(&consumer->sub, source, wanted, now_us);
    if (is_told && wanted < before) {
        wr_consumer_keep(consumer, source, wanted);
    }
}

static void adapt(struct wr_consumer *consumer, int64_t now_us)
{
    uint64_t sum = 0;
    consumer->next_adapt_us = now_us + ADAPT_EVERY_US;
    if (consumer->out) { /* also when others come home all the time */
        (void)wr_pool_rouse(consumer->pool);
    }
    for (size_t i = 0; i < consumer->options.source_count; i++) {
        struct wr_source *source = &consumer->options.sources[i];
        bool is_alive = source->state == WR_SOURCE_CONSUMING &&
                        now_us - source->heard_us < ALIVE_US; /* or the broker may not answer */
        if (is_alive && wr_prefetch_is_due(&source->prefetch, now_us)) {
            adapt_source(consumer, source, now_us);
        }
        uint64_t prefetch = source->state == WR_SOURCE_CONSUMING ? source->prefetch.now : 0;
        atomic_store_explicit(&source->counts.prefetch, prefetch, memory_order_relaxed);
        sum += prefetch;
    }
    atomic_store_explicit(&consumer->options.counters->prefetch, sum, memory_order_relaxed);
}

/* --- draining --- */

static void begin_drain(struct wr_consumer *consumer, int64_t now_us)
{
    consumer->is_draining = true;
    (void)wr_subscription_cancel(&consumer->sub, now_us);
    size_t given_back = wr_consumer_give_all_back(consumer);
    wr_log(WR_INFO, "drain.begin", "running=%d given_back=%zu",
           wr_pool_counts(consumer->pool).running, given_back);
}

static void note_drained(struct wr_consumer *consumer)
{
    WR_SCOPED_LOCK(&consumer->end_lock);
    consumer->is_drained = true;
    (void)pthread_cond_broadcast(&consumer->has_drained);
}

/* Nothing has come home for a moment, though jobs are out: are others held up behind a long one? */
static void rouse(struct wr_consumer *consumer, int64_t now_us)
{
    if (consumer->has_come_home) {
        consumer->has_come_home = false;
        consumer->quiet_us = now_us;
    } else if (now_us - consumer->quiet_us >= NAP_US) {
        (void)wr_pool_rouse(consumer->pool);
        consumer->quiet_us = now_us + ROUSE_EVERY_US - NAP_US;
    }
}

static int64_t step(struct wr_consumer *consumer, int64_t now_us)
{
    consumer->has_moved = false;
    consumer->quiet_us = consumer->out ? consumer->quiet_us : now_us; /* a lull is no quiet */
    wr_subscription_step(&consumer->sub, now_us);
    take_events(consumer, now_us); /* first: a lost connection makes what comes home stale */
    take_settled(consumer, now_us);
    wr_consumer_obey(consumer, now_us);
    if (atomic_load(&consumer->wants_drain) && !consumer->is_draining) {
        begin_drain(consumer, now_us);
    }
    rouse(consumer, now_us);
    if (now_us >= consumer->next_watch_us) {
        wr_pool_watch(consumer->pool);
        wr_lateness_tell(&consumer->lateness, now_us);
        consumer->next_watch_us = now_us + WATCH_EVERY_US;
    }
    if (now_us >= consumer->next_adapt_us && !atomic_load(&consumer->wants_drain)) {
        adapt(consumer, now_us);
    }
    wr_tide_turn(&consumer->tide, now_us);
    int64_t next_us = flush_acks(consumer, now_us);
    if (consumer->is_draining && consumer->out == 0) {
        note_drained(consumer);
    }
    int64_t sub_us = wr_subscription_deadline_us(&consumer->sub);
    next_us = sub_us < next_us ? sub_us : next_us;
    return next_us < now_us + STEP_MOST_US ? next_us : now_us + STEP_MOST_US;
}

int64_t wr_consumer_step(struct wr_consumer *consumer, int64_t now_us)
{
    wr_connection_begin(&consumer->sub.connection);
    int64_t next_us = step(consumer, now_us);
    wr_connection_end(&consumer->sub.connection);
    return next_us;
}

/* A small window is empty soon, and the broker sends nothing before it hears of what is done. */
static int64_t nap_us(const struct wr_consumer *consumer, int64_t us_a_job, int64_t most_us)
{
    int64_t wanted_us = us_a_job * (int64_t)wr_counted(&consumer->options.counters->prefetch);
    wanted_us = wanted_us > NAP_LEAST_US ? wanted_us : NAP_LEAST_US;
    return wanted_us < most_us ? wanted_us : most_us;
}

/* To be woken by each job that is done would cost more than many a job. So while jobs are out and
 * something moves, the thread looks by itself. When nothing came of that for once, it sleeps in earnest,
 * and the next job that is done wakes it at once; and in a trickle each does, or its acknowledgement
 * would be late. */
static void wait(struct wr_consumer *consumer, int64_t until_us)
{
    struct wr_connection *connection = &consumer->sub.connection;
    if (consumer->tide.is_flood && !consumer->is_draining) {
        wr_clock_pass_us(nap_us(consumer, FLOOD_NAP_US_A_JOB, FLOOD_NAP_US));
        return;
    }
    bool looks_again = consumer->out && (consumer->has_moved || wr_pool_rouse(consumer->pool));
    int64_t nap = nap_us(consumer, NAP_US_A_JOB, NAP_US);
    if (looks_again && !consumer->tide.is_trickle) {
        wr_connection_nap(connection, nap);
        return;
    }
    int64_t look_us = wr_clock_mono_us(NULL) + nap;
    wr_connection_wait(connection, &consumer->settled,
                       looks_again && look_us < until_us ? look_us : until_us);
}

static void *loop(void *user)
{
    struct wr_consumer *consumer = user;
    int64_t until_us = 0;
    while (!atomic_load(&consumer->stops)) {
        wait(consumer, until_us);
        until_us = wr_consumer_step(consumer, wr_clock_mono_us(consumer->options.clock));
    }
    return NULL;
}

/* --- life --- */

static void make_subscription(struct wr_consumer *consumer, struct wr_broker *broker)
{
    const struct wr_consumer_options *options = &consumer->options;
    struct wr_subscription_options sub = {
        .broker = { .settings = &options->settings->broker,
                    .name = options->name,
                    .clock = options->clock,
                    .body_most = options->settings->body_most,
                    .watch = options->watch },
        .counters = options->counters,
        .sources = options->sources,
        .source_count = options->source_count,
        .prepare = options->prepare,
        .user = options->user,
        .lost = forget_lost,
        .owner = consumer,
    };
    wr_subscription_init(&consumer->sub, &sub, broker);
}

warren_status wr_consumer_new(struct wr_consumer **out, const struct wr_consumer_options *options,
                              struct wr_broker *broker, warren_error *err)
{
    struct wr_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer) {
        return wr_no_memory(err);
    }
    warren_status rc = wr_mailbox_init(&consumer->settled, err);
    if (rc) {
        free(consumer);
        return rc;
    }
    consumer->options = *options;
    consumer->lateness.counters = options->counters;
    (void)pthread_mutex_init(&consumer->end_lock, NULL);
    wr_cond_init(&consumer->has_drained);
    make_subscription(consumer, broker);
    *out = consumer;
    return WARREN_OK;
}

void wr_consumer_join(struct wr_consumer *consumer, struct wr_pool *pool, struct wr_runner *runner)
{
    consumer->pool = pool;
    consumer->runner = runner;
}

warren_status wr_consumer_subscribe(struct wr_consumer *consumer, warren_error *err)
{
    int64_t now_us = wr_clock_mono_us(consumer->options.clock);
    wr_consumer_obey(consumer, now_us); /* what is paused by now isn't taken from at all */
    return wr_subscription_begin(&consumer->sub, now_us, err);
}

warren_status wr_consumer_start(struct wr_consumer *consumer, warren_error *err)
{
    return wr_thread_start(&consumer->thread, "warren-consume", WR_STACK_IO, loop, consumer, err);
}

bool wr_consumer_has_work(struct wr_consumer *consumer)
{
    const struct wr_broker *broker = consumer->sub.connection.broker;
    return !wr_mailbox_is_empty(&consumer->settled) || (broker && wr_broker_has_more(broker)) ||
           (atomic_load(&consumer->wants_drain) && !consumer->is_draining) ||
           wr_consumer_has_orders(consumer);
}

void wr_consumer_settle(void *user, struct warren_job *job)
{
    struct wr_consumer *consumer = user;
    (void)wr_mailbox_push(&consumer->settled, &job->link); /* is never closed */
}

bool wr_consumer_is_stale(void *user, const struct warren_job *job)
{
    (void)user;
    return wr_consumer_has_lost(job);
}

void wr_consumer_repair(struct wr_consumer *consumer)
{
    if (!atomic_exchange(&consumer->sub.wants_prepare, true)) {
        wr_mailbox_poke(&consumer->settled);
    }
}

/* Nothing starts from here on, also while the consumer's thread is in a call. */
void wr_consumer_drain(struct wr_consumer *consumer)
{
    wr_pool_drain(consumer->pool);
    atomic_store(&consumer->wants_drain, true);
    wr_mailbox_poke(&consumer->settled);
}

bool wr_consumer_wait_drained(struct wr_consumer *consumer, int64_t timeout_us)
{
    int64_t until_us = wr_clock_mono_us(NULL) + timeout_us;
    WR_SCOPED_LOCK(&consumer->end_lock);
    while (!consumer->is_drained) {
        int64_t left_us = until_us - wr_clock_mono_us(NULL);
        if (left_us <= 0) {
            return false;
        }
        (void)wr_cond_wait(&consumer->has_drained, &consumer->end_lock, left_us);
    }
    return true;
}

bool wr_consumer_is_ready(const struct wr_consumer *consumer)
{
    return atomic_load(&consumer->sub.is_complete);
}

/* A thread that is in a call meanwhile gets a moment; then its connection is cut under it. */
static void end_thread(struct wr_consumer *consumer)
{
    if (!consumer->thread.started) {
        return;
    }
    atomic_store(&consumer->stops, true);
    wr_mailbox_poke(&consumer->settled);
    if (!wr_thread_join_within(&consumer->thread, STOP_GRACE_US)) {
        wr_watch_cut(consumer->options.watch);
        wr_thread_join(&consumer->thread);
    }
}

/* What was acknowledged last stays so, also when the broker is busy; but a stop doesn't wait for one
 * that is busier than that, and some jobs may run again then. */
static void conclude(struct wr_consumer *consumer)
{
    struct wr_connection *connection = &consumer->sub.connection;
    int64_t until_us = wr_clock_mono_us(NULL) + CONCLUDE_MOST_US;
    bool is_well = connection->broker != NULL;
    wr_watch_begin(consumer->options.watch, CONCLUDE_MOST_US);
    for (size_t i = 0; i < consumer->options.source_count && is_well; i++) {
        is_well = wr_source_conclude(&consumer->options.sources[i], connection->broker) &&
                  wr_clock_mono_us(NULL) < until_us;
    }
    wr_connection_end(connection);
}

bool wr_consumer_stop(struct wr_consumer *consumer, bool politely)
{
    end_thread(consumer);
    take_settled(consumer, 0); /* what came after the last round is acknowledged too */
    (void)flush_acks(consumer, INT64_MAX / 2);
    if (politely) {
        conclude(consumer);
    } else {
        wr_watch_cut(consumer->options.watch);
    }
    return wr_subscription_close(&consumer->sub);
}

void wr_consumer_free(struct wr_consumer *consumer)
{
    if (!consumer) {
        return;
    }
    (void)wr_consumer_stop(consumer, true);
    take_settled(consumer, 0);
    wr_mailbox_done(&consumer->settled);
    (void)pthread_cond_destroy(&consumer->has_drained);
    (void)pthread_mutex_destroy(&consumer->end_lock);
    free(consumer);
}
