// SPDX-License-Identifier: MIT
/*
 * DESIGN: a service that links Warren and keeps a main loop of its own. It registers three handlers
 * (jobs.h), each behind a counter of verdicts, starts the worker, and then sleeps until SIGTERM or
 * SIGINT; five times a second it writes its counts to `<folder>/report`, for whoever watches. What
 * the queues are called, how many jobs of a type run at once and when a failed one runs again is
 * no business of this file: see warren.cfg and queues/ beside it.
 *
 *     files_service CONFIG FOLDER
 */
#include "jobs.h"

#include <curl/curl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* A handler, and how its jobs ended. */
struct counted {
    const char *type;
    warren_handler *handler;
    void *user;
    atomic_uint done;
    atomic_uint retried;
    atomic_uint dead;
};

#define TYPES 3

static warren_verdict count(warren_job *job, void *user)
{
    struct counted *counted = user;
    warren_verdict verdict = counted->handler(job, counted->user);
    bool is_last = warren_job_attempt(job) >= warren_job_max_attempts(job);

    if (verdict == WARREN_DONE)
        atomic_fetch_add(&counted->done, 1);
    else if (verdict == WARREN_RETRY && !is_last)
        atomic_fetch_add(&counted->retried, 1);
    else
        atomic_fetch_add(&counted->dead, 1);
    return verdict;
}

/* Each line: a name, then done, retried and dead. Replaced in one step, so never seen half. */
static int write_report(const char *folder, const warren *w, struct counted *types)
{
    char name[PATH_MAX], scratch[PATH_MAX];
    warren_stats_data stats = { .size = sizeof stats };

    (void)snprintf(name, sizeof name, "%s/report", folder);
    (void)snprintf(scratch, sizeof scratch, "%s/report.new", folder);
    FILE *file = fopen(scratch, "we");
    if (!file)
        return -1;
    warren_stats(w, &stats);
    (void)fprintf(file, "all %llu %llu %llu\n", (unsigned long long)stats.done,
                  (unsigned long long)stats.retried, (unsigned long long)stats.dead);
    for (int i = 0; i < TYPES; i++)
        (void)fprintf(file, "%s %u %u %u\n", types[i].type, atomic_load(&types[i].done),
                      atomic_load(&types[i].retried), atomic_load(&types[i].dead));
    int rc = fclose(file);
    return rc ? rc : rename(scratch, name);
}

static int make_output(struct output *output, const char *folder)
{
    char name[PATH_MAX];

    output->folder = folder;
    (void)snprintf(name, sizeof name, "%s/archives", folder);
    (void)mkdir(name, 0755);
    (void)snprintf(name, sizeof name, "%s/digests", folder);
    output->digests = fopen(name, "ae");
    return output->digests ? 0 : -1;
}

static void log_line(void *user, int level, const char *event, const char *fields)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    (void)user;
    fprintf(stderr, "%s %s %s\n", levels[level < 0 || level > 3 ? 3 : level], event, fields);
}

/* Writes reports until a signal of `until` comes. */
static void wait_for_signal(const sigset_t *until, const char *folder, const warren *w,
                            struct counted *types)
{
    const struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
    while (sigtimedwait(until, NULL, &pause) < 0)
        (void)write_report(folder, w, types);
}

static warren_status serve(const char *config, struct output *output, const sigset_t *until,
                           warren_error *err)
{
    struct counted types[TYPES] = {
        { .type = "file.digest", .handler = file_digest, .user = output },
        { .type = "file.compress", .handler = file_compress, .user = output },
        { .type = "webhook.post", .handler = webhook_post },
    };
    warren *w = NULL;

    warren_status rc = warren_open(&w, config, err);
    for (int i = 0; !rc && i < TYPES; i++)
        rc = warren_handle(w, types[i].type, count, &types[i], err);
    if (!rc) {
        warren_log_to(log_line, NULL, warren_log_level(w));
        rc = warren_start(w, err);
    }
    if (!rc) {
        puts("ready");
        (void)fflush(stdout);
        wait_for_signal(until, output->folder, w, types);
        rc = warren_stop(w, -1, err);
        (void)write_report(output->folder, w, types);
    }
    warren_log_to(NULL, NULL, 0);
    warren_close(w);
    return rc;
}

int main(int argc, char **argv)
{
    struct output output = { .lock = PTHREAD_MUTEX_INITIALIZER };
    warren_error err = { 0 };
    sigset_t until;

    if (argc != 3) {
        fputs("usage: files_service CONFIG FOLDER\n", stderr);
        return 2;
    }
    if (make_output(&output, argv[2])) {
        perror(argv[2]);
        return 1;
    }
    // Blocked before any thread exists, so that no thread takes them from sigtimedwait.
    (void)sigemptyset(&until);
    (void)sigaddset(&until, SIGTERM);
    (void)sigaddset(&until, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &until, NULL);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);

    warren_status rc = serve(argv[1], &output, &until, &err);
    if (rc)
        fprintf(stderr, "%s\n", err.text);
    if (rc == WARREN_TIMEOUT) // A handler still runs: what it uses stays until the process ends.
        _Exit(warren_exit_code(rc));
    (void)fclose(output.digests);
    curl_global_cleanup();
    return warren_exit_code(rc);
}
