// SPDX-License-Identifier: MIT
// A whole configuration: what loads is written and loads again to the same text; what doesn't has
// at least one problem, each of which can be printed on one line; and the lexer that looks before
// libconfig does stays within the text.
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/settings_read.h"

enum { PATH_SIZE = 64 };

/* libconfig 1.5 loses the string that it was reading when a text is malformed. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

/* A file without a folder: /proc names it, so nothing is written to a disk. */
static int make_file(struct wr_slice text, char path[PATH_SIZE])
{
    int fd = memfd_create("warren.cfg", MFD_CLOEXEC);
    MUST(fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) == 0);
    MUST(write(fd, text.data, text.size) == (ssize_t)text.size);
    (void)snprintf(path, PATH_SIZE, "/proc/self/fd/%d", fd);
    return fd;
}

static void check_problems(const struct wr_problems *problems)
{
    MUST(!problems->failed && problems->length <= WR_PROBLEMS_MOST);
    for (size_t i = 0; i < problems->length; i++) {
        struct wr_text line = { 0 };
        wr_problem_write(&problems->items[i], &line);
        MUST(fuzz_is_printable(wr_text_string(&line)));
        MUST(problems->items[i].text[0] && problems->items[i].line >= 0);
        wr_text_done(&line);
    }
}

/* The effective settings as text; NULL when there are none. */
static char *load(struct wr_slice text)
{
    char path[PATH_SIZE];
    int fd = make_file(text, path);
    struct wr_settings *settings = NULL;
    struct wr_problems problems;
    warren_error err = { 0 };
    warren_status rc = wr_settings_load(&settings, path, &problems, &err);
    check_problems(&problems);
    MUST(rc == WARREN_OK ? settings && !problems.errors
                         : rc == WARREN_CONFIG && problems.errors && !settings);
    MUST(rc == WARREN_OK || err.text[0]);
    wr_problems_done(&problems);
    (void)close(fd);
    struct wr_text out = { 0 };
    if (settings) {
        wr_settings_write(settings, true, &out);
        wr_text_clear(&out);
        wr_settings_write(settings, false, &out);
        wr_settings_free(settings);
    }
    return settings ? wr_text_take(&out) : NULL;
}

static void check_lexer(struct wr_slice text)
{
    struct wr_problems problems = { 0 };
    char path[WR_CONFIG_PATH_SIZE];
    (void)wr_settings_lex(&problems, "fuzz", text);
    check_problems(&problems);
    wr_problems_done(&problems);
    for (int line = 0; line < 8; line++) {
        (void)wr_settings_name_in_line(text, line, path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string((struct wr_slice){ (const char *)data, size });
    bool looks_elsewhere = strstr(text, "file:") || strstr(text, "queues = \"");
    free(text);
    if (size > WR_CONFIG_FILE_MOST || looks_elsewhere) {
        return -1; /* what depends on other files of this machine is nobody's seed */
    }
    struct wr_slice given = { (const char *)data, size };
    check_lexer(given);
    char *first = load(given);
    if (first) {
        char *second = load(wr_slice_of(first));
        MUST(second && strcmp(first, second) == 0);
        free(second);
    }
    free(first);
    return 0;
}
