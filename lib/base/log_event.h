/* SPDX-License-Identifier: MIT */
/*
 * The events of the log: every line that the library writes has a row here. The name is stable, for
 * whoever searches and alerts by it; docs/logs.md holds the same rows, and a test holds both and all
 * calls of wr_log against this table. Threads: constant data.
 */
#ifndef WR_BASE_LOG_EVENT_H
#define WR_BASE_LOG_EVENT_H

#include <stddef.h>

enum wr_level { WR_ERROR = 0, WR_WARN = 1, WR_INFO = 2, WR_DEBUG = 3 };

enum { WR_LOG_EVENTS_MOST = 96 };

struct wr_log_event {
    const char *name;
    enum wr_level level;
    const char *means; /* what has happened: the `msg` of a JSON line */
    const char *next;  /* what to do about it */
};

/** All events, in the order of their names. Static memory. */
const struct wr_log_event *wr_log_event_table(size_t *out_count);

/** The row of that name, NULL when there is none. */
const struct wr_log_event *wr_log_event_find(const char *name);

/** The name of a level: "error", "warn", "info", "debug". */
const char *wr_level_name(enum wr_level level);

/** The level of a name, "debug" when there is none. */
enum wr_level wr_level_find(const char *name);

#endif
