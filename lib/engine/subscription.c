// SPDX-License-Identifier: MIT
// DESIGN: three things can go, and each comes back by itself:
//
//     the connection   ──▶ dial, with the topology ──▶ every source anew
//     one channel      ──▶ that source anew, after its own backoff; all others go on
//     one consumer     ──▶ (basic.cancel: its queue is gone) topology, then consume again
//                          on the same channel; what runs goes on, and is acknowledged to nobody
//
// What the topology says of itself (a queue with other arguments, a right that is missing) never
// keeps the queues that are fine from being consumed: it is logged, and tried again.
//
// A broker can lose a consumer without a word (a known fault after a change of leader). So a source
// that has room and hears nothing is looked after: if its queue has ready messages twice in a row
// and none was sent in between, the connection is taken for deaf and made anew.
#include "engine/subscription.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "engine/backoff.h"

enum {
    QUIET_US = 15000000,       /* this long without a delivery before a source is looked after */
    LASTING_US = 10000000,     /* a source that was consumed for so long was of use */
    SUSPICION_US = 5000000,    /* the second look comes this much later */
    CANCEL_PAUSE_US = 1000000, /* before a cancelled queue is consumed again: see stop_consuming */
    PREPARE_EVERY_US = 1000000 /* when publishes miss something: not more often than this */
};

/* --- losing --- */

static void note_lost(struct wr_subscription *sub)
{
    atomic_store(&sub->is_complete, false);
    sub->options.lost(sub->options.owner);
}

void wr_subscription_lose(struct wr_subscription *sub, int64_t now_us, const char *why)
{
    wr_connection_drop(&sub->connection, now_us, why);
    for (size_t i = 0; i < sub->options.source_count; i++) {
        wr_source_forget(&sub->options.sources[i]);
        sub->options.sources[i].next_try_us = 0;
    }
    note_lost(sub);
}

/* It is tried again after a wait that grows with each failure. */
static void plan_source(struct wr_source *source, int64_t now_us, warren_status status)
{
    source->next_try_us = now_us + wr_backoff_us(source->failures, status);
    source->failures++;
}

struct wr_source *wr_subscription_source(const struct wr_subscription *sub, uint16_t channel)
{
    bool is_ours = channel > 0 && channel <= sub->options.source_count;
    return is_ours ? &sub->options.sources[channel - 1] : NULL; /* numbered so by roster.c */
}

static void want_prepare(struct wr_subscription *sub, int64_t now_us)
{
    if (!atomic_exchange(&sub->wants_prepare, true) && sub->prepare_due_us < now_us) {
        sub->prepare_due_us = now_us;
    }
}

/* For sources that are new, or they would be looked for before they are declared. */
static void want_prepare_now(struct wr_subscription *sub, int64_t now_us)
{
    atomic_store(&sub->wants_prepare, true);
    sub->prepare_due_us = now_us;
}

/* It goes, but it worked for a while: then it is tried again soon. */
static void forgive(struct wr_source *source, int64_t now_us)
{
    if (source->state == WR_SOURCE_CONSUMING && now_us - source->opened_us >= LASTING_US) {
        source->failures = 0;
    }
}

/* RabbitMQ 3.10 can clear up behind a deleted classic queue a moment after it told of it, and then
 * drops what it should send to a consumer that has come meanwhile on the same channel, without a
 * word. So the queue is declared at once, but consumed a moment later. */
static void stop_consuming(struct wr_subscription *sub, struct wr_source *source, int64_t now_us)
{
    forgive(source, now_us);
    source->state = WR_SOURCE_IDLE;
    wr_source_abandon(source, sub->connection.broker);
    plan_source(source, now_us, WARREN_OK);
    source->next_try_us += CANCEL_PAUSE_US;
    atomic_store(&sub->is_complete, false);
    want_prepare(sub, now_us);
}

