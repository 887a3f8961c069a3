// SPDX-License-Identifier: MIT
// DESIGN: a line is built in memory and written with one call, so that lines of several threads
// never mix. Fields come as key=value pairs, values with spaces in quotes; in JSON each becomes a
// member, numbers as numbers.
#include "log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "output.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };

enum { LEVELS = sizeof level_names / sizeof level_names[0] };

bool log_level_of(const char *name, int *out)
{
    for (int i = 0; i < LEVELS; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const char *level_name(int level)
{
    return level >= 0 && level < LEVELS ? level_names[level] : "debug";
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_number(const char *text, size_t size)
{
    size_t i = size && text[0] == '-';
    if (i == size || size - i > 15 || (text[i] == '0' && size - i > 1)) {
        return false;
    }
    while (i < size && isdigit((unsigned char)text[i])) {
        i++;
    }
    return i == size;
}

/* A value in quotes: \" and \\ stand for themselves, \xNN stays as it is. */
static const char *write_quoted(FILE *line, const char *at)
{
    char *plain = malloc(strlen(at) + 1);
    size_t size = 0;
    while (*at && *at != '"') {
        if (at[0] == '\\' && (at[1] == '"' || at[1] == '\\')) {
            at++;
        }
        if (plain) {
            plain[size++] = *at;
        }
        at++;
    }
    escape_json_string(line, plain ? plain : "", size);
    free(plain);
    return *at ? at + 1 : at;
}

/* Writes `,"key":value` for the pair at `at`; gives what is behind it. */
static const char *write_pair(FILE *line, const char *at)
{
    size_t key = strcspn(at, "= ");
    fputc(',', line);
    escape_json_string(line, at, key);
    at += key;
    if (*at != '=') {
        fputs(":true", line);
        return at;
    }
    fputc(':', line);
    at++;
    if (*at == '"') {
        return write_quoted(line, at + 1);
    }
    size_t size = strcspn(at, " ");
    if (is_number(at, size)) {
        (void)fwrite(at, 1, size, line);
    } else {
        escape_json_string(line, at, size);
    }
    return at + size;
}

static void write_json(FILE *line, const char *time_text, int level, const char *event,
                       const char *fields)
{
    fprintf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time_text, level_name(level));
    escape_json_string(line, event, strlen(event));
    while (*(fields += strspn(fields, " "))) {
        fields = write_pair(line, fields);
    }
    fputs("}\n", line);
}

static void write_text(FILE *line, const char *time_text, int level, const char *event,
                       const char *fields)
{
    fprintf(line, "%s %-5s %s%s", time_text, level_name(level), event, *fields ? " " : "");
    escape_text(line, fields, false);
    fputc('\n', line);
}

void log_write(void *user, int level, const char *event, const char *fields)
{
    const struct log_writer *writer = user;
    char time_text[32];
    char *text = NULL;
    size_t size = 0;
    FILE *line = open_memstream(&text, &size);
    if (!line) {
        return;
    }
    output_time(time_text, now_ms());
    if (writer->as_json) {
        write_json(line, time_text, level, event, fields);
    } else {
        write_text(line, time_text, level, event, fields);
    }
    if (fclose(line) == 0 && write(STDERR_FILENO, text, size) < 0) {
        /* Nobody is left to tell. */
    }
    free(text);
}
