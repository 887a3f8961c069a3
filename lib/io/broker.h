/* SPDX-License-Identifier: MIT */
/*
 * A connection to a broker, in Warren's own words: everything foreign stays behind this header. Two
 * kinds stand behind it: RabbitMQ (broker_amqp.c, `amqp://` and `amqps://`) and the memory broker
 * (broker_memory.c, `memory:`), and one suite of behaviour holds for both.
 *
 * Threads: a connection belongs to the one thread that uses it (it may be handed over). Nothing
 * here blocks without end: calls that wait for an answer take at most the settings' rpc timeout, or
 * ten times as long while other things keep coming before it.
 * Errors: after WARREN_CLOSED the connection is only good for wr_broker_close; wr_broker_next tells
 * why, once.
 */
#ifndef WR_IO_BROKER_H
#define WR_IO_BROKER_H

#include "base/clock.h"
#include "base/list.h"
#include "base/watch.h"
#include "io/delivery.h"
#include "model/settings.h"
#include "model/topology.h"
#include "warren/error.h"

struct wr_broker;

/** How far a connect got. */
enum wr_stage {
    WR_STAGE_PREPARE, /* URL, secrets, what the settings allow */
    WR_STAGE_DIAL,
    WR_STAGE_TLS,
    WR_STAGE_LOGIN,
    WR_STAGE_VHOST,
    WR_STAGE_OPEN
};

struct wr_broker_options {
    const struct wr_broker_settings *settings; /* borrowed until close */
    const char *name; /* what the broker shows beside the connection: "warren emails consumer" */
    const struct wr_clock *clock; /* NULL: the machine's */
    int64_t body_most;       /* a longer body is never read: see WR_EVENT_OVERSIZED; 0 = 128 MiB */
    int64_t connect_most_ms; /* no connect takes longer, whatever settings and URL say; 0: none */
    enum wr_stage *stage;    /* NULL, or where a failure is to be told: how far it got */
    struct wr_watch *watch;  /* NULL: none. Told what to cut from the first socket to the close, and
                               given more time whenever a call is about to wait with a deadline */
};

/** How long a call may take inside the library before it counts as stuck: as long as the broker may
 * be silent, and a second. */
static inline int64_t wr_broker_stuck_us(const struct wr_broker_settings *settings)
{
    int64_t silent_ms = 2 * settings->heartbeat_ms;
    int64_t most_ms = silent_ms > settings->rpc_timeout_ms ? silent_ms : settings->rpc_timeout_ms;
    return most_ms * WR_US_PER_MS + WR_US_PER_S;
}

/** Whether these settings name a broker inside this process: it opens at once and never hangs. */
bool wr_broker_is_local(const struct wr_broker_settings *settings);

/** What this server does differently; known after the connect. */
struct wr_server {
    char product[32];
    char version[32];
    int major;
    int minor;
    bool trusts_x_death; /* below 4.0: a client's x-death header is believed */
};

enum wr_event_kind {
    WR_EVENT_NONE,      /* nothing there now */
    WR_EVENT_DELIVERY,  /* delivery: yours */
    WR_EVENT_OVERSIZED, /* tag: a delivery whose body was not read; size = what it claimed. One that
                           the broker would crash on dead-lettering is read and delivered instead:
                           it must not be given back to it (model/strip.h) */
    WR_EVENT_MALFORMED, /* tag: a delivery whose properties can't be read; CLOSED may follow */
    WR_EVENT_RETURNED,  /* delivery: yours; a mandatory message that no queue takes; its ack follows
                         */
    WR_EVENT_ACKED,     /* tag, multiple: the broker has the publish */
    WR_EVENT_NACKED,    /* tag, multiple: the broker could not take it */
    WR_EVENT_CANCELLED, /* text = the consumer tag: the broker ended it (its queue was deleted) */
    WR_EVENT_CHANNEL_CLOSED, /* code, text: the broker closed a channel; its number is free again */
    WR_EVENT_BLOCKED,        /* text: the broker takes no publishes now */
    WR_EVENT_UNBLOCKED,
    WR_EVENT_CLOSED /* code, text: the connection is gone */
};

struct wr_event {
    enum wr_event_kind kind;
    uint16_t channel;
    uint64_t tag;
    bool multiple;
    uint64_t size;
    int code;
    char text[256];
    struct wr_delivery *delivery;
};

