// SPDX-License-Identifier: MIT
// DESIGN: both sides of a benchmark are measured by the same few lines, so that no difference lies
// here. A job costs one atomic increment, and with stamps two stores; the clock is read per job only
// then. The first and the last job note time and CPU of the whole process, and the last one also
// what is resident. An acknowledgement clock (ack_clock.c), if one was loaded, is asked at the end.
#include "side.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ack_clock.h"

enum { NS_A_US = 1000, NS_A_S = 1000000000, LINGER_NS = 100000000 };

void side_give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

int64_t side_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_A_S + now.tv_nsec;
}

const char *side_word(char **words, const char *name, const char *fallback)
{
    for (; *words; words++) {
        if (strcmp(*words, name) == 0 && words[1]) {
            return words[1];
        }
    }
    return fallback;
}

long side_number(char **words, const char *name, long fallback)
{
    const char *word = side_word(words, name, NULL);
    char *end = NULL;
    if (!word) {
        return fallback;
    }
    long number = strtol(word, &end, 10);
    if (end == word || *end || number < 0) {
        side_give_up(name, "wants a number");
    }
    return number;
}

bool side_has(char **words, const char *name)
{
    while (*words && strcmp(*words, name) != 0) {
        words++;
    }
    return *words;
}

void side_open(struct side_gauge *gauge, char **words)
{
    gauge->count = side_number(words, "--count", 0);
    gauge->skip = side_number(words, "--skip", 0);
    gauge->has_stamps = side_has(words, "--stamps");
    gauge->tells_first = side_has(words, "--first");
    if (gauge->count < 2 || gauge->count - 2 < gauge->skip) {
        side_give_up("--count", "wants at least 2, and more than --skip");
    }
    if (gauge->has_stamps) {
        gauge->got = calloc((size_t)gauge->count, sizeof *gauge->got);
        gauge->started_ns = calloc((size_t)gauge->count, sizeof *gauge->started_ns);
        if (!gauge->got || !gauge->started_ns) {
            side_give_up("--count", "out of memory");
        }
    }
}

static int64_t timeval_ns(struct timeval time)
{
    return (int64_t)time.tv_sec * NS_A_S + (int64_t)time.tv_usec * NS_A_US;
}

struct side_moment side_moment(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (struct side_moment){ .at_ns = side_now_ns(),
                                 .cpu_ns = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime),
                                 .sleeps = usage.ru_nvcsw };
}

static double resident_mib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) {
            break;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return (double)kib / 1024;
}

static void note_stamp(struct side_gauge *gauge, const void *body)
{
    struct side_stamp stamp;
    memcpy(&stamp, body, sizeof stamp);
    if (stamp.number >= 0 && stamp.number < gauge->count) {
        gauge->got[stamp.number] = stamp;
        gauge->started_ns[stamp.number] = side_now_ns();
    }
}

void side_begin(struct side_gauge *gauge)
{
    if (!atomic_load_explicit(&gauge->has_begun, memory_order_relaxed) &&
        !atomic_exchange(&gauge->has_begun, true)) {
        gauge->first = side_moment();
    }
}

bool side_start(struct side_gauge *gauge, const void *body)
{
    long number = atomic_fetch_add_explicit(&gauge->started, 1, memory_order_relaxed);
    if (gauge->has_stamps && body) {
        note_stamp(gauge, body);
    }
    if (number == gauge->skip) {
        side_begin(gauge);
    }
    if (number != gauge->count - 1) {
        return false;
    }
    gauge->last = side_moment();
    gauge->rss_mib = resident_mib();
    return true;
}

/* --- the result line ------------------------------------------------------------------------------ */

void side_ready(void)
{
    (void)puts("ready");
    (void)fflush(stdout);
}

void side_linger(void)
{
    const struct timespec pause = { .tv_nsec = LINGER_NS };
    (void)nanosleep(&pause, NULL);
}

