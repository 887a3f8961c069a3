// SPDX-License-Identifier: MIT
// DESIGN: a ring of what is under way, in the order of the deliveries, which is that of the publishes,
// too. Confirms may come in any order; what is confirmed up to the oldest open one is acknowledged
// together. One acknowledgement for many matters here: a quorum queue takes these one by one, and what
// a channel has not handed on when it is closed is delivered again. The consumer's prefetch is the
// ring's length, so a delivery always finds a place.
//
//     from ──deliver──► [ . . d d d . ] ──publish──► to
//     from ◄───ack────── confirmed ◄─────confirm──── to
//
// What travels is the message as it was, less what a broker adds or would act on: the history
// headers, CC and BCC go as in every republish (model/strip), `expiration` becomes the header that
// the worker checks, and the type is pinned, since the key that may have said it stays behind.
#include "engine/mover.h"

#include <poll.h>
#include <stdlib.h>

#include "base/error.h"
#include "model/strip.h"

enum {
    PUTTING = 1,
    TAKING = 2,
    ASKING = 3,
    WINDOW = 200,
    IDLE_US = 200000,
    REST_US = 20000,
    SETTLE_US = 60000
};

/* One way from queue to queue. */
struct pass {
    struct wr_mover *mover;
    const char *from;
    const char *to;
    uint64_t wanted;    /* so many stood there at the start */
    uint64_t taken;     /* deliveries published: the next place in the ring */
    uint64_t confirmed; /* of them acknowledged: the oldest place in use */
    struct {
        uint64_t put;  /* the publish's tag */
        uint64_t take; /* the delivery's */
        bool is_safe;  /* confirmed */
    } ring[WINDOW];
    bool is_over; /* no more is to be taken */
    warren_status rc;
    warren_error *err;
};

/* --- what a message becomes --- */

static void add_once(struct wr_text *headers, struct wr_table before, const char *name,
                     struct wr_slice value)
{
    struct wr_field field;
    if (!wr_table_find(before, name, &field)) {
        wr_table_add_string(headers, name, value);
    }
}

/* Of headers that were copied whole. */
static void remove_header(struct wr_text *headers, const char *name)
{
    struct wr_text left = { 0 };
    struct wr_table all = { headers->data, headers->size };
    struct wr_field field;
    size_t offset = 0;
    while (wr_table_next(all, &offset, &field)) {
        if (!wr_slice_is(field.name, name)) {
            wr_table_add_entry(&left, &field);
        }
    }
    left.failed = left.failed || headers->failed;
    wr_text_done(headers);
    *headers = left;
}

/* A time to live begins anew with each queue; as a moment it stays what it was, but for the time
 * that it has waited already. With both, the earlier one holds. */
void wr_mover_expire(const struct wr_message *message, int64_t now_ms, struct wr_text *headers)
{
    int64_t ttl_ms;
    int64_t at_ms;
    struct wr_field field;
    bool has_ttl = (message->present & WR_EXPIRATION) &&
                   wr_slice_to_int(message->expiration, &ttl_ms) && ttl_ms >= 0 &&
                   ttl_ms < INT64_MAX - now_ms;
    bool has_moment = wr_table_find(message->headers, WR_H_EXPIRES_MS, &field);
    bool is_earlier =
        has_ttl && has_moment && wr_field_int(&field, &at_ms) && at_ms > now_ms + ttl_ms;
    if (is_earlier) {
        remove_header(headers, WR_H_EXPIRES_MS);
    }
    if (is_earlier || (has_ttl && !has_moment)) {
        wr_table_add_int(headers, WR_H_EXPIRES_MS, now_ms + ttl_ms);
    }
}

static void pin_type(const struct wr_mover *mover, struct wr_message *message,
                     struct warren_job **out_job)
{
    struct warren_job *job = wr_job_decode(message, &mover->rules, wr_clock_wall_ms(NULL));
    *out_job = job;
    if (job && job->type.size && job->type.size <= 255 && !(message->present & WR_TYPE)) {
        message->type = job->type;
        message->present |= WR_TYPE;
    }
}

static warren_status put(struct pass *pass, struct wr_message *from)
{
    struct wr_message message = *from;
    struct wr_text headers = { 0 };
    struct warren_job *job = NULL;
    pin_type(pass->mover, &message, &job);
    wr_strip_copy(from->headers, &headers);
    wr_mover_expire(from, wr_clock_wall_ms(NULL), &headers);
    if (from->present & WR_USER_ID) {
        add_once(&headers, from->headers, WR_H_USER_ID, from->user_id);
    }
    message.exchange = wr_slice_of("");
    message.key = wr_slice_of(pass->to);
    message.delivery_mode = 2;
    message.headers = (struct wr_table){ headers.data, headers.size };
    message.present |= WR_DELIVERY_MODE | WR_HEADERS;
    message.present &= ~(unsigned)(WR_EXPIRATION | WR_USER_ID | WR_CLUSTER_ID);
    warren_status rc = !job || headers.failed
                           ? wr_no_memory(pass->err)
                           : wr_broker_publish(pass->mover->putting, PUTTING, &message, pass->err);
    wr_job_free(job);
    wr_text_done(&headers);
    return rc;
}

