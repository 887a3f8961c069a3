// SPDX-License-Identifier: MIT
// DESIGN: `warren config init`: files to start from. Nothing is asked, and nothing that is there is
// touched: if one of the files is there, none is written.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "say.h"
#include "warren/config.h"

enum { FILES = 2, PATH_SIZE = 4096 };

/* The files of a new configuration, below its folder. */
static const struct start {
    const char *option; /* NULL: without one */
    struct {
        const char *path;
        warren_config_file which;
    } files[FILES];
} starts[] = {
    { "minimal",
      { { "warren.cfg", WARREN_CONFIG_FILE_MAIN_SMALL },
        { "queues/emails.cfg", WARREN_CONFIG_FILE_QUEUE } } },
    { "full",
      { { "warren.cfg", WARREN_CONFIG_FILE_MAIN },
        { "queues/reports.cfg", WARREN_CONFIG_FILE_QUEUE_FULL } } },
    { NULL,
      { { "warren.cfg", WARREN_CONFIG_FILE_MAIN },
        { "queues/emails.cfg", WARREN_CONFIG_FILE_QUEUE } } },
};

static const struct start *choose(const struct args *args)
{
    const struct start *start = starts;
    while (start->option && !args_has(args, start->option)) {
        start++;
    }
    return start;
}

static int fail_path(const char *path)
{
    say("%s: %s", path, strerror(errno));
    return EXIT_FAILED;
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

static int refuse(const char *path)
{
    say("refused: %s is there already; --force overwrites it", path);
    return EXIT_REFUSED;
}

static int write_file(const char *path, const char *text, bool may_replace)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (may_replace ? O_TRUNC : O_EXCL);
    int fd = open(path, flags, 0644); /* what others may write is refused when it is read */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        return errno == EEXIST ? refuse(path) : fail_path(path);
    }
    bool is_written = fputs(text, file) >= 0;
    if (fclose(file) || !is_written) {
        return fail_path(path);
    }
    printf("%s\n", path);
    return EXIT_DONE;
}

/* False: the name is too long. */
static bool name_file(char *out, const char *folder, const char *name)
{
    return snprintf(out, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE;
}

static int look_for_files(const struct start *start, const char *folder)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < FILES; i++) {
        if (!name_file(path, folder, start->files[i].path)) {
            return say_usage("the folder's name is too long");
        }
        if (access(path, F_OK) == 0) {
            return refuse(path);
        }
    }
    return EXIT_DONE;
}

static int write_template(const char *folder, const char *name, warren_config_file which,
                          bool may_replace)
{
    char path[PATH_SIZE];
    char *text = NULL;
    warren_error err;
    if (!name_file(path, folder, name)) {
        return say_usage("the folder's name is too long");
    }
    if (warren_config_template(which, &text, &err)) {
        return say_failure(&err);
    }
    int code = write_file(path, text, may_replace);
    free(text);
    return code;
}

static int make_folders(const char *folder)
{
    char queues[PATH_SIZE];
    if (!name_file(queues, folder, "queues")) {
        return say_usage("the folder's name is too long");
    }
    return make_folder(folder) && make_folder(queues) ? EXIT_DONE : fail_path(folder);
}

int cmd_config_init(const struct args *args)
{
    const char *folder = args_operand(args, 0) ? args_operand(args, 0) : "config";
    const struct start *start = choose(args);
    bool may_replace = args_has(args, "force");
    if (args_has(args, "full") && args_has(args, "minimal")) {
        return say_usage("--full or --minimal, not both");
    }
    int code = may_replace ? EXIT_DONE : look_for_files(start, folder);
    code = code ? code : make_folders(folder);
    for (size_t i = 0; !code && i < FILES; i++) {
        code = write_template(folder, start->files[i].path, start->files[i].which, may_replace);
    }
    if (!code) {
        say("next: name your queue and its job types in %s/%s, then\n"
            "  warren config check --config %s/warren.cfg\n"
            "  warren doctor --config %s/warren.cfg",
            folder, start->files[1].path, folder, folder);
    }
    return code;
}
