// SPDX-License-Identifier: MIT
/*
 * Errors as values: what a program ends with, and what a person reads.
 */
#include <CUnit/Basic.h>
#include <string.h>

#include "base/error.h"

static void each_status_has_its_exit_code(void)
{
    static const struct {
        warren_status status;
        int code;
    } rows[] = {
        { WARREN_OK, 0 },          { WARREN_FAILED, 1 },      { WARREN_INVALID, 2 },
        { WARREN_NO_MEMORY, 1 },   { WARREN_AGAIN, 1 },       { WARREN_NOT_FOUND, 4 },
        { WARREN_UNROUTABLE, 5 },  { WARREN_NACKED, 5 },      { WARREN_UNKNOWN, 5 },
        { WARREN_STATE, 5 },       { WARREN_CLOSED, 6 },      { WARREN_REFUSED, 6 },
        { WARREN_UNREACHABLE, 6 }, { WARREN_CONFIG, 7 },      { WARREN_MISMATCH, 7 },
        { WARREN_TIMEOUT, 8 },     { (warren_status)-99, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(warren_exit_code(rows[i].status), rows[i].code);
    }
    CU_ASSERT_STRING_EQUAL(warren_status_name(WARREN_UNROUTABLE), "unroutable");
}

static void a_failure_writes_status_and_text_in_one_line(void)
{
    warren_error err = { .status = WARREN_OK };
    CU_ASSERT_EQUAL(wr_fail(&err, WARREN_NOT_FOUND, "queue %s", "emails"), WARREN_NOT_FOUND);
    CU_ASSERT_EQUAL(err.status, WARREN_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(err.text, "queue emails");
    CU_ASSERT_EQUAL(wr_fail(NULL, WARREN_CLOSED, "nobody listens"), WARREN_CLOSED);
}

static void a_caller_adds_where_it_was(void)
{
    warren_error err;
    (void)wr_fail(&err, WARREN_REFUSED, "no permission");
    CU_ASSERT_EQUAL(wr_wrap(&err, WARREN_REFUSED, "declare %s", "emails"), WARREN_REFUSED);
    CU_ASSERT_STRING_EQUAL(err.text, "declare emails: no permission");
}

static void a_text_that_is_too_long_shows_that_it_was_cut(void)
{
    warren_error err;
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)wr_fail(&err, WARREN_FAILED, "%s", longer);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
    CU_ASSERT_STRING_EQUAL(err.text + strlen(err.text) - 4, "x...");
    (void)wr_wrap(&err, WARREN_FAILED, "where");
    CU_ASSERT(strncmp(err.text, "where: xxx", 10) == 0);
    CU_ASSERT_STRING_EQUAL(err.text + strlen(err.text) - 4, "x...");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("error", NULL, NULL);
    CU_ADD_TEST(suite, each_status_has_its_exit_code);
    CU_ADD_TEST(suite, a_failure_writes_status_and_text_in_one_line);
    CU_ADD_TEST(suite, a_caller_adds_where_it_was);
    CU_ADD_TEST(suite, a_text_that_is_too_long_shows_that_it_was_cut);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
