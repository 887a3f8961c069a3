// SPDX-License-Identifier: MIT
// DESIGN: a command is split at its spaces, its placeholders are filled in, and its program is looked
// for beside this one. The moment before the exec goes along in the environment, so that a side can
// tell how long its first job took.
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "side.h"

enum { WORDS_MOST = 64, WORD_BYTES = 512, LONG_MS = 240000, SHORT_MS = 40000 };

static int patience_ms = LONG_MS;

void child_be_short(void)
{
    patience_ms = SHORT_MS;
}

static _Noreturn void give_up(const struct child *child, const char *why)
{
    if (child->pid > 0) {
        (void)kill(child->pid, SIGKILL);
    }
    side_give_up(child->command, why);
}

/* --- starting ------------------------------------------------------------------------------------- */

static void path_beside(char *out, const char *name)
{
    char self[WORD_BYTES] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        side_give_up("cannot find", name);
    }
    *strrchr(self, '/') = '\0';
    if (snprintf(out, WORD_BYTES, "%s/%s", self, name) >= WORD_BYTES) {
        side_give_up("too long a path", name);
    }
}

static void fill_in(char *out, const char *word, const struct child_words *words)
{
    int length = 0;
    if (strcmp(word, "{config}") == 0) {
        length = snprintf(out, WORD_BYTES, "%s", words->config ? words->config : "");
    } else if (strcmp(word, "{count}") == 0) {
        length = snprintf(out, WORD_BYTES, "%ld", words->count);
    } else if (strcmp(word, "{half}") == 0) {
        length = snprintf(out, WORD_BYTES, "%ld", words->count / 2);
    } else {
        length = snprintf(out, WORD_BYTES, "%s", word);
    }
    if (length >= WORD_BYTES) {
        side_give_up("too long a word", word);
    }
}

static char **split(const char *command, const struct child_words *words)
{
    static char texts[WORDS_MOST][WORD_BYTES];
    static char *list[WORDS_MOST + 1];
    size_t count = 0;
    char *rest = NULL;
    char *copy = strdup(command);
    for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word;
         word = strtok_r(NULL, " ", &rest)) {
        if (count == WORDS_MOST) {
            side_give_up("too many words", command);
        }
        fill_in(texts[count], word, words);
        list[count] = texts[count];
        count++;
    }
    list[count] = NULL;
    free(copy);
    return list;
}

static void become(char **words, const char *preload, int out, pid_t parent)
{
    char path[WORD_BYTES];
    char now[32];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    (void)dup2(out, STDOUT_FILENO);
    if (preload) {
        path_beside(path, preload);
        (void)setenv("LD_PRELOAD", path, 1);
    }
    path_beside(path, words[0]);
    (void)snprintf(now, sizeof now, "%lld", (long long)side_now_ns());
    (void)setenv("BENCH_EXEC_NS", now, 1);
    (void)execv(path, words);
    (void)fprintf(stderr, "cannot run %s: %s\n", path, strerror(errno));
    _exit(127);
}

void child_start(struct child *child, const char *command, const struct child_words *words)
{
    int ends[2];
    pid_t parent = getpid();
    char **list = split(command, words);
    *child = (struct child){ .command = command };
    if (pipe2(ends, O_CLOEXEC) != 0) {
        give_up(child, "no pipe");
    }
    (void)fflush(NULL);
    child->pid = fork();
    if (child->pid < 0) {
        give_up(child, "no process");
    }
    if (child->pid == 0) {
        become(list, words->preload, ends[1], parent);
    }
    (void)close(ends[1]);
    child->out = ends[0];
}

/* --- its lines ------------------------------------------------------------------------------------ */

static void read_more(struct child *child)
{
    struct pollfd wait = { .fd = child->out, .events = POLLIN };
    int ready = poll(&wait, 1, patience_ms);
    if (ready == 0) {
        give_up(child, "has said nothing for too long");
    }
    ssize_t got = ready < 0 ? 0
                            : read(child->out, child->line + child->length,
                                   sizeof child->line - 1 - child->length);
    if (ready >= 0 && got <= 0) {
        give_up(child, "ended without a result");
    }
    child->length += (size_t)got;
    child->line[child->length] = '\0';
}

/* The next line, without its end. */
static void take_line(struct child *child, char out[CHILD_LINE_BYTES])
{
    char *end = strchr(child->line, '\n');
    for (; !end; end = strchr(child->line, '\n')) {
        read_more(child);
    }
    size_t length = (size_t)(end - child->line);
    (void)snprintf(out, CHILD_LINE_BYTES, "%.*s", (int)length, child->line);
    child->length -= length + 1;
    memmove(child->line, end + 1, child->length + 1);
}

void child_ready(struct child *child)
{
    char line[CHILD_LINE_BYTES];
    take_line(child, line);
    if (strcmp(line, "ready") != 0) {
        give_up(child, "was never ready");
    }
}

static void read_values(const struct child *child, char *line, double values[MEASURE_COUNT])
{
    char *rest = NULL;
    const char *word = strtok_r(line, " ", &rest);
    if (!word || strcmp(word, "result") != 0) {
        give_up(child, "said something that is no result");
    }
    for (word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        const char *value = strchr(word, '=');
        for (int i = 0; value && i < MEASURE_COUNT; i++) {
            size_t length = (size_t)(value - word);
            if (strlen(measure_kinds[i].word) == length &&
                memcmp(measure_kinds[i].word, word, length) == 0) {
                values[i] = strtod(value + 1, NULL);
            }
        }
    }
}

void child_finish(struct child *child, double values[MEASURE_COUNT])
{
    char line[CHILD_LINE_BYTES];
    double unwanted[MEASURE_COUNT];
    int status = 0;
    do {
        take_line(child, line);
    } while (strcmp(line, "ready") == 0);
    read_values(child, line, values ? values : unwanted);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    (void)close(child->out);
    child->pid = 0;
    if (status) {
        give_up(child, "failed at its end");
    }
}

void child_stop(struct child *child, double values[MEASURE_COUNT])
{
    (void)kill(child->pid, SIGTERM);
    child_finish(child, values);
}
