// SPDX-License-Identifier: MIT
// DESIGN: strict readers. Something that is nearly a time must be an error, not another time.
#include "when.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LONGEST_MS 1e15 /* some 30,000 years: what is above is a mistake */

static const struct unit {
    const char *name;
    double ms;
} units[] = { { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "h", 3.6e6 }, { "d", 8.64e7 } };

/* The unit at `text`: the longest word that fits, since "m" begins "ms". */
static const struct unit *read_unit(const char *text)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t size = strlen(units[i].name);
        if (strncmp(text, units[i].name, size) == 0 && !isalpha((unsigned char)text[size])) {
            return &units[i];
        }
    }
    return NULL;
}

bool when_duration(const char *text, int64_t *out_ms)
{
    double total = 0;
    if (!*text) {
        return false;
    }
    while (*text) {
        char *end;
        if (!isdigit((unsigned char)*text) || strncasecmp(text, "0x", 2) == 0) {
            return false;
        }
        double number = strtod(text, &end);
        const struct unit *unit = read_unit(end);
        if (!unit) {
            return false;
        }
        total += number * unit->ms;
        text = end + strlen(unit->name);
    }
    if (!(total <= LONGEST_MS)) {
        return false;
    }
    *out_ms = (int64_t)total;
    *out_ms += (double)*out_ms < total; /* never less than was asked for */
    return true;
}

/* "Z", "+01:00" or nothing. */
static bool read_offset(const char *text, bool *out_is_local, int64_t *out_seconds)
{
    int hours = 0;
    int minutes = 0;
    int used = 0;
    *out_is_local = !*text;
    *out_seconds = 0;
    if (!*text || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        return true;
    }
    if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || text[1 + used] ||
        used != 5 || hours > 23 || minutes > 59) {
        return false;
    }
    *out_seconds = (int64_t)(hours * 3600 + minutes * 60) * (*text == '-' ? -1 : 1);
    return *text == '+' || *text == '-';
}

static bool read_epoch(const char *text, int64_t *out_ms)
{
    char *end;
    if (!isdigit((unsigned char)*text) || strncasecmp(text, "0x", 2) == 0) {
        return false;
    }
    double seconds = strtod(text, &end);
    *out_ms = (int64_t)(seconds * 1000);
    return !*end && seconds * 1000 <= LONGEST_MS;
}

/* ".123" behind the seconds; more digits are cut. */
static const char *read_fraction(const char *text, int64_t *out_ms)
{
    int64_t scale = 100;
    *out_ms = 0;
    if (*text != '.' || !isdigit((unsigned char)text[1])) {
        return text;
    }
    for (text++; isdigit((unsigned char)*text); text++) {
        *out_ms += (*text - '0') * scale;
        scale /= 10;
    }
    return text;
}

bool when_time(const char *text, int64_t *out_ms)
{
    struct tm parts = { .tm_isdst = -1 };
    bool is_local;
    int64_t offset_s;
    int64_t fraction_ms;
    if (*text == '@') {
        return read_epoch(text + 1, out_ms);
    }
    const char *separator = strpbrk(text, "Tt ");
    const char *date_end = strptime(text, "%Y-%m-%d", &parts);
    if (!date_end || date_end != separator) {
        return false;
    }
    struct tm wanted = parts;
    const char *rest = strptime(separator + 1, "%H:%M:%S", &wanted);
    if (!rest) {
        return false;
    }
    rest = read_fraction(rest, &fraction_ms);
    if (!read_offset(rest, &is_local, &offset_s)) {
        return false;
    }
    struct tm turned = wanted;
    time_t seconds = is_local ? mktime(&turned) : timegm(&turned);
    if (turned.tm_mday != wanted.tm_mday || turned.tm_mon != wanted.tm_mon) {
        return false; /* February 30 */
    }
    *out_ms = ((int64_t)seconds - offset_s) * 1000 + fraction_ms;
    return true;
}

int64_t when_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
