// SPDX-License-Identifier: MIT
// DESIGN: reads OTLP/HTTP JSON (ExportTraceServiceRequest) by the names of its protocol buffers, and
// checks on the way what every collector does: ids of the right length in hex, times that make sense.
#include "spans.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = json_object_object_get(object, key);
    if (value && !json_object_is_type(value, json_type_string)) {
        give_up("spans: %s is no string: %s", key, json_object_to_json_string(value));
    }
    return value ? json_object_get_string(value) : "";
}

static void copy(char *out, size_t size, const char *text)
{
    if (strlen(text) >= size) {
        give_up("spans: too long: %s", text);
    }
    memcpy(out, text, strlen(text) + 1);
}

/* An id in hex, or none at all where it may be left out. */
static void copy_id(char *out, size_t size, const char *text, bool may_lack)
{
    bool is_right = strlen(text) == size - 1 && strspn(text, "0123456789abcdef") == size - 1 &&
                    strspn(text, "0") < size - 1;
    if (!is_right && !(may_lack && !*text)) {
        give_up("spans: no id of %zu hex digits: \"%s\"", size - 1, text);
    }
    copy(out, size, text);
}

static int64_t nanos_of(struct json_object *object, const char *key)
{
    int64_t nanos = strtoll(text_of(object, key), NULL, 10);
    if (nanos <= 0) {
        give_up("spans: %s is no time", key);
    }
    return nanos;
}

static char *attributes_of(struct json_object *list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct json_object *value = json_object_object_get(entry, "value");
        struct json_object *string = json_object_object_get(value, "stringValue");
        const char *shown = string ? json_object_get_string(string) : text_of(value, "intValue");
        (void)fprintf(file, "%s=%s\n", text_of(entry, "key"), shown);
    }
    (void)fclose(file);
    return text;
}

static void read_link(struct span *out, struct json_object *links)
{
    if (!links) {
        return;
    }
    if (json_object_array_length(links) != 1) {
        give_up("spans: a span has %zu links", json_object_array_length(links));
    }
    struct json_object *link = json_object_array_get_idx(links, 0);
    copy_id(out->link_trace, sizeof out->link_trace, text_of(link, "traceId"), false);
    copy_id(out->link_id, sizeof out->link_id, text_of(link, "spanId"), false);
    copy(out->state, sizeof out->state, text_of(link, "traceState"));
}

static void read_span(struct spans *spans, struct json_object *object)
{
    if (spans->count == SPANS_MOST) {
        give_up("spans: more than %d", SPANS_MOST);
    }
    struct span *out = &spans->items[spans->count++];
    struct json_object *status = json_object_object_get(object, "status");
    *out = (struct span){ 0 };
    copy_id(out->trace, sizeof out->trace, text_of(object, "traceId"), false);
    copy_id(out->id, sizeof out->id, text_of(object, "spanId"), false);
    copy_id(out->parent, sizeof out->parent, text_of(object, "parentSpanId"), true);
    copy(out->name, sizeof out->name, text_of(object, "name"));
    copy(out->state, sizeof out->state, text_of(object, "traceState"));
    copy(out->message, sizeof out->message, text_of(status, "message"));
    read_link(out, json_object_object_get(object, "links"));
    out->kind = json_object_get_int(json_object_object_get(object, "kind"));
    out->flags = json_object_get_int(json_object_object_get(object, "flags"));
    out->status = json_object_get_int(json_object_object_get(status, "code"));
    out->start_ns = nanos_of(object, "startTimeUnixNano");
    out->end_ns = nanos_of(object, "endTimeUnixNano");
    out->attributes = attributes_of(json_object_object_get(object, "attributes"));
    if (out->end_ns < out->start_ns) {
        give_up("spans: %s ends before it starts", out->name);
    }
}

static int by_start(const void *a, const void *b)
{
    int64_t x = ((const struct span *)a)->start_ns;
    int64_t y = ((const struct span *)b)->start_ns;
    return (x > y) - (x < y);
}

static struct json_object *first_of(struct json_object *object, const char *key)
{
    struct json_object *list = json_object_object_get(object, key);
    if (!list || json_object_array_length(list) != 1) {
        give_up("spans: want one of %s", key);
    }
    return json_object_array_get_idx(list, 0);
}

void spans_read(struct spans *spans, const char *json)
{
    struct json_object *root = json_tokener_parse(json);
    if (!root) {
        give_up("spans: no JSON: %.200s", json);
    }
    struct json_object *whole = first_of(root, "resourceSpans");
    struct json_object *resource = json_object_object_get(whole, "resource");
    char *facts = attributes_of(json_object_object_get(resource, "attributes"));
    char *service = strstr(facts, "service.name=");
    if (!service || sscanf(service, "service.name=%63[^\n]", spans->service) != 1) {
        give_up("spans: no service.name");
    }
    free(facts);
    struct json_object *list = json_object_object_get(first_of(whole, "scopeSpans"), "spans");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        read_span(spans, json_object_array_get_idx(list, i));
    }
    (void)json_object_put(root);
    qsort(spans->items, spans->count, sizeof spans->items[0], by_start);
}

const struct span *spans_find(struct spans *spans, const char *name, size_t n)
{
    for (size_t i = 0; i < spans->count; i++) {
        if (strcmp(spans->items[i].name, name) == 0 && n-- == 0) {
            return &spans->items[i];
        }
    }
    for (size_t i = 0; i < spans->count; i++) {
        (void)fprintf(stderr, "there: %s\n", spans->items[i].name);
    }
    give_up("spans: no such span: %s", name);
}

size_t spans_count(const struct spans *spans, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < spans->count; i++) {
        count += strcmp(spans->items[i].name, name) == 0;
    }
    return count;
}

bool span_has(const struct span *span, const char *key, const char *value)
{
    char line[256];
    (void)snprintf(line, sizeof line, "%s=%s\n", key, value);
    const char *found = strstr(span->attributes, line);
    return found && (found == span->attributes || found[-1] == '\n');
}

void spans_forget(struct spans *spans)
{
    for (size_t i = 0; i < spans->count; i++) {
        free(spans->items[i].attributes);
    }
    spans->count = 0;
}
