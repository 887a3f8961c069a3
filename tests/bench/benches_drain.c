// SPDX-License-Identifier: MIT
// DESIGN: a full queue is emptied. The plain loop is there twice, so that the goals know how far it is
// from itself on this machine.
#include "bench.h"

#define FILL(type)                                                                                 \
    "bare_publish --exchange warren.jobs --key " type " --count {count} --window 1000"

enum { MULTIPLE, WARREN, AGAIN, AUTO, EACH };

static const struct goal goals[] = {
    { .text = "multiple@250 against itself", .measure = MEASURE_RATE, .a = AGAIN, .b = MULTIPLE },
    { .text = "prefetch 250: rate to multiple@250",
      .measure = MEASURE_RATE,
      .a = WARREN,
      .b = MULTIPLE,
      .twin = AGAIN,
      .limit = 1.0 },
    { .text = "prefetch auto: rate to multiple@250",
      .measure = MEASURE_RATE,
      .a = AUTO,
      .b = MULTIPLE,
      .limit = 1.25 },
    { .text = "prefetch auto: rate to each@250",
      .measure = MEASURE_RATE,
      .a = AUTO,
      .b = EACH,
      .limit = 1.6 },
    { .text = "prefetch 250: rate to each@250", .measure = MEASURE_RATE, .a = WARREN, .b = EACH },
    { .text = "prefetch 250: CPU a job to multiple@250",
      .measure = MEASURE_CPU,
      .a = WARREN,
      .b = MULTIPLE,
      .is_at_most = true,
      .limit = 1.25 },
    { .text = "prefetch 250: CPU a job to each@250",
      .measure = MEASURE_CPU,
      .a = WARREN,
      .b = EACH,
      .is_at_most = true,
      .limit = 0.65 },
};

/* The goals of the automatic prefetch are set for quorum queues; a classic one is the slower part
 * itself, and its ratios are for information. */
static void add_drain(const char *name, const char *about, const char *type,
                      bool has_prefetch_goals)
{
    static const struct {
        const char *name;
        const char *command;
        const char *prefetch;
    } rows[] = {
        [MULTIPLE] = { "bare, multiple@250", "bare_consume --queue", "" },
        [WARREN] = { "Warren, prefetch 250", "warren_consume", "prefetch = 250;" },
        [AGAIN] = { "bare, multiple@250 again", "bare_consume --queue", "" },
        [AUTO] = { "Warren, prefetch auto", "warren_consume", "" },
        [EACH] = { "bare, each@250", "bare_consume --ack each --queue", "" },
    };
    struct bench *bench = bench_add(name, about, 80000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is_warren = i == WARREN || i == AUTO;
        bench_add_side(
            bench,
            (struct side){
                .name = rows[i].name,
                .queues =
                    bench_text("{ name = \"%s\"; type = \"%s\"; %s jobs: ({ type = \"%s.job\"; "
                               "concurrency = 4; }); }",
                               name, type, rows[i].prefetch, name),
                .fill = bench_text(FILL("%s.job"), name),
                .command = is_warren ? bench_text("warren_consume --config {config} --type %s.job "
                                                  "--count {count}",
                                                  name)
                                     : bench_text("%s %s --count {count}", rows[i].command, name),
                .drained = name });
    }
    for (size_t i = 0; i < sizeof goals / sizeof *goals; i++) {
        struct goal goal = goals[i];
        if (goal.a == AUTO && !has_prefetch_goals) {
            goal.limit = 0;
        }
        bench_add_goal(bench, goal);
    }
}

void benches_drain(bool is_short)
{
    (void)is_short;
    add_drain("drain", "A full quorum queue is emptied by no-op jobs.", "quorum", true);
    add_drain("drain-classic", "A full classic queue is emptied by no-op jobs.", "classic", false);
}
