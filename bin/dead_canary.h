/* SPDX-License-Identifier: MIT */
/*
 * Canaries: a few dead letters that are replayed before the others, and watched.
 */
#ifndef DEAD_CANARY_H
#define DEAD_CANARY_H

#include "args.h"
#include "warren/dead.h"

struct dead_canary {
    size_t count;    /* 0: none */
    int64_t wait_ms; /* how long they are watched; 0: as long as their runs and waits may take */
};

/** Reads --canary and --canary-wait. False, with a message, when they are wrong. */
bool dead_canary_read(const struct args *args, struct dead_canary *out);

enum dead_canary_end {
    CANARY_LIVES,  /* none came back in time: the others may follow */
    CANARY_FAILED, /* some did, or they have not run yet, and it was said */
    CANARY_BROKEN  /* it could not be found out: `*rc` and `err` say why */
};

/** Replays them, and watches until the time is over, one comes back, or Ctrl-C. */
enum dead_canary_end dead_canary_send(warren_admin *admin, const warren_dead_filter *filter,
                                      const struct dead_canary *canary, size_t *out_count,
                                      warren_status *rc, warren_error *err);

#endif
