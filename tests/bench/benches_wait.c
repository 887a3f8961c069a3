// SPDX-License-Identifier: MIT
// DESIGN: how long a job waits that comes alone: 1,000 a second from a process of its own, stamped when
// they are sent, and confirmed, since a channel that closes may lose what isn't. When acknowledgements
// leave is seen from below (ack_clock.c), in runs of their own. What the machine does besides changes
// within seconds, so the rounds are short and many. Handlers that may block need a thread
// apart from the connection's, so a bare loop with such a thread shows what that alone costs here.
#include "bench.h"

#define FEED(type)                                                                                 \
    "bare_publish --exchange warren.jobs --key " type                                              \
    " --count {count} --rate 1000 --stamps --window 10000"

enum { BARE, WARREN, THREADED };

static void add_sides(struct bench *bench, const char *queue, const char *preload)
{
    const char *queues = bench_text(
        "{ name = \"%s\"; jobs: ({ type = \"%s.job\"; concurrency = 4; }); }", queue, queue);
    const char *feed = bench_text(FEED("%s.job"), queue);
    bench_add_side(bench,
                   (struct side){ .name = "bare",
                                  .queues = queues,
                                  .command = bench_text("bare_consume --queue %s --count {count} "
                                                        "--stamps --idle-us 0",
                                                        queue),
                                  .feed = feed,
                                  .drained = queue,
                                  .preload = preload });
    bench_add_side(bench,
                   (struct side){ .name = "Warren",
                                  .queues = queues,
                                  .command = bench_text("warren_consume --config {config} --type "
                                                        "%s.job --count {count} --stamps",
                                                        queue),
                                  .feed = feed,
                                  .drained = queue,
                                  .preload = preload });
}

static void add_threaded_side(struct bench *bench, const char *queue)
{
    struct side side = bench->sides[BARE];
    side.name = "bare, with a thread for the jobs";
    side.command = bench_text(
        "bare_consume --queue %s --count {count} --stamps --idle-us 0 --threaded", queue);
    bench_add_side(bench, side);
}

static void add_difference(struct bench *bench, const char *text, enum measure measure, int a,
                           int b, double limit)
{
    bench_add_goal(bench, (struct goal){ .text = text,
                                         .kind = GOAL_DIFFERENCE,
                                         .measure = measure,
                                         .a = a,
                                         .b = b,
                                         .is_at_most = true,
                                         .limit = limit });
}

static void add_latency(void)
{
    struct bench *bench = bench_add("latency",
                                    "From the publish to the start of the handler, 1,000 "
                                    "jobs a second.",
                                    1500);
    bench->rounds = 4;
    add_sides(bench, "latency", NULL);
    add_threaded_side(bench, "latency");
    add_difference(bench, "added at p50", MEASURE_P50, WARREN, BARE, 50);
    add_difference(bench, "added at p99", MEASURE_P99, WARREN, BARE, 250);
    add_difference(bench, "added at p99.9", MEASURE_P999, WARREN, BARE, 0);
    add_difference(bench, "added at p50 by the thread alone", MEASURE_P50, THREADED, BARE, 0);
    add_difference(bench, "added at p99 by the thread alone", MEASURE_P99, THREADED, BARE, 0);
    add_difference(bench, "added at p50 to bare with a thread", MEASURE_P50, WARREN, THREADED, 0);
    add_difference(bench, "added at p99 to bare with a thread", MEASURE_P99, WARREN, THREADED, 0);
}

static void add_latency_ack(void)
{
    struct bench *bench = bench_add("latency-ack",
                                    "From the publish to the acknowledgement on its "
                                    "way, 1,000 jobs a second.",
                                    1500);
    bench->rounds = 3;
    add_sides(bench, "latency-ack", "libbench_ack_clock.so");
    add_difference(bench, "added at p50", MEASURE_ACK_P50, WARREN, BARE, 0);
    add_difference(bench, "added at p99", MEASURE_ACK_P99, WARREN, BARE, 0);
}

static void add_startup(void)
{
    static const char queues[] =
        "{ name = \"startup\"; jobs: ({ type = \"startup.job\"; concurrency = 4; }); }";
    static const char fill[] =
        "bare_publish --exchange warren.jobs --key startup.job --count {count} --window 10";
    struct bench *bench =
        bench_add("startup", "From the exec to the first job, with the topology in place.", 20);
    bench_add_side(bench,
                   (struct side){ .name = "bare",
                                  .queues = queues,
                                  .fill = fill,
                                  .command = "bare_consume --queue startup --count {count} --first",
                                  .drained = "startup",
                                  .repeats = 3 });
    bench_add_side(bench, (struct side){ .name = "Warren",
                                         .queues = queues,
                                         .fill = fill,
                                         .command = "warren_consume --config {config} --type "
                                                    "startup.job --count {count} --first",
                                         .drained = "startup",
                                         .repeats = 3 });
    bench_add_goal(bench, (struct goal){ .text = "first job after the exec",
                                         .kind = GOAL_VALUE,
                                         .measure = MEASURE_FIRST,
                                         .a = WARREN,
                                         .is_at_most = true,
                                         .limit = 100 });
}

static void add_memory(void)
{
    static const char queues[] = "{ name = \"memory\"; jobs: ({ type = \"memory.job\"; concurrency "
                                 "= 16; }); }";
    static const char fill[] =
        "bare_publish --exchange warren.jobs --key memory.job --count {count} --window 1000";
    struct bench *bench =
        bench_add("memory", "What is resident after 20,000 jobs, with 16 threads.", 20000);
    bench_add_side(bench, (struct side){ .name = "bare",
                                         .queues = queues,
                                         .fill = fill,
                                         .command = "bare_consume --queue memory --count {count}",
                                         .drained = "memory" });
    bench_add_side(bench, (struct side){ .name = "Warren, 16 threads",
                                         .queues = queues,
                                         .fill = fill,
                                         .command = "warren_consume --config {config} --type "
                                                    "memory.job --count {count}",
                                         .drained = "memory" });
    bench_add_goal(bench, (struct goal){ .text = "resident",
                                         .kind = GOAL_VALUE,
                                         .measure = MEASURE_RSS,
                                         .a = WARREN,
                                         .is_at_most = true,
                                         .limit = 12 });
}

static void add_meter(void)
{
    struct bench *bench = bench_add(
        "meter", "What counting and timing add to a job, with threads of one type.", 20000000);
    bench_add_side(bench, (struct side){ .name = "one thread",
                                         .command = "warren_meter --count {count} --threads 1" });
    bench_add_side(bench, (struct side){ .name = "two threads",
                                         .command = "warren_meter --count {count} --threads 2" });
    bench_add_side(bench, (struct side){ .name = "16 threads",
                                         .command = "warren_meter --count {count} --threads 16" });
    for (int i = 0; i < 3; i++) {
        bench_add_goal(bench,
                       (struct goal){ .text = bench_text("CPU a job, %s", bench->sides[i].name),
                                      .kind = GOAL_VALUE,
                                      .measure = MEASURE_CPU,
                                      .a = i,
                                      .is_at_most = true,
                                      .limit = 0.150 });
    }
}

void benches_wait(bool is_short)
{
    (void)is_short;
    add_latency();
    add_latency_ack();
    add_startup();
    add_memory();
    add_meter();
}
