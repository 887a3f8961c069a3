/* SPDX-License-Identifier: MIT */
/*
 * A request to publish: what the publisher takes and the confirm window keeps.
 * Threads: belongs to whoever holds the pointer; crosses threads through the publisher's mailbox.
 */
#ifndef WR_ENGINE_REQUEST_H
#define WR_ENGINE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "model/parcel.h"
#include "warren/error.h"

struct wr_tracer;

/** One message to be published. Taken by submit, given back to `done`, which frees it with
 * wr_parcel_done and as the struct it is embedded in. */
struct wr_request {
    struct wr_link link;
    struct wr_parcel parcel;
    bool insists; /* goes on trying until it is confirmed or the publisher ends: a job's way on */
    int64_t deadline_us; /* otherwise: when to give up; on the publisher's clock */
    void (*done)(struct wr_request *request, warren_status status, const warren_error *error);
    void *user;
    struct wr_tracer *tracer;
    struct wr_span *span; /* owned: of this publish; NULL: none */
    /* The publisher's own. */
    bool is_returned;
    bool was_sent;
    int64_t sent_us; /* valid when it was */
    int tries;
    int64_t due_us; /* not before */
};

/** Calls its `done`; an error's text says where the message was to go. Gives the request back. */
void wr_request_finish(struct wr_request *request, warren_status status, const char *text);

/** Moves the requests whose deadline has passed to `out`; the others keep their order. Tells the
 * next deadline, INT64_MAX: none. Those that insist have none. */
int64_t wr_request_expire(struct wr_list *list, int64_t now_us, struct wr_list *out);

/** Puts a request before all others. */
void wr_request_push_first(struct wr_list *list, struct wr_request *request);

#endif