void wr_subscription_note_cancel(struct wr_subscription *sub, const struct wr_event *event,
                                 int64_t now_us)
{
    struct wr_source *source = wr_subscription_source(sub, event->channel);
    if (!source || source->state != WR_SOURCE_CONSUMING ||
        !wr_source_has_tag(source, event->text)) {
        return;
    }
    char queue[WR_LOG_WORD_SIZE];
    wr_log(WR_ERROR, "source.cancelled",
           "queue=%s cause=\"the queue was deleted, or its leader is gone\" "
           "now=\"declared and consumed again\"",
           wr_log_word(queue, sizeof queue, source->name));
    wr_count(&sub->options.counters->cancels);
    stop_consuming(sub, source, now_us);
}

static void hint_at_timeout(struct wr_source *source)
{
    if (!source->has_hinted) {
        source->has_hinted = true;
        char queue[WR_LOG_WORD_SIZE];
        wr_log(WR_ERROR, "source.consumer_timeout",
               "queue=%s cause=\"a job was not settled within the broker's consumer_timeout\" "
               "hint=\"raise consumer_timeout in rabbitmq.conf, or lower prefetch and the jobs' "
               "run time\"",
               wr_log_word(queue, sizeof queue, source->name));
    }
}

static void lose_channel(struct wr_subscription *sub, struct wr_source *source, int64_t now_us)
{
    forgive(source, now_us);
    wr_count(&sub->options.counters->channel_losses);
    wr_source_forget(source);
    plan_source(source, now_us, WARREN_OK);
    note_lost(sub);
}

void wr_subscription_note_channel(struct wr_subscription *sub, const struct wr_event *event,
                                  int64_t now_us)
{
    struct wr_source *source = wr_subscription_source(sub, event->channel);
    char quoted[300];
    char queue[WR_LOG_WORD_SIZE];
    wr_log(WR_WARN, "channel.lost", "role=consumer queue=%s code=%d cause=%s",
           source ? wr_log_word(queue, sizeof queue, source->name) : "-", event->code,
           wr_log_quote(quoted, sizeof quoted, event->text));
    if (!source) {
        return;
    }
    if (strstr(event->text, "timed out")) {
        hint_at_timeout(source);
    }
    lose_channel(sub, source, now_us);
}

/* --- bringing back --- */

static bool is_gone(warren_status rc)
{
    return rc == WARREN_CLOSED || rc == WARREN_TIMEOUT;
}

/* What does not stop us from consuming is told and tried again; only a lost connection counts. */
static warren_status prepare(struct wr_subscription *sub, struct wr_broker *broker,
                             warren_error *err)
{
    if (!sub->options.prepare) {
        return WARREN_OK;
    }
    warren_error failure = { .status = WARREN_OK };
    warren_status rc = sub->options.prepare(sub->options.user, broker, &failure);
    int64_t now_us = wr_clock_mono_us(sub->options.broker.clock);
    bool is_whole = rc == WARREN_OK;
    sub->prepare_failures = is_whole ? 0 : sub->prepare_failures + 1;
    sub->prepare_due_us =
        now_us + (is_whole ? PREPARE_EVERY_US : wr_backoff_us(sub->prepare_failures, rc));
    atomic_store(&sub->wants_prepare, !is_whole);
    if (is_whole || is_gone(rc)) {
        return rc ? wr_fail(err, rc, "%s", failure.text) : rc;
    }
    char quoted[600];
    wr_log(WR_ERROR, "topology.failed", "error=%s",
           wr_log_quote(quoted, sizeof quoted, failure.text));
    return WARREN_OK;
}

/* The dial's: on its thread. Until the dial is taken, a step leaves alone what prepare writes. */
static warren_status make_ready(void *user, struct wr_broker *broker, warren_error *err)
{
    return prepare(user, broker, err);
}

/* How much is ready in a queue; on a channel of its own, which a NOT_FOUND or REFUSED costs. */
static warren_status ask_depth(struct wr_subscription *sub, const struct wr_source *source,
                               struct wr_depth *out, warren_error *err)
{
    struct wr_broker *broker = sub->connection.broker;
    uint16_t channel = (uint16_t)(sub->options.source_count + 2); /* behind the topology's */
    warren_status rc = wr_broker_channel_open(broker, channel, false, err);
    bool is_open = rc == WARREN_OK;
    rc = rc ? rc : wr_broker_depth(broker, channel, source->name, out, err);
    if (!rc || (is_open && !is_gone(rc) && rc != WARREN_NOT_FOUND && rc != WARREN_REFUSED)) {
        (void)wr_broker_channel_close(broker, channel, NULL);
    }
    return rc;
}

