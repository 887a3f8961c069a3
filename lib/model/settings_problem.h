/* SPDX-License-Identifier: MIT */
/*
 * Collecting what is wrong in the files, each with its place. Private to the settings. Threads: one
 * list, one thread.
 */
#ifndef WR_MODEL_SETTINGS_PROBLEM_H
#define WR_MODEL_SETTINGS_PROBLEM_H

#include "model/settings.h"

#define WR_PROBLEMS_MOST 1000 /* more are only counted */

/** Where something stands. Borrowed. */
struct wr_place {
    const char *file; /* NULL: in no file, that is in the environment or in a default */
    int line;         /* 0: the file as a whole */
    const char *path; /* "queue.jobs[1].type"; "" or NULL: none */
};

/** Adds what stops the start. */
void wr_problem_error(struct wr_problems *problems, const struct wr_place *place,
                      const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Whether there is an error of this file, line and path. */
bool wr_problem_is_told(const struct wr_problems *problems, const struct wr_place *place);

/** Adds what is worth knowing and stops nothing. */
void wr_problem_note(struct wr_problems *problems, const struct wr_place *place, const char *format,
                     ...) __attribute__((format(printf, 3, 4)));

/** CONFIG with as many error lines as err holds, and how many more there are. */
warren_status wr_problems_fail(const struct wr_problems *problems, warren_error *err);

#endif
