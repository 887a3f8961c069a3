// SPDX-License-Identifier: MIT
// What strangers write (ids, types, replies, error texts) ends in log lines and errors: it comes out
// there escaped, on one line, as UTF-8, and no longer than allowed, and what was cut shows it.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "model/job.h"
#include "model/settings_problem.h"

enum { LONG = 10000 };

/* Each would forge a line, clear a terminal, or break whoever wants UTF-8. */
static const char *const hostile[] = {
    "id\nlevel=error event=forged",
    "\x1b[2J\x1b]0;title\x07",
    "tab\tcr\rbackspace\b",
    "\x7f\x01\x1f",
    "\xff\xfe\x80",
    "cut in a character \xe2\x82",
    "\xc2\x9b"
    "31m and \xc2\x85 are controls too",
    "overlong \xc0\x80 and a surrogate \xed\xa0\x80",
    "\" key=\"value",
    "back\\slash\\",
};

enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

/* 10 kB of each byte that there is, but NUL. */
static const char *long_text(void)
{
    static char text[LONG + 1];
    for (int i = 0; i < LONG; i++) {
        text[i] = (char)(i % 255 + 1);
    }
    return text;
}

static bool is_plain(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7F || (at[0] == 0xC2 && at[1] < 0xA0)) {
            return false;
        }
    }
    return wr_text_is_utf8(wr_slice_of(text));
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

/* --- showing --- */

static void plain_text_is_shown_as_it_is(void)
{
    char out[64];
    const char *plain = "caf\xC3\xA9 \"x\" \\ \xF0\x9F\x90\xB0";
    CU_ASSERT_STRING_EQUAL(wr_text_show(out, sizeof out, wr_slice_of(plain), false), plain);
    CU_ASSERT_STRING_EQUAL(wr_text_show(out, sizeof out, (struct wr_slice){ 0 }, false), "");
}

static void other_bytes_are_shown_by_their_number(void)
{
    char out[64];
    struct wr_slice bytes = { "a\n\x1b\0\xff\xc2\x85z", 8 };
    CU_ASSERT_STRING_EQUAL(wr_text_show(out, sizeof out, bytes, false),
                           "a\\x0a\\x1b\\x00\\xff\\xc2\\x85z");
    CU_ASSERT_STRING_EQUAL(wr_text_show(out, sizeof out, bytes, true),
                           "a\n\\x1b\\x00\\xff\\xc2\\x85z");
}

static void what_fits_exactly_is_not_cut(void)
{
    char out[9];
    CU_ASSERT_STRING_EQUAL(wr_text_show(out, sizeof out, wr_slice_of("12345678"), false),
                           "12345678");
    CU_ASSERT_STRING_EQUAL(wr_text_show(out, sizeof out, wr_slice_of("123456789"), false),
                           "12345...");
    CU_ASSERT_STRING_EQUAL(wr_text_quote(out, sizeof out, wr_slice_of("123456")), "\"123456\"");
    CU_ASSERT_STRING_EQUAL(wr_text_quote(out, sizeof out, wr_slice_of("1234567")), "\"123...\"");
}

static void neither_a_character_nor_an_escape_is_cut_in_two(void)
{
    char out[12];
    for (size_t size = 8; size <= sizeof out; size++) {
        (void)wr_text_show(out, size, wr_slice_of("1\xF0\x9F\x90\xB0\xF0\x9F\x90\xB0\xF0\x9F"),
                           false);
        CU_ASSERT(is_plain(out) && strlen(out) < size && ends_with(out, "..."));
        (void)wr_text_show(out, size, wr_slice_of("1\n\n\n"), false);
        CU_ASSERT(strlen(out) < size);
        CU_ASSERT(ends_with(out, "1...") || ends_with(out, "\\x0a..."));
    }
}

/* --- log lines --- */

static char line[8192];

static void keep_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    (void)event;
    (void)snprintf(line, sizeof line, "%s", fields);
}

/* `id="…" end=1`, where no quote ends the value early. */
static bool is_one_value(const char *fields)
{
    const char *at = fields + 4;
    while (*at && *at != '"') {
        at += *at == '\\' ? 2 : 1;
    }
    return strncmp(fields, "id=\"", 4) == 0 && strcmp(at, "\" end=1") == 0;
}

static void a_quoted_value_stays_one_value_on_one_line(void)
{
    char quoted[200];
    wr_log_to(keep_line, NULL, WR_DEBUG);
    for (size_t i = 0; i < HOSTILE; i++) {
        wr_log(WR_INFO, "job.dead", "id=%s end=1", wr_log_quote(quoted, sizeof quoted, hostile[i]));
        CU_ASSERT(is_plain(line) && is_one_value(line));
    }
    wr_log(WR_INFO, "job.dead", "id=%s end=1", wr_log_quote(quoted, sizeof quoted, long_text()));
    CU_ASSERT(is_plain(line) && is_one_value(line) && strlen(quoted) < sizeof quoted);
    CU_ASSERT(ends_with(quoted, "...\""));
    wr_log_to(NULL, NULL, WR_DEBUG);
}

