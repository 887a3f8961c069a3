/* SPDX-License-Identifier: MIT */
/*
 * Logging: lines with a level, a stable event name and key=value fields, handed to one sink. The
 * library itself prints nothing: without a sink a line goes nowhere. `warren run` sets the writer
 * of the command as its sink.
 *
 * Of one event at most so many lines a second are written (wr_log_limit); then one line, of the
 * event log.left_out, says how many were left out.
 *
 * Threads: any. The sink is called by the thread that logs and must be thread-safe; set it before
 * threads start.
 */
#ifndef WR_BASE_LOG_H
#define WR_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log_event.h"

struct wr_clock;

typedef void wr_log_sink(void *user, int level, const char *event, const char *fields);

/** Lines of `level` and more important go to `sink`; NULL silences. */
void wr_log_to(wr_log_sink *sink, void *user, enum wr_level level);

/** Changes the level, at any time. */
void wr_log_set_level(enum wr_level level);

/** At most `most` lines of one event a second from here on (0, as at the start: no limit), by that
 * clock (NULL: the machine's), which is borrowed until the limit is set anew. */
void wr_log_limit(uint32_t most, const struct wr_clock *clock);

/** Tells what was left out in seconds that have ended; to be called now and then. `is_last`: in the
 * one that hasn't, too. */
void wr_log_flush(bool is_last);

/** Whether a line of this level would go anywhere: to skip building costly fields. */
bool wr_log_wants(enum wr_level level);

/** Logs: `event` is the name of a row of base/log_event.c ("consumer.ready"), fields are `key=value`
 * pairs separated by spaces; values with spaces, quotes or control bytes are to be written with
 * wr_log_quote, names with wr_log_word. */
void wr_log(enum wr_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Logs what somebody has asked for, as "info" but whatever the level is. */
void wr_log_asked(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The level in effect. */
enum wr_level wr_log_level(void);

/** Writes `text` into `out` (size bytes) as a quoted, escaped and capped value; returns `out`. */
const char *wr_log_quote(char *out, unsigned long size, const char *text);

/** Room for a name of 255 bytes, as a broker's are at most, in quotes and with each byte escaped. */
#define WR_LOG_WORD_SIZE 520

/** The value for a name, which mostly is one plain word: that itself (`text`, borrowed), or the same
 * as wr_log_quote in `out` if it is empty or has a space, a quote, a '=', a backslash or a control
 * byte, so that the line can be taken apart again. */
const char *wr_log_word(char *out, unsigned long size, const char *text);

#endif
