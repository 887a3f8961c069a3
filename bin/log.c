// SPDX-License-Identifier: MIT
// DESIGN: a line is built in memory and written with one call, so that lines of several threads
// never mix. The JSON form is the library's; the text form is for people, so nothing in it may steer
// their terminal.
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "output.h"
#include "warren/warren.h"

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

static void write_text(FILE *line, int level, const char *event, const char *fields)
{
    char time_text[32];
    output_time(time_text, now_ms());
    fprintf(line, "%s %-5s %s%s", time_text, level_name(level), event, *fields ? " " : "");
    escape_text(line, fields, false);
    fputc('\n', line);
}

static void write_json_line(int level, const char *event, const char *fields)
{
    char line[WARREN_LOG_JSON_SIZE];
    size_t size = warren_log_json(line, sizeof line, level, event, fields);
    if (size && write(STDERR_FILENO, line, size) < 0) {
        /* Nobody is left to tell. */
    }
}

static void write_text_line(int level, const char *event, const char *fields)
{
    char *text = NULL;
    size_t size = 0;
    FILE *line = open_memstream(&text, &size);
    if (!line) {
        return;
    }
    write_text(line, level, event, fields);
    if (fclose(line) == 0 && write(STDERR_FILENO, text, size) < 0) {
        /* Nobody is left to tell. */
    }
    free(text);
}

void log_write(void *user, int level, const char *event, const char *fields)
{
    const struct log_writer *writer = user;
    if (writer->as_json) {
        write_json_line(level, event, fields);
    } else {
        write_text_line(level, event, fields);
    }
}
