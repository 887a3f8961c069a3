/* SPDX-License-Identifier: MIT */
/*
 * Making errors: one line that writes the text and returns the status.
 * `err` may be NULL everywhere. Threads: none of its own; an error belongs to its caller.
 */
#ifndef WR_BASE_ERROR_H
#define WR_BASE_ERROR_H

#include <stdarg.h>

#include "warren/error.h"

/** No error, and no text; cheaper than to clear all of it. */
static inline void wr_error_clear(warren_error *err)
{
    err->status = WARREN_OK;
    err->text[0] = '\0';
}

/** Writes status and text into `err` and returns the status: `return wr_fail(err, WARREN_BROKER,
 * "…")`. */
warren_status wr_fail(warren_error *err, warren_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Puts "format: " before the text that a callee left in `err`, and returns err's status (FAILED
 * when NULL). */
warren_status wr_wrap(warren_error *err, warren_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The usual sentence for a failed allocation. */
warren_status wr_no_memory(warren_error *err);

#endif
