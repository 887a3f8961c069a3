/* SPDX-License-Identifier: MIT */
/*
 * What every side of a benchmark shares: words of the command line, one gauge of time, CPU and
 * memory, and the one result line on stdout. A side is a process; it prints "ready" when it takes
 * or can send jobs, and at its end "result name=value …". What goes wrong is a sentence on stderr
 * and exit code 1. Threads: side_start from any, all else from the main thread.
 */
#ifndef TESTS_BENCH_SIDE_H
#define TESTS_BENCH_SIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

enum { SIDE_BODY_BYTES = 256 };

/** What a body begins with, when its publisher stamps it. */
struct side_stamp {
    int64_t sent_ns; /**< CLOCK_MONOTONIC */
    int64_t number;  /**< 0, 1, 2 … in the order of publishing */
};

/** A moment: what has been spent until then. */
struct side_moment {
    int64_t at_ns;
    int64_t cpu_ns;
    long sleeps; /**< of all threads: times that one had to be woken */
};

/** From the start of the first job to the start of the last. */
struct side_gauge {
    long count; /**< jobs in all */
    long skip;  /**< before the time begins: what came while the other queues were asked for */
    atomic_long started;
    atomic_bool has_begun;
    struct side_moment first;
    struct side_moment last;
    double rss_mib;         /**< at the last job */
    bool has_stamps;        /**< bodies are stamped, and waits are wanted */
    bool tells_first;       /**< the time from the exec to the first job is wanted */
    struct side_stamp *got; /**< by number; count of them */
    int64_t *started_ns;    /**< likewise */
};

/** Ends the process with 1 after "program: what: why". */
void side_give_up(const char *what, const char *why) __attribute__((noreturn));

int64_t side_now_ns(void);

/** The word behind `name`, else `fallback`. */
const char *side_word(char **words, const char *name, const char *fallback);

/** The number behind `name`, else `fallback`. */
long side_number(char **words, const char *name, long fallback);

/** Whether `name` is there. */
bool side_has(char **words, const char *name);

/** Reads --count, --skip, --stamps and --first. */
void side_open(struct side_gauge *gauge, char **words);

struct side_moment side_moment(void);

/** Lets the time begin, if it hasn't: for jobs whose first run doesn't count. */
void side_begin(struct side_gauge *gauge);

/** Notes the start of a job; `body` may be NULL without stamps. True for the last one: the measure
 * is complete. */
bool side_start(struct side_gauge *gauge, const void *body);

/** Says that the other program may begin. */
void side_ready(void);

/** Stays a moment, so that the broker has taken in the last acknowledgements before it sees the
 * connection close. */
void side_linger(void);

/** One word of the result. */
void side_say(const char *name, double value);

/** Rate, CPU, sleeps and memory; with --stamps also percentiles of waits; with --first only the time from the
 * exec to the first job. */
void side_say_gauge(const struct side_gauge *gauge);

/** Jobs a second since `delay_ms` after the first publish: for jobs that come home late. */
void side_say_arrivals(const struct side_gauge *gauge, long delay_ms);

/** Rate, CPU, sleeps and memory of so many publishes between these moments. */
void side_say_publishes(long count, struct side_moment first, struct side_moment last);

/** Ends the line. */
void side_end(void);

#endif
