/* SPDX-License-Identifier: MIT */
/*
 * The confirm window: requests that were sent and not yet confirmed, by their sequence number on
 * the channel. Threads: owned by the publisher's thread.
 */
#ifndef WR_ENGINE_WINDOW_H
#define WR_ENGINE_WINDOW_H

#include "engine/request.h"
#include "model/message.h"

struct wr_window {
    struct wr_request *
        *slots; /* ring by sequence number; NULL: answered already, or given up by its caller */
    size_t capacity; /* a power of two */
    size_t limit;    /* so many requests at once */
    size_t open;     /* requests in the slots */
    uint64_t first;  /* the lowest number without an answer */
    uint64_t next;   /* the number that the next publish gets */
};

/** For at most `limit` requests at once. */
warren_status wr_window_init(struct wr_window *window, size_t limit, warren_error *err);
void wr_window_done(struct wr_window *window);

bool wr_window_is_full(const struct wr_window *window);

/** Whether one more may be sent. An old number without an answer does not stand in the way of those
 * after it that have one: the ring grows. */
bool wr_window_has_room(struct wr_window *window);

bool wr_window_is_empty(const struct wr_window *window);

/** Notes a request that is sent as the next number. */
void wr_window_add(struct wr_window *window, struct wr_request *request);

/** The broker's word on number `tag`, or on all up to it: moves their requests to `out`. */
void wr_window_resolve(struct wr_window *window, uint64_t tag, bool multiple, struct wr_list *out);

/** The oldest open request that a returned message can belong to, NULL when there is none. */
struct wr_request *wr_window_find(const struct wr_window *window,
                                  const struct wr_message *returned);

/** When the oldest request without an answer was sent; INT64_MAX: there is none. */
int64_t wr_window_oldest_us(const struct wr_window *window);

/** Takes out the requests whose deadline has passed; their numbers stay open. Tells the next
 * deadline. */
int64_t wr_window_expire(struct wr_window *window, int64_t now_us, struct wr_list *out);

/** The channel is gone: moves all open requests to `out`, oldest first, and counts from 1 again. */
void wr_window_reset(struct wr_window *window, struct wr_list *out);

#endif
