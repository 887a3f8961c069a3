// SPDX-License-Identifier: MIT
// DESIGN: the figures as a table and sentences for people, or as one JSON object. What was not
// measured has no row and no member; the members' names are part of the interface.
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "escape.h"
#include "say.h"

/* Each kind of measure: its member in JSON, and its row. */
static const struct title {
    const char *key;
    const char *row;
} titles[BENCH_KINDS] = {
    [BENCH_CONNECT] = { "connect", "connect" },
    [BENCH_DECLARE] = { "declare", "connect and declare" },
    [BENCH_LATENCY] = { "latency", "publish to handler, 200/s" },
    [BENCH_LADDER] = { "ladder", "delayed by 1 s, late by" },
    [BENCH_SINGLE] = { "publish_single", "publish, one at a time" },
    [BENCH_PUBLISH] = { "publish", "publish" },
    [BENCH_CLASSIC] = { "publish_classic", "publish to a classic queue" },
    [BENCH_DRAIN] = { "drain", "drain" },
};

static const char *queue_type(const struct bench *bench)
{
    return bench->options.is_classic ? "classic" : "quorum";
}

static double cpu_us(const struct bench_measure *measure)
{
    return measure->load.cpu_s * 1e6 / (double)measure->jobs;
}

/* --- for people --- */

/* A number in its column; "-" when there is none. */
static void print_number(bool is_known, int width, int decimals, double value)
{
    if (is_known) {
        printf("  %*.*f", width, decimals, value);
    } else {
        printf("  %*s", width, "-");
    }
}

static void print_measure(const struct bench_measure *measure, const struct title *title)
{
    bool has_times = measure->times.count > 0;
    bool is_gauged = measure->load.wall_s > 0;
    printf("%-26s", title->row);
    print_number(true, 7, 0, (double)measure->jobs);
    print_number(measure->seconds > 0, 8, 0, bench_rate(measure));
    print_number(has_times, 8, 2, measure->times.p50_ms);
    print_number(has_times, 8, 2, measure->times.p99_ms);
    print_number(has_times, 8, 2, measure->times.max_ms);
    print_number(is_gauged, 10, 1, cpu_us(measure));
    if (is_gauged && measure->load.thread >= 0) {
        printf("  %s %.0f %%", measure->load.thread_name, 100 * measure->load.thread);
    }
    putchar('\n');
}

static void print_table(const struct bench *bench)
{
    printf("%-26s  %7s  %7s  %7s  %7s  %7s  %10s  %s\n", "", "JOBS", "JOBS/S", "P50 MS", "P99 MS",
           "MAX MS", "CPU US/JOB", "BUSIEST THREAD");
    for (size_t i = 0; i < BENCH_KINDS; i++) {
        if (bench->measures[i].is_done) {
            print_measure(&bench->measures[i], &titles[i]);
        }
    }
}

static void print_all(const struct bench *bench, const struct bench_verdict *verdict)
{
    const struct bench_options *options = &bench->options;
    printf("Broker   ");
    escape_text(stdout, bench->scene.url, false);
    printf(", %s queue, bodies of %zu bytes, publish.window %ld\n", queue_type(bench),
           options->body_size, bench->scene.window);
    printf("Machine  %ld cores, load %.2f before; a worker of %ld threads\n\n", bench->cores,
           bench->load_average, options->threads);
    print_table(bench);
    for (size_t i = 0; i < verdict->limit_count; i++) {
        const struct bench_limit *limit = &verdict->limits[i];
        printf("\nWhat limits the %s: %s.\n  why:  %s\n  next: %s\n", titles[limit->of].key,
               limit->what, limit->why, limit->next);
    }
    for (size_t i = 0; i < verdict->warning_count; i++) {
        printf("%swarning: %s\n", i ? "" : "\n", verdict->warnings[i].text);
    }
}

/* --- for programs --- */

static void add_text(struct json_object *object, const char *key, const char *value)
{
    (void)json_object_object_add(object, key, json_object_new_string(value));
}

static void add_count(struct json_object *object, const char *key, uint64_t value)
{
    (void)json_object_object_add(object, key, json_object_new_int64((int64_t)value));
}

