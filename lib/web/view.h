/* SPDX-License-Identifier: MIT */
/*
 * What the pages are made of: what a worker says of itself at one moment. Plain data.
 */
#ifndef WR_WEB_VIEW_H
#define WR_WEB_VIEW_H

#include "warren/worker.h"

#define WR_VIEW_LOOPS 2

/** A thread that should come round all the time. */
struct wr_view_loop {
    const char *role;
    int64_t round_us; /* when its last round began, monotonic; 0: it has not begun */
};

struct wr_view {
    bool has_started; /* every queue was consumed once */
    int64_t now_us;   /* monotonic */
    warren_stats_data stats;
    struct wr_view_loop loops[WR_VIEW_LOOPS];
};

#endif
