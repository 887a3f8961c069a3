// SPDX-License-Identifier: MIT
// testing.h, as a user of it sees it.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

#include "story.h"

static struct story story;

static warren_verdict greet(warren_job *job, void *user)
{
    const char *to = warren_job_string(job, "to");
    if (!to) {
        return warren_dead(job, "no 'to'");
    }
    *(int *)user += 1;
    return strcmp(to, "later") ? WARREN_DONE : warren_retry_after(job, 2500, "%s said: later", to);
}

static void the_defaults_take_every_type_that_has_a_handler(void)
{
    warren_test *test = NULL;
    int greeted = 0;
    const warren_message message = { .type = "greet", .body = "{\"to\":\"you\"}" };
    CU_ASSERT_EQUAL_FATAL(warren_test_open(&test, NULL, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_handle(warren_test_worker(test), "greet", greet, &greeted, NULL),
                    WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_waiting(test, "default"), 0);
    CU_ASSERT_EQUAL(warren_test_publish(test, &message, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_waiting(test, "default"), 1);
    CU_ASSERT_EQUAL(warren_test_run(test, NULL), 1);
    CU_ASSERT_EQUAL(greeted, 1);
    CU_ASSERT_EQUAL(warren_test_published(test, "greet"), 1);
    CU_ASSERT_EQUAL(warren_test_published(test, "other"), 0);
    warren_test_close(test);
}

static void a_test_without_handlers_says_so_at_its_first_run(void)
{
    warren_test *test = NULL;
    warren_error err;
    CU_ASSERT_EQUAL_FATAL(warren_test_open(&test, NULL, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_run(test, &err), WARREN_CONFIG);
    CU_ASSERT(strlen(err.text) > 10);
    CU_ASSERT_EQUAL(warren_test_run(test, &err), WARREN_STATE);
    warren_test_close(test);
    CU_ASSERT_EQUAL(warren_test_open(&test, "/nowhere/warren.cfg", &err), WARREN_CONFIG);
    warren_test_close(NULL);
}

static void handlers_come_before_the_first_run(void)
{
    int greeted = 0;
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    CU_ASSERT_EQUAL(story_run(&story), 0);
    CU_ASSERT_EQUAL(warren_handle(warren_test_worker(story.test), "b", greet, &greeted, &story.err),
                    WARREN_STATE);
    story_close(&story);
}

static void two_tests_do_not_see_each_other(void)
{
    static struct story other;
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_open_queue(&other, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story_handle(&other, "a");
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_run(&other), 0);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    (void)story_advance(&other, 5000);
    CU_ASSERT_EQUAL(warren_test_now_ms(story.test), 0);
    CU_ASSERT_EQUAL(warren_test_now_ms(other.test), 5000);
    story_close(&other);
    story_close(&story);
}

static void time_passes_only_forward(void)
{
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    CU_ASSERT_EQUAL(warren_test_advance(story.test, -1, &story.err), WARREN_INVALID);
    CU_ASSERT_EQUAL(warren_test_advance(story.test, INT64_MAX, &story.err), WARREN_INVALID);
    CU_ASSERT_EQUAL(warren_test_now_ms(story.test), 0);
    CU_ASSERT_EQUAL(story_advance(&story, 36 * 3600000), 0);
    CU_ASSERT_EQUAL(warren_test_now_ms(story.test), 36 * 3600000);
    story_close(&story);
}

static warren_verdict publish_itself(struct story *told, warren_job *job)
{
    const warren_message message = { .type = "a" };
    CU_ASSERT_FATAL(warren_job_publish(job, &message, &told->err) == WARREN_OK);
    return WARREN_DONE;
}

static void jobs_that_publish_jobs_without_end_are_an_error_and_no_hang(void)
{
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = publish_itself;
    story.test->jobs_most = 1000;
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(warren_test_run(story.test, &story.err), WARREN_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(story.err.text, "without end"));
    story_close(&story);
}

static void a_handler_can_be_called_alone(void)
{
    warren_verdict verdict;
    char text[64];
    int64_t delay_ms;
    int greeted = 0;
    const warren_message good = { .type = "greet", .body = "{\"to\":\"you\"}" };
    const warren_message empty = { .type = "greet", .body = "{}" };
    const warren_message later = { .type = "greet", .body = "{\"to\":\"later\"}" };
    CU_ASSERT_EQUAL(
        warren_test_call(greet, &greeted, &good, &verdict, text, sizeof text, &delay_ms, NULL),
        WARREN_OK);
    CU_ASSERT_EQUAL(verdict, WARREN_DONE);
    CU_ASSERT_STRING_EQUAL(text, "");
    CU_ASSERT_EQUAL(delay_ms, -1);
    CU_ASSERT_EQUAL(
        warren_test_call(greet, &greeted, &empty, &verdict, text, sizeof text, NULL, NULL),
        WARREN_OK);
    CU_ASSERT_EQUAL(verdict, WARREN_DEAD);
    CU_ASSERT_STRING_EQUAL(text, "no 'to'");
    CU_ASSERT_EQUAL(warren_test_call(greet, &greeted, &later, &verdict, NULL, 0, &delay_ms, NULL),
                    WARREN_OK);
    CU_ASSERT_EQUAL(verdict, WARREN_RETRY);
    CU_ASSERT_EQUAL(delay_ms, 2500);
    CU_ASSERT_EQUAL(greeted, 2);
}

static warren_verdict look_around(warren_job *job, void *user)
{
    warren_error err;
    const warren_message message = { .type = "other" };
    CU_ASSERT_STRING_EQUAL(warren_job_type(job), "look");
    CU_ASSERT_STRING_EQUAL(warren_job_id(job), "id-9");
    CU_ASSERT_EQUAL(warren_job_attempt(job), 1);
    CU_ASSERT_FALSE(warren_job_cancelled(job));
    *(warren_status *)user = warren_job_publish(job, &message, &err);
    return WARREN_DONE;
}

static void a_handler_alone_cannot_publish_and_a_wrong_message_is_refused(void)
{
    warren_verdict verdict;
    warren_error err;
    warren_status published = WARREN_OK;
    const warren_message message = { .type = "look", .id = "id-9" };
    const warren_message nothing = { 0 };
    CU_ASSERT_EQUAL(
        warren_test_call(look_around, &published, &message, &verdict, NULL, 0, NULL, &err),
        WARREN_OK);
    CU_ASSERT_EQUAL(published, WARREN_STATE);
    CU_ASSERT_EQUAL(
        warren_test_call(look_around, &published, &nothing, &verdict, NULL, 0, NULL, &err),
        WARREN_INVALID);
}

static warren_verdict say(warren_job *job, void *user)
{
    return warren_dead(job, "%s", (const char *)user);
}

static void a_text_is_cut_at_500_bytes_whatever_is_in_it(void)
{
    static const warren_message message = { .type = "a" };
    static char said[2000];
    static char got[4000];
    warren_verdict verdict;
    for (size_t i = 0; i + 1 < sizeof said; i++) {
        said[i] = "\"\xC3\xA9\xC3\xA9"[i % 5]; /* a quote and two letters of two bytes */
    }
    CU_ASSERT_EQUAL(warren_test_call(say, said, &message, &verdict, got, sizeof got, NULL, NULL),
                    WARREN_OK);
    CU_ASSERT(strlen(got) <= 500 && strlen(got) > 490);
    CU_ASSERT_EQUAL(strncmp(got, said, strlen(got) - 3), 0); /* no letter halved, nothing escaped */
    CU_ASSERT_STRING_EQUAL(got + strlen(got) - 3, "...");
    memset(said, 1, 499);
    said[499] = (char)0xFF; /* no UTF-8: written in a longer way */
    said[500] = '\0';
    CU_ASSERT_EQUAL(warren_test_call(say, said, &message, &verdict, got, sizeof got, NULL, NULL),
                    WARREN_OK);
    CU_ASSERT(strlen(got) <= 500);
    CU_ASSERT_EQUAL(strncmp(got, "\\u0001\\u0001", 12), 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("testing", NULL, NULL);
    CU_ADD_TEST(suite, the_defaults_take_every_type_that_has_a_handler);
    CU_ADD_TEST(suite, a_test_without_handlers_says_so_at_its_first_run);
    CU_ADD_TEST(suite, handlers_come_before_the_first_run);
    CU_ADD_TEST(suite, two_tests_do_not_see_each_other);
    CU_ADD_TEST(suite, time_passes_only_forward);
    CU_ADD_TEST(suite, jobs_that_publish_jobs_without_end_are_an_error_and_no_hang);
    CU_ADD_TEST(suite, a_handler_can_be_called_alone);
    CU_ADD_TEST(suite, a_handler_alone_cannot_publish_and_a_wrong_message_is_refused);
    CU_ADD_TEST(suite, a_text_is_cut_at_500_bytes_whatever_is_in_it);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
