// SPDX-License-Identifier: MIT
// When something breaks: connections, confirms, publishes of handlers; and the drain. Nothing is
// lost, and what may run twice is counted.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "story.h"

static struct story story;

static void open_story(void)
{
    story_open_queue(&story, "retry: { jitter = 0.0; };", "{ type = \"a\"; concurrency = 4; }");
    story_handle(&story, "a");
}

static warren_verdict cut_once(struct story *told, warren_job *job)
{
    (void)job;
    if (told->run_count == 1) {
        wr_memory_cut_all(told->test->server);
    }
    return WARREN_DONE;
}

static void a_job_whose_connection_is_cut_comes_again_and_the_late_settle_is_counted(void)
{
    open_story();
    story.act = cut_once;
    (void)story_publish(&story, "a", "id-1");
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).stale, 1);
    CU_ASSERT_FALSE(story_stats(&story).ready);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 1);
    CU_ASSERT_EQUAL(story_advance(&story, 200), 1);
    CU_ASSERT_STRING_EQUAL(story.runs[1].id, "id-1");
    CU_ASSERT_EQUAL(story.runs[1].attempt, 1); /* a lost connection charges nothing */
    CU_ASSERT_EQUAL(story_stats(&story).redelivered, 1);
    CU_ASSERT_EQUAL(story_stats(&story).connections, 2);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

/* The connection is lost and made again while the job runs; the broker delivers it once more. */
static warren_verdict outlive_the_connection(struct story *told, warren_job *job)
{
    struct wr_consumer *consumer = told->test->worker->consumer;
    (void)job;
    if (told->run_count == 1) {
        wr_memory_cut_all(told->test->server);
        (void)wr_consumer_step(consumer, wr_clock_mono_us(&told->test->clock));
        wr_clock_advance(&told->test->clock, 200000);
        (void)wr_consumer_step(consumer, wr_clock_mono_us(&told->test->clock));
        CU_ASSERT(wr_consumer_is_ready(consumer));
    }
    return WARREN_DONE;
}

static void a_late_settle_of_an_older_connection_acknowledges_nothing_of_the_new_one(void)
{
    open_story();
    story.act = outlive_the_connection;
    (void)story_publish(&story, "a", "id-1");
    (void)story_publish(&story, "a", "id-2");
    CU_ASSERT_EQUAL(story_run(&story), 3); /* what had not started left with its connection */
    CU_ASSERT_STRING_EQUAL(story.runs[1].id, "id-1");
    CU_ASSERT_STRING_EQUAL(story.runs[2].id, "id-2");
    CU_ASSERT_EQUAL(story_stats(&story).stale, 1);
    CU_ASSERT_EQUAL(story_stats(&story).given_back, 1);
    CU_ASSERT_EQUAL(story_stats(&story).in_flight, 0);
    CU_ASSERT_EQUAL(story_stats(&story).redelivered, 2);
    CU_ASSERT_EQUAL(story_stats(&story).connections, 2); /* no channel broke */
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    (void)story_advance(&story, 5000);
    CU_ASSERT_EQUAL(story.run_count, 3);
    story_close(&story);
}

static void a_worker_finds_its_broker_again_after_any_time(void)
{
    open_story();
    CU_ASSERT_EQUAL(story_run(&story), 0);
    wr_memory_refuse_connects(story.test->server, true);
    wr_memory_cut_all(story.test->server);
    (void)story_advance(&story, 3600000);
    CU_ASSERT_FALSE(story_stats(&story).ready);
    wr_memory_refuse_connects(story.test->server, false);
    (void)story_advance(&story, 31000); /* the longest wait between tries, and a little */
    CU_ASSERT(story_stats(&story).ready);
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    story_close(&story);
}

static void a_publish_that_loses_its_confirm_is_sent_again_with_the_same_id(void)
{
    open_story();
    CU_ASSERT_EQUAL(story_run(&story), 0);
    wr_memory_drop_confirms(story.test->server, 1);
    CU_ASSERT_EQUAL(story_publish(&story, "a", "id-1"), WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_published(story.test, "a"), 1);
    CU_ASSERT_EQUAL(story_advance(&story, 1000), 2); /* at least once */
    CU_ASSERT_STRING_EQUAL(story.runs[0].id, "id-1");
    CU_ASSERT_STRING_EQUAL(story.runs[1].id, "id-1");
    story_close(&story);
}

