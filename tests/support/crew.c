// SPDX-License-Identifier: MIT
// DESIGN: integration tests differ in their queue files and handlers, not in how a worker is
// started or how its runs are recorded, so that stands here once. Runs are kept in one locked
// array; a test reads it when its worker is quiet.
#include "crew.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

enum { FOLDERS_MOST = 64, RUNS_MOST = 200000 };

static char *folders[FOLDERS_MOST];
static size_t folder_count;

static struct {
    pthread_mutex_t lock;
    struct crew_run *items;
    size_t length;
    size_t capacity;
} runs = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "crew: %s: %s\n", what, why);
    exit(1);
}

int64_t crew_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_folders(void)
{
    for (size_t i = 0; i < folder_count; i++) {
        (void)nftw(folders[i], remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(folders[i]);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file)) {
        give_up("cannot write", path);
    }
    (void)chmod(path, 0600);
}

void crew_change(const char *config, const char *queue_text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%.*s/queues/10-test.cfg",
                   (int)(strrchr(config, '/') - config), config);
    write_file(path, queue_text);
}

char *crew_config_at(const char *broker_text, const char *main_text, const char *queue_text)
{
    char folder[] = "/tmp/warren-crew.XXXXXX";
    char path[512];
    char text[4096];
    if (!mkdtemp(folder) || folder_count == FOLDERS_MOST) {
        give_up("cannot make", folder);
    }
    if (!folder_count) {
        (void)atexit(remove_folders);
    }
    folders[folder_count++] = strdup(folder);
    (void)snprintf(path, sizeof path, "%s/queues", folder);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof path, "%s/warren.cfg", folder);
    const char *state = strstr(main_text, "state_dir") ? "" : "state_dir = \"none\";";
    (void)snprintf(text, sizeof text, "broker: { %s }; %s\n%s\n", broker_text, state, main_text);
    write_file(path, text);
    crew_change(path, queue_text);
    return strdup(path);
}

char *crew_config(const char *main_text, const char *queue_text)
{
    char text[600];
    (void)snprintf(text, sizeof text, "url = \"%s\";", live_url());
    return crew_config_at(text, main_text, queue_text);
}

static void print_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)fprintf(stderr, "# %d %s %s\n", level, event, fields);
}

warren *crew_open(const char *config)
{
    warren *w = NULL;
    warren_error err;
    warren_log_to(print_line, NULL,
                  getenv("WARREN_TEST_LOG") ? atoi(getenv("WARREN_TEST_LOG")) : 0);
    if (warren_open(&w, config, &err)) {
        give_up("cannot open", err.text);
    }
    return w;
}

void crew_start(warren *w)
{
    warren_error err;
    if (warren_start(w, &err)) {
        give_up("cannot start", err.text);
    }
}

void crew_stop(warren *w)
{
    warren_error err;
    if (warren_stop(w, 30000, &err)) {
        give_up("cannot stop", err.text);
    }
    warren_close(w);
}

size_t crew_note(const warren_job *job)
{
    struct crew_run run = { .attempt = warren_job_attempt(job), .began_us = crew_now_us() };
    (void)snprintf(run.type, sizeof run.type, "%s", warren_job_type(job));
    (void)snprintf(run.id, sizeof run.id, "%s", warren_job_id(job));
    (void)snprintf(run.queue, sizeof run.queue, "%s", warren_job_queue(job));
    (void)pthread_mutex_lock(&runs.lock);
    if (runs.length == runs.capacity) {
        runs.capacity = runs.capacity ? runs.capacity * 2 : 1024;
        runs.items = realloc(runs.items, runs.capacity * sizeof *runs.items);
    }
    if (!runs.items || runs.length >= RUNS_MOST) {
        give_up("too many runs", run.type);
    }
    size_t index = runs.length++;
    runs.items[index] = run;
    (void)pthread_mutex_unlock(&runs.lock);
    return index;
}

void crew_note_end(size_t run)
{
    (void)pthread_mutex_lock(&runs.lock);
    runs.items[run].ended_us = crew_now_us();
    (void)pthread_mutex_unlock(&runs.lock);
}

warren_verdict crew_accept(warren_job *job, void *user)
{
    (void)user;
    crew_note_end(crew_note(job));
    return WARREN_DONE;
}

