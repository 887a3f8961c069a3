// SPDX-License-Identifier: MIT
// DESIGN: what a user wants to publish, as a message. Every limit is checked here, before anything
// is sent, so that a wrong message is the caller's error with a sentence and never a closed channel
// or a dead letter.
#include <stdio.h>

#include "base/error.h"
#include "base/random.h"
#include "model/parcel.h"
#include "model/settings_name.h"
#include "warren/message.h"

enum { TYPE_MOST = 236, SHORT_MOST = 255, HEADERS_MOST = 64, HEADER_BYTES_MOST = 16384 };
#define EXPIRES_MOST INT64_C(3153600000000) /* a hundred years */

static warren_status check_short(const char *what, const char *value, warren_error *err)
{
    size_t size = value ? strlen(value) : 0;
    if (size > SHORT_MOST) {
        return wr_fail(err, WARREN_INVALID, "message %s has %zu bytes, at most %d are taken", what,
                       size, SHORT_MOST);
    }
    return WARREN_OK;
}

static warren_status check_strings(const warren_message *message, warren_error *err)
{
    const struct {
        const char *what;
        const char *value;
    } strings[] = {
        { "id", message->id },
        { "content_type", message->content_type },
        { "correlation_id", message->correlation_id },
        { "reply_to", message->reply_to },
        { "app_id", message->app_id },
        { "exchange", message->exchange },
        { "backoff", message->backoff },
    };
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        warren_status rc = check_short(strings[i].what, strings[i].value, err);
        if (rc) {
            return rc;
        }
    }
    if (!message->type || !*message->type) {
        return wr_fail(err, WARREN_INVALID, "the message has no type: say which handler it is for");
    }
    if (strlen(message->type) > TYPE_MOST) {
        return wr_fail(err, WARREN_INVALID, "message type has %zu bytes, at most %d are taken",
                       strlen(message->type), TYPE_MOST);
    }
    const char *problem = wr_type_problem(message->type);
    if (problem) {
        return wr_fail(err, WARREN_INVALID, "message type \"%s\" %s", message->type, problem);
    }
    return WARREN_OK;
}

/* The wait from now, whichever way the message says it; 0: at once. */
static warren_status find_delay(const warren_message *message, const struct wr_compose *how,
                                int64_t *out_ms, warren_error *err)
{
    if (message->delay_ms && message->at_ms) {
        return wr_fail(err, WARREN_INVALID,
                       "the message has both delay_ms and at_ms: say one of them");
    }
    if (message->delay_ms < 0 || message->at_ms < 0 || message->expires_ms < 0) {
        return wr_fail(err, WARREN_INVALID, "the message has a negative time");
    }
    if (message->expires_ms > EXPIRES_MOST) {
        return wr_fail(err, WARREN_INVALID, "message expires_ms is %lld, at most %lld is taken",
                       (long long)message->expires_ms, (long long)EXPIRES_MOST);
    }
    int64_t delay_ms = message->at_ms ? message->at_ms - how->wall_ms : message->delay_ms;
    if (delay_ms > how->delay_max_ms) {
        char wait[32];
        char most[32];
        return wr_fail(err, WARREN_INVALID,
                       "the message is to wait %s, at most %s is possible: raise delay.max",
                       wr_duration_write(wait, sizeof wait, delay_ms),
                       wr_duration_write(most, sizeof most, how->delay_max_ms));
    }
    if (delay_ms > 0 && message->exchange) {
        return wr_fail(
            err, WARREN_INVALID,
            "the message has a delay and an exchange: a delayed message comes home by its type");
    }
    *out_ms = delay_ms > 0 ? delay_ms : 0;
    return WARREN_OK;
}

static warren_status check_policy(const warren_message *message, const struct wr_compose *how,
                                  warren_error *err)
{
    if (message->max_attempts < 0 || message->max_attempts > WR_RETRY_ATTEMPTS_MOST) {
        return wr_fail(err, WARREN_INVALID, "message max_attempts is %d, want 1 to %d",
                       message->max_attempts, WR_RETRY_ATTEMPTS_MOST);
    }
    if (message->priority < 0 || message->priority > 255) {
        return wr_fail(err, WARREN_INVALID, "message priority is %d, want 0 to 255",
                       message->priority);
    }
    enum { ATTEMPTS_LOOKED_AT = 64 }; /* when the type says how many: enough to reach any wait */
    struct wr_retry_policy policy = { .attempts = message->max_attempts ? message->max_attempts
                                                                        : ATTEMPTS_LOOKED_AT };
    if (message->backoff && !wr_retry_parse(wr_slice_of(message->backoff), &policy)) {
        return wr_fail(
            err, WARREN_INVALID,
            "message backoff is \"%s\", want \"exponential 1s 2.0 10m\", \"fixed 30s\" or "
            "\"list 5s 1m 10m\"",
            message->backoff);
    }
    if (message->backoff && wr_retry_longest_ms(&policy) > how->delay_max_ms) {
        char most[32];
        return wr_fail(err, WARREN_INVALID,
                       "message backoff \"%s\" waits longer than delay.max, %s", message->backoff,
                       wr_duration_write(most, sizeof most, how->delay_max_ms));
    }
    return WARREN_OK;
}

