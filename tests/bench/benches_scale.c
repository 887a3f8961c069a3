// SPDX-License-Identifier: MIT
// DESIGN: does anything bend? At each point of a scale both sides empty the same queues, and the ratio
// at the point is compared with the ratio at the first one, so that what slows down the broker itself
// counts for neither. Sides stand in pairs: bare, Warren, bare, Warren …
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "side.h"

enum { BACKLOG_JOBS = 20000, SHORT_BACKLOG = 400, SHORT_POINTS = 2 };

static const double most_bend = 0.9;
static const double most_growth = 1.1;

static size_t points_of(size_t count, bool is_short)
{
    return is_short && count > SHORT_POINTS ? SHORT_POINTS : count;
}

static void add_pair(struct bench *bench, struct side side, const char *point, const char *bare,
                     const char *ours)
{
    side.name = bench_text("bare, %s", point);
    side.command = bare;
    bench_add_side(bench, side);
    side.name = bench_text("Warren, %s", point);
    side.command = ours;
    bench_add_side(bench, side);
}

/* For the pair that was added last. */
static void add_goals(struct bench *bench, const char *point)
{
    int bare = (int)bench->side_count - 2;
    struct goal goal = { .text = bench_text("%s: rate to bare", point),
                         .measure = MEASURE_RATE,
                         .a = bare + 1,
                         .b = bare };
    bench_add_goal(bench, goal);
    if (bare == 0) {
        return;
    }
    goal.text = bench_text("%s: that ratio to the first", point);
    goal.kind = GOAL_RELATIVE;
    goal.first_a = 1;
    goal.limit = most_bend;
    bench_add_goal(bench, goal);
}

static FILE *open_text(char **text, size_t *size)
{
    FILE *file = open_memstream(text, size);
    if (!file) {
        side_give_up("tables", "out of memory");
    }
    return file;
}

static const char *close_text(FILE *file, char **text)
{
    (void)fclose(file);
    const char *kept = bench_text("%s", *text);
    free(*text);
    return kept;
}

/* TYPE.0, TYPE.1 … */
static const char *jobs_text(const char *type, int count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_text(&text, &size);
    for (int i = 0; i < count; i++) {
        (void)fprintf(file, "%s{ type = \"%s.%d\"; concurrency = 4; }", i ? ", " : "", type, i);
    }
    return close_text(file, &text);
}

static const char *queues_text(int count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_text(&text, &size);
    for (int i = 0; i < count; i++) {
        (void)fprintf(file,
                      "%s{ name = \"queues-%d.%d\"; prefetch = 50; jobs: ({ type = "
                      "\"queues-%d.job.%d\"; concurrency = 4; }); }",
                      i ? ", " : "", count, i, count, i);
    }
    return close_text(file, &text);
}

static void add_types(bool is_short)
{
    static const int points[] = { 1, 10, 100, 1000 };
    struct bench *bench = bench_add("scale-types", "Job types in one queue, 4 threads.", 30000);
    for (size_t i = 0; i < points_of(sizeof points / sizeof *points, is_short); i++) {
        int n = points[i];
        const char *point = bench_text("%d %s", n, n == 1 ? "type" : "types");
        const struct side side = {
            .queues = bench_text("{ name = \"types-%d\"; prefetch = 250; jobs: (%s); }", n,
                                 jobs_text(bench_text("types-%d", n), n)),
            .threads = 4,
            .fill = bench_text("bare_publish --exchange warren.jobs --key types-%d --keys %d "
                               "--count {count} --window 1000",
                               n, n),
            .drained = bench_text("types-%d", n),
        };
        add_pair(bench, side, point, bench_text("bare_consume --queue types-%d --count {count}", n),
                 bench_text("warren_consume --config {config} --type types-%d --types %d --count "
                            "{count}",
                            n, n));
        add_goals(bench, point);
    }
}

/* What is prefetched on 200 queues comes while a worker still asks for them: only the second half
 * of the jobs is measured. */
