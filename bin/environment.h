/* SPDX-License-Identifier: MIT */
/*
 * The environment variables that Warren reads, for help and the manual page. A test compares it with
 * the sources.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/** One variable; the last row has no name. */
struct environment_row {
    const char *name;
    const char *sentence;
};
extern const struct environment_row environment_rows[];

#endif
