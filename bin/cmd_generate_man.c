// SPDX-License-Identifier: MIT
// DESIGN: `warren generate man`: a file a manual page, for the build and for packagers. The names of
// the files are told, so that nothing else has to know the nouns. The page of the C interface is made
// of the public headers, so it needs the source tree; each function gets a page that points to it.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "command.h"
#include "man.h"
#include "say.h"

enum { PATH_SIZE = 4096 };

struct job {
    const char *folder;
    const char *source; /* of warren(3) */
    const char *noun;   /* of warren-NOUN(1) */
    int code;           /* of what was written beside the page */
};

/* A page: NAME.SECTION.scd, and who writes it. */
struct page {
    const char *name;
    int (*write)(FILE *out, struct job *job);
};

static int fail_path(const char *path)
{
    say("%s: %s", path, strerror(errno));
    return EXIT_FAILED;
}

static int finish(FILE *file, const char *path)
{
    bool is_whole = !ferror(file);
    is_whole = fclose(file) == 0 && is_whole;
    if (!is_whole) {
        return fail_path(path);
    }
    printf("%s\n", path);
    return EXIT_DONE;
}

/* Opens a file of the folder; NULL, with a message. `path` has PATH_SIZE bytes. */
static FILE *open_file(char *path, const char *folder, const char *name)
{
    if (snprintf(path, PATH_SIZE, "%s/%s", folder, name) >= PATH_SIZE) {
        say("the folder's name is too long");
        return NULL;
    }
    FILE *file = fopen(path, "we");
    if (!file) {
        (void)fail_path(path);
    }
    return file;
}

static int write_overview(FILE *out, struct job *job)
{
    (void)job;
    man_overview(out);
    return EXIT_DONE;
}

static int write_noun(FILE *out, struct job *job)
{
    man_noun(out, job->noun);
    return EXIT_DONE;
}

static int write_settings(FILE *out, struct job *job)
{
    warren_error err;
    (void)job;
    return man_settings(out, &err) ? say_failure(&err) : EXIT_DONE;
}

static int write_message(FILE *out, struct job *job)
{
    (void)job;
    man_message(out);
    return EXIT_DONE;
}

/* A page of roff that only says where to read. */
static void write_link(void *user, const char *function)
{
    struct job *job = user;
    char path[PATH_SIZE];
    char name[128];
    (void)snprintf(name, sizeof name, "%s.3", function);
    FILE *file = job->code ? NULL : open_file(path, job->folder, name);
    if (!file) {
        job->code = EXIT_FAILED;
        return;
    }
    fputs(".so man3/warren.3\n", file);
    job->code = finish(file, path);
}

static int write_interface(FILE *out, struct job *job)
{
    int code = man_interface(out, job->source, write_link, job);
    return code ? code : job->code;
}

static int write_page(const struct page *page, struct job *job)
{
    char path[PATH_SIZE];
    FILE *file = open_file(path, job->folder, page->name);
    if (!file) {
        return EXIT_FAILED;
    }
    int code = page->write(file, job);
    int written = finish(file, path);
    return code ? code : written;
}

static int write_nouns(struct job *job)
{
    int code = EXIT_DONE;
    for (size_t i = 0; !code && i < command_count; i++) {
        if (i == 0 || strcmp(commands[i].noun, commands[i - 1].noun) != 0) {
            char name[128];
            (void)snprintf(name, sizeof name, "warren-%s.1.scd", commands[i].noun);
            job->noun = commands[i].noun;
            code = write_page(&(struct page){ name, write_noun }, job);
        }
    }
    return code;
}

int cmd_generate_man(const struct args *args)
{
    static const struct page pages[] = {
        { "warren.1.scd", write_overview },
        { "warren.cfg.5.scd", write_settings },
        { "warren-message.7.scd", write_message },
        { "warren.3.scd", write_interface }, /* the last one: only with a source tree */
    };
    struct job job = { .folder = args_operand(args, 0) ? args_operand(args, 0) : "man",
                       .source = args_value(args, "source") };
    size_t count = sizeof pages / sizeof pages[0] - (job.source ? 0 : 1);
    if (mkdir(job.folder, 0755) != 0 && errno != EEXIST) {
        return fail_path(job.folder);
    }
    int code = write_nouns(&job);
    for (size_t i = 0; !code && i < count; i++) {
        code = write_page(&pages[i], &job);
    }
    return code;
}
