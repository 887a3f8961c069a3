// SPDX-License-Identifier: MIT
// DESIGN: `warren bench`: measures the user's broker from the user's machine and says what limits it.
// It declares a namespace of its own, measures, and removes it again whatever happened: Ctrl-C and
// failures only end the measures. The report comes last, so a reader who goes away breaks nothing.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "bench.h"
#include "command.h"
#include "say.h"

enum {
    JOBS_DEFAULT = 100000,
    JOBS_MOST = 10000000,
    SECONDS_DEFAULT = 3,
    SECONDS_MOST = 600,
    THREADS_MOST = 256,
    BODY_DEFAULT = 256,
    BODY_MOST = 16 * 1024 * 1024,
    BYTES_MOST = 512 * 1024 * 1024, /* of all bodies of a measure: the broker has to hold them */
    SIGNAL_EXIT = 128
};

/* --- options --- */

/* "256", "4KiB", "1MiB". */
static bool read_size(const char *text, size_t *out)
{
    char *unit = NULL;
    unsigned long long value = *text >= '0' && *text <= '9' ? strtoull(text, &unit, 10) : 0;
    size_t factor = !unit                                     ? 0
                    : *unit == '\0' || strcmp(unit, "B") == 0 ? 1
                    : strcmp(unit, "KiB") == 0                ? 1024
                    : strcmp(unit, "MiB") == 0                ? 1024 * 1024
                                                              : 0;
    if (!factor || value < 1 || value > BODY_MOST / factor) {
        (void)say_usage("--body: got \"%s\", want a size from 1B to 16MiB, such as 256 or 4KiB",
                        text);
        return false;
    }
    *out = (size_t)value * factor;
    return true;
}

static bool read_type(const struct args *args, struct bench_options *out)
{
    const char *type = args_value(args, "type");
    out->compares = !type;
    out->is_classic = type && strcmp(type, "classic") == 0;
    if (type && !out->is_classic && strcmp(type, "quorum") != 0) {
        (void)say_usage("--type: got \"%s\", want quorum or classic", type);
        return false;
    }
    return true;
}

static bool read_options(const struct args *args, struct bench *bench)
{
    struct bench_options *options = &bench->options;
    const char *body = args_value(args, "body");
    long jobs = JOBS_DEFAULT;
    long seconds = SECONDS_DEFAULT;
    long threads = bench->cores < THREADS_MOST ? bench->cores : THREADS_MOST;
    *options = (struct bench_options){ .config = args_config(args), .body_size = BODY_DEFAULT };
    if (!args_number(args, "jobs", 1, JOBS_MOST, &jobs) ||
        !args_number(args, "seconds", 1, SECONDS_MOST, &seconds) ||
        !args_number(args, "threads", 1, THREADS_MOST, &threads) || !read_type(args, options) ||
        (body && !read_size(body, &options->body_size))) {
        return false;
    }
    size_t most = BYTES_MOST / options->body_size;
    options->jobs = (size_t)jobs < most ? (uint64_t)jobs : most;
    options->seconds = seconds;
    options->threads = threads;
    return true;
}

/* JSON, as most jobs are; too short for that, it is plain text. */
static char *make_body(size_t size)
{
    static const char before[] = "{\"fill\":\"";
    static const char behind[] = "\"}";
    size_t around = strlen(before) + strlen(behind);
    char *body = malloc(size + 1);
    if (!body) {
        return NULL;
    }
    memset(body, 'x', size);
    body[size] = '\0';
    if (size >= around) {
        memcpy(body, before, strlen(before));
        memcpy(body + size - strlen(behind), behind, strlen(behind));
    }
    return body;
}

/* --- the story --- */

static warren_status measure_publishes(struct bench *bench, warren_error *err)
{
    say_progress("publish, one at a time");
    warren_status rc = bench_single(bench, err);
    if (!rc && !say_is_interrupted()) {
        say_progress("publish");
        rc = bench_publish(bench, BENCH_PUBLISH, err);
    }
    if (!rc && !say_is_interrupted() && bench->options.compares) {
        say_progress("publish to a classic queue");
        rc = bench_publish(bench, BENCH_CLASSIC, err);
    }
    return rc;
}

