// SPDX-License-Identifier: MIT
// DESIGN: a service on Warren's public calls. Each type has one of a few handlers; those that count
// tell the gauge, and the last one wakes the main thread, which then drains.
//
//     warren_consume --config FILE --type TYPE [--types N] --count N [--does HOW] [--stamps]
//                    [--delay-ms N] [--sleeps TYPE=MIN-MAX/LIMIT] [--spins TYPE=US/LIMIT] …
//
// With --types they are TYPE.0, TYPE.1 … HOW a counting handler ends: done; retry (at its first run,
// and only the second one counts); dead (the time ends when all have gone). Other types sleep that
// many milliseconds or compute that many microseconds; how many ran at once is told, and whether
// each reached its limit. Without --count it runs until SIGTERM.
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "side.h"
#include "warren/warren.h"

enum {
    TYPE_BYTES = 256,
    LOADS_MOST = 8,
    NS_A_MS = 1000000,
    SLICE_NS = 50000000,
    POLL_NS = 500000,
    LINES_MOST = 5
};

/* A type of jobs that take their time. */
struct load {
    char type[TYPE_BYTES];
    long least; /* ms of sleep, or µs of computing */
    long most;
    long limit;
    bool spins;
    atomic_long running;
    atomic_long peak;
};

static struct side_gauge gauge;
static sem_t is_complete;
static struct load loads[LOADS_MOST];
static size_t load_count;
static atomic_long loads_running;
static atomic_long loads_peak;

static void raise_to(atomic_long *peak, long value)
{
    long seen = atomic_load(peak);
    while (seen < value && !atomic_compare_exchange_weak(peak, &seen, value)) {
        continue;
    }
}

static void start(const warren_job *job)
{
    if (side_start(&gauge, gauge.has_stamps ? warren_job_body(job, NULL) : NULL)) {
        (void)sem_post(&is_complete);
    }
}

/* --- handlers ------------------------------------------------------------------------------------- */

static warren_verdict end_done(warren_job *job, void *user)
{
    (void)user;
    start(job);
    return WARREN_DONE;
}

static warren_verdict end_retry(warren_job *job, void *user)
{
    (void)user;
    if (warren_job_attempt(job) == 1) {
        side_begin(&gauge);
        return warren_retry(job, "not now");
    }
    start(job);
    return WARREN_DONE;
}

static warren_verdict end_dead(warren_job *job, void *user)
{
    (void)user;
    start(job);
    return warren_dead(job, "never");
}

/* A cheap hash of the time, so that threads need no shared state. */
static long choose(const struct load *load)
{
    uint64_t z = (uint64_t)side_now_ns() * 0x9e3779b97f4a7c15U;
    return load->least + (long)((z >> 33) % (uint64_t)(load->most - load->least + 1));
}

/* In slices, so that a drain needs no more than one. */
static void sleep_for(const struct load *load, const warren_job *job)
{
    int64_t until_ns = side_now_ns() + (int64_t)choose(load) * NS_A_MS;
    for (int64_t left_ns = until_ns - side_now_ns(); left_ns > 0 && !warren_job_cancelled(job);
         left_ns = until_ns - side_now_ns()) {
        const struct timespec slice = { .tv_nsec = left_ns < SLICE_NS ? left_ns : SLICE_NS };
        (void)nanosleep(&slice, NULL);
    }
}

static void compute_for(const struct load *load)
{
    int64_t until_ns = side_now_ns() + load->least * 1000;
    while (side_now_ns() < until_ns) {
        continue;
    }
}

static warren_verdict work(warren_job *job, void *user)
{
    struct load *load = user;
    raise_to(&load->peak, atomic_fetch_add(&load->running, 1) + 1);
    raise_to(&loads_peak, atomic_fetch_add(&loads_running, 1) + 1);
    if (load->spins) {
        compute_for(load);
    } else {
        sleep_for(load, job);
    }
    atomic_fetch_sub(&load->running, 1);
    atomic_fetch_sub(&loads_running, 1);
    return WARREN_DONE;
}

/* --- the worker ----------------------------------------------------------------------------------- */

static void must(warren_status rc, const warren_error *err, const char *what)
{
    if (rc) {
        side_give_up(what, err->text);
    }
}

