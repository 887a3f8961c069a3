// SPDX-License-Identifier: MIT
// DESIGN: json-c parses; here every member is looked up in the writer's tables, and one that isn't there
// is an error, since a mistyped name in an edited letter must not pass for nothing. Strings stay where
// the tree has them. Decoded base64 lies in one text, whose memory is there before the first byte
// is decoded, so that slices into it stay valid.
#include "model/record.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/error.h"

enum { JSON_DEPTH = 64, HEADER_DEPTH = 16, SHORT_MOST = 255 };

struct reading {
    struct wr_record *record;
    warren_error *err;
};

static warren_status bad(const struct reading *reading, const char *member, const char *wanted)
{
    char shown[64];
    return wr_fail(reading->err, WARREN_INVALID, "%s: want %s",
                   wr_text_quote(shown, sizeof shown, wr_slice_of(member)), wanted);
}

static struct wr_slice text_of(struct json_object *value)
{
    return (struct wr_slice){ json_object_get_string(value),
                              (size_t)json_object_get_string_len(value) };
}

static warren_status decode(const struct reading *reading, const char *member,
                            struct json_object *value, struct wr_slice *out)
{
    struct wr_text *bytes = &reading->record->bytes;
    size_t start = bytes->size;
    if (!json_object_is_type(value, json_type_string) || !wr_base64_read(text_of(value), bytes)) {
        return bad(reading, member, "base64 with padding");
    }
    if (bytes->failed) {
        return wr_no_memory(reading->err);
    }
    *out = (struct wr_slice){ bytes->data ? bytes->data + start : NULL, bytes->size - start };
    return WARREN_OK;
}

/* A member that is a string, or one in base64 when `name` says so. `is_mine` tells whether it is the
 * wanted one at all. */
static warren_status read_string(const struct reading *reading, const char *name,
                                 struct json_object *value, const char *wanted, bool *is_mine,
                                 struct wr_slice *out)
{
    size_t size = strlen(wanted);
    *is_mine = strcmp(name, wanted) == 0;
    if (*is_mine) {
        if (!json_object_is_type(value, json_type_string)) {
            return bad(reading, name, "a string");
        }
        *out = text_of(value);
        return WARREN_OK;
    }
    *is_mine = strncmp(name, wanted, size) == 0 && strcmp(name + size, "_base64") == 0;
    return *is_mine ? decode(reading, name, value, out) : WARREN_OK;
}

static warren_status read_number(const struct reading *reading, const char *name,
                                 struct json_object *value, uint64_t most, uint64_t *out)
{
    *out = json_object_get_uint64(value);
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
        *out > most) {
        return wr_fail(reading->err, WARREN_INVALID, "\"%s\": want a whole number from 0 to %llu",
                       name, (unsigned long long)most);
    }
    return WARREN_OK;
}

/* --- properties --- */

static warren_status read_string_property(const struct reading *reading, const char *name,
                                          struct json_object *value, bool *is_mine)
{
    size_t count;
    struct wr_message *message = &reading->record->message;
    const struct wr_record_property *properties = wr_record_properties(&count);
    for (size_t i = 0; i < count; i++) {
        struct wr_slice *slice =
            (struct wr_slice *)(void *)((char *)message + properties[i].offset);
        warren_status rc = read_string(reading, name, value, properties[i].name, is_mine, slice);
        if (*is_mine) {
            message->present |= properties[i].bit;
            return rc || slice->size <= SHORT_MOST ? rc : bad(reading, name, "at most 255 bytes");
        }
    }
    return WARREN_OK;
}

static warren_status read_property(const struct reading *reading, const char *name,
                                   struct json_object *value)
{
    struct wr_message *message = &reading->record->message;
    uint64_t number = 0;
    bool is_mine = false;
    warren_status rc = read_string_property(reading, name, value, &is_mine);
    if (is_mine) {
        return rc;
    }
    if (strcmp(name, "timestamp") == 0) {
        message->present |= WR_TIMESTAMP;
        return read_number(reading, name, value, UINT64_MAX, &message->timestamp);
    }
    bool is_mode = strcmp(name, "delivery_mode") == 0;
    if (!is_mode && strcmp(name, "priority") != 0) {
        return bad(reading, name, "a property of AMQP, which this is not");
    }
    rc = read_number(reading, name, value, UINT8_MAX, &number);
    message->present |= is_mode ? WR_DELIVERY_MODE : WR_PRIORITY;
    *(is_mode ? &message->delivery_mode : &message->priority) = (uint8_t)number;
    return rc;
}

