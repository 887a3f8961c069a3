/* SPDX-License-Identifier: MIT */
/*
 * The publisher: publishes requests on one connection and brings back the broker's word on each.
 * Every request ends with exactly one call of its `done`.
 *
 * Threads: submit from any; everything else happens on the publisher's thread, or on its owner's
 * when it is stepped.
 */
#ifndef WR_ENGINE_PUBLISHER_H
#define WR_ENGINE_PUBLISHER_H

#include "base/clock.h"
#include "base/histogram.h"
#include "engine/request.h"
#include "io/broker.h"
#include "model/outcome.h"

struct wr_publisher;

struct wr_publisher_options {
    const struct wr_settings *settings;
    const struct wr_clock *clock; /* NULL: the machine's */
    const char *name;             /* of the connection */
    struct wr_watch *watch;       /* over its connection; borrowed */
    /* Told of each confirmed message but those that insist; may be NULL. The publisher's thread. */
    void (*confirmed)(void *user, const struct wr_message *message);
    void *user;
    /* Told when the broker lacks an exchange that something was to be published to; may be NULL.
     * The publisher's thread. */
    void (*missing)(void *user);
    void *missing_user;
};

/** What it says of itself. */
struct wr_publisher_state {
    uint64_t repeats;                     /* how often an insisting request had to be repeated */
    uint64_t connections;                 /* times its connection was made */
    bool is_blocked;                      /* the broker takes no publishes now */
    uint64_t results[WR_PUBLISH_RESULTS]; /* the broker's words, of each try */
    struct wr_histogram_sum confirm;      /* from the sending to the confirm */
};

/** Makes a publisher on a connection that is open already (taken; NULL: it connects when it first
 * can). */
warren_status wr_publisher_new(struct wr_publisher **out,
                               const struct wr_publisher_options *options, struct wr_broker *broker,
                               warren_error *err);

/** Starts its thread. */
warren_status wr_publisher_start(struct wr_publisher *publisher, warren_error *err);

/** Any thread: takes the request. After the end its `done` is called at once with CLOSED. */
void wr_publisher_submit(struct wr_publisher *publisher, struct wr_request *request);

/** One round: sends what can be sent, takes what came. Returns when the next round is due at the
 * latest. */
int64_t wr_publisher_step(struct wr_publisher *publisher, int64_t now_us);

/** Whether a step would move something now, without time passing. The publisher's owner. */
bool wr_publisher_has_work(struct wr_publisher *publisher);

/** Any thread. */
struct wr_publisher_state wr_publisher_state(const struct wr_publisher *publisher);

/** Waits until nothing is open, at most `timeout_us`, ends the thread, and answers what is left
 * with CLOSED (UNKNOWN when it was sent). False: an opening of a connection still hangs, and what the
 * publisher borrows must stay. */
bool wr_publisher_stop(struct wr_publisher *publisher, int64_t timeout_us);

/** Frees; stops first if need be. NULL is fine. False as wr_publisher_stop. */
bool wr_publisher_free(struct wr_publisher *publisher);

#endif
