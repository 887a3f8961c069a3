// SPDX-License-Identifier: MIT
// DESIGN: types are looked up once a delivery, by halving a sorted array: no hash, no allocation,
// and a thousand types cost ten comparisons. A channel that is opened gets a new epoch, and every
// delivery on it carries that number: so a job that comes home late is recognised by one comparison.
#include "engine/source.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"

static int compare(struct wr_slice a, struct wr_slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_lanes(const void *a, const void *b)
{
    const struct wr_lane *const *left = a;
    const struct wr_lane *const *right = b;
    return compare(wr_slice_of((*left)->settings->type), wr_slice_of((*right)->settings->type));
}

void wr_source_sort(struct wr_lane **lanes, size_t count)
{
    if (count) {
        qsort(lanes, count, sizeof(struct wr_lane *), compare_lanes);
    }
}

struct wr_lane *wr_source_lane(const struct wr_source *source, struct wr_slice type)
{
    size_t low = 0;
    size_t high = source->lane_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct wr_lane *lane = source->lanes[middle];
        int order = compare(type, wr_slice_of(lane->settings->type));
        if (order == 0) {
            return lane;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

int wr_source_slots(const struct wr_source *source, int shared_limit, size_t *out_types)
{
    int slots = 0;
    *out_types = 1;
    if (source->is_leftover) {
        return 1;
    }
    if (source->is_isolated) { /* its name is that of the queue, a dot, and the type's */
        const char *type = source->name + strlen(source->rules.queue->name) + 1;
        return wr_source_lane(source, wr_slice_of(type))->settings->concurrency;
    }
    *out_types = 0;
    for (size_t i = 0; i < source->lane_count; i++) {
        const struct wr_job_settings *job = source->lanes[i]->settings;
        slots += job->isolate ? 0 : job->concurrency;
        *out_types += job->isolate ? 0 : 1;
    }
    slots = slots < shared_limit ? slots : shared_limit;
    return slots ? slots : 1;
}

/* --- at the broker --- */

enum { WR_TAG_SIZE = 256 }; /* AMQP: at most 255 bytes */
/* A broker that is short of breath takes seconds to carry out what it was told. */
enum { BURST_LEAST = 24, BURST_GAP_US = 5000000, BURST_OLD_US = 10000000 };

/* The queue's name, for whoever looks at the broker; with a number in front when it has replaced
 * another, whose jobs may be out still. */
static const char *tag_of(const struct wr_source *source, unsigned resizes, char out[WR_TAG_SIZE])
{
    int size = resizes ? snprintf(out, WR_TAG_SIZE, "%u~", resizes) : 0;
    (void)snprintf(out + size, (size_t)(WR_TAG_SIZE - size), "%s", source->name);
    return out;
}

static warren_status open_channel(struct wr_source *source, struct wr_broker *broker,
                                  uint32_t epoch, warren_error *err)
{
    warren_status rc = wr_broker_channel_open(broker, source->channel, false, err);
    if (rc) {
        return rc;
    }
    bool is_local = wr_broker_is_local(&source->rules.settings->broker);
    if (wr_acks_init(&source->acks, source->prefetch.now, is_local ? 0 : WR_ACKS_GATHER_US)) {
        (void)wr_broker_channel_close(broker, source->channel, NULL);
        return wr_no_memory(err);
    }
    source->state = WR_SOURCE_IDLE;
    atomic_store(&source->epoch, epoch);
    return wr_broker_prefetch(broker, source->channel, source->prefetch.now, err);
}

warren_status wr_source_open(struct wr_source *source, struct wr_broker *broker, uint32_t epoch,
                             int64_t now_us, warren_error *err)
{
    warren_status rc = WARREN_OK;
    if (source->state == WR_SOURCE_CLOSED) {
        rc = open_channel(source, broker, epoch, err);
    } else { /* it may be another than the channel was opened with */
        rc = wr_broker_prefetch(broker, source->channel, source->prefetch.now, err);
        wr_acks_resize(&source->acks, source->prefetch.now);
    }
    char tag[WR_TAG_SIZE];
    rc = rc ? rc
            : wr_broker_consume(broker, source->channel, source->name,
                                tag_of(source, source->resizes, tag), err);
    if (rc) {
        wr_source_forget(source);
        return rc;
    }
    source->state = WR_SOURCE_CONSUMING;
    source->opened_us = now_us;
    source->full_us = now_us;
    source->heard_us = now_us;
    source->is_suspected = false;
    char queue[WR_LOG_WORD_SIZE];
    wr_log(WR_DEBUG, "source.open", "queue=%s prefetch=%d",
           wr_log_word(queue, sizeof queue, source->name), source->prefetch.now);
    return WARREN_OK;
}

warren_status wr_source_resize(struct wr_source *source, struct wr_broker *broker,
                               uint16_t prefetch, warren_error *err)
{
    char next[WR_TAG_SIZE];
    warren_status rc = wr_broker_prefetch(broker, source->channel, prefetch, err);
    rc = rc ? rc
            : wr_broker_consume(broker, source->channel, source->name,
                                tag_of(source, source->resizes + 1, next), err);
    rc = rc ? rc : wr_source_cancel(source, broker, err);
    if (!rc) {
        source->resizes++;
        source->prefetch.now = prefetch;
        wr_acks_resize(&source->acks, prefetch);
    }
    return rc;
}

warren_status wr_source_cancel(const struct wr_source *source, struct wr_broker *broker,
                               warren_error *err)
{
    char tag[WR_TAG_SIZE];
    return wr_broker_cancel(broker, source->channel, tag_of(source, source->resizes, tag), err);
}

bool wr_source_has_tag(const struct wr_source *source, const char *tag)
{
    char mine[WR_TAG_SIZE];
    return strcmp(tag, tag_of(source, source->resizes, mine)) == 0;
}

void wr_source_note_settle(struct wr_source *source)
{
    int64_t now_us = wr_clock_mono_us(NULL);
    if (now_us - source->settled_us > BURST_GAP_US) {
        source->settles = 0;
    }
    source->settles++;
    source->settled_us = now_us;
}

bool wr_source_conclude(struct wr_source *source, struct wr_broker *broker)
{
    char tag[WR_TAG_SIZE];
    bool has_burst = source->settles >= BURST_LEAST &&
                     wr_clock_mono_us(NULL) - source->settled_us < BURST_OLD_US;
    bool is_quorum = source->rules.queue->type == WR_QUORUM;
    if (source->state != WR_SOURCE_IDLE || !is_quorum || !has_burst ||
        wr_broker_is_local(&source->rules.settings->broker)) {
        return true;
    }
    (void)tag_of(source, source->resizes + 1, tag);
    return !wr_broker_prefetch(broker, source->channel, 1, NULL) &&
           !wr_broker_consume(broker, source->channel, source->name, tag, NULL) &&
           !wr_broker_cancel(broker, source->channel, tag, NULL);
}

struct ack_target {
    struct wr_broker *broker;
    struct wr_source *source;
};

static void send_ack(void *user, uint64_t tag, bool multiple)
{
    const struct ack_target *target = user;
    wr_source_note_settle(target->source);
    (void)wr_broker_ack(target->broker, target->source->channel, tag,
                        multiple); /* a failure shows as CLOSED */
}

int64_t wr_source_flush(struct wr_source *source, struct wr_broker *broker, int64_t now_us)
{
    struct ack_target target = { broker, source };
    if (source->state == WR_SOURCE_CLOSED) {
        return INT64_MAX;
    }
    if (!wr_source_has_room(source)) {
        source->full_us = now_us; /* or it still is, after this */
    }
    wr_acks_flush(&source->acks, now_us, send_ack, &target);
    return wr_acks_deadline_us(&source->acks);
}

/* A channel of RabbitMQ (3.10 and 4.0) keeps what a deleted queue had sent. Told of it after a queue of
 * the same name is consumed on that channel, it tells the new queue, which knows messages by numbers from
 * 0 on: one that runs would be taken for done, or the credit of its consumer be lost, and with it the
 * consumer. So the channel is told while there is no queue, when it is to no effect. */
void wr_source_abandon(struct wr_source *source, struct wr_broker *broker)
{
    uint64_t last = wr_acks_abandon(&source->acks);
    if (last) {
        (void)wr_broker_nack(broker, source->channel, last, true, true);
    }
}

void wr_source_forget(struct wr_source *source)
{
    wr_acks_done(&source->acks);
    atomic_store(&source->epoch, 0);
    source->state = WR_SOURCE_CLOSED;
}

void wr_source_note_delivery(struct wr_source *source, int64_t now_us)
{
    source->failures = 0;
    source->heard_us = now_us;
    source->is_suspected = false;
}

bool wr_source_has_room(const struct wr_source *source)
{
    return wr_acks_open(&source->acks) < source->prefetch.now;
}
