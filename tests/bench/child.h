/* SPDX-License-Identifier: MIT */
/*
 * A side as a process: a command of this folder's programs, its one line of results read through a
 * pipe, with a deadline. A child that fails, says nothing or takes too long ends the whole process
 * with a sentence. The kernel ends children when this process dies. Threads: one.
 */
#ifndef TESTS_BENCH_CHILD_H
#define TESTS_BENCH_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "bench.h"

enum { CHILD_LINE_BYTES = 1024 };

/** A process that runs. */
struct child {
    const char *command; /**< as the bench says it, for sentences */
    pid_t pid;
    int out;
    char line[CHILD_LINE_BYTES]; /**< what was read and not taken yet */
    size_t length;
};

/** What the command's placeholders stand for. */
struct child_words {
    const char *config;
    long count;
    const char *preload; /**< a library of this folder, or NULL */
};

/** From now on a child that says nothing for 40 s fails; before, it is four minutes. */
void child_be_short(void);

/** Starts it. */
void child_start(struct child *child, const char *command, const struct child_words *words);

/** Waits until it is ready. */
void child_ready(struct child *child);

/** Waits for its result and its end; `values` may be NULL. */
void child_finish(struct child *child, double values[MEASURE_COUNT]);

/** Asks it to end (SIGTERM), then as child_finish. */
void child_stop(struct child *child, double values[MEASURE_COUNT]);

#endif
