// SPDX-License-Identifier: MIT
// DESIGN: all talk goes through here, so that what came from a message or a broker can't move the
// cursor of a terminal, and so that progress lines and messages never share a line.
#include "say.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "escape.h"

static const struct command *command_said; /* set once, before any talk */
static bool progress_shown;
static volatile sig_atomic_t interrupted;

void say_progress_done(void)
{
    if (progress_shown) {
        fputs("\r\033[K", stderr);
        progress_shown = false;
    }
}

void say_progress(const char *format, ...)
{
    if (!isatty(STDERR_FILENO)) {
        return;
    }
    va_list args;
    va_start(args, format);
    fputs("\r\033[K", stderr);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fflush(stderr);
    progress_shown = true;
}

__attribute__((format(printf, 1, 0))) static void say_list(const char *format, va_list args)
{
    char *text = NULL;
    say_progress_done();
    (void)fflush(stdout); /* data goes before the talk about it, also where both go to one file */
    if (vasprintf(&text, format, args) >= 0) {
        fputs("warren: ", stderr);
        escape_text(stderr, text, true);
        fputc('\n', stderr);
        free(text);
    }
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(format, args);
    va_end(args);
}

int say_failure(const warren_error *err)
{
    say("%s", err->text);
    return warren_exit_code(err->status);
}

void say_command(const struct command *command)
{
    command_said = command;
}

int say_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(format, args);
    va_end(args);
    if (command_said) {
        fprintf(stderr, "Try `warren %s%s%s --help`.\n", command_said->noun,
                command_said->verb ? " " : "", command_said->verb ? command_said->verb : "");
    } else {
        fputs("Try `warren help`.\n", stderr);
    }
    return EXIT_USAGE;
}

bool say_confirm(const char *what, const char *name)
{
    char answer[512] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        say("refused: to %s %s needs --yes where nobody can be asked; --dry-run only shows it",
            what, name);
        return false;
    }
    say_progress_done();
    fprintf(stderr, "To %s %s, type its name: ", what, name);
    (void)fflush(stderr);
    if (fgets(answer, sizeof answer, stdin)) {
        answer[strcspn(answer, "\n")] = '\0';
    }
    if (strcmp(answer, name) != 0) {
        say("refused: that is not its name; nothing was changed");
        return false;
    }
    return true;
}

/* Edits from `a` to `b`: insert, remove, change. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t row[LONGEST + 1];
    size_t width = strlen(b);
    if (width > LONGEST || strlen(a) > LONGEST) {
        return LONGEST;
    }
    for (size_t j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            size_t shifted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = changed < shifted ? changed : shifted;
        }
    }
    return row[width];
}

const char *say_nearest(const char *wanted, const char *(*next)(void *user, size_t index),
                        void *user)
{
    size_t best = strlen(wanted) / 3 + 1; /* a short word must agree in more than a letter */
    const char *nearest = NULL;
    const char *word;
    for (size_t i = 0; (word = next(user, i)); i++) {
        size_t edits = distance(wanted, word);
        if (edits <= best && edits < strlen(word)) {
            best = edits ? edits - 1 : 0;
            nearest = word;
        }
    }
    return nearest;
}

static void remember_interrupt(int signal_number)
{
    interrupted = signal_number;
}

void say_catch_interrupt(void)
{
    struct sigaction action = { .sa_handler = remember_interrupt, .sa_flags = SA_RESETHAND };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_DFL) { /* no nohup */
        (void)sigaction(SIGHUP, &action, NULL);
    }
}

bool say_is_interrupted(void)
{
    return interrupted != 0;
}

int say_interrupt_signal(void)
{
    return interrupted;
}