/* To consume from a queue that is missing would cost the channel, and with it what still runs. It may
 * have gone while it was not consumed, and then nobody has told us. */
static warren_status find_queue(struct wr_subscription *sub, struct wr_source *source,
                                warren_error *err)
{
    struct wr_depth depth;
    warren_status rc =
        source->state == WR_SOURCE_IDLE ? ask_depth(sub, source, &depth, err) : WARREN_OK;
    if (rc == WARREN_NOT_FOUND) {
        wr_source_abandon(source, sub->connection.broker);
    }
    return rc == WARREN_NOT_FOUND || is_gone(rc) ? rc : WARREN_OK;
}

static warren_status open_source(struct wr_subscription *sub, struct wr_source *source,
                                 int64_t now_us, warren_error *err)
{
    if (!wr_source_is_wanted(source) || source->state == WR_SOURCE_CONSUMING) {
        return WARREN_OK;
    }
    if (source->state == WR_SOURCE_CLOSED && ++sub->epochs == 0) {
        sub->epochs = 1; /* 0 means none */
    }
    return wr_source_open(source, sub->connection.broker, sub->epochs, now_us, err);
}

static void retry_source(struct wr_subscription *sub, struct wr_source *source, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    bool had_channel = source->state == WR_SOURCE_IDLE;
    warren_status rc = find_queue(sub, source, &err);
    rc = rc ? rc : open_source(sub, source, now_us, &err);
    if (!rc) {
        return;
    }
    if (is_gone(rc)) {
        wr_subscription_lose(sub, now_us, err.text);
        return;
    }
    plan_source(source, now_us, rc);
    want_prepare(sub, source->next_try_us);
    char quoted[300];
    char queue[WR_LOG_WORD_SIZE];
    wr_log(WR_ERROR, "source.failed", "queue=%s next_try_ms=%lld error=%s",
           wr_log_word(queue, sizeof queue, source->name),
           (long long)((source->next_try_us - now_us) / WR_US_PER_MS),
           wr_log_quote(quoted, sizeof quoted, err.text));
    if (had_channel && source->state == WR_SOURCE_CLOSED) {
        note_lost(sub);
    }
}

static void note_complete(struct wr_subscription *sub)
{
    int queues = 0;
    for (size_t i = 0; i < sub->options.source_count; i++) {
        const struct wr_source *source = &sub->options.sources[i];
        if (wr_source_is_wanted(source) && source->state != WR_SOURCE_CONSUMING) {
            return;
        }
        queues += wr_source_is_wanted(source) ? 1 : 0;
    }
    if (!atomic_exchange(&sub->is_complete, true)) {
        wr_log(WR_INFO, "consumer.ready", "queues=%d", queues);
    }
}

static void retry_sources(struct wr_subscription *sub, int64_t now_us)
{
    for (size_t i = 0; i < sub->options.source_count && sub->connection.broker; i++) {
        struct wr_source *source = &sub->options.sources[i];
        bool is_out = wr_source_is_wanted(source) && source->state != WR_SOURCE_CONSUMING;
        if (is_out && now_us >= source->next_try_us) {
            retry_source(sub, source, now_us);
        }
    }
    if (sub->connection.broker) {
        note_complete(sub);
    }
}

static void prepare_again(struct wr_subscription *sub, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    if (atomic_load(&sub->wants_prepare) && now_us >= sub->prepare_due_us &&
        prepare(sub, sub->connection.broker, &err)) {
        wr_subscription_lose(sub, now_us, err.text);
    }
}

/* --- looking after the silent --- */

