/* SPDX-License-Identifier: MIT */
/*
 * The manual pages, as sources for scdoc.
 */
#ifndef MAN_H
#define MAN_H

#include <stdbool.h>
#include <stdio.h>

#include "warren/error.h"

/** Writes warren(1). */
void man_overview(FILE *out);

/** Writes warren-NOUN(1): all commands of one noun of the table. */
void man_noun(FILE *out, const char *noun);

/** Writes warren.cfg(5). NO_MEMORY. */
warren_status man_settings(FILE *out, warren_error *err);

/** Writes warren-message(7). */
void man_message(FILE *out);

/** Called for each public function. */
typedef void man_function_visitor(void *user, const char *name);

/** Writes warren(3), from the public headers and the example in Warren's source tree at `source`; `visit`
 * is told the functions on the way. Gives an exit code, after a message if something can't be read. */
int man_interface(FILE *out, const char *source, man_function_visitor *visit, void *user);

#endif
