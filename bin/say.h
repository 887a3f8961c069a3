/* SPDX-License-Identifier: MIT */
/*
 * Talk: what goes to standard error, for people. Data goes to standard output (output.h).
 */
#ifndef SAY_H
#define SAY_H

#include <stdbool.h>
#include <stddef.h>

#include "warren/error.h"

/** Prints "warren: ", the text and a newline; control bytes in it are escaped. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Says why a call failed and gives the exit code for it. */
int say_failure(const warren_error *err);

struct command;

/** Tells which command runs, so that say_usage can name its help. */
void say_command(const struct command *command);

/** Says what is wrong with the command line, and how to get help. Gives EXIT_USAGE. */
int say_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Shows progress in place, on a terminal only. */
void say_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Ends the progress line, if one was shown. */
void say_progress_done(void);

/** Asks to type `name` before something is destroyed. False, with a message, when it was not typed,
 * or nobody can be asked. */
bool say_confirm(const char *what, const char *name);

/** A word that is near to `wanted`, for "did you mean"; NULL when none is. `next` gives the words,
 * NULL at the end. */
const char *say_nearest(const char *wanted, const char *(*next)(void *user, size_t index),
                        void *user);

/** Makes Ctrl-C, SIGTERM and a lost terminal ask politely: they only set a flag, once; the second one ends
 * the program. */
void say_catch_interrupt(void);
bool say_is_interrupted(void);

/** The signal that did it; 0: none. */
int say_interrupt_signal(void);

#endif
