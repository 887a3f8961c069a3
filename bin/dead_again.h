/* SPDX-License-Identifier: MIT */
/*
 * The command that goes on where an interrupted one ended.
 */
#ifndef DEAD_AGAIN_H
#define DEAD_AGAIN_H

#include "args.h"

/** Says `what`, and the same command, with the limit that is left when there was one. */
void dead_again_say(const struct args *args, size_t limit, size_t done, const char *what);

#endif
