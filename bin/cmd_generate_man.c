// SPDX-License-Identifier: MIT
// DESIGN: `warren generate man`: a file a manual page, for the build and for packagers. The names of
// the files are told, so that nothing else has to know the nouns.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "command.h"
#include "man.h"
#include "say.h"

static int fail_path(const char *path)
{
    say("%s: %s", path, strerror(errno));
    return EXIT_FAILED;
}

/* `noun`: NULL for the overview, "" for the settings. */
static int write_page(const char *folder, const char *noun)
{
    char path[4096];
    warren_error err;
    warren_status rc = WARREN_OK;
    bool is_settings = noun && !*noun;
    int size = snprintf(path, sizeof path, "%s/warren%s%s.%s.scd", folder, noun && *noun ? "-" : "",
                        noun ? noun : "", is_settings ? "cfg.5" : "1");
    if (size >= (int)sizeof path) {
        return say_usage("the folder's name is too long");
    }
    FILE *file = fopen(path, "we");
    if (!file) {
        return fail_path(path);
    }
    if (is_settings) {
        rc = man_settings(file, &err);
    } else if (noun) {
        man_noun(file, noun);
    } else {
        man_overview(file);
    }
    bool is_whole = !ferror(file);
    is_whole = fclose(file) == 0 && is_whole;
    if (rc) {
        return say_failure(&err);
    }
    if (!is_whole) {
        return fail_path(path);
    }
    printf("%s\n", path);
    return EXIT_DONE;
}

int cmd_generate_man(const struct args *args)
{
    const char *folder = args_operand(args, 0) ? args_operand(args, 0) : "man";
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
        return fail_path(folder);
    }
    int code = write_page(folder, NULL);
    code = code ? code : write_page(folder, "");
    for (size_t i = 0; !code && i < command_count; i++) {
        if (i == 0 || strcmp(commands[i].noun, commands[i - 1].noun) != 0) {
            code = write_page(folder, commands[i].noun);
        }
    }
    return code;
}
