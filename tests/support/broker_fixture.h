/* SPDX-License-Identifier: MIT */
/*
 * The ground on which the behaviour suite stands: two connections to whatever broker is tested, and
 * waiting for what comes. On a virtual clock waiting turns the clock from deadline to deadline; on
 * a real broker it polls. Assertions here are CUnit's: a test that can't get its ground fails.
 * Threads: the test's only.
 */
#ifndef TESTS_SUPPORT_BROKER_FIXTURE_H
#define TESTS_SUPPORT_BROKER_FIXTURE_H

#include "io/broker.h"

#define SENDER_CHANNEL 1
#define RECEIVER_CHANNEL 2
#define FIXTURE_WAIT_MS 30000

/** Which broker all tests use; before anything else. The clock (NULL: real time) is borrowed. */
void fixture_use(const char *url, struct wr_clock *clock);

/** A connection of its own; `body_most` as in the broker's options. */
struct wr_broker *fixture_connect(int64_t body_most);

/** The connections of the test that runs: made by fixture_begin, gone with fixture_end. The sender
 * has channel 1 with confirms, the receiver channel 2. */
struct fixture {
    struct wr_broker *sender;
    struct wr_broker *receiver;
    uint64_t sent; /* the tag of the newest publish on the sender's channel */
};
struct fixture fixture_begin(void);
void fixture_end(struct fixture *fixture);

/** A name that no other test uses; the text lives for eight more calls. */
const char *named(const char *what);

int64_t fixture_now_ms(void);

/** The next event, within `wait_ms`; false (and kind NONE) when none came. */
bool fixture_next(struct wr_broker *broker, struct wr_event *out, int64_t wait_ms);

/** The next event must be of this kind. */
struct wr_event fixture_expect(struct wr_broker *broker, enum wr_event_kind kind);

/** Nothing comes for so long. */
void fixture_expect_nothing(struct wr_broker *broker, int64_t wait_ms);

/* --- topology, on the sender's channel, each with its sync --- */

void make_queue(struct fixture *fixture, const char *name, struct wr_queue_arguments arguments);
void make_exchange(struct fixture *fixture, const char *name, const char *type,
                   const char *alternate);
void bind_queue(struct fixture *fixture, const char *exchange, const char *key, const char *queue);
void bind_exchange(struct fixture *fixture, const char *source, const char *key,
                   const char *exchange);

/** Declares one item and syncs: what the broker says, with its text in `err`. */
warren_status try_item(struct fixture *fixture, const struct wr_item *item, enum wr_declare how,
                       warren_error *err);
void reopen_sender(struct fixture *fixture);

/* --- messages --- */

/** Publishes and waits for the confirm. */
void send_message(struct fixture *fixture, const struct wr_message *message);
void send_text(struct fixture *fixture, const char *exchange, const char *key, const char *body);

/** Waits until all publishes of the sender are confirmed. */
void wait_confirmed(struct fixture *fixture);

/** Starts a consumer on the receiver's channel. */
void receive_from(struct fixture *fixture, const char *queue, uint16_t prefetch);

/** The next delivery on a connection; its body must be `body` (NULL: any). To be freed. */
struct wr_delivery *fixture_delivery(struct wr_broker *broker, const char *body);

/** The same on the receiver, acknowledged and freed; returns the tag. */
uint64_t take(struct fixture *fixture, const char *body);

/** The same, only freed: it stays unsettled. */
uint64_t hold(struct fixture *fixture, const char *body, bool redelivered);

/** Waits until so many messages are ready in the queue. */
void expect_depth(struct fixture *fixture, const char *queue, uint64_t messages);

/** A header's text, "" when it is not there; lives as long as the delivery. */
struct wr_slice header_string(const struct wr_delivery *delivery, const char *name);
int64_t header_int(const struct wr_delivery *delivery, const char *name);

/** The death at `index` of x-death; false when there are not so many. */
bool death_at(const struct wr_delivery *delivery, int index, struct wr_table *out);
struct wr_slice death_string(struct wr_table death, const char *name);
int64_t death_int(struct wr_table death, const char *name);

#endif
