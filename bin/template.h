/* SPDX-License-Identifier: MIT */
/*
 * Texts with places to fill. A place is "@{name}". One that stands alone in its line takes as many
 * lines as its value has, each as far in as the place; none if the value is empty. A line that begins
 * with "@?name " is left out where that value is empty.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { TOKENS_MOST = 64 };

/** Values for the places of a text. */
struct tokens {
    struct token {
        const char *name;
        char *value; /* owned */
    } items[TOKENS_MOST];
    size_t count;
    bool failed; /* no memory for one of them, or too many */
};

/** Adds a value; `token_take` takes one from malloc, NULL for no memory. */
void token_take(struct tokens *tokens, const char *name, char *value);
void token_set(struct tokens *tokens, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Frees the values. */
void tokens_done(struct tokens *tokens);

/** Writes the text with its places filled. False: it names a place that has no value. */
bool template_fill(FILE *out, const char *text, const struct tokens *tokens);

/** A text that was built in: a template, or a file that Warren ships. The last one has no path. */
struct built_in {
    const char *path;
    const char *text;
};
extern const struct built_in built_ins[];

/** That text; NULL: none of this name was built in. */
const char *built_in_text(const char *path);

#endif
