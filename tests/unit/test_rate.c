// SPDX-License-Identifier: MIT
// Rates: how much of a second is let through, and that every refusal is told exactly once, whoever
// asks and whenever.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <pthread.h>

#include "base/rate.h"

enum { SECOND = 1000000 };

static uint32_t left_out;

static int admitted_of(struct wr_rate *rate, int asks, uint32_t most, int64_t now_us)
{
    int admitted = 0;
    for (int i = 0; i < asks; i++) {
        uint32_t told;
        admitted += wr_rate_take(rate, most, now_us, &told) ? 1 : 0;
        left_out += told;
    }
    return admitted;
}

static void so_many_a_second_are_admitted(void)
{
    struct wr_rate rate = { 0 };
    left_out = 0;
    CU_ASSERT_EQUAL(admitted_of(&rate, 10, 3, 0), 3);
    CU_ASSERT_EQUAL(admitted_of(&rate, 10, 3, SECOND - 1), 0);
    CU_ASSERT_EQUAL(left_out, 0);
    CU_ASSERT_EQUAL(admitted_of(&rate, 10, 3, SECOND), 3);
    CU_ASSERT_EQUAL(left_out, 17);
    CU_ASSERT_EQUAL(admitted_of(&rate, 1, 3, 5 * SECOND), 1);
    CU_ASSERT_EQUAL(left_out, 17 + 7);
    CU_ASSERT_EQUAL(admitted_of(&rate, 1, 3, 6 * SECOND), 1);
    CU_ASSERT_EQUAL(left_out, 17 + 7);
}

static void an_older_look_at_the_clock_turns_no_window_back(void)
{
    struct wr_rate rate = { 0 };
    left_out = 0;
    CU_ASSERT_EQUAL(admitted_of(&rate, 3, 3, 2 * SECOND), 3);
    CU_ASSERT_EQUAL(admitted_of(&rate, 3, 3, 1 * SECOND), 0);
    CU_ASSERT_EQUAL(left_out, 0);
    CU_ASSERT_EQUAL(wr_rate_flush(&rate, 3, 3 * SECOND, false), 3);
}

static void what_nobody_tells_is_flushed_once(void)
{
    struct wr_rate rate = { 0 };
    CU_ASSERT_EQUAL(admitted_of(&rate, 8, 3, 0), 3);
    CU_ASSERT_EQUAL(wr_rate_flush(&rate, 3, SECOND - 1, false), 0);
    CU_ASSERT_EQUAL(wr_rate_flush(&rate, 3, SECOND - 1, true), 5);
    CU_ASSERT_EQUAL(wr_rate_flush(&rate, 3, SECOND - 1, true), 0);
    CU_ASSERT_EQUAL(admitted_of(&rate, 2, 3, SECOND - 1), 0); /* the second isn't over */
    CU_ASSERT_EQUAL(wr_rate_flush(&rate, 3, SECOND, false), 2);
    CU_ASSERT_EQUAL(wr_rate_flush(&rate, 3, 9 * SECOND, true), 0);
}

enum { THREADS = 4, ASKS = 50000 };
static struct wr_rate shared;
static atomic_int admitted_in_all;
static atomic_int told_in_all;

static void *ask_often(void *user)
{
    (void)user;
    for (int i = 0; i < ASKS; i++) {
        uint32_t told;
        bool may = wr_rate_take(&shared, 5, (int64_t)i * 100, &told); /* 5 windows */
        (void)atomic_fetch_add(&admitted_in_all, may ? 1 : 0);
        (void)atomic_fetch_add(&told_in_all, (int)told);
    }
    return NULL;
}

static void threads_together_lose_no_count(void)
{
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&ids[i], NULL, ask_often, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(ids[i], NULL);
    }
    int told = atomic_load(&told_in_all) + (int)wr_rate_flush(&shared, 5, 0, true);
    CU_ASSERT_EQUAL(atomic_load(&admitted_in_all) + told, THREADS * ASKS);
    CU_ASSERT_EQUAL(atomic_load(&admitted_in_all), 5 * 5);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("rate", NULL, NULL);
    CU_ADD_TEST(suite, so_many_a_second_are_admitted);
    CU_ADD_TEST(suite, an_older_look_at_the_clock_turns_no_window_back);
    CU_ADD_TEST(suite, what_nobody_tells_is_flushed_once);
    CU_ADD_TEST(suite, threads_together_lose_no_count);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
