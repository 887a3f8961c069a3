// SPDX-License-Identifier: MIT
// What an operator's calls about dead letters say before they ask the broker.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

#include "front/admin.h"
#include "model/settings.h"
#include "warren/dead.h"

static char q[] = "q";
static char a[] = "a";
static char b[] = "b";
static char ns[] = "warren";

static struct wr_retry_policy three_runs(void)
{
    return (struct wr_retry_policy){ .backoff = WR_BACKOFF_FIXED, .attempts = 3, .first_ms = 1000 };
}

static void patience_counts_waits_and_runs_of_the_slowest_type(void)
{
    struct wr_job_settings jobs[] = { { .type = a, .timeout_ms = 60000, .retry = three_runs() },
                                      { .type = b, .retry = three_runs() } };
    struct wr_queue_settings queue = {
        .name = q, .retry = three_runs(), .jobs = jobs, .job_count = 2
    };
    struct wr_settings settings = { .queues = &queue, .queue_count = 1 };
    warren_admin admin = { .settings = &settings };
    int64_t patience_ms = 0;
    CU_ASSERT_EQUAL(warren_dead_patience(&admin, "q.dead", &patience_ms, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(patience_ms, 2 * 1000 + 3 * 60000);
    queue.job_count = 0; /* a run without a timeout counts as 30 s */
    CU_ASSERT_EQUAL(warren_dead_patience(&admin, "q", &patience_ms, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(patience_ms, 2 * 1000 + 3 * 30000);
    queue.job_count = 1;
    jobs[0].timeout_ms = INT64_MAX / 2; /* more than can be told */
    CU_ASSERT_EQUAL(warren_dead_patience(&admin, "q", &patience_ms, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(patience_ms, INT64_MAX);
    CU_ASSERT_EQUAL(warren_dead_patience(&admin, NULL, &patience_ms, NULL), WARREN_NOT_FOUND);
}

static void a_move_without_a_queue_or_a_target_is_refused(void)
{
    struct wr_queue_settings queue = { .name = q, .retry = three_runs() };
    struct wr_settings settings = { .ns = ns, .queues = &queue, .queue_count = 1 };
    warren_admin admin = { .settings = &settings };
    warren_dead_filter filter = { .queue = "q" };
    warren_error err;
    size_t count = 7;
    CU_ASSERT_EQUAL(warren_dead_move(&admin, &filter, NULL, NULL, NULL, &count, &err),
                    WARREN_NOT_FOUND);
    CU_ASSERT_EQUAL(count, 0);
    filter.queue = NULL;
    CU_ASSERT_EQUAL(warren_dead_move(&admin, &filter, "q", NULL, NULL, &count, &err),
                    WARREN_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is not in this configuration"));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("dead admin", NULL, NULL);
    CU_ADD_TEST(suite, patience_counts_waits_and_runs_of_the_slowest_type);
    CU_ADD_TEST(suite, a_move_without_a_queue_or_a_target_is_refused);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
