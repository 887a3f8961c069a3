/* SPDX-License-Identifier: MIT */
/*
 * A parcel: a message ready to be published, together with the bytes that were made for it (key,
 * exchange, headers). Made in two ways: of what a user wants to publish (wr_parcel_compose), or of
 * a job that goes on (wr_parcel_forward).
 *
 * Ownership: a parcel owns its headers; body and other properties are borrowed from where it was
 * made of unless wr_parcel_keep copied them. It must not move in memory, since its message points
 * into it. Threads: plain data.
 */
#ifndef WR_MODEL_PARCEL_H
#define WR_MODEL_PARCEL_H

#include "model/delay.h"
#include "model/job.h"
#include "model/message.h"
#include "model/uuid.h"

struct wr_parcel {
    struct wr_message message;
    struct wr_text headers;
    char exchange[WR_DELAY_KEY_SIZE];
    char key[WR_DELAY_KEY_SIZE];
    char id[WR_UUID_SIZE];
    char *kept; /* owned copies, or NULL */
};

/** The trace that a message is in: headers that it gets unless it has them. Empty: not. */
struct wr_carried {
    struct wr_slice parent;
    struct wr_slice state;
    struct wr_slice baggage;
};

/** What composing has to know. */
struct wr_compose {
    const char *ns;
    int64_t delay_max_ms;
    int64_t body_most;
    int64_t wall_ms; /* now */
    struct wr_carried carried;
};

/** Makes a parcel of a user's message. INVALID says which member is wrong. */
warren_status wr_parcel_compose(struct wr_parcel *parcel, const struct warren_message *message,
                                const struct wr_compose *how, warren_error *err);

enum wr_forward_kind {
    WR_FORWARD_RETRY,
    WR_FORWARD_SNOOZE,
    WR_FORWARD_HOLD, /* its type is paused: it comes again, and nothing is counted */
    WR_FORWARD_DEAD
};

/** How a job goes on. */
struct wr_forward {
    enum wr_forward_kind kind;
    const char *ns;
    const char *home;   /* retry, snooze: the queue at the broker that it comes home to */
    bool is_charged;    /* an attempt was used */
    int64_t delay_ms;   /* retry, snooze */
    const char *reason; /* dead */
    const char *text;   /* the error, or NULL */
    const char *worker; /* who ran it */
    int64_t wall_ms;    /* now */
};

/**
 * Makes a parcel of a job that goes on: into the delay ladder or to the dead exchange. Id, body and
 * headers stay byte for byte, but for the broker's own (stripped), CC and BCC (renamed), and
 * `expiration` and `user_id`, which become headers; the type is pinned. Borrows from the job.
 * NO_MEMORY only.
 */
warren_status wr_parcel_forward(struct wr_parcel *parcel, const struct warren_job *job,
                                const struct wr_forward *how);

/** Copies what the parcel borrowed, so that its source may go. */
warren_status wr_parcel_keep(struct wr_parcel *parcel);

void wr_parcel_done(struct wr_parcel *parcel);

#endif
