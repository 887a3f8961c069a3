// SPDX-License-Identifier: MIT
// DESIGN: the measures of the publishing side. Each has a connection of its own, and its rate is
// what was confirmed between its begin and the last confirm. Confirms come on the publisher's thread,
// so what they write is atomic or theirs alone until the publisher is closed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_flight.h"
#include "say.h"
#include "warren/queue.h"

enum { CONNECTS = 5, MS_PER_S = 1000 };

warren_message bench_message(const struct bench *bench, const char *type)
{
    return (
        warren_message){ .type = type, .body = bench->body, .body_size = bench->options.body_size };
}

static warren_status no_memory(warren_error *err)
{
    err->status = WARREN_NO_MEMORY;
    (void)snprintf(err->text, sizeof err->text, "out of memory; a smaller --jobs needs less");
    return err->status;
}

/* --- connect --- */

static warren_status connect_times(struct bench *bench, struct bench_samples *samples,
                                   warren_error *err)
{
    warren_status rc = WARREN_OK;
    for (int i = 0; !rc && i < CONNECTS && !say_is_interrupted(); i++) {
        warren_admin *admin = NULL;
        int64_t begun = bench_now_ns();
        rc = warren_admin_open(&admin, bench->scene.configs[BENCH_ALL], err);
        if (!rc) {
            bench_samples_add(samples, bench_now_ns() - begun);
        }
        warren_admin_close(admin);
    }
    return rc;
}

warren_status bench_connect(struct bench *bench, warren_error *err)
{
    struct bench_measure *measure = &bench->measures[BENCH_CONNECT];
    struct bench_samples samples;
    if (!bench_samples_init(&samples, CONNECTS)) {
        return no_memory(err);
    }
    warren_status rc = connect_times(bench, &samples, err);
    if (!rc) {
        measure->times = bench_samples_sum(&samples);
        measure->jobs = measure->times.count;
        measure->is_done = measure->jobs > 0;
    }
    bench_samples_done(&samples);
    return rc;
}

/* --- one at a time --- */

static warren_status publish_singly(struct bench *bench, warren_publisher *publisher,
                                    struct bench_samples *samples, warren_error *err)
{
    warren_message message = bench_message(bench, BENCH_TYPE_DRAIN);
    int64_t end = bench_now_ns() + bench->options.seconds * INT64_C(1000000000);
    warren_status rc = WARREN_OK;
    int64_t begun;
    for (uint64_t i = 0; !rc && i < bench->options.jobs && !say_is_interrupted(); i++) {
        begun = bench_now_ns();
        if (begun >= end) {
            break;
        }
        rc = warren_publish(publisher, &message, err);
        if (!rc) {
            bench_samples_add(samples, bench_now_ns() - begun);
        }
    }
    return rc;
}

warren_status bench_single(struct bench *bench, warren_error *err)
{
    struct bench_measure *measure = &bench->measures[BENCH_SINGLE];
    struct bench_samples samples;
    struct bench_gauge gauge;
    warren_publisher *publisher = NULL;
    if (!bench_samples_init(&samples, bench->options.jobs)) {
        return no_memory(err);
    }
    warren_status rc = warren_publisher_open(&publisher, bench->scene.configs[BENCH_ALL], err);
    if (!rc) {
        bench_gauge_begin(&gauge);
        rc = publish_singly(bench, publisher, &samples, err);
        bench_gauge_end(&gauge, &measure->load);
    }
    warren_publisher_close(publisher);
    if (!rc) {
        measure->times = bench_samples_sum(&samples);
        measure->jobs = measure->times.count;
        measure->seconds = measure->load.wall_s;
        measure->is_done = measure->jobs > 0;
    }
    bench_samples_done(&samples);
    return rc;
}

/* --- with a full window --- */

static warren_status publish_window(struct bench *bench, const char *type,
                                    warren_publisher *publisher, struct bench_flight *flight,
                                    warren_error *err)
{
    warren_message message = bench_message(bench, type);
    int64_t end = bench_now_ns() + bench->options.seconds * INT64_C(1000000000);
    warren_status rc = WARREN_OK;
    while (!rc && bench_flight_has_room(flight) && !say_is_interrupted() && bench_now_ns() < end) {
        rc = bench_flight_publish(flight, publisher, &message, err);
    }
    return rc;
}

static void sum_window(struct bench_measure *measure, struct bench_flight *flight)
{
    measure->times = bench_samples_sum(&flight->times);
    measure->jobs = measure->times.count;
    measure->seconds = (double)(flight->last_ns - flight->begun_ns) / 1e9;
    measure->is_done = measure->jobs > 0;
}

warren_status bench_publish(struct bench *bench, enum bench_kind kind, warren_error *err)
{
    const char *type = kind == BENCH_CLASSIC ? BENCH_TYPE_CLASSIC : BENCH_TYPE_DRAIN;
    struct bench_measure *measure = &bench->measures[kind];
    struct bench_flight flight;
    struct bench_gauge gauge;
    warren_publisher *publisher = NULL;
    if (!bench_flight_init(&flight, bench->options.jobs)) {
        return no_memory(err);
    }
    warren_status rc = warren_publisher_open(&publisher, bench->scene.configs[BENCH_ALL], err);
    if (!rc) {
        bench_gauge_begin(&gauge);
        rc = publish_window(bench, type, publisher, &flight, err);
        bench_flight_land(&flight);
        bench_gauge_end(&gauge, &measure->load);
    }
    warren_publisher_close(publisher); /* from here on nobody writes into the flight */
    rc = rc ? rc : bench_flight_error(&flight, err);
    if (!rc) {
        sum_window(measure, &flight);
    }
    bench_flight_done(&flight);
    return rc;
}
