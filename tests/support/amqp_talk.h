/* SPDX-License-Identifier: MIT */
/*
 * Small talk with a real broker through io/broker.h, for tests: opening with usual settings, and
 * waiting for events with a deadline. Threads: none of its own.
 */
#ifndef TESTS_SUPPORT_AMQP_TALK_H
#define TESTS_SUPPORT_AMQP_TALK_H

#include <CUnit/CUnit.h>
#include <poll.h>
#include <stdio.h>

#include "io/broker.h"

enum { TALK_MOST_MS = 20000 };

static inline struct wr_broker_settings talk_settings(const char *url)
{
    return (struct wr_broker_settings){
        .url = (char *)(uintptr_t)url,
        .heartbeat_ms = 120000, /* a test may let a connection wait for long */
        .connect_timeout_ms = 5000,
        .rpc_timeout_ms = 10000,
        .tls = { .verify = true },
    };
}

/** Opens; NULL with `err` on failure. */
static inline struct wr_broker *talk_open(const struct wr_broker_settings *settings,
                                          int64_t body_most, warren_error *err)
{
    struct wr_broker_options options = { .settings = settings,
                                         .name = "test",
                                         .body_most = body_most };
    struct wr_broker *broker = NULL;
    *err = (warren_error){ 0 };
    (void)wr_broker_open(&broker, &options, err);
    return broker;
}

/** Waits for the next event; NONE when `most_ms` have passed. */
static inline struct wr_event talk_next(struct wr_broker *broker, int most_ms)
{
    struct wr_event event;
    int64_t end_us = wr_clock_mono_us(NULL) + most_ms * WR_US_PER_MS;
    for (;;) {
        wr_broker_next(broker, &event);
        int64_t now_us = wr_clock_mono_us(NULL);
        if (event.kind != WR_EVENT_NONE || now_us >= end_us) {
            return event;
        }
        int64_t until_us = wr_broker_deadline_us(broker);
        until_us = until_us < end_us ? until_us : end_us;
        int wait_ms = until_us > now_us ? (int)((until_us - now_us) / WR_US_PER_MS) + 1 : 0;
        struct pollfd polled = { .fd = wr_broker_fd(broker), .events = POLLIN };
        if (!wr_broker_has_more(broker)) {
            (void)poll(&polled, 1, wait_ms);
        }
    }
}

/** Waits for an event and asserts its kind. */
static inline struct wr_event talk_expect(struct wr_broker *broker, enum wr_event_kind kind)
{
    struct wr_event event = talk_next(broker, TALK_MOST_MS);
    if (event.kind != kind) {
        fprintf(stderr, "event %d instead of %d: %s\n", event.kind, kind, event.text);
    }
    CU_ASSERT_EQUAL(event.kind, kind);
    return event;
}

/** Declares a classic queue on an open channel. */
static inline void talk_queue(struct wr_broker *broker, uint16_t channel, const char *name)
{
    struct wr_item queue = { .kind = WR_ITEM_QUEUE, .name = name };
    queue.arguments.type = WR_CLASSIC;
    CU_ASSERT_EQUAL(wr_broker_declare(broker, channel, &queue, WR_DECLARE, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_sync(broker, channel, NULL), WARREN_OK);
}

/** A persistent message to a queue, by the default exchange. */
static inline struct wr_message talk_message(const char *queue, struct wr_slice body)
{
    return (struct wr_message){
        .key = wr_slice_of(queue), .present = WR_DELIVERY_MODE, .delivery_mode = 2, .body = body
    };
}

#endif
