// SPDX-License-Identifier: MIT
// DESIGN: a queue can only be looked at by taking its messages, and its order survives only if they
// go back as they came. So the messages are taken in blocks, one consumer on a channel of its own
// for each; a full block's consumer is cancelled before the next one starts, and at the end the
// channels are closed in order, which gives back what was not acknowledged:
//
//     channel 2  [ oldest ... ]  cancelled
//     channel 3  [ ...        ]  cancelled      then close 2, 3, 4
//     channel 4  [ ... newest ]  cancelled
//
// Any other way (one channel, nacks, live consumers) scrambles a queue or puts it in front of its
// own consumer again. A quorum queue lets one consumer hold 2,000 messages at most; blocks of large
// messages are smaller, since what is under way when a walk ends lies in memory.
//
// A closed channel's messages are back a moment later. A walk ends only when they are, since
// another one that began in that moment would take some of them and give them back behind the
// others.
//
// And every walk goes to the end, also when its visitor has seen enough: a queue keeps what came
// back in a line of its own, and a block that is taken from its front and given back stands behind
// all others.
//
// How many there are is asked first, so that a message that dies again during a replay is not
// replayed forever. Should fewer come (someone else takes them), an empty queue ends the walk.
#include "engine/deadwalk.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "base/error.h"

enum {
    FIRST_CHANNEL = 2,
    LAST_CHANNEL = 2047,
    CROWDED_CHANNEL = 1000, /* from here on blocks are as large as can be */
    FIRST_BLOCK = 100,
    LEAST_BLOCK = 32,
    MOST_BLOCK = 2000, /* a quorum queue's cap for one consumer */
    BLOCK_BYTES = 16 * 1024 * 1024,
    ASK_AGAIN_US = 500 * 1000,
    RETURN_US = 5 * 1000
};

struct progress {
    const struct wr_deadwalk *walk;
    uint64_t left; /* messages that the walk has not seen */
    uint64_t seen;
    uint64_t seen_bytes;
    uint16_t channel;                /* of the block in hand */
    uint64_t block;                  /* how many it may hold */
    uint64_t held;                   /* how many it holds */
    uint16_t owed[LAST_CHANNEL + 1]; /* what goes back at the end, by channel */
    bool stopped;                    /* the visitor has seen enough */
};

static int to_poll_ms(int64_t wait_us)
{
    enum { LONGEST_MS = 60 * 1000 };
    int64_t ms = wait_us <= 0 ? 0 : (wait_us + WR_US_PER_MS - 1) / WR_US_PER_MS;
    return ms > LONGEST_MS ? LONGEST_MS : (int)ms;
}

void wr_deadwalk_wait(struct wr_broker *broker, int64_t deadline_us, struct wr_event *out)
{
    for (;;) {
        wr_broker_next(broker, out);
        int64_t now_us = wr_clock_mono_us(NULL);
        if (out->kind != WR_EVENT_NONE || now_us >= deadline_us) {
            return;
        }
        if (wr_broker_has_more(broker)) {
            continue;
        }
        int64_t next_us = wr_broker_deadline_us(broker);
        int64_t until_us = next_us < deadline_us ? next_us : deadline_us;
        struct pollfd socket = { .fd = wr_broker_fd(broker), .events = POLLIN };
        (void)poll(&socket, 1, to_poll_ms(until_us - now_us));
    }
}

/* Waits a moment; what comes meanwhile is for nobody here. */
static void pause_walk(const struct wr_deadwalk *walk)
{
    struct wr_event event;
    wr_deadwalk_wait(walk->broker, wr_clock_mono_us(NULL) + RETURN_US, &event);
    if (event.kind == WR_EVENT_DELIVERY || event.kind == WR_EVENT_RETURNED) {
        wr_delivery_free(event.delivery);
    }
}

static uint64_t block_size(const struct progress *progress)
{
    if (progress->channel >= CROWDED_CHANNEL) {
        return MOST_BLOCK;
    }
    if (!progress->seen) {
        return FIRST_BLOCK;
    }
    uint64_t fits = BLOCK_BYTES / (progress->seen_bytes / progress->seen + 1);
    return fits > MOST_BLOCK ? MOST_BLOCK : fits < LEAST_BLOCK ? LEAST_BLOCK : fits;
}

