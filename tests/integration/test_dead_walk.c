// SPDX-License-Identifier: MIT
// Dead letters on a real broker: looking at them 50 times changes nothing, thousands are walked in
// order, and what is taken out leaves the rest in order.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "engine/deadwalk.h"
#include "graveyard.h"
#include "warren/dead.h"

enum { MANY = 5000 };

static struct graveyard yard;
static warren_error err;

static int set_up(void)
{
    graveyard_open(&yard);
    return 0;
}

static int tear_down(void)
{
    graveyard_close(&yard);
    return 0;
}

/* What a walk saw. */
struct seen {
    size_t count;
    size_t out_of_order;
    int last;
};

static bool note_order(const warren_dead_letter *letter, void *user)
{
    struct seen *seen = user;
    int id = atoi(letter->id);
    seen->out_of_order += seen->count && id != seen->last + 1;
    seen->last = id;
    seen->count++;
    return true;
}

static struct seen look(void)
{
    struct seen seen = { 0 };
    warren_dead_filter filter = { .queue = "emails" };
    CU_ASSERT_EQUAL(warren_dead_each(yard.admin, &filter, note_order, &seen, &err), WARREN_OK);
    return seen;
}

static void fifty_looks_lose_nothing_and_keep_the_order(void)
{
    graveyard_empty(&yard);
    graveyard_bury(&yard, 0, 300, "a.job");
    for (int i = 0; i < 50; i++) {
        struct seen seen = look();
        CU_ASSERT_EQUAL(seen.count, 300);
        CU_ASSERT_EQUAL(seen.out_of_order, 0);
    }
    CU_ASSERT(graveyard_settles_at(&yard, "emails.dead", 300));
}

static bool stop_at_ten(const warren_dead_letter *letter, void *user)
{
    (void)note_order(letter, user);
    return ((struct seen *)user)->count < 10;
}

static void thousands_stay_in_order_also_after_looks_that_were_broken_off(void)
{
    graveyard_empty(&yard);
    graveyard_bury(&yard, 0, MANY, "a.job");
    for (int i = 0; i < 3; i++) {
        struct seen first = { 0 };
        warren_dead_filter filter = { .queue = "emails" };
        CU_ASSERT_EQUAL(warren_dead_each(yard.admin, &filter, stop_at_ten, &first, &err),
                        WARREN_OK);
        CU_ASSERT_EQUAL(first.count, 10);
        CU_ASSERT_EQUAL(first.last, 9);
        struct seen seen = look();
        CU_ASSERT_EQUAL(seen.count, MANY);
        CU_ASSERT_EQUAL(seen.out_of_order, 0);
    }
}

static void drop_and_replay_take_what_matches_and_leave_the_rest_in_order(void)
{
    graveyard_empty(&yard);
    graveyard_bury(&yard, 0, 200, "a.job");
    graveyard_bury(&yard, 1000, 5, "other");
    graveyard_bury(&yard, 200, 200, "a.job");
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails", .type = "other", .limit = 5 };
    CU_ASSERT_EQUAL(warren_dead_drop(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 5);
    struct seen seen = look();
    CU_ASSERT_EQUAL(seen.count, 400);
    CU_ASSERT_EQUAL(seen.out_of_order, 0);
    filter = (warren_dead_filter){ .queue = "emails", .limit = 3 };
    CU_ASSERT_EQUAL(warren_dead_drop(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 3);
    seen = look();
    CU_ASSERT_EQUAL(seen.count, 397);
    CU_ASSERT_EQUAL(seen.out_of_order, 0);
    filter.limit = 150;
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 150);
    seen = look();
    CU_ASSERT_EQUAL(seen.count, 247);
    CU_ASSERT_EQUAL(seen.out_of_order, 0);
    CU_ASSERT(graveyard_settles_at(&yard, "emails", 150));
}

static bool delete_what_is_looked_at(const warren_dead_letter *letter, void *user)
{
    (void)letter;
    (void)user;
    CU_ASSERT_EQUAL(wr_broker_delete_queue(yard.broker, GRAVEYARD_CHANNEL, "emails.dead", &err),
                    WARREN_OK);
    return false;
}

static bool count_queue(const warren_queue_info *info, void *user)
{
    *(size_t *)user += info->exists;
    return true;
}

static void a_queue_that_goes_under_a_look_does_not_end_the_next_one(void)
{
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails" };
    graveyard_empty(&yard);
    graveyard_bury(&yard, 0, 3, "a.job");
    (void)warren_dead_each(yard.admin, &filter, delete_what_is_looked_at, NULL, &err);
    CU_ASSERT_EQUAL(warren_queue_each(yard.admin, count_queue, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 3); /* emails, emails.apart, the catch-all */
    graveyard_declare(&yard);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("dead_walk", set_up, tear_down);
    CU_ADD_TEST(suite, fifty_looks_lose_nothing_and_keep_the_order);
    CU_ADD_TEST(suite, thousands_stay_in_order_also_after_looks_that_were_broken_off);
    CU_ADD_TEST(suite, drop_and_replay_take_what_matches_and_leave_the_rest_in_order);
    CU_ADD_TEST(suite, a_queue_that_goes_under_a_look_does_not_end_the_next_one);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
