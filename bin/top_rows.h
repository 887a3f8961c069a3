/* SPDX-License-Identifier: MIT */
/*
 * What `warren top` shows of a fleet: a view, and its rows. It draws nothing. Threads: one.
 */
#ifndef TOP_ROWS_H
#define TOP_ROWS_H

#include "fleet.h"

enum top_view { TOP_QUEUES, TOP_TYPES, TOP_WORKERS, TOP_JOBS };

/** What is shown. */
struct top {
    struct fleet *fleet;
    const char *title;
    enum top_view view;
    char queue[256];   /* whose types or jobs are shown; "" of jobs: all */
    char type[256];    /* whose jobs are shown; "": all */
    size_t selected;   /* row */
    char message[256]; /* of the last action; "" none */
    bool shows_help;
    int64_t now_ms;
};

/** How many rows the view has, and the selected one of queues or types; NULL: none. */
size_t top_row_count(const struct top *top);
struct fleet_row *top_row(const struct top *top, size_t index);

/** The running jobs of the view, one after the other: begins at 0, 0; after each the caller adds one
 * to `job`. False at the end. */
bool top_next_job(const struct top *top, size_t *worker, size_t *job);

#endif
