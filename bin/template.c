// SPDX-License-Identifier: MIT
// DESIGN: just enough for files that follow from a table of values: no loops and no expressions, so
// that a template reads like the file that comes out of it. What repeats is one value of many lines.
#include "template.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void token_take(struct tokens *tokens, const char *name, char *value)
{
    if (!value || tokens->count == TOKENS_MOST) {
        free(value);
        tokens->failed = true;
        return;
    }
    tokens->items[tokens->count++] = (struct token){ name, value };
}

void token_set(struct tokens *tokens, const char *name, const char *format, ...)
{
    char *value = NULL;
    va_list values;
    va_start(values, format);
    int size = vasprintf(&value, format, values);
    va_end(values);
    token_take(tokens, name, size < 0 ? NULL : value);
}

void tokens_done(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        free(tokens->items[i].value);
    }
    tokens->count = 0;
}

static const char *value_of(const struct tokens *tokens, const char *name, size_t size)
{
    for (size_t i = 0; i < tokens->count; i++) {
        const struct token *token = &tokens->items[i];
        if (strlen(token->name) == size && strncmp(token->name, name, size) == 0) {
            return token->value;
        }
    }
    return NULL;
}

/* All lines of a value, each behind `indent` spaces; empty ones stay empty. */
static void write_lines(FILE *out, const char *value, int indent)
{
    while (*value) {
        size_t size = strcspn(value, "\n");
        fprintf(out, "%*s%.*s\n", size ? indent : 0, "", (int)size, value);
        value += size + (value[size] == '\n');
    }
}

/* The value of a line that is nothing but a place; NULL: it is more, or there is no such value. */
static const char *whole_line(const char *line, size_t size, const struct tokens *tokens)
{
    size_t indent = strspn(line, " ");
    bool is_place = size > indent + 3 && strncmp(line + indent, "@{", 2) == 0 &&
                    memchr(line, '}', size) == line + size - 1;
    return is_place ? value_of(tokens, line + indent + 2, size - indent - 3) : NULL;
}

/* A line without its newline. */
static bool fill_line(FILE *out, const char *line, size_t size, const struct tokens *tokens)
{
    const char *end = line + size;
    const char *value = whole_line(line, size, tokens);
    if (value) {
        write_lines(out, value, (int)strspn(line, " "));
        return true;
    }
    while (line < end) {
        size_t name_size = strcspn(line, "}\n");
        bool is_place = end - line > 2 && strncmp(line, "@{", 2) == 0;
        if (!is_place) {
            fputc(*line++, out);
            continue;
        }
        value = value_of(tokens, line + 2, name_size - 2);
        if (!value) {
            return false;
        }
        fputs(value, out);
        line += name_size + 1;
    }
    fputc('\n', out);
    return true;
}

bool template_fill(FILE *out, const char *text, const struct tokens *tokens)
{
    bool is_whole = true;
    while (*text) {
        size_t size = strcspn(text, "\n");
        const char *line = text;
        const char *condition = "yes";
        if (strncmp(line, "@?", 2) == 0) {
            size_t name_size = strcspn(line + 2, " \n");
            condition = value_of(tokens, line + 2, name_size);
            line += name_size + 3; /* "@?" and the space */
        }
        text += size + (text[size] == '\n');
        if (!condition) {
            return false;
        }
        if (*condition) {
            size_t rest = (size_t)(text - line) - (text[-1] == '\n');
            is_whole = fill_line(out, line, rest, tokens) && is_whole;
        }
    }
    return is_whole;
}

const char *built_in_text(const char *path)
{
    for (const struct built_in *row = built_ins; row->path; row++) {
        if (strcmp(row->path, path) == 0) {
            return row->text;
        }
    }
    return NULL;
}
