// SPDX-License-Identifier: MIT
// DESIGN: the jobs of a consumer. One is born in `take_delivery`, of a delivery that it owns from then
// on, and freed in `free_job`: when it comes home with a verdict, or when it is given back before it
// has started. A job whose channel is gone leaves without a word to the broker, which has given it to
// somebody else by then.
#include "base/error.h"
#include "base/log.h"
#include "engine/consumer_state.h"

static void free_job(struct wr_consumer *consumer, struct warren_job *job)
{
    struct wr_source *source = job->source;
    consumer->out--;
    wr_count_alone(&source->counts.in_flight, -1);
    consumer->has_moved = true;
    consumer->has_come_home = true;
    atomic_store_explicit(&consumer->options.counters->in_flight, consumer->out,
                          memory_order_relaxed);
    wr_delivery_free(job->delivery);
    wr_job_free(job);
}

bool wr_consumer_has_lost(const struct warren_job *job)
{
    const struct wr_source *source = job->source;
    return atomic_load(&source->epoch) != job->generation;
}

/* --- deliveries --- */

/* Of a queue that is gone by now the broker wants to hear nothing. */
static void nack(struct wr_consumer *consumer, struct wr_source *source, uint64_t tag, bool requeue)
{
    if (wr_acks_forget(&source->acks, tag)) {
        wr_source_note_settle(source);
        (void)wr_broker_nack(consumer->sub.connection.broker, source->channel, tag, false, requeue);
    }
}

static void find_lane(const struct wr_source *source, struct warren_job *job)
{
    struct wr_lane *lane = job->reason ? NULL : wr_source_lane(source, job->type);
    if (lane) {
        job->lane = lane;
        job->settings = lane->settings;
        return;
    }
    wr_job_condemn(job, "unknown_type", "queue %s has no job type \"%.*s\"",
                   source->rules.queue->name, WR_SLICE(job->type));
}

static void take_delivery(struct wr_consumer *consumer, struct wr_source *source,
                          struct wr_delivery *delivery, int64_t now_us)
{
    int64_t wall_ms = consumer->wall_ms;
    struct warren_job *job = wr_job_decode(&delivery->message, &source->rules, wall_ms);
    if (!job) {
        nack(consumer, source, delivery->tag, true);
        wr_delivery_free(delivery);
        return;
    }
    job->delivery = delivery;
    job->tag = delivery->tag;
    job->redelivered = delivery->redelivered;
    job->source = source;
    job->generation = atomic_load(&source->epoch);
    job->wall_ahead_us = wall_ms * WR_US_PER_MS - now_us;
    consumer->out++;
    wr_count_alone(&source->counts.in_flight, 1);
    wr_lateness_note(&consumer->lateness, job, wall_ms, now_us);
    find_lane(source, job);
    if (job->redelivered) {
        wr_charge_look(consumer->options.charge, job);
    }
    if (job->reason) {
        wr_runner_conclude(consumer->runner, job);
    } else {
        wr_list_push(&consumer->batch, &job->link);
    }
}

/* What isn't even read: the broker takes it to the dead queue. */
static void reject(struct wr_consumer *consumer, struct wr_source *source,
                   const struct wr_event *event)
{
    const char *reason = event->kind == WR_EVENT_OVERSIZED ? "body_too_large" : "bad_properties";
    struct wr_tally_shard *shard = wr_tally_shard(&source->strangers, 0);
    char queue[WR_LOG_WORD_SIZE];
    wr_log(WR_WARN, "delivery.rejected", "queue=%s cause=%s bytes=%llu",
           wr_log_word(queue, sizeof queue, source->name), reason, (unsigned long long)event->size);
    if (shard) {
        wr_count(&shard->outcomes[WR_OUTCOME_DEAD]);
    }
    wr_count(&source->counts.dead[wr_reason_find(reason)]);
    nack(consumer, source, event->tag, false);
}