static void a_retry_that_loses_its_confirm_loses_no_job(void)
{
    open_story();
    story.act = story_retry;
    (void)story_publish(&story, "a", "id-1");
    wr_memory_drop_confirms(story.test->server, 1);
    (void)story_advance(&story, 3600000);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 2); /* doubled, and not lost */
    CU_ASSERT_STRING_EQUAL(warren_test_dead_reason(story.test, "q", 1), "failed");
    story_close(&story);
}

static void a_retry_that_the_broker_does_not_take_is_repeated_until_it_does(void)
{
    open_story();
    story.act = story_retry;
    (void)story_publish(&story, "a", "id-1");
    wr_memory_nack_publishes(story.test->server, 3);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 1); /* unacknowledged */
    CU_ASSERT_EQUAL(story_advance(&story, 700), 0);           /* 100 + 200 + 400 ms */
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    CU_ASSERT_EQUAL(story_stats(&story).forward_retries, 3);
    CU_ASSERT_EQUAL(story_advance(&story, 1000), 1);
    story_close(&story);
}

static const warren_message next_step = { .type = "a", .id = "next" };

static warren_verdict publish_next(struct story *told, warren_job *job)
{
    if (strcmp(warren_job_id(job), "next") != 0) {
        CU_ASSERT_EQUAL(warren_job_publish(job, &next_step, &told->err), WARREN_OK);
    }
    return WARREN_DONE;
}

static void a_handlers_message_is_confirmed_before_its_job_is_acknowledged(void)
{
    open_story();
    story.act = publish_next;
    (void)story_publish(&story, "a", "id-1");
    wr_memory_block(story.test->server, true);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).done, 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 1);
    wr_memory_block(story.test->server, false);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).done, 2);
    CU_ASSERT_EQUAL(warren_test_published(story.test, "a"), 2);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

static void a_job_whose_message_the_broker_did_not_take_is_retried(void)
{
    open_story();
    story.act = publish_next;
    (void)story_publish(&story, "a", "id-1");
    wr_memory_nack_publishes(story.test->server, 1);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).done, 0);
    CU_ASSERT_EQUAL(story_stats(&story).retried, 1);
    CU_ASSERT_EQUAL(story_advance(&story, 1000), 2);
    CU_ASSERT_EQUAL(story.runs[1].attempt, 2);
    CU_ASSERT_EQUAL(story_stats(&story).done, 2);
    story_close(&story);
}

static warren_verdict publish_nowhere(struct story *told, warren_job *job)
{
    const warren_message message = { .type = "nobody's" };
    CU_ASSERT_EQUAL(warren_job_publish(job, &message, &told->err), WARREN_OK);
    return WARREN_DONE;
}

static void a_job_whose_message_no_queue_takes_ends_dead_and_not_done(void)
{
    open_story();
    story.act = publish_nowhere;
    (void)story_publish(&story, "a", "id-1");
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 5);
    CU_ASSERT_EQUAL(story_stats(&story).done, 0);
    CU_ASSERT_STRING_EQUAL(warren_test_dead_reason(story.test, "q", 0), "failed");
    CU_ASSERT_PTR_NOT_NULL(strstr(warren_test_dead_error(story.test, "q", 0), "not confirmed"));
    story_close(&story);
}

static warren_verdict publish_and_wait(struct story *told, warren_job *job)
{
    if (strcmp(warren_job_id(job), "next") != 0) {
        warren_publisher *publisher = warren_worker_publisher(warren_test_worker(told->test));
        CU_ASSERT_EQUAL(warren_publish(publisher, &next_step, &told->err), WARREN_OK);
    }
    return WARREN_DONE;
}

static void a_handler_may_publish_and_wait(void)
{
    open_story();
    story.act = publish_and_wait;
    (void)story_publish(&story, "a", "id-1");
    CU_ASSERT_EQUAL(story_run(&story), 2);
    CU_ASSERT_EQUAL(warren_test_now_ms(story.test), 0);
    story_close(&story);
}

static void a_publish_that_stays_blocked_ends_as_a_timeout_in_virtual_time(void)
{
    open_story();
    CU_ASSERT_EQUAL(story_run(&story), 0);
    wr_memory_block(story.test->server, true);
    CU_ASSERT_EQUAL(story_publish(&story, "a", NULL), WARREN_TIMEOUT);
    int64_t timeout_ms = story.test->worker->settings->publish_timeout_ms;
    CU_ASSERT(warren_test_now_ms(story.test) >= timeout_ms);
    CU_ASSERT(warren_test_now_ms(story.test) <= timeout_ms + 200);
    wr_memory_block(story.test->server, false);
    CU_ASSERT_EQUAL(story_run(&story), 0); /* given up is not sent later */
    story_close(&story);
}

