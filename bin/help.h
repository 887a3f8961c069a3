/* SPDX-License-Identifier: MIT */
/*
 * Finding commands in the table, and printing what it says about them.
 */
#ifndef HELP_H
#define HELP_H

#include <stdio.h>

#include "command.h"

/** The command of these words; `verb` may be NULL. NULL when there is none. */
const struct command *help_find(const char *noun, const char *verb);

bool help_has_noun(const char *noun);

/** Says that there is no such command and what may have been meant. Gives EXIT_USAGE. */
int help_unknown(const char *noun, const char *verb);

/** Prints "warren NOUN VERB [OPTIONS] ARGUMENTS". */
void help_synopsis(const struct command *command, FILE *file);

/** What the verbs of a noun are for, or what the noun does that is a command; NULL: no such noun. */
const char *help_noun_sentence(const char *noun);

/** Where the configuration is looked for, as lines. */
extern const char help_config[];

/** Prints a command's help. */
void help_command(const struct command *command);

/** Prints all commands, or those of one noun. */
void help_overview(const char *noun, FILE *file);

#endif
