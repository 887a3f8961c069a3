/* SPDX-License-Identifier: MIT */
/*
 * Publishes of a bench that are under way, and how long the broker took to confirm each.
 *
 * Threads: all calls on one thread; confirms come on the publisher's. Summed up, or done, only after
 * the publisher was closed.
 */
#ifndef BENCH_FLIGHT_H
#define BENCH_FLIGHT_H

#include "bench_gauge.h"
#include "warren/publisher.h"

struct bench_flight {
    struct bench_departure *departures;
    size_t capacity;
    size_t sent;
    int64_t begun_ns;
    atomic_size_t landed; /* confirmed or failed */
    /* the publisher's thread, until it is closed */
    struct bench_samples times;
    int64_t last_ns;    /* the last confirm */
    warren_error error; /* the first one; status OK: none */
};

/** False without memory. */
bool bench_flight_init(struct bench_flight *flight, size_t capacity);
bool bench_flight_has_room(const struct bench_flight *flight);

/** Waits while the window is full. */
warren_status bench_flight_publish(struct bench_flight *flight, warren_publisher *publisher,
                                   const warren_message *message, warren_error *err);

/** Waits until all are confirmed or have failed, which takes publish.timeout at most. */
void bench_flight_land(const struct bench_flight *flight);

/** The first failure, if any. */
warren_status bench_flight_error(const struct bench_flight *flight, warren_error *err);

void bench_flight_done(struct bench_flight *flight);

#endif