/* --- deliveries --- */

static warren_status take(struct pass *pass, struct wr_delivery *delivery)
{
    if (pass->taken - pass->confirmed >= WINDOW) {
        return wr_fail(pass->err, WARREN_FAILED, "queue %s delivered more than was asked for",
                       pass->from);
    }
    warren_status rc = put(pass, &delivery->message);
    if (!rc) {
        size_t place = pass->taken++ % WINDOW;
        pass->ring[place].put = ++pass->mover->put;
        pass->ring[place].take = delivery->tag;
        pass->ring[place].is_safe = false;
    }
    return rc;
}

static warren_status cannot_read(struct pass *pass)
{
    return wr_fail(
        pass->err, WARREN_INVALID,
        "queue %s: a message's properties can't be read, so it can't be moved: remove it "
        "(rabbitmqadmin get with ack_requeue_false), then the same command goes on",
        pass->from);
}

/* Takes one event of the consuming connection; false when there is none. */
static bool read_taking(struct pass *pass)
{
    struct wr_event event;
    wr_broker_next(pass->mover->taking, &event);
    switch (event.kind) {
    case WR_EVENT_NONE:
        return false;
    case WR_EVENT_DELIVERY:
        pass->rc = event.channel == TAKING ? take(pass, event.delivery) : WARREN_OK;
        wr_delivery_free(event.delivery);
        return true;
    case WR_EVENT_OVERSIZED:
    case WR_EVENT_MALFORMED:
        pass->rc = cannot_read(pass);
        return true;
    case WR_EVENT_CANCELLED:
        pass->rc = wr_fail(pass->err, WARREN_NOT_FOUND, "queue %s was deleted by someone else",
                           pass->from);
        return true;
    case WR_EVENT_CHANNEL_CLOSED:
    case WR_EVENT_CLOSED:
        pass->rc = wr_fail(pass->err, WARREN_CLOSED, "queue %s: %s", pass->from, event.text);
        return true;
    default:
        return true;
    }
}

/* --- confirms --- */

static void settle(struct pass *pass, const struct wr_event *event)
{
    uint64_t last = 0;
    for (uint64_t i = pass->confirmed; i < pass->taken; i++) {
        uint64_t tag = pass->ring[i % WINDOW].put;
        if (tag == event->tag || (event->multiple && tag <= event->tag)) {
            pass->ring[i % WINDOW].is_safe = true;
        }
    }
    while (pass->confirmed < pass->taken && pass->ring[pass->confirmed % WINDOW].is_safe) {
        last = pass->ring[pass->confirmed++ % WINDOW].take;
        pass->mover->moved++;
    }
    if (last) {
        (void)wr_broker_ack(pass->mover->taking, TAKING, last, true);
    }
}

static bool read_putting(struct pass *pass)
{
    struct wr_event event;
    wr_broker_next(pass->mover->putting, &event);
    switch (event.kind) {
    case WR_EVENT_NONE:
        return false;
    case WR_EVENT_ACKED:
        settle(pass, &event);
        return true;
    case WR_EVENT_RETURNED:
        wr_delivery_free(event.delivery);
        pass->rc = wr_fail(pass->err, WARREN_UNROUTABLE, "queue %s is gone", pass->to);
        return true;
    case WR_EVENT_NACKED:
        pass->rc = wr_fail(pass->err, WARREN_NACKED,
                           "queue %s refuses messages: has it a length limit?", pass->to);
        return true;
    case WR_EVENT_BLOCKED:
        pass->rc =
            wr_fail(pass->err, WARREN_STATE, "the broker takes no publishes now: %s", event.text);
        return true;
    case WR_EVENT_CHANNEL_CLOSED:
    case WR_EVENT_CLOSED:
        pass->rc = wr_fail(pass->err, WARREN_CLOSED, "publishing to %s: %s", pass->to, event.text);
        return true;
    default:
        return true;
    }
}

/* --- a pass --- */

/* Waits a moment for either connection. */
static void wait_a_moment(const struct pass *pass)
{
    struct pollfd both[] = { { .fd = wr_broker_fd(pass->mover->taking), .events = POLLIN },
                             { .fd = wr_broker_fd(pass->mover->putting), .events = POLLIN } };
    if (!wr_broker_has_more(pass->mover->taking) && !wr_broker_has_more(pass->mover->putting)) {
        (void)poll(both, 2, REST_US / 1000);
    }
}

static bool is_stopped(const struct pass *pass)
{
    return pass->mover->goes_on && !pass->mover->goes_on(pass->mover->user);
}

