/* SPDX-License-Identifier: MIT */
/*
 * A state folder for one test, under /tmp, and jobs that have no more than a key and a start. What
 * can't be made ends the process. Threads: one.
 */
#ifndef TESTS_SUPPORT_STATE_FOLDER_H
#define TESTS_SUPPORT_STATE_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/ledger.h"
#include "io/state_dir.h"

static char state_path[64];
static int state_fd = -1;

static inline void state_make(void)
{
    warren_error err;
    (void)snprintf(state_path, sizeof state_path, "/tmp/warren-state.XXXXXX");
    if (!mkdtemp(state_path) || wr_state_dir_open(state_path, &state_fd, &err)) {
        perror(state_path);
        exit(1);
    }
}

static inline int state_remove_one(const char *path, const struct stat *info, int kind,
                                   struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void state_remove(void)
{
    (void)close(state_fd);
    (void)nftw(state_path, state_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/** The path of the one file with that ending; "" when there is none. Overwritten by the next call.
 */
static inline const char *state_file(const char *ending)
{
    static char path[400];
    DIR *folder = opendir(state_path);
    path[0] = '\0';
    for (struct dirent *found; folder && (found = readdir(folder));) {
        size_t length = strlen(found->d_name);
        if (length > strlen(ending) &&
            strcmp(found->d_name + length - strlen(ending), ending) == 0) {
            (void)snprintf(path, sizeof path, "%s/%s", state_path, found->d_name);
        }
    }
    (void)closedir(folder);
    return path;
}

/** A ledger of namespace "t" in the folder. */
static inline struct wr_ledger *state_ledger(int slots)
{
    struct wr_ledger *ledger = NULL;
    warren_error err;
    struct wr_ledger_options options = { state_fd, "t", slots };
    if (wr_ledger_open(&ledger, &options, &err)) {
        (void)fprintf(stderr, "state: %s\n", err.text);
        exit(1);
    }
    return ledger;
}

/** A job of queue "q" with that id. */
static inline struct warren_job state_job(const char *id)
{
    static const struct wr_queue_settings queue = { .name = (char *)(uintptr_t) "q" };
    return (struct warren_job){ .queue = &queue,
                                .id = wr_slice_of(id),
                                .started_us = wr_clock_mono_us(NULL) };
}

/** The end of a forked child: its exit code, or 1000 + the signal. */
static inline int state_wait(pid_t pid)
{
    int status = 0;
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
