// SPDX-License-Identifier: MIT
// DESIGN: bytes from messages and brokers are hostile: C0 and C1 controls, DEL and the marks that
// turn the direction of writing are never sent to a terminal as they are, in whatever form they are
// printed.
#include "escape.h"

#include <stdint.h>
#include <string.h>

/* The code point at `data` and its length; 0 when the bytes are no UTF-8. */
static size_t read_point(const char *data, size_t left, uint32_t *out)
{
    const unsigned char *byte = (const unsigned char *)data;
    size_t size = byte[0] < 0x80 ? 1 : byte[0] < 0xE0 ? 2 : byte[0] < 0xF0 ? 3 : 4;
    if (byte[0] >= 0x80 && (byte[0] < 0xC2 || byte[0] > 0xF4)) {
        return 0;
    }
    if (size > left) {
        return 0;
    }
    uint32_t point = size == 1 ? byte[0] : byte[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((byte[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (byte[i] & 0x3F);
    }
    bool is_overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    if (is_overlong || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
        return 0;
    }
    *out = point;
    return size;
}

static bool is_steering(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x200E || point == 0x200F ||
           (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

void escape_text(FILE *file, const char *text, bool keep_newlines)
{
    size_t left = strlen(text);
    while (left) {
        uint32_t point = 0;
        size_t size = read_point(text, left, &point);
        if (!size) {
            fprintf(file, "\\x%02x", (unsigned char)*text);
        } else if (point == '\n' && keep_newlines) {
            fputc('\n', file);
        } else if (is_steering(point)) {
            fprintf(file, point < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)point);
        } else {
            (void)fwrite(text, 1, size, file);
        }
        text += size ? size : 1;
        left -= size ? size : 1;
    }
}

static void write_json(FILE *file, const char *data, size_t size, bool is_raw)
{
    while (size) {
        uint32_t point = 0;
        size_t length = read_point(data, size, &point);
        if (!length) {
            fputs("\\ufffd", file);
        } else if (!is_raw && (point == '"' || point == '\\')) {
            fprintf(file, "\\%c", (char)point);
        } else if (is_steering(point)) {
            fprintf(file, "\\u%04x", (unsigned)point);
        } else {
            (void)fwrite(data, 1, length, file);
        }
        data += length ? length : 1;
        size -= length ? length : 1;
    }
}

void escape_json_string(FILE *file, const char *data, size_t size)
{
    fputc('"', file);
    write_json(file, data, size, false);
    fputc('"', file);
}

void escape_json(FILE *file, const char *json)
{
    const char *newline;
    while ((newline = strchr(json, '\n'))) { /* between tokens, where an escape would be wrong */
        write_json(file, json, (size_t)(newline - json), true);
        fputc('\n', file);
        json = newline + 1;
    }
    write_json(file, json, strlen(json), true);
}

bool escape_is_text(const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        uint32_t point = 0;
        size_t length = read_point(at, size, &point);
        if (!length || point == 0) {
            return false;
        }
        at += length;
        size -= length;
    }
    return true;
}
