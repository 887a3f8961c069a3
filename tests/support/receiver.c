// SPDX-License-Identifier: MIT
// DESIGN: the receiver says its port on a pipe when it listens, and ends when our end of another is
// closed, also when this process dies: so there is no port to guess and no process left over.
#include "receiver.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

enum { WORDS_MOST = 8 };

static void become(const struct receiver *receiver, const char *name, const char *mode,
                   const int *in, const int *out)
{
    char script[512];
    (void)snprintf(script, sizeof script, WARREN_SOURCE_DIR "/tests/support/%s", name);
    char file[sizeof receiver->file];
    char *words[WORDS_MOST + 4] = { (char[]){ "python3" }, script, file };
    char *copy = strdup(mode);
    size_t count = 3;
    memcpy(file, receiver->file, sizeof file);
    for (char *word = copy ? strtok(copy, " ") : NULL; word && count < WORDS_MOST + 3;
         word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    (void)dup2(in[0], STDIN_FILENO);
    (void)dup2(out[1], STDOUT_FILENO);
    (void)execvp("python3", words);
    _exit(127);
}

void receiver_start_script(struct receiver *receiver, const char *script, const char *mode)
{
    int in[2];
    int out[2];
    char line[16] = "";
    (void)snprintf(receiver->file, sizeof receiver->file, "/tmp/warren-receiver-XXXXXX");
    int fd = mkostemp(receiver->file, O_CLOEXEC);
    if (fd < 0 || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) {
        give_up("receiver: no file or pipe");
    }
    (void)close(fd);
    receiver->pid = fork();
    if (receiver->pid == 0) {
        become(receiver, script, mode, in, out);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    receiver->input = in[1];
    FILE *said = fdopen(out[0], "r");
    if (receiver->pid < 0 || !said || !fgets(line, sizeof line, said) || atoi(line) <= 0) {
        give_up("receiver: python3 tests/support/%s did not start", script);
    }
    (void)fclose(said);
    (void)snprintf(receiver->url, sizeof receiver->url, "http://127.0.0.1:%d", atoi(line));
}

void receiver_start(struct receiver *receiver, const char *mode)
{
    receiver_start_script(receiver, "otlp_receiver.py", mode);
}

void receiver_read(const struct receiver *receiver, struct spans *out)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(receiver->file, "re");
    if (!file) {
        give_up("receiver: %s is gone", receiver->file);
    }
    spans_forget(out);
    while (getline(&line, &size, file) > 0) {
        if (strncmp(line, "BAD", 3) == 0) {
            give_up("receiver: it got what is no OTLP: %s", line);
        }
        spans_read(out, line);
    }
    free(line);
    (void)fclose(file);
}

void receiver_stop(struct receiver *receiver)
{
    (void)close(receiver->input);
    (void)waitpid(receiver->pid, NULL, 0);
    (void)unlink(receiver->file);
}
