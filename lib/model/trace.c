// SPDX-License-Identifier: MIT
// DESIGN: W3C Trace Context, to the letter: lower-case hex only, no zero ids, version ff is none; of a
// later version what this one knows is read, when a dash follows it. The binary form is that of "Trace
// Context: Binary format", the version and three fields with a byte each that says which.
#include "model/trace.h"

enum { TEXT_SIZE = 55, BINARY_SIZE = 29, STATE_MEMBERS_MOST = 32 };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void write_hex(const uint8_t *bytes, size_t count, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * count] = '\0';
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= bytes[i];
    }
    return !any;
}

static bool has_ids(const struct wr_trace *trace)
{
    return !is_zero(trace->id, sizeof trace->id) && !is_zero(trace->span, sizeof trace->span);
}

static bool read_text(struct wr_slice value, struct wr_trace *out)
{
    uint8_t version;
    const char *text = value.data;
    if (value.size < TEXT_SIZE || !read_hex(text, &version, 1) || version == 0xFF) {
        return false;
    }
    bool ends_well = value.size == TEXT_SIZE || (version > 0 && text[TEXT_SIZE] == '-');
    return ends_well && text[2] == '-' && text[35] == '-' && text[52] == '-' &&
           read_hex(text + 3, out->id, 16) && read_hex(text + 36, out->span, 8) &&
           read_hex(text + 53, &out->flags, 1);
}

static bool read_binary(struct wr_slice value, struct wr_trace *out)
{
    const char *data = value.data;
    if (value.size != BINARY_SIZE || data[0] != 0 || data[1] != 0 || data[18] != 1 ||
        data[27] != 2) {
        return false;
    }
    memcpy(out->id, data + 2, sizeof out->id);
    memcpy(out->span, data + 19, sizeof out->span);
    out->flags = (uint8_t)data[28];
    return true;
}

bool wr_trace_read(struct wr_slice value, struct wr_trace *out)
{
    struct wr_trace read = { .flags = 0 };
    if (!(read_text(value, &read) || read_binary(value, &read)) || !has_ids(&read)) {
        return false;
    }
    *out = read;
    return true;
}

void wr_trace_write(const struct wr_trace *trace, char out[WR_TRACEPARENT_SIZE])
{
    memcpy(out, "00-", 3);
    write_hex(trace->id, sizeof trace->id, out + 3);
    out[35] = '-';
    write_hex(trace->span, sizeof trace->span, out + 36);
    out[52] = '-';
    write_hex(&trace->flags, 1, out + 53);
}

void wr_trace_id_write(const uint8_t id[16], char out[WR_TRACE_ID_SIZE])
{
    write_hex(id, 16, out);
}

void wr_span_id_write(const uint8_t span[8], char out[WR_SPAN_ID_SIZE])
{
    write_hex(span, 8, out);
}

bool wr_trace_id_of(struct wr_slice value, char out[WR_TRACE_ID_SIZE])
{
    struct wr_trace trace;
    if (!value.size || !wr_trace_read(value, &trace)) {
        return false;
    }
    wr_trace_id_write(trace.id, out);
    return true;
}

/* --- tracestate --- */

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_-*/", c));
}

static bool is_key_part(struct wr_slice part, size_t most, bool digit_may_begin)
{
    if (!part.size || part.size > most) {
        return false;
    }
    char first = part.data[0];
    if (!(first >= 'a' && first <= 'z') && !(digit_may_begin && first >= '0' && first <= '9')) {
        return false;
    }
    for (size_t i = 0; i < part.size; i++) {
        if (!is_key_char(part.data[i])) {
            return false;
        }
    }
    return true;
}

/* simple-key, or tenant@system */
static bool is_key(struct wr_slice key)
{
    const char *at = key.size ? memchr(key.data, '@', key.size) : NULL;
    if (!at) {
        return is_key_part(key, 256, false);
    }
    size_t size = (size_t)(at - key.data);
    return is_key_part((struct wr_slice){ key.data, size }, 241, true) &&
           is_key_part((struct wr_slice){ at + 1, key.size - size - 1 }, 14, false);
}

static bool is_value(struct wr_slice value)
{
    if (!value.size || value.size > 256 || value.data[value.size - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c < 0x20 || c > 0x7E || c == ',' || c == '=') {
            return false;
        }
    }
    return true;
}

static struct wr_slice trim(struct wr_slice text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = (struct wr_slice){ text.data + 1, text.size - 1 };
    }
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* Takes what stands before the next comma. */
static struct wr_slice next_member(struct wr_slice *rest)
{
    const char *comma = rest->size ? memchr(rest->data, ',', rest->size) : NULL;
    struct wr_slice member = *rest;
    if (comma) {
        member.size = (size_t)(comma - rest->data);
        rest->data += member.size + 1;
        rest->size -= member.size + 1;
    } else {
        rest->size = 0;
    }
    return trim(member);
}

bool wr_tracestate_is_valid(struct wr_slice value)
{
    struct wr_slice keys[STATE_MEMBERS_MOST];
    size_t count = 0;
    while (value.size) {
        struct wr_slice member = next_member(&value);
        const char *equals = member.size ? memchr(member.data, '=', member.size) : NULL;
        if (!member.size) { /* empty members are allowed */
            continue;
        }
        if (!equals || count == STATE_MEMBERS_MOST) {
            return false;
        }
        struct wr_slice key = { member.data, (size_t)(equals - member.data) };
        struct wr_slice text = { equals + 1, member.size - key.size - 1 };
        for (size_t i = 0; i < count; i++) {
            if (wr_slice_equals(keys[i], key)) {
                return false;
            }
        }
        if (!is_key(key) || !is_value(text)) {
            return false;
        }
        keys[count++] = key;
    }
    return count > 0;
}

/* --- new ids --- */

void wr_span_id_make(uint8_t out[8], uint64_t random)
{
    random = random ? random : 1;
    memcpy(out, &random, 8);
}

void wr_trace_id_make(uint8_t out[16], const uint64_t random[2])
{
    memcpy(out, random, 16);
    out[15] |= is_zero(out, 16) ? 1 : 0;
}

bool wr_trace_is_chosen(const uint8_t id[16], double ratio)
{
    /* The last 56 bits, which level 2 of the Recommendation wants random. */
    uint64_t number = 0;
    for (int i = 9; i < 16; i++) {
        number = number << 8 | id[i];
    }
    return (double)number < ratio * (double)(UINT64_C(1) << 56);
}
