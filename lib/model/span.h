/* SPDX-License-Identifier: MIT */
/*
 * A span: one piece of work in a trace, as OpenTelemetry sees it, and its form in OTLP/HTTP JSON. It
 * is made when the work begins, gets its attributes while that goes on, and is written when it has
 * ended. Threads: belongs to whoever holds the pointer.
 */
#ifndef WR_MODEL_SPAN_H
#define WR_MODEL_SPAN_H

#include "base/list.h"
#include "model/trace.h"

enum wr_span_kind { WR_SPAN_CLIENT = 3, WR_SPAN_PRODUCER = 4, WR_SPAN_CONSUMER = 5 }; /* OTLP's */

struct wr_span {
    struct wr_link link;
    struct wr_trace trace;
    enum wr_span_kind kind;
    bool has_parent;
    bool has_linked;
    bool is_error;
    uint8_t parent[8];
    struct wr_trace linked;
    int64_t start_wall_us;
    int64_t start_us; /* monotonic */
    int64_t took_us;
    struct wr_text name;
    struct wr_text state;      /* the tracestate that came with the parent or the linked one */
    struct wr_text attributes; /* members of the JSON array */
    struct wr_text error;      /* the status's message */
};

/** A span that begins now; NULL without memory. */
struct wr_span *wr_span_new(const struct wr_trace *trace, enum wr_span_kind kind);

/** Adds an attribute; strings are cut at 512 bytes, and an empty one isn't added. `key` is plain. */
void wr_span_add_string(struct wr_span *span, const char *key, struct wr_slice value);
void wr_span_add_int(struct wr_span *span, const char *key, int64_t value);

/** It failed: `type` is one of few words, `text` (may be NULL) says more. */
void wr_span_fail(struct wr_span *span, const char *type, const char *text);

/** Whether memory was short for a part of it: then it is no use. */
bool wr_span_has_failed(const struct wr_span *span);

void wr_span_free(struct wr_span *span);

/** Who sends the spans. */
struct wr_span_resource {
    const char *service;  /* service.name */
    const char *instance; /* service.instance.id */
};

/** Adds the spans of the list as one OTLP request (ExportTraceServiceRequest, in JSON). */
void wr_spans_write(struct wr_text *out, const struct wr_list *spans,
                    const struct wr_span_resource *resource);

#endif
