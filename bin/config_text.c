// SPDX-License-Identifier: MIT
// DESIGN: as much of libconfig's grammar as it takes to know which option a string belongs to: names,
// brackets, comments, strings that stand side by side and are one.
#include "config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MOST = 32, NAME_SIZE = 64, OPTION_SIZE = 512 };

struct walk {
    const char *at;
    char word[NAME_SIZE]; /* the last one, which may turn out to be a name */
    char name[NAME_SIZE]; /* whose value is being read; empty in a list */
    char levels[DEPTH_MOST][NAME_SIZE];
    int depth;
};

/* The end of a comment that begins at `at`; `at` itself where none does. */
static const char *skip_comment(const char *at)
{
    if (strncmp(at, "/*", 2) == 0) {
        const char *end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    return *at == '#' || strncmp(at, "//", 2) == 0 ? at + strcspn(at, "\n") : at;
}

/* To the next character that is neither blank nor in a comment. */
static void skip(struct walk *walk)
{
    const char *before;
    do {
        before = walk->at;
        walk->at += strspn(walk->at, " \t\r\n\f\v");
        walk->at = skip_comment(walk->at);
    } while (walk->at != before);
}

static const char *option_here(const struct walk *walk, char out[OPTION_SIZE])
{
    size_t size = 0;
    out[0] = '\0';
    for (int i = 0; i <= walk->depth && i <= DEPTH_MOST; i++) {
        const char *name = i == walk->depth || i == DEPTH_MOST ? walk->name : walk->levels[i];
        if (*name && size < OPTION_SIZE) {
            size += (size_t)snprintf(out + size, OPTION_SIZE - size, "%s%s", size ? "." : "", name);
        }
    }
    return out;
}

/* What "\n" and the like stand for; `*at` is behind the backslash, and afterwards on the last character. */
static char unescape(const char **at)
{
    static const char letters[] = "nrtfabv";
    static const char values[] = "\n\r\t\f\a\b\v";
    const char *letter = strchr(letters, **at);
    if (**at == 'x' && (*at)[1] && (*at)[2]) {
        char digits[3] = { (*at)[1], (*at)[2], '\0' };
        *at += 2;
        return (char)strtol(digits, NULL, 16);
    }
    return letter ? values[letter - letters] : **at;
}

/* Reads a string, and those that follow it without anything between them. */
static void read_string(struct walk *walk, FILE *out)
{
    while (*walk->at == '"') {
        for (walk->at++; *walk->at && *walk->at != '"'; walk->at++) {
            bool is_escape = *walk->at == '\\' && walk->at[1];
            walk->at += is_escape;
            fputc(is_escape ? unescape(&walk->at) : *walk->at, out);
        }
        walk->at += *walk->at == '"';
        skip(walk);
    }
}

static bool visit_string(struct walk *walk, config_text_visit *visit, void *user)
{
    char option[OPTION_SIZE];
    char *value = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&value, &size);
    if (!out) {
        return false;
    }
    read_string(walk, out);
    bool is_whole = fclose(out) == 0;
    if (is_whole) {
        visit(user, option_here(walk, option), value);
    }
    free(value);
    return is_whole;
}

static void read_word(struct walk *walk, size_t size)
{
    (void)snprintf(walk->word, sizeof walk->word, "%.*s", (int)(size < NAME_SIZE ? size : 0),
                   walk->at);
    walk->at += size;
}

static void read_mark(struct walk *walk, char mark)
{
    if (mark == '=' || mark == ':') {
        memcpy(walk->name, walk->word, sizeof walk->name);
    } else if (strchr("{([", mark)) {
        if (walk->depth < DEPTH_MOST) {
            memcpy(walk->levels[walk->depth], walk->name, sizeof walk->name);
        }
        walk->depth++;
        walk->name[0] = '\0';
    } else if (strchr("})]", mark)) {
        walk->depth -= walk->depth > 0;
        walk->name[0] = '\0';
    } else if (mark == ';') {
        walk->name[0] = '\0';
    }
}

bool config_text_each(const char *text, config_text_visit *visit, void *user)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*+.";
    struct walk walk = { .at = text };
    for (skip(&walk); *walk.at; skip(&walk)) {
        size_t size = strspn(walk.at, letters);
        if (*walk.at == '"') {
            if (!visit_string(&walk, visit, user)) {
                return false;
            }
        } else if (size) {
            read_word(&walk, size);
        } else {
            read_mark(&walk, *walk.at++);
        }
    }
    return true;
}
