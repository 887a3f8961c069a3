// SPDX-License-Identifier: MIT
// DESIGN: a job that goes on, as a message. Strangers' headers are copied in their order, byte for
// byte; Warren's own are written anew behind them. All headers of a message travel in one frame
// (131,072 bytes), and the broker will add its own on the way, so a budget is kept; headers that
// leave no room are cut, and the record says how many.
#include <stdio.h>

#include "base/error.h"
#include "model/header.h"
#include "model/parcel.h"
#include "model/strip.h"

enum {
    HEADERS_BUDGET =
        131072 - 16384, /* what a frame holds, less the broker's additions and other properties */
    ERRORS_MOST = 10,
    ERRORS_BYTES_MOST = 6144,
    NESTING_MOST = 32,
};

/* Whether the header travels on as it is. */
static bool is_carried(const struct wr_field *field)
{
    const struct wr_header_row *own = wr_header_find(field->name);
    if (own) {
        return !own->is_rewritten;
    }
    return !wr_strip_is_broker_header(field->name);
}

/* Whether the header can be sent at all: a stranger's nesting may be deeper than what we write. */
static bool is_sendable(const struct wr_field *field)
{
    struct wr_table alone = { field->entry.data, field->entry.size };
    struct wr_table_limits limits = { 0, NESTING_MOST };
    return (field->kind != 'F' && field->kind != 'A') || !wr_table_check(alone, limits, NULL);
}

static void copy_headers(struct wr_text *out, const struct warren_job *job)
{
    struct wr_table headers = job->message->headers;
    struct wr_field field;
    int64_t cut = 0;
    size_t offset = 0;
    while (wr_table_next(headers, &offset, &field)) {
        bool is_cc = wr_slice_is(field.name, "CC");
        if (!is_cc && !wr_slice_is(field.name, "BCC") && !is_carried(&field)) {
            continue;
        }
        bool has_room = out->size + field.entry.size <= HEADERS_BUDGET - ERRORS_BYTES_MOST - 2048;
        if (!has_room || !is_sendable(&field)) {
            cut++;
        } else if (is_carried(&field)) {
            wr_table_add_entry(out, &field);
        } else {
            wr_table_add_renamed(out, is_cc ? "x-warren-cc" : "x-warren-bcc", &field);
        }
    }
    if (cut || offset < headers.size) { /* what is malformed can't be sent on either */
        wr_table_add_int(out, WR_H_HEADERS_CUT, cut + (offset < headers.size ? 1 : 0));
    }
}

/* Where the last members begin that are few and small enough to be kept beside a new one. */
static size_t find_kept_errors(struct wr_table errors)
{
    size_t starts[ERRORS_MOST] = { 0 };
    size_t count = 0;
    struct wr_field field;
    size_t offset = 0;
    for (size_t start = 0; wr_array_next(errors, &offset, &field); start = offset) {
        starts[count++ % ERRORS_MOST] = start;
    }
    size_t keep = count < ERRORS_MOST - 1 ? count : ERRORS_MOST - 1;
    while (keep && errors.size - starts[(count - keep) % ERRORS_MOST] > ERRORS_BYTES_MOST - 1024) {
        keep--;
    }
    return keep ? starts[(count - keep) % ERRORS_MOST] : offset;
}

static void add_errors(struct wr_text *out, const struct warren_job *job,
                       const struct wr_forward *how)
{
    struct wr_text members = { 0 };
    struct wr_table before = job->books.errors;
    if (before.size) {
        size_t from = how->text ? find_kept_errors(before) : 0;
        wr_text_add(&members, before.data + from, before.size - from);
    }
    if (how->text) {
        struct wr_text entry = { 0 };
        wr_table_add_int(&entry, "at-ms", how->wall_ms);
        wr_table_add_int(&entry, "attempt", job->books.attempt + (how->is_charged ? 1 : 0));
        wr_table_add_string(&entry, "worker", wr_slice_of(how->worker));
        wr_table_add_string(&entry, "text", wr_slice_of(how->text));
        wr_array_add_table(&members, (struct wr_slice){ entry.data, entry.size });
        members.failed = members.failed || entry.failed;
        wr_text_done(&entry);
    }
    if (members.size) {
        wr_table_add_nested(out, WR_H_ERRORS, 'A', (struct wr_slice){ members.data, members.size });
    }
    out->failed = out->failed || members.failed;
    wr_text_done(&members);
}

static void add_positive(struct wr_text *out, const char *name, int64_t value)
{
    if (value > 0) {
        wr_table_add_int(out, name, value);
    }
}

