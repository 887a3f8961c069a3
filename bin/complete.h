/* SPDX-License-Identifier: MIT */
/*
 * What may stand next on a command line that is being written.
 */
#ifndef COMPLETE_H
#define COMPLETE_H

#include <stddef.h>

/** Called for each word that fits; `sentence` may be NULL. Both are borrowed for the call. */
typedef void complete_visitor(void *user, const char *word, const char *sentence);

/** The word that stands for the names of files. */
#define COMPLETE_FILES ":files"

/** Visits what may stand in place of the last of `words` (those behind `warren`, at least one). Reads
 * the configuration where names of it may stand, and asks no broker; without a configuration that can
 * be read there are no such names. */
void complete_words(const char *const *words, size_t count, complete_visitor *visit, void *user);

#endif
