// SPDX-License-Identifier: MIT
// The ladder's arithmetic: rounding up, keys as the notes measured them, names.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "model/delay.h"

static void delays_are_rounded_up_to_units(void)
{
    CU_ASSERT_EQUAL(wr_delay_units(0), 0);
    CU_ASSERT_EQUAL(wr_delay_units(-5), 0);
    CU_ASSERT_EQUAL(wr_delay_units(1), 1);
    CU_ASSERT_EQUAL(wr_delay_units(125), 1);
    CU_ASSERT_EQUAL(wr_delay_units(126), 2);
    CU_ASSERT_EQUAL(wr_delay_round_up(1001), 1125);
    for (int64_t ms = 1; ms < 100000; ms += 7) {
        int64_t rounded = wr_delay_round_up(ms);
        CU_ASSERT_FATAL(rounded >= ms && rounded < ms + WR_DELAY_UNIT_MS);
    }
}

static void thirty_six_hours_need_twenty_levels(void)
{
    CU_ASSERT_EQUAL(wr_delay_levels(INT64_C(36) * 3600 * 1000), 20);
    CU_ASSERT_EQUAL(wr_delay_levels(125), 1);
    CU_ASSERT_EQUAL(wr_delay_levels(INT64_C(365) * 86400 * 1000), 28);
    CU_ASSERT_EQUAL(wr_delay_levels(INT64_MAX), WR_DELAY_LEVELS);
}

static void a_delay_enters_at_its_highest_bit(void)
{
    CU_ASSERT_EQUAL(wr_delay_entry_level(1), 0);
    CU_ASSERT_EQUAL(wr_delay_entry_level(8), 3);
    CU_ASSERT_EQUAL(wr_delay_entry_level(31), 4);
    CU_ASSERT_EQUAL(wr_delay_level_ms(3), 1000);
}

static void keys_are_digits_from_the_least_and_then_home(void)
{
    char key[WR_DELAY_KEY_SIZE];
    CU_ASSERT(wr_delay_key(key, sizeof key, 8, "queue", "my.queue"));
    CU_ASSERT_STRING_EQUAL(key, "8.queue/my/queue");
    CU_ASSERT(wr_delay_key(key, sizeof key, 32, "queue", "a/b.c"));
    CU_ASSERT_STRING_EQUAL(key, "0.2.queue/a\x1f"
                                "b/c");
    CU_ASSERT(wr_delay_key(key, sizeof key, 0, "queue", "emails"));
    CU_ASSERT_STRING_EQUAL(key, "queue/emails");
    CU_ASSERT(wr_delay_key(key, sizeof key, 0xabcdef1, "type", "email.welcome"));
    CU_ASSERT_STRING_EQUAL(key, "1.f.e.d.c.b.a.type/email/welcome");
    CU_ASSERT(wr_delay_home_key(key, sizeof key, "queue", "emails"));
    CU_ASSERT_STRING_EQUAL(key, "#.queue/emails");
}

static void a_key_tells_where_it_leads_to(void)
{
    static const char *const names[] = { "emails", "my.queue", "a/b.c", "...",
                                         "//",     "queue/x",  "8.a" };
    char key[WR_DELAY_KEY_SIZE];
    char name[WR_DELAY_KEY_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (uint32_t units = 0; units < 70000; units = 3 * units + 1) {
            CU_ASSERT(wr_delay_key(key, sizeof key, units, "queue", names[i]));
            CU_ASSERT(wr_delay_key_home(name, sizeof name, wr_slice_of(key), "queue"));
            CU_ASSERT_STRING_EQUAL(name, names[i]);
            CU_ASSERT_FALSE(wr_delay_key_home(name, sizeof name, wr_slice_of(key), "type"));
            CU_ASSERT_PTR_NULL(strchr(strstr(key, "queue/"), '.'));
        }
    }
}

static void what_is_no_key_leads_nowhere(void)
{
    static const char *const keys[] = { "",         "8",        "8.",        "queue",
                                        "queue/",   "8.queue/", "g.queue/a", "88.queue/a",
                                        ".queue/a", "queue.a",  "8queue/a",  "8.queue/a.b" };
    char name[WR_DELAY_KEY_SIZE];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        CU_ASSERT_FALSE(wr_delay_key_home(name, sizeof name, wr_slice_of(keys[i]), "queue"));
    }
    CU_ASSERT_FALSE(
        wr_delay_key_home(name, sizeof name, wr_slice_of("0.0.0.0.0.0.0.0.queue/a"), "queue"));
    CU_ASSERT_FALSE(
        wr_delay_key_home(name, sizeof name, (struct wr_slice){ "queue/a\0b", 9 }, "queue"));
}

static void what_does_not_fit_is_no_key(void)
{
    char key[WR_DELAY_KEY_SIZE + 10];
    char name[300] = "";
    memset(name, 'q', 235);
    CU_ASSERT(wr_delay_key(key, sizeof key, 1, "queue", name));
    CU_ASSERT_EQUAL(strlen(key), 243);
    CU_ASSERT(wr_delay_key(key, sizeof key, 0xfffffff, "queue", name));
    CU_ASSERT_EQUAL(strlen(key), 255);
    name[235] = 'q';
    CU_ASSERT_FALSE(wr_delay_key(key, sizeof key, 1, "queue", name));
    CU_ASSERT_FALSE(wr_delay_home_key(key, sizeof key, "queue", name));
    CU_ASSERT_FALSE(wr_delay_key(key, sizeof key, 1, "queue", "a\x1f"));
    CU_ASSERT_FALSE(wr_delay_key(key, sizeof key, UINT32_C(1) << 28, "queue", "q"));
    CU_ASSERT_FALSE(wr_delay_key(key, 9, 1, "queue", "q"));
    CU_ASSERT_FALSE(wr_delay_key(key, sizeof key, wr_delay_units(INT64_MAX), "queue", "q"));
}

static void levels_are_named_by_their_milliseconds(void)
{
    char name[64];
    CU_ASSERT(wr_delay_level_name(name, sizeof name, "warren", 0));
    CU_ASSERT_STRING_EQUAL(name, "warren.delay.125");
    CU_ASSERT(wr_delay_level_name(name, sizeof name, "warren", 27));
    CU_ASSERT_STRING_EQUAL(name, "warren.delay.16777216000");
    CU_ASSERT_FALSE(wr_delay_level_name(name, 8, "warren", 0));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("delay", NULL, NULL);
    CU_ADD_TEST(suite, delays_are_rounded_up_to_units);
    CU_ADD_TEST(suite, thirty_six_hours_need_twenty_levels);
    CU_ADD_TEST(suite, a_delay_enters_at_its_highest_bit);
    CU_ADD_TEST(suite, keys_are_digits_from_the_least_and_then_home);
    CU_ADD_TEST(suite, a_key_tells_where_it_leads_to);
    CU_ADD_TEST(suite, what_is_no_key_leads_nowhere);
    CU_ADD_TEST(suite, what_does_not_fit_is_no_key);
    CU_ADD_TEST(suite, levels_are_named_by_their_milliseconds);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
