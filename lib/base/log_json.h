/* SPDX-License-Identifier: MIT */
/*
 * A log line as one JSON object: what a sink gets, in the form that collectors read.
 * Threads: pure functions.
 */
#ifndef WR_BASE_LOG_JSON_H
#define WR_BASE_LOG_JSON_H

#include <stdint.h>

#include "base/text.h"

/** Adds the object and a newline: `ts` (RFC 3339, UTC, milliseconds), `level`, `event`, `msg` (the
 * event's sentence), then the fields in their order, whole numbers as numbers. Whatever bytes the
 * fields have, the JSON is valid, and nothing in it steers a terminal. */
void wr_log_json(struct wr_text *out, int64_t wall_ms, int level, const char *event,
                 const char *fields);

#endif
