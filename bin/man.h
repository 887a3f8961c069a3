/* SPDX-License-Identifier: MIT */
/*
 * The manual pages, as sources for scdoc.
 */
#ifndef MAN_H
#define MAN_H

#include <stdio.h>

#include "warren/error.h"

/** Writes warren(1). */
void man_overview(FILE *out);

/** Writes warren-NOUN(1): all commands of one noun of the table. */
void man_noun(FILE *out, const char *noun);

/** Writes warren.cfg(5). NO_MEMORY. */
warren_status man_settings(FILE *out, warren_error *err);

#endif
