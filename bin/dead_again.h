/* SPDX-License-Identifier: MIT */
/*
 * The command that goes on where an interrupted one ended.
 */
#ifndef DEAD_AGAIN_H
#define DEAD_AGAIN_H

#include "args.h"
#include "warren/dead.h"

/** Says `what`, and the same command for what `filter` takes: with the limit that is left when there was
 * one, and with times instead of how long ago. */
void dead_again_say(const struct args *args, const warren_dead_filter *filter, size_t done,
                    const char *what);

#endif
