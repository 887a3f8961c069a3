/* SPDX-License-Identifier: MIT */
/*
 * The table of a systemd unit's lines, and which of them follow from a configuration.
 */
#ifndef SYSTEMD_H
#define SYSTEMD_H

#include <stddef.h>

/** Where a line's value comes from. */
enum unit_source {
    FIXED, /* the table; "{unit}" is the unit's name without its suffix */
    EXEC_START,
    START_MOST,
    STOP_MOST,
    WATCHDOG,
    MEMORY,      /* no line without a configuration: it follows from its queues */
    WRITE_PATHS, /* no line unless state_dir names a folder */
    HOME
};

/** A line of the unit. */
struct unit_line {
    const char *about; /* the comment above, with a blank line before it; NULL: none */
    const char *name;  /* "[Unit]" and the like begin a section, without a value */
    const char *value; /* of FIXED */
    enum unit_source source;
};

const struct unit_line *unit_lines(size_t *out_count);

#endif
