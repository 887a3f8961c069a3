// SPDX-License-Identifier: MIT
// DESIGN: what a running consumer is told by others. An order is a word in an atomic variable and a
// poke; the consumer's thread carries it out in its next step, between two rounds, when nothing of its
// own is half done. Of two orders of a kind the later one counts, since each says how it should be from
// now on, and not what to do.
//
//     quiet ──▶ consumers cancelled, unstarted jobs go back, running ones end and are acknowledged
//     resume ─▶ every queue consumed again, on the channels that are still open
#include "base/log.h"
#include "engine/consumer_state.h"

/* --- other settings --- */

/* A channel that is open but not consumed from hears of it when it is, and so does the next one when
 * this one is lost over it. */
static void refit(struct wr_consumer *consumer, struct wr_source *source, uint16_t wanted,
                  int64_t now_us)
{
    uint16_t before = source->prefetch.now;
    if (source->state != WR_SOURCE_CONSUMING) {
        source->prefetch.now = wanted;
        return;
    }
    if (wanted == before) {
        return;
    }
    if (!wr_subscription_resize(&consumer->sub, source, wanted, now_us)) {
        source->prefetch.now = wanted;
    } else if (wanted < before) {
        wr_consumer_keep(consumer, source, wanted);
    }
}

/* Newer settings have the same queues in the same order, and others behind them. */
static void adopt_source(struct wr_consumer *consumer, struct wr_source *source,
                         const struct wr_live *live, int64_t now_us)
{
    struct wr_job_rules *rules = &source->rules;
    size_t types = 0;
    size_t index = (size_t)(rules->queue - rules->settings->queues);
    rules->queue = &live->settings->queues[index];
    rules->settings = live->settings;
    int slots = wr_source_slots(source, live->shared_limit, &types);
    refit(consumer, source,
          wr_prefetch_refit(&source->prefetch, rules->queue->prefetch, slots, types), now_us);
}

/* New ones adopt the settings, too: they may have come with earlier ones that were replaced before this
 * step. And they may have been held before anybody here knew of them. */
static void adopt(struct wr_consumer *consumer, const struct wr_live *live, int64_t now_us)
{
    if (live->source_count > consumer->options.source_count) {
        consumer->options.source_count = live->source_count;
        wr_subscription_extend(&consumer->sub, live->source_count, now_us);
        atomic_store(&consumer->wants_holding, true);
    }
    for (size_t i = 0; i < live->source_count; i++) {
        adopt_source(consumer, &consumer->options.sources[i], live, now_us);
    }
}

/* --- quiet --- */

static void change_quiet(struct wr_consumer *consumer, bool is_quiet, int64_t now_us)
{
    consumer->is_quiet = is_quiet;
    if (!is_quiet) {
        wr_subscription_wake(&consumer->sub);
        wr_log(WR_INFO, "worker.resume", "running=%d", wr_pool_counts(consumer->pool).running);
        return;
    }
    wr_subscription_rest(&consumer->sub, now_us);
    size_t given_back = wr_consumer_give_all_back(consumer);
    wr_log(WR_INFO, "worker.quiet", "running=%d given_back=%zu",
           wr_pool_counts(consumer->pool).running, given_back);
}

/* --- holding --- */

static void change_holds(struct wr_consumer *consumer, int64_t now_us)
{
    for (size_t i = 0; i < consumer->options.source_count; i++) {
        struct wr_source *source = &consumer->options.sources[i];
        bool is_held = atomic_load(&source->wants_hold);
        if (is_held == source->is_held) {
            continue;
        }
        wr_subscription_hold(&consumer->sub, source, is_held, now_us);
        if (is_held) {
            wr_consumer_keep(consumer, source, 0);
        }
        if (!source->is_absent) {
            char queue[WR_LOG_WORD_SIZE];
            wr_log(WR_INFO, is_held ? "source.hold" : "source.release", "queue=%s",
                   wr_log_word(queue, sizeof queue, source->name));
        }
    }
}

/* --- telling --- */

static void tell_source(const struct wr_source *source, int64_t now_us)
{
    static const char *const states[] = { "closed", "idle", "consuming" };
    if (source->is_absent) {
        return;
    }
    char queue[WR_LOG_WORD_SIZE];
    wr_log_asked(
        "dump.queue", "queue=%s state=%s prefetch=%u unsettled=%zu failures=%d heard_s=%lld",
        wr_log_word(queue, sizeof queue, source->name), states[source->state], source->prefetch.now,
        source->state == WR_SOURCE_CLOSED ? (size_t)0 : wr_acks_open(&source->acks),
        source->failures,
        (long long)(source->heard_us ? (now_us - source->heard_us) / WR_US_PER_S : -1));
}

static void tell(struct wr_consumer *consumer, int64_t now_us)
{
    const struct wr_connection *connection = &consumer->sub.connection;
    wr_log_asked("dump.consumer", "connected=%d generation=%u failures=%d out=%zu complete=%d",
                 connection->broker != NULL, connection->generation, connection->failures,
                 consumer->out, atomic_load(&consumer->sub.is_complete));
    for (size_t i = 0; i < consumer->options.source_count; i++) {
        tell_source(&consumer->options.sources[i], now_us);
    }
}

/* --- the orders --- */

void wr_consumer_obey(struct wr_consumer *consumer, int64_t now_us)
{
    const struct wr_live *live = atomic_exchange(&consumer->ordered, NULL);
    if (live) {
        adopt(consumer, live, now_us);
    }
    bool is_quiet = atomic_load(&consumer->wants_quiet);
    if (is_quiet != consumer->is_quiet && !consumer->is_draining) {
        change_quiet(consumer, is_quiet, now_us);
    }
    if (atomic_exchange(&consumer->wants_holding, false)) {
        change_holds(consumer, now_us);
    }
    if (atomic_exchange(&consumer->wants_telling, false)) {
        tell(consumer, now_us);
    }
}

bool wr_consumer_has_orders(const struct wr_consumer *consumer)
{
    bool turns = atomic_load(&consumer->wants_quiet) != consumer->is_quiet;
    return atomic_load(&consumer->ordered) || atomic_load(&consumer->wants_telling) ||
           atomic_load(&consumer->wants_holding) || (turns && !consumer->is_draining);
}

void wr_consumer_adopt(struct wr_consumer *consumer, const struct wr_live *live)
{
    atomic_store(&consumer->ordered, live);
    wr_mailbox_poke(&consumer->settled);
}

void wr_consumer_quiet(struct wr_consumer *consumer, bool is_quiet)
{
    atomic_store(&consumer->wants_quiet, is_quiet);
    wr_mailbox_poke(&consumer->settled);
}

bool wr_consumer_is_quiet(const struct wr_consumer *consumer)
{
    return atomic_load(&consumer->wants_quiet);
}

void wr_consumer_hold(struct wr_consumer *consumer, struct wr_source *source, bool is_held)
{
    if (atomic_exchange(&source->wants_hold, is_held) != is_held) {
        atomic_store(&consumer->wants_holding, true);
        wr_mailbox_poke(&consumer->settled);
    }
}

void wr_consumer_tell(struct wr_consumer *consumer)
{
    atomic_store(&consumer->wants_telling, true);
    wr_mailbox_poke(&consumer->settled);
}
