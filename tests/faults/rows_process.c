// SPDX-License-Identifier: MIT
// DESIGN: rows about processes that end: workers and publishers, killed, told to end, or stopped for
// a while.
#include <signal.h>

#include "rows.h"

enum { DRAIN_MS = 60000, AT_ONCE = 4, PREFETCH = 20 };

/* What a lost connection of one worker may run twice: all that it had been given. */
static int64_t lost_connections(int count)
{
    return (int64_t)count * (PREFETCH + AT_ONCE);
}

static void kill_worker_mid_job(struct field *field)
{
    struct field_worker worker = { .behave = "{\"do\":\"sleep\",\"ms\":2}" };
    struct field_source source = { .body = "as the worker does", .rate = 2000 };
    struct field_process *victim = field_worker(field, &worker);
    (void)field_worker(field, &worker);
    (void)field_wait_gauge(field, victim, "ready", 1, 1, 20000);
    (void)field_source(field, &source);
    (void)field_wait_count(field, BOOK_STARTED, (uint64_t)field->jobs / 4, 30000);
    field_signal(victim, SIGKILL);
    field_expect_exit(field, victim, 128 + SIGKILL, 2000);
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .duplicates_most = lost_connections(1),
                                               .limits = { .at_once = AT_ONCE } });
}

const struct row rows_process[] = {
    ROW(1, ROW_SHORT, 2000, 8, kill_worker_mid_job,
        "a worker is killed mid-job: another one runs what it had"),
    ROWS_END,
};
