// SPDX-License-Identifier: MIT
// DESIGN: all arithmetic of waiting stands here, so that "when does it run again" has one answer.
// The policy gives a wait; it is rounded up to the ladder's units; jitter then picks a longer one,
// and of the candidates a wait of at most three set bits is preferred, since each set bit is a hop
// through a queue of the broker. So a wait is never shorter than the policy says, and never longer
// than the policy says plus its jitter; of an exponential policy never longer than its `max`.
#include "model/retry.h"

#include <inttypes.h>
#include <stdio.h>

#include "model/delay.h"

#define UNITS_MOST ((INT64_C(1) << WR_DELAY_LEVELS) - 1)
#define FACTOR_MOST 1000.0
#define BITS_WANTED 3
/* 285,000 years, what a JSON number holds exactly. Of the total, so that it reads back in any unit. */
#define DURATION_MOST_MS (INT64_C(1) << 53)

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};
#define UNIT_COUNT (sizeof units / sizeof units[0])

/* --- the plan --- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t exponential_ms(const struct wr_retry_policy *policy, int attempt)
{
    double wait = (double)policy->first_ms;
    for (int i = 1; i < attempt && wait < (double)policy->max_ms; i++) {
        wait *= policy->factor;
    }
    if (wait >= (double)policy->max_ms) {
        return policy->max_ms;
    }
    int64_t whole = (int64_t)wait;
    return wait - (double)whole > 1e-6 ? whole + 1 : whole; /* a double's own error is no wait */
}

/* What the policy says before jitter. */
static int64_t plain_ms(const struct wr_retry_policy *policy, int attempt)
{
    switch (policy->backoff) {
    case WR_BACKOFF_LIST:
        if (policy->delay_count < 1) {
            return 0;
        }
        return policy->delays_ms[least(attempt, policy->delay_count) - 1];
    case WR_BACKOFF_FIXED:
        return policy->first_ms;
    case WR_BACKOFF_EXPONENTIAL:
        break;
    }
    return exponential_ms(policy, attempt);
}

/* The most units that jitter may make of `shortest`. */
static int64_t longest_units(const struct wr_retry_policy *policy, int64_t shortest)
{
    int64_t more = (int64_t)((double)shortest * policy->jitter + 1e-9);
    int64_t longest = shortest + (more > 0 ? more : 0);
    if (policy->backoff == WR_BACKOFF_EXPONENTIAL) {
        longest = least(longest, wr_delay_units(policy->max_ms));
    }
    return longest < shortest ? shortest : longest;
}

static int64_t keep_bits(int64_t value, int bits)
{
    int drop = 64 - __builtin_clzll((uint64_t)value) - bits;
    if (drop <= 0) {
        return value;
    }
    int64_t step = INT64_C(1) << drop;
    return (value + step - 1) / step * step;
}

/* The nearest number of few set bits from `value` up that stays within `most`. */
static int64_t prefer_few_bits(int64_t value, int64_t most)
{
    for (int bits = BITS_WANTED; value; bits++) {
        int64_t rounded = keep_bits(value, bits);
        if (rounded <= most) {
            return rounded;
        }
    }
    return value;
}

bool wr_retry_plan(const struct wr_retry_policy *policy, int attempt, uint64_t random,
                   int64_t *out_delay_ms)
{
    if (attempt >= policy->attempts) {
        return false;
    }
    int64_t shortest = wr_delay_units(plain_ms(policy, attempt < 1 ? 1 : attempt));
    int64_t longest = longest_units(policy, shortest);
    int64_t chosen = shortest;
    if (longest > shortest) {
        chosen += (int64_t)(random % (uint64_t)(longest - shortest + 1));
        chosen = prefer_few_bits(chosen, longest);
    }
    *out_delay_ms = chosen * WR_DELAY_UNIT_MS;
    return true;
}

/* The longest wait after that run, in ms. */
static int64_t longest_after(const struct wr_retry_policy *policy, int attempt)
{
    int64_t plain = wr_delay_units(plain_ms(policy, attempt));
    return longest_units(policy, plain) * WR_DELAY_UNIT_MS;
}

int64_t wr_retry_longest_ms(const struct wr_retry_policy *policy)
{
    int64_t longest = 0;
    for (int attempt = 1; attempt < policy->attempts; attempt++) {
        int64_t candidate = longest_after(policy, attempt);
        longest = candidate > longest ? candidate : longest;
    }
    return longest;
}

int64_t wr_retry_total_ms(const struct wr_retry_policy *policy)
{
    int64_t total = 0;
    for (int attempt = 1; attempt < policy->attempts; attempt++) {
        total +=
            longest_after(policy, attempt); /* a thousand waits of some years at most: it fits */
    }
    return total;
}

/* --- durations --- */

static const struct unit *find_unit(struct wr_slice name)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (wr_slice_is(name, units[i].name)) {
            return &units[i];
        }
    }
    return NULL;
}

/* How many bytes from the start of `text` are decimal digits. */
static size_t digits_of(struct wr_slice text)
{
    size_t count = 0;
    while (count < text.size && text.data[count] >= '0' && text.data[count] <= '9') {
        count++;
    }
    return count;
}

