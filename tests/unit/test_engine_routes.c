// SPDX-License-Identifier: MIT
// Where jobs go: delays, several queues on one type, isolated types, and the catch-all.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "base/text.h"
#include "story.h"

static struct story story;

static const char *const two_queues[] = {
    "queue: { name = \"first\"; retry: { jitter = 0.0; }; jobs = ({ type = \"a\"; }); };",
    "queue: { name = \"second\"; retry: { jitter = 0.0; }; jobs = ({ type = \"a\"; }); };", NULL
};

static int runs_of(const char *queue)
{
    int count = 0;
    for (int i = 0; i < story.run_count; i++) {
        count += strcmp(story.runs[i].queue, queue) == 0;
    }
    return count;
}

static void each_queue_bound_to_a_type_gets_its_own_copy(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    (void)story_publish(&story, "a", "id-1");
    CU_ASSERT_EQUAL(story_run(&story), 2);
    CU_ASSERT_EQUAL(runs_of("first"), 1);
    CU_ASSERT_EQUAL(runs_of("second"), 1);
    CU_ASSERT_EQUAL(warren_test_published(story.test, "a"), 1);
    story_close(&story);
}

static warren_verdict fail_in_first(struct story *told, warren_job *job)
{
    return strcmp(warren_job_queue(job), "first") == 0 ? story_retry(told, job) : WARREN_DONE;
}

static void a_retry_of_one_queue_never_reaches_another(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    story.act = fail_in_first;
    (void)story_publish(&story, "a", "id-1");
    (void)story_advance(&story, 3600000);
    CU_ASSERT_EQUAL(runs_of("first"), 5);
    CU_ASSERT_EQUAL(runs_of("second"), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "first.dead"), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "second.dead"), 0);
    story_close(&story);
}

static void a_delayed_publish_goes_to_each_queue_when_it_is_due_and_not_before(void)
{
    const warren_message message = { .type = "a", .delay_ms = 90001 };
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 1);
    CU_ASSERT_EQUAL(story_advance(&story, 90124), 0);
    CU_ASSERT_EQUAL(story_advance(&story, 1), 2);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
    CU_ASSERT_EQUAL(warren_test_published(story.test, "a"), 1);
    story_close(&story);
}

static void a_time_of_day_is_a_delay_and_a_past_one_is_now(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    int64_t now_ms = wr_clock_wall_ms(&story.test->clock);
    const warren_message later = { .type = "a", .id = "later", .at_ms = now_ms + 5000 };
    const warren_message past = { .type = "a", .id = "past", .at_ms = now_ms - 5000 };
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &later, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &past, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(story_advance(&story, 4999), 2);
    CU_ASSERT_STRING_EQUAL(story.runs[0].id, "past");
    CU_ASSERT_EQUAL(story_advance(&story, 1), 2);
    CU_ASSERT_STRING_EQUAL(story.runs[2].id, "later");
    story_close(&story);
}

static void a_delay_beyond_the_longest_is_refused_at_the_publish(void)
{
    const warren_message message = { .type = "a", .delay_ms = 3600001 };
    story_open(&story, "delay: { max = \"1h\"; };", two_queues);
    story_handle(&story, "a");
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, &story.err), WARREN_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(story.err.text, "delay.max"));
    CU_ASSERT_EQUAL(warren_test_published(story.test, "a"), 0);
    story_close(&story);
}

static void a_publish_that_no_queue_takes_is_an_error(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    CU_ASSERT_EQUAL(story_publish(&story, "b", NULL), WARREN_UNROUTABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(story.err.text, "warren.jobs"));
    CU_ASSERT_EQUAL(warren_test_published(story.test, "b"), 0);
    story_close(&story);
}

static const char isolated[] = "{ type = \"slow\"; }, { type = \"quick\"; isolate = true; }";

