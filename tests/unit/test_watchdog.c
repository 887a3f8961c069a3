// SPDX-License-Identifier: MIT
// A call that does not return is cut off, and nothing else is.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/watchdog.h"

/* A peer that never says anything. */
static int ends[2];
static struct wr_watch watch;

static void shut(void *what)
{
    (void)shutdown(*(int *)what, SHUT_RDWR);
}

static void open_peer(void)
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    wr_watch_init(&watch, "tested");
    wr_watch_set(&watch, shut, &ends[0]);
}

static void close_peer(void)
{
    wr_watch_clear(&watch);
    (void)close(ends[0]);
    (void)close(ends[1]);
    wr_watch_done(&watch);
}

static bool is_cut(void)
{
    char byte;
    return recv(ends[0], &byte, 1, MSG_DONTWAIT) == 0;
}

static void a_stuck_call_is_cut_off_soon_after_its_time(void)
{
    struct wr_watchdog *dog = NULL;
    struct wr_watch *const watches[] = { &watch };
    char byte;
    open_peer();
    CU_ASSERT_EQUAL_FATAL(wr_watchdog_new(&dog, watches, 1, NULL), WARREN_OK);
    int64_t began_us = wr_clock_mono_us(NULL);
    wr_watch_begin(&watch, 300000);
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0); /* returns only since it is cut */
    int64_t took_us = wr_clock_mono_us(NULL) - began_us;
    CU_ASSERT(took_us >= 300000);
    CU_ASSERT(took_us < 5000000);
    wr_watchdog_free(dog);
    close_peer();
}

static void who_is_through_in_time_is_left_alone(void)
{
    open_peer();
    wr_watch_begin(&watch, 1000000);
    int64_t late_us = wr_clock_mono_us(NULL) + 60000000;
    wr_watch_end(&watch);
    CU_ASSERT_FALSE(wr_watch_look(&watch, late_us));
    CU_ASSERT_FALSE(is_cut());
    close_peer();
}

static void patience_counts_from_the_last_time(void)
{
    open_peer();
    int64_t now_us = wr_clock_mono_us(NULL);
    wr_watch_begin(&watch, 1000000);
    wr_watch_begin(&watch, 60000000);
    CU_ASSERT_FALSE(wr_watch_look(&watch, now_us + 30000000));
    CU_ASSERT_FALSE(is_cut());
    CU_ASSERT(wr_watch_look(&watch, now_us + 90000000));
    CU_ASSERT(is_cut());
    CU_ASSERT_FALSE(wr_watch_look(&watch, now_us + 90000000)); /* said once */
    close_peer();
}

static void what_was_cleared_is_never_cut(void)
{
    open_peer();
    wr_watch_begin(&watch, 0);
    wr_watch_clear(&watch);
    (void)wr_watch_look(&watch, wr_clock_mono_us(NULL) + 60000000);
    wr_watch_cut(&watch);
    CU_ASSERT_FALSE(is_cut());
    close_peer();
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("watchdog", NULL, NULL);
    CU_ADD_TEST(suite, a_stuck_call_is_cut_off_soon_after_its_time);
    CU_ADD_TEST(suite, who_is_through_in_time_is_left_alone);
    CU_ADD_TEST(suite, patience_counts_from_the_last_time);
    CU_ADD_TEST(suite, what_was_cleared_is_never_cut);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
