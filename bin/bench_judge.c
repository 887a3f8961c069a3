// SPDX-License-Identifier: MIT
// DESIGN: one table says what limits a measure. A rule is a figure, the value from which on it holds,
// and the sentences that are printed; for each measure the first rule that holds is the verdict, and
// the last one always holds. So the order is the argument: first this process (it can't be the broker
// if we are too slow for it), then the way to the broker, then the machine, then the broker's disk,
// and what is left is the broker. A figure that isn't known is negative and fits no rule.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

double bench_rate(const struct bench_measure *measure)
{
    return measure->seconds > 0 ? (double)measure->jobs / measure->seconds : 0;
}

/* --- the figures, in % --- */

static double busiest_thread(const struct bench *bench, enum bench_kind of)
{
    return 100 * bench->measures[of].load.thread;
}

static double own_cores(const struct bench *bench, enum bench_kind of)
{
    const struct bench_load *load = &bench->measures[of].load;
    return 100 * load->cpu_s / load->wall_s / (double)bench->cores;
}

static double machine(const struct bench *bench, enum bench_kind of)
{
    return 100 * bench->measures[of].load.machine;
}

/* How much of the window is used up by the round trip alone: by Little's law rate x round trip is what
 * is under way when nothing waits for anything else. */
static double window_used(const struct bench *bench, enum bench_kind of)
{
    double singly = bench_rate(&bench->measures[BENCH_SINGLE]);
    return singly > 0
               ? 100 * bench_rate(&bench->measures[of]) / singly / (double)bench->scene.window
               : -1;
}

static double classic_gain(const struct bench *bench, enum bench_kind of)
{
    double rate = bench_rate(&bench->measures[of]);
    const struct bench_measure *classic = &bench->measures[BENCH_CLASSIC];
    return classic->is_done && rate > 0 ? 100 * (bench_rate(classic) / rate - 1) : -1;
}

/* --- the rules --- */

typedef double figure(const struct bench *bench, enum bench_kind of);

struct rule {
    enum bench_kind of;
    const char *by;
    const char *what;
    figure *figure;
    double least;       /* it holds from here on, in % */
    const char *before; /* why: before, the figure, behind */
    const char *behind;
    const char *next;
};

static const struct rule rules[] = {
    { BENCH_PUBLISH, "thread", "one thread of this process", busiest_thread, 80,
      "the busiest thread used", "of a core",
      "publish from several processes, or with several publishers in one" },
    { BENCH_PUBLISH, "process", "this process", own_cores, 80, "this process used",
      "of all cores of its machine", "publish from several machines" },
    { BENCH_PUBLISH, "window", "the round trip to the broker", window_used, 60, "the rate is",
      "of publish.window / round trip, so the broker waits for us",
      "raise publish.window, or move closer to the broker" },
    { BENCH_PUBLISH, "machine", "the CPU of this machine", machine, 90,
      "all its cores together were", "busy, and this process used only a part of that",
      "give the broker, if it runs here, or whatever else does, a machine of its own" },
    { BENCH_PUBLISH, "quorum", "the quorum queue's log", classic_gain, 50, "a classic queue takes",
      "more", "a faster disk for the broker, a shorter way between its nodes, or several queues" },
    { BENCH_PUBLISH, "broker", "the broker", busiest_thread, -100, "our busiest thread used only",
      "of a core", "look at the broker's CPU and disk; several queues use more of its cores" },

    { BENCH_DRAIN, "thread", "one thread of this process", busiest_thread, 80,
      "the busiest thread used", "of a core", "run several workers" },
    { BENCH_DRAIN, "process", "this process", own_cores, 80, "this process used",
      "of all cores of its machine", "run workers on several machines" },
    { BENCH_DRAIN, "machine", "the CPU of this machine", machine, 90, "all its cores together were",
      "busy, and this process used only a part of that",
      "give the broker, if it runs here, or whatever else does, a machine of its own" },
    { BENCH_DRAIN, "broker", "the broker", busiest_thread, -100, "our busiest thread used only",
      "of a core", "look at the broker's CPU and disk; several queues use more of its cores" },
};

static void judge(const struct bench *bench, enum bench_kind of, struct bench_verdict *out)
{
    for (size_t i = 0; bench->measures[of].is_done && i < sizeof rules / sizeof *rules; i++) {
        const struct rule *rule = &rules[i];
        double value = rule->of == of ? rule->figure(bench, of) : 0;
        if (rule->of != of || value < rule->least) {
            continue;
        }
        struct bench_limit *limit = &out->limits[out->limit_count++];
        *limit = (struct bench_limit){
            .of = of, .by = rule->by, .what = rule->what, .next = rule->next
        };
        (void)snprintf(limit->why, sizeof limit->why, "%s %.0f %% %s", rule->before,
                       value > 0 ? value : 0, rule->behind);
        return;
    }
}

/* --- warnings --- */

__attribute__((format(printf, 3, 4))) static void warn(struct bench_verdict *out, const char *code,
                                                       const char *format, ...)
{
    if (out->warning_count < BENCH_WARNINGS_MOST) {
        struct bench_warning *warning = &out->warnings[out->warning_count++];
        va_list args;
        va_start(args, format);
        warning->code = code;
        (void)vsnprintf(warning->text, sizeof warning->text, format, args);
        va_end(args);
    }
}

static void warn_of_surroundings(const struct bench *bench, struct bench_verdict *out)
{
    if (bench->scene.is_exposed) {
        warn(out, "plaintext",
             "the broker is on another machine and TLS is off: jobs and password "
             "cross the network unencrypted, and TLS would cost some of the rate");
    }
    if (bench->load_average > 0.5 * (double)bench->cores) {
        warn(out, "loaded",
             "this machine was busy before the bench began (load %.1f on %ld cores): the figures "
             "are too low, and vary",
             bench->load_average, bench->cores);
    }
}

static void warn_of_errors(const struct bench *bench, struct bench_verdict *out)
{
    if (bench->reconnects) {
        warn(out, "reconnected", "connections were lost and made anew: %llu",
             (unsigned long long)bench->reconnects);
    }
    if (bench->unfinished) {
        warn(out, "unfinished", "jobs that do nothing were retried or dead all the same: %llu",
             (unsigned long long)bench->unfinished);
    }
}

static void warn_of_short_drains(const struct bench *bench, struct bench_verdict *out)
{
    const struct bench_measure *drain = &bench->measures[BENCH_DRAIN];
    if (drain->is_done && drain->seconds < 0.5) {
        warn(out, "short",
             "the drain took %.2f s only: its rate and CPU are rough; more --jobs or "
             "--seconds make it longer",
             drain->seconds);
    }
}

void bench_judge(const struct bench *bench, struct bench_verdict *out)
{
    *out = (struct bench_verdict){ 0 };
    judge(bench, BENCH_PUBLISH, out);
    judge(bench, BENCH_DRAIN, out);
    warn_of_surroundings(bench, out);
    warn_of_errors(bench, out);
    warn_of_short_drains(bench, out);
}