static void a_drain_gives_back_what_has_not_started(void)
{
    open_story();
    for (int i = 0; i < 8; i++) {
        (void)story_publish(&story, "a", NULL);
    }
    (void)wr_consumer_step(story.test->worker->consumer, 0); /* taken, not run */
    CU_ASSERT_EQUAL(wr_pool_counts(story.test->worker->pool).waiting, 8);
    wr_consumer_drain(story.test->worker->consumer);
    CU_ASSERT_EQUAL(story_run(&story), 0);
    CU_ASSERT(wr_consumer_wait_drained(story.test->worker->consumer, 0));
    warren_stats_data stats = story_stats(&story);
    CU_ASSERT_EQUAL(stats.given_back, 8);
    CU_ASSERT(stats.draining);
    CU_ASSERT_FALSE(stats.ready);
    uint64_t ready = 0;
    uint64_t out = 0;
    CU_ASSERT(wr_memory_depth(story.test->server, "q", &ready, &out));
    CU_ASSERT_EQUAL(ready, 8);
    CU_ASSERT_EQUAL(out, 0);
    story_close(&story);
}

static warren_verdict drain_and_retry(struct story *told, warren_job *job)
{
    CU_ASSERT_FALSE(warren_job_cancelled(job));
    wr_consumer_drain(told->test->worker->consumer);
    (void)wr_consumer_step(told->test->worker->consumer, 0);
    CU_ASSERT(warren_job_cancelled(job));
    return story_retry(told, job);
}

static void a_drain_waits_for_a_running_jobs_way_on(void)
{
    open_story();
    story.act = drain_and_retry;
    (void)story_publish(&story, "a", NULL);
    wr_memory_nack_publishes(story.test->server, 1);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_FALSE(wr_consumer_wait_drained(story.test->worker->consumer, 0));
    (void)story_advance(&story, 100);
    CU_ASSERT(wr_consumer_wait_drained(story.test->worker->consumer, 0));
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

static void a_close_in_the_middle_loses_no_job_and_no_memory(void)
{
    open_story();
    struct wr_memory *server = story.test->server;
    story.act = story_retry;
    for (int i = 0; i < 8; i++) {
        (void)story_publish(&story, "a", NULL);
    }
    wr_memory_block(server, true);
    (void)wr_test_round(story.test); /* their retries are under way and unconfirmed */
    wr_memory_block(server, false);
    CU_ASSERT_EQUAL(warren_stop(story.test->worker, 0, NULL), WARREN_OK);
    uint64_t ready = 0;
    uint64_t out = 0;
    CU_ASSERT(wr_memory_depth(server, "q", &ready, &out));
    CU_ASSERT_EQUAL(ready, 8);
    story_close(&story);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("engine: faults", NULL, NULL);
    CU_ADD_TEST(suite, a_job_whose_connection_is_cut_comes_again_and_the_late_settle_is_counted);
    CU_ADD_TEST(suite, a_late_settle_of_an_older_connection_acknowledges_nothing_of_the_new_one);
    CU_ADD_TEST(suite, a_worker_finds_its_broker_again_after_any_time);
    CU_ADD_TEST(suite, a_publish_that_loses_its_confirm_is_sent_again_with_the_same_id);
    CU_ADD_TEST(suite, a_retry_that_loses_its_confirm_loses_no_job);
    CU_ADD_TEST(suite, a_retry_that_the_broker_does_not_take_is_repeated_until_it_does);
    CU_ADD_TEST(suite, a_handlers_message_is_confirmed_before_its_job_is_acknowledged);
    CU_ADD_TEST(suite, a_job_whose_message_the_broker_did_not_take_is_retried);
    CU_ADD_TEST(suite, a_job_whose_message_no_queue_takes_ends_dead_and_not_done);
    CU_ADD_TEST(suite, a_handler_may_publish_and_wait);
    CU_ADD_TEST(suite, a_publish_that_stays_blocked_ends_as_a_timeout_in_virtual_time);
    CU_ADD_TEST(suite, a_drain_gives_back_what_has_not_started);
    CU_ADD_TEST(suite, a_drain_waits_for_a_running_jobs_way_on);
    CU_ADD_TEST(suite, a_close_in_the_middle_loses_no_job_and_no_memory);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
