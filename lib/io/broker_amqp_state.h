/* SPDX-License-Identifier: MIT */
/*
 * Private to broker_amqp*.c: one connection to RabbitMQ through rabbitmq-c.
 *
 * - connect: hosts, credentials, socket, TLS, login (broker_amqp_connect, _login, _socket, _tls)
 * - in: frames -> assemblers, one a channel -> events (broker_amqp_demux)
 * - out: calls with an answer, sends without one (broker_amqp_call, and by noun: _topology, _channel,
 *   _publish and its _gather)
 * - end: why and how a connection is given up (broker_amqp_end)
 *
 * Everything that comes in goes through one place, wr_amqp_read, which turns a frame into at most
 * one event; while a call waits for its answer, events are queued in order. rabbitmq-c's own calls
 * that wait are not used after the login: they lose or reorder frames of other channels.
 *
 * Threads: the connection's one thread; wr_amqp_cut is the exception.
 */
#ifndef WR_IO_BROKER_AMQP_STATE_H
#define WR_IO_BROKER_AMQP_STATE_H

#include <stdatomic.h>

#include "io/broker_amqp_compat.h"
#include "io/broker.h"
#include "model/uri.h"

#define WR_CHANNELS_MOST 2047
#define WR_FRAME_BYTES 131072   /* never less: headers may fill a frame (see broker.h's limits) */
#define WR_EVENTS_MOST 65536    /* queued; above it nothing is published */
#define WR_POOL_BYTES 16384     /* a page of the pool for headers */
#define WR_GATHER_BYTES 16384   /* what is written at once */
#define WR_SECRET_MOST 8192     /* bytes of a password */
#define WR_CLOSE_US WR_US_PER_S /* how long a goodbye may take */

/* Where a channel's assembler stands. */
enum wr_part { WR_PART_METHOD, WR_PART_HEADER, WR_PART_BODY, WR_PART_SKIP };

/** One open channel and the delivery that is being put together on it. */
struct wr_amqp_channel {
    bool is_closing;   /* our channel.close is under way: everything else is dropped */
    bool has_unsynced; /* something was declared since the last sync */
    bool has_failed;   /* the broker closed it; that is still to be told */
    int code;
    char text[256];
    enum wr_part part;
    bool is_return;
    bool redelivered;
    int return_code;
    uint64_t tag;
    uint64_t left; /* body bytes still to come */
    struct wr_delivery *delivery;
    char *body; /* where they go */
    unsigned char exchange_size;
    unsigned char key_size;
    unsigned char reason_size;
    char exchange[255];
    char key[255];
    char reason[255];
};

/** An event in waiting. */
struct wr_amqp_event {
    struct wr_link link;
    struct wr_event event;
};

/** The answer that a call waits for. */
struct wr_amqp_call {
    uint16_t channel;
    amqp_method_number_t answer; /* 0: no call is waiting */
    bool is_answered;
    uint64_t messages;
    uint64_t consumers;
};

struct wr_amqp {
    struct wr_broker broker;            /* first */
    amqp_connection_state_t connection; /* NULL until connected */
    bool is_tls;
    int fd; /* ours, for polling and cutting */
    int64_t body_most;
    int64_t rpc_timeout_us;
    int64_t stuck_us;       /* how long a call may hang in the library */
    struct wr_watch *watch; /* NULL: none */
    int64_t heartbeat_us;   /* as negotiated; 0: none */

    int64_t read_us;  /* when all that was there was last read */
    int64_t heard_us; /* when a frame last came; the library swallows heartbeats */
    bool has_heard;   /* a frame came since then */
    size_t unchecked; /* bytes sent since the socket was last seen to take some */
    bool is_drained;  /* the last read found nothing */
    bool is_thorough; /* reading until the socket has nothing, not only what one look brought */
    bool is_blocked;  /* the owner was told so */
    bool is_told;     /* WR_EVENT_CLOSED was given */
    bool is_broken;   /* no goodbye any more: the stream is unusable */
    bool is_stuck;    /* the library reads nothing more; what is sent still arrives */
    bool is_dead;     /* closed, by whomever */
    int dead_code;
    char dead_text[256];
    atomic_bool is_cut;

    struct wr_list events; /* of struct wr_amqp_event */
    struct wr_amqp_call call;
    amqp_pool_t pool; /* headers of the message being published */

    bool holds_back;         /* a burst is under way */
    bool is_roomy;           /* the socket was seen to take data since the last write */
    uint16_t gather_channel; /* whose frames are gathered: all of one channel */
    size_t gathered;
    char out[WR_GATHER_BYTES];
    struct wr_amqp_channel *channels[WR_CHANNELS_MOST + 1];
};

