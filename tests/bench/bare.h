/* SPDX-License-Identifier: MIT */
/*
 * What the bare programs share: plain rabbitmq-c, as one would write it by hand, with the frames read
 * one by one and bodies left where they were received. What fails ends the process (side.h).
 * Threads: one.
 */
#ifndef TESTS_BENCH_BARE_H
#define TESTS_BENCH_BARE_H

#include <stdbool.h>
#include <stdint.h>

#include "io/broker_amqp_compat.h"

/** What a frame, or the frames of a delivery, meant. */
enum bare_kind { BARE_NOTHING, BARE_DELIVERY, BARE_CONFIRM };

struct bare_event {
    enum bare_kind kind;
    amqp_channel_t channel;
    uint64_t tag;
    bool is_multiple;  /**< of a confirm */
    bool was_dead;     /**< of a delivery: it has been through a dead-letter exchange */
    amqp_bytes_t body; /**< of a delivery: one frame of it, valid until the next call */
};

/** Connects to $WARREN_AMQP_URL and opens channels 1 … `channels`. */
amqp_connection_state_t bare_open(int channels);

/** Closes properly: the broker has read everything that was sent before. */
void bare_close(amqp_connection_state_t connection);

/** Sets the prefetch of that channel, and takes `queue` on it. */
void bare_qos(amqp_connection_state_t connection, amqp_channel_t channel, long prefetch);
void bare_consume(amqp_connection_state_t connection, amqp_channel_t channel, const char *queue);

enum { BARE_PATIENT = -1 };

/** Reads what comes next. BARE_NOTHING when so many µs pass before anything has come; BARE_PATIENT
 * waits for ever. `out` is zeroed before the first call and kept between calls. */
void bare_next(amqp_connection_state_t connection, long patience_us, struct bare_event *out);

/** A mandatory publish of SIDE_BODY_BYTES, persistent and no more when `properties` is NULL. */
void bare_publish(amqp_connection_state_t connection, amqp_channel_t channel, const char *exchange,
                  const char *key, const amqp_basic_properties_t *properties, const void *body);

/** Asks for confirms on that channel. */
void bare_confirm(amqp_connection_state_t connection, amqp_channel_t channel);

/** Returns when the broker has handled all that was published on channel 1. Nothing may come back on
 * the connection meanwhile. */
void bare_sync(amqp_connection_state_t connection);

/** Acknowledges. */
void bare_ack(amqp_connection_state_t connection, amqp_channel_t channel, uint64_t tag,
              bool is_multiple);

#endif
