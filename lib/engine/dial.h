/* SPDX-License-Identifier: MIT */
/*
 * A dial: a broker that is being opened, on a thread of its own. Name lookups, TLS and a login know
 * deadlines of their own or none; whoever waits for a dial can leave at any time.
 *
 * Threads: started, taken and given up by one owner. `ready` runs on the dial's thread.
 */
#ifndef WR_ENGINE_DIAL_H
#define WR_ENGINE_DIAL_H

#include "io/broker.h"

struct wr_dial;

struct wr_dial_options {
    struct wr_broker_options broker; /* what it points to is borrowed until the dial's end */
    /* What is to be done with a fresh connection before it counts as open; NULL: nothing. */
    warren_status (*ready)(void *user, struct wr_broker *broker, warren_error *err);
    void *user;
};

/** Opens here and now, and waits for it. */
warren_status wr_dial_now(struct wr_broker **out, const struct wr_dial_options *options,
                          warren_error *err);

/** Begins to open. */
warren_status wr_dial_start(struct wr_dial **out, const struct wr_dial_options *options,
                            warren_error *err);

/** Readable when it has ended. */
int wr_dial_fd(const struct wr_dial *dial);

/** Whether it has ended; then `*status` says how, `*out` is the caller's, and the dial is freed. */
bool wr_dial_take(struct wr_dial *dial, struct wr_broker **out, warren_status *status,
                  warren_error *err);

/** Wants no answer any more: cuts it, and frees it if it ends within `grace_us`. False: its thread
 * still hangs in a call; it ends by itself, but what it borrows must stay until then. */
bool wr_dial_give_up(struct wr_dial *dial, int64_t grace_us);

/**
 * Opens, with a try every now and then, until it works, `until_us` (machine's monotonic clock) has
 * passed, or `cancel_fd` (-1: none) is readable: then STATE. A broker that refuses isn't asked
 * twice. False in `*out_is_free`: a dial was left behind, see wr_dial_give_up.
 */
warren_status wr_dial_until(struct wr_broker **out, const struct wr_dial_options *options,
                            int64_t until_us, int cancel_fd, bool *out_is_free, warren_error *err);

#endif
