// SPDX-License-Identifier: MIT
// DESIGN: an object is a table of fields, for reading and for writing. What a reader doesn't know it
// leaves alone, so that newer senders can be understood; what it needs and lacks is an error.
#include "model/order.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum { JSON_DEPTH = 4 };

const char *const wr_order_words[WR_ORDER_VERBS] = {
    [WR_ORDER_DESCRIBE] = "describe", [WR_ORDER_QUIET] = "quiet",   [WR_ORDER_RESUME] = "resume",
    [WR_ORDER_DRAIN] = "drain",       [WR_ORDER_RELOAD] = "reload", [WR_ORDER_DUMP] = "dump",
    [WR_ORDER_SET] = "set",
};

enum kind { TEXT, NUMBER, FLAG, VERB };

struct field {
    const char *name;
    enum kind kind;
    bool is_needed;
    size_t offset;
    size_t size; /* of a text, with its end */
};

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)NULL)->member)

static const struct field order_fields[] = {
    { "order", VERB, true, AT(wr_order, verb) },
    { "who", TEXT, true, AT(wr_order, wish.who) },
    { "why", TEXT, false, AT(wr_order, wish.why) },
    { "at_ms", NUMBER, false, AT(wr_order, wish.at_ms) },
    { "token", TEXT, false, AT(wr_order, token) },
    { "queue", TEXT, false, AT(wr_order, queue) },
    { "type", TEXT, false, AT(wr_order, type) },
    { "option", TEXT, false, AT(wr_order, option) },
    { "value", TEXT, false, AT(wr_order, value) },
};

static const struct field pause_fields[] = {
    { "queue", TEXT, true, AT(wr_pause, queue) },
    { "type", TEXT, false, AT(wr_pause, type) },
    { "paused", FLAG, true, AT(wr_pause, is_paused) },
    { "who", TEXT, true, AT(wr_pause, wish.who) },
    { "why", TEXT, false, AT(wr_pause, wish.why) },
    { "at_ms", NUMBER, false, AT(wr_pause, wish.at_ms) },
};

enum {
    ORDER_FIELDS = sizeof order_fields / sizeof order_fields[0],
    PAUSE_FIELDS = sizeof pause_fields / sizeof pause_fields[0]
};

/* --- writing --- */

static void write_field(const struct field *field, const char *cell, struct wr_text *out)
{
    const char *text = field->kind == VERB
                           ? wr_order_words[*(const enum wr_order_verb *)(const void *)cell]
                           : cell;
    switch (field->kind) {
    case NUMBER:
        wr_text_add_format(out, "%" PRId64, *(const int64_t *)(const void *)cell);
        return;
    case FLAG:
        wr_text_add_string(out, *(const bool *)(const void *)cell ? "true" : "false");
        return;
    default:
        wr_text_add(out, "\"", 1);
        wr_text_add_json(out, wr_slice_of(text));
        wr_text_add(out, "\"", 1);
    }
}

static void write_object(const struct field *fields, size_t count, const void *base,
                         struct wr_text *out)
{
    for (size_t i = 0; i < count; i++) {
        wr_text_add_format(out, "%s\"%s\":", i ? "," : "{", fields[i].name);
        write_field(&fields[i], (const char *)base + fields[i].offset, out);
    }
    wr_text_add(out, "}", 1);
}

void wr_order_write(const struct wr_order *order, struct wr_text *out)
{
    write_object(order_fields, ORDER_FIELDS, order, out);
}

void wr_pause_write(const struct wr_pause *pause, struct wr_text *out)
{
    write_object(pause_fields, PAUSE_FIELDS, pause, out);
}

/* --- reading --- */

static warren_status read_text(const struct field *field, json_object *value, char *cell,
                               warren_error *err)
{
    int length = json_object_get_string_len(value);
    const char *text = json_object_get_string(value);
    if (!json_object_is_type(value, json_type_string) || (size_t)length >= field->size ||
        memchr(text, '\0', (size_t)length)) {
        return wr_fail(err, WARREN_INVALID, "\"%s\" is no text of at most %zu bytes", field->name,
                       field->size - 1);
    }
    memcpy(cell, text, (size_t)length + 1);
    return WARREN_OK;
}

static warren_status read_verb(json_object *value, char *cell, warren_error *err)
{
    const char *word = json_object_get_string(value);
    for (int i = 0; i < WR_ORDER_VERBS; i++) {
        if (strcmp(wr_order_words[i], word) == 0) {
            *(enum wr_order_verb *)(void *)cell = (enum wr_order_verb)i;
            return WARREN_OK;
        }
    }
    return wr_fail(err, WARREN_INVALID, "there is no order \"%.40s\"", word);
}

static warren_status read_field(const struct field *field, json_object *root, char *base,
                                warren_error *err)
{
    json_object *value = NULL;
    char *cell = base + field->offset;
    if (!json_object_object_get_ex(root, field->name, &value) || !value) {
        return field->is_needed ? wr_fail(err, WARREN_INVALID, "\"%s\" is missing", field->name)
                                : WARREN_OK;
    }
    switch (field->kind) {
    case TEXT:
        return read_text(field, value, cell, err);
    case VERB:
        return read_verb(value, cell, err);
    case FLAG:
        *(bool *)(void *)cell = json_object_get_boolean(value);
        return WARREN_OK;
    case NUMBER:
        *(int64_t *)(void *)cell = json_object_get_int64(value);
        return WARREN_OK;
    }
    return WARREN_OK;
}

static warren_status read_fields(const struct field *fields, size_t count, json_object *root,
                                 char *base, warren_error *err)
{
    warren_status rc = json_object_is_type(root, json_type_object)
                           ? WARREN_OK
                           : wr_fail(err, WARREN_INVALID, "it is no JSON object");
    for (size_t i = 0; i < count && !rc; i++) {
        rc = read_field(&fields[i], root, base, err);
    }
    return rc;
}

static warren_status read_object(const struct field *fields, size_t count, struct wr_slice json,
                                 void *out, warren_error *err)
{
    if (json.size > WR_ORDER_BYTES) {
        return wr_fail(err, WARREN_INVALID, "it has %zu bytes, at most %d are read", json.size,
                       WR_ORDER_BYTES);
    }
    json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
    if (!tokener) {
        return wr_no_memory(err);
    }
    json_object *root = json_tokener_parse_ex(tokener, json.data, (int)json.size);
    warren_status rc = read_fields(fields, count, root, out, err);
    (void)json_object_put(root);
    json_tokener_free(tokener);
    return rc;
}

warren_status wr_order_read(struct wr_slice json, struct wr_order *out, warren_error *err)
{
    *out = (struct wr_order){ .verb = WR_ORDER_DESCRIBE };
    return read_object(order_fields, ORDER_FIELDS, json, out, err);
}

warren_status wr_pause_read(struct wr_slice json, struct wr_pause *out, warren_error *err)
{
    *out = (struct wr_pause){ .is_paused = false };
    return read_object(pause_fields, PAUSE_FIELDS, json, out, err);
}

bool wr_pause_key(char *out, size_t size, const struct wr_pause *pause)
{
    enum { KEY_MOST = 255 };
    int length =
        snprintf(out, size, "state.%s%s%s", pause->queue, *pause->type ? "/" : "", pause->type);
    return length >= 0 && (size_t)length < size && length <= KEY_MOST;
}
