/* SPDX-License-Identifier: MIT */
/*
 * Writing texts as YAML reads them back, byte for byte.
 */
#ifndef YAML_TEXT_H
#define YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Writes a string: plain where it can be nothing else, else in double quotes. `text` is UTF-8. */
void yaml_string(FILE *out, const char *text);

/** Writes a text of many lines behind its key, "|" and lines that are two spaces in; in double quotes
 * where YAML would change it. Ends with a newline. `text` is UTF-8 without NUL. */
void yaml_block(FILE *out, const char *text, size_t size);

#endif
