// SPDX-License-Identifier: MIT
// DESIGN: the calls of broker.h on the memory broker. Each takes the server's lock, brings the
// server up to now, finds the channel and hands over to the modules that know: memory_session
// (channels), memory_declare (topology), memory_server (messages and time). A call on a channel
// that the server closed does nothing, as on a real connection where the close is still on its way;
// a call that waits for an answer gets the reason.
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "io/memory.h"
#include "io/memory_declare.h"
#include "io/memory_session.h"

#define CHANNELS_MOST 2047
#define BODY_MOST (INT64_C(128) << 20)

static struct wr_memory_session *session_of(const struct wr_broker *broker)
{
    return (struct wr_memory_session *)(void *)broker;
}

/* Locks and brings up to now; `session` and `server` are then at hand. */
#define ENTER(broker)                                                                              \
    struct wr_memory_session *session = session_of(broker);                                        \
    struct wr_memory *server = session->server;                                                    \
    WR_SCOPED_LOCK(&server->lock);                                                                 \
    wr_memory_server_enter(server)

/* For calls that nobody answers: a channel that was refused is found too. NULL: `out_rc` says why.
 */
static struct wr_memory_channel *find(const struct wr_memory_session *session, uint16_t number,
                                      warren_status *out_rc, warren_error *err)
{
    struct wr_memory_channel *channel = wr_memory_session_channel(session, number);
    if (session->end.code) {
        *out_rc = wr_memory_session_gone(session, err);
        return NULL;
    }
    if (!channel) {
        *out_rc = wr_fail(err, WARREN_STATE, "channel %u is not open", number);
    }
    return channel;
}

/* For calls that are answered: the reason of a refused channel is the answer, and frees its number.
 */
static struct wr_memory_channel *find_open(struct wr_memory_session *session, uint16_t number,
                                           warren_status *out_rc, warren_error *err)
{
    struct wr_memory_channel *channel = find(session, number, out_rc, err);
    if (!channel || !channel->refusal.code) {
        return channel;
    }
    *out_rc = wr_memory_refusal_status(&channel->refusal, err);
    wr_memory_session_close(session, channel);
    return NULL;
}

/* --- the connection --- */

static void close_broker(struct wr_broker *broker)
{
    struct wr_memory_session *session = session_of(broker);
    struct wr_memory *server = session->server;
    (void)pthread_mutex_lock(&server->lock);
    wr_memory_server_enter(server);
    wr_memory_session_detach(session);
    wr_memory_inbox_done(&session->inbox);
    (void)pthread_mutex_unlock(&server->lock);
    free(session);
    wr_memory_close(server);
}

static void cut(struct wr_broker *broker)
{
    ENTER(broker);
    wr_memory_session_drop(session, 320, "the connection was cut");
}

static int fd(const struct wr_broker *broker)
{
    ENTER(broker);
    return session->end_was_told ? -1 : session->inbox.fd;
}

static int64_t deadline_us(const struct wr_broker *broker)
{
    ENTER(broker);
    return server->due_us;
}

static void next(struct wr_broker *broker, struct wr_event *out)
{
    ENTER(broker);
    wr_event_clear(out);
    if (session->inbox.is_broken) {
        wr_memory_session_drop(session, 541, "INTERNAL_ERROR - no memory");
    }
    if (session->end.code) {
        if (!session->end_was_told) {
            *out = (struct wr_event){ .kind = WR_EVENT_CLOSED, .code = session->end.code };
            (void)memcpy(out->text, session->end.text, sizeof out->text);
        }
        session->end_was_told = true;
        return;
    }
    if (wr_memory_inbox_take(&session->inbox, out) && out->kind == WR_EVENT_CHANNEL_CLOSED) {
        struct wr_memory_channel *channel = wr_memory_session_channel(session, out->channel);
        if (channel) {
            wr_memory_session_close(session, channel);
        }
    }
}

static bool has_more(const struct wr_broker *broker)
{
    ENTER(broker);
    return session->inbox.notes.first || (session->end.code && !session->end_was_told);
}

static void cork(struct wr_broker *broker, bool holds_back)
{
    (void)broker;
    (void)holds_back;
}

static bool has_room(struct wr_broker *broker)
{
    (void)broker; /* memory takes what comes */
    return true;
}

/* --- channels --- */

static warren_status channel_open(struct wr_broker *broker, uint16_t number, bool confirms,
                                  warren_error *err)
{
    ENTER(broker);
    if (session->end.code) {
        return wr_memory_session_gone(session, err);
    }
    if (number == 0 || number > CHANNELS_MOST) {
        return wr_fail(err, WARREN_INVALID, "channel %u: must be 1 to %d", number, CHANNELS_MOST);
    }
    if (wr_memory_session_channel(session, number)) {
        return wr_fail(err, WARREN_STATE, "channel %u is open already", number);
    }
    return wr_memory_session_open(session, number, confirms) ? WARREN_OK : wr_no_memory(err);
}