/* Three decimals are more than any of these figures has. */
static void add_figure(struct json_object *object, const char *key, double value)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.3f", value);
    (void)json_object_object_add(object, key, json_object_new_double_s(value, text));
}

static struct json_object *measure_json(const struct bench_measure *measure)
{
    struct json_object *object = json_object_new_object();
    add_count(object, "jobs", measure->jobs);
    if (measure->seconds > 0) {
        add_figure(object, "seconds", measure->seconds);
        add_figure(object, "per_second", bench_rate(measure));
    }
    if (measure->times.count) {
        add_figure(object, "p50_ms", measure->times.p50_ms);
        add_figure(object, "p99_ms", measure->times.p99_ms);
        add_figure(object, "max_ms", measure->times.max_ms);
    }
    if (measure->load.wall_s > 0) {
        add_figure(object, "cpu_us_per_job", cpu_us(measure));
        add_figure(object, "process_cores", measure->load.cpu_s / measure->load.wall_s);
    }
    if (measure->load.wall_s > 0 && measure->load.thread >= 0) {
        add_text(object, "busiest_thread", measure->load.thread_name);
        add_figure(object, "busiest_thread_share", measure->load.thread);
    }
    if (measure->load.wall_s > 0 && measure->load.machine >= 0) {
        add_figure(object, "machine_share", measure->load.machine);
    }
    return object;
}

static struct json_object *measures_json(const struct bench *bench)
{
    struct json_object *object = json_object_new_object();
    for (size_t i = 0; i < BENCH_KINDS; i++) {
        if (bench->measures[i].is_done) {
            (void)json_object_object_add(object, titles[i].key, measure_json(&bench->measures[i]));
        }
    }
    return object;
}

static struct json_object *limits_json(const struct bench_verdict *verdict)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < verdict->limit_count; i++) {
        struct json_object *object = json_object_new_object();
        add_text(object, "of", titles[verdict->limits[i].of].key);
        add_text(object, "by", verdict->limits[i].by);
        add_text(object, "what", verdict->limits[i].what);
        add_text(object, "why", verdict->limits[i].why);
        add_text(object, "next", verdict->limits[i].next);
        (void)json_object_array_add(list, object);
    }
    return list;
}

static struct json_object *warnings_json(const struct bench_verdict *verdict)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < verdict->warning_count; i++) {
        struct json_object *object = json_object_new_object();
        add_text(object, "code", verdict->warnings[i].code);
        add_text(object, "text", verdict->warnings[i].text);
        (void)json_object_array_add(list, object);
    }
    return list;
}

static struct json_object *bench_json(const struct bench *bench,
                                      const struct bench_verdict *verdict)
{
    struct json_object *object = json_object_new_object();
    add_text(object, "broker", bench->scene.url);
    add_text(object, "namespace", bench->scene.ns);
    add_text(object, "queue_type", queue_type(bench));
    add_count(object, "body_bytes", bench->options.body_size);
    add_count(object, "publish_window", (uint64_t)bench->scene.window);
    add_count(object, "threads", (uint64_t)bench->options.threads);
    add_count(object, "cores", (uint64_t)bench->cores);
    add_figure(object, "load_average", bench->load_average);
    (void)json_object_object_add(object, "measures", measures_json(bench));
    (void)json_object_object_add(object, "limits", limits_json(verdict));
    (void)json_object_object_add(object, "warnings", warnings_json(verdict));
    return object;
}

int bench_report(const struct bench *bench, const struct bench_verdict *verdict,
                 enum output_format format)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
    if (format == OUTPUT_TABLE) {
        print_all(bench, verdict);
        return output_flush();
    }
    struct json_object *object = bench_json(bench, verdict);
    const char *text = json_object_to_json_string_ext(
        object, flags | (format == OUTPUT_JSON ? JSON_C_TO_STRING_PRETTY : 0));
    if (!text) {
        say("out of memory");
        json_object_put(object);
        return EXIT_FAILED;
    }
    puts(text);
    json_object_put(object);
    return output_flush();
}
