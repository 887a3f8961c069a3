/* SPDX-License-Identifier: MIT */
/*
 * The writer of log lines: to standard error, as text or as one JSON object a line.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

struct log_writer {
    bool as_json;
};

/** A warren_log_sink; `user` is a struct log_writer. Any thread: a line is one write. */
void log_write(void *user, int level, const char *event, const char *fields);

/** Reads "error" … "debug" into 0 … 3. */
bool log_level_of(const char *name, int *out);

#endif
