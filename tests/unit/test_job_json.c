// SPDX-License-Identifier: MIT
// Strict JSON: what RFC 8259 allows passes, what json-c or others let through besides is refused
// with a reason, and handlers read members by path.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "model/job.h"

static struct wr_queue_settings queue = { .name = (char *)"q" };
static const struct wr_settings settings = { .headers_most = 64,
                                             .headers_bytes = 16384,
                                             .body_most = 1 << 20 };
static const struct wr_job_rules rules = { &settings, &queue, { "warren.jobs", 11 } };
static struct wr_message message;
static warren_error err;

static struct warren_job *job_of(const char *body, size_t size)
{
    message =
        (struct wr_message){ .body = { body, size }, .present = WR_TYPE, .type = wr_slice_of("a") };
    struct warren_job *job = wr_job_decode(&message, &rules, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    return job;
}

/* Checks a body that lies in a block of its own exact size. */
static warren_status check_bytes(const char *body, size_t size)
{
    char *block = malloc(size ? size : 1);
    if (!block) {
        abort();
    }
    memcpy(block, body, size);
    struct warren_job *job = job_of(block, size);
    warren_status rc = wr_job_check_json(job, 32, &err);
    wr_job_free(job);
    free(block);
    return rc;
}

static warren_status check(const char *body)
{
    return check_bytes(body, strlen(body));
}

static void every_form_of_json_passes(void)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " \t\r\n{ } \n",
        "null",
        "true",
        "-0",
        "0",
        "12",
        "-1.5e-3",
        "1E+2",
        "\"\"",
        "\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"a:b\"",
        "{\"a\":\"b:c\",\"d\":[{\"a\":1},{\"a\":2}]}",
        "{\"\":1}",
        "{\"a b\" : 1 , \"c\\\"\" : {\"a b\":2}}",
        "9223372036854775807",
        "-9223372036854775808",
        "1e300",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "[1,[2,[3]]]",
        "\"\\\\u0000\"",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (check(good[i])) {
            fprintf(stderr, "refused: %s: %s\n", good[i], err.text);
            CU_FAIL("refused");
        }
    }
}

static const char *const bad[] = {
    "",
    " ",
    "{",
    "}",
    "[1",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":[1 , ] }",
    "[1,,2]",
    "{\"a\":1,,\"b\":2}",
    "[1,/**/2]",
    "[tRUE]",
    "[1-2]",
    "[1]]",
    "1,",
    "\"a\" \"b\"",
    "{a:1}",
    "{'a':1}",
    "['a']",
    "NaN",
    "[NaN]",
    "Infinity",
    "-Infinity",
    "[-Infinity]",
    "nan",
    "True",
    "NULL",
    "nul",
    "{\"a\":1,\"a\":2}",
    "{\"b\":{\"a\":1,\"c\":0,\"a\":1}}",
    "[{\"\\u0061\":1,\"a\":2}]",
    "\"\\u0000\"",
    "{\"a\\u0000b\":1}",
    "{} {}",
    "{}x",
    "1 2",
    "// comment\n1",
    "/* comment */ 1",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999",
    "01",
    "-01",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "0x10",
    "--1",
    "1e999",
    "\"unfinished",
    "\"tab\there\"",
    "\"line\nbreak\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\\ud800\\ud800\"",
    "[1.e5]",
    "-",
    "1.5.5",
    "\xef\xbb\xbf{}",
    "\"\xff\"",
    "\"\xc3\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
};

static void nothing_else_passes(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!check(bad[i])) {
            fprintf(stderr, "passed: %s\n", bad[i]);
            CU_FAIL("passed");
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "JSON"));
    }
    CU_ASSERT_EQUAL(check_bytes("{}\0", 3), WARREN_INVALID);
    CU_ASSERT_EQUAL(check_bytes("\0", 1), WARREN_INVALID);
    CU_ASSERT_EQUAL(check_bytes("{\"a\":\"b\0c\"}", 11), WARREN_INVALID);
}

static void a_body_cut_at_any_byte_is_refused(void)
{
    static const char body[] =
        "{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\n\"],\"b\":{\"c\":\"\xc3\xa9\"},\"d\":false}";
    CU_ASSERT_EQUAL(check(body), WARREN_OK);
    for (size_t size = 0; size < sizeof body - 1; size++) {
        CU_ASSERT_EQUAL(check_bytes(body, size), WARREN_INVALID);
    }
}

