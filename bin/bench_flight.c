// SPDX-License-Identifier: MIT
// DESIGN: a confirm's time begins when the publish is handed over, so it includes the wait for a
// place in the window: what a caller sees. Failures end the measure: a rate that leaves out what
// failed would be a lie.
#include "bench_flight.h"

#include <poll.h>
#include <stdlib.h>

/* One publish, as its confirm finds it. */
struct bench_departure {
    struct bench_flight *flight;
    int64_t at_ns;
};

bool bench_flight_init(struct bench_flight *flight, size_t capacity)
{
    *flight = (struct bench_flight){ .capacity = capacity, .begun_ns = bench_now_ns() };
    atomic_init(&flight->landed, 0);
    flight->departures = calloc(capacity + 1, sizeof *flight->departures);
    if (!flight->departures || !bench_samples_init(&flight->times, capacity)) {
        bench_flight_done(flight);
        return false;
    }
    return true;
}

bool bench_flight_has_room(const struct bench_flight *flight)
{
    return flight->sent < flight->capacity;
}

static void note_confirm(void *user, warren_status status, const warren_error *error)
{
    const struct bench_departure *departure = user;
    struct bench_flight *flight = departure->flight;
    int64_t now = bench_now_ns();
    if (!status) {
        bench_samples_add(&flight->times, now - departure->at_ns);
        flight->last_ns = now;
    } else if (!flight->error.status) {
        flight->error = *error;
    }
    atomic_fetch_add(&flight->landed, 1);
}

warren_status bench_flight_publish(struct bench_flight *flight, warren_publisher *publisher,
                                   const warren_message *message, warren_error *err)
{
    struct bench_departure *departure = &flight->departures[flight->sent];
    *departure = (struct bench_departure){ flight, bench_now_ns() };
    if (!flight->sent) {
        flight->begun_ns = departure->at_ns;
    }
    warren_status rc = warren_publish_async(publisher, message, note_confirm, departure, err);
    flight->sent += rc == WARREN_OK;
    return rc;
}

void bench_flight_land(const struct bench_flight *flight)
{
    while (atomic_load(&flight->landed) < flight->sent) {
        (void)poll(NULL, 0, 1);
    }
}

warren_status bench_flight_error(const struct bench_flight *flight, warren_error *err)
{
    if (flight->error.status) {
        *err = flight->error;
    }
    return flight->error.status;
}

void bench_flight_done(struct bench_flight *flight)
{
    free(flight->departures);
    bench_samples_done(&flight->times);
    flight->departures = NULL;
}