static struct wr_slice skip(struct wr_slice text, size_t count)
{
    return (struct wr_slice){ text.data + count, text.size - count };
}

/* Adds `digits` as a fraction of `unit_ms`; false when that is no whole number of ms. */
static bool add_fraction(struct wr_slice digits, int64_t unit_ms, int64_t *total)
{
    for (size_t i = 0; i < digits.size; i++) {
        int digit = digits.data[i] - '0';
        if (digit && unit_ms * digit % 10) {
            return false;
        }
        *total += unit_ms * digit / 10;
        if (unit_ms % 10 && i + 1 < digits.size) {
            return false; /* further digits are smaller than a millisecond */
        }
        unit_ms /= 10;
    }
    return true;
}

bool wr_duration_parse(struct wr_slice text, int64_t *out_ms)
{
    size_t whole = digits_of(text);
    int64_t number;
    if (!whole || !wr_slice_to_int((struct wr_slice){ text.data, whole }, &number)) {
        return false;
    }
    struct wr_slice rest = skip(text, whole);
    struct wr_slice fraction = { NULL, 0 };
    if (rest.size && rest.data[0] == '.') {
        rest = skip(rest, 1);
        fraction = (struct wr_slice){ rest.data, digits_of(rest) };
        rest = skip(rest, fraction.size);
        if (!fraction.size) {
            return false;
        }
    }
    if (wr_slice_is(text, "0")) {
        rest = wr_slice_of("s"); /* nothing is nothing in any unit */
    }
    const struct unit *unit = find_unit(rest);
    if (!unit || number > DURATION_MOST_MS / unit->ms) {
        return false;
    }
    int64_t total = number * unit->ms;
    if (!add_fraction(fraction, unit->ms, &total) || total > DURATION_MOST_MS) {
        return false;
    }
    *out_ms = total;
    return true;
}

const char *wr_duration_write(char *out, size_t size, int64_t ms)
{
    size_t i = UNIT_COUNT - 1;
    while (i > 0 && (ms % units[i].ms || (ms == 0 && i > 1))) {
        i--;
    }
    (void)snprintf(out, size, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
    return out;
}

/* --- the short form in a header --- */

/* Takes the next word off `rest`; false at the end. */
static bool next_word(struct wr_slice *rest, struct wr_slice *out)
{
    while (rest->size && rest->data[0] == ' ') {
        *rest = skip(*rest, 1);
    }
    size_t length = 0;
    while (length < rest->size && rest->data[length] != ' ') {
        length++;
    }
    *out = (struct wr_slice){ rest->data, length };
    *rest = skip(*rest, length);
    return length > 0;
}

static bool next_duration(struct wr_slice *rest, int64_t *out_ms)
{
    struct wr_slice word;
    return next_word(rest, &word) && wr_duration_parse(word, out_ms) && *out_ms > 0 &&
           *out_ms <= UNITS_MOST * WR_DELAY_UNIT_MS;
}

/* A plain decimal number from 1 to FACTOR_MOST; strtod would obey the locale. */
static bool next_factor(struct wr_slice *rest, double *out)
{
    struct wr_slice word;
    if (!next_word(rest, &word)) {
        return false;
    }
    double value = 0;
    double place = 0; /* of the next digit behind the point; 0 before it */
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if (c == '.' && place == 0 && i > 0 && i + 1 < word.size) {
            place = 0.1;
        } else if (c < '0' || c > '9') {
            return false;
        } else if (place > 0) {
            value += place * (c - '0');
            place /= 10;
        } else {
            value = value * 10 + (c - '0');
        }
    }
    *out = value;
    return value >= 1.0 && value <= FACTOR_MOST;
}

static bool parse_list(struct wr_slice *rest, struct wr_retry_policy *policy)
{
    policy->backoff = WR_BACKOFF_LIST;
    policy->delay_count = 0;
    while (policy->delay_count < WR_RETRY_DELAYS &&
           next_duration(rest, &policy->delays_ms[policy->delay_count])) {
        policy->delay_count++;
        if (!rest->size) {
            return true;
        }
    }
    return false;
}

static bool parse_backoff(struct wr_slice rest, struct wr_retry_policy *policy)
{
    struct wr_slice word;
    if (!next_word(&rest, &word)) {
        return false;
    }
    if (wr_slice_is(word, "list")) {
        return parse_list(&rest, policy);
    }
    if (wr_slice_is(word, "fixed")) {
        policy->backoff = WR_BACKOFF_FIXED;
        return next_duration(&rest, &policy->first_ms) && !rest.size;
    }
    policy->backoff = WR_BACKOFF_EXPONENTIAL;
    return wr_slice_is(word, "exponential") && next_duration(&rest, &policy->first_ms) &&
           next_factor(&rest, &policy->factor) && next_duration(&rest, &policy->max_ms) &&
           !rest.size;
}

bool wr_retry_parse(struct wr_slice text, struct wr_retry_policy *policy)
{
    struct wr_retry_policy read = *policy;
    if (!parse_backoff(text, &read)) {
        return false;
    }
    *policy = read;
    return true;
}
