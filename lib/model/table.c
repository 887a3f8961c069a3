// SPDX-License-Identifier: MIT
// DESIGN: a cursor over bytes that strangers wrote. `read_value` is the only place that knows the
// wire form of a value; everything else walks with it. wr_table_check goes through all nesting
// once, with a limit on depth, so that what comes after may trust lengths. Names in the wire form
// are at most 255 bytes (one length byte).
#include "model/table.h"

#include "base/error.h"

static uint32_t read_u32(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

/* The payload size of a kind with a fixed one; -1: it has a length prefix; -2: no such kind. */
static int fixed_size(char kind)
{
    switch (kind) {
    case 'V':
        return 0;
    case 't':
    case 'b':
    case 'B':
        return 1;
    case 's':
    case 'u':
        return 2;
    case 'I':
    case 'i':
    case 'f':
        return 4;
    case 'D':
        return 5;
    case 'l':
    case 'L':
    case 'd':
    case 'T':
        return 8;
    case 'S':
    case 'x':
    case 'A':
    case 'F':
        return -1;
    default:
        return -2;
    }
}

/* Reads kind and payload at `*offset`. */
static bool read_value(struct wr_table table, size_t *offset, struct wr_field *out)
{
    if (*offset >= table.size) {
        return false;
    }
    out->kind = table.data[*offset];
    size_t at = *offset + 1;
    int fixed = fixed_size(out->kind);
    size_t size = (size_t)fixed;
    if (fixed == -2) {
        return false;
    }
    if (fixed == -1) {
        if (table.size - at < 4) {
            return false;
        }
        size = read_u32(table.data + at);
        at += 4;
    }
    if (table.size - at < size) {
        return false;
    }
    out->value = (struct wr_slice){ table.data + at, size };
    *offset = at + size;
    return true;
}

bool wr_table_next(struct wr_table table, size_t *offset, struct wr_field *out)
{
    size_t start = *offset;
    if (start >= table.size) {
        return false;
    }
    size_t length = (unsigned char)table.data[start];
    size_t at = start + 1 + length;
    if (at > table.size) {
        return false;
    }
    out->name = (struct wr_slice){ table.data + start + 1, length };
    if (!read_value(table, &at, out)) {
        return false;
    }
    out->entry = (struct wr_slice){ table.data + start, at - start };
    *offset = at;
    return true;
}

bool wr_array_next(struct wr_table array, size_t *offset, struct wr_field *out)
{
    size_t start = *offset;
    out->name = (struct wr_slice){ 0 };
    if (!read_value(array, offset, out)) {
        return false;
    }
    out->entry = (struct wr_slice){ array.data + start, *offset - start };
    return true;
}

/* Checks the entries of a table (is_array: the members of an array) and what is nested in them. */
static warren_status check(struct wr_table table, bool is_array, struct wr_table_limits limits,
                           warren_error *err)
{
    size_t offset = 0;
    size_t count = 0;
    struct wr_field field;
    while (is_array ? wr_array_next(table, &offset, &field)
                    : wr_table_next(table, &offset, &field)) {
        count++;
        if (field.kind != 'F' && field.kind != 'A') {
            continue;
        }
        if (limits.depth <= 1) {
            return wr_fail(err, WARREN_INVALID, "headers are nested too deep");
        }
        struct wr_table nested = { field.value.data, field.value.size };
        struct wr_table_limits inner = { 0, limits.depth - 1 };
        warren_status rc = check(nested, field.kind == 'A', inner, err);
        if (rc) {
            return rc;
        }
    }
    if (offset != table.size) {
        return wr_fail(err, WARREN_INVALID, "headers are malformed at byte %zu of %zu", offset,
                       table.size);
    }
    if (limits.fields && count > limits.fields) {
        return wr_fail(err, WARREN_INVALID, "%zu headers, at most %zu are taken", count,
                       limits.fields);
    }
    return WARREN_OK;
}

warren_status wr_table_check(struct wr_table table, struct wr_table_limits limits,
                             warren_error *err)
{
    enum { DEEPEST = 100 }; /* a limit of 0 still ends the recursion */
    if (!limits.depth) {
        limits.depth = DEEPEST;
    }
    return check(table, false, limits, err);
}

bool wr_table_find(struct wr_table table, const char *name, struct wr_field *out)
{
    struct wr_slice wanted = wr_slice_of(name);
    size_t offset = 0;
    while (wr_table_next(table, &offset, out)) {
        if (wr_slice_equals(out->name, wanted)) {
            return true;
        }
    }
    return false;
}

/* Big-endian, sign extended when `is_signed`. */
static int64_t read_int(struct wr_slice bytes, bool is_signed)
{
    uint64_t value = is_signed && bytes.size && (bytes.data[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.size; i++) {
        value = value << 8 | (unsigned char)bytes.data[i];
    }
    return (int64_t)value;
}

bool wr_field_int(const struct wr_field *field, int64_t *out)
{
    switch (field->kind) {
    case 'b':
    case 's':
    case 'I':
    case 'l':
    case 'L':
        *out = read_int(field->value, true);
        return true;
    case 'B':
    case 'u':
    case 'i':
    case 't':
        *out = read_int(field->value, false);
        return true;
    case 'T':
        *out = read_int(field->value, false);
        return *out >= 0;
    case 'S':
        return wr_slice_to_int(field->value, out);
    default:
        return false;
    }
}

bool wr_field_string(const struct wr_field *field, struct wr_slice *out)
{
    if (field->kind != 'S' && field->kind != 'x') {
        return false;
    }
    *out = field->value;
    return true;
}

bool wr_field_table(const struct wr_field *field, char kind, struct wr_table *out)
{
    if (field->kind != kind) {
        return false;
    }
    *out = (struct wr_table){ field->value.data, field->value.size };
    return true;
}

static void add_u32(struct wr_text *out, size_t value)
{
    char bytes[4] = { (char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value };
    wr_text_add(out, bytes, sizeof bytes);
}

static void add_name(struct wr_text *out, const char *name, char kind)
{
    size_t size = strlen(name);
    if (size > 255) {
        out->failed = true;
        return;
    }
    char length = (char)size;
    wr_text_add(out, &length, 1);
    wr_text_add(out, name, size);
    wr_text_add(out, &kind, 1);
}

static void add_sized(struct wr_text *out, struct wr_slice value)
{
    if (value.size > UINT32_MAX) {
        out->failed = true;
        return;
    }
    add_u32(out, value.size);
    wr_text_add(out, value.data, value.size);
}

void wr_table_add_string(struct wr_text *out, const char *name, struct wr_slice value)
{
    add_name(out, name, 'S');
    add_sized(out, value);
}

void wr_table_add_int(struct wr_text *out, const char *name, int64_t value)
{
    add_name(out, name, 'l');
    add_u32(out, (size_t)((uint64_t)value >> 32));
    add_u32(out, (size_t)((uint64_t)value & UINT32_MAX));
}

void wr_table_add_bool(struct wr_text *out, const char *name, bool value)
{
    char byte = value ? 1 : 0;
    add_name(out, name, 't');
    wr_text_add(out, &byte, 1);
}

void wr_table_add_nested(struct wr_text *out, const char *name, char kind, struct wr_slice content)
{
    add_name(out, name, kind);
    add_sized(out, content);
}

void wr_array_add_table(struct wr_text *out, struct wr_slice content)
{
    wr_text_add(out, "F", 1);
    add_sized(out, content);
}

void wr_table_add_entry(struct wr_text *out, const struct wr_field *field)
{
    wr_text_add(out, field->entry.data, field->entry.size);
}

void wr_table_add_renamed(struct wr_text *out, const char *name, const struct wr_field *field)
{
    add_name(out, name, field->kind);
    if (fixed_size(field->kind) == -1) {
        add_sized(out, field->value);
    } else {
        wr_text_add(out, field->value.data, field->value.size);
    }
}
