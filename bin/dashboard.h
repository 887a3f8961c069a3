/* SPDX-License-Identifier: MIT */
/*
 * The table of panels that make up Warren's dashboard.
 */
#ifndef DASHBOARD_H
#define DASHBOARD_H

#include "generate.h"

enum { TARGETS = 4 };

/** A panel; one without a first expression is the title of a row. */
struct panel {
    const char *title;
    const char *kind; /* Grafana's: "stat", "timeseries" or "table" */
    const char *unit; /* Grafana's: "s", "ops", "percentunit", "short" … */
    int width;        /* of 24 */
    const char *sentence;
    struct {
        const char *expr;
        const char *legend; /* a template of Grafana's */
    } targets[TARGETS];
};

const struct panel *dashboard_panels(size_t *out_count);

/* The labels that the dashboard's variables select by: of a worker, a queue, a type. */
#define OF_WORKER "namespace=~\"$namespace\",job=~\"$job\""
#define OF_QUEUE OF_WORKER ",queue=~\"$queue\""
#define OF_TYPE OF_QUEUE ",type=~\"$type\""

#endif