static void name_consumer(char *out, size_t size, uint16_t channel)
{
    (void)snprintf(out, size, "warren-walk-%u", (unsigned)channel);
}

static warren_status open_block(struct progress *progress, warren_error *err)
{
    struct wr_broker *broker = progress->walk->broker;
    char consumer[32];
    if (progress->channel > LAST_CHANNEL) {
        return wr_fail(err, WARREN_STATE, "queue %s is too long to be walked through in one go",
                       progress->walk->queue);
    }
    progress->block = block_size(progress);
    progress->held = 0;
    warren_status rc = wr_broker_channel_open(broker, progress->channel, false, err);
    if (!rc) {
        rc = wr_broker_prefetch(broker, progress->channel, (uint16_t)progress->block, err);
    }
    if (!rc) {
        name_consumer(consumer, sizeof consumer, progress->channel);
        rc = wr_broker_consume(broker, progress->channel, progress->walk->queue, consumer, err);
    }
    return rc;
}

/* Ends the block's consumer; what was still under way to it is not looked at. */
static void cancel_block(struct progress *progress)
{
    struct wr_broker *broker = progress->walk->broker;
    struct wr_event event;
    char consumer[32];
    name_consumer(consumer, sizeof consumer, progress->channel);
    (void)wr_broker_cancel(broker, progress->channel, consumer, NULL);
    do {
        wr_broker_next(broker, &event);
        bool is_delivery = event.kind == WR_EVENT_DELIVERY;
        if (is_delivery) {
            wr_delivery_free(event.delivery);
        }
        if (is_delivery || event.kind == WR_EVENT_OVERSIZED || event.kind == WR_EVENT_MALFORMED) {
            progress->owed[progress->channel]++;
        }
    } while (event.kind != WR_EVENT_NONE && event.kind != WR_EVENT_CLOSED);
}

static void settle(struct progress *progress, uint64_t tag, const struct wr_message *message)
{
    const struct wr_deadwalk *walk = progress->walk;
    enum wr_walk_choice choice =
        progress->stopped ? WR_WALK_KEEP : walk->visit(walk->user, message);
    progress->left--;
    progress->seen++;
    if (choice == WR_WALK_REMOVE) {
        (void)wr_broker_ack(walk->broker, progress->channel, tag, false);
        return;
    }
    progress->held++;
    progress->owed[progress->channel]++;
    progress->stopped = progress->stopped || choice == WR_WALK_STOP;
}

static warren_status explain_end(const struct progress *progress, const struct wr_event *event,
                                 warren_error *err)
{
    const char *queue = progress->walk->queue;
    if (event->kind == WR_EVENT_CANCELLED) {
        return wr_fail(err, WARREN_NOT_FOUND, "queue %s: the broker ended the look at it: %s",
                       queue, "it was deleted, or its leader is gone; try again");
    }
    return wr_fail(err, WARREN_CLOSED, "queue %s: the connection was lost on the way: %s", queue,
                   event->text);
}

static warren_status handle(struct progress *progress, struct wr_event *event, warren_error *err)
{
    bool is_ours = event->channel == progress->channel;
    switch (event->kind) {
    case WR_EVENT_DELIVERY:
        if (is_ours) {
            progress->seen_bytes += event->delivery->bytes;
            settle(progress, event->delivery->tag, &event->delivery->message);
        }
        wr_delivery_free(event->delivery);
        return WARREN_OK;
    case WR_EVENT_OVERSIZED:
    case WR_EVENT_MALFORMED:
        if (is_ours) {
            settle(progress, event->tag, NULL);
        }
        return WARREN_OK;
    case WR_EVENT_CANCELLED:
    case WR_EVENT_CHANNEL_CLOSED:
    case WR_EVENT_CLOSED:
        return explain_end(progress, event, err);
    default:
        return WARREN_OK;
    }
}

/* A queue that has gone meanwhile costs the channel (AMQP has it so): it is opened again. */
static warren_status ask_depth(const struct wr_deadwalk *walk, struct wr_depth *out,
                               warren_error *err)
{
    warren_status rc = wr_broker_depth(walk->broker, 1, walk->queue, out, err);
    if (rc == WARREN_NOT_FOUND) {
        (void)wr_broker_channel_open(walk->broker, 1, false, NULL);
    }
    return rc;
}

