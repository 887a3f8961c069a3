/* SPDX-License-Identifier: MIT */
/*
 * Logging: lines with a level, a stable event name and key=value fields, handed to one sink. The
 * library itself prints nothing: without a sink a line goes nowhere. `warren run` sets the writer
 * of this file as its sink.
 *
 * Threads: any. The sink is called by the thread that logs and must be thread-safe; set it before
 * threads start.
 */
#ifndef WR_BASE_LOG_H
#define WR_BASE_LOG_H

#include <stdbool.h>

enum wr_level { WR_ERROR = 0, WR_WARN = 1, WR_INFO = 2, WR_DEBUG = 3 };

typedef void wr_log_sink(void *user, int level, const char *event, const char *fields);

/** Lines of `level` and more important go to `sink`; NULL silences. */
void wr_log_to(wr_log_sink *sink, void *user, enum wr_level level);

/** Whether a line of this level would go anywhere: to skip building costly fields. */
bool wr_log_wants(enum wr_level level);

/** Logs: `event` is a stable name ("consumer.connected"), fields are `key=value` pairs separated by
 * spaces; values with spaces, quotes or control bytes are to be written with wr_log_quote. */
void wr_log(enum wr_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Logs what somebody has asked for, as "info" but whatever the level is. */
void wr_log_asked(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The level in effect, and another one for it. */
enum wr_level wr_log_level(void);
void wr_log_set_level(enum wr_level level);

/** Writes `text` into `out` (size bytes) as a quoted, escaped and capped value; returns `out`. */
const char *wr_log_quote(char *out, unsigned long size, const char *text);

/** The name of a level: "error", "warn", "info", "debug". */
const char *wr_level_name(enum wr_level level);

#endif
