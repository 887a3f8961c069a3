// SPDX-License-Identifier: MIT
// DESIGN: the measures of the consuming side, each with a worker of its own in this process, so that
// one monotonic clock dates both ends: the publish writes its time into a header, the handler reads
// it. A drain begins with the first handler's call and ends with the last one's; what the worker needs
// to start isn't in it. Handlers run on many threads, so all that they write is atomic.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "bench_flight.h"
#include "say.h"
#include "warren/warren.h"

#define HEADER "bench-at-ns"

enum {
    NS_PER_MS = 1000000,
    STALL_MS = 10000,
    STOP_MS = 5000,
    LADDER_MOST = 200,
    LADDER_RATE = 200
};

/* A worker of the bench, and what its handlers note. */
struct crew {
    struct bench *bench;
    warren *worker;
    struct bench_samples latency;
    struct bench_samples ladder;
    uint64_t target;          /* jobs of a drain; set before the start */
    struct bench_gauge gauge; /* begun by the first job of a drain */
    atomic_bool is_gauged;
    atomic_uint_fast64_t drained;
    atomic_int_fast64_t first_ns;
    atomic_int_fast64_t last_ns;
};

/* --- handlers --- */

static void note_age(const warren_job *job, struct bench_samples *samples, int64_t due_after_ns)
{
    int64_t at;
    int64_t now = bench_now_ns();
    if (warren_job_header_int(job, HEADER, &at)) {
        bench_samples_add(samples, now - at - due_after_ns);
    }
}

static warren_verdict take_latency(warren_job *job, void *user)
{
    struct crew *crew = user;
    note_age(job, &crew->latency, 0);
    return WARREN_DONE;
}

static warren_verdict take_ladder(warren_job *job, void *user)
{
    struct crew *crew = user;
    note_age(job, &crew->ladder, (int64_t)BENCH_DELAY_MS * NS_PER_MS);
    return WARREN_DONE;
}

static warren_verdict take_drain(warren_job *job, void *user)
{
    struct crew *crew = user;
    uint64_t index = atomic_fetch_add_explicit(&crew->drained, 1, memory_order_relaxed);
    (void)job;
    if (index == 0) {
        bench_gauge_begin(&crew->gauge);
        atomic_store(&crew->first_ns, crew->gauge.begun_ns);
        atomic_store(&crew->is_gauged, true);
    }
    if (index + 1 == crew->target) {
        atomic_store(&crew->last_ns, bench_now_ns());
    }
    return WARREN_DONE;
}

/* --- the crew --- */

static bool crew_init(struct crew *crew, struct bench *bench)
{
    memset(crew, 0, sizeof *crew);
    crew->bench = bench;
    return bench_samples_init(&crew->latency, bench->options.jobs) &&
           bench_samples_init(&crew->ladder, LADDER_MOST);
}

static warren_status handle_all(struct crew *crew, enum bench_config which, warren_error *err)
{
    if (which != BENCH_TIMER) {
        return warren_handle(crew->worker, BENCH_TYPE_DRAIN, take_drain, crew, err);
    }
    warren_status rc = warren_handle(crew->worker, BENCH_TYPE_LATENCY, take_latency, crew, err);
    return rc ? rc : warren_handle(crew->worker, BENCH_TYPE_LADDER, take_ladder, crew, err);
}

static warren_status crew_start(struct crew *crew, enum bench_config which, warren_error *err)
{
    warren_status rc = warren_open(&crew->worker, crew->bench->scene.configs[which], err);
    if (!rc) {
        rc = handle_all(crew, which, err);
    }
    return rc ? rc : warren_start(crew->worker, err);
}

/* What the worker met; then no handler runs any more. */
static void crew_stop(struct crew *crew)
{
    warren_stats_data stats = { .size = sizeof stats };
    if (crew->worker) {
        warren_stats(crew->worker, &stats);
        crew->bench->reconnects += stats.connections > 1 ? stats.connections - 1 : 0;
        crew->bench->unfinished += stats.retried + stats.dead;
        (void)warren_stop(crew->worker, STOP_MS, NULL);
        warren_close(crew->worker);
    }
    crew->worker = NULL;
}

