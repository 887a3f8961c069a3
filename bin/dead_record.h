/* SPDX-License-Identifier: MIT */
/*
 * A file that dead letters are written to before something happens to them, a line of JSON each, so that
 * `warren dead import` can put them back.
 */
#ifndef DEAD_RECORD_H
#define DEAD_RECORD_H

#include <stdbool.h>
#include <stdio.h>

#include "warren/dead.h"

struct dead_record {
    const char *path;
    FILE *file;
    char *note; /* the end of each line: who, when, why */
    bool has_failed;
};

/** Opens the file for appending, for its owner alone; `why` may be NULL. False, with a message. */
bool dead_record_open(struct dead_record *record, const char *path, const char *did,
                      const char *why);

/** Writes a letter; it is with the system when this returns true. False, with a message. */
bool dead_record_write(struct dead_record *record, const warren_dead_letter *letter);

/** Writes a line that is there already. */
bool dead_record_line(struct dead_record *record, const char *line);

bool dead_record_has_failed(const struct dead_record *record);

/** Makes sure that all is on the disk, and closes. False, with a message, when it may not be. */
bool dead_record_close(struct dead_record *record);

/** Who runs this command: "ada@host". The caller frees; NULL without memory. */
char *dead_record_who(void);

#endif
