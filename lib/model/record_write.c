// SPDX-License-Identifier: MIT
// DESIGN: two tables, of the properties that are strings and of the kinds of header values, serve writer
// and reader, so that they can't disagree. Whatever has no exact form in JSON (a number that isn't
// finite, a string that is no UTF-8) is written as the wire's bytes.
#include "model/record.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/base64.h"

enum { DEEPEST = 16 };

static const struct wr_record_property properties[] = {
    { "content_type", WR_CONTENT_TYPE, offsetof(struct wr_message, content_type) },
    { "content_encoding", WR_CONTENT_ENCODING, offsetof(struct wr_message, content_encoding) },
    { "correlation_id", WR_CORRELATION_ID, offsetof(struct wr_message, correlation_id) },
    { "reply_to", WR_REPLY_TO, offsetof(struct wr_message, reply_to) },
    { "expiration", WR_EXPIRATION, offsetof(struct wr_message, expiration) },
    { "message_id", WR_MESSAGE_ID, offsetof(struct wr_message, message_id) },
    { "type", WR_TYPE, offsetof(struct wr_message, type) },
    { "user_id", WR_USER_ID, offsetof(struct wr_message, user_id) },
    { "app_id", WR_APP_ID, offsetof(struct wr_message, app_id) },
    { "cluster_id", WR_CLUSTER_ID, offsetof(struct wr_message, cluster_id) },
};

static const struct wr_record_kind kinds[] = {
    { 'S', "string", 0, false }, { 'x', "bytes", 0, false },  { 't', "bool", 0, false },
    { 'b', "int8", 1, true },    { 'B', "uint8", 1, false },  { 's', "int16", 2, true },
    { 'u', "uint16", 2, false }, { 'I', "int32", 4, true },   { 'i', "uint32", 4, false },
    { 'l', "int64", 8, true },   { 'L', "long", 8, true },    { 'T', "timestamp", 8, false },
    { 'f', "float", 0, false },  { 'd', "double", 0, false }, { 'D', "decimal", 0, false },
    { 'F', "table", 0, false },  { 'A', "array", 0, false },  { 'V', "void", 0, false },
};

const struct wr_record_property *wr_record_properties(size_t *out_count)
{
    *out_count = sizeof properties / sizeof properties[0];
    return properties;
}

const struct wr_record_kind *wr_record_kinds(size_t *out_count)
{
    *out_count = sizeof kinds / sizeof kinds[0];
    return kinds;
}

static bool is_text(struct wr_slice bytes)
{
    return (!bytes.size || !memchr(bytes.data, '\0', bytes.size)) && wr_text_is_utf8(bytes);
}

static void write_base64(struct wr_slice bytes, struct wr_text *out)
{
    wr_text_add_string(out, "\"");
    wr_base64_write(bytes, out);
    wr_text_add_string(out, "\"");
}

/* `"name":"text"`, or `"name_base64":"…"`. */
static void write_member(const char *name, struct wr_slice bytes, struct wr_text *out)
{
    bool is_plain = is_text(bytes);
    wr_text_add_format(out, "\"%s%s\":", name, is_plain ? "" : "_base64");
    if (!is_plain) {
        write_base64(bytes, out);
        return;
    }
    wr_text_add_string(out, "\"");
    wr_text_add_json(out, bytes);
    wr_text_add_string(out, "\"");
}

static void write_properties(const struct wr_message *message, struct wr_text *out)
{
    const char *comma = "";
    wr_text_add_string(out, "\"properties\":{");
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (message->present & properties[i].bit) {
            wr_text_add_string(out, comma);
            write_member(properties[i].name,
                         *(const struct wr_slice *)(const void *)((const char *)message +
                                                                  properties[i].offset),
                         out);
            comma = ",";
        }
    }
    if (message->present & WR_DELIVERY_MODE) {
        wr_text_add_format(out, "%s\"delivery_mode\":%d", comma, message->delivery_mode);
        comma = ",";
    }
    if (message->present & WR_PRIORITY) {
        wr_text_add_format(out, "%s\"priority\":%d", comma, message->priority);
        comma = ",";
    }
    if (message->present & WR_TIMESTAMP) {
        wr_text_add_format(out, "%s\"timestamp\":%" PRIu64, comma, message->timestamp);
    }
    wr_text_add_string(out, "}");
}

/* --- headers --- */

static const struct wr_record_kind *find_kind(char letter)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].kind == letter) {
            return &kinds[i];
        }
    }
    return NULL;
}

