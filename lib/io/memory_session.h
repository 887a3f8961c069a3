/* SPDX-License-Identifier: MIT */
/*
 * A connection to the memory broker, as the server sees it: channels, what is out on them, what
 * waits because the server is blocked. Threads: under the server's lock.
 */
#ifndef WR_IO_MEMORY_SESSION_H
#define WR_IO_MEMORY_SESSION_H

#include "io/memory_server.h"

struct wr_memory_session {
    struct wr_broker broker; /* first: what callers hold */
    struct wr_memory *server;
    struct wr_memory_session *next; /* of the same server */
    struct wr_memory_inbox inbox;
    struct wr_memory_channel *channels;
    struct wr_list waiting; /* publishes that came while the server was blocked */
    int64_t body_most;
    char user[256];
    char name[256];
    struct wr_memory_refusal end; /* with a code: the connection is gone */
    bool end_was_told;
    bool has_left; /* the watcher knows of its end */
};

enum wr_memory_verdict { WR_MEMORY_ACK, WR_MEMORY_REQUEUE, WR_MEMORY_REJECT };

/** Joins the server's list, and hears at once if it is blocked. */
void wr_memory_session_attach(struct wr_memory_session *session, struct wr_memory *server);

/** Ends everything and leaves the list; the struct stays the caller's. */
void wr_memory_session_detach(struct wr_memory_session *session);

/** The connection is gone: consumers end, unsettled deliveries go back, nothing more comes. */
void wr_memory_session_drop(struct wr_memory_session *session, int code, const char *text);

/** CLOSED, with the reason of the connection's end. */
warren_status wr_memory_session_gone(const struct wr_memory_session *session, warren_error *err);

struct wr_memory_channel *wr_memory_session_channel(const struct wr_memory_session *session,
                                                    uint16_t number);

/** NULL without memory. */
struct wr_memory_channel *wr_memory_session_open(struct wr_memory_session *session, uint16_t number,
                                                 bool confirms);

/** Closes and frees a channel; its deliveries go back. */
void wr_memory_session_close(struct wr_memory_session *session, struct wr_memory_channel *channel);

/** The server closes a channel: channel->refusal says why. Its deliveries go back, the owner is
 * told. */
void wr_memory_session_refuse(struct wr_memory_session *session, struct wr_memory_channel *channel);

/** Whether a consumer of this tag lives on the connection. */
bool wr_memory_session_consumes(const struct wr_memory_session *session, const char *tag);

/** A publish arrives. Takes `held`. */
void wr_memory_session_publish(struct wr_memory_session *session, struct wr_memory_channel *channel,
                               struct wr_memory_held *held);

/** The server is no longer blocked: what waited goes on. */
void wr_memory_session_resume(struct wr_memory_session *session);

void wr_memory_session_settle(struct wr_memory_session *session, struct wr_memory_channel *channel,
                              uint64_t tag, bool multiple, enum wr_memory_verdict verdict);

/** Ends the consumers of a queue, and tells them. */
void wr_memory_session_cancel(struct wr_memory_queue *queue);

/** Deletes a queue: its consumers are told, what is out of it belongs nowhere. */
void wr_memory_session_delete_queue(struct wr_memory *server, struct wr_memory_queue *queue);

#endif
