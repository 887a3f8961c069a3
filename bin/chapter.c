// SPDX-License-Identifier: MIT
// DESIGN: reads the headers as far as they are written in one manner, which tests hold them to: a
// comment at the head, a comment right above each function, whose line begins with WARREN_API, a
// comment behind each value of an enumeration. Nothing here knows C.
#include "chapter.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "man_text.h"

enum { FILE_MOST = 1 << 20, SENTENCE_SIZE = 1024, NAME_SIZE = 128 };

char *chapter_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(FILE_MOST) : NULL;
    size_t size = text ? fread(text, 1, FILE_MOST, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    if (text && size == FILE_MOST) {
        errno = EFBIG;
        free(text);
        return NULL;
    }
    if (text) {
        text[size] = '\0';
    }
    return text;
}

/* Whether a sentence ends with this byte, outside of parentheses. */
static bool is_end_of_sentence(const char *at, const char *end)
{
    const char *next = at + 1 + strspn(at + 1, " \n*");
    return *at == '.' && (next >= end || (next > at + 1 && !islower((unsigned char)*next)));
}

/* The first sentence between `at` and `end`, on one line, without what makes it a comment. */
static void cut_sentence(const char *at, const char *end, char out[SENTENCE_SIZE])
{
    size_t length = 0;
    int depth = 0;
    bool is_between = true; /* words */
    for (bool is_done = false; at < end && !is_done && length + 2 < SENTENCE_SIZE; at++) {
        if (isspace((unsigned char)*at) || (*at == '*' && is_between)) {
            is_between = true;
            continue;
        }
        if (is_between && length) {
            out[length++] = ' ';
        }
        is_between = false;
        out[length++] = *at;
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        is_done = depth == 0 && is_end_of_sentence(at, end);
    }
    out[length] = '\0';
}

/* The comment that ends right before `at`; NULL when there is none. */
static const char *comment_before(const char *text, const char *at)
{
    for (const char *start = at; start > text; start--) {
        if (strncmp(start, "/**", 3) == 0) {
            return start + 3;
        }
    }
    return NULL;
}

/* The word that ends before the first parenthesis. */
static bool find_name(const char *declaration, char out[NAME_SIZE])
{
    const char *end = strchr(declaration, '(');
    const char *start = end;
    while (start && start > declaration &&
           (isalnum((unsigned char)start[-1]) || start[-1] == '_')) {
        start--;
    }
    return start && snprintf(out, NAME_SIZE, "%.*s", (int)(end - start), start) < NAME_SIZE;
}

void chapter_functions(const char *text, chapter_visitor *visit, void *user)
{
    static const char mark[] = "\nWARREN_API ";
    char name[NAME_SIZE];
    char sentence[SENTENCE_SIZE];
    for (const char *at = strstr(text, mark); at; at = strstr(at + 1, mark)) {
        const char *comment = comment_before(text, at);
        const char *end = comment ? strstr(comment, "*/") : NULL;
        if (end && find_name(at, name)) {
            cut_sentence(comment, end, sentence);
            visit(user, name, sentence);
        }
    }
}

void chapter_values(const char *text, const char *name, chapter_visitor *visit, void *user)
{
    char start[NAME_SIZE + 32];
    char value[NAME_SIZE];
    char sentence[SENTENCE_SIZE];
    (void)snprintf(start, sizeof start, "enum %s {", name);
    const char *at = strstr(text, start);
    const char *end = at ? strchr(at, '}') : NULL;
    while (end && (at = strstr(at, "WARREN_")) && at < end) {
        size_t length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        (void)snprintf(value, sizeof value, "%.*s", (int)length, at);
        const char *comment = strstr(at, "/**<");
        const char *stop = comment ? strstr(comment, "*/") : NULL;
        const char *next = strstr(at + length, "WARREN_");
        bool has_comment = stop && comment < end && (!next || comment < next);
        sentence[0] = '\0';
        if (has_comment) {
            cut_sentence(comment + 4, stop, sentence);
        }
        visit(user, value, sentence);
        at = has_comment ? stop : at + length;
    }
}

/* A line of the head, without its " * ". */
static void put_line(FILE *out, const char *line, size_t size, bool *is_literal)
{
    char text[512];
    bool is_code = size >= 4 && strncmp(line, "    ", 4) == 0;
    if (is_code != *is_literal && size) {
        fputs("```\n", out);
        *is_literal = is_code;
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)(is_code ? size - 4 : size),
                   line + (is_code ? 4 : 0));
    if (is_code) {
        fputs(text, out);
    } else {
        man_text(out, text);
    }
    fputc('\n', out);
}

void chapter_head(const char *text, FILE *out)
{
    const char *at = strstr(text, "\n/*\n");
    const char *end = at ? strstr(at, "*/") : NULL;
    bool is_literal = false;
    for (at = end ? at + 4 : NULL; at && at < end; at += strcspn(at, "\n") + 1) {
        at += strspn(at, " ");
        if (*at == '*' && at[1] != '/') {
            at += at[1] == ' ' ? 2 : 1;
            put_line(out, at, strcspn(at, "\n"), &is_literal);
        }
    }
    fputs(is_literal ? "```\n\n" : "\n", out);
}
