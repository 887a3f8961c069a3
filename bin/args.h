/* SPDX-License-Identifier: MIT */
/*
 * What was given on the command line, read by the rows of a command's options.
 */
#ifndef ARGS_H
#define ARGS_H

#include "command.h"

/** What was given on the command line. Strings are argv's own. */
struct args {
    const struct command *command;
    const char **operands;
    size_t operand_count;
    const struct given {
        const struct option_row *option;
        const char *value; /* NULL for an option that takes nothing */
    } * given;
    size_t given_count;
};

/** The i-th operand, NULL when it wasn't given. */
const char *args_operand(const struct args *args, size_t index);

/** The value of an option that is given at most once (the last one counts), NULL without it. */
const char *args_value(const struct args *args, const char *option);

/** Whether an option was given. */
bool args_has(const struct args *args, const char *option);

/** The next value of an option that may be repeated; NULL at the end. `*cursor` starts at 0. */
const char *args_next(const struct args *args, const char *option, size_t *cursor);

/** A whole number from `least` to `most`. False, with a message, when the value is none. Without
 * the option `*out` stays as it is. */
bool args_number(const struct args *args, const char *option, long least, long most, long *out);

/** The configuration file: --config, else $WARREN_CONFIG, else config/warren.cfg or warren.cfg
 * where one is, else NULL (the defaults). A folder stands for its warren.cfg. */
const char *args_config(const struct args *args);

/** The same where --config was given as `given`; NULL: it wasn't. */
const char *args_find_config(const char *given);

/** Parses argv[0 …] (what follows the command's words). Gives 0, or an exit code after a message
 * was printed; `*out_wants_help` when --help was among them. args_free afterwards. */
int args_parse(struct args *out, const struct command *command, int argc, char **argv,
               bool *out_wants_help);
void args_free(struct args *args);

#endif
