// SPDX-License-Identifier: MIT
// The mailbox: what is pushed arrives once and in order, nobody sleeps through a letter or a poke,
// and its descriptor is given back whichever it was.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/mailbox.h"

static struct wr_mailbox mailbox;
static warren_error err;

static bool is_readable(void)
{
    struct pollfd polled = { .fd = mailbox.fd, .events = POLLIN };
    return poll(&polled, 1, 0) == 1;
}

static void letters_arrive_in_order_and_wake_a_sleeper_once(void)
{
    struct wr_link letters[3];
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, &err), WARREN_OK);
    CU_ASSERT(wr_mailbox_push(&mailbox, &letters[0]));
    CU_ASSERT_FALSE(is_readable()); /* nobody slept */
    CU_ASSERT_FALSE(wr_mailbox_sleeps(&mailbox));
    struct wr_list taken = wr_mailbox_take(&mailbox);
    CU_ASSERT_PTR_EQUAL(wr_list_take(&taken), &letters[0]);
    CU_ASSERT(wr_mailbox_sleeps(&mailbox));
    CU_ASSERT(wr_mailbox_push(&mailbox, &letters[1]));
    CU_ASSERT(wr_mailbox_push(&mailbox, &letters[2]));
    CU_ASSERT(is_readable());
    wr_mailbox_wakes(&mailbox);
    CU_ASSERT_FALSE(is_readable());
    taken = wr_mailbox_take(&mailbox);
    CU_ASSERT_EQUAL(taken.length, 2);
    CU_ASSERT_PTR_EQUAL(wr_list_take(&taken), &letters[1]);
    CU_ASSERT_PTR_EQUAL(wr_list_take(&taken), &letters[2]);
    wr_mailbox_done(&mailbox);
}

static void a_poke_between_two_sleeps_is_not_lost(void)
{
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, &err), WARREN_OK);
    (void)wr_mailbox_take(&mailbox);
    wr_mailbox_poke(&mailbox); /* after the owner looked, before it sleeps */
    CU_ASSERT_FALSE(wr_mailbox_sleeps(&mailbox));
    (void)wr_mailbox_take(&mailbox);
    CU_ASSERT(wr_mailbox_sleeps(&mailbox));
    wr_mailbox_poke(&mailbox);
    CU_ASSERT(is_readable());
    wr_mailbox_done(&mailbox);
}

static void a_closed_one_gives_back_what_comes_later(void)
{
    struct wr_link letters[2];
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, &err), WARREN_OK);
    CU_ASSERT(wr_mailbox_push(&mailbox, &letters[0]));
    CU_ASSERT_EQUAL(wr_mailbox_close(&mailbox).length, 1);
    CU_ASSERT_FALSE(wr_mailbox_push(&mailbox, &letters[1]));
    CU_ASSERT(wr_mailbox_is_empty(&mailbox));
    wr_mailbox_done(&mailbox);
}

static void a_process_without_stdin_leaks_no_descriptor(void)
{
    int kept = dup(0);
    (void)close(0);
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, &err), WARREN_OK);
    CU_ASSERT_EQUAL(mailbox.fd, 0);
    wr_mailbox_done(&mailbox);
    CU_ASSERT_EQUAL(fcntl(0, F_GETFD), -1);
    if (kept >= 0) {
        (void)dup2(kept, 0);
        (void)close(kept);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailbox", NULL, NULL);
    CU_ADD_TEST(suite, letters_arrive_in_order_and_wake_a_sleeper_once);
    CU_ADD_TEST(suite, a_poke_between_two_sleeps_is_not_lost);
    CU_ADD_TEST(suite, a_closed_one_gives_back_what_comes_later);
    CU_ADD_TEST(suite, a_process_without_stdin_leaks_no_descriptor);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
