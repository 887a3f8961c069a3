// SPDX-License-Identifier: MIT
// DESIGN: workers and sources are real processes, forked and executed, told by their environment what
// to do. The kernel ends them when this process dies (PR_SET_PDEATHSIG), so a row that crashes or is
// killed by CTest leaves nothing behind. Waiting is always field_wait, which reaps the ended and
// starts again what the row wants supervised.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "field_inside.h"

enum {
    ENVIRONMENT_MOST = 40,
    RESTART_PAUSE_MS = 100,
    WAIT_STEP_US = 5000,
    GAUGE_TAIL_BYTES = 4096
};

static struct field_slot *slot_of(const struct field_process *process)
{
    return (struct field_slot *)(uintptr_t)process; /* its first member */
}

/* --- starting ------------------------------------------------------------------------------------- */

static void redirect(const char *log)
{
    int fd = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || nothing < 0) {
        _exit(127);
    }
    (void)dup2(nothing, STDIN_FILENO);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
}

static void become(const struct field_slot *slot, pid_t parent)
{
    const struct field_start *start = &slot->start;
    const struct rlimit no_core = { 0, 0 };
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (getppid() != parent) {
        _exit(127);
    }
    redirect(slot->process.log);
    for (char **word = start->environment; *word; word++) {
        (void)putenv(*word);
    }
    if (start->crash_at && !slot->process.restarts) {
        (void)setenv("WARREN_CRASH_AT", start->crash_at, 1);
    }
    (void)execl(start->program, start->program, (char *)NULL);
    (void)fprintf(stderr, "cannot run %s: %s\n", start->program, strerror(errno));
    _exit(127);
}

static void launch(struct field_slot *slot)
{
    pid_t parent = getpid();
    (void)fflush(NULL);
    slot->process.started_us = field_now_us();
    slot->process.ended_us = 0;
    slot->process.exit_code = -1;
    slot->process.pid = fork();
    if (slot->process.pid < 0) {
        field_give_up("no process", strerror(errno));
    }
    if (!slot->process.pid) {
        become(slot, parent);
    }
}

static struct field_slot *new_slot(struct field *field, const char *kind, size_t number)
{
    struct field_inside *inside = field->inside;
    if (inside->process_count == FIELD_PROCESSES_MOST) {
        field_give_up("too many processes", kind);
    }
    struct field_slot *slot = &inside->slots[inside->process_count++];
    (void)snprintf(slot->process.name, sizeof slot->process.name, "%s%zu", kind, number);
    slot->process.log = field_print("%s/%s.log", field->folder, slot->process.name);
    slot->start.environment = calloc(ENVIRONMENT_MOST + 1, sizeof *slot->start.environment);
    if (!slot->start.environment) {
        field_give_up("out of memory", kind);
    }
    return slot;
}

__attribute__((format(printf, 2, 3))) static void tell(struct field_slot *slot, const char *format,
                                                       ...)
{
    char *text = NULL;
    va_list args;
    size_t count = 0;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    while (slot->start.environment[count]) {
        count++;
    }
    if (length < 0 || count == ENVIRONMENT_MOST) {
        field_give_up("too much to tell", slot->process.name);
    }
    slot->start.environment[count] = text;
}

static void tell_all(struct field_slot *slot, const char *const *words)
{
    for (; words && *words; words++) {
        tell(slot, "%s", *words);
    }
}

static const char *config_of(struct field *field, const char *config)
{
    if (config) {
        return config;
    }
    return field->inside->config_count ? field->inside->configs[0] : field_config(field, NULL);
}

