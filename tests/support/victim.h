/* SPDX-License-Identifier: MIT */
/*
 * A worker that dies: the test's own program again, run in another process as a service would be
 * (--worker). Its handler does what the job's body says, and tells through a pipe which runs it
 * began. The including test's main starts with victim_main. Threads: one.
 */
#ifndef TESTS_SUPPORT_VICTIM_H
#define TESTS_SUPPORT_VICTIM_H

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "state_folder.h"

enum { VICTIM_WAIT_MS = 30000 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { VICTIM_SANITIZED = 1 }; /* their handlers report and exit by themselves */
#else
enum { VICTIM_SANITIZED = 0 };
#endif

/* --- the worker's side --- */

struct side {
    warren *w;
    int fd;
};

static void pass_ms(int64_t ms)
{
    struct timespec time = { ms / 1000, (ms % 1000) * 1000000L };
    while (nanosleep(&time, &time)) {
    }
}

static volatile bool goes_deeper = true;

__attribute__((noinline)) static int overflow(volatile char *above)
{
    volatile char room[4096];
    room[0] = (char)(above[0] + 1);
    return goes_deeper ? overflow(room) + room[0] : 0;
}

/* Until the broker has handed over so many jobs, this one counted. */
static void wait_prefetched(const struct side *side, int64_t count)
{
    warren_stats_data stats = { .size = sizeof stats };
    for (int i = 0; i < 2000 && stats.in_flight < (uint32_t)count; i++) {
        pass_ms(5);
        warren_stats(side->w, &stats);
    }
}

__attribute__((noinline)) static void store_astray(void)
{
    volatile int *volatile astray = (volatile int *)(uintptr_t)64; /* no warning, at any level */
    *astray = 1;
}

static void go_wrong(const char *how)
{
    volatile char start[1] = { 0 };
    if (strcmp(how, "fault") == 0) {
        store_astray();
    } else if (strcmp(how, "overflow") == 0) {
        (void)overflow(start);
    } else if (strcmp(how, "abort") == 0) {
        abort();
    } else if (strcmp(how, "exit") == 0) {
        exit(3);
    }
}

/* {"do": what, "prefetched": first wait for so many, "once": only when it wasn't redelivered} */
static warren_verdict act(warren_job *job, void *user)
{
    const struct side *side = user;
    char line[200];
    int64_t prefetched = 0;
    const char *how = warren_job_string(job, "do");
    bool is_again = warren_job_redelivered(job);
    int size = snprintf(line, sizeof line, "%s %d %d\n", warren_job_id(job),
                        warren_job_attempt(job), is_again);
    if (warren_job_int(job, "prefetched", &prefetched)) {
        wait_prefetched(side, prefetched);
    }
    (void)!write(side->fd, line, (size_t)size);
    how = how ? how : "done";
    if (is_again && warren_job_bool(job, "once", false)) {
        return warren_dead(job, "seen again");
    }
    go_wrong(how);
    while (strcmp(how, "hang") == 0) {
        pass_ms(10);
    }
    return WARREN_DONE;
}

static int be_worker(const char *config, const char *type, const char *fd)
{
    struct side side = { NULL, atoi(fd) };
    warren_error err = { .status = WARREN_OK };
    warren_status rc = warren_open(&side.w, config, &err);
    rc = rc ? rc : warren_handle(side.w, type, act, &side, &err);
    rc = rc ? rc : warren_run(side.w, &err);
    if (rc) {
        (void)fprintf(stderr, "worker: %s\n", err.text);
    }
    warren_close(side.w);
    return warren_exit_code(rc);
}

/* --- the test's side --- */

/* The queue of the test that runs, and its only type: no other test's queue takes its jobs. */
static char queue_name[64];

struct worker {
    pid_t pid;
    FILE *runs; /* a line for each run that began: id, attempt, redelivered */
};

static inline struct worker start_worker(const char *config)
{
    int ends[2];
    char fd[16];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    (void)snprintf(fd, sizeof fd, "%d", ends[1]);
    (void)fflush(NULL);
    struct worker worker = { fork(), NULL };
    if (worker.pid == 0) {
        (void)close(ends[0]);
        if (VICTIM_SANITIZED) {
            (void)close(STDERR_FILENO); /* reports of what is meant to happen */
        }
        (void)execl("/proc/self/exe", "victim", "--worker", config, queue_name, fd, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    worker.runs = fdopen(ends[0], "r");
    (void)setvbuf(worker.runs, NULL, _IONBF, 0);
    return worker;
}

struct run {
    char id[64];
    int attempt;
    int is_again;
};

/* The next run that began; false: the worker is gone, or the time has passed. */
static inline bool next_run(const struct worker *worker, struct run *out)
{
    struct pollfd fd = { .fd = fileno(worker->runs), .events = POLLIN };
    if (poll(&fd, 1, VICTIM_WAIT_MS) <= 0) {
        return false;
    }
    return fscanf(worker->runs, "%63s %d %d", out->id, &out->attempt, &out->is_again) == 3;
}

static inline bool next_is(const struct worker *worker, const char *id)
{
    struct run run = { 0 };
    return next_run(worker, &run) && strcmp(run.id, id) == 0;
}

static inline int end_worker(struct worker *worker)
{
    (void)fclose(worker->runs);
    return state_wait(worker->pid);
}

static inline int stop_worker(struct worker *worker, int number)
{
    (void)kill(worker->pid, number);
    return end_worker(worker);
}

/** True: this process is the victim, and has run; `*out` is its exit code. */
static inline bool victim_main(int argc, char **argv, int *out)
{
    if (argc != 5 || strcmp(argv[1], "--worker") != 0) {
        return false;
    }
    *out = be_worker(argv[2], argv[3], argv[4]);
    return true;
}

#endif