static bool is_reserved(const char *name)
{
    return strncmp(name, "x-warren-", 9) == 0 || strncmp(name, "x-death", 7) == 0;
}

/* The broker reads these two as lists of further keys, and closes the channel over anything else: one
 * such message would hold up all others of its publisher. */
static bool must_be_list(const char *name)
{
    return strcmp(name, "CC") == 0 || strcmp(name, "BCC") == 0;
}

static warren_status add_headers(struct wr_text *out, const warren_message *message,
                                 warren_error *err)
{
    if (message->header_count > HEADERS_MOST) {
        return wr_fail(err, WARREN_INVALID, "the message has %zu headers, at most %d are taken",
                       message->header_count, HEADERS_MOST);
    }
    for (size_t i = 0; i < message->header_count; i++) {
        const warren_header *header = &message->headers[i];
        if (!header->name || !*header->name || strlen(header->name) > SHORT_MOST) {
            return wr_fail(err, WARREN_INVALID, "header %zu has no name, or one above %d bytes", i,
                           SHORT_MOST);
        }
        if (is_reserved(header->name)) {
            return wr_fail(err, WARREN_INVALID,
                           "header %s: names that start with x-warren- or x-death are reserved",
                           header->name);
        }
        if (must_be_list(header->name)) {
            return wr_fail(err, WARREN_INVALID,
                           "header %s: RabbitMQ wants a list in it; publish once for each type",
                           header->name);
        }
        if (header->value) {
            wr_table_add_string(out, header->name, wr_slice_of(header->value));
        } else {
            wr_table_add_int(out, header->name, header->number);
        }
    }
    if (out->size > HEADER_BYTES_MOST) {
        return wr_fail(err, WARREN_INVALID, "the headers have %zu bytes, at most %d are taken",
                       out->size, HEADER_BYTES_MOST);
    }
    return WARREN_OK;
}

