// SPDX-License-Identifier: MIT
// DESIGN: the broker is the timer. A delay is a sum of powers of two, one TTL queue each, and the
// routing key says which ones: 7 hex digits, the least significant first, so that every level looks
// at one word at a fixed place. 1 s = 8 units for the queue "emails":
//
//     8.0.0.0.0.0.0.queue.emails      enters at level 3 (1,000 ms), comes home from there
//
// Rounding is always up: a job may be late, never early. What doesn't fit into 7 digits is no
// key, never a shorter one.
#include "model/delay.h"

#include <inttypes.h>
#include <stdio.h>

#define UNITS_MOST ((UINT32_C(1) << WR_DELAY_LEVELS) - 1)

uint32_t wr_delay_units(int64_t delay_ms)
{
    if (delay_ms <= 0) {
        return 0;
    }
    int64_t units = (delay_ms - 1) / WR_DELAY_UNIT_MS + 1;
    return units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
}

int64_t wr_delay_round_up(int64_t delay_ms)
{
    return (int64_t)wr_delay_units(delay_ms) * WR_DELAY_UNIT_MS;
}

int wr_delay_entry_level(uint32_t units)
{
    return 31 - __builtin_clz(units | 1);
}

int wr_delay_levels(int64_t max_ms)
{
    int levels = wr_delay_entry_level(wr_delay_units(max_ms)) + 1;
    return levels < WR_DELAY_LEVELS ? levels : WR_DELAY_LEVELS;
}

int64_t wr_delay_level_ms(int level)
{
    return (int64_t)WR_DELAY_UNIT_MS << level;
}

static bool fits(int written, size_t size)
{
    return written >= 0 && (size_t)written < size && written < WR_DELAY_KEY_SIZE;
}

bool wr_delay_level_name(char *out, size_t size, const char *ns, int level)
{
    return fits(snprintf(out, size, "%s.delay.%" PRId64, ns, wr_delay_level_ms(level)), size);
}

bool wr_delay_key(char *out, size_t size, uint32_t units, const char *kind, const char *name)
{
    if (units > UNITS_MOST) {
        return false;
    }
    char digits[2 * WR_DELAY_DIGITS + 1] = "";
    for (int i = 0; i < WR_DELAY_DIGITS; i++) {
        digits[2 * i] = "0123456789abcdef"[units >> (4 * i) & 15];
        digits[2 * i + 1] = '.';
    }
    return fits(snprintf(out, size, "%s%s.%s", digits, kind, name), size);
}

bool wr_delay_home_key(char *out, size_t size, const char *kind, const char *name)
{
    return fits(snprintf(out, size, "*.*.*.*.*.*.*.%s.%s", kind, name), size);
}