static void crew_done(struct crew *crew)
{
    crew_stop(crew);
    bench_samples_done(&crew->latency);
    bench_samples_done(&crew->ladder);
}

static warren_status no_memory(warren_error *err)
{
    err->status = WARREN_NO_MEMORY;
    (void)snprintf(err->text, sizeof err->text, "out of memory; a smaller --jobs needs less");
    return err->status;
}

static warren_status fail_stall(warren_error *err, uint64_t came, uint64_t wanted)
{
    err->status = WARREN_TIMEOUT;
    (void)snprintf(err->text, sizeof err->text,
                   "%llu of %llu jobs came to their handler, and then none for %d s",
                   (unsigned long long)came, (unsigned long long)wanted, STALL_MS / 1000);
    return err->status;
}

/* --- latency and ladder: a modest rate, each job with its time --- */

/* One measure of two: what is published, and where its handler notes. */
struct round {
    const char *type;
    int64_t delay_ms;
    uint64_t jobs;
    int64_t rate;
    struct bench_samples *home;
};

static void sleep_until(int64_t at_ns)
{
    struct timespec at = { .tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000 };
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static warren_status publish_round(const struct round *round, const struct bench *bench,
                                   warren_publisher *publisher, struct bench_flight *flight,
                                   warren_error *err)
{
    warren_status rc = WARREN_OK;
    int64_t begun = bench_now_ns();
    for (uint64_t i = 0; !rc && i < round->jobs && !say_is_interrupted(); i++) {
        sleep_until(begun + (int64_t)i * 1000000000 / round->rate);
        warren_header header = { .name = HEADER, .number = bench_now_ns() };
        warren_message message = bench_message(bench, round->type);
        message.headers = &header;
        message.header_count = 1;
        message.delay_ms = round->delay_ms;
        rc = bench_flight_publish(flight, publisher, &message, err);
    }
    return rc;
}

/* Until all are home; a stall is an error. */
static warren_status await_home(const struct bench_samples *home, uint64_t wanted,
                                warren_error *err)
{
    uint64_t came = 0;
    int64_t heard_ns = bench_now_ns();
    while (!say_is_interrupted()) {
        uint64_t now = atomic_load(&home->count);
        if (now >= wanted) {
            break;
        }
        if (now > came) {
            came = now;
            heard_ns = bench_now_ns();
        } else if (bench_now_ns() - heard_ns > (int64_t)STALL_MS * NS_PER_MS) {
            return fail_stall(err, now, wanted);
        }
        (void)poll(NULL, 0, 5);
    }
    return WARREN_OK;
}

static warren_status fly_round(const struct round *round, const struct bench *bench,
                               warren_error *err)
{
    struct bench_flight flight;
    warren_publisher *publisher = NULL;
    if (!bench_flight_init(&flight, round->jobs)) {
        return no_memory(err);
    }
    warren_status rc = warren_publisher_open(&publisher, bench->scene.configs[BENCH_ALL], err);
    if (!rc) {
        rc = publish_round(round, bench, publisher, &flight, err);
        bench_flight_land(&flight);
    }
    size_t sent = flight.sent;
    warren_publisher_close(publisher);
    rc = rc ? rc : bench_flight_error(&flight, err);
    bench_flight_done(&flight);
    return rc ? rc : await_home(round->home, sent, err);
}

static void sum_round(struct bench_measure *measure, struct bench_samples *home)
{
    measure->times = bench_samples_sum(home);
    measure->jobs = measure->times.count;
    measure->is_done = measure->jobs > 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static warren_status measure_rounds(struct crew *crew, warren_error *err)
{
    const struct bench *bench = crew->bench;
    uint64_t jobs = bench->options.jobs;
    struct round latency = { .type = BENCH_TYPE_LATENCY,
                             .jobs =
                                 least(jobs, (uint64_t)bench->options.seconds * BENCH_LATENCY_RATE),
                             .rate = BENCH_LATENCY_RATE,
                             .home = &crew->latency };
    struct round ladder = { .type = BENCH_TYPE_LADDER,
                            .delay_ms = BENCH_DELAY_MS,
                            .jobs = least(jobs, LADDER_MOST),
                            .rate = LADDER_RATE,
                            .home = &crew->ladder };
    warren_status rc = crew_start(crew, BENCH_TIMER, err);
    if (!rc) {
        say_progress("latency");
        rc = fly_round(&latency, bench, err);
    }
    if (!rc && !say_is_interrupted()) {
        say_progress("delay ladder");
        rc = fly_round(&ladder, bench, err);
    }
    return rc;
}

warren_status bench_latency(struct bench *bench, warren_error *err)
{
    struct crew *crew = malloc(sizeof *crew);
    if (!crew) {
        return no_memory(err);
    }
    warren_status rc = crew_init(crew, bench) ? measure_rounds(crew, err) : no_memory(err);
    crew_stop(crew);
    if (!rc) {
        sum_round(&bench->measures[BENCH_LATENCY], &crew->latency);
        sum_round(&bench->measures[BENCH_LADDER], &crew->ladder);
    }
    crew_done(crew);
    free(crew);
    return rc;
}

/* --- drain --- */

/* Until the queue is empty, or the time is up; `*out_jobs`: how many came by then. */
static warren_status await_drain(struct crew *crew, uint64_t *out_jobs, warren_error *err)
{
    int64_t most_ns = crew->bench->options.seconds * INT64_C(1000000000);
    uint64_t came = 0;
    int64_t heard_ns = bench_now_ns();
    while (!say_is_interrupted()) {
        uint64_t now = atomic_load(&crew->drained);
        int64_t at = bench_now_ns();
        int64_t first = atomic_load(&crew->first_ns);
        if (now > came) {
            came = now;
            heard_ns = at;
        }
        if (now >= crew->target || (first && at - first >= most_ns)) {
            break;
        }
        if (at - heard_ns > (int64_t)STALL_MS * NS_PER_MS) {
            return fail_stall(err, now, crew->target);
        }
        (void)poll(NULL, 0, 1);
    }
    *out_jobs = least(atomic_load(&crew->drained), crew->target);
    return WARREN_OK;
}

static warren_status measure_drain(struct crew *crew, warren_error *err)
{
    struct bench_measure *measure = &crew->bench->measures[BENCH_DRAIN];
    uint64_t jobs = 0;
    warren_status rc = crew_start(crew, BENCH_TAKER, err);
    if (!rc) {
        rc = await_drain(crew, &jobs, err);
    }
    if (rc || !jobs || !atomic_load(&crew->is_gauged)) {
        return rc;
    }
    int64_t last = atomic_load(&crew->last_ns); /* 0: the time was up before */
    last = last ? last : bench_now_ns();
    bench_gauge_end(&crew->gauge, &measure->load);
    measure->jobs = jobs;
    measure->seconds = (double)(last - atomic_load(&crew->first_ns)) / 1e9;
    measure->is_done = measure->seconds > 0;
    return WARREN_OK;
}

warren_status bench_drain(struct bench *bench, warren_error *err)
{
    struct crew *crew = malloc(sizeof *crew);
    if (!crew) {
        return no_memory(err);
    }
    warren_status rc = WARREN_NO_MEMORY;
    if (crew_init(crew, bench)) {
        crew->target = bench->measures[BENCH_SINGLE].jobs + bench->measures[BENCH_PUBLISH].jobs;
        rc = measure_drain(crew, err);
    } else {
        rc = no_memory(err);
    }
    crew_stop(crew);
    crew_done(crew);
    free(crew);
    return rc;
}
