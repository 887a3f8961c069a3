// SPDX-License-Identifier: MIT
// DESIGN: one worker for mail that waits, renders that take long, compressions that compute, and no-op
// jobs that should not notice the others. All queues are full all the time. The other side is what
// the no-op jobs would have without Warren: a bare consumer of their queue, beside a worker that does
// the rest.
#include "bench.h"

#define OTHERS                                                                                     \
    "{ name = \"mixed-mail\"; jobs: ({ type = \"mixed.mail\"; concurrency = 8; }); }, "            \
    "{ name = \"mixed-render\"; jobs: ({ type = \"mixed.render\"; concurrency = 2; }); }, "        \
    "{ name = \"mixed-compress\"; jobs: ({ type = \"mixed.compress\"; concurrency = 1; }); }"
#define QUICK                                                                                      \
    "{ name = \"mixed\"; jobs: ({ type = \"quick\"; concurrency = 4; isolate = true; }); }"
#define LOADS                                                                                      \
    "--sleeps mixed.mail=200-2000/8 --sleeps mixed.render=300-300/2 --spins mixed.compress=4000/1"
#define FILL "bare_publish --exchange warren.jobs --window 1000 "

enum { BARE, WARREN, OTHER_TYPES = 3, OTHER_LIMITS = 8 + 2 + 1 };

static const struct goal goals[] = {
    { .text = "no-op jobs: rate to bare beside the same load",
      .a = WARREN,
      .b = BARE,
      .limit = 0.8 },
    { .text = "other types at their limit",
      .kind = GOAL_VALUE,
      .measure = MEASURE_AT_LIMIT,
      .a = WARREN,
      .limit = OTHER_TYPES },
    { .text = "other jobs that ran at once",
      .kind = GOAL_VALUE,
      .measure = MEASURE_TOGETHER,
      .a = WARREN,
      .limit = OTHER_LIMITS },
};

void benches_mixed(bool is_short)
{
    struct bench *bench = bench_add(
        "mixed", "Mail that sleeps, renders, compressions that compute, and no-op jobs.", 60000);
    struct side side = {
        .name = "bare, beside a worker with the rest",
        .queues = OTHERS ", " QUICK,
        .fill = FILL "--key mixed.mail --count 60; " FILL "--key mixed.render --count 60; " FILL
                     "--key mixed.compress --count 2000; " FILL "--key quick --count {count}",
        .command = "bare_consume --queue mixed.quick --count {count}",
        .beside = "warren_consume --config {config} " LOADS,
        .beside_queues = OTHERS,
        .drained = "mixed.quick",
    };
    (void)is_short;
    bench_add_side(bench, side);
    side.name = "Warren, all of it";
    side.command = "warren_consume --config {config} --type quick --count {count} " LOADS;
    side.beside = NULL;
    bench_add_side(bench, side);
    bench_add_goals(bench, goals, sizeof goals / sizeof *goals);
}