static void nesting_goes_as_deep_as_the_limit(void)
{
    for (int depth = 30; depth <= 34; depth++) {
        char body[80] = "";
        for (int i = 0; i < depth; i++) {
            body[i] = '[';
            body[2 * depth - 1 - i] = ']';
        }
        body[2 * depth] = '\0';
        CU_ASSERT_EQUAL(check(body), depth <= 32 ? WARREN_OK : WARREN_INVALID);
    }
    static char flood[100001];
    memset(flood, '[', 100000);
    CU_ASSERT_EQUAL(check(flood), WARREN_INVALID);
}

static void random_changes_never_crash_the_check(void)
{
    static const char seed[] = "{\"a\":[1,2.5,true,null,\"x\\u00e9\"],\"b\":{\"c\":\"d\"}}";
    static const char bytes[] = "{}[]:,\"\\u0e+-.tfnNI' \n\xff\x01";
    uint64_t state = 42;
    for (int i = 0; i < 20000; i++) {
        char body[sizeof seed];
        memcpy(body, seed, sizeof seed);
        for (int n = 0; n < 3; n++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            body[(state >> 33) % (sizeof seed - 1)] = bytes[(state >> 20) % (sizeof bytes - 1)];
        }
        (void)check_bytes(body, sizeof seed - 1);
    }
}

static void members_are_read_by_path_and_kind(void)
{
    static const char body[] =
        "{\"to\":\"you\",\"n\":-7,\"x\":1.5,\"ok\":true,\"deep\":{\"a\":{\"b\":"
        "\"c\"}},\"list\":[1],\"none\":null}";
    struct warren_job *job = job_of(body, sizeof body - 1);
    int64_t number = 99;
    double real = 99;
    CU_ASSERT_STRING_EQUAL(warren_job_string(job, "to"), "you");
    CU_ASSERT_STRING_EQUAL(warren_job_string(job, "deep.a.b"), "c");
    CU_ASSERT_PTR_NULL(warren_job_string(job, "deep.a"));
    CU_ASSERT_PTR_NULL(warren_job_string(job, "deep.a.b.c"));
    CU_ASSERT_PTR_NULL(warren_job_string(job, "n"));
    CU_ASSERT_PTR_NULL(warren_job_string(job, "none"));
    CU_ASSERT_PTR_NULL(warren_job_string(job, "absent"));
    CU_ASSERT_FALSE(warren_job_int(job, "to", &number));
    CU_ASSERT_FALSE(warren_job_int(job, "x", &number));
    CU_ASSERT_EQUAL(number, 99);
    CU_ASSERT(warren_job_int(job, "n", &number));
    CU_ASSERT_EQUAL(number, -7);
    CU_ASSERT_FALSE(warren_job_double(job, "list", &real));
    CU_ASSERT(warren_job_double(job, "x", &real) && real == 1.5);
    CU_ASSERT(warren_job_bool(job, "ok", false));
    CU_ASSERT(warren_job_bool(job, "absent", true));
    CU_ASSERT_FALSE(warren_job_bool(job, "n", false));
    wr_job_free(job);
}

static void a_body_that_is_no_json_has_no_members(void)
{
    static const char *const bodies[] = { "", "not json", "[1,2]", "\"to\"", "{\"to\":" };
    for (size_t i = 0; i < 5; i++) {
        struct warren_job *job = job_of(bodies[i], strlen(bodies[i]));
        int64_t number = 99;
        CU_ASSERT_PTR_NULL(warren_job_string(job, "to"));
        CU_ASSERT_FALSE(warren_job_int(job, "to", &number));
        CU_ASSERT(warren_job_bool(job, "to", true));
        wr_job_free(job);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("job: JSON", NULL, NULL);
    CU_ADD_TEST(suite, every_form_of_json_passes);
    CU_ADD_TEST(suite, nothing_else_passes);
    CU_ADD_TEST(suite, a_body_cut_at_any_byte_is_refused);
    CU_ADD_TEST(suite, nesting_goes_as_deep_as_the_limit);
    CU_ADD_TEST(suite, random_changes_never_crash_the_check);
    CU_ADD_TEST(suite, members_are_read_by_path_and_kind);
    CU_ADD_TEST(suite, a_body_that_is_no_json_has_no_members);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
