/* SPDX-License-Identifier: MIT */
/*
 * When a failed job runs again. A policy is data from the queue file (or from a message's own
 * headers); planning is arithmetic on it. Nobody else computes a backoff. Threads: pure functions;
 * the random number is an argument.
 */
#ifndef WR_MODEL_RETRY_H
#define WR_MODEL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "warren/error.h"

#define WR_RETRY_DELAYS 32 /* the longest list of delays */
#define WR_RETRY_ATTEMPTS_MOST 1000

enum wr_backoff { WR_BACKOFF_EXPONENTIAL, WR_BACKOFF_FIXED, WR_BACKOFF_LIST };

struct wr_retry_policy {
    enum wr_backoff backoff;
    int attempts;                       /* runs in all, so 5 attempts make 4 waits */
    int64_t first_ms;                   /* exponential: the first wait; fixed: every wait */
    int64_t max_ms;                     /* exponential: no wait is longer */
    double factor;                      /* exponential: each wait is this times the one before */
    double jitter;                      /* 0…1: up to this part of the wait is added */
    int64_t delays_ms[WR_RETRY_DELAYS]; /* list: the last one repeats */
    int delay_count;
};

/** The longest wait that the policy can ask for, jitter included, rounded up to the ladder's unit;
 * in ms. */
int64_t wr_retry_longest_ms(const struct wr_retry_policy *policy);

/** All its waits together, each as long as it can be; in ms. */
int64_t wr_retry_total_ms(const struct wr_retry_policy *policy);

/**
 * Plans what follows the failure of run number `attempt` (1 = the first). False: that was the last
 * one. Otherwise the wait in ms, a whole number of the ladder's units, never shorter than the
 * policy says: jitter only adds, and prefers waits with few set bits, which take few hops. `random`
 * is any 64-bit number.
 */
bool wr_retry_plan(const struct wr_retry_policy *policy, int attempt, uint64_t random,
                   int64_t *out_delay_ms);

/**
 * Reads the short form of a policy that a message may carry in `x-warren-backoff`: "exponential
 * 1s 2.0 10m", "fixed 30s" or "list 5s 1m 10m"; changes only the backoff of `policy`, and only when
 * the whole text is well formed.
 */
bool wr_retry_parse(struct wr_slice text, struct wr_retry_policy *policy);

/** Reads a duration with its unit ("125ms", "1.5s", "10m", "36h", "7d") into ms. False when it is
 * none. */
bool wr_duration_parse(struct wr_slice text, int64_t *out_ms);

/** Writes a duration in its shortest exact form ("90s", "1500ms"); returns `out`. */
const char *wr_duration_write(char *out, size_t size, int64_t ms);

#endif
