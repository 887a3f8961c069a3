// SPDX-License-Identifier: MIT
// DESIGN: one switch over the kinds, and a recursion with a floor under it: the bytes are a
// stranger's, and table.c's cursors stop by themselves where they are malformed.
#include "model/table_json.h"

#include <inttypes.h>
#include <math.h>

enum { DEEPEST = 32 };

static void write_hex(struct wr_slice bytes, struct wr_text *out)
{
    wr_text_add_string(out, "{\"hex\":\"");
    for (size_t i = 0; i < bytes.size; i++) {
        wr_text_add_format(out, "%02x", (unsigned char)bytes.data[i]);
    }
    wr_text_add_string(out, "\"}");
}

static void write_string(struct wr_slice string, struct wr_text *out)
{
    if (!wr_text_is_utf8(string)) {
        write_hex(string, out);
        return;
    }
    wr_text_add_string(out, "\"");
    wr_text_add_json(out, string);
    wr_text_add_string(out, "\"");
}

static uint64_t read_bits(struct wr_slice bytes)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        bits = bits << 8 | (unsigned char)bytes.data[i];
    }
    return bits;
}

static void write_real(const struct wr_field *field, struct wr_text *out)
{
    uint64_t bits = read_bits(field->value);
    double value;
    if (field->kind == 'f') {
        uint32_t narrow = (uint32_t)bits;
        float single;
        memcpy(&single, &narrow, sizeof single);
        value = (double)single;
    } else {
        memcpy(&value, &bits, sizeof value);
    }
    if (!isfinite(value)) {
        wr_text_add_format(out, "\"%g\"", value);
    } else {
        wr_text_add_format(out, "%.*g", field->kind == 'f' ? 9 : 17, value);
    }
}

/* A scale and a 32-bit number: 2 and 314 are 3.14. */
static void write_decimal(struct wr_slice bytes, struct wr_text *out)
{
    unsigned scale = (unsigned char)bytes.data[0];
    uint64_t digits = read_bits((struct wr_slice){ bytes.data + 1, 4 });
    wr_text_add_format(out, "%" PRIu64, digits);
    if (scale) {
        wr_text_add_format(out, "e-%u", scale);
    }
}

static void write_value(const struct wr_field *field, int depth, struct wr_text *out);

static void write_members(struct wr_table table, bool is_array, int depth, struct wr_text *out)
{
    size_t offset = 0;
    struct wr_field field;
    const char *comma = "";
    if (depth > DEEPEST) {
        wr_text_add_string(out, "null");
        return;
    }
    wr_text_add_string(out, is_array ? "[" : "{");
    while (is_array ? wr_array_next(table, &offset, &field)
                    : wr_table_next(table, &offset, &field)) {
        wr_text_add_string(out, comma);
        comma = ",";
        if (!is_array) {
            wr_text_add_string(out, "\"");
            wr_text_add_json(out, field.name);
            wr_text_add_string(out, "\":");
        }
        write_value(&field, depth, out);
    }
    wr_text_add_string(out, is_array ? "]" : "}");
}

static void write_value(const struct wr_field *field, int depth, struct wr_text *out)
{
    int64_t number;
    switch (field->kind) {
    case 'S':
        write_string(field->value, out);
        break;
    case 'x':
        write_hex(field->value, out);
        break;
    case 'A':
    case 'F':
        write_members((struct wr_table){ field->value.data, field->value.size }, field->kind == 'A',
                      depth + 1, out);
        break;
    case 't':
        wr_text_add_string(out, field->value.data[0] ? "true" : "false");
        break;
    case 'f':
    case 'd':
        write_real(field, out);
        break;
    case 'D':
        write_decimal(field->value, out);
        break;
    case 'T':
        wr_text_add_format(out, "%" PRIu64, read_bits(field->value));
        break;
    default:
        if (wr_field_int(field, &number)) {
            wr_text_add_format(out, "%" PRId64, number);
        } else {
            wr_text_add_string(out, "null");
        }
    }
}

void wr_table_write_json(struct wr_table table, struct wr_text *out)
{
    write_members(table, false, 0, out);
}
