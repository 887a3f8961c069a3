// SPDX-License-Identifier: MIT
// The tide: what counts as a flood of tiny jobs, and when it is over.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "engine/tide.h"

enum { TURN_US = 2000 };

static struct wr_tide tide;
static int64_t now_us;

/* Two milliseconds in which so many jobs of that length were handed over. */
static bool flood_after(size_t jobs, int64_t each_ns)
{
    wr_tide_note(&tide, jobs, (int64_t)jobs * each_ns);
    now_us += TURN_US;
    wr_tide_turn(&tide, now_us);
    return tide.is_flood;
}

static void begin(void)
{
    tide = (struct wr_tide){ 0 };
    now_us = 1000000;
    wr_tide_turn(&tide, now_us);
}

static void many_tiny_jobs_are_a_flood_until_few_come(void)
{
    begin();
    CU_ASSERT_FALSE(tide.is_flood);
    CU_ASSERT_FALSE(flood_after(2, 1000)); /* 1,000 a second */
    CU_ASSERT(flood_after(100, 1000));
    CU_ASSERT(flood_after(16, 1000));
    CU_ASSERT_FALSE(flood_after(15, 1000));
    CU_ASSERT_FALSE(flood_after(0, 1000));
}

static void jobs_that_keep_a_thread_busy_are_none(void)
{
    begin();
    CU_ASSERT(flood_after(100, 10000));
    CU_ASSERT_FALSE(flood_after(100, 11000));
    CU_ASSERT_FALSE(flood_after(16, 200000)); /* nor are those that nobody knows */
}

static void a_burst_after_a_lull_is_not_held_back(void)
{
    begin();
    now_us += 100 * TURN_US;
    CU_ASSERT_FALSE(flood_after(100, 1000));
    wr_tide_note(&tide, 100, 100000);
    wr_tide_turn(&tide, now_us + TURN_US - 1); /* too early to say */
    CU_ASSERT_FALSE(tide.is_flood);
    wr_tide_turn(&tide, now_us + TURN_US);
    CU_ASSERT(tide.is_flood);
}

static void few_jobs_are_a_trickle_whatever_they_take(void)
{
    begin();
    CU_ASSERT(tide.is_trickle); /* nothing came so far */
    (void)flood_after(4, 200000);
    CU_ASSERT(tide.is_trickle);
    (void)flood_after(5, 1000);
    CU_ASSERT_FALSE(tide.is_trickle);
    now_us += 100 * TURN_US; /* over a longer time they are few */
    (void)flood_after(100, 1000);
    CU_ASSERT(tide.is_trickle);
    CU_ASSERT_FALSE(tide.is_flood);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tide", NULL, NULL);
    CU_ADD_TEST(suite, many_tiny_jobs_are_a_flood_until_few_come);
    CU_ADD_TEST(suite, jobs_that_keep_a_thread_busy_are_none);
    CU_ADD_TEST(suite, a_burst_after_a_lull_is_not_held_back);
    CU_ADD_TEST(suite, few_jobs_are_a_trickle_whatever_they_take);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
