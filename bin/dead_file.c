// SPDX-License-Identifier: MIT
// DESIGN: `warren dead export` and `import`: letters as lines of JSON. The export only looks. The import
// counts the lines itself, so that its errors name file and line, and an interrupted one can go on.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "dead_filter.h"
#include "escape.h"
#include "output.h"
#include "say.h"
#include "spool.h"

/* --- export --- */

struct export
{
    size_t count;
    size_t unreadable;
};

static bool export_letter(const warren_dead_letter *letter, void *user)
{
    struct export *export = user;
    char *line = NULL;
    if (warren_dead_write(letter, &line, NULL)) {
        export->unreadable++;
    } else {
        escape_json(stdout, line);
        fputc('\n', stdout);
        export->count++;
    }
    free(line);
    return !say_is_interrupted();
}

static warren_status export_queue(warren_admin *admin, const warren_dead_filter *filter, void *user,
                                  warren_error *err)
{
    return warren_dead_each(admin, filter, export_letter, user, err);
}

int cmd_dead_export(const struct args *args)
{
    struct export export = { 0 };
    warren_dead_filter filter;
    warren_admin *admin = NULL;
    warren_error err;
    if (!dead_filter_read(args, &filter)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    dead_filter_watch(admin, "exporting");
    bool is_ready = spool_begin();
    warren_status rc =
        is_ready ? dead_filter_each(admin, &filter, export_queue, &export, &err) : WARREN_OK;
    warren_admin_close(admin);
    say_progress_done();
    if (!is_ready || output_flush() || !spool_end()) {
        return EXIT_FAILED;
    }
    if (rc) {
        return say_failure(&err);
    }
    say("%zu dead letter%s written; they still stand where they were", export.count,
        export.count == 1 ? "" : "s");
    if (export.unreadable) {
        say("%zu can't be read, so they can't be written", export.unreadable);
    }
    return export.unreadable || say_is_interrupted() ? EXIT_PARTLY : EXIT_DONE;
}

/* --- import --- */

enum {
    LINE_FIRST = 4096,
    LINE_MOST = 192 * 1024 * 1024 /* a letter's line is never longer */
};

struct import {
    const char *path; /* for messages */
    FILE *file;
    char *line;
    size_t capacity;
    long skipped; /* lines before the first that is wanted */
    bool is_over;
    bool has_failed;
    bool is_too_long; /* the line that comes next */
};

/* Room for one more byte. */
static bool grow(struct import *import, size_t size)
{
    if (size < import->capacity) {
        return true;
    }
    size_t capacity = import->capacity ? 2 * import->capacity : LINE_FIRST;
    char *grown = realloc(import->line, capacity);
    if (grown) {
        import->line = grown;
        import->capacity = capacity;
    }
    return grown != NULL;
}

/* The next line with its newline, if it has one; 0: there is none, or it can't be read. A file without
 * newlines mustn't fill the memory. */
static size_t read_line(struct import *import)
{
    size_t size = 0;
    int byte = 0;
    while (byte != '\n' && (byte = getc_unlocked(import->file)) != EOF) {
        import->is_too_long = size > LINE_MOST;
        if (import->is_too_long) {
            return 0;
        }
        if (!grow(import, size)) {
            import->has_failed = true;
            return 0;
        }
        import->line[size++] = (char)byte;
    }
    import->has_failed = ferror(import->file) != 0;
    return import->has_failed ? 0 : size;
}

static bool next_line(const char **line, size_t *size, void *user)
{
    struct import *import = user;
    if (say_is_interrupted() || import->is_over || import->is_too_long) {
        return false;
    }
    *size = read_line(import);
    *line = import->line;
    import->is_over = !*size && !import->is_too_long;
    return *size > 0;
}

static bool open_input(const struct args *args, struct import *import)
{
    long from = 1;
    const char *line;
    size_t size;
    const char *path = args_operand(args, 1);
    if (!args_number(args, "from", 1, 1000000000, &from)) {
        return false;
    }
    bool is_input = !path || strcmp(path, "-") == 0;
    import->path = is_input ? "standard input" : path;
    import->file = is_input ? stdin : fopen(import->path, "re");
    if (!import->file) {
        say("%s: %s", import->path, strerror(errno));
        return false;
    }
    while (import->skipped < from - 1 && next_line(&line, &size, import)) {
        import->skipped++;
    }
    return true;
}

static int end_import(const struct import *import, const struct args *args, size_t count,
                      warren_status rc, const warren_error *err)
{
    long next = import->skipped + (long)count + 1;
    if (rc) {
        say("%s:%ld: %s", import->path, next, err->text);
    }
    if (!rc && import->is_too_long) {
        say("%s:%ld: no dead letter: longer than %d bytes", import->path, next, LINE_MOST);
    }
    if (import->has_failed) {
        say("%s: %s", import->path, strerror(errno));
    }
    say("%zu line%s of %s stand in the dead queue of %s", count, count == 1 ? "" : "s",
        import->path, args_operand(args, 0));
    if (!rc && import->is_over && !import->has_failed) {
        return EXIT_DONE;
    }
    if (rc == WARREN_INVALID || (!rc && import->is_too_long)) {
        say("mend line %ld and go on from it: --from %ld", next, next);
    } else if (rc != WARREN_NOT_FOUND) {
        say("to go on from there: --from %ld (what was on its way may be there twice)", next);
    }
    return count ? EXIT_PARTLY : rc ? warren_exit_code(rc) : EXIT_FAILED;
}

int cmd_dead_import(const struct args *args)
{
    struct import import = { 0 };
    warren_admin *admin = NULL;
    warren_error err = { .status = WARREN_OK };
    size_t count = 0;
    if (!open_input(args, &import)) {
        return import.path ? EXIT_FAILED : EXIT_USAGE;
    }
    say_catch_interrupt();
    warren_status rc = warren_admin_open(&admin, args_config(args), &err);
    if (rc) {
        (void)say_failure(&err);
    } else {
        rc = warren_dead_import(admin, args_operand(args, 0), next_line, &import, &count, &err);
        warren_admin_close(admin);
    }
    int code = admin ? end_import(&import, args, count, rc, &err) : warren_exit_code(rc);
    free(import.line);
    if (import.file != stdin) {
        (void)fclose(import.file);
    }
    return code;
}