void wr_consumer_receive(struct wr_consumer *consumer, struct wr_event *event, int64_t now_us)
{
    struct wr_source *source = wr_subscription_source(&consumer->sub, event->channel);
    struct wr_counters *counters = consumer->options.counters;
    if (!source || source->state == WR_SOURCE_CLOSED ||
        wr_acks_deliver(&source->acks, event->tag)) {
        wr_delivery_free(event->delivery);
        wr_subscription_lose(&consumer->sub, now_us, "a delivery out of order");
        return;
    }
    bool is_again = event->kind == WR_EVENT_DELIVERY && event->delivery->redelivered;
    wr_count_alone(is_again ? &source->counts.again : &source->counts.first, 1);
    wr_source_note_delivery(source, now_us);
    if (event->kind != WR_EVENT_DELIVERY) {
        reject(consumer, source, event);
    } else if (consumer->is_draining || consumer->is_quiet || source->is_held) {
        wr_count(&counters->given_back);
        nack(consumer, source, event->tag, true);
        wr_delivery_free(event->delivery);
    } else {
        take_delivery(consumer, source, event->delivery, now_us);
    }
}

/* --- leaving --- */

/* What the automatic prefetch goes by. */
static void note_size(struct wr_source *source, const struct warren_job *job)
{
    const struct wr_lane *lane = job->lane;
    const struct wr_delivery *delivery = job->delivery;
    if (lane) {
        wr_prefetch_note(&source->prefetch, wr_lane_run_ns(lane), delivery->bytes);
    }
}

void wr_consumer_take_home(struct wr_consumer *consumer, struct warren_job *job, int64_t now_us)
{
    struct wr_source *source = job->source;
    if (wr_consumer_has_lost(job)) {
        wr_count(&consumer->options.counters->stale);
    } else if (job->settle == WR_SETTLE_ACK) {
        wr_acks_settle(&source->acks, job->tag, now_us);
        note_size(source, job);
        wr_connection_prove(&consumer->sub.connection);
        wr_charge_settled(consumer->options.charge, job);
    } else if (job->settle == WR_SETTLE_REQUEUE) {
        nack(consumer, source, job->tag, true);
    }
    free_job(consumer, job);
}

size_t wr_consumer_give_back(struct wr_consumer *consumer,
                             bool (*stays)(void *user, const struct warren_job *job), void *user)
{
    struct wr_list unstarted = wr_pool_take_back(consumer->pool);
    struct wr_list kept = { 0 };
    size_t count = 0;
    wr_list_append(&unstarted, &consumer->batch);
    for (struct wr_link *link; (link = wr_list_take(&unstarted));) {
        struct warren_job *job = WR_OF(link, struct warren_job, link);
        if (stays(user, job)) {
            wr_list_push(&kept, link);
            continue;
        }
        if (!wr_consumer_has_lost(job)) {
            nack(consumer, job->source, job->tag, true);
        }
        wr_count(&consumer->options.counters->given_back);
        free_job(consumer, job);
        count++;
    }
    (void)wr_pool_push(consumer->pool, &kept);
    return count;
}

/* So many of one source stay, and all of the others. */
struct share {
    const struct wr_source *source; /* NULL: nothing stays */
    size_t left;
};

static bool is_in_share(void *user, const struct warren_job *job)
{
    struct share *share = user;
    if (!share->source) {
        return false;
    }
    bool stays = job->source != share->source || share->left;
    share->left -= job->source == share->source && share->left ? 1 : 0;
    return stays;
}

void wr_consumer_keep(struct wr_consumer *consumer, const struct wr_source *source, size_t count)
{
    (void)wr_consumer_give_back(consumer, is_in_share, &(struct share){ source, count });
}

size_t wr_consumer_give_all_back(struct wr_consumer *consumer)
{
    return wr_consumer_give_back(consumer, is_in_share, &(struct share){ NULL, 0 });
}
