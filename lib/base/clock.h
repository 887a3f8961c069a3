/* SPDX-License-Identifier: MIT */
/*
 * Time. A clock is an object, so that tests can turn it: NULL means the machine's clocks, anything
 * else is a virtual clock that moves only when told. Both kinds may be read by any thread.
 */
#ifndef WR_BASE_CLOCK_H
#define WR_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#define WR_US_PER_MS INT64_C(1000)
#define WR_US_PER_S INT64_C(1000000)

struct wr_clock {
    _Atomic int64_t now_us; /* since this virtual clock's start */
    int64_t wall_start_ms;  /* what the wall clock showed at its start */
};

/** Starts a virtual clock at 0 (monotonic) and at `wall_start_ms` since 1970. */
void wr_clock_init(struct wr_clock *clock, int64_t wall_start_ms);

/** Monotonic microseconds: for durations and deadlines. */
int64_t wr_clock_mono_us(const struct wr_clock *clock);

/** Milliseconds since 1970-01-01 UTC: for what other machines read. */
int64_t wr_clock_wall_ms(const struct wr_clock *clock);

/** The same in microseconds: for the begin of a span. */
int64_t wr_clock_wall_us(const struct wr_clock *clock);

/** Lets this thread sleep for so long (below a second), on the machine's clock. */
void wr_clock_pass_us(int64_t us);

/** Moves a virtual clock forward. */
void wr_clock_advance(struct wr_clock *clock, int64_t by_us);

#endif
