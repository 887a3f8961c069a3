// SPDX-License-Identifier: MIT
// DESIGN: one place reads the machine's clocks. Steps of the engine get `now` as an argument; what
// hands it to them asks here, so that one virtual clock turns a whole engine.
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * WR_US_PER_S + now.tv_nsec / 1000;
}

void wr_clock_init(struct wr_clock *clock, int64_t wall_start_ms)
{
    atomic_init(&clock->now_us, 0);
    clock->wall_start_ms = wall_start_ms;
}

int64_t wr_clock_mono_us(const struct wr_clock *clock)
{
    return clock ? atomic_load(&clock->now_us) : read_us(CLOCK_MONOTONIC);
}

int64_t wr_clock_wall_us(const struct wr_clock *clock)
{
    return clock ? clock->wall_start_ms * WR_US_PER_MS + atomic_load(&clock->now_us)
                 : read_us(CLOCK_REALTIME);
}

int64_t wr_clock_wall_ms(const struct wr_clock *clock)
{
    return wr_clock_wall_us(clock) / WR_US_PER_MS;
}

void wr_clock_pass_us(int64_t us)
{
    const struct timespec time = { .tv_nsec = us * 1000 };
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL); /* a signal may end it: no harm */
}

void wr_clock_advance(struct wr_clock *clock, int64_t by_us)
{
    atomic_fetch_add(&clock->now_us, by_us);
}
