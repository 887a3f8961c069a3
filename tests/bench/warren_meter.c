// SPDX-License-Identifier: MIT
// DESIGN: what the counting and timing of jobs costs, without the jobs: each thread does what a worker's
// thread does for one, the reading of the clock that comes on top included. Threads of one type, as many
// as the machine has cores or --threads, so that they meet in the memory that they share.
#include <pthread.h>
#include <stdlib.h>

#include "engine/meter.h"
#include "engine/source.h"
#include "side.h"

enum { THREADS_MOST = 64 };

static struct wr_lane lane;
static struct wr_source source;

struct part {
    pthread_t thread;
    int slot;
    long count;
};

static void *meter(void *user)
{
    const struct part *part = user;
    struct warren_job job = { .lane = &lane,
                              .source = &source,
                              .slot = part->slot,
                              .wall_ahead_us = INT64_C(1700000000000000),
                              .books = { .enqueued_ms = INT64_C(1700000000000) } };
    for (long i = 0; i < part->count; i++) {
        job.started_us = i;
        wr_meter_run(&job, wr_clock_mono_us(NULL));
        wr_meter_outcome(&job, WR_OUTCOME_DONE);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    long count = side_number(argv, "--count", 1000000);
    long threads = side_number(argv, "--threads", 2);
    if (count < 1 || threads < 1 || threads > THREADS_MOST) {
        side_give_up("--threads", "wants 1 to 64, and --count at least 1");
    }
    struct part parts[THREADS_MOST];
    side_ready();
    struct side_moment first = side_moment();
    for (int i = 0; i < threads; i++) {
        parts[i] = (struct part){ .slot = i, .count = count / threads };
        if (pthread_create(&parts[i].thread, NULL, meter, &parts[i])) {
            side_give_up("thread", "can't be started");
        }
    }
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(parts[i].thread, NULL);
    }
    side_say_publishes(count / threads * threads, first, side_moment());
    side_end();
    wr_tally_done(&lane.tally);
    return 0;
}
