// SPDX-License-Identifier: MIT
// DESIGN: the way out. rabbitmq-c sends without any deadline, and its releases before 0.14 even
// wait for ever when the peer is silent for two heartbeats. So nothing is sent into a socket that
// has not shown lately that it takes data: after some bytes the socket is asked first, and when no
// frame came for a heartbeat each send reads first, which finds a dead peer. What is left (one
// large frame into a peer that stops in the middle of it) ends by TCP_USER_TIMEOUT.
//
// A call is a send, then reading until its answer is there; other events wait in the queue.
#include "io/broker_amqp_state.h"

#include <poll.h>

#include "base/error.h"

enum { CHECK_EVERY_BYTES = 16384, POLL_MOST_MS = 1000 };

warren_status wr_amqp_code_status(int code)
{
    switch (code) {
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_ALLOWED:
        return WARREN_REFUSED;
    case AMQP_NOT_FOUND:
        return WARREN_NOT_FOUND;
    case AMQP_PRECONDITION_FAILED:
        return WARREN_MISMATCH;
    default:
        return WARREN_FAILED;
    }
}

static warren_status closed(const struct wr_amqp *amqp, warren_error *err)
{
    return wr_fail(err, WARREN_CLOSED, "the connection to the broker is gone: %s", amqp->dead_text);
}

struct wr_amqp_channel *wr_amqp_channel_at(struct wr_amqp *amqp, uint16_t number,
                                           warren_status *status, warren_error *err)
{
    wr_amqp_check_cut(amqp);
    if (amqp->is_dead) {
        *status = closed(amqp, err);
        return NULL;
    }
    struct wr_amqp_channel *channel =
        number && number <= WR_CHANNELS_MOST ? amqp->channels[number] : NULL;
    if (!channel || channel->is_closing) {
        *status = wr_fail(err, WARREN_STATE, "channel %d is not open", number);
        return NULL;
    }
    *status = WARREN_OK;
    return channel;
}

/* Polls for `events`, at most until `deadline_us`; reads what came in. False when the time is up.
 */
static bool wait_for(struct wr_amqp *amqp, short events, int64_t deadline_us, short *out_ready)
{
    int64_t left_ms = (deadline_us - wr_clock_mono_us(NULL)) / WR_US_PER_MS;
    int64_t beat_ms = amqp->heartbeat_us / 2 / WR_US_PER_MS;
    int64_t most_ms = beat_ms && beat_ms < POLL_MOST_MS ? beat_ms : POLL_MOST_MS;
    struct pollfd polled = { .fd = amqp->fd, .events = events };
    int wait_ms = (int)(left_ms < 0 ? 0 : left_ms < most_ms ? left_ms + 1 : most_ms);
    wr_amqp_be_patient(amqp);
    (void)poll(&polled, 1, wait_ms);
    *out_ready = polled.revents;
    wr_amqp_check_cut(amqp);
    if (!amqp->is_dead) {
        wr_amqp_drain(amqp); /* also sends the heartbeats that are due */
    }
    return left_ms > 0;
}

bool wr_amqp_takes_data(struct wr_amqp *amqp)
{
    if (!amqp->is_roomy) {
        struct pollfd polled = { .fd = amqp->fd, .events = POLLOUT };
        amqp->is_roomy = poll(&polled, 1, 0) != 0;
    }
    return amqp->is_roomy;
}

bool wr_amqp_has_room(struct wr_broker *broker)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    return amqp->unchecked + amqp->gathered < CHECK_EVERY_BYTES / 2 || wr_amqp_takes_data(amqp);
}

warren_status wr_amqp_make_room(struct wr_amqp *amqp, size_t bytes, warren_error *err)
{
    int64_t now_us = wr_clock_mono_us(NULL);
    bool is_silent = amqp->heartbeat_us && now_us - amqp->heard_us > amqp->heartbeat_us;
    if (is_silent) {
        wr_amqp_drain(amqp); /* ends the connection when it is silent for too long */
    } else if (amqp->unchecked + bytes < CHECK_EVERY_BYTES) {
        amqp->unchecked += bytes;
        return WARREN_OK;
    }
    struct pollfd polled = { .fd = amqp->fd, .events = POLLOUT | POLLIN };
    (void)poll(&polled, 1, 0);
    short ready = polled.revents;
    if (ready & ~POLLOUT) {
        wr_amqp_drain(amqp);
    }
    int64_t deadline_us = now_us + amqp->rpc_timeout_us;
    bool has_time = true;
    while (!amqp->is_dead && !(ready & POLLOUT) && has_time) {
        has_time = wait_for(amqp, POLLOUT | POLLIN, deadline_us, &ready);
    }
    if (amqp->is_dead) {
        return closed(amqp, err);
    }
    if (!(ready & POLLOUT)) {
        return wr_fail(err, WARREN_TIMEOUT, "the broker took no data for %lld ms",
                       (long long)(amqp->rpc_timeout_us / WR_US_PER_MS));
    }
    amqp->unchecked = bytes;
    return WARREN_OK;
}