static warren_status measure(struct bench *bench, warren_error *err)
{
    warren_status rc = bench_latency(bench, err);
    if (!rc && !say_is_interrupted()) {
        rc = measure_publishes(bench, err);
    }
    if (!rc && !say_is_interrupted()) {
        say_progress("drain");
        rc = bench_drain(bench, err);
    }
    return rc;
}

/* What the user may not do to a namespace of the bench: older brokers don't say which right it is. */
static int say_refused(const struct bench *bench, const warren_error *err, bool was_declared)
{
    const char *advice = strstr(err->text, ". This user may not"); /* it is about his own queues */
    int length = advice ? (int)(advice - err->text) : (int)strlen(err->text);
    say("%.*s", length, err->text);
    say("that was %s. A bench needs a user who may configure, write and read '^%.*s\\.bench-'",
        was_declared ? "publishing, which takes the right to write"
                     : "declaring, which takes the right to configure, and to write and read what "
                       "is bound",
        (int)(strstr(bench->scene.ns, ".bench-") - bench->scene.ns), bench->scene.ns);
    return EXIT_REFUSED;
}

static int say_left(const struct bench *bench, const warren_error *err)
{
    const char *config = bench->options.config;
    say("%s", err->text);
    say("left at the broker: exchanges and queues whose names begin with %s. — remove them with: "
        "warren bench --remove %s%s%s",
        bench->scene.ns, bench->scene.ns, config ? " --config " : "", config ? config : "");
    return err->status == WARREN_UNREACHABLE ? warren_exit_code(err->status) : EXIT_PARTLY;
}

/* Declares, measures and removes; `*out_left`: the exit code when something could not be removed. */
static int play(struct bench *bench, int *out_left)
{
    warren_error err = { 0 };
    say_progress("connect");
    warren_status rc = bench_connect(bench, &err);
    if (rc) {
        return say_failure(&err);
    }
    if (say_is_interrupted()) {
        return EXIT_DONE;
    }
    say_progress("declare");
    rc = bench_scene_declare(bench, &err);
    bool was_declared = !rc;
    if (!rc && !say_is_interrupted()) {
        rc = measure(bench, &err);
    }
    if (say_is_interrupted()) {
        say("interrupted; removing %s, which a second Ctrl-C would leave", bench->scene.ns);
    }
    int code = rc == WARREN_REFUSED ? say_refused(bench, &err, was_declared)
               : rc                 ? say_failure(&err)
                                    : EXIT_DONE;
    say_progress("remove");
    if (bench_scene_remove(bench, &err)) {
        *out_left = say_left(bench, &err);
    }
    say_progress_done();
    return code;
}

static int run(struct bench *bench, enum output_format format)
{
    struct bench_verdict verdict;
    int left = EXIT_DONE;
    int code = play(bench, &left);
    if (say_is_interrupted()) {
        return SIGNAL_EXIT + say_interrupt_signal();
    }
    if (code) {
        return left ? left : code;
    }
    bench_scene_close(bench); /* a reader who goes away may end us from here on */
    bench_judge(bench, &verdict);
    int reported = bench_report(bench, &verdict, format);
    return left ? left : reported;
}

static int remove_left(struct bench *bench)
{
    warren_error err;
    bench->scene.may_stand = true;
    if (bench_scene_remove(bench, &err)) {
        return say_failure(&err);
    }
    say("removed %s", bench->scene.ns);
    return EXIT_DONE;
}

static int open_and_run(struct bench *bench, const struct args *args, enum output_format format)
{
    const char *left = args_value(args, "remove");
    warren_error err;
    say_catch_interrupt();
    warren_status rc = bench_scene_open(bench, left, &err);
    int code = rc ? say_failure(&err) : left ? remove_left(bench) : run(bench, format);
    bench_scene_close(bench);
    return code;
}

int cmd_bench(const struct args *args)
{
    enum output_format format;
    struct bench bench = { .cores = sysconf(_SC_NPROCESSORS_ONLN) };
    bench.cores = bench.cores > 0 ? bench.cores : 1;
    if (getloadavg(&bench.load_average, 1) != 1) {
        bench.load_average = -1;
    }
    if (!output_format_of(args, &format) || !read_options(args, &bench)) {
        return EXIT_USAGE;
    }
    bench.body = make_body(bench.options.body_size);
    if (!bench.body) {
        say("out of memory");
        return EXIT_FAILED;
    }
    int code = open_and_run(&bench, args, format);
    free(bench.scene.url);
    free(bench.body);
    return code;
}
