// SPDX-License-Identifier: MIT
// What is published again brings nothing of the broker's along, and loses nothing else.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "model/strip.h"

static struct wr_table stripped(struct wr_text *from, struct wr_text *to)
{
    wr_strip_copy((struct wr_table){ from->data, from->size }, to);
    return (struct wr_table){ to->data, to->size };
}

static void the_brokers_headers_are_dropped_and_others_kept_in_order(void)
{
    struct wr_text from = { 0 }, to = { 0 }, want = { 0 };
    wr_table_add_string(&want, "a", wr_slice_of("1"));
    wr_table_add_int(&want, "x-warren-attempt", 3);
    wr_table_add_string(&want, "x-deathly", wr_slice_of("not the broker's"));
    wr_table_add_string(&from, "a", wr_slice_of("1"));
    wr_table_add_nested(&from, "x-death", 'A', (struct wr_slice){ 0 });
    wr_table_add_int(&from, "x-warren-attempt", 3);
    wr_table_add_string(&from, "x-first-death-queue", wr_slice_of("q"));
    wr_table_add_string(&from, "x-last-death-reason", wr_slice_of("rejected"));
    wr_table_add_int(&from, "x-delivery-count", 7);
    wr_table_add_string(&from, "x-deathly", wr_slice_of("not the broker's"));
    struct wr_table got = stripped(&from, &to);
    CU_ASSERT(wr_slice_equals((struct wr_slice){ got.data, got.size },
                              (struct wr_slice){ want.data, want.size }));
    wr_text_done(&from);
    wr_text_done(&to);
    wr_text_done(&want);
}

static void copies_are_kept_under_a_name_that_routes_nothing(void)
{
    struct wr_text from = { 0 }, to = { 0 }, again = { 0 };
    struct wr_field field;
    wr_table_add_string(&from, "x-warren-cc", wr_slice_of("older"));
    wr_table_add_nested(&from, "CC", 'A', (struct wr_slice){ "S\0\0\0\1q", 6 });
    wr_table_add_string(&from, "BCC", wr_slice_of("b"));
    struct wr_table got = stripped(&from, &to);
    CU_ASSERT_FALSE(wr_table_find(got, "CC", &field));
    CU_ASSERT_FALSE(wr_table_find(got, "BCC", &field));
    CU_ASSERT(wr_table_find(got, "x-warren-cc", &field) && field.kind == 'A');
    CU_ASSERT(wr_table_find(got, "x-warren-bcc", &field) && wr_slice_is(field.value, "b"));
    CU_ASSERT_EQUAL(stripped(&to, &again).size, to.size);
    wr_text_done(&from);
    wr_text_done(&to);
    wr_text_done(&again);
}

/* Whether an x-death with this one member, of that kind, would crash a broker that believes it. */
static bool is_bad(char kind, struct wr_slice member)
{
    struct wr_text headers = { 0 }, members = { 0 };
    char head[5] = { kind, 0, 0, 0, (char)member.size };
    wr_text_add(&members, head, sizeof head);
    wr_text_add(&members, member.data, member.size);
    wr_table_add_nested(&headers, "x-death", 'A', (struct wr_slice){ members.data, members.size });
    bool is_bad = wr_strip_has_bad_death((struct wr_table){ headers.data, headers.size });
    wr_text_done(&members);
    wr_text_done(&headers);
    return is_bad;
}

static void a_death_that_would_crash_a_broker_is_known(void)
{
    struct wr_text death = { 0 }, other = { 0 };
    wr_table_add_string(&death, "queue", wr_slice_of("q"));
    CU_ASSERT(is_bad('F', (struct wr_slice){ death.data, death.size }));
    wr_table_add_string(&death, "reason", wr_slice_of("expired"));
    CU_ASSERT_FALSE(is_bad('F', (struct wr_slice){ death.data, death.size }));
    wr_table_add_int(&death, "count", 2);
    CU_ASSERT_FALSE(is_bad('F', (struct wr_slice){ death.data, death.size }));
    CU_ASSERT(is_bad('S', wr_slice_of("text")));
    wr_table_add_string(&other, "count", wr_slice_of("many"));
    wr_text_add(&other, death.data, death.size);
    CU_ASSERT(is_bad('F', (struct wr_slice){ other.data, other.size }));
    CU_ASSERT_FALSE(wr_strip_has_bad_death((struct wr_table){ death.data, death.size }));
    wr_text_clear(&other);
    wr_table_add_string(&other, "x-death", wr_slice_of("all"));
    CU_ASSERT(wr_strip_has_bad_death((struct wr_table){ other.data, other.size }));
    wr_text_done(&death);
    wr_text_done(&other);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("strip", NULL, NULL);
    CU_ADD_TEST(suite, the_brokers_headers_are_dropped_and_others_kept_in_order);
    CU_ADD_TEST(suite, copies_are_kept_under_a_name_that_routes_nothing);
    CU_ADD_TEST(suite, a_death_that_would_crash_a_broker_is_known);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