static bool has_header(const warren_message *message, const char *name)
{
    for (size_t i = 0; i < message->header_count; i++) {
        if (strcmp(message->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The trace that the message is in. Its baggage counts as a header of others, so it goes along only
 * where a receiver's limits surely have room for it. */
static void add_carried(struct wr_text *out, const warren_message *message,
                        const struct wr_carried *carried)
{
    struct wr_slice baggage = carried->baggage;
    if (carried->parent.size && !has_header(message, WR_H_TRACEPARENT)) {
        wr_table_add_string(out, WR_H_TRACEPARENT, carried->parent);
    }
    if (carried->state.size && !has_header(message, WR_H_TRACESTATE)) {
        wr_table_add_string(out, WR_H_TRACESTATE, carried->state);
    }
    bool has_room = message->header_count < HEADERS_MOST &&
                    out->size + baggage.size <= HEADER_BYTES_MOST - WR_TRACE_HEADER_MOST;
    if (baggage.size && has_room && !has_header(message, WR_H_BAGGAGE)) {
        wr_table_add_string(out, WR_H_BAGGAGE, baggage);
    }
}

static void add_own_headers(struct wr_text *out, const warren_message *message,
                            const struct wr_compose *how, int64_t delay_ms)
{
    wr_table_add_int(out, WR_H_ENQUEUED_MS, how->wall_ms);
    if (delay_ms) {
        int64_t planned_ms = wr_delay_round_up(delay_ms);
        wr_table_add_int(out, WR_H_DELAY_MS, planned_ms);
        wr_table_add_int(out, WR_H_RUN_AT_MS, how->wall_ms + planned_ms);
    }
    if (message->expires_ms) {
        wr_table_add_int(out, WR_H_EXPIRES_MS, how->wall_ms + message->expires_ms);
    }
    if (message->max_attempts) {
        wr_table_add_int(out, WR_H_MAX_ATTEMPTS, message->max_attempts);
    }
    if (message->backoff) {
        wr_table_add_string(out, WR_H_BACKOFF, wr_slice_of(message->backoff));
    }
}

static void set_string(struct wr_message *out, enum wr_property bit, struct wr_slice *member,
                       const char *value)
{
    if (value && *value) {
        *member = wr_slice_of(value);
        out->present |= bit;
    }
}

static void set_properties(struct wr_parcel *parcel, const warren_message *message, int64_t wall_ms)
{
    struct wr_message *out = &parcel->message;
    const char *body = message->body ? message->body : "";
    size_t size = message->body && message->body_size ? message->body_size : strlen(body);
    out->body = (struct wr_slice){ body, size };
    bool looks_like_json = out->body.size && (body[0] == '{' || body[0] == '[');
    const char *guess = looks_like_json ? "application/json" : NULL;
    set_string(out, WR_CONTENT_TYPE, &out->content_type,
               message->content_type ? message->content_type : guess);
    set_string(out, WR_CORRELATION_ID, &out->correlation_id, message->correlation_id);
    set_string(out, WR_REPLY_TO, &out->reply_to, message->reply_to);
    set_string(out, WR_APP_ID, &out->app_id, message->app_id);
    set_string(out, WR_TYPE, &out->type, message->type);
    if (!message->id) {
        uint64_t random[2] = { wr_random(), wr_random() };
        wr_uuid_write(parcel->id, wall_ms, random);
    }
    set_string(out, WR_MESSAGE_ID, &out->message_id, message->id ? message->id : parcel->id);
    out->delivery_mode = 2;
    out->timestamp = (uint64_t)(wall_ms / 1000);
    out->present |= WR_DELIVERY_MODE | WR_TIMESTAMP | WR_HEADERS;
    if (message->priority > 0) {
        out->priority = (uint8_t)message->priority;
        out->present |= WR_PRIORITY;
    }
}

/* Into the ladder (comes home where its type is bound), or to a jobs exchange. */
static warren_status set_route(struct wr_parcel *parcel, const warren_message *message,
                               const struct wr_compose *how, int64_t delay_ms, warren_error *err)
{
    uint32_t units = wr_delay_units(delay_ms);
    bool fits;
    if (units) {
        fits = wr_delay_to_type(parcel->exchange, parcel->key, how->ns, units, message->type);
    } else {
        const char *exchange = message->exchange;
        int size = exchange
                       ? snprintf(parcel->exchange, sizeof parcel->exchange, "%s", exchange)
                       : snprintf(parcel->exchange, sizeof parcel->exchange, "%s.jobs", how->ns);
        (void)snprintf(parcel->key, sizeof parcel->key, "%s", message->type);
        fits = size > 0 && size < (int)sizeof parcel->exchange;
    }
    if (!fits) {
        return wr_fail(err, WARREN_INVALID, "message type \"%s\" is too long to be routed",
                       message->type);
    }
    parcel->message.exchange = wr_slice_of(parcel->exchange);
    parcel->message.key = wr_slice_of(parcel->key);
    return WARREN_OK;
}

warren_status wr_parcel_compose(struct wr_parcel *parcel, const warren_message *message,
                                const struct wr_compose *how, warren_error *err)
{
    *parcel = (struct wr_parcel){ 0 };
    int64_t delay_ms = 0;
    warren_status rc = check_strings(message, err);
    rc = rc ? rc : find_delay(message, how, &delay_ms, err);
    rc = rc ? rc : check_policy(message, how, err);
    rc = rc ? rc : set_route(parcel, message, how, delay_ms, err);
    rc = rc ? rc : add_headers(&parcel->headers, message, err);
    if (!rc) {
        add_carried(&parcel->headers, message, &how->carried);
        set_properties(parcel, message, how->wall_ms);
        add_own_headers(&parcel->headers, message, how, delay_ms);
        parcel->message.headers = (struct wr_table){ parcel->headers.data, parcel->headers.size };
        rc = parcel->headers.failed ? wr_no_memory(err) : WARREN_OK;
    }
    if (!rc && parcel->message.body.size > (size_t)how->body_most) {
        rc = wr_fail(err, WARREN_INVALID,
                     "the body has %zu bytes, at most %lld are taken (limits.body)",
                     parcel->message.body.size, (long long)how->body_most);
    }
    if (rc) {
        wr_parcel_done(parcel);
    }
    return rc;
}