void side_say(const char *name, double value)
{
    static bool has_begun;
    (void)printf(has_begun ? " %s=%.9g" : "result %s=%.9g", name, value);
    has_begun = true;
}

void side_end(void)
{
    (void)puts("");
    (void)fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void say_percentiles(int64_t *waits, long count, const char *const names[3])
{
    static const double shares[3] = { 0.5, 0.99, 0.999 };
    qsort(waits, (size_t)count, sizeof *waits, compare);
    for (int i = 0; i < 3; i++) {
        side_say(names[i], (double)waits[(long)(shares[i] * (double)(count - 1))] / NS_A_US);
    }
}

static void say_waits(const struct side_gauge *gauge)
{
    int64_t *waits = calloc((size_t)gauge->count, sizeof *waits);
    for (long i = 0; waits && i < gauge->count; i++) {
        if (!gauge->got[i].sent_ns) {
            side_give_up("stamps", "a job never came, or one came twice");
        }
        waits[i] = gauge->started_ns[i] - gauge->got[i].sent_ns;
    }
    if (waits) {
        say_percentiles(waits, gauge->count,
                        (const char *const[]){ "p50_us", "p99_us", "p999_us" });
    }
    free(waits);
}

/* One queue on a fresh channel: the n-th job that was published has the delivery tag n. */
static void say_acks(const struct side_gauge *gauge)
{
    ack_clock_when *when = (ack_clock_when *)(uintptr_t)dlsym(RTLD_DEFAULT, "ack_clock_when_acked");
    int64_t *waits = when ? calloc((size_t)gauge->count, sizeof *waits) : NULL;
    for (long i = 0; waits && i < gauge->count; i++) {
        int64_t acked_ns = when((uint64_t)i + 1);
        if (!acked_ns) {
            side_give_up("acknowledgements", "one was never seen on its way");
        }
        waits[i] = acked_ns - gauge->got[i].sent_ns;
    }
    if (waits) {
        say_percentiles(waits, gauge->count,
                        (const char *const[]){ "ack_p50_us", "ack_p99_us", "ack_p999_us" });
    }
    free(waits);
}

static void say_spent(struct side_moment first, struct side_moment last, double jobs)
{
    side_say("cpu_us", (double)(last.cpu_ns - first.cpu_ns) / NS_A_US / jobs);
    side_say("sleeps", (double)(last.sleeps - first.sleeps) / jobs);
}

void side_say_gauge(const struct side_gauge *gauge)
{
    double jobs = (double)(gauge->count - 1 - gauge->skip);
    double spent_ns = (double)(gauge->last.at_ns - gauge->first.at_ns);
    const char *exec = getenv("BENCH_EXEC_NS");
    if (gauge->tells_first) { /* of so few jobs nothing else is worth telling */
        side_say("first_ms",
                 (double)(gauge->first.at_ns - strtoll(exec ? exec : "0", NULL, 10)) / 1e6);
        return;
    }
    side_say("rate", jobs / spent_ns * NS_A_S);
    say_spent(gauge->first, gauge->last, jobs);
    side_say("rss_mib", gauge->rss_mib);
    if (gauge->has_stamps) {
        say_waits(gauge);
        say_acks(gauge);
    }
}

void side_say_arrivals(const struct side_gauge *gauge, long delay_ms)
{
    int64_t began_ns = gauge->got[0].sent_ns + (int64_t)delay_ms * 1000000;
    side_say("rate", (double)gauge->count / (double)(gauge->last.at_ns - began_ns) * NS_A_S);
    say_spent(gauge->first, gauge->last, (double)gauge->count);
    side_say("rss_mib", gauge->rss_mib);
}

void side_say_publishes(long count, struct side_moment first, struct side_moment last)
{
    side_say("rate", (double)count / (double)(last.at_ns - first.at_ns) * NS_A_S);
    say_spent(first, last, (double)count);
    side_say("rss_mib", resident_mib());
}