size_t crew_runs(void)
{
    (void)pthread_mutex_lock(&runs.lock);
    size_t length = runs.length;
    (void)pthread_mutex_unlock(&runs.lock);
    return length;
}

struct crew_run crew_run(size_t index)
{
    (void)pthread_mutex_lock(&runs.lock);
    struct crew_run run = index < runs.length ? runs.items[index] : (struct crew_run){ 0 };
    (void)pthread_mutex_unlock(&runs.lock);
    return run;
}

void crew_forget(void)
{
    (void)pthread_mutex_lock(&runs.lock);
    runs.length = 0;
    (void)pthread_mutex_unlock(&runs.lock);
}

static bool has_runs(void *user)
{
    return crew_runs() >= *(size_t *)user;
}

bool crew_wait_runs(size_t count, int deadline_ms)
{
    return live_wait(has_runs, &count, deadline_ms);
}

struct ended {
    warren *w;
    size_t count;
};

static bool has_ended(void *user)
{
    struct ended *ended = user;
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(ended->w, &stats);
    return stats.done + stats.dead + stats.discarded >= ended->count && stats.in_flight == 0;
}

bool crew_wait_ended(warren *w, size_t count, int deadline_ms)
{
    struct ended ended = { w, count };
    return live_wait(has_ended, &ended, deadline_ms);
}

static int compare_times(const void *a, const void *b)
{
    const int64_t *left = a;
    const int64_t *right = b;
    int64_t l = left[0] < 0 ? -left[0] : left[0];
    int64_t r = right[0] < 0 ? -right[0] : right[0];
    if (l != r) {
        return l < r ? -1 : 1;
    }
    return (left[0] > 0) - (right[0] > 0); /* an end before a beginning at the same microsecond */
}

int crew_most_at_once(const char *type)
{
    size_t length = crew_runs();
    int64_t *times = calloc(2 * length + 1, sizeof *times);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        struct crew_run run = crew_run(i);
        if (strcmp(run.type, type) == 0) {
            times[count++] = run.began_us;
            times[count++] = -run.ended_us;
        }
    }
    qsort(times, count, sizeof *times, compare_times);
    int most = 0;
    int now = 0;
    for (size_t i = 0; i < count; i++) {
        now += times[i] > 0 ? 1 : -1;
        most = now > most ? now : most;
    }
    free(times);
    return most;
}

struct depth {
    warren_admin *admin;
    const char *queue;
    uint64_t want;
    uint64_t got;
};

static bool read_depth(const warren_queue_info *info, void *user)
{
    struct depth *depth = user;
    if (strcmp(info->name, depth->queue) == 0) {
        depth->got = info->messages;
    }
    return true;
}

static bool has_depth(void *user)
{
    struct depth *depth = user;
    warren_error err;
    depth->got = UINT64_MAX;
    if (warren_queue_each(depth->admin, read_depth, depth, &err)) {
        give_up("cannot list queues", err.text);
    }
    return depth->got == depth->want;
}

bool crew_wait_depth(const char *config, const char *queue, uint64_t count, int deadline_ms)
{
    struct depth depth = { .queue = queue, .want = count };
    warren_error err;
    if (warren_admin_open(&depth.admin, config, &err)) {
        give_up("cannot connect", err.text);
    }
    bool holds = live_wait(has_depth, &depth, deadline_ms);
    warren_admin_close(depth.admin);
    return holds;
}

struct visit {
    warren_dead_visitor *call;
    void *user;
    size_t count;
};

static bool count_and_visit(const warren_dead_letter *letter, void *user)
{
    struct visit *visit = user;
    visit->count++;
    return visit->call ? visit->call(letter, visit->user) : true;
}

size_t crew_dead(const char *config, const char *queue, warren_dead_visitor *visit, void *user)
{
    warren_admin *admin = NULL;
    warren_error err;
    struct visit all = { visit, user, 0 };
    warren_dead_filter filter = { .queue = queue };
    if (warren_admin_open(&admin, config, &err) ||
        warren_dead_each(admin, &filter, count_and_visit, &all, &err)) {
        give_up("cannot walk the dead letters", err.text);
    }
    warren_admin_close(admin);
    return all.count;
}
