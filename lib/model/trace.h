/* SPDX-License-Identifier: MIT */
/*
 * Trace context: the ids by which one piece of work is found in traces, as the W3C Recommendation
 * "Trace Context" writes them in the headers `traceparent` and `tracestate`. What is malformed is
 * ignored, as it says. Threads: pure functions.
 */
#ifndef WR_MODEL_TRACE_H
#define WR_MODEL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define WR_H_TRACEPARENT "traceparent"
#define WR_H_TRACESTATE "tracestate"
#define WR_H_BAGGAGE "baggage"

enum { WR_TRACE_SAMPLED = 1 };
enum { WR_TRACE_HEADER_MOST = 512 }; /* bytes of a tracestate that everyone must carry */
enum { WR_TRACEPARENT_SIZE = 56, WR_TRACE_ID_SIZE = 33, WR_SPAN_ID_SIZE = 17 }; /* with a NUL */

/** A place in a trace. */
struct wr_trace {
    uint8_t id[16];
    uint8_t span[8];
    uint8_t flags;
};

/** Reads a traceparent: its text form, or the 29 bytes of the binary form that some AMQP clients
 * send. False, and `*out` untouched, when it is neither. */
bool wr_trace_read(struct wr_slice value, struct wr_trace *out);

/** Writes the text form, version 00. */
void wr_trace_write(const struct wr_trace *trace, char out[WR_TRACEPARENT_SIZE]);

/** The trace id, in hex, of a traceparent of either form. False, and `out` untouched, when it is
 * malformed or empty. */
bool wr_trace_id_of(struct wr_slice value, char out[WR_TRACE_ID_SIZE]);

/** The ids in hex. */
void wr_trace_id_write(const uint8_t id[16], char out[WR_TRACE_ID_SIZE]);
void wr_span_id_write(const uint8_t span[8], char out[WR_SPAN_ID_SIZE]);

/** Whether a tracestate is well-formed: at most 32 members `key=value`, no key twice. */
bool wr_tracestate_is_valid(struct wr_slice value);

/** Makes a span id, and a trace id, of random numbers; never zero. */
void wr_span_id_make(uint8_t out[8], uint64_t random);
void wr_trace_id_make(uint8_t out[16], const uint64_t random[2]);

/** Head sampling: whether a trace of that id is among the part `ratio` (0 to 1) of all. The same in
 * every process that asks with the same ratio. */
bool wr_trace_is_chosen(const uint8_t id[16], double ratio);

#endif
