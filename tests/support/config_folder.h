/* SPDX-License-Identifier: MIT */
/*
 * A configuration folder for one test: made under /tmp, entered, filled with files, and removed.
 * Paths are then as short as a user's: "warren.cfg", "queues/10.cfg". Threads: one.
 */
#ifndef TESTS_SUPPORT_CONFIG_FOLDER_H
#define TESTS_SUPPORT_CONFIG_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/settings.h"

/* libconfig 1.5 forgets a string token that stands where the grammar wants none (an empty one is made by
 * the lexer itself); what else it holds is still looked after, so a missing config_destroy is seen. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static char folder_path[64];

static inline void folder_make(void)
{
    (void)snprintf(folder_path, sizeof folder_path, "/tmp/warren-config.XXXXXX");
    (void)umask(022);
    if (!mkdtemp(folder_path) || chdir(folder_path) || mkdir("queues", 0755)) {
        perror(folder_path);
        exit(1);
    }
}

static inline int folder_remove_one(const char *path, const struct stat *info, int kind,
                                    struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void folder_remove(void)
{
    (void)!chdir("/");
    (void)nftw(folder_path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void folder_write_bytes(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(name, "w");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) {
        perror(name);
        exit(1);
    }
}

static inline void folder_write(const char *name, const char *text)
{
    folder_write_bytes(name, text, strlen(text));
}

/** All problem lines of the last folder_load, each with a newline behind it. */
static struct wr_text folder_problems;

/** Loads `path`; NULL when there are errors. The caller frees the settings. */
static inline struct wr_settings *folder_load(const char *path)
{
    struct wr_settings *settings = NULL;
    struct wr_problems problems;
    warren_status status = wr_settings_load(&settings, path, &problems, NULL);
    wr_text_clear(&folder_problems);
    for (size_t i = 0; i < problems.length; i++) {
        wr_problem_write(&problems.items[i], &folder_problems);
        wr_text_add_string(&folder_problems, "\n");
    }
    wr_problems_done(&problems);
    return status ? NULL : settings;
}

/** Loads a folder of these two files (NULL: no such file) and returns what was said about them. */
static inline const char *folder_complaints(const char *main_text, const char *queue_text)
{
    folder_make();
    folder_write("warren.cfg", main_text);
    if (queue_text) {
        folder_write("queues/10.cfg", queue_text);
    }
    wr_settings_free(folder_load("warren.cfg"));
    folder_remove();
    return wr_text_string(&folder_problems);
}

/** The same for an otherwise good queue with these options in it. */
static inline const char *queue_complaints(const char *options)
{
    char text[4096];
    (void)snprintf(text, sizeof text, "queue: {\n%s\n};\n", options);
    return folder_complaints("", text);
}

/** Whether `line` is one of the lines in `lines`. */
static inline bool has_line(const char *lines, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = lines; *at;) {
        size_t here = strcspn(at, "\n");
        if (here == length && memcmp(at, line, length) == 0) {
            return true;
        }
        at += here + (at[here] ? 1 : 0);
    }
    fprintf(stderr, "no line\n  %s\nin\n%s", line, lines);
    return false;
}

#endif
