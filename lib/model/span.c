// SPDX-License-Identifier: MIT
// DESIGN: attributes are written as JSON at once, since nobody reads them again; so a span is a few
// short texts. OTLP's JSON writes ids in hex and 64-bit numbers as strings.
#include "model/span.h"

#include <stdlib.h>

enum { STRING_MOST = 512, STATUS_ERROR = 2 };

struct wr_span *wr_span_new(const struct wr_trace *trace, enum wr_span_kind kind)
{
    struct wr_span *span = calloc(1, sizeof *span);
    if (span) {
        span->trace = *trace;
        span->kind = kind;
    }
    return span;
}

/* What is longer is cut, not within a character. */
static struct wr_slice cut(struct wr_slice value)
{
    if (value.size <= STRING_MOST) {
        return value;
    }
    value.size = STRING_MOST;
    for (int i = 0; i < 3 && ((unsigned char)value.data[value.size] & 0xC0) == 0x80; i++) {
        value.size--;
    }
    return value;
}

static void add_quoted(struct wr_text *out, struct wr_slice value)
{
    wr_text_add_string(out, "\"");
    wr_text_add_json(out, cut(value));
    wr_text_add_string(out, "\"");
}

static void add_attribute(struct wr_text *out, const char *key, struct wr_slice value)
{
    wr_text_add_format(out, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", out->size ? "," : "",
                       key);
    add_quoted(out, value);
    wr_text_add_string(out, "}}");
}

void wr_span_add_string(struct wr_span *span, const char *key, struct wr_slice value)
{
    if (value.size) {
        add_attribute(&span->attributes, key, value);
    }
}

void wr_span_add_int(struct wr_span *span, const char *key, int64_t value)
{
    wr_text_add_format(&span->attributes, "%s{\"key\":\"%s\",\"value\":{\"intValue\":\"%lld\"}}",
                       span->attributes.size ? "," : "", key, (long long)value);
}

void wr_span_fail(struct wr_span *span, const char *type, const char *text)
{
    span->is_error = true;
    wr_span_add_string(span, "error.type", wr_slice_of(type));
    wr_text_add_string(&span->error, text ? text : "");
}

bool wr_span_has_failed(const struct wr_span *span)
{
    return span->name.failed || span->state.failed || span->attributes.failed || span->error.failed;
}

void wr_span_free(struct wr_span *span)
{
    if (!span) {
        return;
    }
    wr_text_done(&span->name);
    wr_text_done(&span->state);
    wr_text_done(&span->attributes);
    wr_text_done(&span->error);
    free(span);
}

/* --- OTLP --- */

static void add_ids(struct wr_text *out, const struct wr_trace *trace)
{
    char id[WR_TRACE_ID_SIZE];
    char span[WR_SPAN_ID_SIZE];
    wr_trace_id_write(trace->id, id);
    wr_span_id_write(trace->span, span);
    wr_text_add_format(out, "\"traceId\":\"%s\",\"spanId\":\"%s\"", id, span);
}

static void add_state(struct wr_text *out, const struct wr_text *state)
{
    if (state->size) {
        wr_text_add_string(out, ",\"traceState\":\"");
        wr_text_add_json(out, (struct wr_slice){ state->data, state->size });
        wr_text_add_string(out, "\"");
    }
}

static void add_relations(struct wr_text *out, const struct wr_span *span)
{
    if (span->has_parent) {
        char parent[WR_SPAN_ID_SIZE];
        wr_span_id_write(span->parent, parent);
        wr_text_add_format(out, ",\"parentSpanId\":\"%s\"", parent);
        add_state(out, &span->state);
    }
    if (span->has_linked) {
        wr_text_add_string(out, ",\"links\":[{");
        add_ids(out, &span->linked);
        add_state(out, &span->state);
        wr_text_add_format(out, ",\"flags\":%u}]", (unsigned)span->linked.flags);
    }
}

static void add_span(struct wr_text *out, const struct wr_span *span)
{
    int64_t end_wall_us = span->start_wall_us + span->took_us;
    wr_text_add_string(out, "{");
    add_ids(out, &span->trace);
    add_relations(out, span);
    wr_text_add_format(out, ",\"flags\":%u,\"kind\":%d,\"name\":", (unsigned)span->trace.flags,
                       (int)span->kind);
    add_quoted(out, (struct wr_slice){ span->name.data, span->name.size });
    wr_text_add_format(
        out, ",\"startTimeUnixNano\":\"%lld000\",\"endTimeUnixNano\":\"%lld000\",\"attributes\":[",
        (long long)span->start_wall_us, (long long)end_wall_us);
    wr_text_add(out, span->attributes.data, span->attributes.size);
    wr_text_add_string(out, "],\"status\":{");
    if (span->is_error) {
        wr_text_add_format(out, "\"code\":%d", STATUS_ERROR);
        if (span->error.size) {
            wr_text_add_string(out, ",\"message\":");
            add_quoted(out, (struct wr_slice){ span->error.data, span->error.size });
        }
    }
    wr_text_add_string(out, "}}");
}

static void add_resource(struct wr_text *out, const struct wr_span_resource *resource)
{
    struct wr_text attributes = { 0 };
    add_attribute(&attributes, "service.name", wr_slice_of(resource->service));
    add_attribute(&attributes, "service.instance.id", wr_slice_of(resource->instance));
    add_attribute(&attributes, "telemetry.sdk.language", wr_slice_of("c"));
    add_attribute(&attributes, "telemetry.sdk.name", wr_slice_of("warren"));
    add_attribute(&attributes, "telemetry.sdk.version", wr_slice_of(WARREN_VERSION));
    wr_text_add(out, attributes.data, attributes.size);
    out->failed = out->failed || attributes.failed;
    wr_text_done(&attributes);
}

void wr_spans_write(struct wr_text *out, const struct wr_list *spans,
                    const struct wr_span_resource *resource)
{
    wr_text_add_string(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    add_resource(out, resource);
    wr_text_add_string(
        out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"warren\",\"version\":\"" WARREN_VERSION
             "\"},\"spans\":[");
    for (const struct wr_link *link = spans->first; link; link = link->next) {
        add_span(out, WR_OF(link, struct wr_span, link));
        wr_text_add_string(out, link->next ? "," : "");
    }
    wr_text_add_string(out, "]}]}]}");
}