/* After a failed send: the broker's own words may lie in the socket still. */
static warren_status send_failed(struct wr_amqp *amqp, int library_status, warren_error *err)
{
    if (library_status == AMQP_STATUS_TABLE_TOO_BIG) {
        return wr_fail(err, WARREN_INVALID, "it does not fit into one frame of %d bytes",
                       amqp_get_frame_max(amqp->connection));
    }
    if (!amqp->is_dead) {
        wr_amqp_drain(amqp);
    }
    wr_amqp_die_of(amqp, library_status);
    return closed(amqp, err);
}

warren_status wr_amqp_send(struct wr_amqp *amqp, uint16_t channel, amqp_method_number_t id,
                           void *method, warren_error *err)
{
    wr_amqp_check_cut(amqp);
    if (amqp->is_dead) {
        return closed(amqp, err);
    }
    int status = amqp_send_method(amqp->connection, channel, id, method);
    return status == AMQP_STATUS_OK ? WARREN_OK : send_failed(amqp, status, err);
}

static bool has_end(const struct wr_amqp *amqp)
{
    const struct wr_amqp_channel *channel = amqp->channels[amqp->call.channel];
    return amqp->is_dead || amqp->call.is_answered || (channel && channel->has_failed);
}

/* What comes before the answer shows that the broker is at work: a long message on a slow line holds
 * an answer up for as long as it takes. But not for ever. */
static int64_t await_until(const struct wr_amqp *amqp, int64_t from_us, int64_t timeout_us)
{
    enum { STRETCH_MOST = 10 };
    int64_t heard_us = amqp->heard_us > from_us ? amqp->heard_us : from_us;
    int64_t most_us = from_us + STRETCH_MOST * timeout_us;
    return heard_us + timeout_us < most_us ? heard_us + timeout_us : most_us;
}

static void await(struct wr_amqp *amqp, int64_t timeout_us)
{
    int64_t from_us = wr_clock_mono_us(NULL);
    int64_t until_us = from_us + timeout_us;
    bool is_goodbye = amqp->call.answer == AMQP_CONNECTION_CLOSE_OK_METHOD;
    bool has_time = true;
    wr_amqp_drain(amqp);
    while (!has_end(amqp) && has_time) {
        short ready;
        has_time = wait_for(amqp, POLLIN, until_us, &ready);
        until_us = is_goodbye ? until_us : await_until(amqp, from_us, timeout_us);
    }
    if (!has_end(amqp)) {
        amqp->is_broken = true;
        wr_amqp_die(amqp, 0, "the broker did not answer (%s) within %lld ms",
                    amqp_method_name(amqp->call.answer), (long long)(timeout_us / WR_US_PER_MS));
    }
}

/* The broker closed the channel: its words are the answer, and the number is free again. */
static warren_status channel_failed(struct wr_amqp *amqp, uint16_t number, warren_error *err)
{
    const struct wr_amqp_channel *channel = amqp->channels[number];
    warren_status status = wr_fail(err, wr_amqp_code_status(channel->code), "%s", channel->text);
    wr_amqp_channel_drop(amqp, number);
    return status;
}

static bool is_failed(const struct wr_amqp *amqp, uint16_t number)
{
    return amqp->channels[number] && amqp->channels[number]->has_failed;
}

warren_status wr_amqp_ask(struct wr_amqp *amqp, uint16_t number, amqp_method_number_t id,
                          void *method, amqp_method_number_t answer, warren_error *err)
{
    amqp->call = (struct wr_amqp_call){ .channel = number, .answer = answer };
    warren_status status = wr_amqp_make_room(amqp, 256, err);
    if (!status && !is_failed(amqp, number)) {
        status = wr_amqp_send(amqp, number, id, method, err);
    }
    if (!status) {
        await(amqp, id == AMQP_CONNECTION_CLOSE_METHOD ? WR_CLOSE_US : amqp->rpc_timeout_us);
    }
    amqp->call.answer = 0;
    if (is_failed(amqp, number)) {
        return channel_failed(amqp, number, err);
    }
    if (amqp->call.is_answered) {
        return WARREN_OK;
    }
    return status ? status : closed(amqp, err);
}

warren_status wr_amqp_sync(struct wr_broker *broker, uint16_t number, warren_error *err)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    warren_status status;
    if (!wr_amqp_channel_at(amqp, number, &status, err)) {
        return status;
    }
    amqp_channel_flow_t flow = { .active = 1 };
    status = wr_amqp_ask(amqp, number, AMQP_CHANNEL_FLOW_METHOD, &flow, AMQP_CHANNEL_FLOW_OK_METHOD,
                         err);
    if (amqp->channels[number]) {
        amqp->channels[number]->has_unsynced = false;
    }
    return status;
}

warren_status wr_amqp_ask_on(struct wr_broker *broker, uint16_t number, amqp_method_number_t id,
                             void *method, warren_error *err)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    warren_status status;
    struct wr_amqp_channel *channel = wr_amqp_channel_at(amqp, number, &status, err);
    if (channel && channel->has_unsynced) {
        status = wr_amqp_sync(broker, number, err);
    }
    return status ? status : wr_amqp_ask(amqp, number, id, method, id + 1, err);
}
