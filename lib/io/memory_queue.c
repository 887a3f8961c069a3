// SPDX-License-Identifier: MIT
// DESIGN: a queue hands out its oldest message to the consumer whose turn it is and that has room.
// A message that is out stands in its channel's list (by tag) and is still this queue's: what comes
// back goes to its old position. Only the head expires, as on RabbitMQ: a short TTL behind a long
// one waits.
#include "io/memory_queue.h"

#include <stdlib.h>

static char *copy_string(const char *string)
{
    return string ? strdup(string) : NULL;
}

struct wr_memory_queue *wr_memory_queue_new(const char *name, const struct wr_queue_arguments *like)
{
    struct wr_memory_queue *queue = calloc(1, sizeof *queue);
    if (!queue) {
        return NULL;
    }
    queue->arguments = *like;
    queue->name = strdup(name);
    queue->arguments.dead_exchange = copy_string(like->dead_exchange);
    queue->arguments.dead_key = copy_string(like->dead_key);
    if (!queue->name || (like->dead_exchange && !queue->arguments.dead_exchange) ||
        (like->dead_key && !queue->arguments.dead_key)) {
        wr_memory_queue_free(queue);
        return NULL;
    }
    return queue;
}

void wr_memory_queue_free(struct wr_memory_queue *queue)
{
    if (!queue) {
        return;
    }
    (void)wr_memory_list_clear(&queue->ready);
    (void)wr_memory_list_clear(&queue->stuck);
    free(queue->name);
    free((char *)queue->arguments.dead_exchange);
    free((char *)queue->arguments.dead_key);
    free(queue);
}

static int64_t expiry(const struct wr_memory_queue *queue, const struct wr_memory_held *held,
                      int64_t now_us)
{
    int64_t ttl_ms = queue->arguments.ttl_ms ? queue->arguments.ttl_ms : -1;
    if (held->lifetime_ms >= 0 && (ttl_ms < 0 || held->lifetime_ms < ttl_ms)) {
        ttl_ms = held->lifetime_ms;
    }
    return ttl_ms < 0 ? WR_MEMORY_NEVER : now_us + ttl_ms * WR_US_PER_MS;
}

void wr_memory_queue_push(struct wr_memory_queue *queue, struct wr_memory_held *held,
                          int64_t now_us)
{
    held->position = ++queue->pushed;
    held->expires_us = expiry(queue, held, now_us);
    wr_memory_list_push(&queue->ready, held);
}

void wr_memory_queue_requeue(struct wr_memory_queue *queue, struct wr_memory_held *held)
{
    held->redelivered = true;
    wr_memory_list_insert(&queue->ready, held);
}

/* The first consumer with room; it goes to the end of the row. */
static struct wr_memory_consumer *next_consumer(struct wr_memory_queue *queue)
{
    struct wr_memory_consumer **at = &queue->consumers;
    while (*at && (*at)->unacked >= (*at)->prefetch) {
        at = &(*at)->next;
    }
    struct wr_memory_consumer *consumer = *at;
    if (!consumer || !consumer->next) {
        return consumer;
    }
    *at = consumer->next;
    while (*at) {
        at = &(*at)->next;
    }
    *at = consumer;
    consumer->next = NULL;
    return consumer;
}

static void hand_out(struct wr_memory_queue *queue, struct wr_memory_consumer *consumer,
                     struct wr_memory_held *held)
{
    struct wr_memory_channel *channel = consumer->channel;
    struct wr_event event = { .kind = WR_EVENT_DELIVERY,
                              .channel = channel->number,
                              .tag = ++channel->delivered,
                              .size = held->body.size };
    held->queue = queue;
    held->consumer = consumer;
    held->tag = event.tag;
    consumer->unacked++;
    queue->unacked++;
    wr_memory_list_push(&channel->unacked, held);
    if ((int64_t)held->body.size > channel->body_most) {
        event.kind = WR_EVENT_OVERSIZED;
    } else {
        bool counts = queue->arguments.type == WR_QUORUM;
        warren_status rc = wr_memory_held_deliver(held, counts, &event.delivery);
        if (rc == WARREN_INVALID) {
            event.kind = WR_EVENT_MALFORMED;
        } else if (rc) {
            channel->inbox->is_broken = true;
            wr_memory_inbox_wake(channel->inbox);
            return;
        }
    }
    if (event.delivery) {
        event.delivery->tag = event.tag;
        event.delivery->channel = channel->number;
        event.delivery->redelivered = held->redelivered;
    }
    wr_memory_inbox_push(channel->inbox, &event);
}

void wr_memory_queue_dispatch(struct wr_memory_queue *queue)
{
    while (queue->ready.first) {
        struct wr_memory_consumer *consumer = next_consumer(queue);
        if (!consumer) {
            return;
        }
        struct wr_memory_held *held = queue->ready.first;
        wr_memory_list_remove(&queue->ready, held);
        hand_out(queue, consumer, held);
    }
}

void wr_memory_queue_take_back(struct wr_memory_channel *channel, struct wr_memory_held *held)
{
    wr_memory_list_remove(&channel->unacked, held);
    if (held->queue) {
        held->queue->unacked--;
    }
    if (held->consumer) {
        held->consumer->unacked--;
    }
    held->consumer = NULL;
}

bool wr_memory_queue_add_consumer(struct wr_memory_queue *queue, struct wr_memory_channel *channel,
                                  const char *tag)
{
    struct wr_memory_consumer *consumer = calloc(1, sizeof *consumer);
    char *copy = strdup(tag);
    if (!consumer || !copy) {
        free(consumer);
        free(copy);
        return false;
    }
    consumer->channel = channel;
    consumer->tag = copy;
    consumer->prefetch = channel->prefetch ? channel->prefetch : UINT16_MAX;
    struct wr_memory_consumer **at = &queue->consumers;
    while (*at) {
        at = &(*at)->next;
    }
    *at = consumer;
    return true;
}

size_t wr_memory_queue_end_consumers(struct wr_memory_queue *queue,
                                     const struct wr_memory_channel *channel, const char *tag)
{
    size_t count = 0;
    for (struct wr_memory_consumer **at = &queue->consumers; *at;) {
        struct wr_memory_consumer *consumer = *at;
        if (consumer->channel != channel || (tag && strcmp(consumer->tag, tag) != 0)) {
            at = &consumer->next;
            continue;
        }
        *at = consumer->next;
        for (struct wr_memory_held *held = channel->unacked.first; held; held = held->after) {
            held->consumer = held->consumer == consumer ? NULL : held->consumer;
        }
        free(consumer->tag);
        free(consumer);
        count++;
    }
    return count;
}

size_t wr_memory_queue_consumers(const struct wr_memory_queue *queue)
{
    size_t count = 0;
    for (const struct wr_memory_consumer *at = queue->consumers; at; at = at->next) {
        count++;
    }
    return count;
}

int64_t wr_memory_queue_due_us(const struct wr_memory_queue *queue)
{
    return queue->ready.first ? queue->ready.first->expires_us : WR_MEMORY_NEVER;
}