struct field_process *field_worker(struct field *field, const struct field_worker *how)
{
    static const struct field_worker usual;
    how = how ? how : &usual;
    struct field_slot *slot = new_slot(field, "worker", ++field->inside->worker_count);
    slot->process.gauges = field_print("%s/%s.gauges", field->folder, slot->process.name);
    slot->start.program = FAULT_WORKER;
    slot->start.crash_at = how->crash_at;
    slot->start.restarts_most = how->restarts_most;
    tell(slot, "FAULT_CONFIG=%s", config_of(field, how->config));
    tell(slot, "FAULT_LEDGER=%s", field->ledger);
    tell(slot, "FAULT_GAUGES=%s", slot->process.gauges);
    tell(slot, "FAULT_TYPES=%s", how->types ? how->types : "work");
    tell(slot, "FAULT_BEHAVE=%s", how->behave ? how->behave : "");
    tell_all(slot, how->environment);
    launch(slot);
    return &slot->process;
}

void field_worker_again(struct field_process *worker)
{
    struct field_slot *slot = slot_of(worker);
    if (worker->pid) {
        field_give_up("runs already", worker->name);
    }
    worker->restarts++;
    worker->signalled_us = 0;
    slot->start.restarts_most = worker->restarts; /* else it counts as to be started again */
    launch(slot);
}

struct field_process *field_source(struct field *field, const struct field_source *how)
{
    static const struct field_source usual;
    how = how ? how : &usual;
    size_t number = ++field->inside->source_count;
    struct field_slot *slot = new_slot(field, "source", number);
    slot->start.program = FAULT_SOURCE;
    tell(slot, "FAULT_CONFIG=%s", config_of(field, how->config));
    tell(slot, "FAULT_LEDGER=%s", field->ledger);
    tell(slot, "FAULT_PREFIX=%llx-%zu", (unsigned long long)field->seed, number);
    tell(slot, "FAULT_SEED=%llu", (unsigned long long)field_random(field, UINT64_MAX));
    tell(slot, "FAULT_TYPE=%s", how->type ? how->type : "work");
    tell(slot, "FAULT_BODY=%s", how->body ? how->body : "");
    tell(slot, "FAULT_ODD_BODY=%s", how->odd_body ? how->odd_body : "");
    tell(slot, "FAULT_ODD_EVERY=%d", how->odd_body ? how->odd_every : 0);
    tell(slot, "FAULT_COUNT=%d", how->count ? how->count : field->jobs);
    tell(slot, "FAULT_RATE=%d", how->rate);
    tell(slot, "FAULT_WINDOW=%d", how->window);
    tell(slot, "FAULT_DELAY_MS=%d", how->delay_ms);
    tell(slot, "FAULT_DELAY_SPREAD_MS=%d", how->delay_spread_ms);
    tell(slot, "FAULT_EXPIRES_MS=%d", how->expires_ms);
    tell(slot, "FAULT_REPUBLISH_MS=%d", how->republish_ms);
    tell_all(slot, how->environment);
    launch(slot);
    return &slot->process;
}

const char *field_job_id(struct field *field, const struct field_process *source, int index)
{
    static char id[64];
    (void)snprintf(id, sizeof id, "%llx-%s-%d", (unsigned long long)field->seed,
                   source->name + strlen("source"), index);
    return id;
}

/* --- ending --------------------------------------------------------------------------------------- */

