// SPDX-License-Identifier: MIT
// DESIGN: warren(3): how the C interface is meant, and then its chapters, each with the words of its
// own header and a line a function, so that none can be missing or say something else than the header.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chapter.h"
#include "command.h"
#include "man.h"
#include "man_text.h"
#include "say.h"

enum { PATH_SIZE = 4096 };

struct page {
    FILE *out;
    const char *source;
    man_function_visitor *visit;
    void *user;
};

static int fail_path(const char *path)
{
    say("%s: %s", path, strerror(errno));
    return EXIT_FAILED;
}

/* A file of the source tree; NULL, with a message. The caller frees. */
static char *read_source(const struct page *page, const char *name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", page->source, name);
    char *text = chapter_read(path);
    if (!text) {
        (void)fail_path(path);
    }
    return text;
}

/* --- the chapters --- */

static int is_header(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".h") == 0 && strcmp(entry->d_name, "warren.h") != 0;
}

/* What a service needs comes first, in the order of its life. */
static int rank(const char *name)
{
    static const char *const first[] = { "worker.h", "job.h", "publisher.h", "message.h",
                                         "error.h" };
    int count = sizeof first / sizeof first[0];
    for (int i = 0; i < count; i++) {
        if (strcmp(first[i], name) == 0) {
            return i;
        }
    }
    return count;
}

static int by_rank(const struct dirent **a, const struct dirent **b)
{
    int difference = rank((*a)->d_name) - rank((*b)->d_name);
    return difference ? difference : strcmp((*a)->d_name, (*b)->d_name);
}

static void put_function(void *user, const char *name, const char *sentence)
{
    struct page *page = user;
    char call[160];
    (void)snprintf(call, sizeof call, "%s()", name);
    man_item(page->out, call, sentence);
    page->visit(page->user, name);
}

static void put_value(void *user, const char *name, const char *sentence)
{
    struct page *page = user;
    man_item(page->out, name, sentence);
}

static int put_chapter(struct page *page, const char *name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "lib/include/warren/%s", name);
    char *text = read_source(page, path);
    if (!text) {
        return EXIT_FAILED;
    }
    fprintf(page->out, "## <warren/%s>\n\n", name);
    chapter_head(text, page->out);
    chapter_functions(text, put_function, page);
    free(text);
    return EXIT_DONE;
}

static int put_chapters(struct page *page)
{
    char path[PATH_SIZE];
    struct dirent **names = NULL;
    (void)snprintf(path, sizeof path, "%s/lib/include/warren", page->source);
    int count = scandir(path, &names, is_header, by_rank);
    int code = count < 0 ? fail_path(path) : EXIT_DONE;
    fputs("# FUNCTIONS\n\n", page->out);
    man_paragraph(page->out,
                  "Each header says more about each of its functions: what it takes, what "
                  "it gives back, its errors.");
    for (int i = 0; i < count; i++) {
        code = code ? code : put_chapter(page, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return code;
}

/* --- how it is meant --- */

static void put_synopsis(FILE *out)
{
    fputs("# SYNOPSIS\n\n", out);
    man_literal(out, "#include <warren/warren.h>\n\n"
                     "cc service.c $(pkg-config --cflags --libs warren)\n");
    fputs("\n# DESCRIPTION\n\n", out);
    man_paragraph(
        out,
        "A service links libwarren and registers a handler, a C function, for each job type. "
        "Warren takes jobs from\nRabbitMQ, runs the handlers on a pool of threads under a limit "
        "per type, and does with each job what its\nhandler's verdict says. <warren/warren.h> is "
        "all that a service needs; tools include other headers, too.");
    fputs("# LIFE OF A WORKER\n\n", out);
    man_paragraph(
        out,
        "warren_open() reads the configuration and connects to nothing. warren_handle() registers "
        "handlers,\nwarren_load() plugins. Then either warren_run(), which owns the signals and "
        "returns when SIGTERM or Ctrl-C\nhas been obeyed; or, in a service with a main loop of its "
        "own, warren_start() and warren_stop().\nwarren_close() frees. A stop drains: no more jobs "
        "are "
        "taken, those that haven't started go back to the broker,\nrunning ones may end within "
        "`drain_timeout`.");
    fputs("# THREADS\n\n", out);
    man_paragraph(
        out,
        "A handler runs on one of the pool's threads, and on several at once up to its type's "
        "concurrency: what it\nshares (`user`) it must guard. A job belongs to its handler until "
        "that "
        "returns. The calls on a worker are made\nfrom one thread; warren_stats(), the log and a "
        "publisher may be used from any. After a fork, worker and publisher\nbelong to the "
        "parent.");
    fputs("# OWNERSHIP\n\n", out);
    man_paragraph(
        out,
        "Position says it. A returned pointer is borrowed from the first argument: of a job until "
        "its "
        "handler returns,\nof others until they are closed. What comes back through `**out` is the "
        "caller's, to be closed by the function of its\nname, or freed with free(3) if it is text. "
        "What "
        "is handed in is copied, or borrowed for the call; but for\n`user` of a handler, which is "
        "borrowed until warren_close(). To close NULL is fine.");
}

static int put_errors(struct page *page)
{
    char *text = read_source(page, "lib/include/warren/error.h");
    if (!text) {
        return EXIT_FAILED;
    }
    fputs("# ERRORS\n\n", page->out);
    man_paragraph(
        page->out,
        "A call returns WARREN_OK (0) or a negative status, which is for decisions. The text for "
        "people goes into a\nwarren_error that the caller owns; it is written on failure only, "
        "may be NULL, and is never thread-local.");
    chapter_values(text, "warren_status", put_value, page);
    free(text);
    return EXIT_DONE;
}

static int put_verdicts(struct page *page)
{
    char *text = read_source(page, "lib/include/warren/job.h");
    if (!text) {
        return EXIT_FAILED;
    }
    fputs("# VERDICTS\n\n", page->out);
    man_paragraph(
        page->out,
        "What a handler returns, WARREN_DONE or what one of warren_retry(), warren_retry_after(), "
        "warren_dead(),\nwarren_discard() and warren_snooze() gives:");
    chapter_values(text, "warren_verdict", put_value, page);
    free(text);
    return EXIT_DONE;
}

static int put_example(struct page *page)
{
    char *text = read_source(page, "bin/examples/hello/hello.c");
    if (!text) {
        return EXIT_FAILED;
    }
    const char *code = text + strcspn(text, "\n"); /* behind the licence */
    fputs("# EXAMPLE\n\n", page->out);
    man_paragraph(
        page->out,
        "A whole service. Without a configuration it works with the RabbitMQ on this machine, or "
        "that of\n`WARREN_AMQP_URL`, on a queue `default`:");
    man_literal(page->out, code + (*code ? 1 : 0));
    fputc('\n', page->out);
    free(text);
    return EXIT_DONE;
}

int man_interface(FILE *out, const char *source, man_function_visitor *visit, void *user)
{
    struct page page = { out, source, visit, user };
    man_head(out, "warren", 3, "the C interface of a job framework for RabbitMQ");
    put_synopsis(out);
    int code = put_verdicts(&page);
    code = code ? code : put_errors(&page);
    code = code ? code : put_example(&page);
    code = code ? code : put_chapters(&page);
    fputs("# SEE ALSO\n\n*warren*(1), *warren.cfg*(5), *warren-message*(7)\n", out);
    return code;
}
