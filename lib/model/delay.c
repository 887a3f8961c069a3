// SPDX-License-Identifier: MIT
// DESIGN: the broker is the timer. A delay is a sum of powers of two, one TTL queue each, and the
// routing key says which ones: hex digits, the least significant first, so that every level looks at
// one word at a fixed place. 1 s = 8 units and 4 s = 32 units for the queue "emails.bulk":
//
//     8.queue/emails/bulk        enters at level 3 (1,000 ms), comes home from there
//     0.2.queue/emails/bulk      enters at level 5 (4,000 ms)
//
// What a hop costs the broker is the words it looks at, three lookups a word (RabbitMQ 3.10,
// rabbit_exchange_type_topic). So there are no zeros behind the highest digit, and home is one word: a
// name's dots become slashes, and its slashes a byte that no name has. Being one word, it also can't
// be taken for the end of a longer name.
// A retry enters its level through a fanout exchange, which looks at no word, and when that is the
// only level, its key is home alone: no rung of the ladder takes it, and what they don't take goes to
// a direct exchange. A delayed publish doesn't, since the topic permissions of those who may only
// publish hold on topic exchanges.
// Rounding is always up: a job may be late, never early. What doesn't fit into 7 digits is no
// key, never a shorter one.
#include "model/delay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

bool wr_delay_retry_name(char *out, size_t size, const char *ns, int level)
{
    return fits(snprintf(out, size, "%s.retry.%" PRId64, ns, wr_delay_level_ms(level)), size);
}

/* --- keys --- */

#define HEX "0123456789abcdef"

enum { SLASH_IN_NAME = 0x1F }; /* how a slash of the name is written; names have no control bytes */

static void to_word(char *name)
{
    for (; *name; name++) {
        *name = *name == '.' ? '/' : *name == '/' ? SLASH_IN_NAME : *name;
    }
}

static void from_word(char *word)
{
    for (; *word; word++) {
        *word = *word == '/' ? '.' : *word == SLASH_IN_NAME ? '/' : *word;
    }
}

/* Whether a name fits doesn't depend on the delay: it must fit behind the most digits. */
static bool write_key(char *out, size_t size, const char *digits, const char *kind,
                      const char *name)
{
    size_t before = strlen(digits) + strlen(kind) + 1;
    if (strchr(name, SLASH_IN_NAME) ||
        2 * WR_DELAY_DIGITS + strlen(kind) + 1 + strlen(name) >= WR_DELAY_KEY_SIZE ||
        !fits(snprintf(out, size, "%s%s/%s", digits, kind, name), size)) {
        return false;
    }
    to_word(out + before);
    return true;
}

bool wr_delay_key(char *out, size_t size, uint32_t units, const char *kind, const char *name)
{
    if (units > UNITS_MOST) {
        return false;
    }
    char digits[2 * WR_DELAY_DIGITS + 1] = "";
    for (char *at = digits; units; units >>= 4) {
        *at++ = HEX[units & 15];
        *at++ = '.';
    }
    return write_key(out, size, digits, kind, name);
}

bool wr_delay_home_key(char *out, size_t size, const char *kind, const char *name)
{
    return write_key(out, size, "#.", kind, name);
}

bool wr_delay_to_type(char *exchange, char *key, const char *ns, uint32_t units, const char *type)
{
    int level = wr_delay_entry_level(units);
    return wr_delay_level_name(exchange, WR_DELAY_KEY_SIZE, ns, level) &&
           wr_delay_key(key, WR_DELAY_KEY_SIZE, units, "type", type);
}

bool wr_delay_to_queue(char *exchange, char *key, const char *ns, uint32_t units, const char *queue)
{
    int level = wr_delay_entry_level(units);
    bool is_one_hop = units == UINT32_C(1) << level;
    return wr_delay_retry_name(exchange, WR_DELAY_KEY_SIZE, ns, level) &&
           wr_delay_key(key, WR_DELAY_KEY_SIZE, is_one_hop ? 0 : units, "queue", queue);
}

bool wr_delay_key_home(char *out, size_t size, struct wr_slice key, const char *kind)
{
    size_t skip = 0;
    while (skip < 2 * WR_DELAY_DIGITS && skip + 1 < key.size && key.data[skip + 1] == '.' &&
           memchr(HEX, key.data[skip], sizeof HEX - 1)) {
        skip += 2;
    }
    size_t before = skip + strlen(kind) + 1;
    if (key.size <= before || memcmp(key.data + skip, kind, strlen(kind)) != 0 ||
        key.data[before - 1] != '/' || memchr(key.data, 0, key.size) ||
        memchr(key.data + before, '.', key.size - before) ||
        !fits(snprintf(out, size, "%.*s", (int)(key.size - before), key.data + before), size)) {
        return false;
    }
    from_word(out);
    return true;
}