static void an_isolated_type_has_its_queue_and_retries_come_home_to_it(void)
{
    story_open_queue(&story, "retry: { attempts = 2; jitter = 0.0; };", isolated);
    story_handle(&story, "slow");
    story_handle(&story, "quick");
    story.act = story_retry;
    (void)story_publish(&story, "quick", "id-1");
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.quick"), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_STRING_EQUAL(story.runs[0].queue, "q"); /* the configured one */
    wr_consumer_drain(story.test->worker->consumer);
    (void)story_advance(&story, 1000);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.quick"), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

static void a_flood_of_one_type_does_not_delay_an_isolated_one(void)
{
    story_open_queue(&story, "prefetch = 4;", isolated);
    story_handle(&story, "slow");
    story_handle(&story, "quick");
    for (int i = 0; i < 100; i++) {
        (void)story_publish(&story, "slow", NULL);
    }
    (void)story_publish(&story, "quick", NULL);
    (void)wr_test_round(story.test);
    int quick = -1;
    for (int i = 0; i < story.run_count; i++) {
        quick = strcmp(story.runs[i].type, "quick") == 0 ? i : quick;
    }
    CU_ASSERT(quick >= 0 && quick < 4);
    CU_ASSERT_EQUAL(story_run(&story) + 4 + 1, 101);
    story_close(&story);
}

/* The broker, asked by a stranger. */
static void delayed_jobs_of_a_deleted_queue_end_in_the_catch_all_and_hold_up_nobody(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    story.act = story_retry;
    for (int i = 0; i < 50; i++) {
        (void)story_publish(&story, "a", NULL);
    }
    CU_ASSERT_EQUAL(story_run(&story), 100);
    wr_consumer_drain(story.test->worker->consumer); /* or the worker would declare it again */
    (void)story_run(&story);
    story_delete_queue(&story, "second");
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 100);
    (void)story_advance(&story, 1000);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "first"), 50);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "warren.unrouted"), 50);
    story_close(&story);
}

static void a_deleted_queue_is_declared_again_and_consumed(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    CU_ASSERT_EQUAL(story_run(&story), 0);
    story_delete_queue(&story, "second");
    (void)story_advance(&story, 5000);
    CU_ASSERT(story_stats(&story).ready);
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_run(&story), 2);
    story_close(&story);
}

static void messages_with_odd_delay_keys_stop_no_level(void)
{
    static const char *const keys[] = {
        "", "x", "1.1.1", "queue/nobody", "f.f.f.f.f.f.f.f.f", "#.queue/*"
    };
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct wr_message message = { .exchange = wr_slice_of("warren.delay.1000"),
                                      .key = wr_slice_of(keys[i]) };
        (void)story_send(&story, &message);
    }
    const warren_message message = { .type = "a", .delay_ms = 1000 };
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(story_advance(&story, 1000), 2);
    (void)story_advance(&story, 48 * 3600000);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
    CU_ASSERT_EQUAL(story.run_count, 2);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "warren.unrouted"), 6);
    story_close(&story);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("engine: routes", NULL, NULL);
    CU_ADD_TEST(suite, each_queue_bound_to_a_type_gets_its_own_copy);
    CU_ADD_TEST(suite, a_retry_of_one_queue_never_reaches_another);
    CU_ADD_TEST(suite, a_delayed_publish_goes_to_each_queue_when_it_is_due_and_not_before);
    CU_ADD_TEST(suite, a_time_of_day_is_a_delay_and_a_past_one_is_now);
    CU_ADD_TEST(suite, a_delay_beyond_the_longest_is_refused_at_the_publish);
    CU_ADD_TEST(suite, a_publish_that_no_queue_takes_is_an_error);
    CU_ADD_TEST(suite, an_isolated_type_has_its_queue_and_retries_come_home_to_it);
    CU_ADD_TEST(suite, a_flood_of_one_type_does_not_delay_an_isolated_one);
    CU_ADD_TEST(suite, delayed_jobs_of_a_deleted_queue_end_in_the_catch_all_and_hold_up_nobody);
    CU_ADD_TEST(suite, a_deleted_queue_is_declared_again_and_consumed);
    CU_ADD_TEST(suite, messages_with_odd_delay_keys_stop_no_level);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
