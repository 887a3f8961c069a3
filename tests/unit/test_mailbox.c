// SPDX-License-Identifier: MIT
// The mailbox with real threads: every letter arrives once and in its sender's order, and an owner
// who sleeps in poll is always woken.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <poll.h>
#include <pthread.h>

#include "base/mailbox.h"

enum { SENDERS = 4, LETTERS = 5000, DEADLINE_MS = 20000 };

struct letter {
    struct wr_link link;
    int sender;
    int number;
};

static struct letter letters[SENDERS][LETTERS];
static struct wr_mailbox mailbox;

static void *send_all(void *user)
{
    struct letter *mine = user;
    for (int i = 0; i < LETTERS; i++) {
        (void)wr_mailbox_push(&mailbox, &mine[i].link);
    }
    return NULL;
}

/* Sleeps as the owners of mailboxes do; false when nobody woke it in time. */
static bool sleep_until_something(void)
{
    struct pollfd fd = { .fd = mailbox.fd, .events = POLLIN };
    bool was_woken = true;
    if (wr_mailbox_sleeps(&mailbox)) {
        was_woken = poll(&fd, 1, DEADLINE_MS) == 1;
        wr_mailbox_wakes(&mailbox);
    }
    return was_woken;
}

static void letters_of_many_threads_arrive_once_and_in_order(void)
{
    pthread_t threads[SENDERS];
    int next[SENDERS] = { 0 };
    size_t total = 0;
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, NULL), WARREN_OK);
    for (int i = 0; i < SENDERS; i++) {
        for (int n = 0; n < LETTERS; n++) {
            letters[i][n] = (struct letter){ .sender = i, .number = n };
        }
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, send_all, letters[i]), 0);
    }
    while (total < (size_t)SENDERS * LETTERS) {
        CU_ASSERT_FATAL(sleep_until_something());
        struct wr_list got = wr_mailbox_take(&mailbox);
        total += got.length;
        for (struct wr_link *link; (link = wr_list_take(&got));) {
            struct letter *letter = WR_OF(link, struct letter, link);
            CU_ASSERT_FATAL(letter->number == next[letter->sender]++);
        }
    }
    for (int i = 0; i < SENDERS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    CU_ASSERT(wr_mailbox_is_empty(&mailbox));
    wr_mailbox_done(&mailbox);
}

static void a_poke_wakes_without_a_letter(void)
{
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, NULL), WARREN_OK);
    wr_mailbox_poke(&mailbox);
    CU_ASSERT_FALSE(wr_mailbox_sleeps(&mailbox)); /* came before the sleep */
    CU_ASSERT_EQUAL(wr_mailbox_take(&mailbox).length, 0);
    CU_ASSERT(wr_mailbox_sleeps(&mailbox));
    wr_mailbox_poke(&mailbox);
    struct pollfd fd = { .fd = mailbox.fd, .events = POLLIN };
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 1);
    wr_mailbox_wakes(&mailbox);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    wr_mailbox_done(&mailbox);
}

static void pushes_to_an_owner_who_is_awake_cost_no_wake_up(void)
{
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, NULL), WARREN_OK);
    struct pollfd fd = { .fd = mailbox.fd, .events = POLLIN };
    CU_ASSERT(wr_mailbox_push(&mailbox, &letters[0][0].link));
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    CU_ASSERT_FALSE(wr_mailbox_sleeps(&mailbox));
    CU_ASSERT_FALSE(wr_mailbox_is_empty(&mailbox));
    CU_ASSERT_EQUAL(wr_mailbox_take(&mailbox).length, 1);
    wr_mailbox_done(&mailbox);
}

static void a_closed_mailbox_takes_nothing_more_and_gives_up_what_it_has(void)
{
    CU_ASSERT_EQUAL_FATAL(wr_mailbox_init(&mailbox, NULL), WARREN_OK);
    CU_ASSERT(wr_mailbox_push(&mailbox, &letters[0][0].link));
    CU_ASSERT_EQUAL(wr_mailbox_close(&mailbox).length, 1);
    CU_ASSERT_FALSE(wr_mailbox_push(&mailbox, &letters[0][1].link));
    CU_ASSERT(wr_mailbox_is_empty(&mailbox));
    wr_mailbox_done(&mailbox);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailbox", NULL, NULL);
    CU_ADD_TEST(suite, letters_of_many_threads_arrive_once_and_in_order);
    CU_ADD_TEST(suite, a_poke_wakes_without_a_letter);
    CU_ADD_TEST(suite, pushes_to_an_owner_who_is_awake_cost_no_wake_up);
    CU_ADD_TEST(suite, a_closed_mailbox_takes_nothing_more_and_gives_up_what_it_has);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