static void suspect(struct wr_subscription *sub, struct wr_source *source, int64_t now_us)
{
    if (!source->is_suspected) {
        source->is_suspected = true;
        source->heard_us = now_us - QUIET_US + SUSPICION_US;
        return;
    }
    char queue[WR_LOG_WORD_SIZE];
    wr_log(WR_ERROR, "source.silent",
           "queue=%s cause=\"its messages are ready, but the broker sends none\" now=reconnect",
           wr_log_word(queue, sizeof queue, source->name));
    wr_count(&sub->options.counters->silences);
    wr_subscription_lose(sub, now_us, "a consumer is deaf");
}

static void look_at(struct wr_subscription *sub, struct wr_source *source, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    struct wr_depth depth = { 0 };
    warren_status rc = ask_depth(sub, source, &depth, &err);
    if (is_gone(rc)) {
        wr_subscription_lose(sub, now_us, err.text);
    } else if (rc == WARREN_NOT_FOUND) { /* gone, and nobody has told us */
        stop_consuming(sub, source, now_us);
    } else if (rc) {
        sub->may_look = false; /* we have no right to: then we can't know */
    } else if (depth.messages) {
        suspect(sub, source, now_us);
    } else {
        source->heard_us = now_us;
        source->is_suspected = false;
    }
}

/* At most one look a step, so that many silent queues don't hold up the busy ones. */
static void look_after(struct wr_subscription *sub, int64_t now_us)
{
    if (!sub->may_look || now_us < sub->look_due_us) {
        return;
    }
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < sub->options.source_count; i++) {
        struct wr_source *source = &sub->options.sources[i];
        if (source->state != WR_SOURCE_CONSUMING || !wr_source_has_room(source)) {
            continue;
        }
        if (now_us - source->heard_us >= QUIET_US) {
            look_at(sub, source, now_us);
            return;
        }
        int64_t due_us = source->heard_us + QUIET_US;
        next_us = due_us < next_us ? due_us : next_us;
    }
    int64_t most_us = now_us + SUSPICION_US;
    sub->look_due_us = next_us < most_us ? next_us : most_us;
}

/* --- prefetch --- */

bool wr_subscription_resize(struct wr_subscription *sub, struct wr_source *source,
                            uint16_t prefetch, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    uint16_t before = source->prefetch.now;
    warren_status rc = wr_source_resize(source, sub->connection.broker, prefetch, &err);
    if (is_gone(rc)) {
        wr_subscription_lose(sub, now_us, err.text);
    } else if (rc) { /* the queue is gone, say: then its channel is */
        lose_channel(sub, source, now_us);
    } else {
        wr_count(&sub->options.counters->prefetch_changes);
        char queue[WR_LOG_WORD_SIZE];
        wr_log(WR_INFO, "prefetch.changed", "queue=%s from=%u to=%u run_us=%lld",
               wr_log_word(queue, sizeof queue, source->name), before, prefetch,
               (long long)(source->prefetch.run_ns / 1000));
    }
    return rc == WARREN_OK;
}

/* --- life --- */

void wr_subscription_init(struct wr_subscription *sub,
                          const struct wr_subscription_options *options, struct wr_broker *broker)
{
    *sub = (struct wr_subscription){ .options = *options, .may_look = true };
    struct wr_dial_options dial = { .broker = options->broker, .ready = make_ready, .user = sub };
    wr_connection_init(&sub->connection, &dial);
    if (broker) {
        wr_connection_adopt(&sub->connection, broker);
    }
}

warren_status wr_subscription_begin(struct wr_subscription *sub, int64_t now_us, warren_error *err)
{
    for (size_t i = 0; i < sub->options.source_count; i++) {
        struct wr_source *source = &sub->options.sources[i];
        warren_status rc = open_source(sub, source, now_us, err);
        if (is_gone(rc)) { /* the first step begins anew */
            wr_subscription_lose(sub, now_us, err ? err->text : "");
            return WARREN_OK;
        }
        if (rc) {
            return wr_wrap(err, rc, "cannot consume from queue %s", source->name);
        }
    }
    wr_count(&sub->options.counters->connections);
    note_complete(sub);
    return WARREN_OK;
}