/* Nothing came for a while: someone else took what was left, or it is not ready yet. */
static void look_again(struct pass *pass)
{
    struct wr_depth depth = { 0 };
    pass->rc = wr_mover_depth(pass->mover, pass->from, &depth, pass->err);
    pass->is_over = pass->is_over || (!pass->rc && !depth.messages);
}

static warren_status run_pass(struct pass *pass)
{
    int64_t moved_us = wr_clock_mono_us(NULL);
    int64_t looked_us = moved_us;
    while (!pass->rc && (!pass->is_over || pass->taken > pass->confirmed)) {
        bool has_moved = read_putting(pass);
        has_moved = (!pass->rc && !pass->is_over && read_taking(pass)) || has_moved;
        int64_t now_us = wr_clock_mono_us(NULL);
        pass->is_over = pass->is_over || pass->taken >= pass->wanted || is_stopped(pass);
        if (has_moved) {
            moved_us = looked_us = now_us;
            continue;
        }
        if (!pass->rc && now_us - moved_us > pass->mover->timeout_us) {
            return wr_fail(pass->err, WARREN_TIMEOUT, "nothing moves from %s to %s", pass->from,
                           pass->to);
        }
        if (!pass->rc && pass->taken == pass->confirmed && now_us - looked_us > IDLE_US) {
            looked_us = now_us;
            look_again(pass);
        }
        wait_a_moment(pass);
    }
    return pass->rc;
}

/* What was not confirmed goes back, in order. The acknowledgements get a moment to arrive before the
 * channel goes: those that don't are deliveries again. */
static void end_pass(struct wr_mover *mover)
{
    if (wr_broker_fd(mover->taking) >= 0) {
        (void)wr_broker_cancel(mover->taking, TAKING, "warren-mover", NULL);
        (void)wr_mover_rest(mover, SETTLE_US, NULL);
        (void)wr_broker_channel_close(mover->taking, TAKING, NULL);
    }
}

warren_status wr_mover_pass(struct wr_mover *mover, const char *from, const char *to,
                            warren_error *err)
{
    struct pass *pass = calloc(1, sizeof *pass);
    struct wr_depth depth = { 0 };
    if (!pass) {
        return wr_no_memory(err);
    }
    *pass = (struct pass){ .mover = mover, .from = from, .to = to, .err = err };
    warren_status rc = wr_mover_depth(mover, from, &depth, err);
    pass->wanted = depth.messages;
    if (!rc && depth.messages) {
        rc = wr_broker_channel_open(mover->taking, TAKING, false, err);
        rc = rc ? rc : wr_broker_prefetch(mover->taking, TAKING, WINDOW, err);
        rc = rc ? rc : wr_broker_consume(mover->taking, TAKING, from, "warren-mover", err);
        rc = rc ? rc : run_pass(pass);
        end_pass(mover);
    }
    free(pass);
    return rc;
}

/* --- the connections --- */

warren_status wr_mover_depth(struct wr_mover *mover, const char *queue, struct wr_depth *out,
                             warren_error *err)
{
    warren_status rc = wr_broker_channel_open(mover->taking, ASKING, false, err);
    if (!rc) {
        rc = wr_broker_depth(mover->taking, ASKING, queue, out, err);
        if (!rc) {
            (void)wr_broker_channel_close(mover->taking, ASKING, NULL);
        }
    }
    return rc;
}

warren_status wr_mover_rest(struct wr_mover *mover, int64_t us, warren_error *err)
{
    int64_t end_us = wr_clock_mono_us(NULL) + us;
    while (wr_clock_mono_us(NULL) < end_us) {
        struct wr_broker *both[] = { mover->taking, mover->putting };
        for (int i = 0; i < 2; i++) {
            struct wr_event event;
            wr_broker_next(both[i], &event);
            if (event.kind == WR_EVENT_CLOSED) {
                return wr_fail(err, WARREN_CLOSED, "the connection was lost: %s", event.text);
            }
            if (event.kind == WR_EVENT_DELIVERY || event.kind == WR_EVENT_RETURNED) {
                wr_delivery_free(event.delivery);
            }
        }
        wr_clock_pass_us(REST_US);
    }
    return WARREN_OK;
}

warren_status wr_mover_open(struct wr_mover *mover, warren_error *err)
{
    const struct wr_settings *settings = mover->rules.settings;
    struct wr_broker_options options = { .settings = &settings->broker, .name = "warren migrate" };
    mover->timeout_us = settings->publish_timeout_ms * WR_US_PER_MS;
    warren_status rc = wr_broker_open(&mover->putting, &options, err);
    if (!rc) {
        rc = wr_broker_channel_open(mover->putting, PUTTING, true, err);
    }
    if (rc) {
        wr_mover_close(mover);
    }
    return rc;
}

void wr_mover_close(struct wr_mover *mover)
{
    wr_broker_close(mover->putting);
    mover->putting = NULL;
    mover->put = 0;
}
