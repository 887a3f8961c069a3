/* SPDX-License-Identifier: MIT */
/*
 * Durations and times as people write them.
 */
#ifndef WHEN_H
#define WHEN_H

#include <stdbool.h>
#include <stdint.h>

/** Reads a duration: numbers with ms, s, m, h or d, one after the other ("1h30m", "1.5s"). */
bool when_duration(const char *text, int64_t *out_ms);

/** Reads a time: RFC 3339 ("2030-01-31T08:00:00Z", "2030-01-31 08:00:00+01:00"; without an offset
 * it is local time), or "@" and seconds since 1970. */
bool when_time(const char *text, int64_t *out_ms);

/** The time now, ms since 1970. */
int64_t when_now(void);

#endif
