/* SPDX-License-Identifier: MIT */
/*
 * A chapter of the C interface: one public header, as text. What it says about itself, its functions and
 * its enumerations is taken from its comments, so nothing has to be written twice.
 */
#ifndef CHAPTER_H
#define CHAPTER_H

#include <stdio.h>

/** Reads a file whole; NULL, with errno. The caller frees. */
char *chapter_read(const char *path);

/** Called for a function, or for a value of an enumeration. Borrowed, for the call. `sentence` may be
 * empty. */
typedef void chapter_visitor(void *user, const char *name, const char *sentence);

/** Visits the functions in order, with the first sentence of each comment. */
void chapter_functions(const char *text, chapter_visitor *visit, void *user);

/** Visits the values of `enum NAME`, with their comments. */
void chapter_values(const char *text, const char *name, chapter_visitor *visit, void *user);

/** Writes the comment at its head as a page's paragraphs. */
void chapter_head(const char *text, FILE *out);

#endif
