// SPDX-License-Identifier: MIT
// DESIGN: a connection ends in three ways (closed, cut by its owner, cut by the server) and a
// channel in three (closed, refused, with its connection): all of them end consumers first and then
// put back what is out, oldest first, so that no message goes to a consumer that is about to end
// and the order of a queue stays. Publishes that come while the server is blocked wait here, as
// they would in a socket.
#include "io/memory_session.h"

#include <stdlib.h>

#include "base/error.h"

struct waiting {
    struct wr_link link;
    struct wr_memory_held *held;
    uint64_t tag;
    uint16_t channel;
};

/* --- watching --- */

static void tell(const struct wr_memory_session *session, struct wr_memory_sight sight)
{
    const struct wr_memory *server = session->server;
    if (server->watcher) {
        sight.connection = session->name;
        server->watcher(server->watcher_user, &sight);
    }
}

static void tell_of(const struct wr_memory_channel *channel, const struct wr_memory_held *held,
                    enum wr_memory_sight_kind kind)
{
    tell(WR_OF(channel->inbox, struct wr_memory_session, inbox),
         (struct wr_memory_sight){ .kind = kind,
                                   .channel = channel->number,
                                   .tag = held->tag,
                                   .queue = held->queue ? held->queue->name : NULL,
                                   .exchange = held->exchange,
                                   .key = held->key,
                                   .properties = held->properties });
}

/* --- ends --- */

static void forget_waiting(struct wr_memory_session *session, uint16_t channel)
{
    struct wr_list kept = { 0 };
    for (struct wr_link *link; (link = wr_list_take(&session->waiting)) != NULL;) {
        struct waiting *waiting = WR_OF(link, struct waiting, link);
        if (channel && waiting->channel != channel) {
            wr_list_push(&kept, link);
            continue;
        }
        wr_memory_held_free(waiting->held);
        free(waiting);
    }
    session->waiting = kept;
}

/* Consumers end, deliveries go back; nothing is handed out yet. */
static void empty_channel(struct wr_memory *server, struct wr_memory_channel *channel)
{
    for (struct wr_memory_queue *at = server->routes.queues; at; at = at->next) {
        (void)wr_memory_queue_end_consumers(at, channel, NULL);
    }
    while (channel->unacked.first) {
        struct wr_memory_held *held = channel->unacked.first;
        tell_of(channel, held, WR_MEMORY_RETURNED);
        wr_memory_queue_take_back(channel, held);
        wr_memory_server_return(server, held);
    }
}

static void free_channel(struct wr_memory_session *session, struct wr_memory_channel *channel)
{
    for (struct wr_memory_channel **at = &session->channels; *at; at = &(*at)->next) {
        if (*at == channel) {
            *at = channel->next;
            break;
        }
    }
    wr_memory_inbox_forget(&session->inbox, channel->number);
    forget_waiting(session, channel->number);
    free(channel);
}

static void empty_session(struct wr_memory_session *session)
{
    for (struct wr_memory_channel *at = session->channels; at; at = at->next) {
        empty_channel(session->server, at);
    }
    while (session->channels) {
        free_channel(session, session->channels);
    }
    wr_memory_inbox_forget(&session->inbox, 0);
    if (!session->has_left) {
        session->has_left = true;
        tell(session, (struct wr_memory_sight){ .kind = WR_MEMORY_LEFT });
    }
    wr_memory_server_dispatch(session->server);
}

void wr_memory_session_attach(struct wr_memory_session *session, struct wr_memory *server)
{
    session->server = server;
    session->next = server->sessions;
    server->sessions = session;
    session->inbox.next = server->inboxes;
    server->inboxes = &session->inbox;
    tell(session, (struct wr_memory_sight){ .kind = WR_MEMORY_JOINED });
    if (server->is_blocked) {
        struct wr_event event = { .kind = WR_EVENT_BLOCKED, .text = "blocked by a test" };
        wr_memory_inbox_push(&session->inbox, &event);
    }
}

