/* SPDX-License-Identifier: MIT */
/*
 * Writing what strangers wrote.
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Writes `text` with everything escaped that could steer a terminal; `keep_newlines` for texts of
 * several lines. */
void escape_text(FILE *file, const char *text, bool keep_newlines);

/** Writes a JSON string with its quotes. What isn't UTF-8 becomes U+FFFD. */
void escape_json_string(FILE *file, const char *data, size_t size);

/** Writes JSON that is well-formed already; what could steer a terminal inside its strings is
 * escaped. */
void escape_json(FILE *file, const char *json);

/** Whether the bytes are UTF-8 text. */
bool escape_is_text(const void *data, size_t size);

#endif
