// SPDX-License-Identifier: MIT
// The automatic prefetch: how much lies ahead for short and long jobs, large bodies, several types
// and busy threads, and that it stays as it is while it is about right.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "engine/prefetch.h"

enum { US = 1000, MS = 1000 * US, MUCH_US = 10000000 };

static struct wr_prefetch prefetch;
static int64_t now_us;

static void begin(int configured, int slots, size_t types)
{
    now_us = 1000000;
    wr_prefetch_init(&prefetch, configured, slots, types);
}

/* Settles some such jobs and looks, as long as this changes anything. */
static uint16_t after(int64_t run_ns, size_t bytes, int slots)
{
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) {
            wr_prefetch_note(&prefetch, run_ns, bytes);
        }
        now_us += MUCH_US;
        CU_ASSERT(wr_prefetch_is_due(&prefetch, now_us));
        prefetch.now = wr_prefetch_wanted(&prefetch, slots, now_us);
    }
    return prefetch.now;
}

static void what_is_configured_stays(void)
{
    begin(17, 4, 1);
    for (int i = 0; i < 100; i++) {
        wr_prefetch_note(&prefetch, US, 100);
    }
    CU_ASSERT_FALSE(wr_prefetch_is_due(&prefetch, now_us + MUCH_US));
    CU_ASSERT_EQUAL(prefetch.now, 17);
}

static void it_begins_with_nothing_ahead(void)
{
    begin(0, 4, 1);
    CU_ASSERT_EQUAL(prefetch.now, 4);
    begin(0, 4, 3); /* or one type could keep the others away */
    CU_ASSERT_EQUAL(prefetch.now, 8);
}

static void short_jobs_lie_ahead_for_twenty_milliseconds(void)
{
    begin(0, 4, 1);
    CU_ASSERT_EQUAL(after(2 * US, 300, 4), WR_PREFETCH_AUTO_MOST);
    begin(0, 4, 1);
    CU_ASSERT_EQUAL(after(MS, 300, 4), 83); /* 4 + 4 * 20 */
    begin(0, 4, 1);
    CU_ASSERT_EQUAL(after(10 * MS, 300, 4), 11);
}

static void long_jobs_have_none_ahead(void)
{
    begin(0, 4, 1);
    CU_ASSERT_EQUAL(after(100 * MS, 300, 4), 4);
    CU_ASSERT(after(2 * US, 300, 4) >= WR_PREFETCH_AUTO_MOST / 2);
    CU_ASSERT_EQUAL(after((int64_t)60 * 1000 * MS, 300, 4), 4); /* and none as soon as they are */
    begin(0, 4, 2);
    CU_ASSERT_EQUAL(after(100 * MS, 300, 4), 8);
}

static void large_bodies_lie_ahead_with_sixteen_mebibytes_at_most(void)
{
    begin(0, 4, 1);
    CU_ASSERT_EQUAL(after(2 * US, 1 << 20, 4), 15);
    begin(0, 4, 1);
    CU_ASSERT_EQUAL(after(2 * US, 16 << 20, 4), 4); /* but every thread has its job */
}

static void threads_that_others_hold_count_less(void)
{
    begin(0, 40, 1);
    uint16_t alone = after(10 * MS, 300, 40);
    begin(0, 40, 1);
    uint16_t beside = after(10 * MS, 300, 5);
    CU_ASSERT(alone > 100);
    CU_ASSERT(beside >= 40 && beside < 60); /* what it has at least, about */
}

static void what_is_about_right_is_left_alone(void)
{
    begin(0, 4, 1);
    uint16_t before = after(MS, 300, 4);
    CU_ASSERT_EQUAL(after(MS * 6 / 10, 300, 4), before);
    CU_ASSERT_EQUAL(after(MS * 18 / 10, 300, 4), before);
    CU_ASSERT_NOT_EQUAL(after(4 * MS, 300, 4), before);
}

static void it_is_looked_at_seldom(void)
{
    begin(0, 4, 1);
    for (int i = 0; i < 7; i++) {
        wr_prefetch_note(&prefetch, US, 100);
    }
    wr_prefetch_note(&prefetch, 0, 100); /* of a type that nobody knows yet */
    CU_ASSERT_FALSE(wr_prefetch_is_due(&prefetch, now_us));
    wr_prefetch_note(&prefetch, US, 100);
    CU_ASSERT(wr_prefetch_is_due(&prefetch, now_us));
    CU_ASSERT(wr_prefetch_wanted(&prefetch, 4, now_us) > 4);
    for (int i = 0; i < 100; i++) {
        wr_prefetch_note(&prefetch, US, 100);
    }
    CU_ASSERT_FALSE(wr_prefetch_is_due(&prefetch, now_us + 400000));
    CU_ASSERT(wr_prefetch_is_due(&prefetch, now_us + 500000));
}

static void another_limit_or_number_fits_it_anew_and_what_was_learned_stays(void)
{
    begin(0, 4, 1);
    uint16_t learned = after(MS, 300, 4);
    CU_ASSERT(learned > 20);
    CU_ASSERT_EQUAL(wr_prefetch_refit(&prefetch, 0, 4, 1), learned); /* nothing is new */
    CU_ASSERT_EQUAL(wr_prefetch_refit(&prefetch, 0, 200, 1), 200); /* or threads would have none */
    CU_ASSERT_EQUAL(prefetch.run_ns, MS);
    CU_ASSERT_EQUAL(wr_prefetch_refit(&prefetch, 0, 2, 1), learned); /* the next look sees to it */
    CU_ASSERT_EQUAL(wr_prefetch_refit(&prefetch, 7, 2, 1), 7);
    prefetch.now = 7;
    CU_ASSERT_EQUAL(wr_prefetch_refit(&prefetch, 7, 2, 1), 7);
    CU_ASSERT_FALSE(prefetch.is_auto);
    CU_ASSERT_EQUAL(wr_prefetch_refit(&prefetch, 0, 2, 1), 2);
    CU_ASSERT(prefetch.is_auto);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("prefetch", NULL, NULL);
    CU_ADD_TEST(suite, what_is_configured_stays);
    CU_ADD_TEST(suite, it_begins_with_nothing_ahead);
    CU_ADD_TEST(suite, short_jobs_lie_ahead_for_twenty_milliseconds);
    CU_ADD_TEST(suite, long_jobs_have_none_ahead);
    CU_ADD_TEST(suite, large_bodies_lie_ahead_with_sixteen_mebibytes_at_most);
    CU_ADD_TEST(suite, threads_that_others_hold_count_less);
    CU_ADD_TEST(suite, what_is_about_right_is_left_alone);
    CU_ADD_TEST(suite, it_is_looked_at_seldom);
    CU_ADD_TEST(suite, another_limit_or_number_fits_it_anew_and_what_was_learned_stays);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
