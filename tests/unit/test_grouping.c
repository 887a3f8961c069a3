// SPDX-License-Identifier: MIT
// Letters are counted by their groups: nothing is counted twice or left out, and memory is bounded.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>

#include "model/grouping.h"

static warren_dead_letter letter_of(const char *group, int64_t died_ms, int attempts)
{
    return (warren_dead_letter){ .id = group,
                                 .type = "mail",
                                 .queue = "emails",
                                 .reason = "failed",
                                 .error = "no user 7",
                                 .shape = "no user <n>",
                                 .group = group,
                                 .attempts = attempts,
                                 .died_ms = died_ms,
                                 .body_size = 10 };
}

/* What a visitor saw. */
struct seen {
    size_t count;
    uint64_t letters;
    uint64_t last_count;
    bool is_falling;
    warren_dead_group first; /* its strings live as long as the grouping */
};

static bool note(const warren_dead_group *group, void *user)
{
    struct seen *seen = user;
    if (!seen->count) {
        seen->first = *group;
        seen->is_falling = true;
    } else if (group->count > seen->last_count) {
        seen->is_falling = false;
    }
    seen->last_count = group->count;
    seen->letters += group->count;
    seen->count++;
    return true;
}

static void add(struct wr_grouping *grouping, const char *group, int64_t died_ms, int attempts)
{
    warren_dead_letter letter = letter_of(group, died_ms, attempts);
    CU_ASSERT_EQUAL_FATAL(wr_grouping_add(grouping, &letter), WARREN_OK);
}

static void a_group_knows_times_attempts_and_its_newest_letter(void)
{
    struct wr_grouping grouping = { .most = 10 };
    struct seen seen = { .count = 0 };
    add(&grouping, "aaaaaaaaaaaa", 0, 3);
    add(&grouping, "aaaaaaaaaaaa", 2000, 5);
    add(&grouping, "aaaaaaaaaaaa", 1000, 1);
    add(&grouping, "bbbbbbbbbbbb", 9000, 1);
    CU_ASSERT_EQUAL(wr_grouping_each(&grouping, "emails", note, &seen), WARREN_OK);
    CU_ASSERT_EQUAL(seen.count, 2);
    CU_ASSERT_STRING_EQUAL(seen.first.id, "aaaaaaaaaaaa");
    CU_ASSERT_STRING_EQUAL(seen.first.queue, "emails");
    CU_ASSERT_STRING_EQUAL(seen.first.type, "mail");
    CU_ASSERT_STRING_EQUAL(seen.first.reason, "failed");
    CU_ASSERT_STRING_EQUAL(seen.first.shape, "no user <n>");
    CU_ASSERT_STRING_EQUAL(seen.first.sample_error, "no user 7");
    CU_ASSERT_EQUAL(seen.first.count, 3);
    CU_ASSERT_EQUAL(seen.first.body_bytes, 30);
    CU_ASSERT_EQUAL(seen.first.first_ms, 1000);
    CU_ASSERT_EQUAL(seen.first.last_ms, 2000);
    CU_ASSERT_EQUAL(seen.first.attempts_least, 1);
    CU_ASSERT_EQUAL(seen.first.attempts_most, 5);
    wr_grouping_done(&grouping);
}

static void thousands_of_groups_are_counted_and_come_the_largest_first(void)
{
    enum { GROUPS = 3000 };
    struct wr_grouping grouping = { .most = GROUPS };
    struct seen seen = { .count = 0 };
    uint64_t letters = 0;
    for (int i = 0; i < GROUPS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%012x", i * 64); /* all meet in the same slots */
        for (int n = 0; n <= i % 5; n++) {
            add(&grouping, id, i, 1);
            letters++;
        }
    }
    CU_ASSERT_EQUAL(wr_grouping_each(&grouping, "emails", note, &seen), WARREN_OK);
    CU_ASSERT_EQUAL(seen.count, GROUPS);
    CU_ASSERT_EQUAL(seen.letters, letters);
    CU_ASSERT(seen.is_falling);
    CU_ASSERT_EQUAL(grouping.beyond, 0);
    wr_grouping_done(&grouping);
}

static void what_is_beyond_the_limit_is_counted_and_not_kept(void)
{
    struct wr_grouping grouping = { .most = 2 };
    struct seen seen = { .count = 0 };
    add(&grouping, "aaaaaaaaaaaa", 1, 1);
    add(&grouping, "bbbbbbbbbbbb", 1, 1);
    add(&grouping, "cccccccccccc", 1, 1);
    add(&grouping, "dddddddddddd", 1, 1);
    add(&grouping, "aaaaaaaaaaaa", 1, 1);
    CU_ASSERT_EQUAL(wr_grouping_each(&grouping, "emails", note, &seen), WARREN_OK);
    CU_ASSERT_EQUAL(seen.count, 2);
    CU_ASSERT_EQUAL(seen.letters, 3);
    CU_ASSERT_EQUAL(grouping.beyond, 2);
    wr_grouping_done(&grouping);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("grouping", NULL, NULL);
    CU_ADD_TEST(suite, a_group_knows_times_attempts_and_its_newest_letter);
    CU_ADD_TEST(suite, thousands_of_groups_are_counted_and_come_the_largest_first);
    CU_ADD_TEST(suite, what_is_beyond_the_limit_is_counted_and_not_kept);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