static void reap(struct field_slot *slot)
{
    int status;
    struct field_process *process = &slot->process;
    if (!process->pid || waitpid(process->pid, &status, WNOHANG) != process->pid) {
        return;
    }
    process->ended_us = field_now_us();
    process->pid = 0;
    process->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool field_is_over(const struct field_process *process)
{
    return !process->pid &&
           (process->exit_code == 0 || process->restarts >= slot_of(process)->start.restarts_most);
}

static bool wants_restart(const struct field_slot *slot)
{
    return !slot->process.pid && !field_is_over(&slot->process) &&
           field_now_us() - slot->process.ended_us >= RESTART_PAUSE_MS * 1000;
}

void field_tend(struct field *field)
{
    for (size_t i = 0; i < field->inside->process_count; i++) {
        struct field_slot *slot = &field->inside->slots[i];
        reap(slot);
        if (wants_restart(slot)) {
            slot->process.restarts++;
            launch(slot);
        }
    }
}

static void free_slot(struct field_slot *slot)
{
    for (char **word = slot->start.environment; word && *word; word++) {
        free(*word);
    }
    free(slot->start.environment);
    free((void *)(uintptr_t)slot->process.log);
    free((void *)(uintptr_t)slot->process.gauges);
    *slot = (struct field_slot){ 0 };
}

void field_end_processes(struct field *field)
{
    for (size_t i = 0; i < field->inside->process_count; i++) {
        struct field_slot *slot = &field->inside->slots[i];
        if (slot->process.pid) {
            (void)kill(slot->process.pid, SIGKILL);
            (void)waitpid(slot->process.pid, NULL, 0);
        }
        free_slot(slot);
    }
    field->inside->process_count = 0;
}

void field_signal(struct field_process *process, int signal)
{
    process->signalled_us = field_now_us();
    if (!process->pid || kill(process->pid, signal)) {
        field_give_up("cannot signal", process->name);
    }
    if (signal == SIGTERM || signal == SIGINT) { /* a supervisor that ends it starts no other */
        slot_of(process)->start.restarts_most = process->restarts;
    }
}

static bool has_ended(void *user)
{
    const struct field_process *process = user;
    return !process->pid;
}

int field_wait_exit(struct field *field, struct field_process *process, int deadline_ms)
{
    return field_wait(field, has_ended, process, deadline_ms) ? process->exit_code : -1;
}

int64_t field_end_ms(const struct field_process *process)
{
    return (process->ended_us - process->signalled_us) / 1000;
}

void field_expect_exit(struct field *field, struct field_process *process, int code, int most_ms)
{
    int64_t from_us = process->signalled_us ? process->signalled_us : field_now_us();
    int64_t left_ms = (from_us - field_now_us()) / 1000 + most_ms;
    int got = field_wait_exit(field, process, left_ms > 0 ? (int)left_ms : 0);
    if (got < 0) {
        field_expect(field, false, "%s still runs after %d ms", process->name, most_ms);
        return;
    }
    field_expect(field, got == code, "%s ends with %d, not with %d", process->name, got, code);
    field_expect(field, process->ended_us - from_us <= (int64_t)most_ms * 1000,
                 "%s took %lld ms to end, more than %d", process->name,
                 (long long)(process->ended_us - from_us) / 1000, most_ms);
}

/* --- looking -------------------------------------------------------------------------------------- */

/* The value of a gauge in one line, -1 when it isn't there. */
static int64_t value_in(const char *line, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = line; (at = strstr(at, name)); at += length) {
        if (at > line && at[-1] == ' ' && at[length] == '=') {
            return strtoll(at + length + 1, NULL, 10);
        }
    }
    return -1;
}

static int64_t read_gauge(const struct field_process *worker, const char *name, bool wants_most)
{
    int64_t found = -1;
    char *line = NULL;
    size_t size = 0;
    FILE *file = worker->gauges ? fopen(worker->gauges, "re") : NULL;
    if (file && !wants_most) {
        (void)fseek(file, -GAUGE_TAIL_BYTES, SEEK_END); /* fails on a short file: all of it then */
    }
    while (file && getline(&line, &size, file) > 0) {
        int64_t value = value_in(line, name);
        bool counts = strchr(line, '\n') && (!wants_most || value > found);
        found = counts ? value : found;
    }
    free(line);
    if (file) {
        (void)fclose(file);
    }
    return found;
}

int64_t field_gauge(const struct field_process *worker, const char *name)
{
    return read_gauge(worker, name, false);
}

int64_t field_gauge_most(const struct field_process *worker, const char *name)
{
    return read_gauge(worker, name, true);
}

int field_log_count(const struct field_process *process, const char *text)
{
    int count = 0;
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(process->log, "re");
    while (file && getline(&line, &size, file) > 0) {
        count += strstr(line, text) != NULL;
    }
    free(line);
    if (file) {
        (void)fclose(file);
    }
    return count;
}

