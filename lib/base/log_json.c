// SPDX-License-Identifier: MIT
// DESIGN: fields come as key=value pairs, values with spaces in quotes, and each becomes a member. A
// value is a number when it looks like one and its key isn't that of a name: a queue may be called
// "7" and is a string all the same, or a collector that saw a number first would refuse the next
// line. Numbers have at most 15 digits, which every reader of JSON keeps exactly.
#include "base/log_json.h"

#include <ctype.h>
#include <time.h>

#include "base/log_event.h"

/* Bytes of the character at `at` when it would steer a terminal and JSON lets it stand: C1 controls,
 * the marks that turn the direction of writing, line and paragraph separators; 0: none. */
static size_t steering(const unsigned char *at, size_t left, unsigned *out_point)
{
    if (left >= 2 && at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0) {
        *out_point = at[1];
        return 2;
    }
    if (left < 3 || at[0] != 0xE2 || (at[1] != 0x80 && at[1] != 0x81) || (at[2] & 0xC0) != 0x80) {
        return 0;
    }
    unsigned point = 0x2000u | (at[1] & 1u) << 6 | (at[2] & 0x3Fu);
    bool steers = point == 0x200E || point == 0x200F || (point >= 0x2028 && point <= 0x202E) ||
                  (point >= 0x2066 && point <= 0x2069);
    *out_point = point;
    return steers ? 3 : 0;
}

static void add_string(struct wr_text *out, struct wr_slice text)
{
    size_t begin = 0;
    wr_text_add_string(out, "\"");
    for (size_t i = 0; i < text.size;) {
        unsigned point = 0;
        size_t size = steering((const unsigned char *)text.data + i, text.size - i, &point);
        if (!size) {
            i++;
            continue;
        }
        wr_text_add_json(out, (struct wr_slice){ text.data + begin, i - begin });
        wr_text_add_format(out, "\\u%04x", point);
        i += size;
        begin = i;
    }
    wr_text_add_json(out, (struct wr_slice){ text.data + begin, text.size - begin });
    wr_text_add_string(out, "\"");
}

static bool is_number(struct wr_slice text)
{
    size_t i = text.size && text.data[0] == '-';
    if (i == text.size || text.size - i > 15 || (text.data[i] == '0' && text.size - i > 1)) {
        return false;
    }
    while (i < text.size && isdigit((unsigned char)text.data[i])) {
        i++;
    }
    return i == text.size;
}

static bool is_name(struct wr_slice key)
{
    static const char *const names[] = { "queue", "type", "name", "exchange", "key" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (wr_slice_is(key, names[i])) {
            return true;
        }
    }
    return false;
}

/* A value in quotes: \" and \\ stand for themselves, \xNN stays as it is. */
static const char *add_quoted(struct wr_text *out, const char *at)
{
    struct wr_text plain = { 0 };
    while (*at && *at != '"') {
        if (at[0] == '\\' && (at[1] == '"' || at[1] == '\\')) {
            at++;
        }
        wr_text_add(&plain, at, 1);
        at++;
    }
    add_string(out, (struct wr_slice){ wr_text_string(&plain), plain.size });
    out->failed = out->failed || plain.failed;
    wr_text_done(&plain);
    return *at ? at + 1 : at;
}

/* A field of a service's own that is called as a member of ours would be that member. */
static void add_key(struct wr_text *out, struct wr_slice key)
{
    bool is_ours = wr_slice_is(key, "ts") || wr_slice_is(key, "level") ||
                   wr_slice_is(key, "event") || wr_slice_is(key, "msg");
    wr_text_add_string(out, is_ours ? ",\"_" : ",");
    if (is_ours) {
        wr_text_add(out, key.data, key.size);
        wr_text_add_string(out, "\"");
        return;
    }
    add_string(out, key);
}

/* Adds `,"key":value` for the pair at `at`; gives what is behind it. */
static const char *add_pair(struct wr_text *out, const char *at)
{
    struct wr_slice key = { at, strcspn(at, "= ") };
    add_key(out, key);
    at += key.size;
    if (*at != '=') {
        wr_text_add_string(out, ":true");
        return at;
    }
    wr_text_add_string(out, ":");
    at++;
    if (*at == '"') {
        return add_quoted(out, at + 1);
    }
    struct wr_slice value = { at, strcspn(at, " ") };
    if (is_number(value) && !is_name(key)) {
        wr_text_add(out, value.data, value.size);
    } else {
        add_string(out, value);
    }
    return at + value.size;
}

static void add_time(struct wr_text *out, int64_t wall_ms)
{
    char second[32] = "1970-01-01T00:00:00";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts)) {
        (void)strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    wr_text_add_format(out, "{\"ts\":\"%s.%03dZ\"", second, (int)(wall_ms % 1000));
}

void wr_log_json(struct wr_text *out, int64_t wall_ms, int level, const char *event,
                 const char *fields)
{
    const struct wr_log_event *row = wr_log_event_find(event);
    int known = level < WR_ERROR ? WR_ERROR : level > WR_DEBUG ? WR_DEBUG : level;
    add_time(out, wall_ms);
    wr_text_add_format(out, ",\"level\":\"%s\",\"event\":", wr_level_name((enum wr_level)known));
    add_string(out, wr_slice_of(event));
    wr_text_add_string(out, ",\"msg\":");
    add_string(out, wr_slice_of(row ? row->means : event));
    while (*(fields += strspn(fields, " "))) {
        fields = add_pair(out, fields);
    }
    wr_text_add_string(out, "}\n");
}
