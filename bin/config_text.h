/* SPDX-License-Identifier: MIT */
/*
 * The strings of a configuration file as they are written, before what they ask of the environment is put
 * in. For files that Warren has read without an error.
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdbool.h>

/** Told of each string: the option that it is the value of ("broker.url", "queue.jobs.type"), and what
 * it says. Both are gone afterwards. */
typedef void config_text_visit(void *user, const char *option, const char *value);

/** Visits the strings of a file in their order. False: no memory. */
bool config_text_each(const char *text, config_text_visit *visit, void *user);

#endif