/** No event; its text isn't cleared but ended, since that is done for each frame. */
static inline void wr_event_clear(struct wr_event *event)
{
    event->kind = WR_EVENT_NONE;
    event->channel = 0;
    event->tag = 0;
    event->multiple = false;
    event->size = 0;
    event->code = 0;
    event->text[0] = '\0';
    event->delivery = NULL;
}

/**
 * Connects and logs in; tries each host of the URL once, in random order. UNREACHABLE (refused,
 * DNS, timeout) may work later; REFUSED (password, vhost, permission, certificate) will not. The
 * text never holds a secret.
 */
warren_status wr_broker_open(struct wr_broker **out, const struct wr_broker_options *options,
                             warren_error *err);

/** Says goodbye if it can within a second, and frees. NULL is fine. */
void wr_broker_close(struct wr_broker *broker);

/** Drops the connection without a word, as a crash would; for tests and for a peer that no longer
 * answers. What was not taken yet is lost, wr_broker_next tells WR_EVENT_CLOSED, and
 * wr_broker_close is still to be called. May be called by a watchdog while the owner is stuck in a
 * call. */
void wr_broker_cut(struct wr_broker *broker);

const struct wr_server *wr_broker_server(const struct wr_broker *broker);

/** What to poll for reading; -1 when the connection is gone. */
int wr_broker_fd(const struct wr_broker *broker);

/** When wr_broker_next must be called again at the latest even if nothing is readable (heartbeats,
 * TTLs). */
int64_t wr_broker_deadline_us(const struct wr_broker *broker);

/** Takes the next event; never waits. AGAIN is not used: `out->kind` is WR_EVENT_NONE when nothing
 * is there. */
void wr_broker_next(struct wr_broker *broker, struct wr_event *out);

/** Whether events wait inside the library already, so that poll() must not sleep. */
bool wr_broker_has_more(const struct wr_broker *broker);

/* --- channels: numbers from 1 to 2047, chosen by the caller --- */

/** Opens a channel; `confirms`: publishes on it are confirmed, their tags count from 1. */
warren_status wr_broker_channel_open(struct wr_broker *broker, uint16_t channel, bool confirms,
                                     warren_error *err);
warren_status wr_broker_channel_close(struct wr_broker *broker, uint16_t channel,
                                      warren_error *err);

/* --- topology: sent without waiting; wr_broker_sync tells how it went --- */

enum wr_declare {
    WR_DECLARE,
    WR_LOOK,   /* passive: only whether an exchange or queue exists */
    WR_REMOVE, /* deletes an exchange or queue with all that is in it; one that isn't there is fine */
    WR_REMOVE_IDLE /* deletes a classic queue if it is empty and nobody consumes it, else MISMATCH; for
                      a quorum queue the broker can't make sure, and closes the connection */
};

/** Sends one item. Bindings can't be looked at and go with their exchange: WR_LOOK and WR_REMOVE on
 * them do nothing. CLOSED when it can't be sent. */
warren_status wr_broker_declare(struct wr_broker *broker, uint16_t channel,
                                const struct wr_item *item, enum wr_declare how, warren_error *err);

/**
 * Waits until everything sent on the channel was carried out. MISMATCH (406), NOT_FOUND (404),
 * REFUSED (403), FAILED: the broker closed the channel at the first mistake, ignored what followed
 * it, and err's text is what it said; the channel number is free again (no WR_EVENT_CHANNEL_CLOSED
 * follows).
 */
warren_status wr_broker_sync(struct wr_broker *broker, uint16_t channel, warren_error *err);

struct wr_depth {
    uint64_t messages; /* ready ones */
    uint64_t consumers;
};

/** How much stands in a queue. NOT_FOUND closes the channel, as the protocol has it. */
warren_status wr_broker_depth(struct wr_broker *broker, uint16_t channel, const char *queue,
                              struct wr_depth *out, warren_error *err);

/** Throws away all ready messages. */
warren_status wr_broker_purge(struct wr_broker *broker, uint16_t channel, const char *queue,
                              uint64_t *out_count, warren_error *err);

/** Deletes a queue with its contents. Used by tests and nothing else: Warren never deletes by
 * itself. */
warren_status wr_broker_delete_queue(struct wr_broker *broker, uint16_t channel, const char *queue,
                                     warren_error *err);

/* --- consuming --- */

/** Sets the prefetch for consumers that start on this channel afterwards (per consumer, never 0).
 */
warren_status wr_broker_prefetch(struct wr_broker *broker, uint16_t channel, uint16_t count,
                                 warren_error *err);

/** Starts a consumer; `consumer` is its tag, unique on the connection. */
warren_status wr_broker_consume(struct wr_broker *broker, uint16_t channel, const char *queue,
                                const char *consumer, warren_error *err);

