// SPDX-License-Identifier: MIT
// DESIGN: what fails goes on as a message. A retry is compared with a program that publishes into one
// TTL queue of the same arguments as a level of the ladder, and, for what the message itself costs the
// broker, with one that also sends what a retry has to remember; the ladder's routing alone with
// publishing into that queue by hand; a dead letter with publishing into another queue.
#include "bench.h"

#include "stage.h"

#define FILL(type)                                                                                 \
    "bare_publish --exchange warren.jobs --key " type " --count {count} --window 1000"

enum { RETRY_MS = 125, HOP_MS = 1000 };

/* --- retry ---------------------------------------------------------------------------------------- */

static void declare_retry(void)
{
    stage_declare("retry-wait", RETRY_MS, "retry");
}

static void add_retry(void)
{
    struct side side = {
        .name = "bare, one TTL queue",
        .queues =
            "{ name = \"retry\"; prefetch = 250; retry: { backoff = \"fixed\"; first = "
            "\"125ms\"; jitter = 0.0; }; jobs: ({ type = \"retry.job\"; concurrency = 4; }); }",
        .fill = FILL("retry.job"),
        .command = "bare_retry --queue retry --to retry-wait --count {count}",
        .drained = "retry",
    };
    struct bench *bench =
        bench_add("retry", "Every job fails once and comes home after one hop of 125 ms.", 10000);
    bench->prepare = declare_retry;
    bench_add_side(bench, side);
    side.name = "Warren";
    side.command = "warren_consume --config {config} --type retry.job --count {count} --does retry";
    bench_add_side(bench, side);
    side.name = "bare, with the headers of a retry";
    side.command = "bare_retry --queue retry --to retry-wait --count {count} --headers";
    bench_add_side(bench, side);
    bench_add_goal(bench, (struct goal){ .text = "rate to bare", .a = 1, .b = 0, .limit = 0.85 });
    bench_add_goal(
        bench,
        (struct goal){ .text = "CPU a job to bare", .measure = MEASURE_CPU, .a = 1, .b = 0 });
    bench_add_goal(bench, (struct goal){ .text = "rate to bare with headers", .a = 1, .b = 2 });
    bench_add_goal(bench, (struct goal){ .text = "the headers alone: rate", .a = 2, .b = 0 });
}

/* --- the ladder's routing ------------------------------------------------------------------------- */

static void declare_ladder(void)
{
    stage_declare("ladder-wait", HOP_MS, "ladder");
}

static void add_ladder(void)
{
    static const struct {
        const char *name;
        const char *to;
        int ms;
    } rows[] = {
        { "plain TTL queue, 1 s", "--key ladder-wait", HOP_MS },
        { "a retry, one hop, 1 s", "--exchange warren.retry.1000 --key queue/ladder", HOP_MS },
        { "a delayed publish, one hop, 1 s", "--exchange warren.delay.1000 --key 8.type/ladder/job",
          HOP_MS },
        { "a retry, five hops, 3.875 s", "--exchange warren.retry.2000 --key f.1.queue/ladder",
          3875 },
    };
    struct bench *bench =
        bench_add("ladder", "Jobs come home from the delay ladder, all at once.", 10000);
    bench->prepare = declare_ladder;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_add_side(
            bench, (struct side){
                       .name = rows[i].name,
                       .queues = "{ name = \"ladder\"; jobs: ({ type = \"ladder.job\"; }); }",
                       .command = bench_text("bare_consume --queue ladder --count {count} --stamps "
                                             "--delay-ms %d",
                                             rows[i].ms),
                       .feed = bench_text("bare_publish %s --count {count} --window 1000 --stamps",
                                          rows[i].to),
                       .drained = "ladder" });
    }
    bench_add_goal(
        bench, (struct goal){
                   .text = "one hop: rate to a plain TTL queue", .a = 1, .b = 0, .limit = 0.85 });
    bench_add_goal(bench, (struct goal){ .text = "a delayed publish", .a = 2, .b = 0 });
    bench_add_goal(
        bench,
        (struct goal){ .text = "five hops: rate to a plain TTL queue of one", .a = 3, .b = 0 });
}

/* --- dead letters --------------------------------------------------------------------------------- */

static void declare_dead(void)
{
    stage_declare("failed-elsewhere", 0, NULL);
}

static void add_dead(void)
{
    struct side side = {
        .name = "bare, into another queue",
        .queues =
            "{ name = \"failed\"; prefetch = 250; jobs: ({ type = \"failed.job\"; concurrency "
            "= 4; }); }",
        .fill = FILL("failed.job"),
        .command = "bare_retry --queue failed --to failed-elsewhere --passes 1 --count {count}",
        .drained = "failed",
        .filled = "failed-elsewhere",
    };
    struct bench *bench = bench_add("dead", "Every job goes to the dead queue at once.", 10000);
    bench->prepare = declare_dead;
    bench_add_side(bench, side);
    side.name = "Warren";
    side.command = "warren_consume --config {config} --type failed.job --count {count} --does dead";
    side.filled = "failed.dead";
    bench_add_side(bench, side);
    bench_add_goal(bench, (struct goal){ .text = "rate to bare", .a = 1, .b = 0 });
    bench_add_goal(
        bench,
        (struct goal){ .text = "CPU a job to bare", .measure = MEASURE_CPU, .a = 1, .b = 0 });
}

void benches_fail(bool is_short)
{
    (void)is_short;
    add_retry();
    add_ladder();
    add_dead();
}