static warren_status channel_close(struct wr_broker *broker, uint16_t number, warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_channel *channel = find(session, number, &rc, err);
    if (channel) {
        wr_memory_session_close(session, channel);
    }
    return rc;
}

/* --- topology --- */

static void remove_item(struct wr_memory *server, const struct wr_item *item)
{
    struct wr_slice name = wr_slice_of(item->name);
    struct wr_memory_queue *queue = wr_memory_routes_queue(&server->routes, name);
    struct wr_memory_exchange *exchange = wr_memory_routes_exchange(&server->routes, name);
    if (item->kind == WR_ITEM_QUEUE && queue) {
        wr_memory_session_delete_queue(server, queue);
    } else if (item->kind == WR_ITEM_EXCHANGE && exchange) {
        wr_memory_routes_remove_exchange(&server->routes, exchange);
    }
}

static bool is_busy(const struct wr_memory *server, const struct wr_item *item)
{
    const struct wr_memory_queue *queue =
        wr_memory_routes_queue(&server->routes, wr_slice_of(item->name));
    return item->kind == WR_ITEM_QUEUE && queue &&
           (queue->ready.length || wr_memory_queue_consumers(queue));
}

static warren_status declare(struct wr_broker *broker, uint16_t number, const struct wr_item *item,
                             enum wr_declare how, warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_channel *channel = find(session, number, &rc, err);
    if (!channel || channel->refusal.code) {
        return rc;
    }
    if (how == WR_REMOVE_IDLE && is_busy(server, item)) {
        (void)wr_memory_refuse(&channel->refusal, 406,
                               "PRECONDITION_FAILED - queue '%s' in vhost '/' is not empty",
                               item->name);
        wr_memory_session_refuse(session, channel);
        return WARREN_OK;
    }
    if (how == WR_REMOVE || how == WR_REMOVE_IDLE) {
        remove_item(server, item);
        return WARREN_OK;
    }
    if (!wr_memory_declare(server, item, how, &channel->refusal)) {
        wr_memory_session_refuse(session, channel);
    } else if (how == WR_DECLARE) {
        wr_memory_server_unstick(server);
    }
    return WARREN_OK;
}

static warren_status sync_channel(struct wr_broker *broker, uint16_t number, warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    (void)find_open(session, number, &rc, err);
    return rc;
}

/* The queue of that name; NOT_FOUND closes the channel. NULL: `out_rc` says why. */
static struct wr_memory_queue *find_queue(struct wr_memory_session *session, uint16_t number,
                                          const char *name, warren_status *out_rc,
                                          warren_error *err)
{
    struct wr_memory_channel *channel = find_open(session, number, out_rc, err);
    struct wr_memory_queue *queue =
        wr_memory_routes_queue(&session->server->routes, wr_slice_of(name));
    if (channel && !queue) {
        (void)wr_memory_refuse(&channel->refusal, 404, "NOT_FOUND - no queue '%s' in vhost '/'",
                               name);
        *out_rc = wr_memory_refusal_status(&channel->refusal, err);
        wr_memory_session_close(session, channel);
    }
    return channel ? queue : NULL;
}

static warren_status depth(struct wr_broker *broker, uint16_t number, const char *name,
                           struct wr_depth *out, warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_queue *queue = find_queue(session, number, name, &rc, err);
    if (queue) {
        *out = (struct wr_depth){ queue->ready.length, wr_memory_queue_consumers(queue) };
    }
    return rc;
}

static warren_status purge(struct wr_broker *broker, uint16_t number, const char *name,
                           uint64_t *out_count, warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_queue *queue = find_queue(session, number, name, &rc, err);
    if (queue) {
        *out_count = wr_memory_list_clear(&queue->ready);
    }
    return rc;
}

static warren_status delete_queue(struct wr_broker *broker, uint16_t number, const char *name,
                                  warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_channel *channel = find_open(session, number, &rc, err);
    struct wr_memory_queue *queue = wr_memory_routes_queue(&server->routes, wr_slice_of(name));
    if (channel && queue) {
        wr_memory_session_delete_queue(server, queue);
    }
    return rc; /* one that is not there is deleted already */
}

/* --- consuming --- */

static warren_status prefetch(struct wr_broker *broker, uint16_t number, uint16_t count,
                              warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_channel *channel = find_open(session, number, &rc, err);
    if (channel) {
        channel->prefetch = count;
    }
    return rc;
}

static warren_status consume(struct wr_broker *broker, uint16_t number, const char *name,
                             const char *consumer, warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_queue *queue = find_queue(session, number, name, &rc, err);
    if (!queue) {
        return rc;
    }
    if (wr_memory_session_consumes(session, consumer)) {
        char text[256];
        (void)snprintf(text, sizeof text, "NOT_ALLOWED - attempt to reuse consumer tag '%s'",
                       consumer);
        wr_memory_session_drop(session, 530, text);
        return wr_memory_session_gone(session, err);
    }
    struct wr_memory_channel *channel = wr_memory_session_channel(session, number);
    if (!wr_memory_queue_add_consumer(queue, channel, consumer)) {
        return wr_no_memory(err);
    }
    wr_memory_server_dispatch_queue(server, queue);
    return WARREN_OK;
}