static inline struct wr_amqp *wr_amqp_of(struct wr_broker *broker)
{
    return (struct wr_amqp *)broker;
}

static inline amqp_bytes_t wr_amqp_bytes(struct wr_slice slice)
{
    return (amqp_bytes_t){ slice.size, (void *)(uintptr_t)slice.data };
}

static inline amqp_bytes_t wr_amqp_string(const char *string)
{
    return wr_amqp_bytes(wr_slice_of(string ? string : ""));
}

static inline struct wr_slice wr_amqp_slice(amqp_bytes_t bytes)
{
    return (struct wr_slice){ bytes.bytes, bytes.len };
}

/* --- connecting --- */

/** What to connect to and with; secrets are wiped by wr_amqp_plan_done. */
struct wr_amqp_plan {
    const struct wr_broker_settings *settings;
    struct wr_uri uri;
    char user[256];
    char password[WR_SECRET_MOST + 1];
    const char *name; /* the connection's */
    int64_t heartbeat_ms;
    int64_t connect_timeout_ms;
    bool verify;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *server_name;
    enum wr_stage stage; /* how far the last try got */
};

/** Connects to one of the hosts and logs in; fills connection, fd, server and heartbeat. */
warren_status wr_amqp_connect(struct wr_amqp *amqp, const struct wr_broker_options *options,
                              warren_error *err);

/** "host:port", an IPv6 address in brackets. */
void wr_amqp_where(char *out, size_t size, const struct wr_uri_host *host);

/** Connects a plain TCP socket, trying each address of the host. The watch of
 * `amqp` (may be NULL) can cut it meanwhile. */
warren_status wr_amqp_dial(const struct wr_uri_host *host, int64_t timeout_ms, struct wr_amqp *amqp,
                           int *out_fd, warren_error *err);

/** Timeouts for a peer that no longer answers. */
void wr_amqp_tune_socket(int fd, int64_t heartbeat_us);

/** Lets the kernel hold back what doesn't fill a packet (for 0.2 s at most), or sends it. */
void wr_amqp_share_packets(int fd, bool holds_back);

/** Makes and connects a TLS socket of rabbitmq-c. */
warren_status wr_amqp_tls_open(struct wr_amqp *amqp, struct wr_amqp_plan *plan,
                               const struct wr_uri_host *host, warren_error *err);

/** The peer ended TLS with that alert: says what it may want of us. Returns WARREN_REFUSED. */
warren_status wr_amqp_tls_refused(const struct wr_amqp_plan *plan, const char *where,
                                  const char *reason, warren_error *err);

/** What OpenSSL's queue of this thread holds, as words; "" when nothing. */
void wr_amqp_tls_reason(char *out, size_t size);

/** Says hello and logs in on a connected socket. */
warren_status wr_amqp_login(struct wr_amqp *amqp, struct wr_amqp_plan *plan,
                            const struct wr_uri_host *host, warren_error *err);

/* --- in --- */

/** Reads at most one frame without waiting and writes the event that it completes (kind NONE
 * otherwise). False when nothing more is there now, or the connection is dead. */
bool wr_amqp_read(struct wr_amqp *amqp, struct wr_event *out);

/** To be called when all that was there is read: for heartbeats. */
void wr_amqp_note_time(struct wr_amqp *amqp);

/** Reads all that is there and queues the events. */
void wr_amqp_drain(struct wr_amqp *amqp);

/** Forgets a channel: its assembler and its queued deliveries. */
void wr_amqp_channel_drop(struct wr_amqp *amqp, uint16_t channel);