static warren_status read_properties(const struct reading *reading, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_object)) {
        return bad(reading, "properties", "an object");
    }
    json_object_object_foreach(value, name, member)
    {
        warren_status rc = read_property(reading, name, member);
        if (rc) {
            return rc;
        }
    }
    return WARREN_OK;
}

/* --- headers: each becomes an entry as it stands on the wire --- */

static void add_bits(struct wr_text *out, uint64_t bits, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        char byte = (char)(bits >> (8 * i));
        wr_text_add(out, &byte, 1);
    }
}

static void add_sized(struct wr_text *out, struct wr_slice bytes)
{
    add_bits(out, bytes.size, 4);
    wr_text_add(out, bytes.data, bytes.size);
}

static warren_status add_number(const struct reading *reading, const char *name,
                                const struct wr_record_kind *kind, struct json_object *value,
                                struct wr_text *out)
{
    int64_t number = json_object_get_int64(value);
    int bits = 8 * kind->bytes;
    if (!json_object_is_type(value, json_type_int)) {
        return bad(reading, name, "a whole number");
    }
    if (kind->kind == 'T') {
        if (number < 0) {
            return bad(reading, name, "a number of seconds");
        }
        add_bits(out, json_object_get_uint64(value), kind->bytes);
        return WARREN_OK;
    }
    int64_t most = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - kind->is_signed)) - 1;
    int64_t least = kind->is_signed ? -most - 1 : 0;
    if (number < least || number > most ||
        (number == INT64_MAX && json_object_get_uint64(value) > INT64_MAX)) {
        return wr_fail(reading->err, WARREN_INVALID, "header \"%s\": doesn't fit into %s", name,
                       kind->name);
    }
    add_bits(out, (uint64_t)number, kind->bytes);
    return WARREN_OK;
}

static warren_status add_real(const struct reading *reading, const char *name, char kind,
                              struct json_object *value, struct wr_text *out)
{
    double number = json_object_get_double(value);
    if (!json_object_is_type(value, json_type_double) &&
        !json_object_is_type(value, json_type_int)) {
        return bad(reading, name, "a number");
    }
    if (kind == 'f') {
        float narrow = (float)number;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        add_bits(out, bits, 4);
        return WARREN_OK;
    }
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    add_bits(out, bits, 8);
    return WARREN_OK;
}

static warren_status add_fields(const struct reading *reading, const char *name,
                                struct json_object *list, bool is_array, int depth,
                                struct wr_text *out);

static warren_status add_nested(const struct reading *reading, const char *name, char kind,
                                struct json_object *value, int depth, struct wr_text *out)
{
    struct wr_text inner = { 0 };
    warren_status rc = depth >= HEADER_DEPTH
                           ? bad(reading, name, "less nesting")
                           : add_fields(reading, name, value, kind == 'A', depth + 1, &inner);
    if (!rc) {
        add_sized(out, (struct wr_slice){ inner.data, inner.size });
        out->failed = out->failed || inner.failed;
    }
    wr_text_done(&inner);
    return rc;
}

static warren_status add_value(const struct reading *reading, const char *name,
                               const struct wr_record_kind *kind, struct json_object *value,
                               int depth, struct wr_text *out)
{
    if (kind->bytes) {
        return add_number(reading, name, kind, value, out);
    }
    switch (kind->kind) {
    case 'S':
        if (!json_object_is_type(value, json_type_string)) {
            return bad(reading, name, "a string");
        }
        add_sized(out, text_of(value));
        return WARREN_OK;
    case 't':
        if (!json_object_is_type(value, json_type_boolean)) {
            return bad(reading, name, "true or false");
        }
        add_bits(out, (uint64_t)json_object_get_boolean(value), 1);
        return WARREN_OK;
    case 'f':
    case 'd':
        return add_real(reading, name, kind->kind, value, out);
    case 'F':
    case 'A':
        return add_nested(reading, name, kind->kind, value, depth, out);
    case 'V':
        return value ? bad(reading, name, "null") : WARREN_OK;
    default:
        return bad(reading, name, "its bytes as base64");
    }
}

