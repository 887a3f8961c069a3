/* SPDX-License-Identifier: MIT */
/*
 * A queue of the memory broker with its consumers. Threads: under the server's lock.
 */
#ifndef WR_IO_MEMORY_QUEUE_H
#define WR_IO_MEMORY_QUEUE_H

#include "io/memory_channel.h"

struct wr_memory_consumer {
    struct wr_memory_consumer *next; /* of the same queue; the next to be served first */
    struct wr_memory_channel *channel;
    char *tag;
    unsigned prefetch;
    unsigned unacked;
};

struct wr_memory_queue {
    struct wr_memory_queue *next;
    char *name;
    struct wr_queue_arguments arguments; /* its strings are the queue's */
    struct wr_memory_consumer *consumers;
    struct wr_memory_list ready; /* by position */
    struct wr_memory_list stuck; /* at-least-once dead letters that no queue takes yet */
    size_t unacked;
    uint64_t pushed;
    uint64_t stamp; /* of the last routing that reached it */
};

/** NULL without memory. */
struct wr_memory_queue *wr_memory_queue_new(const char *name,
                                            const struct wr_queue_arguments *like);

/** Frees it with all ready and stuck messages; consumers must have been ended. */
void wr_memory_queue_free(struct wr_memory_queue *queue);

/** Takes over a message, at the end, and sets when it expires. */
void wr_memory_queue_push(struct wr_memory_queue *queue, struct wr_memory_held *held,
                          int64_t now_us);

/** Puts a message back where it stood. */
void wr_memory_queue_requeue(struct wr_memory_queue *queue, struct wr_memory_held *held);

/** Hands ready messages to consumers that have room, in turn. */
void wr_memory_queue_dispatch(struct wr_memory_queue *queue);

/** A message that is out comes off its channel's list; its queue and consumer count it no more. */
void wr_memory_queue_take_back(struct wr_memory_channel *channel, struct wr_memory_held *held);

/** False without memory. */
bool wr_memory_queue_add_consumer(struct wr_memory_queue *queue, struct wr_memory_channel *channel,
                                  const char *tag);

/** Ends the consumers of a channel (those named `tag`, when not NULL); returns how many. */
size_t wr_memory_queue_end_consumers(struct wr_memory_queue *queue,
                                     const struct wr_memory_channel *channel, const char *tag);

size_t wr_memory_queue_consumers(const struct wr_memory_queue *queue);

/** When the first message expires; WR_MEMORY_NEVER: none does. Only the head is looked at. */
int64_t wr_memory_queue_due_us(const struct wr_memory_queue *queue);

#endif