void wr_memory_session_detach(struct wr_memory_session *session)
{
    struct wr_memory *server = session->server;
    empty_session(session);
    for (struct wr_memory_session **at = &server->sessions; *at; at = &(*at)->next) {
        if (*at == session) {
            *at = session->next;
            break;
        }
    }
    for (struct wr_memory_inbox **at = &server->inboxes; *at; at = &(*at)->next) {
        if (*at == &session->inbox) {
            *at = session->inbox.next;
            break;
        }
    }
}

void wr_memory_session_drop(struct wr_memory_session *session, int code, const char *text)
{
    if (session->end.code) {
        return;
    }
    (void)wr_memory_refuse(&session->end, code, "%s", text);
    empty_session(session);
    wr_memory_inbox_wake(&session->inbox);
}

warren_status wr_memory_session_gone(const struct wr_memory_session *session, warren_error *err)
{
    return wr_fail(err, WARREN_CLOSED, "the connection to memory:%s is closed: %s",
                   session->server->name, session->end.text);
}

struct wr_memory_channel *wr_memory_session_channel(const struct wr_memory_session *session,
                                                    uint16_t number)
{
    struct wr_memory_channel *at = session->channels;
    while (at && at->number != number) {
        at = at->next;
    }
    return at;
}

struct wr_memory_channel *wr_memory_session_open(struct wr_memory_session *session, uint16_t number,
                                                 bool confirms)
{
    struct wr_memory_channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        return NULL;
    }
    channel->number = number;
    channel->confirms = confirms;
    channel->inbox = &session->inbox;
    channel->body_most = session->body_most;
    channel->next = session->channels;
    session->channels = channel;
    return channel;
}

void wr_memory_session_close(struct wr_memory_session *session, struct wr_memory_channel *channel)
{
    empty_channel(session->server, channel);
    free_channel(session, channel);
    wr_memory_server_dispatch(session->server);
}

void wr_memory_session_refuse(struct wr_memory_session *session, struct wr_memory_channel *channel)
{
    struct wr_event event = { .kind = WR_EVENT_CHANNEL_CLOSED,
                              .channel = channel->number,
                              .code = channel->refusal.code };
    (void)memcpy(event.text, channel->refusal.text, sizeof event.text);
    tell(session, (struct wr_memory_sight){ .kind = WR_MEMORY_REFUSED,
                                            .channel = channel->number,
                                            .queue = channel->refusal.text });
    empty_channel(session->server, channel);
    forget_waiting(session, channel->number);
    wr_memory_inbox_push(&session->inbox, &event);
    wr_memory_server_dispatch(session->server);
}