static void even_an_unquoted_value_stays_on_one_line(void)
{
    wr_log_to(keep_line, NULL, WR_DEBUG);
    for (size_t i = 0; i < HOSTILE; i++) {
        wr_log(WR_INFO, "connection.open", "server=%s", hostile[i]);
        CU_ASSERT(is_plain(line));
    }
    wr_log(WR_INFO, "connection.open", "server=%s", long_text());
    CU_ASSERT(is_plain(line) && strlen(line) < 2048 && ends_with(line, "..."));
    wr_log_to(NULL, NULL, WR_DEBUG);
}

static void a_room_that_holds_nothing_gets_nothing(void)
{
    char out[8] = "same";
    CU_ASSERT_STRING_EQUAL(wr_log_quote(out, 7, "x"), "");
    CU_ASSERT_STRING_EQUAL(out, "same");
    CU_ASSERT_STRING_EQUAL(wr_log_quote(out, sizeof out, "a long one"), "\"a ...\"");
}

/* --- errors --- */

static void an_error_is_plain_text_but_for_its_line_ends(void)
{
    warren_error err;
    (void)wr_fail(&err, WARREN_FAILED, "first\nsecond %s", "\x1b[31m\xff");
    CU_ASSERT_STRING_EQUAL(err.text, "first\nsecond \\x1b[31m\\xff");
    for (size_t i = 1; i < HOSTILE; i++) {
        (void)wr_fail(&err, WARREN_FAILED, "the broker said: %s", hostile[i]);
        CU_ASSERT(is_plain(err.text));
        (void)wr_wrap(&err, WARREN_FAILED, "%s", hostile[i]);
        CU_ASSERT(is_plain(err.text));
    }
}

static void a_long_error_is_cut_and_says_so(void)
{
    warren_error err;
    (void)wr_fail(&err, WARREN_FAILED, "the broker said: %s", long_text());
    CU_ASSERT(strlen(err.text) < sizeof err.text && ends_with(err.text, "..."));
    CU_ASSERT(wr_text_is_utf8(wr_slice_of(err.text)));
    (void)wr_wrap(&err, WARREN_FAILED, "%s", long_text());
    CU_ASSERT(strlen(err.text) < sizeof err.text && ends_with(err.text, "..."));
}

static void wrapping_escapes_nothing_twice(void)
{
    warren_error err;
    (void)wr_fail(&err, WARREN_FAILED, "a\x01");
    (void)wr_wrap(&err, WARREN_FAILED, "b\x02");
    CU_ASSERT_STRING_EQUAL(err.text, "b\\x02: a\\x01");
}

static void a_problem_of_a_configuration_is_one_line(void)
{
    const struct wr_place place = { "warren.cfg", 3, "broker.url" };
    for (size_t i = 0; i < HOSTILE; i++) {
        struct wr_problems problems = { 0 };
        struct wr_text text = { 0 };
        wr_problem_error(&problems, &place, "got \"%s\"", hostile[i]);
        wr_problem_write(&problems.items[0], &text);
        CU_ASSERT(is_plain(wr_text_string(&text)));
        wr_text_done(&text);
        wr_problems_done(&problems);
    }
}

/* --- jobs --- */

static void what_a_handler_says_is_kept_within_its_room(void)
{
    struct wr_settings settings = { .body_most = 1 };
    char name[] = "q";
    struct wr_queue_settings queue = { .name = name, .default_type = name };
    struct wr_job_rules rules = { &settings, &queue, wr_slice_of("warren.jobs") };
    struct wr_message message = { .present = WR_MESSAGE_ID | WR_TYPE,
                                  .message_id = wr_slice_of("id\n\x1b"),
                                  .type = wr_slice_of("type\n\x1b") };
    struct warren_job *job = wr_job_decode(&message, &rules, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    (void)warren_dead(job, "%s", long_text());
    CU_ASSERT(strlen(job->text) <= 500 && wr_text_is_utf8(wr_slice_of(job->text)));
    CU_ASSERT(ends_with(job->text, "..."));
    wr_job_free(job);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("hostile_text", NULL, NULL);
    CU_ADD_TEST(suite, plain_text_is_shown_as_it_is);
    CU_ADD_TEST(suite, other_bytes_are_shown_by_their_number);
    CU_ADD_TEST(suite, what_fits_exactly_is_not_cut);
    CU_ADD_TEST(suite, neither_a_character_nor_an_escape_is_cut_in_two);
    CU_ADD_TEST(suite, a_quoted_value_stays_one_value_on_one_line);
    CU_ADD_TEST(suite, even_an_unquoted_value_stays_on_one_line);
    CU_ADD_TEST(suite, a_room_that_holds_nothing_gets_nothing);
    CU_ADD_TEST(suite, an_error_is_plain_text_but_for_its_line_ends);
    CU_ADD_TEST(suite, a_long_error_is_cut_and_says_so);
    CU_ADD_TEST(suite, wrapping_escapes_nothing_twice);
    CU_ADD_TEST(suite, a_problem_of_a_configuration_is_one_line);
    CU_ADD_TEST(suite, what_a_handler_says_is_kept_within_its_room);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
