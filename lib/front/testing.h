/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a warren_test, for Warren's own tests: they let the broker fail and look at
 * the parts. Threads: one, the test's.
 */
#ifndef WR_FRONT_TESTING_H
#define WR_FRONT_TESTING_H

#include "front/worker.h"
#include "io/memory.h"
#include "model/letter.h"
#include "warren/testing.h"

struct wr_test_count {
    char *type;
    size_t count;
};

struct warren_test {
    struct wr_clock clock;
    struct wr_memory *server;
    warren *worker;
    int jobs_most;  /* in one call: more is a handler that publishes without end */
    int64_t due_us; /* when the parts need their next step at the latest */
    struct wr_test_count *counts;
    size_t count_count;
    bool lost_count; /* memory was short: a count is wrong */
    /* The dead letter that was last looked at. */
    struct wr_delivery *delivery;
    struct wr_letter letter;
};

/** Starts the worker if it wasn't, without running anything. */
warren_status wr_test_start(warren_test *test, warren_error *err);

/** One round of all parts: how many jobs ran. Whether more is due says wr_test_has_work. */
int wr_test_round(warren_test *test);
bool wr_test_has_work(warren_test *test);

#endif