/** Notes why the connection is gone; the first reason stays. */
void wr_amqp_die(struct wr_amqp *amqp, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The same for a status of rabbitmq-c. */
void wr_amqp_die_of(struct wr_amqp *amqp, int library_status);

/* --- out --- */

/** The channel of that number, also a failed one. NULL with STATE or CLOSED in `*status` otherwise.
 */
struct wr_amqp_channel *wr_amqp_channel_at(struct wr_amqp *amqp, uint16_t channel,
                                           warren_status *status, warren_error *err);

/** Shuts the socket down; the owner finds out by itself. Any thread. `what`: the struct wr_amqp. */
void wr_amqp_cut_off(void *what);

/** A wait with a deadline of its own begins: the watch has to have patience. */
void wr_amqp_be_patient(struct wr_amqp *amqp);

/** Notices that another thread cut the connection. */
void wr_amqp_check_cut(struct wr_amqp *amqp);

/** Makes place in the buffer for a message of at most so many bytes (and WR_GATHER_BYTES): what is
 * there may be written first, and events may come in. TIMEOUT, and in a burst AGAIN: the broker takes no
 * data. */
warren_status wr_amqp_make_place(struct wr_amqp *amqp, uint16_t channel, size_t bytes,
                                 warren_error *err);

/** Puts a message's frames where the place was made; unless a burst is under way, writes them. */
warren_status wr_amqp_gather(struct wr_amqp *amqp, uint16_t channel,
                             const struct wr_message *message, amqp_basic_properties_t *properties,
                             warren_error *err);

/** Writes what is gathered. With TIMEOUT nothing of it was. */
warren_status wr_amqp_flush(struct wr_amqp *amqp, warren_error *err);

/** A burst begins, or ends and is written. */
void wr_amqp_cork(struct wr_broker *broker, bool holds_back);

/** Whether the socket takes data, or has since the last message was written. */
bool wr_amqp_takes_data(struct wr_amqp *amqp);

/** Whether the next message can be sent without such a wait. */
bool wr_amqp_has_room(struct wr_broker *broker);

/** Waits, at most the rpc timeout, until the socket takes `bytes` more. */
warren_status wr_amqp_make_room(struct wr_amqp *amqp, size_t bytes, warren_error *err);

/** Sends a method that is not answered. */
warren_status wr_amqp_send(struct wr_amqp *amqp, uint16_t channel, amqp_method_number_t id,
                           void *method, warren_error *err);

/** Sends a method and waits for `answer`, which is left in amqp->call. When the broker closes the
 * channel instead: the status of its code, its words in err, the channel forgotten. */
warren_status wr_amqp_ask(struct wr_amqp *amqp, uint16_t channel, amqp_method_number_t id,
                          void *method, amqp_method_number_t answer, warren_error *err);

/** Asks on an open channel for the answer that follows `id`. What was declared before is synced
 * first, so that its mistake is not taken for this call's. */
warren_status wr_amqp_ask_on(struct wr_broker *broker, uint16_t channel, amqp_method_number_t id,
                             void *method, warren_error *err);

/** The status that a reply code of the protocol means. */
warren_status wr_amqp_code_status(int code);

/** The calls of this kind, by noun. */
warren_status wr_amqp_channel_open(struct wr_broker *broker, uint16_t channel, bool confirms,
                                   warren_error *err);
warren_status wr_amqp_channel_close(struct wr_broker *broker, uint16_t channel, warren_error *err);
warren_status wr_amqp_prefetch(struct wr_broker *broker, uint16_t channel, uint16_t count,
                               warren_error *err);
warren_status wr_amqp_consume(struct wr_broker *broker, uint16_t channel, const char *queue,
                              const char *consumer, warren_error *err);
warren_status wr_amqp_consume_stream(struct wr_broker *broker, uint16_t channel, const char *stream,
                                     const char *offset, const char *consumer, warren_error *err);
warren_status wr_amqp_cancel(struct wr_broker *broker, uint16_t channel, const char *consumer,
                             warren_error *err);
warren_status wr_amqp_ack(struct wr_broker *broker, uint16_t channel, uint64_t tag, bool multiple);
warren_status wr_amqp_nack(struct wr_broker *broker, uint16_t channel, uint64_t tag, bool multiple,
                           bool requeue);
warren_status wr_amqp_declare(struct wr_broker *broker, uint16_t channel,
                              const struct wr_item *item, enum wr_declare how, warren_error *err);
warren_status wr_amqp_sync(struct wr_broker *broker, uint16_t channel, warren_error *err);
warren_status wr_amqp_depth(struct wr_broker *broker, uint16_t channel, const char *queue,
                            struct wr_depth *out, warren_error *err);
warren_status wr_amqp_purge(struct wr_broker *broker, uint16_t channel, const char *queue,
                            uint64_t *out_count, warren_error *err);
warren_status wr_amqp_delete_queue(struct wr_broker *broker, uint16_t channel, const char *queue,
                                   warren_error *err);
warren_status wr_amqp_publish(struct wr_broker *broker, uint16_t channel,
                              const struct wr_message *message, warren_error *err);

/** Turns a table's bytes into rabbitmq-c's form, in `pool`; strings are borrowed. INVALID when it
 * is malformed, too deep, or of a kind that can't be sent. */
warren_status wr_amqp_table(struct wr_table table, amqp_pool_t *pool, amqp_table_t *out,
                            warren_error *err);

#endif