static int count_fds(pid_t pid)
{
    char path[64];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *folder = opendir(path);
    while (folder && readdir(folder)) {
        count++;
    }
    if (folder) {
        (void)closedir(folder);
    }
    return count - 2; /* . and .. */
}

struct field_usage field_usage(const struct field_process *process)
{
    char path[64];
    char line[256];
    struct field_usage usage = { .fds = count_fds(process->pid) };
    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)process->pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "Threads: %d", &usage.threads);
        (void)sscanf(line, "VmRSS: %" SCNd64, &usage.rss_kib);
    }
    if (file) {
        (void)fclose(file);
    }
    return usage;
}

/* --- waiting -------------------------------------------------------------------------------------- */

int64_t field_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool field_wait(struct field *field, bool (*holds)(void *user), void *user, int deadline_ms)
{
    const struct timespec step = { .tv_nsec = WAIT_STEP_US * 1000 };
    int64_t until_us = field_now_us() + (int64_t)deadline_ms * 1000;
    for (;;) {
        field_tend(field);
        bool is_over = field_now_us() >= until_us;
        if (holds(user)) {
            return true;
        }
        if (is_over) {
            return false;
        }
        (void)nanosleep(&step, NULL);
    }
}

static bool never(void *user)
{
    (void)user;
    return false;
}

void field_pass(struct field *field, int ms)
{
    (void)field_wait(field, never, NULL, ms);
}

struct wanted_count {
    struct field *field;
    enum book_count what;
    uint64_t least;
};

static bool has_count(void *user)
{
    const struct wanted_count *wanted = user;
    field_read(wanted->field);
    return book_count(wanted->field->book, wanted->what) >= wanted->least;
}

bool field_wait_count(struct field *field, enum book_count what, uint64_t least, int deadline_ms)
{
    static const char *const names[BOOK_COUNTS] = { "attempted", "confirmed", "unknown", "refused",
                                                    "started",   "done",      "failed",  "dead",
                                                    "open",      "broken" };
    struct wanted_count wanted = { field, what, least };
    bool holds = field_wait(field, has_count, &wanted, deadline_ms);
    return field_expect(field, holds, "%s is %llu after %d ms, not %llu", names[what],
                        (unsigned long long)book_count(field->book, what), deadline_ms,
                        (unsigned long long)least);
}

struct wanted_gauge {
    struct field_process *worker;
    const char *name;
    int64_t least;
    int64_t most;
};

static bool has_gauge(void *user)
{
    const struct wanted_gauge *wanted = user;
    int64_t value = field_gauge(wanted->worker, wanted->name);
    return (value >= wanted->least && value <= wanted->most) || field_is_over(wanted->worker);
}

bool field_wait_gauge(struct field *field, struct field_process *worker, const char *name,
                      int64_t least, int64_t most, int deadline_ms)
{
    struct wanted_gauge wanted = { worker, name, least, most };
    (void)field_wait(field, has_gauge, &wanted, deadline_ms);
    int64_t value = field_gauge(worker, name);
    bool holds = value >= least && value <= most;
    return field_expect(field, holds, "%s: gauge %s is %lld after %d ms, not %lld to %lld",
                        worker->name, name, (long long)value, deadline_ms, (long long)least,
                        (long long)most);
}

struct wanted_log {
    struct field_process *process;
    const char *text;
    int least;
};

static bool has_log(void *user)
{
    const struct wanted_log *wanted = user;
    return field_log_count(wanted->process, wanted->text) >= wanted->least;
}

bool field_wait_log(struct field *field, struct field_process *process, const char *text, int least,
                    int deadline_ms)
{
    struct wanted_log wanted = { process, text, least };
    bool holds = field_wait(field, has_log, &wanted, deadline_ms);
    return field_expect(field, holds, "the log of %s never says '%s' (%d times wanted)",
                        process->name, text, least);
}
