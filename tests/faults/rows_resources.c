// SPDX-License-Identifier: MIT
// DESIGN: rows about a machine that has nothing left: no descriptors, no room on the disk. A worker sets
// its own limit at its start (fault_worker.c), and the row changes it later by prlimit.
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "field_inside.h"
#include "letters.h"
#include "proxy.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, AT_ONCE = 4, PREFETCH = 20 };

/* --- descriptors ---------------------------------------------------------------------------------- */

static struct field_process *worker_with_files(struct field *field, const char *config, int most)
{
    char *files = field_print("FAULT_FILES=%d", most);
    const char *const environment[] = { files, NULL };
    struct field_process *worker =
        field_worker(field, &(struct field_worker){ .config = config, .environment = environment });
    free(files);
    return worker;
}

static void limit_files(const struct field_process *worker, rlim_t most)
{
    struct rlimit limit;
    if (prlimit(worker->pid, RLIMIT_NOFILE, NULL, &limit)) {
        field_give_up("no limit of descriptors", strerror(errno));
    }
    limit.rlim_cur = most;
    if (prlimit(worker->pid, RLIMIT_NOFILE, &limit, NULL)) {
        field_give_up("no limit of descriptors", strerror(errno));
    }
}

static bool has_decided(void *user)
{
    const struct field_process *worker = user;
    return !worker->pid || field_gauge(worker, "ready") == 1 ||
           field_log_count(worker, "Too many open files") > 0;
}

/* With so few it works, or it ends and says why not, or it says so and tries again. True: it works. */
static bool start_with(struct field *field, const char *config, int files)
{
    struct field_process *worker = worker_with_files(field, config, files);
    bool has = field_wait(field, has_decided, worker, READY_MS);
    bool is_ready = worker->pid && field_gauge(worker, "ready") == 1;
    bool is_said = field_log_count(worker, "Too many open files") > 0;
    field_expect(field, has && (is_ready || is_said), "with %d it neither works nor says why (%s)",
                 files, worker->log);
    if (worker->pid) {
        field_signal(worker, SIGTERM);
    }
    int code = field_wait_exit(field, worker, READY_MS);
    bool is_fine = is_ready ? code == 0 : code >= 0 && code < 128;
    bool is_late = !is_ready && code == 128 + SIGTERM; /* it was at its end already */
    field_expect(field, is_fine || is_late, "with %d it ends with %d (%s)", files, code,
                 worker->log);
    return is_ready;
}

static void start_with_few(struct field *field, const char *config)
{
    enum { LEAST = 5, MOST = 32, STEP = 3 }; /* with fewer it cannot keep the ledger */
    int working = 0;
    int refusing = 0;
    for (int files = LEAST; files < MOST; files += STEP) {
        bool works = start_with(field, config, files);
        working += works;
        refusing += !works;
    }
    field_note(field, "few: working=%d refusing=%d", working, refusing);
    field_expect(field, working > 0 && refusing > 0, "the limits were not about the matter");
}

/* --- the disk ------------------------------------------------------------------------------------- */

/* A file system of 16 KiB that is gone with this process. False: this user may not do that. */
static bool mount_tiny(const char *folder)
{
    return mkdir(folder, 0700) == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=16k,mode=0700") == 0;
}

static void fill(const char *folder)
{
    char *path = field_print("%s/filler", folder);
    FILE *file = fopen(path, "we");
    while (file && fputc('x', file) != EOF && fflush(file) == 0) {
    }
    if (file) {
        (void)fclose(file);
    }
    free(path);
}

static void files_run_out(struct field *field)
{
    static const char *const full_log[] = { "FAULT_STDERR=/dev/full", NULL };
    struct proxy *proxy = proxy_open(field_broker_port(field));
    char *tiny = field_print("%s/tiny", field->folder);
    char *state = field_print("state_dir = \"%s\";", tiny);
    bool is_tiny = mount_tiny(tiny);
    const char *straight = field_config(field, &(struct field_config){ .main = state });
    const char *config = field_config(field, &(struct field_config){ .port = proxy_port(proxy) });
    start_with_few(field, straight);

    /* A worker at its limit of 32, one whose log is full, one whose state folder is. */
    struct field_process *few = worker_with_files(field, config, 32);
    struct field_process *mute =
        field_worker(field, &(struct field_worker){ .config = config, .environment = full_log });
    (void)field_wait_gauge(field, few, "ready", 1, 1, READY_MS);
    (void)field_wait_gauge(field, mute, "ready", 1, 1, READY_MS);
    fill(tiny);
    struct field_process *full =
        letters_worker(field, &(struct field_worker){ .config = straight });
    field_expect(field, !is_tiny || field_log_count(full, "state_dir.unusable") == 1,
                 "nothing is said about the full state folder (%s)", full->log);
    (void)field_source(field, &(struct field_source){ .config = straight,
                                                      .body = "{\"do\":\"sleep\",\"ms\":2}",
                                                      .rate = 500 });
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs / 4, READY_MS);

    /* Now the first two lose their connections, and one of them has no descriptor for another. */
    limit_files(few, 3);
    (void)proxy_reset(proxy, PROXY_ALL);
    (void)field_wait_log(field, few, "Too many open files", 3, READY_MS);
    limit_files(few, 32);
    (void)field_wait_gauge(field, few, "connections", 2, 2, READY_MS);
    (void)field_wait_gauge(field, few, "ready", 1, 1, READY_MS);
    (void)field_wait_gauge(field, mute, "ready", 1, 1, READY_MS);
    (void)field_source(field, &(struct field_source){ .config = straight });
    (void)field_drain(field, DRAIN_MS);
    const struct field_process *const workers[] = { few, mute, full };
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        field_expect(field, field_gauge(workers[i], "done") > 0, "%s did nothing",
                     workers[i]->name);
    }
    field_note(field, "done: few=%" PRId64 " no_log=%" PRId64 " no_state=%" PRId64 "%s",
               field_gauge(few, "done"), field_gauge(mute, "done"), field_gauge(full, "done"),
               is_tiny ? "" : " (no mount: the state folder was not full)");
    free(tiny);
    free(state);
    proxy_close(proxy);
    field_check(field, &(struct field_bounds){ .duplicates_most = 2 * (PREFETCH + AT_ONCE),
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

const struct row rows_resources[] = {
    ROW(58, ROW_ONCE, 2000, 40, files_run_out,
        "no descriptors, a full disk under log and state folder: jobs go on, or it says why not"),
    ROWS_END,
};