void wr_subscription_step(struct wr_subscription *sub, int64_t now_us)
{
    if (sub->has_ended) { /* a dial that was under way is taken, or its descriptor keeps us awake */
        (void)(sub->connection.dial && wr_connection_step(&sub->connection, now_us));
        return;
    }
    bool is_open = wr_connection_step(&sub->connection, now_us);
    if (sub->has_grown && !sub->connection.dial) { /* it may have read the topology of before */
        sub->has_grown = false;
        want_prepare_now(sub, now_us);
    }
    if (is_open) {
        wr_count(&sub->options.counters->connections);
        sub->may_look = true;
    }
    if (!sub->connection.broker) {
        return;
    }
    prepare_again(sub, now_us);
    if (sub->is_resting) {
        return;
    }
    if (sub->connection.broker && !atomic_load(&sub->is_complete)) {
        retry_sources(sub, now_us);
    }
    if (sub->connection.broker) {
        look_after(sub, now_us);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t wr_subscription_deadline_us(const struct wr_subscription *sub)
{
    int64_t next_us = wr_connection_deadline_us(&sub->connection);
    if (sub->has_ended) { /* nothing is brought back any more */
        return sub->connection.broker ? next_us : INT64_MAX;
    }
    if (!sub->connection.broker) {
        return next_us;
    }
    if (atomic_load(&sub->wants_prepare)) {
        next_us = earlier(next_us, sub->prepare_due_us);
    }
    if (sub->is_resting) {
        return next_us;
    }
    for (size_t i = 0; i < sub->options.source_count && !atomic_load(&sub->is_complete); i++) {
        const struct wr_source *source = &sub->options.sources[i];
        if (wr_source_is_wanted(source) && source->state != WR_SOURCE_CONSUMING) {
            next_us = earlier(next_us, source->next_try_us);
        }
    }
    return sub->may_look ? earlier(next_us, sub->look_due_us) : next_us;
}

void wr_subscription_extend(struct wr_subscription *sub, size_t source_count, int64_t now_us)
{
    sub->options.source_count = source_count;
    atomic_store(&sub->is_complete, false);
    if (sub->connection.dial) {
        sub->has_grown = true;
    } else {
        want_prepare_now(sub, now_us);
    }
}

static void cancel_one(struct wr_subscription *sub, struct wr_source *source, int64_t now_us)
{
    warren_error err = { .status = WARREN_OK };
    if (source->state != WR_SOURCE_CONSUMING || !sub->connection.broker) {
        return;
    }
    warren_status rc = wr_source_cancel(source, sub->connection.broker, &err);
    if (is_gone(rc)) {
        wr_subscription_lose(sub, now_us, err.text);
    } else if (rc) { /* the broker closed this channel meanwhile; what runs of others goes on */
        lose_channel(sub, source, now_us);
    } else {
        source->state = WR_SOURCE_IDLE;
    }
}

static void cancel_all(struct wr_subscription *sub, int64_t now_us)
{
    atomic_store(&sub->is_complete, false);
    for (size_t i = 0; i < sub->options.source_count; i++) {
        cancel_one(sub, &sub->options.sources[i], now_us);
    }
}

void wr_subscription_hold(struct wr_subscription *sub, struct wr_source *source, bool is_held,
                          int64_t now_us)
{
    source->is_held = is_held;
    if (is_held) {
        cancel_one(sub, source, now_us);
    } else {
        source->next_try_us = 0;
        atomic_store(&sub->is_complete, false);
    }
}

void wr_subscription_rest(struct wr_subscription *sub, int64_t now_us)
{
    sub->is_resting = true;
    cancel_all(sub, now_us);
}

void wr_subscription_wake(struct wr_subscription *sub)
{
    sub->is_resting = false;
    for (size_t i = 0; i < sub->options.source_count; i++) {
        sub->options.sources[i].next_try_us = 0;
    }
}

bool wr_subscription_cancel(struct wr_subscription *sub, int64_t now_us)
{
    sub->has_ended = true;
    cancel_all(sub, now_us);
    return sub->connection.broker != NULL;
}

bool wr_subscription_close(struct wr_subscription *sub)
{
    bool is_free = wr_connection_close(&sub->connection);
    for (size_t i = 0; i < sub->options.source_count; i++) {
        wr_source_forget(&sub->options.sources[i]);
    }
    return is_free;
}
