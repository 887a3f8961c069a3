// SPDX-License-Identifier: MIT
// DESIGN: the table says which headers exist, and of what kind they are; a second table says where in the bookkeeping a number
// goes. A header of Warren's that has another kind than it should is an error of its sender and
// never guessed at.
#include "model/header.h"

#include <stddef.h>

#include "base/error.h"
#include "model/strip.h"

static const struct wr_header_row rows[] = {
    { WR_H_ATTEMPT, 'l', true, false, "runs charged so far; absent means none" },
    { WR_H_CRASHES, 'l', true, false, "runs that ended with their process" },
    { WR_H_SNOOZES, 'l', true, false, "times a handler asked for later" },
    { WR_H_INTERRUPTS, 'l', true, false, "runs cut off by a drain" },
    { WR_H_FIRST_FAILED_AT, 'l', true, false, "time of the first failure, ms since 1970" },
    { WR_H_ERRORS, 'A', true, false, "the last failures: at-ms, attempt, worker, text" },
    { WR_H_ENQUEUED_MS, 'l', true, true, "time of the publish, ms since 1970" },
    { WR_H_MAX_ATTEMPTS, 'l', false, true, "runs in all, instead of the type's policy" },
    { WR_H_BACKOFF, 'S', false, true,
      "backoff instead of the type's policy: exponential 1s 2.0 10m" },
    { WR_H_RUN_AT_MS, 'l', true, false, "when a delayed message is due, ms since 1970" },
    { WR_H_DELAY_MS, 'l', true, false, "the planned delay, a whole number of 125 ms" },
    { WR_H_EXPIRES_MS, 'l', false, true,
      "not started after this time, ms since 1970: dead, expired" },
    { WR_H_TYPE, 'S', false, true, "the job type, for clients that cannot set the property" },
    { WR_H_QUEUE, 'S', true, false, "the configured queue of a dead letter" },
    { WR_H_DEAD_REASON, 'S', true, false, "why a dead letter died" },
    { WR_H_DIED_MS, 'l', true, false, "when a dead letter died, ms since 1970" },
    { WR_H_HEADERS_CUT, 'l', true, false, "how many headers did not fit beside Warren's record" },
    { WR_H_EXPIRATION, 'S', false, false,
      "the property expiration, kept when the message was passed on" },
    { WR_H_USER_ID, 'S', false, false,
      "the property user_id, kept when the message was passed on" },
    { "x-warren-cc", 'A', false, false, "the header CC, kept when the message was passed on" },
    { "x-warren-bcc", 'A', false, false, "the header BCC, kept when the message was passed on" },
    { "x-warren-version", 'x', false, true, "the version of the message's content" },
    { "x-warren-cursor", 'x', false, false, "how far a resumable job has come" },
    { "x-warren-replayed-at-ms", 'l', false, false, "time of the last replay, ms since 1970" },
    { "x-warren-replays", 'l', false, false, "times it was replayed from a dead queue" },
    { "x-warren-moved-from", 'S', false, false, "the dead queue that an operator moved it from" },
    { "x-warren-moved-at-ms", 'l', false, false, "when that was, ms since 1970" },
    { "x-warren-edited-at-ms", 'l', false, false,
      "when an operator edited it last, ms since 1970" },
    { "x-warren-edited-by", 'S', false, false, "who edited it last" },
    { "x-warren-edited-why", 'S', false, false, "why it was edited last" },
    { "x-warren-edits", 'l', false, false, "times it was edited" },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* Far above what is ever written, and far enough below what a sum of them could overflow. */
#define COUNT_MOST INT64_C(1000000000)
#define TIME_MOST (INT64_C(1) << 53)

static const struct number_row {
    const char *name;
    size_t offset;
    int64_t most;
} numbers[] = {
    { WR_H_ATTEMPT, offsetof(struct wr_bookkeeping, attempt), COUNT_MOST },
    { WR_H_CRASHES, offsetof(struct wr_bookkeeping, crashes), COUNT_MOST },
    { WR_H_SNOOZES, offsetof(struct wr_bookkeeping, snoozes), COUNT_MOST },
    { WR_H_INTERRUPTS, offsetof(struct wr_bookkeeping, interrupts), COUNT_MOST },
    { WR_H_FIRST_FAILED_AT, offsetof(struct wr_bookkeeping, first_failed_ms), TIME_MOST },
    { WR_H_ENQUEUED_MS, offsetof(struct wr_bookkeeping, enqueued_ms), TIME_MOST },
    { WR_H_MAX_ATTEMPTS, offsetof(struct wr_bookkeeping, max_attempts), COUNT_MOST },
    { WR_H_RUN_AT_MS, offsetof(struct wr_bookkeeping, run_at_ms), TIME_MOST },
    { WR_H_DELAY_MS, offsetof(struct wr_bookkeeping, delay_ms), TIME_MOST },
    { WR_H_EXPIRES_MS, offsetof(struct wr_bookkeeping, expires_ms), TIME_MOST },
};

const struct wr_header_row *wr_header_table(size_t *out_count)
{
    *out_count = ROWS;
    return rows;
}

const struct wr_header_row *wr_header_find(struct wr_slice name)
{
    if (name.size < 9 || memcmp(name.data, "x-warren-", 9) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (wr_slice_is(name, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

static warren_status wrong_kind(const struct wr_field *field, const char *wanted, warren_error *err)
{
    return wr_fail(err, WARREN_INVALID, "header %.*s has kind '%c', want %s", WR_SLICE(field->name),
                   field->kind, wanted);
}

/* Reads one of Warren's headers into its member. */
static warren_status read_own(const struct wr_field *field, struct wr_bookkeeping *out,
                              warren_error *err)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!wr_slice_is(field->name, numbers[i].name)) {
            continue;
        }
        int64_t number;
        if (!wr_field_int(field, &number)) {
            return wrong_kind(field, "a whole number from 0", err);
        }
        if (number < 0 || number > numbers[i].most) {
            return wr_fail(err, WARREN_INVALID, "header %s is %lld, want 0 to %lld",
                           numbers[i].name, (long long)number, (long long)numbers[i].most);
        }
        *(int64_t *)(void *)((char *)out + numbers[i].offset) = number;
        return WARREN_OK;
    }
    if (wr_slice_is(field->name, WR_H_TYPE) && !wr_field_string(field, &out->type)) {
        return wrong_kind(field, "a string", err);
    }
    if (wr_slice_is(field->name, WR_H_BACKOFF) && !wr_field_string(field, &out->backoff)) {
        return wrong_kind(field, "a string", err);
    }
    if (wr_slice_is(field->name, WR_H_ERRORS) && !wr_field_table(field, 'A', &out->errors)) {
        return wrong_kind(field, "an array", err);
    }
    return WARREN_OK;
}

/* The trace that a sender is in; what is no string is ignored, as the W3C says. True: it is no header
 * that the limits of others' headers count, since we may have added it. */
static bool read_trace(const struct wr_field *field, struct wr_bookkeeping *out)
{
    struct wr_slice *member = wr_slice_is(field->name, WR_H_TRACEPARENT)  ? &out->traceparent
                              : wr_slice_is(field->name, WR_H_TRACESTATE) ? &out->tracestate
                                                                          : NULL;
    return member && !member->size && field->value.size <= WR_TRACE_HEADER_MOST &&
           wr_field_string(field, member);
}

warren_status wr_bookkeeping_read(struct wr_table headers, struct wr_bookkeeping *out,
                                  warren_error *err)
{
    *out = (struct wr_bookkeeping){ 0 };
    warren_status first = WARREN_OK;
    struct wr_field field;
    for (size_t offset = 0; wr_table_next(headers, &offset, &field);) {
        const struct wr_header_row *row = wr_header_find(field.name);
        bool is_carried = row ? !row->is_rewritten
                              : wr_slice_is(field.name, "CC") || wr_slice_is(field.name, "BCC");
        out->carried_bytes += is_carried ? field.entry.size : 0;
        out->own_bytes += row && !is_carried ? field.entry.size : 0;
        if (row) {
            warren_status rc = read_own(&field, out, first ? NULL : err);
            first = first ? first : rc;
        } else if (!wr_strip_is_broker_header(field.name) && !read_trace(&field, out)) {
            out->foreign_count++;
            out->foreign_bytes += field.entry.size;
        }
    }
    return first;
}
