/* SPDX-License-Identifier: MIT */
/*
 * Which dead letters a command is about: the options that all its verbs share, and the queues that
 * have any.
 */
#ifndef DEAD_FILTER_H
#define DEAD_FILTER_H

#include "args.h"
#include "warren/dead.h"

/** Reads the first operand as the queue, and the options. False, with a message, when one is wrong.
 */
bool dead_filter_read(const struct args *args, warren_dead_filter *out);

/** Reads --rate, letters a second. False, with a message, when it is no such thing. */
bool dead_filter_pace(const struct args *args, double *out);

/** Does something with the dead letters of one queue. */
typedef warren_status dead_filter_look(warren_admin *admin, const warren_dead_filter *filter,
                                       void *user, warren_error *err);

/** Calls `look` for the filter's queue or, without one, for each that has dead letters, until one
 * fails or Ctrl-C. */
warren_status dead_filter_each(warren_admin *admin, const warren_dead_filter *filter,
                               dead_filter_look *look, void *user, warren_error *err);

/** Shows a bar on a terminal from now on, `verb` before it, and ends calls at Ctrl-C. */
void dead_filter_watch(warren_admin *admin, const char *verb);

#endif
