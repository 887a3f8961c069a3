// SPDX-License-Identifier: MIT
// DESIGN: confirmed publishes into a quorum queue, against programs that wait in the same way. Warren's
// messages are larger by an id, a type and a time, which is theirs to pay for.
#include "bench.h"

#define BARE "bare_publish --exchange warren.jobs --key publish.job --count {count} "
#define WARREN "warren_publish --config {config} --type publish.job --count {count} "

static const char queues[] =
    "{ name = \"publish\"; jobs: ({ type = \"publish.job\"; concurrency = 4; }); }";

enum { WINDOW, ASYNC, ASYNC_8, EACH, BLOCKING, TRUST };

static const struct side sides[] = {
    [WINDOW] = { .name = "bare, window 256", .command = BARE "--window 256" },
    [ASYNC] = { .name = "Warren, async, 1 thread", .command = WARREN },
    [ASYNC_8] = { .name = "Warren, async, 8 threads", .command = WARREN "--threads 8" },
    [EACH] = { .name = "bare, waits for each", .command = BARE "--window 1", .count = 2000 },
    [BLOCKING] = { .name = "Warren, blocking", .command = WARREN "--blocking", .count = 2000 },
    [TRUST] = { .name = "bare, no confirms", .command = BARE "--window 0", .may_lose = true },
};

static const struct goal goals[] = {
    { .text = "async, 1 thread: rate to bare", .a = ASYNC, .b = WINDOW, .limit = 0.95 },
    { .text = "async, 8 threads: rate to bare", .a = ASYNC_8, .b = WINDOW, .limit = 0.95 },
    { .text = "async, 1 thread: CPU a job to bare",
      .measure = MEASURE_CPU,
      .a = ASYNC,
      .b = WINDOW,
      .is_at_most = true,
      .limit = 1.3 },
    { .text = "async, 8 threads: CPU a job to bare",
      .measure = MEASURE_CPU,
      .a = ASYNC_8,
      .b = WINDOW,
      .is_at_most = true,
      .limit = 1.3 },
    { .text = "blocking: rate to bare that waits for each", .a = BLOCKING, .b = EACH },
    { .text = "async, 1 thread: rate to bare without confirms", .a = ASYNC, .b = TRUST },
};

void benches_publish(bool is_short)
{
    struct bench *bench =
        bench_add("publish", "256-byte messages are published into a quorum queue.", 40000);
    (void)is_short;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        struct side side = sides[i];
        side.queues = queues;
        side.filled = "publish";
        bench_add_side(bench, side);
    }
    bench_add_goals(bench, goals, sizeof goals / sizeof *goals);
}