/* The payload as the wire has it. */
static warren_status add_bytes(const struct reading *reading, const char *name, char kind,
                               struct json_object *value, struct wr_text *out)
{
    struct wr_slice bytes = { 0 };
    warren_status rc = decode(reading, name, value, &bytes);
    if (rc) {
        return rc;
    }
    if (strchr("SxFA", kind)) {
        add_sized(out, bytes);
    } else {
        wr_text_add(out, bytes.data, bytes.size);
    }
    return WARREN_OK;
}

static const struct wr_record_kind *find_kind(const char *name)
{
    size_t count;
    const struct wr_record_kind *kinds = wr_record_kinds(&count);
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* A header's members. */
struct parts {
    struct wr_slice name;
    bool has_name;
    const char *kind;
    struct json_object *value;
    bool has_value;
    struct json_object *base64;
};

static warren_status read_parts(const struct reading *reading, struct json_object *entry,
                                struct parts *out)
{
    if (!json_object_is_type(entry, json_type_object)) {
        return bad(reading, "headers", "a list of objects with name, type and value");
    }
    json_object_object_foreach(entry, name, member)
    {
        bool is_name = false;
        warren_status rc = read_string(reading, name, member, "name", &is_name, &out->name);
        if (rc) {
            return rc;
        }
        if (is_name) {
            out->has_name = true;
        } else if (strcmp(name, "type") == 0) {
            out->kind = json_object_get_string(member);
        } else if (strcmp(name, "value") == 0) {
            out->value = member;
            out->has_value = true;
        } else if (strcmp(name, "base64") == 0) {
            out->base64 = member;
        } else {
            return bad(reading, name, "name, type, value or base64 in a header");
        }
    }
    return WARREN_OK;
}

static warren_status add_field(const struct reading *reading, const char *parent,
                               struct json_object *entry, bool is_array, int depth,
                               struct wr_text *out)
{
    struct parts parts = { .kind = NULL };
    char name[SHORT_MOST + 1];
    warren_status rc = read_parts(reading, entry, &parts);
    const struct wr_record_kind *kind = find_kind(parts.kind);
    if (rc) {
        return rc;
    }
    if (parts.has_name == is_array || parts.name.size > SHORT_MOST) {
        return bad(reading, parent,
                   is_array ? "members without a name"
                            : "headers with a name of at most 255 bytes");
    }
    (void)wr_text_show(name, sizeof name, parts.name, false);
    if (!kind) {
        return bad(reading, is_array ? parent : name, "a type, such as string or int64");
    }
    if (parts.has_value == (parts.base64 != NULL)) {
        return bad(reading, is_array ? parent : name, "either value or base64");
    }
    if (!is_array) {
        add_bits(out, parts.name.size, 1);
        wr_text_add(out, parts.name.data, parts.name.size);
    }
    wr_text_add(out, &kind->kind, 1);
    return parts.base64 ? add_bytes(reading, name, kind->kind, parts.base64, out)
                        : add_value(reading, name, kind, parts.value, depth, out);
}

static warren_status add_fields(const struct reading *reading, const char *name,
                                struct json_object *list, bool is_array, int depth,
                                struct wr_text *out)
{
    if (!json_object_is_type(list, json_type_array)) {
        return bad(reading, name, "a list");
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        warren_status rc =
            add_field(reading, name, json_object_array_get_idx(list, i), is_array, depth, out);
        if (rc) {
            return rc;
        }
    }
    return WARREN_OK;
}

static warren_status read_headers(const struct reading *reading, struct json_object *list)
{
    struct wr_record *record = reading->record;
    warren_status rc = add_fields(reading, "headers", list, false, 0, &record->headers);
    if (rc) {
        return rc;
    }
    if (record->headers.failed) {
        return wr_no_memory(reading->err);
    }
    if (record->headers.size > WR_RECORD_HEADERS_MOST) {
        return wr_fail(reading->err, WARREN_INVALID, "\"headers\": %zu bytes, at most %zu fit",
                       record->headers.size, WR_RECORD_HEADERS_MOST);
    }
    record->message.headers = (struct wr_table){ record->headers.data, record->headers.size };
    record->message.present |= json_object_array_length(list) ? WR_HEADERS : 0;
    return wr_table_check(record->message.headers, (struct wr_table_limits){ 0, 0 }, reading->err);
}

/* --- the whole --- */

static warren_status read_member(const struct reading *reading, const char *name,
                                 struct json_object *value)
{
    struct wr_record *record = reading->record;
    struct wr_slice *const slices[] = { &record->message.exchange, &record->message.key,
                                        &record->message.body };
    static const char *const names[] = { "exchange", "routing_key", "body" };
    for (size_t i = 0; i < 3; i++) {
        bool is_mine = false;
        warren_status rc = read_string(reading, name, value, names[i], &is_mine, slices[i]);
        if (is_mine) {
            return rc;
        }
    }
    if (strcmp(name, "properties") == 0) {
        return read_properties(reading, value);
    }
    if (strcmp(name, "headers") == 0) {
        return read_headers(reading, value);
    }
    if (strcmp(name, "queue") == 0 && json_object_is_type(value, json_type_string)) {
        record->queue = json_object_get_string(value);
        return WARREN_OK;
    }
    if (strcmp(name, "note") == 0) { /* for people */
        return WARREN_OK;
    }
    if (strcmp(name, "warren_letter") == 0) {
        return json_object_get_int64(value) == 1
                   ? WARREN_OK
                   : bad(reading, name, "1, the only form that there is");
    }
    return bad(reading, name, "a member of a dead letter, which this is not");
}

static warren_status parse(struct wr_record *record, struct wr_slice line, warren_error *err)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
    if (!tokener) {
        return wr_no_memory(err);
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
    record->tree = json_tokener_parse_ex(tokener, line.data, (int)line.size);
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (problem == json_tokener_continue) {
        return wr_fail(err, WARREN_INVALID, "the JSON ends too early");
    }
    if (problem != json_tokener_success) {
        return wr_fail(err, WARREN_INVALID, "no JSON: %s at byte %zu",
                       json_tokener_error_desc(problem), end);
    }
    while (end < line.size && strchr(" \t\r\n", line.data[end])) {
        end++;
    }
    if (end < line.size) {
        return wr_fail(err, WARREN_INVALID, "more than one JSON value, from byte %zu on", end);
    }
    return WARREN_OK;
}

static warren_status read_line(const struct reading *reading, struct wr_slice line)
{
    struct wr_record *record = reading->record;
    if (line.size > WR_RECORD_MOST) {
        return wr_fail(reading->err, WARREN_INVALID, "%zu bytes, at most %zu are read", line.size,
                       WR_RECORD_MOST);
    }
    warren_status rc = parse(record, line, reading->err);
    if (rc) {
        return rc;
    }
    struct json_object *form = NULL;
    if (!json_object_is_type(record->tree, json_type_object) ||
        !json_object_object_get_ex(record->tree, "warren_letter", &form)) {
        return wr_fail(reading->err, WARREN_INVALID,
                       "no dead letter: want an object with \"warren_letter\", as `warren dead "
                       "export` writes it");
    }
    /* All decoded bytes together are shorter than the line: nothing is moved later. */
    record->bytes.data = malloc(line.size + 1);
    record->bytes.capacity = line.size + 1;
    if (!record->bytes.data) {
        return wr_no_memory(reading->err);
    }
    json_object_object_foreach(record->tree, name, member)
    {
        rc = read_member(reading, name, member);
        if (rc) {
            return rc;
        }
    }
    return WARREN_OK;
}

warren_status wr_record_read(struct wr_record *out, struct wr_slice line, warren_error *err)
{
    struct wr_record record = { .queue = "" };
    struct reading reading = { &record, err };
    warren_status rc = read_line(&reading, line);
    if (rc) {
        wr_record_done(&record);
        return rc;
    }
    *out = record;
    return WARREN_OK;
}

void wr_record_done(struct wr_record *record)
{
    json_object_put(record->tree);
    wr_text_done(&record->headers);
    wr_text_done(&record->bytes);
    *record = (struct wr_record){ 0 };
}
