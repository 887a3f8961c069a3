// SPDX-License-Identifier: MIT
// DESIGN: the list of all benches. Tables are built by functions, because a scale has as many sides
// as it has points; texts live as long as the process, and are kept in a list so that they are known
// to be alive.
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "side.h"

enum { BENCHES_MOST = 24 };

const struct measure_kind measure_kinds[MEASURE_COUNT] = {
    [MEASURE_RATE] = { "rate", "jobs/s", 0 },
    [MEASURE_CPU] = { "cpu_us", "CPU µs a job", 2 },
    [MEASURE_SLEEPS] = { "sleeps", "sleeps a job", 2 },
    [MEASURE_RSS] = { "rss_mib", "resident MiB", 1 },
    [MEASURE_FIRST] = { "first_ms", "first job ms", 1 },
    [MEASURE_P50] = { "p50_us", "p50 µs", 0 },
    [MEASURE_P99] = { "p99_us", "p99 µs", 0 },
    [MEASURE_P999] = { "p999_us", "p99.9 µs", 0 },
    [MEASURE_ACK_P50] = { "ack_p50_us", "to ack p50 µs", 0 },
    [MEASURE_ACK_P99] = { "ack_p99_us", "to ack p99 µs", 0 },
    [MEASURE_ACK_P999] = { "ack_p999_us", "to ack p99.9 µs", 0 },
    [MEASURE_AT_LIMIT] = { "at_limit", "types at their limit", 0 },
    [MEASURE_TOGETHER] = { "together", "ran at once", 0 },
    [MEASURE_TAKEN] = { "taken_percent", "host took %", 0 },
};

static struct bench all[BENCHES_MOST];
static size_t all_count;

struct kept_text {
    struct kept_text *next;
    char *text;
};

static struct kept_text *kept_texts;

char *bench_text(const char *format, ...)
{
    va_list words;
    struct kept_text *kept = calloc(1, sizeof *kept);
    va_start(words, format);
    if (!kept || vasprintf(&kept->text, format, words) < 0) {
        side_give_up("tables", "out of memory");
    }
    va_end(words);
    kept->next = kept_texts;
    kept_texts = kept;
    return kept->text;
}

struct bench *bench_add(const char *name, const char *about, long count)
{
    if (all_count == BENCHES_MOST) {
        side_give_up(name, "too many benches");
    }
    all[all_count] = (struct bench){ .name = name, .about = about, .count = count };
    return &all[all_count++];
}

void bench_add_side(struct bench *bench, struct side side)
{
    if (bench->side_count == SIDES_MOST) {
        side_give_up(bench->name, "too many sides");
    }
    bench->sides[bench->side_count++] = side;
}

void bench_add_goal(struct bench *bench, struct goal goal)
{
    if (bench->goal_count == GOALS_MOST) {
        side_give_up(bench->name, "too many goals");
    }
    bench->goals[bench->goal_count++] = goal;
}

void bench_add_goals(struct bench *bench, const struct goal *goals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bench_add_goal(bench, goals[i]);
    }
}

struct bench *benches(bool is_short, size_t *out_count)
{
    if (!all_count) {
        benches_drain(is_short);
        benches_publish(is_short);
        benches_fail(is_short);
        benches_wait(is_short);
        benches_scale(is_short);
        benches_mixed(is_short);
    }
    *out_count = all_count;
    return all;
}