static void add_bookkeeping(struct wr_text *out, const struct warren_job *job,
                            const struct wr_forward *how)
{
    const struct wr_bookkeeping *books = &job->books;
    bool failed_now = (how->kind == WR_FORWARD_RETRY || how->kind == WR_FORWARD_DEAD) && how->text;
    int64_t first_failed = books->first_failed_ms ? books->first_failed_ms
                           : failed_now           ? how->wall_ms
                                                  : 0;
    add_positive(out, WR_H_ATTEMPT, books->attempt + (how->is_charged ? 1 : 0));
    add_positive(out, WR_H_CRASHES, books->crashes);
    add_positive(out, WR_H_SNOOZES, books->snoozes + (how->kind == WR_FORWARD_SNOOZE ? 1 : 0));
    add_positive(out, WR_H_INTERRUPTS, books->interrupts);
    add_positive(out, WR_H_FIRST_FAILED_AT, first_failed);
    add_positive(out, WR_H_ENQUEUED_MS, books->enqueued_ms);
    if (how->kind == WR_FORWARD_DEAD) {
        wr_table_add_string(out, WR_H_DEAD_REASON, wr_slice_of(how->reason));
        wr_table_add_int(out, WR_H_DIED_MS, how->wall_ms);
        wr_table_add_string(out, WR_H_QUEUE, wr_slice_of(job->queue->name));
    } else {
        wr_table_add_int(out, WR_H_DELAY_MS, how->delay_ms);
        wr_table_add_int(out, WR_H_RUN_AT_MS, how->wall_ms + how->delay_ms);
    }
    add_errors(out, job, how);
}

/* What would make the broker drop, refuse or hurry the message on its way becomes a header. */
static void move_properties(struct wr_parcel *parcel, const struct warren_job *job)
{
    struct wr_message *out = &parcel->message;
    const struct {
        enum wr_property bit;
        const char *header;
        struct wr_slice value;
    } moved[] = {
        { WR_EXPIRATION, WR_H_EXPIRATION, out->expiration },
        { WR_USER_ID, WR_H_USER_ID, out->user_id },
    };
    for (size_t i = 0; i < 2; i++) {
        struct wr_field field;
        if ((out->present & moved[i].bit) &&
            !wr_table_find(job->message->headers, moved[i].header, &field)) {
            wr_table_add_string(&parcel->headers, moved[i].header, moved[i].value);
        }
        out->present &= ~(unsigned)moved[i].bit;
    }
    out->present &= ~(unsigned)WR_CLUSTER_ID;
}

static void pin_properties(struct wr_parcel *parcel, const struct warren_job *job)
{
    struct wr_message *out = &parcel->message;
    out->message_id = job->id;
    out->delivery_mode = 2;
    out->present |= WR_MESSAGE_ID | WR_DELIVERY_MODE | WR_HEADERS;
    if (job->type.size && job->type.size <= 255) {
        out->type = job->type;
        out->present |= WR_TYPE;
    }
}

static bool set_route(struct wr_parcel *parcel, const struct warren_job *job,
                      const struct wr_forward *how)
{
    bool fits;
    if (how->kind == WR_FORWARD_DEAD) {
        int size = snprintf(parcel->exchange, sizeof parcel->exchange, "%s.dead", how->ns);
        int key = snprintf(parcel->key, sizeof parcel->key, "%s", job->queue->name);
        fits = size < (int)sizeof parcel->exchange && key < (int)sizeof parcel->key;
    } else {
        uint32_t units = wr_delay_units(how->delay_ms);
        fits =
            wr_delay_to_queue(parcel->exchange, parcel->key, how->ns, units ? units : 1, how->home);
    }
    parcel->message.exchange = wr_slice_of(parcel->exchange);
    parcel->message.key = wr_slice_of(parcel->key);
    return fits;
}

warren_status wr_parcel_forward(struct wr_parcel *parcel, const struct warren_job *job,
                                const struct wr_forward *how)
{
    *parcel = (struct wr_parcel){ .message = *job->message };
    copy_headers(&parcel->headers, job);
    move_properties(parcel, job);
    pin_properties(parcel, job);
    add_bookkeeping(&parcel->headers, job, how);
    bool fits =
        set_route(parcel, job, how); /* names are limited by the settings, so it always does */
    parcel->message.headers = (struct wr_table){ parcel->headers.data, parcel->headers.size };
    if (parcel->headers.failed || !fits) {
        wr_parcel_done(parcel);
        return WARREN_NO_MEMORY;
    }
    return WARREN_OK;
}
