/* SPDX-License-Identifier: MIT */
/*
 * The outbox: every request that the publisher has and the broker hasn't confirmed. It knows what
 * is to be sent next and what became of what was sent; it sends nothing itself.
 *
 *     waiting ──next──▶ window ──ack──▶ done(OK)
 *        ▲                │
 *        │                ├── return, nack ──▶ done(UNROUTABLE, NACKED),
 *        │                │                    or `later` again if it insists
 *        └─ channel lost ─┘ sent again, with the same message id
 *
 * Threads: the publisher's.
 */
#ifndef WR_ENGINE_OUTBOX_H
#define WR_ENGINE_OUTBOX_H

#include <stdatomic.h>

#include "base/histogram.h"
#include "engine/counters.h"
#include "engine/request.h"
#include "engine/window.h"
#include "io/broker.h"
#include "model/outcome.h"

/** What is counted of publishes. Written by the publisher's thread, read by any. */
struct wr_publish_counts {
    _Atomic uint64_t repeats; /* how often an insisting one had to be repeated */
    _Atomic uint64_t results[WR_PUBLISH_RESULTS]; /* of each try */
    struct wr_histogram confirm;                  /* from the sending to the broker's confirm */
};

struct wr_outbox {
    struct wr_list waiting; /* to be sent, in order */
    struct wr_list later;   /* insisting ones that wait for their next try */
    struct wr_window window;
    size_t suspects; /* the first ones of `waiting` go one at a time: see wr_outbox_blame */
    int64_t next_expiry_us;
    struct wr_publish_counts counts;
    /* Told of each confirmed message but those that insist; may be NULL. */
    void (*confirmed)(void *user, const struct wr_message *message);
    void *user;
};

/** Takes new requests, and those of `later` that are due. */
void wr_outbox_take(struct wr_outbox *outbox, struct wr_list fresh, int64_t now_us);

/** The request to be sent now, NULL when none may: nothing waits or the window is full. */
struct wr_request *wr_outbox_next(struct wr_outbox *outbox);

/** It could not be sent: it is the first one again. */
void wr_outbox_put_back(struct wr_outbox *outbox, struct wr_request *request);

/** It was sent, or may have been. */
void wr_outbox_sent(struct wr_outbox *outbox, struct wr_request *request, int64_t now_us);

/** The broker would not have it: ends, or tries again later if it insists. */
void wr_outbox_fail(struct wr_outbox *outbox, struct wr_request *request, warren_status status,
                    const char *text, int64_t now_us);

/** The broker's word: ACKED, NACKED or RETURNED (its delivery is freed). */
void wr_outbox_resolve(struct wr_outbox *outbox, struct wr_event *event, int64_t now_us);

/** The channel is gone: what was sent is to be sent again, and first. Returns how many. */
size_t wr_outbox_rewind(struct wr_outbox *outbox);

/** The broker closed the channel over an exchange (403, 404): what goes there fails, or it would
 * close it again and again and hold up all others. */
void wr_outbox_refuse(struct wr_outbox *outbox, const struct wr_event *event, int64_t now_us);

/** The broker closed the channel over one of the first `sent` messages and doesn't say which (406):
 * they go again one at a time, and the one that is alone when it happens again fails. */
void wr_outbox_blame(struct wr_outbox *outbox, const struct wr_event *event, size_t sent,
                     int64_t now_us);

/** Answers those whose deadline has passed. */
void wr_outbox_expire(struct wr_outbox *outbox, int64_t now_us);

/** When something of it is due at the latest; INT64_MAX: nothing is open. */
int64_t wr_outbox_deadline_us(const struct wr_outbox *outbox);

bool wr_outbox_is_empty(const struct wr_outbox *outbox);

/** Answers everything: CLOSED, or UNKNOWN when it was sent. */
void wr_outbox_close(struct wr_outbox *outbox);

#endif