static uint64_t read_bits(struct wr_slice bytes)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        bits = bits << 8 | (unsigned char)bytes.data[i];
    }
    return bits;
}

/* Only what reads back as the same bits. */
static bool write_real(const struct wr_field *field, struct wr_text *out)
{
    uint64_t bits = read_bits(field->value);
    char text[40];
    if (field->kind == 'f') {
        uint32_t narrow = (uint32_t)bits;
        float value;
        memcpy(&value, &narrow, sizeof value);
        (void)snprintf(text, sizeof text, "%.9g", (double)value);
        if (!isfinite(value) || (bits << 1 & 0xFFFFFFFF) == 0) {
            return false;
        }
    } else {
        double value;
        memcpy(&value, &bits, sizeof value);
        (void)snprintf(text, sizeof text, "%.17g", value);
        if (!isfinite(value) || bits << 1 == 0) {
            return false;
        }
    }
    wr_text_add_format(out, "\"value\":%s", text);
    return true;
}

static void write_fields(struct wr_table table, bool is_array, int depth, struct wr_text *out);

static bool write_value(const struct wr_field *field, const struct wr_record_kind *kind, int depth,
                        struct wr_text *out)
{
    int64_t number = 0;
    if (field->kind == 'S' && is_text(field->value)) {
        write_member("value", field->value, out);
        return true;
    }
    if (field->kind == 'T') {
        wr_text_add_format(out, "\"value\":%" PRIu64, read_bits(field->value));
        return true;
    }
    if (kind->bytes && wr_field_int(field, &number)) {
        wr_text_add_format(out, "\"value\":%" PRId64, number);
        return true;
    }
    if (field->kind == 't' && (unsigned char)field->value.data[0] <= 1) {
        wr_text_add_format(out, "\"value\":%s", field->value.data[0] ? "true" : "false");
        return true;
    }
    if (field->kind == 'V') {
        wr_text_add_string(out, "\"value\":null");
        return true;
    }
    if ((field->kind == 'F' || field->kind == 'A') && depth < DEEPEST) {
        wr_text_add_string(out, "\"value\":");
        write_fields((struct wr_table){ field->value.data, field->value.size }, field->kind == 'A',
                     depth + 1, out);
        return true;
    }
    return (field->kind == 'f' || field->kind == 'd') && write_real(field, out);
}

static void write_field(const struct wr_field *field, bool is_array, int depth, struct wr_text *out)
{
    const struct wr_record_kind *kind = find_kind(field->kind);
    wr_text_add_string(out, "{");
    if (!is_array) {
        write_member("name", field->name, out);
        wr_text_add_string(out, ",");
    }
    wr_text_add_format(out, "\"type\":\"%s\",", kind ? kind->name : "void");
    if (!kind || !write_value(field, kind, depth, out)) {
        wr_text_add_string(out, "\"base64\":");
        write_base64(field->value, out);
    }
    wr_text_add_string(out, "}");
}

/* The broker's count of looks: it changes by itself. */
static bool is_count_of_looks(struct wr_slice name)
{
    return wr_slice_is(name, "x-delivery-count") || wr_slice_is(name, "x-acquired-count");
}

static void write_fields(struct wr_table table, bool is_array, int depth, struct wr_text *out)
{
    const char *comma = "";
    struct wr_field field;
    size_t offset = 0;
    wr_text_add_string(out, "[");
    while (is_array ? wr_array_next(table, &offset, &field)
                    : wr_table_next(table, &offset, &field)) {
        if (depth || !is_count_of_looks(field.name)) {
            wr_text_add_string(out, comma);
            write_field(&field, is_array, depth, out);
            comma = ",";
        }
    }
    wr_text_add_string(out, "]");
}

void wr_record_write(const struct wr_message *message, const char *queue, struct wr_text *out)
{
    wr_text_add_string(out, "{\"warren_letter\":1,");
    write_member("queue", wr_slice_of(queue), out);
    wr_text_add_string(out, ",");
    write_member("exchange", message->exchange, out);
    wr_text_add_string(out, ",");
    write_member("routing_key", message->key, out);
    wr_text_add_string(out, ",");
    write_properties(message, out);
    wr_text_add_string(out, ",\"headers\":");
    write_fields(message->headers, false, 0, out);
    wr_text_add_string(out, ",");
    write_member("body", message->body, out);
    wr_text_add_string(out, "}");
}