/** The same of a stream, from `offset` on: "first", or "next" for what is yet to come. Each must be
 * acknowledged, or no more come. The memory broker has no streams: FAILED. */
warren_status wr_broker_consume_stream(struct wr_broker *broker, uint16_t channel,
                                       const char *stream, const char *offset, const char *consumer,
                                       warren_error *err);

/** Ends a consumer. Deliveries that were under way still come out of wr_broker_next. */
warren_status wr_broker_cancel(struct wr_broker *broker, uint16_t channel, const char *consumer,
                               warren_error *err);

/** Settles deliveries; sent at once, answered by nobody. `multiple`: all unsettled ones up to
 * `tag`. */
warren_status wr_broker_ack(struct wr_broker *broker, uint16_t channel, uint64_t tag,
                            bool multiple);

/** Gives deliveries back: to the queue (`requeue`) or to the queue's dead letter exchange. */
warren_status wr_broker_nack(struct wr_broker *broker, uint16_t channel, uint64_t tag,
                             bool multiple, bool requeue);

/* --- publishing --- */

/** Sends one message, mandatory (unroutable ones come back as WR_EVENT_RETURNED, before their ack).
 * Nothing was sent and the connection is fine when it returns INVALID (too long for AMQP, malformed
 * headers), STATE (the channel is not open), AGAIN (after WR_EVENT_BLOCKED was taken; in a burst when the
 * socket takes no data now) or TIMEOUT
 * (the broker took no data for the rpc timeout). */
warren_status wr_broker_publish(struct wr_broker *broker, uint16_t channel,
                                const struct wr_message *message, warren_error *err);

/** Whether the socket takes data now, so that a publish would not wait. */
bool wr_broker_has_room(struct wr_broker *broker);

/** Between the two calls, with which nothing but publishes stands, messages may be held back, so that
 * many are written at once. What can't be written at the end is told by WR_EVENT_CLOSED. */
void wr_broker_cork(struct wr_broker *broker, bool holds_back);

/* --- for broker kinds --- */

/** The calls of one kind of broker; each as the function above of the same name says. A kind embeds
 * `struct wr_broker` as the first member of its own struct. */
struct wr_broker_calls {
    void (*close)(struct wr_broker *);
    void (*cut)(struct wr_broker *);
    int (*fd)(const struct wr_broker *);
    int64_t (*deadline_us)(const struct wr_broker *);
    void (*next)(struct wr_broker *, struct wr_event *);
    bool (*has_more)(const struct wr_broker *);
    bool (*has_room)(struct wr_broker *);
    void (*cork)(struct wr_broker *, bool);
    warren_status (*channel_open)(struct wr_broker *, uint16_t, bool, warren_error *);
    warren_status (*channel_close)(struct wr_broker *, uint16_t, warren_error *);
    warren_status (*declare)(struct wr_broker *, uint16_t, const struct wr_item *, enum wr_declare,
                             warren_error *);
    warren_status (*sync)(struct wr_broker *, uint16_t, warren_error *);
    warren_status (*depth)(struct wr_broker *, uint16_t, const char *, struct wr_depth *,
                           warren_error *);
    warren_status (*purge)(struct wr_broker *, uint16_t, const char *, uint64_t *, warren_error *);
    warren_status (*delete_queue)(struct wr_broker *, uint16_t, const char *, warren_error *);
    warren_status (*prefetch)(struct wr_broker *, uint16_t, uint16_t, warren_error *);
    warren_status (*consume)(struct wr_broker *, uint16_t, const char *, const char *,
                             warren_error *);
    warren_status (*consume_stream)(struct wr_broker *, uint16_t, const char *, const char *,
                                    const char *, warren_error *);
    warren_status (*cancel)(struct wr_broker *, uint16_t, const char *, warren_error *);
    warren_status (*ack)(struct wr_broker *, uint16_t, uint64_t, bool);
    warren_status (*nack)(struct wr_broker *, uint16_t, uint64_t, bool, bool);
    warren_status (*publish)(struct wr_broker *, uint16_t, const struct wr_message *,
                             warren_error *);
};

struct wr_broker {
    const struct wr_broker_calls *calls;
    struct wr_server server;
};

warren_status wr_broker_amqp_open(struct wr_broker **out, const struct wr_broker_options *options,
                                  warren_error *err);
warren_status wr_broker_memory_open(struct wr_broker **out, const struct wr_broker_options *options,
                                    warren_error *err);

#endif
