/* SPDX-License-Identifier: MIT */
/*
 * A scripted broker on loopback, in a thread of the test process, for what a real one never does.
 * By itself it is a polite and empty server: every login succeeds, every declare is answered with
 * ok (but a passive look at an exchange: 404), publishes are counted and confirmed, nothing is ever delivered. A test waits until the client
 * has got somewhere and then says or sends what it likes.
 *
 * Connections, and publishes, are numbered from 0 in the order in which they came. Threads: any,
 * but for fake_open and fake_close. Errors: what cannot be done ends the process with a sentence;
 * sending on a connection that is closed does nothing.
 */
#ifndef TESTS_SUPPORT_FAKE_BROKER_H
#define TESTS_SUPPORT_FAKE_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_wire.h"

struct fake;

enum fake_count {
    FAKE_ACCEPTED,
    FAKE_LOGINS, /* connection.open was answered */
    FAKE_ENDED,  /* connections that the client ended, politely or not */
    FAKE_CONSUMES,
    FAKE_CANCELS,
    FAKE_PUBLISHES,
    FAKE_ACKS,
    FAKE_REJECTS, /* basic.reject and basic.nack */
    FAKE_LOOKS,   /* passive declares of a queue */
    FAKE_CHANNEL_OPENS,
    FAKE_CHANNEL_CLOSES, /* channel.close and channel.close-ok of the client */
    FAKE_LATE_PUBLISHES, /* on a channel after that: a real broker ends the connection */
    FAKE_HEARTBEATS,     /* of the client */
    FAKE_COUNTS,
};

/** Where something happens. */
struct fake_place {
    int connection;
    uint16_t channel;
};

struct fake_consumer {
    struct fake_place place;
    char tag[256];
    char queue[256];
};

struct fake_publish {
    struct fake_place place;
    uint64_t tag; /* what its confirm has to name */
    uint64_t size;
};

struct fake_message {
    const char *id, *type, *body;
};

struct fake *fake_open(void);
void fake_close(struct fake *fake);

/** Borrowed, until fake_close. */
const char *fake_url(const struct fake *fake);

/* --- manners; those of heartbeats hold for connections to come --- */

/** Publishes are not confirmed any more (the test does it), or at once again. */
void fake_withhold(struct fake *fake, bool is_withheld);

/** What every queue.declare tells as the number of ready messages. */
void fake_ready(struct fake *fake, uint32_t ready);

/** The interval that is offered, and whether heartbeats are really sent (every half of it). */
void fake_heartbeat(struct fake *fake, uint16_t interval_s, bool is_sent);

/** Reads, but neither answers nor sends heartbeats any more: sudden silence. */
void fake_mute(struct fake *fake, bool is_mute);

/** All connections that are open now get heartbeats and nothing else any more, and what they say is
 * not heard; those to come are well. */
void fake_stick(struct fake *fake);

/* --- what happened --- */

size_t fake_counted(struct fake *fake, enum fake_count what);

/** Waits until it is at least `least`; false after most_ms. */
bool fake_wait(struct fake *fake, enum fake_count what, size_t least, int most_ms);

/** The latest basic.consume. */
struct fake_consumer fake_consumer(struct fake *fake);

/** A publish by its number, which must have been reached. */
struct fake_publish fake_publish(struct fake *fake, size_t number);

/** The tags that were acknowledged last, and whether with all before it. */
uint64_t fake_last_ack(struct fake *fake, bool *is_multiple);

/* --- saying something --- */

/** Raw bytes. */
void fake_send(struct fake *fake, int connection, const void *bytes, size_t size);

/** A frame of any type with any payload, correctly framed. */
void fake_frame(struct fake *fake, struct fake_place place, int type, const void *payload,
                size_t size);

/** A method frame. */
void fake_method(struct fake *fake, struct fake_place place, const struct wire *method);

/** The delivery tag that is next on a channel: each call one more, from 1 since it was opened. */
uint64_t fake_next_tag(struct fake *fake, struct fake_place place);

/** A whole delivery to a consumer. */
void fake_deliver(struct fake *fake, const struct fake_consumer *consumer, uint64_t tag,
                  const struct fake_message *message);

enum fake_answer {
    FAKE_ACK,
    FAKE_ACK_MULTIPLE,
    FAKE_NACK,
    FAKE_NACK_MULTIPLE,
};

void fake_confirm(struct fake *fake, struct fake_place place, uint64_t tag,
                  enum fake_answer answer);

/** basic.cancel from the broker. */
void fake_cancel(struct fake *fake, const struct fake_consumer *consumer);

void fake_channel_close(struct fake *fake, struct fake_place place, uint16_t code,
                        const char *text);
void fake_connection_close(struct fake *fake, int connection, uint16_t code, const char *text);

/** connection.blocked with a reason; unblocked with NULL. */
void fake_block(struct fake *fake, int connection, const char *reason);

/** Closes the socket. */
void fake_hang_up(struct fake *fake, int connection);

#endif