/* Nothing came for a while: is anything left for us at all? */
static warren_status ask_again(struct progress *progress, int64_t idle_since_us, warren_error *err)
{
    const struct wr_deadwalk *walk = progress->walk;
    struct wr_depth depth;
    warren_status rc = ask_depth(walk, &depth, err);
    if (rc) {
        return rc;
    }
    if (!depth.messages && !wr_broker_has_more(walk->broker)) {
        progress->left = 0;
    } else if (wr_clock_mono_us(NULL) - idle_since_us > walk->patience_us) {
        return wr_fail(err, WARREN_TIMEOUT,
                       "queue %s has %" PRIu64 " messages but delivers none; does another program "
                       "consume it?",
                       walk->queue, depth.messages);
    }
    return WARREN_OK;
}

static warren_status take_block(struct progress *progress, warren_error *err)
{
    warren_status rc = WARREN_OK;
    int64_t idle_since_us = wr_clock_mono_us(NULL);
    while (!rc && progress->left && progress->held < progress->block) {
        struct wr_event event;
        wr_deadwalk_wait(progress->walk->broker, wr_clock_mono_us(NULL) + ASK_AGAIN_US, &event);
        if (event.kind == WR_EVENT_NONE) {
            rc = ask_again(progress, idle_since_us, err);
            continue;
        }
        rc = handle(progress, &event, err);
        idle_since_us = wr_clock_mono_us(NULL);
    }
    return rc;
}

/* Waits until so many messages are ready. */
static void await_depth(const struct wr_deadwalk *walk, uint64_t wanted)
{
    int64_t deadline_us = wr_clock_mono_us(NULL) + walk->patience_us;
    struct wr_depth depth = { 0 };
    while (ask_depth(walk, &depth, NULL) == WARREN_OK && depth.messages < wanted &&
           wr_clock_mono_us(NULL) < deadline_us) {
        pause_walk(walk);
    }
}

/* Gives back what is held, in order. */
static void close_blocks(const struct progress *progress, uint16_t end)
{
    const struct wr_deadwalk *walk = progress->walk;
    struct wr_depth depth = { 0 };
    bool is_known = ask_depth(walk, &depth, NULL) == WARREN_OK;
    for (uint16_t channel = FIRST_CHANNEL; channel < end; channel++) {
        if (wr_broker_channel_close(walk->broker, channel, NULL) == WARREN_CLOSED) {
            return; /* the broker gives everything back by itself */
        }
        depth.messages += progress->owed[channel];
        if (is_known && progress->owed[channel]) {
            await_depth(walk, depth.messages);
        }
    }
}

/* Asks how many messages there are. Two who walk through the same queue would take turns and give
 * back in another order, so the second one waits, and then refuses. */
static warren_status count_messages(const struct wr_deadwalk *walk, struct wr_depth *out,
                                    warren_error *err)
{
    int64_t deadline_us = wr_clock_mono_us(NULL) + walk->patience_us;
    for (;;) {
        warren_status rc = ask_depth(walk, out, err);
        if (rc || !out->consumers) {
            return rc;
        }
        if (wr_clock_mono_us(NULL) >= deadline_us) {
            return wr_fail(err, WARREN_STATE,
                           "queue %s is being consumed by someone else (another look or replay?): "
                           "try again when that has ended",
                           walk->queue);
        }
        pause_walk(walk);
    }
}

warren_status wr_deadwalk_run(const struct wr_deadwalk *walk, warren_error *err)
{
    struct progress progress = { .walk = walk, .channel = FIRST_CHANNEL };
    struct wr_depth depth;
    warren_status rc = count_messages(walk, &depth, err);
    if (rc) {
        return rc;
    }
    progress.left = depth.messages;
    while (!rc && progress.left) {
        rc = open_block(&progress, err);
        if (!rc) {
            rc = take_block(&progress, err);
            cancel_block(&progress);
        }
        progress.channel++;
    }
    close_blocks(&progress, progress.channel);
    return rc;
}
