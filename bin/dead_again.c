// SPDX-License-Identifier: MIT
// DESIGN: written so that it can be pasted into a shell: what isn't plain stands in single quotes.
#include "dead_again.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "say.h"

static const char plain[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,:/@%+=";

static void write_word(FILE *out, const char *word)
{
    if (*word && word[strspn(word, plain)] == '\0') {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++) {
        fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, out);
    }
    fputc('\'', out);
}

/* "2h" would be another time when the command goes on. */
static void write_time(FILE *out, int64_t at_ms)
{
    char text[32];
    output_time(text, at_ms);
    write_word(out, text);
}

static void write_command(FILE *out, const struct args *args, const warren_dead_filter *filter,
                          size_t limit_left)
{
    fprintf(out, "warren %s %s", args->command->noun, args->command->verb);
    for (size_t i = 0; i < args->operand_count; i++) {
        fputc(' ', out);
        write_word(out, args->operands[i]);
    }
    for (size_t i = 0; i < args->given_count; i++) {
        const struct given *given = &args->given[i];
        if (strcmp(given->option->name, "limit") == 0) {
            fprintf(out, " --limit %zu", limit_left);
            continue;
        }
        fprintf(out, " --%s", given->option->name);
        if (strcmp(given->option->name, "since") == 0) {
            fputc(' ', out);
            write_time(out, filter->since_ms);
        } else if (strcmp(given->option->name, "until") == 0) {
            fputc(' ', out);
            write_time(out, filter->until_ms);
        } else if (given->value) {
            fputc(' ', out);
            write_word(out, given->value);
        }
    }
}

void dead_again_say(const struct args *args, const warren_dead_filter *filter, size_t done,
                    const char *what)
{
    size_t limit = filter->limit;
    char *command = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&command, &size);
    bool is_whole = out != NULL;
    if (out) {
        write_command(out, args, filter, limit > done ? limit - done : 0);
        is_whole = fclose(out) == 0;
    }
    if (limit && limit <= done) {
        say("%s", what);
    } else if (is_whole) {
        say("%s: the same command goes on: %s", what, command);
    } else {
        say("%s: the same command goes on", what);
    }
    free(command);
}
