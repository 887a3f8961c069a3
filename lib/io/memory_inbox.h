/* SPDX-License-Identifier: MIT */
/*
 * What a connection to the memory broker has not yet taken: events in order, and a descriptor that
 * is readable while something is (or may be) there. Threads: under the server's lock; the
 * descriptor may be polled by anyone.
 */
#ifndef WR_IO_MEMORY_INBOX_H
#define WR_IO_MEMORY_INBOX_H

#include "io/broker.h"

struct wr_memory_note {
    struct wr_link link;
    struct wr_event event;
};

struct wr_memory_inbox {
    struct wr_memory_inbox *next; /* of the same server */
    struct wr_list notes;         /* of struct wr_memory_note */
    int fd;
    bool is_signalled;
    bool is_broken; /* an event found no memory: the connection can't go on */
};

warren_status wr_memory_inbox_init(struct wr_memory_inbox *inbox, warren_error *err);
void wr_memory_inbox_done(struct wr_memory_inbox *inbox);

/** Adds a copy of the event; its delivery goes with it. Confirms of one channel that follow each
 * other become one, as on a real broker. */
void wr_memory_inbox_push(struct wr_memory_inbox *inbox, const struct wr_event *event);

/** Takes the oldest event; false when there is none. */
bool wr_memory_inbox_take(struct wr_memory_inbox *inbox, struct wr_event *out);

/** Makes the descriptor readable, so that the owner asks again. */
void wr_memory_inbox_wake(struct wr_memory_inbox *inbox);

/** Forgets what stands there for one channel (0: for all). */
void wr_memory_inbox_forget(struct wr_memory_inbox *inbox, uint16_t channel);

#endif
