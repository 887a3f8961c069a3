/* SPDX-License-Identifier: MIT */
/*
 * The pod's cost: tells Kubernetes how many jobs would be cut off if this pod were deleted, so that a
 * scale-down takes the idle ones first. A write to the API server is dear (every one goes to all that watch
 * pods), so there is one an interval at most, and none while the number stays in its band.
 *
 * Threads: poke and counts by any; all else by its own thread, or by its owner when it has none.
 */
#ifndef WR_ENGINE_POD_COST_H
#define WR_ENGINE_POD_COST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "warren/error.h"

/** Of a worker that drains: below 0, which is what idle ones and those that say nothing have. */
enum { WR_POD_COST_DRAINING = -1 };

/** How many looks are taken together: see wr_pod_cost_step. */
enum { WR_POD_COST_LOOKS = 10 };

struct wr_pod_cost;

/** What the worker does now. */
struct wr_pod_load {
    int running; /* jobs */
    bool drains;
};

struct wr_pod_cost_options {
    const char *api;     /* as of wr_pod_options */
    const char *account; /* … */
    int64_t interval_ms; /* between two writes, at least */
    void (*look)(void *user, struct wr_pod_load *out);
    /* Writes; `why` (256 bytes) gets the reason of a failure. Ends when the monotonic clock has passed
     * `*until_us`. NULL: to the API. */
    bool (*tell)(void *user, int32_t cost, const _Atomic int64_t *until_us, char *why);
    void *user;
};

struct wr_pod_cost_counts {
    uint64_t done;
    uint64_t failed;
};

/** Makes one. CONFIG: this is no pod, or it can't write. */
warren_status wr_pod_cost_new(struct wr_pod_cost **out, const struct wr_pod_cost_options *options,
                              warren_error *err);

/** Starts its thread. */
warren_status wr_pod_cost_start(struct wr_pod_cost *cost, warren_error *err);

/**
 * One round at that moment: looks, and writes if it is due. The cost is the mean of the last ten looks, a
 * tenth of an interval apart, rounded up. It is written when it has become zero, or something from zero, or
 * twice or half of what was written last; in a drain at once. After a failure the wait doubles, up to five
 * minutes.
 */
void wr_pod_cost_step(struct wr_pod_cost *cost, int64_t now_us);

/** There is something new: a drain has begun. NULL is fine. */
void wr_pod_cost_poke(struct wr_pod_cost *cost);

/** NULL: none. */
struct wr_pod_cost_counts wr_pod_cost_counts(const struct wr_pod_cost *cost);

/** Ends the thread; a write that is under way is cut. False: it hangs in a look-up of the server's name;
 * then nothing of it may be freed. NULL is fine. */
bool wr_pod_cost_stop(struct wr_pod_cost *cost);

/** Frees one that has stopped, or never started. NULL is fine. */
void wr_pod_cost_free(struct wr_pod_cost *cost);

#endif