static void add_queues(bool is_short)
{
    static const int points[] = { 1, 10, 50, 200 };
    struct bench *bench =
        bench_add("scale-queues", "Queues of one worker, a type each, 4 threads.", 30000);
    for (size_t i = 0; i < points_of(sizeof points / sizeof *points, is_short); i++) {
        int n = points[i];
        const char *point = bench_text("%d %s", n, n == 1 ? "queue" : "queues");
        const struct side side = {
            .queues = queues_text(n),
            .threads = 4,
            .fill = bench_text("bare_publish --exchange warren.jobs --key queues-%d.job --keys %d "
                               "--count {count} --window 1000",
                               n, n),
            .drained = bench_text("queues-%d.0", n),
        };
        add_pair(bench, side, point,
                 bench_text("bare_consume --queue queues-%d --queues %d --prefetch 50 --skip "
                            "{half} --count {count}",
                            n, n),
                 bench_text("warren_consume --config {config} --type queues-%d.job --types %d "
                            "--skip {half} --count {count}",
                            n, n));
        add_goals(bench, point);
    }
}

static void add_threads(bool is_short)
{
    static const int points[] = { 1, 4, 16, 64, 256 };
    struct bench *bench =
        bench_add("scale-threads", "Worker threads; the bare loop has one, always.", 30000);
    for (size_t i = 0; i < points_of(sizeof points / sizeof *points, is_short); i++) {
        int n = points[i];
        const char *point = bench_text("%d %s", n, n == 1 ? "thread" : "threads");
        const struct side side = {
            .queues = bench_text("{ name = \"threads-%d\"; prefetch = 250; jobs: ({ type = "
                                 "\"threads-%d.job\"; concurrency = %d; }); }",
                                 n, n, n),
            .fill = bench_text("bare_publish --exchange warren.jobs --key threads-%d.job --count "
                               "{count} --window 1000",
                               n),
            .drained = bench_text("threads-%d", n),
        };
        add_pair(bench, side, point,
                 bench_text("bare_consume --queue threads-%d --count {count}", n),
                 bench_text(
                     "warren_consume --config {config} --type threads-%d.job --count {count}", n));
        add_goals(bench, point);
    }
}

static void add_growth_goal(struct bench *bench, const char *point)
{
    int ours = (int)bench->side_count - 1;
    bench_add_goal(bench, (struct goal){ .text = bench_text("%s: resident to the first", point),
                                         .measure = MEASURE_RSS,
                                         .a = ours,
                                         .b = 1,
                                         .is_at_most = true,
                                         .limit = most_growth });
}

/* So many are taken at each point, or all of a smaller backlog, several times. */
static void add_backlog(bool is_short)
{
    static const long points[] = { 1000, 10000, 100000, 1000000 };
    struct bench *bench = bench_add("scale-backlog", "Jobs that wait in the queue.", BACKLOG_JOBS);
    for (size_t i = 0; i < points_of(sizeof points / sizeof *points, is_short); i++) {
        long n = points[i];
        const char *point = bench_text("%ld waiting", n);
        const char *queue = bench_text("backlog-%ld", n);
        const struct side side = {
            .queues = bench_text("{ name = \"%s\"; prefetch = 250; jobs: ({ type = \"%s.job\"; "
                                 "concurrency = 4; }); }",
                                 queue, queue),
            .fill = bench_text("bare_publish --exchange warren.jobs --key %s.job --count {count} "
                               "--window 1000",
                               queue),
            .kept = queue,
            .backlog = is_short ? SHORT_BACKLOG : n,
            .count = n < BACKLOG_JOBS ? n : BACKLOG_JOBS,
            .repeats = n < BACKLOG_JOBS ? 5 : 1,
        };
        add_pair(
            bench, side, point, bench_text("bare_consume --queue %s --count {count}", queue),
            bench_text("warren_consume --config {config} --type %s.job --count {count}", queue));
        add_goals(bench, point);
        if (i) {
            add_growth_goal(bench, point);
        }
    }
}

void benches_scale(bool is_short)
{
    add_types(is_short);
    add_queues(is_short);
    add_threads(is_short);
    add_backlog(is_short);
}
