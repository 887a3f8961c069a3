/* SPDX-License-Identifier: MIT */
/*
 * What came out, told: a markdown table a bench on stdout, all of it as JSON, and a chart of the goals
 * as SVG. Files that cannot be written end the process. Threads: one.
 */
#ifndef TESTS_BENCH_REPORT_H
#define TESTS_BENCH_REPORT_H

#include <stdio.h>

#include "bench.h"

/** Where and when it was measured. */
struct report_place {
    const char *broker;  /**< version */
    const char *library; /**< version */
    long cores;
    double load; /**< of the machine at the beginning, one minute's average */
    char date[32];
};

/** One line on where, to stdout. */
void report_place(const struct report_place *place);

/** The two tables of a bench, to stdout. */
void report_table(const struct outcome *outcome);

/** What of a bench is an answer to "does it work": one line. */
void report_short(const struct outcome *outcome);

/** All outcomes as one JSON object, into `path`. */
void report_json(const char *path, const struct report_place *place,
                 struct outcome *const *outcomes, size_t count);

/** All goals as a chart, into `path`. */
void report_svg(const char *path, const struct report_place *place, struct outcome *const *outcomes,
                size_t count);

/** The unit of a goal's values: "×", "µs", … */
const char *report_unit(const struct goal *goal);

#endif
