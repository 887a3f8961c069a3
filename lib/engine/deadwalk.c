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
//
// A broker closes the channel of a consumer that keeps a message for too long (its consumer_timeout,
// 30 minutes by default). So a long walk, such as a slow replay, goes in rounds: after some minutes all
// goes back in order, and the next round passes over as many as were visited and kept.
//
//     round 1  [ visited, kept | visited, removed | not yet ............ ]
//     round 2  [ passed over   |                    visited ............ ]
//
// A visitor may put a message off. Both connections are served meanwhile, and what is delivered waits
// in a list that is no longer than a block.
#include "engine/deadwalk.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    FIRST_CHANNEL = 2,
    LAST_CHANNEL = 2047,
    CROWDED_CHANNEL = 1000, /* from here on blocks are as large as can be */
    FIRST_BLOCK = 16,       /* how large the messages are is not known yet */
    LEAST_BLOCK = 32,
    MOST_BLOCK = 2000, /* a quorum queue's cap for one consumer */
    BLOCK_BYTES = 16 * 1024 * 1024,
    ASK_AGAIN_US = 500 * 1000,
    RETURN_US = 5 * 1000,
    IDLE_US = 100 * 1000, /* how often the caller hears of the walk */
    ROUND_US = 5 * 60 * 1000 * 1000
};

