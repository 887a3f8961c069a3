/* SPDX-License-Identifier: MIT */
/*
 * Dead letters as rows of a table or as JSON.
 */
#ifndef DEAD_ROWS_H
#define DEAD_ROWS_H

#include "output.h"
#include "warren/dead.h"

/** Begins a list of dead letters; its rows are added by dead_rows_add. */
void dead_rows_begin(struct output *output, enum output_format format);

/** Adds a letter. */
void dead_rows_add(struct output *output, const warren_dead_letter *letter);

/** Begins a list of groups; its rows are added by dead_rows_add_group. */
void dead_rows_begin_groups(struct output *output, enum output_format format);

/** Adds a group. */
void dead_rows_add_group(struct output *output, const warren_dead_group *group);

#endif
