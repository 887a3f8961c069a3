/* SPDX-License-Identifier: MIT */
/*
 * Text in the form that scdoc takes: what it would take for markup is escaped, and backquotes become
 * bold.
 */
#ifndef MAN_TEXT_H
#define MAN_TEXT_H

#include <stdio.h>

/** Writes text, one line or several; nothing behind it. */
void man_text(FILE *out, const char *text);

/** The same, in bold. */
void man_bold(FILE *out, const char *text);

/** A paragraph of its own. */
void man_paragraph(FILE *out, const char *text);

/** Lines as they are, in the typewriter's font. */
void man_literal(FILE *out, const char *text);

/** A bold word, and below it what it means, indented. */
void man_item(FILE *out, const char *word, const char *text);

/** What every page begins with: its name and one sentence. */
void man_head(FILE *out, const char *name, int section, const char *sentence);

#endif
