// SPDX-License-Identifier: MIT
// The delay ladder: a wait is never shorter than it was asked for and never a unit longer; walking
// the broker's levels by the key waits exactly so long and comes home; and the key of a message
// that was stranded on the ladder tells where it was going.
#include "fuzz.h"

#include "model/delay.h"
#include "model/letter.h"
#include "model/settings_name.h"

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = memchr(digits, c, 16);
    MUST(found);
    return (int)(found - digits);
}

/* What the broker does: each level whose bit is set in the key holds the message for its TTL. */
static int64_t walk(const char *key)
{
    int64_t waited_ms = 0;
    for (int level = 0; key[2 * (level / 4) + 1] == '.'; level++) {
        int digit = digit_of(key[2 * (level / 4)]);
        waited_ms += digit >> (level % 4) & 1 ? wr_delay_level_ms(level) : 0;
    }
    return waited_ms;
}

/* A message that stands in the catch-all with this key: it was going to that queue. */
static void check_stranded(const char *key, const char *name)
{
    const struct wr_letter_place place = { .ns = "warren" };
    struct wr_message message = { .key = wr_slice_of(key) };
    struct wr_letter letter;
    MUST(wr_letter_read(&letter, &message, &place) == WARREN_OK);
    MUST(letter.is_on_ladder && strcmp(letter.data.queue, name) == 0);
    wr_letter_done(&letter);
}

static void check_rounding(int64_t delay_ms)
{
    uint32_t units = wr_delay_units(delay_ms);
    int64_t rounded = wr_delay_round_up(delay_ms);
    if (delay_ms <= 0) {
        MUST(units == 0 && rounded == 0);
        return;
    }
    MUST(units >= 1 && (rounded >= delay_ms || units == UINT32_MAX));
    MUST(rounded - delay_ms < WR_DELAY_UNIT_MS);
    int level = wr_delay_entry_level(units);
    MUST(units >> level == 1);
    int levels = wr_delay_levels(delay_ms);
    MUST(levels >= 1 && levels <= WR_DELAY_LEVELS && (level < levels || level >= WR_DELAY_LEVELS));
}

static void check_key(int64_t delay_ms, const char *name, size_t room)
{
    char key[WR_DELAY_KEY_SIZE + 8];
    char home[WR_DELAY_KEY_SIZE + 8];
    uint32_t units = wr_delay_units(delay_ms);
    room = room < sizeof key ? room : sizeof key;
    bool is_written = wr_delay_key(key, room, units, "queue", name);
    size_t digits = units ? (size_t)wr_delay_entry_level(units) / 4 + 1 : 0;
    size_t wanted = 2 * digits + strlen("queue/") + strlen(name);
    size_t longest = wanted + 2 * (WR_DELAY_DIGITS - digits);
    bool is_keyable = longest <= 255 && !strchr(name, 0x1F); /* which stands for a slash */
    MUST(is_written == (units < UINT32_C(1) << WR_DELAY_LEVELS && is_keyable && wanted < room));
    if (!is_written) {
        return;
    }
    MUST(strlen(key) == wanted && walk(key) == wr_delay_round_up(delay_ms));
    MUST(wr_delay_home_key(home, sizeof home, "queue", name));
    MUST(strcmp(home + 2, key + 2 * digits) == 0);
    if (!wr_type_problem(name)) {
        check_stranded(key, name);
    }
}

static void check_level(const char *ns, size_t room)
{
    char name[WR_DELAY_KEY_SIZE + 8];
    for (int level = 0; level < WR_DELAY_LEVELS; level++) {
        if (wr_delay_level_name(name, room < sizeof name ? room : sizeof name, ns, level)) {
            MUST(strlen(name) < WR_DELAY_KEY_SIZE && strncmp(name, ns, strlen(ns)) == 0);
            MUST(strtoll(strrchr(name, '.') + 1, NULL, 10) == wr_delay_level_ms(level));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    int64_t delay_ms = (int64_t)fuzz_number(&input);
    size_t room = fuzz_byte(&input) + (size_t)fuzz_byte(&input);
    char *name = fuzz_string((struct wr_slice){ (const char *)input.data, input.size });
    check_rounding(delay_ms);
    check_rounding(delay_ms >> 24); /* within a year, now and then */
    check_key(delay_ms, name, room);
    check_key(delay_ms >> 24 & INT64_MAX, name, room);
    check_level(name, room);
    (void)wr_type_problem(name);
    (void)wr_queue_name_problem("warren", name);
    (void)wr_exchange_problem("warren", name);
    free(name);
    return 0;
}
