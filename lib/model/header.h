/* SPDX-License-Identifier: MIT */
/*
 * Warren's own headers: one table of them, and the reading of a message's bookkeeping. Everything
 * that Warren knows about a job beside AMQP's properties travels in these headers, so any client
 * can read and write it. Threads: pure functions.
 */
#ifndef WR_MODEL_HEADER_H
#define WR_MODEL_HEADER_H

#include "model/message.h"
#include "model/trace.h"

#define WR_H_ATTEMPT "x-warren-attempt"
#define WR_H_CRASHES "x-warren-crashes"
#define WR_H_SNOOZES "x-warren-snoozes"
#define WR_H_INTERRUPTS "x-warren-interrupts"
#define WR_H_FIRST_FAILED_AT "x-warren-first-failed-at"
#define WR_H_ERRORS "x-warren-errors"
#define WR_H_ENQUEUED_MS "x-warren-enqueued-ms"
#define WR_H_MAX_ATTEMPTS "x-warren-max-attempts"
#define WR_H_BACKOFF "x-warren-backoff"
#define WR_H_RUN_AT_MS "x-warren-run-at-ms"
#define WR_H_DELAY_MS "x-warren-delay-ms"
#define WR_H_EXPIRES_MS "x-warren-expires-ms"
#define WR_H_TYPE "x-warren-type"
#define WR_H_QUEUE "x-warren-queue"
#define WR_H_DEAD_REASON "x-warren-dead-reason"
#define WR_H_DIED_MS "x-warren-died-ms"
#define WR_H_HEADERS_CUT "x-warren-headers-cut"
#define WR_H_EXPIRATION "x-warren-expiration"
#define WR_H_USER_ID "x-warren-user-id"

/** One row of the table. */
struct wr_header_row {
    const char *name;
    char kind;             /* 'l' a whole number, 'S' a string, 'A' a list; 'x' any of them */
    bool is_rewritten;     /* not copied when a message is passed on: whoever passes it on writes it
                          anew */
    bool is_for_producers; /* they may set it; all others are Warren's alone */
    const char *sentence;
};

/** All headers that Warren writes or reads. Static memory. */
const struct wr_header_row *wr_header_table(size_t *out_count);

/** The row of that name, NULL when it isn't Warren's. */
const struct wr_header_row *wr_header_find(struct wr_slice name);

/** What the headers of a message say about its job. Slices borrow from the message. */
struct wr_bookkeeping {
    int64_t attempt; /* runs charged so far */
    int64_t crashes;
    int64_t snoozes;
    int64_t interrupts;
    int64_t first_failed_ms;
    int64_t enqueued_ms;
    int64_t max_attempts;
    int64_t run_at_ms;
    int64_t delay_ms;
    int64_t expires_ms;
    struct wr_slice type;
    struct wr_slice backoff;
    struct wr_slice traceparent; /* as it came, well-formed or not; empty: none */
    struct wr_slice tracestate;
    struct wr_table errors; /* members of the array */
    size_t foreign_count;   /* headers that are neither Warren's nor the broker's */
    size_t foreign_bytes;
    size_t
        carried_bytes; /* a sender's, in a header of Warren's: x-warren-type; CC, kept as another */
    size_t own_bytes;  /* what Warren writes anew at each hop */
};

/** Reads them; the headers must have passed wr_table_check. INVALID names the header that is of
 * another kind. */
warren_status wr_bookkeeping_read(struct wr_table headers, struct wr_bookkeeping *out,
                                  warren_error *err);

#endif