/* Warnings are expected where jobs fail on purpose; errors never are. */
static void take_line(void *user, int level, const char *event, const char *fields)
{
    static atomic_int lines;
    (void)user;
    if (level == 0 && atomic_fetch_add(&lines, 1) < LINES_MOST) {
        (void)fprintf(stderr, "warren_consume: %s %s\n", event, fields);
    }
}

static warren_handler *counting_handler(char **words)
{
    const char *how = side_word(words, "--does", "done");
    if (strcmp(how, "retry") == 0) {
        return end_retry;
    }
    return strcmp(how, "dead") == 0 ? end_dead : end_done;
}

static void handle_counted(warren *w, char **words)
{
    warren_error err;
    char name[TYPE_BYTES];
    const char *type = side_word(words, "--type", NULL);
    long types = side_number(words, "--types", 0);
    for (long i = 0; type && i < (types ? types : 1); i++) {
        (void)snprintf(name, sizeof name, types ? "%s.%ld" : "%s", type, i);
        must(warren_handle(w, name, counting_handler(words), NULL, &err), &err, "handle");
    }
}

static void handle_load(warren *w, const char *text, bool spins)
{
    warren_error err;
    struct load *load = &loads[load_count++];
    load->spins = spins;
    int got = sscanf(text, spins ? "%250[^=]=%ld/%ld" : "%250[^=]=%ld-%ld/%ld", load->type,
                     &load->least, spins ? &load->limit : &load->most, &load->limit);
    if (load_count == LOADS_MOST || got != (spins ? 3 : 4)) {
        side_give_up("cannot read", text);
    }
    load->most = spins ? load->least : load->most;
    must(warren_handle(w, load->type, work, load, &err), &err, "handle");
}

static void handle_loads(warren *w, char **words)
{
    for (; *words; words++) {
        bool spins = strcmp(*words, "--spins") == 0;
        if ((spins || strcmp(*words, "--sleeps") == 0) && words[1]) {
            handle_load(w, words[1], spins);
        }
    }
}

static void wait_for_dead(const warren *w)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    warren_stats_data stats = { .size = sizeof stats };
    for (warren_stats(w, &stats); stats.dead < (uint64_t)gauge.count; warren_stats(w, &stats)) {
        (void)nanosleep(&pause, NULL);
    }
    gauge.last = side_moment();
}

static void wait_for_term(void)
{
    sigset_t set;
    int number = 0;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigwait(&set, &number);
}

static void say_loads(void)
{
    long reached = 0;
    for (size_t i = 0; i < load_count; i++) {
        reached += loads[i].peak == loads[i].limit;
        if (loads[i].peak > loads[i].limit) {
            side_give_up(loads[i].type, "ran more often at once than its limit allows");
        }
    }
    side_say("at_limit", (double)reached);
    side_say("together", (double)loads_peak);
}

static void say(char **words)
{
    long delay_ms = side_number(words, "--delay-ms", 0);
    if (delay_ms) {
        side_say_arrivals(&gauge, delay_ms);
    } else if (gauge.count) {
        side_say_gauge(&gauge);
    }
    if (load_count) {
        say_loads();
    }
    side_end();
}

static void wait_until_over(const warren *w, char **words)
{
    if (!gauge.count) {
        wait_for_term();
        return;
    }
    while (sem_wait(&is_complete) != 0) {
        continue;
    }
    if (strcmp(side_word(words, "--does", ""), "dead") == 0) {
        wait_for_dead(w);
    }
    side_linger();
}

int main(int argc, char **argv)
{
    warren *w = NULL;
    warren_error err;
    sigset_t set;
    (void)argc;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* before there are threads, which inherit it */
    (void)sem_init(&is_complete, 0, 0);
    if (side_has(argv, "--count")) {
        side_open(&gauge, argv);
    }
    warren_log_to(take_line, NULL, 1);
    must(warren_open(&w, side_word(argv, "--config", NULL), &err), &err, "open");
    handle_counted(w, argv);
    handle_loads(w, argv);
    must(warren_start(w, &err), &err, "start");
    side_ready();
    wait_until_over(w, argv);
    must(warren_stop(w, -1, &err), &err, "stop");
    say(argv);
    warren_close(w);
    free(gauge.got);
    free(gauge.started_ns);
    return 0;
}