struct progress {
    const struct wr_deadwalk *walk;
    /* Of the whole walk. */
    uint64_t total;
    uint64_t to_visit;
    bool stopped; /* the visitor has seen enough */
    int64_t told_us;
    /* Of a round. */
    uint64_t left; /* messages that the round has not seen */
    uint64_t pass; /* the first of them, visited in earlier rounds */
    uint64_t kept; /* visited ones that were kept, of all rounds */
    uint64_t seen;
    uint64_t seen_bytes;
    int64_t round_end_us;
    bool has_visited;                /* so that each round gets on, however short */
    bool is_resting;                 /* the round's time is over: nothing more is visited in it */
    uint16_t channel;                /* of the block in hand */
    uint64_t block;                  /* how many it may hold */
    uint64_t held;                   /* how many it holds */
    uint16_t owed[LAST_CHANNEL + 1]; /* what goes back at the end, by channel */
    struct wr_list inbox;            /* delivered on the block's channel, and not looked at */
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

/* Tells the caller how far the walk is, now and then. */
static void tell(struct progress *progress)
{
    const struct wr_deadwalk *walk = progress->walk;
    int64_t now_us = wr_clock_mono_us(NULL);
    if (!walk->idle || now_us < progress->told_us + IDLE_US) {
        return;
    }
    progress->told_us = now_us;
    if (!walk->idle(walk->user, progress->total - progress->to_visit, progress->total)) {
        progress->stopped = true;
    }
}

/* Puts what was delivered into the inbox. One that can't be read is an empty block of no bytes. */
static warren_status keep_delivery(struct progress *progress, struct wr_event *event,
                                   warren_error *err)
{
    struct wr_delivery *delivery = event->delivery;
    if (event->channel != progress->channel) {
        wr_delivery_free(event->kind == WR_EVENT_DELIVERY ? delivery : NULL);
        return WARREN_OK;
    }
    if (event->kind != WR_EVENT_DELIVERY) {
        delivery = calloc(1, sizeof *delivery);
        if (!delivery) {
            return wr_no_memory(err);
        }
        delivery->tag = event->tag;
    }
    wr_list_push(&progress->inbox, &delivery->link);
    return WARREN_OK;
}

static struct wr_delivery *take_delivery(struct progress *progress)
{
    struct wr_link *link = wr_list_take(&progress->inbox);
    return link ? WR_OF(link, struct wr_delivery, link) : NULL;
}

/* Ends the block's consumer; what was still under way to it is not looked at. */
static void cancel_block(struct progress *progress)
{
    struct wr_broker *broker = progress->walk->broker;
    struct wr_event event;
    struct wr_delivery *delivery;
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
    while ((delivery = take_delivery(progress))) {
        progress->owed[progress->channel]++;
        wr_delivery_free(delivery);
    }
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
    switch (event->kind) {
    case WR_EVENT_DELIVERY:
    case WR_EVENT_OVERSIZED:
    case WR_EVENT_MALFORMED:
        return keep_delivery(progress, event, err);
    case WR_EVENT_CANCELLED:
    case WR_EVENT_CHANNEL_CLOSED:
    case WR_EVENT_CLOSED:
        return explain_end(progress, event, err);
    default:
        return WARREN_OK;
    }
}

/* --- visiting --- */

/* Serves the connection until then, or until the caller has enough or the round ends. */
static warren_status wait_until(struct progress *progress, int64_t until_us, warren_error *err)
{
    warren_status rc = WARREN_OK;
    for (;;) {
        struct wr_event event;
        int64_t now_us = wr_clock_mono_us(NULL);
        tell(progress);
        progress->is_resting = progress->is_resting || now_us >= progress->round_end_us;
        if (rc || progress->stopped || progress->is_resting || now_us >= until_us) {
            return rc;
        }
        int64_t next_us = now_us + IDLE_US < until_us ? now_us + IDLE_US : until_us;
        wr_deadwalk_wait(progress->walk->broker, next_us, &event);
        rc = handle(progress, &event, err);
    }
}

/* Whether this one is visited; if not, it goes back as it came. */
static bool is_for_visitor(struct progress *progress)
{
    if (progress->pass) {
        progress->pass--;
        return false;
    }
    return progress->to_visit && !progress->stopped && !progress->is_resting;
}

static void keep(struct progress *progress)
{
    progress->held++;
    progress->owed[progress->channel]++;
}

/* Takes in what is there without waiting: so a lost connection is seen before the next message is
 * removed, whose acknowledgement would go nowhere. */
static warren_status look_up(struct progress *progress, warren_error *err)
{
    struct wr_event event;
    warren_status rc = WARREN_OK;
    do {
        wr_broker_next(progress->walk->broker, &event);
        rc = handle(progress, &event, err);
    } while (!rc && event.kind != WR_EVENT_NONE);
    return rc;
}

static warren_status remove_delivery(struct progress *progress, uint64_t tag, warren_error *err)
{
    struct wr_broker *broker = progress->walk->broker;
    warren_status rc = wr_broker_ack(broker, progress->channel, tag, false);
    warren_status seen = look_up(progress, err);
    if (rc && !seen) {
        return wr_fail(err, rc, "queue %s: an acknowledgement can't be sent",
                       progress->walk->queue);
    }
    return seen;
}

static warren_status settle(struct progress *progress, const struct wr_delivery *delivery,
                            warren_error *err)
{
    const struct wr_deadwalk *walk = progress->walk;
    enum wr_walk_choice choice;
    warren_status rc = WARREN_OK;
    progress->left--;
    progress->seen++;
    progress->seen_bytes += delivery->bytes;
    if (!is_for_visitor(progress)) {
        keep(progress);
        return WARREN_OK;
    }
    while ((choice = walk->visit(walk->user, delivery->bytes ? &delivery->message : NULL)) ==
           WR_WALK_LATER) {
        rc = wait_until(progress, walk->later_us ? *walk->later_us : 0, err);
        if (rc || progress->stopped || progress->is_resting) {
            keep(progress);
            return rc;
        }
    }
    progress->to_visit--;
    progress->has_visited = true;
    if (choice == WR_WALK_REMOVE) {
        return remove_delivery(progress, delivery->tag, err);
    }
    progress->kept++;
    keep(progress);
    progress->stopped = progress->stopped || choice == WR_WALK_STOP;
    return WARREN_OK;
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
        struct wr_delivery *delivery = take_delivery(progress);
        tell(progress);
        if (delivery) {
            rc = settle(progress, delivery, err);
            wr_delivery_free(delivery);
            idle_since_us = wr_clock_mono_us(NULL);
            progress->is_resting =
                progress->is_resting ||
                (progress->has_visited && idle_since_us >= progress->round_end_us);
            continue;
        }
        wr_deadwalk_wait(progress->walk->broker, wr_clock_mono_us(NULL) + ASK_AGAIN_US, &event);
        rc = event.kind == WR_EVENT_NONE ? ask_again(progress, idle_since_us, err)
                                         : handle(progress, &event, err);
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

/* Takes all there is, block by block, and gives back what was not removed. */
static warren_status run_round(struct progress *progress, warren_error *err)
{
    const struct wr_deadwalk *walk = progress->walk;
    warren_status rc = WARREN_OK;
    progress->channel = FIRST_CHANNEL;
    progress->has_visited = false;
    progress->is_resting = false;
    progress->seen = 0;
    progress->seen_bytes = 0;
    progress->round_end_us =
        wr_clock_mono_us(NULL) + (walk->round_us ? walk->round_us : (int64_t)ROUND_US);
    memset(progress->owed, 0, sizeof progress->owed);
    while (!rc && progress->left) {
        rc = open_block(progress, err);
        if (!rc) {
            rc = take_block(progress, err);
            cancel_block(progress);
        }
        progress->channel++;
    }
    close_blocks(progress, progress->channel);
    return rc;
}

warren_status wr_deadwalk_run(const struct wr_deadwalk *walk, warren_error *err)
{
    struct progress progress = { .walk = walk };
    struct wr_depth depth;
    warren_status rc = count_messages(walk, &depth, err);
    if (rc) {
        return rc;
    }
    progress.total = depth.messages;
    progress.to_visit = depth.messages;
    do {
        progress.left = depth.messages;
        progress.pass = progress.kept;
        rc = run_round(&progress, err);
        if (rc || !progress.is_resting || progress.stopped || !progress.to_visit) {
            break;
        }
        rc = count_messages(walk, &depth, err);
    } while (!rc && depth.messages > progress.kept);
    progress.told_us = 0;
    tell(&progress);
    return rc;
}
