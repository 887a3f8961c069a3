// SPDX-License-Identifier: MIT
// DESIGN: RabbitMQ as one kind of broker: the table of calls and the life of a connection. What was
// queued while a call waited comes out first, then what the socket has, and at the end, once, why
// the connection is gone. A cut only shuts the socket down, so that a watchdog may do it while the
// owner is stuck inside the library; the owner then finds out by itself.
#include "io/broker_amqp_state.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

static void forget_events(struct wr_amqp *amqp)
{
    for (struct wr_link *link; (link = wr_list_take(&amqp->events));) {
        struct wr_amqp_event *waiting = WR_OF(link, struct wr_amqp_event, link);
        wr_delivery_free(waiting->event.delivery);
        free(waiting);
    }
}

static void say_goodbye(struct wr_amqp *amqp)
{
    struct pollfd polled = { .fd = amqp->fd, .events = POLLOUT };
    wr_amqp_check_cut(amqp);
    if (amqp->is_dead || amqp->is_broken || poll(&polled, 1, 0) != 1) {
        return;
    }
    amqp_connection_close_t bye = {
        .reply_code = AMQP_REPLY_SUCCESS,
        .reply_text = wr_amqp_string("goodbye"),
    };
    (void)wr_amqp_ask(amqp, 0, AMQP_CONNECTION_CLOSE_METHOD, &bye, AMQP_CONNECTION_CLOSE_OK_METHOD,
                      NULL);
}

static void close_broker(struct wr_broker *broker)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    if (amqp->watch) {
        wr_watch_clear(amqp->watch);
    }
    if (amqp->connection) {
        say_goodbye(amqp);
        (void)amqp_destroy_connection(amqp->connection);
    }
    if (amqp->fd >= 0) {
        (void)close(amqp->fd);
    }
    forget_events(amqp);
    for (int i = 1; i <= WR_CHANNELS_MOST; i++) {
        if (amqp->channels[i]) {
            wr_delivery_free(amqp->channels[i]->delivery);
            free(amqp->channels[i]);
        }
    }
    empty_amqp_pool(&amqp->pool);
    free(amqp);
}

static void cut(struct wr_broker *broker)
{
    wr_amqp_cut_off(wr_amqp_of(broker));
}

static int fd(const struct wr_broker *broker)
{
    const struct wr_amqp *amqp = (const struct wr_amqp *)broker;
    return amqp->is_dead ? -1 : amqp->fd;
}

static int64_t deadline_us(const struct wr_broker *broker)
{
    const struct wr_amqp *amqp = (const struct wr_amqp *)broker;
    if (amqp->is_dead || !amqp->heartbeat_us) {
        return INT64_MAX;
    }
    return amqp->read_us + amqp->heartbeat_us / 2;
}

static bool has_more(const struct wr_broker *broker)
{
    const struct wr_amqp *amqp = (const struct wr_amqp *)broker;
    if (amqp->events.first || amqp->is_dead) {
        return amqp->events.first || !amqp->is_told;
    }
    /* TLS may hold decrypted bytes that neither poll nor the library shows. */
    return amqp_frames_enqueued(amqp->connection) || amqp_data_in_buffer(amqp->connection) ||
           (amqp->is_tls && !amqp->is_drained);
}

static void tell_end(struct wr_amqp *amqp, struct wr_event *out)
{
    wr_event_clear(out);
    if (amqp->is_told) {
        return;
    }
    amqp->is_told = true;
    out->kind = WR_EVENT_CLOSED;
    out->code = amqp->dead_code;
    memcpy(out->text, amqp->dead_text, sizeof out->text);
}

/* The next event, whatever it is. */
static void take(struct wr_amqp *amqp, struct wr_event *out)
{
    struct wr_link *link = wr_list_take(&amqp->events);
    if (link) {
        struct wr_amqp_event *waiting = WR_OF(link, struct wr_amqp_event, link);
        *out = waiting->event;
        free(waiting);
        return;
    }
    while (wr_amqp_read(amqp, out)) {
        if (out->kind != WR_EVENT_NONE) {
            return;
        }
    }
    if (amqp->is_dead) {
        tell_end(amqp, out);
    }
}

static void next(struct wr_broker *broker, struct wr_event *out)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    wr_amqp_check_cut(amqp);
    if (atomic_load_explicit(&amqp->is_cut, memory_order_relaxed)) {
        forget_events(amqp);
    }
    take(amqp, out);
    switch (out->kind) {
    case WR_EVENT_NONE:
        wr_amqp_note_time(amqp);
        break;
    case WR_EVENT_CHANNEL_CLOSED:
        wr_amqp_channel_drop(amqp, out->channel);
        break;
    case WR_EVENT_BLOCKED:
    case WR_EVENT_UNBLOCKED:
        amqp->is_blocked = out->kind == WR_EVENT_BLOCKED;
        break;
    default:
        break;
    }
}

static const struct wr_broker_calls calls = {
    .close = close_broker,
    .cut = cut,
    .fd = fd,
    .deadline_us = deadline_us,
    .next = next,
    .has_more = has_more,
    .has_room = wr_amqp_has_room,
    .cork = wr_amqp_cork,
    .channel_open = wr_amqp_channel_open,
    .channel_close = wr_amqp_channel_close,
    .declare = wr_amqp_declare,
    .sync = wr_amqp_sync,
    .depth = wr_amqp_depth,
    .purge = wr_amqp_purge,
    .delete_queue = wr_amqp_delete_queue,
    .prefetch = wr_amqp_prefetch,
    .consume = wr_amqp_consume,
    .consume_stream = wr_amqp_consume_stream,
    .cancel = wr_amqp_cancel,
    .ack = wr_amqp_ack,
    .nack = wr_amqp_nack,
    .publish = wr_amqp_publish,
};

warren_status wr_broker_amqp_open(struct wr_broker **out, const struct wr_broker_options *options,
                                  warren_error *err)
{
    struct wr_amqp *amqp = calloc(1, sizeof *amqp);
    if (!amqp) {
        return wr_no_memory(err);
    }
    amqp->broker.calls = &calls;
    amqp->body_most = options->body_most ? options->body_most : INT64_C(128) << 20;
    amqp->rpc_timeout_us = options->settings->rpc_timeout_ms * WR_US_PER_MS;
    amqp->stuck_us = wr_broker_stuck_us(options->settings);
    amqp->watch = options->watch;
    amqp->fd = -1;
    init_amqp_pool(&amqp->pool, WR_POOL_BYTES);
    warren_status status = wr_amqp_connect(amqp, options, err);
    if (status) {
        close_broker(&amqp->broker);
        return status;
    }
    amqp->has_heard = true;
    wr_amqp_note_time(amqp);
    *out = &amqp->broker;
    return WARREN_OK;
}
