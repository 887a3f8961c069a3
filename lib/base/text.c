// SPDX-License-Identifier: MIT
// DESIGN: strings in Warren are either borrowed slices or one growing buffer. The buffer remembers
// that an allocation failed, so a caller builds a whole text and checks once.
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

char *wr_slice_copy(struct wr_slice slice)
{
    char *copy = malloc(slice.size + 1);
    if (!copy) {
        return NULL;
    }
    if (slice.size) {
        memcpy(copy, slice.data, slice.size);
    }
    copy[slice.size] = '\0';
    return copy;
}

bool wr_slice_to_int(struct wr_slice slice, int64_t *out)
{
    bool negative = slice.size && slice.data[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == slice.size) {
        return false;
    }
    int64_t value = 0;
    for (; i < slice.size; i++) {
        int digit = slice.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) {
            return false; /* counted downwards, since the least number has no positive twin */
        }
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *out = negative ? value : -value;
    return true;
}

static bool reserve(struct wr_text *text, size_t more)
{
    size_t wanted = text->size + more + 1;
    if (text->failed || wanted <= text->capacity) {
        return !text->failed;
    }
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < wanted) {
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void wr_text_add(struct wr_text *text, const void *data, size_t size)
{
    if (!reserve(text, size)) {
        return;
    }
    if (size) {
        memcpy(text->data + text->size, data, size);
    }
    text->size += size;
    text->data[text->size] = '\0';
}

void wr_text_add_string(struct wr_text *text, const char *string)
{
    wr_text_add(text, string, strlen(string));
}

void wr_text_add_format(struct wr_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (wanted >= 0 && reserve(text, (size_t)wanted)) {
        (void)vsnprintf(text->data + text->size, (size_t)wanted + 1, format, again);
        text->size += (size_t)wanted;
    }
    va_end(again);
}

/* The length of the well-formed UTF-8 sequence at `data`, 0 when there is none. */
static size_t sequence_length(const unsigned char *data, size_t left)
{
    unsigned char first = data[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || left < length) {
        return 0;
    }
    unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (data[1] < least || data[1] > most) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((data[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool wr_text_is_utf8(struct wr_slice slice)
{
    const unsigned char *data = (const unsigned char *)slice.data;
    for (size_t i = 0; i < slice.size;) {
        size_t length = sequence_length(data + i, slice.size - i);
        if (!length) {
            return false;
        }
        i += length;
    }
    return true;
}

/* --- text for people --- */

/* What is being written into a caller's room. */
struct shown {
    char *out;
    size_t room;       /* for text: what ends it has its own */
    const char *marks; /* that get a backslash */
    bool keeps_lines;
    size_t used;
    size_t whole; /* how much may stay when "..." has to follow */
};

/* False when it doesn't fit any more. */
static bool put(struct shown *shown, const char *bytes, size_t size)
{
    if (shown->used + size > shown->room) {
        memcpy(shown->out + shown->whole, "...", 3);
        shown->used = shown->whole + 3;
        return false;
    }
    memcpy(shown->out + shown->used, bytes, size);
    shown->used += size;
    if (shown->used + 3 <= shown->room) {
        shown->whole = shown->used;
    }
    return true;
}

static bool put_hex(struct shown *shown, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    const char escaped[4] = { '\\', 'x', hex[byte >> 4], hex[byte & 15] };
    return put(shown, escaped, sizeof escaped);
}

/* Whether the well-formed character at `data` steers a terminal instead of being seen. */
static bool is_control(const unsigned char *data)
{
    return data[0] < 0x20 || data[0] == 0x7F || (data[0] == 0xC2 && data[1] < 0xA0);
}

/* Shows the next character; returns how many bytes that were, 0 when there is no room. */
static size_t put_next(struct shown *shown, struct wr_slice rest)
{
    const unsigned char *data = (const unsigned char *)rest.data;
    size_t length = sequence_length(data, rest.size);
    if (!length || (is_control(data) && !(data[0] == '\n' && shown->keeps_lines))) {
        return put_hex(shown, data[0]) ? 1 : 0;
    }
    if (strchr(shown->marks, data[0])) {
        const char pair[2] = { '\\', rest.data[0] };
        return put(shown, pair, sizeof pair) ? 1 : 0;
    }
    return put(shown, rest.data, length) ? length : 0;
}

static void put_all(struct shown *shown, struct wr_slice bytes)
{
    size_t step = 1;
    for (size_t i = 0; i < bytes.size && step; i += step) {
        step = put_next(shown, (struct wr_slice){ bytes.data + i, bytes.size - i });
    }
}

const char *wr_text_show(char *out, size_t size, struct wr_slice bytes, bool keeps_lines)
{
    struct shown shown = { out, size - 1, "", keeps_lines, 0, 0 };
    put_all(&shown, bytes);
    out[shown.used] = '\0';
    return out;
}

const char *wr_text_quote(char *out, size_t size, struct wr_slice bytes)
{
    struct shown shown = { out + 1, size - 3, "\"\\", false, 0, 0 };
    out[0] = '"';
    put_all(&shown, bytes);
    memcpy(out + 1 + shown.used, "\"", 2);
    return out;
}

static void add_json_escape(struct wr_text *text, char c)
{
    if (c == '"' || c == '\\') {
        char escaped[2] = { '\\', c };
        wr_text_add(text, escaped, 2);
    } else {
        wr_text_add_format(text, "\\u%04x", (unsigned)c);
    }
}

/* Bytes that need no escape, in a row. */
static size_t plain_run(struct wr_slice slice, size_t at)
{
    size_t end = at;
    while (end < slice.size && slice.data[end] >= ' ' && slice.data[end] < 0x7F &&
           slice.data[end] != '"' && slice.data[end] != '\\') {
        end++;
    }
    return end - at;
}

void wr_text_add_json(struct wr_text *text, struct wr_slice slice)
{
    for (size_t i = 0; i < slice.size;) {
        size_t plain = plain_run(slice, i);
        if (plain) {
            wr_text_add(text, slice.data + i, plain);
            i += plain;
            continue;
        }
        size_t length = sequence_length((const unsigned char *)slice.data + i, slice.size - i);
        if (length == 0) {
            wr_text_add_string(text, "\xEF\xBF\xBD");
            i++;
        } else if (length == 1) {
            add_json_escape(text, slice.data[i++]);
        } else {
            wr_text_add(text, slice.data + i, length);
            i += length;
        }
    }
}

const char *wr_text_string(const struct wr_text *text)
{
    return text->data ? text->data : "";
}

void wr_text_clear(struct wr_text *text)
{
    text->size = 0;
    text->failed = false;
    if (text->data) {
        text->data[0] = '\0';
    }
}

char *wr_text_take(struct wr_text *text)
{
    wr_text_add(text, NULL, 0);
    char *data = text->failed ? NULL : text->data;
    if (!data) {
        free(text->data);
    }
    *text = (struct wr_text){ 0 };
    return data;
}

void wr_text_done(struct wr_text *text)
{
    free(text->data);
    *text = (struct wr_text){ 0 };
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t wr_text_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t rows[3][LONGEST + 1];
    size_t width = strlen(b);
    size_t height = strlen(a);
    if (width > LONGEST || height > LONGEST) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= width; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= height; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            bool same = a[i - 1] == b[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[height % 3][width];
}
