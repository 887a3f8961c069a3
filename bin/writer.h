/* SPDX-License-Identifier: MIT */
/*
 * A text that is written like a file, and what such texts write.
 */
#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct writer {
    FILE *out;
    char *text;
    size_t size;
};

/** False: no memory. */
bool writer_open(struct writer *writer);

/** Closes it and gives the text, which is the caller's; NULL: no memory. */
char *writer_take(struct writer *writer);

/** A duration as text: "90s", "1500ms". */
enum { DURATION_TEXT = 32 };
const char *duration_text(char out[DURATION_TEXT], int64_t ms);

#endif
