/* SPDX-License-Identifier: MIT */
/*
 * A stranger: somebody who publishes and consumes below the level of Warren's own API, with
 * messages that Warren would never make. Threads: one.
 */
#ifndef TESTS_SUPPORT_STRANGER_H
#define TESTS_SUPPORT_STRANGER_H

#include <stdlib.h>

#include "amqp_talk.h"
#include "live.h"

enum { STRANGER_CHANNEL = 1, STRANGER_LOOK_CHANNEL = 2 };

static struct wr_broker *stranger;
static struct wr_broker_settings stranger_settings;

/** Connects as the vhost's owner, with a channel that confirms. */
static inline void stranger_open(void)
{
    warren_error err;
    stranger_settings = talk_settings(live_url());
    stranger = talk_open(&stranger_settings, 0, &err);
    if (!stranger || wr_broker_channel_open(stranger, STRANGER_CHANNEL, true, &err)) {
        (void)fprintf(stderr, "stranger: %s\n", err.text);
        exit(1);
    }
}

static inline void stranger_close(void)
{
    wr_broker_close(stranger);
    stranger = NULL;
}

/** Publishes and waits for the broker's answer; false when it was returned. */
static inline bool stranger_publish(struct wr_message message)
{
    warren_error err;
    if (wr_broker_publish(stranger, STRANGER_CHANNEL, &message, &err)) {
        (void)fprintf(stderr, "stranger: %s\n", err.text);
        exit(1);
    }
    bool is_returned = false;
    for (;;) {
        struct wr_event event = talk_next(stranger, TALK_MOST_MS);
        if (event.kind == WR_EVENT_ACKED) {
            return !is_returned;
        }
        if (event.kind != WR_EVENT_RETURNED) {
            (void)fprintf(stderr, "stranger: event %d: %s\n", event.kind, event.text);
            exit(1);
        }
        is_returned = true;
        wr_delivery_free(event.delivery);
    }
}

/** Takes one message out of a queue, waiting for it; the caller frees it. */
static inline struct wr_delivery *stranger_take(const char *queue)
{
    warren_error err;
    uint16_t channel = STRANGER_LOOK_CHANNEL;
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(stranger, channel, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_prefetch(stranger, channel, 1, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_consume(stranger, channel, queue, "stranger", &err), WARREN_OK);
    struct wr_event event = talk_expect(stranger, WR_EVENT_DELIVERY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event.delivery);
    CU_ASSERT_EQUAL(wr_broker_ack(stranger, channel, event.tag, false), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_channel_close(stranger, channel, &err), WARREN_OK);
    return event.delivery;
}

/** Deletes a queue with its contents. */
static inline void stranger_delete(const char *queue)
{
    warren_error err;
    uint16_t channel = STRANGER_LOOK_CHANNEL;
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(stranger, channel, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(stranger, channel, queue, &err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_channel_close(stranger, channel, &err), WARREN_OK);
}

#endif