bool wr_memory_session_consumes(const struct wr_memory_session *session, const char *tag)
{
    for (const struct wr_memory_queue *queue = session->server->routes.queues; queue;
         queue = queue->next) {
        for (const struct wr_memory_consumer *at = queue->consumers; at; at = at->next) {
            if (at->channel->inbox == &session->inbox && strcmp(at->tag, tag) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* --- publishing --- */

/* What the server itself checks in a publish, and the lifetime it finds there. */
static bool check_publish(const struct wr_memory_session *session, struct wr_memory_held *held,
                          struct wr_memory_refusal *out)
{
    struct wr_message message;
    if (wr_message_read(&message, held->properties, NULL)) {
        return wr_memory_refuse(out, 501, "FRAME_ERROR - the properties can't be read");
    }
    if (message.present & WR_USER_ID && !wr_slice_is(message.user_id, session->user)) {
        return wr_memory_refuse(out, 406,
                                "PRECONDITION_FAILED - user_id property set to '%.*s' but "
                                "authenticated user was '%s'",
                                WR_SLICE(message.user_id), session->user);
    }
    if (message.present & WR_EXPIRATION &&
        (!wr_slice_to_int(message.expiration, &held->lifetime_ms) || held->lifetime_ms < 0)) {
        return wr_memory_refuse(out, 406, "PRECONDITION_FAILED - invalid expiration '%.*s'",
                                WR_SLICE(message.expiration));
    }
    return true;
}

/* A BCC header is for routing only: receivers never see it. */
static struct wr_memory_held *without_bcc(struct wr_memory_held *held)
{
    struct wr_message message;
    struct wr_field field;
    if (wr_message_read(&message, held->properties, NULL) || !(message.present & WR_HEADERS) ||
        !wr_table_find(message.headers, "BCC", &field)) {
        return held;
    }
    struct wr_text headers = { 0 };
    for (size_t offset = 0; wr_table_next(message.headers, &offset, &field);) {
        if (!wr_slice_is(field.name, "BCC")) {
            wr_table_add_entry(&headers, &field);
        }
    }
    message.headers = (struct wr_table){ headers.data, headers.size };
    struct wr_text properties = { 0 };
    wr_message_write(&message, &properties);
    struct wr_memory_content content = {
        held->exchange, held->key, { properties.data, properties.size }, held->body
    };
    struct wr_memory_held *stripped =
        headers.failed || properties.failed ? NULL : wr_memory_held_new(&content, held->census);
    if (stripped) {
        stripped->lifetime_ms = held->lifetime_ms;
        wr_memory_held_free(held);
    }
    wr_text_done(&headers);
    wr_text_done(&properties);
    return stripped ? stripped : held;
}

/* Nobody takes it: it goes back to its sender. */
static void give_back(struct wr_memory_channel *channel, struct wr_memory_held *held)
{
    struct wr_event event = {
        .kind = WR_EVENT_RETURNED, .channel = channel->number, .code = 312, .text = "NO_ROUTE"
    };
    if (wr_memory_held_deliver(held, false, &event.delivery)) {
        channel->inbox->is_broken = true;
    } else {
        event.delivery->channel = channel->number;
        wr_memory_inbox_push(channel->inbox, &event);
    }
    wr_memory_held_free(held);
}

static void tell_taken(const struct wr_memory_channel *channel, const struct wr_memory_held *held)
{
    tell(WR_OF(channel->inbox, struct wr_memory_session, inbox),
         (struct wr_memory_sight){ .kind = WR_MEMORY_TAKEN,
                                   .channel = channel->number,
                                   .exchange = held->exchange,
                                   .key = held->key,
                                   .properties = held->properties });
}

static void publish_now(struct wr_memory_session *session, struct wr_memory_channel *channel,
                        struct wr_memory_held *held, uint64_t tag)
{
    struct wr_memory *server = session->server;
    struct wr_memory_refusal *refusal = &channel->refusal;
    bool is_full = server->messages > server->messages_most;
    if (server->nacks_due || is_full) {
        server->nacks_due -= server->nacks_due ? 1 : 0;
        wr_memory_held_free(held);
        wr_memory_channel_confirm(channel, tag, WR_EVENT_NACKED);
        return;
    }
    bool fine = check_publish(session, held, refusal);
    if (fine && !wr_memory_server_route(server, held)) {
        fine = wr_memory_refuse(refusal, 404, "NOT_FOUND - no exchange '%.*s' in vhost '/'",
                                WR_SLICE(held->exchange));
    }
    if (!fine) {
        wr_memory_held_free(held);
        wr_memory_session_refuse(session, channel);
        return;
    }
    bool complete = true;
    if (server->routes.target_count) {
        tell_taken(channel, held);
        complete = wr_memory_server_spread(server, without_bcc(held));
    } else {
        give_back(channel, held);
    }
    if (server->drops_due) {
        server->drops_due--;
        wr_memory_session_drop(session, 320, "CONNECTION_FORCED - cut before the confirm");
        return;
    }
    wr_memory_channel_confirm(channel, tag, complete ? WR_EVENT_ACKED : WR_EVENT_NACKED);
}

void wr_memory_session_publish(struct wr_memory_session *session, struct wr_memory_channel *channel,
                               struct wr_memory_held *held)
{
    uint64_t tag = ++channel->published;
    if (!session->server->is_blocked) {
        publish_now(session, channel, held, tag);
        return;
    }
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) {
        wr_memory_held_free(held);
        wr_memory_channel_confirm(channel, tag, WR_EVENT_NACKED);
        return;
    }
    *waiting = (struct waiting){ .held = held, .tag = tag, .channel = channel->number };
    wr_list_push(&session->waiting, &waiting->link);
}

void wr_memory_session_resume(struct wr_memory_session *session)
{
    for (struct wr_link *link; (link = wr_list_take(&session->waiting)) != NULL;) {
        struct waiting *waiting = WR_OF(link, struct waiting, link);
        struct wr_memory_channel *channel = wr_memory_session_channel(session, waiting->channel);
        if (channel && !channel->refusal.code) {
            publish_now(session, channel, waiting->held, waiting->tag);
        } else {
            wr_memory_held_free(waiting->held);
        }
        free(waiting);
    }
}

/* --- settling --- */

static void settle_one(struct wr_memory *server, struct wr_memory_channel *channel,
                       struct wr_memory_held *held, enum wr_memory_verdict verdict)
{
    struct wr_memory_queue *queue = held->queue;
    tell_of(channel, held, verdict == WR_MEMORY_REQUEUE ? WR_MEMORY_RETURNED : WR_MEMORY_ACKED);
    wr_memory_queue_take_back(channel, held);
    if (verdict == WR_MEMORY_REQUEUE) {
        wr_memory_server_return(server, held);
    } else if (verdict == WR_MEMORY_REJECT && queue) {
        wr_memory_server_bury(server, queue, held, "rejected");
    } else {
        wr_memory_held_free(held);
    }
}

void wr_memory_session_settle(struct wr_memory_session *session, struct wr_memory_channel *channel,
                              uint64_t tag, bool multiple, enum wr_memory_verdict verdict)
{
    struct wr_memory *server = session->server;
    struct wr_memory_held *held = wr_memory_channel_find(channel, tag);
    if (!held && !(multiple && tag == 0)) {
        (void)wr_memory_refuse(&channel->refusal, 406,
                               "PRECONDITION_FAILED - unknown delivery tag %llu",
                               (unsigned long long)tag);
        wr_memory_session_refuse(session, channel);
        return;
    }
    struct wr_memory_queue *queue = held ? held->queue : NULL;
    if (!multiple) {
        settle_one(server, channel, held, verdict);
        if (queue) {
            wr_memory_server_dispatch_queue(server, queue);
        }
        return;
    }
    uint64_t upto = tag ? tag : channel->delivered; /* a dead letter may come straight back */
    while (channel->unacked.first && channel->unacked.first->tag <= upto) {
        settle_one(server, channel, channel->unacked.first, verdict);
    }
    wr_memory_server_dispatch(server);
}

/* --- deleting --- */

static void orphan(struct wr_memory *server, const struct wr_memory_queue *queue)
{
    for (struct wr_memory_session *session = server->sessions; session; session = session->next) {
        for (struct wr_memory_channel *at = session->channels; at; at = at->next) {
            for (struct wr_memory_held *held = at->unacked.first; held; held = held->after) {
                held->queue = held->queue == queue ? NULL : held->queue;
            }
        }
    }
}

void wr_memory_session_cancel(struct wr_memory_queue *queue)
{
    while (queue->consumers) {
        struct wr_memory_consumer *consumer = queue->consumers;
        struct wr_event event = { .kind = WR_EVENT_CANCELLED,
                                  .channel = consumer->channel->number };
        size_t size = strnlen(consumer->tag, sizeof event.text - 1);
        (void)memcpy(event.text, consumer->tag, size);
        wr_memory_inbox_push(consumer->channel->inbox, &event);
        (void)wr_memory_queue_end_consumers(queue, consumer->channel, consumer->tag);
    }
}

void wr_memory_session_delete_queue(struct wr_memory *server, struct wr_memory_queue *queue)
{
    wr_memory_session_cancel(queue);
    orphan(server, queue);
    wr_memory_routes_remove_queue(&server->routes, queue);
    wr_memory_queue_free(queue);
}
