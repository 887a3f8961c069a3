/* SPDX-License-Identifier: MIT */
/*
 * The delay ladder's arithmetic: levels, keys and rounding. Level n holds a message for 125 ms *
 * 2^n; a delay is a number of 125 ms units written as up to 7 hex digits, least significant first,
 * joined by dots, and then where the message goes home to. A message enters at the exchange of its highest
 * set bit. Threads: pure functions.
 */
#ifndef WR_MODEL_DELAY_H
#define WR_MODEL_DELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define WR_DELAY_UNIT_MS 125
#define WR_DELAY_DIGITS 7
#define WR_DELAY_LEVELS (WR_DELAY_DIGITS * 4) /* a bit each: up to about a year */
#define WR_DELAY_KEY_SIZE 256                 /* an AMQP short string and its NUL */

/** Milliseconds to units, rounded up. At least 1 for any positive delay. */
uint32_t wr_delay_units(int64_t delay_ms);

/** What a delay becomes when it is rounded up to whole units, in ms. */
int64_t wr_delay_round_up(int64_t delay_ms);

/** How many levels are needed so that every delay up to `max_ms` fits (DESIGN: 20 for 36 h). */
int wr_delay_levels(int64_t max_ms);

/** The level at which a delay of `units` (> 0) enters: its highest set bit. */
int wr_delay_entry_level(uint32_t units);

/** The queue TTL of a level in ms, which is also the end of its name. */
int64_t wr_delay_level_ms(int level);

/** Writes the name of a level's exchange and queue, "NS.delay.<ms>". False when it doesn't fit. */
bool wr_delay_level_name(char *out, size_t size, const char *ns, int level);

/** Writes the name of the exchange at which retries enter a level, "NS.retry.<ms>". */
bool wr_delay_retry_name(char *out, size_t size, const char *ns, int level);

/** Writes the routing key: digits, then `kind` ("queue" or "type") and `name` as one word. `units` may
 * be 0 (straight home). False when the key of the longest delay would be longer than 255 bytes, or the
 * name has a byte that no name has. */
bool wr_delay_key(char *out, size_t size, uint32_t units, const char *kind, const char *name);

/** The binding key under which `NS.deliver` gives home, whatever the digits before it. */
bool wr_delay_home_key(char *out, size_t size, const char *kind, const char *name);

/** Where a message enters that waits `units` (> 0) and then goes wherever its type is bound: exchange
 * and key, WR_DELAY_KEY_SIZE bytes each. False as for wr_delay_key, or when `units` are too many. */
bool wr_delay_to_type(char *exchange, char *key, const char *ns, uint32_t units, const char *type);

/** The same for one that comes home to a queue: a retry. */
bool wr_delay_to_queue(char *exchange, char *key, const char *ns, uint32_t units,
                       const char *queue);

/** Where a key leads to, written to `out`; false when it is no key to something of this kind. */
bool wr_delay_key_home(char *out, size_t size, struct wr_slice key, const char *kind);

#endif
