/* SPDX-License-Identifier: MIT */
/*
 * Spans as a collector sees them: read from the OTLP requests that it got, so that a test can say who
 * is whose parent. Everything here is loud: what is no OTLP ends the test process with a sentence.
 * Threads: one.
 */
#ifndef TESTS_SUPPORT_SPANS_H
#define TESTS_SUPPORT_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPANS_MOST = 256 };

struct span {
    char trace[33];
    char id[17];
    char parent[17];     /* "": none */
    char link_trace[33]; /* of its only link; "": none */
    char link_id[17];
    char state[128]; /* its tracestate, or its link's */
    char name[128];
    int kind;
    int flags;
    int status;
    char message[128];
    int64_t start_ns;
    int64_t end_ns;
    char *attributes; /* "key=value\n" each; freed by spans_forget */
};

struct spans {
    struct span items[SPANS_MOST];
    size_t count;
    char service[64];
};

/** Adds the spans of one request. */
void spans_read(struct spans *spans, const char *json);

/** The n-th span (from 0), in the order of their starts, of that name; ends the process when there is
 * none. */
const struct span *spans_find(struct spans *spans, const char *name, size_t n);

/** How many have that name. */
size_t spans_count(const struct spans *spans, const char *name);

/** Whether the span has that attribute with that value. */
bool span_has(const struct span *span, const char *key, const char *value);

void spans_forget(struct spans *spans);

#endif
