// SPDX-License-Identifier: MIT
// DESIGN: CPU time of the process comes from getrusage, that of its threads and of the machine from
// /proc: in ticks of 10 ms, which is enough for measures of a second and more. Percentiles are exact:
// every time is kept and sorted.
#include "bench_gauge.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

int64_t bench_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* --- samples --- */

bool bench_samples_init(struct bench_samples *samples, size_t capacity)
{
    samples->items = calloc(capacity + 1, sizeof *samples->items);
    samples->capacity = samples->items ? capacity : 0;
    atomic_init(&samples->count, 0);
    return samples->items;
}

void bench_samples_add(struct bench_samples *samples, int64_t ns)
{
    size_t index = atomic_fetch_add_explicit(&samples->count, 1, memory_order_acq_rel);
    if (index < samples->capacity) {
        samples->items[index] = ns;
    }
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The smallest sample that `percent` of them don't exceed. */
static double percentile(const struct bench_samples *samples, size_t count, size_t percent)
{
    size_t rank = (count * percent + 99) / 100;
    return (double)samples->items[rank - 1] / 1e6;
}

struct bench_times bench_samples_sum(struct bench_samples *samples)
{
    size_t count = atomic_load(&samples->count);
    count = count < samples->capacity ? count : samples->capacity;
    if (!count) {
        return (struct bench_times){ 0 };
    }
    qsort(samples->items, count, sizeof *samples->items, compare);
    return (struct bench_times){ .count = count,
                                 .p50_ms = percentile(samples, count, 50),
                                 .p99_ms = percentile(samples, count, 99),
                                 .max_ms = percentile(samples, count, 100) };
}

void bench_samples_done(struct bench_samples *samples)
{
    free(samples->items);
    samples->items = NULL;
    samples->capacity = 0;
}

/* --- CPU --- */

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double process_cpu_s(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage)) {
        return 0;
    }
    return seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

/* The first line of a small file; false when it can't be read. */
static bool read_line(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    bool is_read = fgets(out, (int)size, file) != NULL;
    (void)fclose(file);
    return is_read;
}

/* "id (name) state …": user and system time are the 14th and 15th field. */
static bool read_thread(const char *id, struct bench_thread *out)
{
    enum { FIELDS_BETWEEN = 10 };
    char path[64];
    char line[512];
    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", id);
    const char *name = read_line(path, line, sizeof line) ? strchr(line, '(') : NULL;
    char *at = name ? strrchr(line, ')') : NULL;
    if (!at) {
        return false;
    }
    out->id = strtol(id, NULL, 10);
    (void)snprintf(out->name, sizeof out->name, "%.*s", (int)(at - name - 1), name + 1);
    at += strspn(at, ") ") + 1; /* behind the state's letter */
    for (int i = 0; i < FIELDS_BETWEEN; i++) {
        (void)strtol(at, &at, 10);
    }
    unsigned long user = strtoul(at, &at, 10);
    unsigned long kernel = strtoul(at, &at, 10);
    out->cpu_s = (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

static size_t read_threads(struct bench_thread *out)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;
    while (folder && count < BENCH_THREADS_MOST && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.' && read_thread(entry->d_name, &out[count])) {
            count++;
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    return count;
}

/* "cpu user nice system idle iowait irq softirq steal …", in ticks. */
static void read_machine(uint64_t *out_busy, uint64_t *out_total)
{
    enum { FIELDS = 8, IDLE = 3, IOWAIT = 4 };
    char line[256];
    *out_busy = 0;
    *out_total = 0;
    if (!read_line("/proc/stat", line, sizeof line) || strncmp(line, "cpu ", 4) != 0) {
        return;
    }
    char *at = line + 4;
    for (int i = 0; i < FIELDS; i++) {
        uint64_t ticks = strtoull(at, &at, 10);
        *out_total += ticks;
        *out_busy += i == IDLE || i == IOWAIT ? 0 : ticks;
    }
}

void bench_gauge_begin(struct bench_gauge *gauge)
{
    gauge->thread_count = read_threads(gauge->threads);
    read_machine(&gauge->busy, &gauge->total);
    gauge->cpu_s = process_cpu_s();
    gauge->begun_ns = bench_now_ns();
}

static double cpu_before(const struct bench_gauge *gauge, long id)
{
    for (size_t i = 0; i < gauge->thread_count; i++) {
        if (gauge->threads[i].id == id) {
            return gauge->threads[i].cpu_s;
        }
    }
    return 0;
}

/* A thread that ended meanwhile isn't seen; the bench's own measures keep theirs. */
static void find_busiest(const struct bench_gauge *gauge, struct bench_load *out)
{
    static struct bench_thread now[BENCH_THREADS_MOST]; /* too much for a stack */
    size_t count = read_threads(now);
    out->thread = -1;
    for (size_t i = 0; i < count; i++) {
        double share = (now[i].cpu_s - cpu_before(gauge, now[i].id)) / out->wall_s;
        if (share > out->thread) {
            out->thread = share;
            memcpy(out->thread_name, now[i].name, sizeof out->thread_name);
        }
    }
}

void bench_gauge_end(const struct bench_gauge *gauge, struct bench_load *out)
{
    uint64_t busy;
    uint64_t total;
    out->wall_s = (double)(bench_now_ns() - gauge->begun_ns) / 1e9;
    out->cpu_s = process_cpu_s() - gauge->cpu_s;
    read_machine(&busy, &total);
    out->machine =
        total > gauge->total ? (double)(busy - gauge->busy) / (double)(total - gauge->total) : -1;
    find_busiest(gauge, out);
}
