/* SPDX-License-Identifier: MIT */
/*
 * A file of the repository, for tests that look at what is checked in. Threads: one.
 */
#ifndef TESTS_SUPPORT_REPOSITORY_H
#define TESTS_SUPPORT_REPOSITORY_H

#include <stdio.h>

#include "base/text.h"

/** Reads it whole; NULL when it isn't there. `name` is its path from the root. The caller frees. */
static inline char *repository_file(const char *name)
{
    char path[512];
    char bytes[4096];
    struct wr_text text = { 0 };
    (void)snprintf(path, sizeof path, "%s/%s", WARREN_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (!file) {
        return NULL;
    }
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, file)) > 0;) {
        wr_text_add(&text, bytes, size);
    }
    (void)fclose(file);
    return wr_text_take(&text);
}

#endif
