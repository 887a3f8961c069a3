// SPDX-License-Identifier: MIT
// Text, ids and the table of headers: small things that everything else leans on.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/text.h"
#include "model/header.h"
#include "model/uuid.h"

static void whole_numbers_are_read_strictly(void)
{
    static const struct {
        const char *text;
        int64_t want;
    } good[] = { { "0", 0 },
                 { "-0", 0 },
                 { "-1", -1 },
                 { "007", 7 },
                 { "9223372036854775807", INT64_MAX },
                 { "-9223372036854775808", INT64_MIN } };
    static const char *const bad[] = { "",
                                       "-",
                                       " 1",
                                       "1 ",
                                       "0x1",
                                       "1.0",
                                       "9223372036854775808",
                                       "1e3",
                                       "--1",
                                       "-9223372036854775809",
                                       "99999999999999999999" };
    int64_t number;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT(wr_slice_to_int(wr_slice_of(good[i].text), &number));
        CU_ASSERT_EQUAL(number, good[i].want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(wr_slice_to_int(wr_slice_of(bad[i]), &number));
    }
    CU_ASSERT_FALSE(wr_slice_to_int((struct wr_slice){ "1\0002", 3 }, &number));
}

static void utf8_is_checked_to_the_letter(void)
{
    static const char *const good[] = { "",
                                        "plain",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\x80",
                                       "\xc0\xaf",
                                       "\xc1\xbf",
                                       "\xc3",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xef\xbf",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80",
                                       "\xff",
                                       "a\xc3(" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT(wr_text_is_utf8(wr_slice_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(wr_text_is_utf8(wr_slice_of(bad[i])));
    }
}

static void any_bytes_become_a_json_string(void)
{
    struct wr_text text = { 0 };
    wr_text_add_json(&text, (struct wr_slice){ "a\"b\\c\n\0\x1f\xff\xc3\xa9", 11 });
    CU_ASSERT_STRING_EQUAL(wr_text_string(&text),
                           "a\\\"b\\\\c\\u000a\\u0000\\u001f\xef\xbf\xbd\xc3\xa9");
    wr_text_done(&text);
}

static void a_text_grows_and_is_handed_over(void)
{
    struct wr_text text = { 0 };
    CU_ASSERT_STRING_EQUAL(wr_text_string(&text), "");
    for (int i = 0; i < 1000; i++) {
        wr_text_add_format(&text, "%d,", i);
    }
    CU_ASSERT_EQUAL(text.size, 3890);
    char *taken = wr_text_take(&text);
    CU_ASSERT_EQUAL(strlen(taken), 3890);
    CU_ASSERT_EQUAL(text.size, 0);
    free(taken);
    wr_text_done(&text);
}

static void the_distance_of_words_counts_edits(void)
{
    CU_ASSERT_EQUAL(wr_text_distance("retry", "retry"), 0);
    CU_ASSERT_EQUAL(wr_text_distance("retry", "rety"), 1);
    CU_ASSERT_EQUAL(wr_text_distance("retry", "rtery"), 1); /* neighbours changed places */
    CU_ASSERT_EQUAL(wr_text_distance("", "abc"), 3);
    CU_ASSERT_EQUAL(wr_text_distance("timeout", "type"), 5);
}

static void numbers_are_written_as_printf_would(void)
{
    uint64_t value = UINT64_C(0x0123456789abcdef);
    for (int i = 0; i < 64; i++) {
        char expected[17];
        char written[17] = { 0 };
        (void)snprintf(expected, sizeof expected, "%016llx", (unsigned long long)value);
        wr_hex_write(written, value);
        CU_ASSERT_STRING_EQUAL(written, expected);
        value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
    }
}

static void ids_are_of_version_seven_and_sort_by_time(void)
{
    char before[WR_UUID_SIZE];
    char after[WR_UUID_SIZE];
    const uint64_t ones[2] = { UINT64_MAX, UINT64_MAX };
    const uint64_t zeros[2] = { 0, 0 };
    wr_uuid_write(before, 1700000000000, ones);
    wr_uuid_write(after, 1700000000001, zeros);
    CU_ASSERT_EQUAL(strlen(before), 36);
    CU_ASSERT(strcmp(before, after) < 0);
    CU_ASSERT_STRING_EQUAL(after, "018bcfe5-6801-7000-8000-000000000000");
    CU_ASSERT_STRING_EQUAL(before, "018bcfe5-6800-7fff-bfff-ffffffffffff");
}

static void every_header_has_its_row_and_strangers_have_none(void)
{
    size_t count = 0;
    const struct wr_header_row *rows = wr_header_table(&count);
    CU_ASSERT(count >= 19);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_PTR_EQUAL(wr_header_find(wr_slice_of(rows[i].name)), &rows[i]); /* named once */
        CU_ASSERT(strlen(rows[i].sentence) > 10);
    }
    CU_ASSERT_PTR_NULL(wr_header_find(wr_slice_of("x-warren-")));
    CU_ASSERT_PTR_NULL(wr_header_find(wr_slice_of("x-warren-attemp")));
    CU_ASSERT_PTR_NULL(wr_header_find(wr_slice_of("x-warren-attempts")));
    CU_ASSERT_PTR_NULL(wr_header_find(wr_slice_of("X-WARREN-ATTEMPT")));
    CU_ASSERT_PTR_NULL(wr_header_find(wr_slice_of("")));
}

static void strangers_headers_are_counted_apart_from_warrens_and_the_brokers(void)
{
    struct wr_text text = { 0 };
    struct wr_bookkeeping books;
    wr_table_add_int(&text, WR_H_ATTEMPT, 2);
    size_t own = text.size;
    wr_table_add_string(&text, "x-death", wr_slice_of("the broker's"));
    size_t before = text.size;
    wr_table_add_string(&text, "tenant", wr_slice_of("x"));
    wr_table_add_string(&text, "x-warren-unknown", wr_slice_of("y")); /* no header of ours */
    struct wr_table table = { text.data, text.size };
    CU_ASSERT_EQUAL(wr_bookkeeping_read(table, &books, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(books.own_bytes, own);
    CU_ASSERT_EQUAL(books.foreign_count, 2);
    CU_ASSERT_EQUAL(books.foreign_bytes, text.size - before);
    wr_text_done(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("text, ids, headers", NULL, NULL);
    CU_ADD_TEST(suite, whole_numbers_are_read_strictly);
    CU_ADD_TEST(suite, utf8_is_checked_to_the_letter);
    CU_ADD_TEST(suite, any_bytes_become_a_json_string);
    CU_ADD_TEST(suite, a_text_grows_and_is_handed_over);
    CU_ADD_TEST(suite, the_distance_of_words_counts_edits);
    CU_ADD_TEST(suite, numbers_are_written_as_printf_would);
    CU_ADD_TEST(suite, ids_are_of_version_seven_and_sort_by_time);
    CU_ADD_TEST(suite, every_header_has_its_row_and_strangers_have_none);
    CU_ADD_TEST(suite, strangers_headers_are_counted_apart_from_warrens_and_the_brokers);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