static warren_status consume_stream(struct wr_broker *broker, uint16_t number, const char *stream,
                                    const char *offset, const char *consumer, warren_error *err)
{
    (void)broker;
    (void)number;
    (void)offset;
    (void)consumer;
    return wr_fail(err, WARREN_FAILED, "%s: the memory broker has no streams", stream);
}

static warren_status cancel(struct wr_broker *broker, uint16_t number, const char *consumer,
                            warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_channel *channel = find_open(session, number, &rc, err);
    if (!channel) {
        return rc;
    }
    for (struct wr_memory_queue *at = server->routes.queues; at; at = at->next) {
        (void)wr_memory_queue_end_consumers(at, channel, consumer);
    }
    return WARREN_OK;
}

static warren_status settle(struct wr_broker *broker, uint16_t number, uint64_t tag, bool multiple,
                            enum wr_memory_verdict verdict)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_channel *channel = find(session, number, &rc, NULL);
    if (channel && !channel->refusal.code) {
        wr_memory_session_settle(session, channel, tag, multiple, verdict);
    }
    return rc;
}

static warren_status ack(struct wr_broker *broker, uint16_t number, uint64_t tag, bool multiple)
{
    return settle(broker, number, tag, multiple, WR_MEMORY_ACK);
}

static warren_status nack(struct wr_broker *broker, uint16_t number, uint64_t tag, bool multiple,
                          bool requeue)
{
    return settle(broker, number, tag, multiple, requeue ? WR_MEMORY_REQUEUE : WR_MEMORY_REJECT);
}

/* --- publishing --- */

static warren_status publish(struct wr_broker *broker, uint16_t number,
                             const struct wr_message *message, warren_error *err)
{
    ENTER(broker);
    warren_status rc = WARREN_OK;
    struct wr_memory_channel *channel = find(session, number, &rc, err);
    if (!channel || channel->refusal.code) {
        return rc;
    }
    if (message->exchange.size > 255 || message->key.size > 255) {
        return wr_fail(err, WARREN_INVALID, "exchange or routing key above 255 bytes");
    }
    struct wr_memory_held *held = wr_memory_held_of(message, &server->messages);
    if (!held) {
        return wr_no_memory(err);
    }
    wr_memory_session_publish(session, channel, held);
    return WARREN_OK;
}

static const struct wr_broker_calls calls = {
    .close = close_broker,
    .cut = cut,
    .fd = fd,
    .deadline_us = deadline_us,
    .next = next,
    .has_more = has_more,
    .has_room = has_room,
    .cork = cork,
    .channel_open = channel_open,
    .channel_close = channel_close,
    .declare = declare,
    .sync = sync_channel,
    .depth = depth,
    .purge = purge,
    .delete_queue = delete_queue,
    .prefetch = prefetch,
    .consume = consume,
    .consume_stream = consume_stream,
    .cancel = cancel,
    .ack = ack,
    .nack = nack,
    .publish = publish,
};

static void fill(struct wr_memory_session *session, const struct wr_broker_options *options)
{
    session->broker.calls = &calls;
    session->broker.server =
        (struct wr_server){ .product = "memory", .version = "4.0.0", .major = 4 };
    session->body_most = options->body_most ? options->body_most : BODY_MOST;
    const char *user = options->settings->user ? options->settings->user : "guest";
    (void)snprintf(session->user, sizeof session->user, "%s", user);
    (void)snprintf(session->name, sizeof session->name, "%s", options->name ? options->name : "");
}

/* Joins the server unless it refuses. */
static bool join(struct wr_memory_session *session, struct wr_memory *server)
{
    WR_SCOPED_LOCK(&server->lock);
    if (server->refuses_connects) {
        return false;
    }
    wr_memory_session_attach(session, server);
    return true;
}

warren_status wr_broker_memory_open(struct wr_broker **out, const struct wr_broker_options *options,
                                    warren_error *err)
{
    const char *name = options->settings->url + strlen("memory:");
    struct wr_memory *server = wr_memory_open(name, options->clock);
    struct wr_memory_session *session = server ? calloc(1, sizeof *session) : NULL;
    if (!session) {
        wr_memory_close(server);
        return wr_no_memory(err);
    }
    warren_status rc = wr_memory_inbox_init(&session->inbox, err);
    if (!rc) {
        fill(session, options);
    }
    if (!rc && !join(session, server)) {
        wr_memory_inbox_done(&session->inbox);
        rc = wr_fail(err, WARREN_UNREACHABLE, "memory:%s: connection refused", name);
    }
    if (rc) {
        wr_memory_close(server);
        free(session);
        return rc;
    }
    *out = &session->broker;
    return WARREN_OK;
}
