// SPDX-License-Identifier: MIT
// What a lost connection leaves behind, step by step: jobs that have not started, a broker that
// takes the connection and nothing else, and settles that come home at the very end.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "engine/pool.h"
#include "story.h"

enum { CHANNEL = 1 };

static struct story story;
static int opened; /* consuming connections that were made */

static void open_story(void)
{
    story_open_queue(&story, "retry: { jitter = 0.0; };", "{ type = \"a\"; concurrency = 1; }");
    story_handle(&story, "a");
}

static void step_consumer(void)
{
    (void)wr_consumer_step(story.test->worker->consumer, wr_clock_mono_us(&story.test->clock));
}

static size_t waiting_in_lanes(void)
{
    return wr_pool_counts(story.test->worker->pool).waiting;
}

static void what_has_not_started_leaves_with_its_connection(void)
{
    open_story();
    (void)story_publish(&story, "a", "id-1");
    (void)story_publish(&story, "a", "id-2");
    (void)story_publish(&story, "a", "id-3");
    for (int outage = 0; outage < 3; outage++) {
        step_consumer();
        CU_ASSERT_EQUAL(waiting_in_lanes(), 3);
        wr_memory_cut_all(story.test->server);
        step_consumer();
        CU_ASSERT_EQUAL(waiting_in_lanes(), 0); /* the broker gives them to somebody else */
        wr_clock_advance(&story.test->clock, WR_US_PER_S);
    }
    CU_ASSERT_EQUAL(story_advance(&story, 1000), 3); /* each once */
    CU_ASSERT_EQUAL(story_stats(&story).done, 3);
    CU_ASSERT_EQUAL(story_stats(&story).in_flight, 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

static void count_opened(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    if (strcmp(event, "connection.open") == 0 && strstr(fields, "role=consumer")) {
        opened++;
    }
}

static void delete_queue(const char *name)
{
    struct wr_broker *broker = NULL;
    struct wr_broker_options options = { .settings = &story.test->worker->settings->broker,
                                         .name = "an operator",
                                         .clock = &story.test->clock };
    CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, &story.err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, CHANNEL, false, &story.err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(broker, CHANNEL, name, &story.err), WARREN_OK);
    wr_broker_close(broker);
}

static void a_broker_that_takes_the_connection_and_no_more_is_asked_ever_less_often(void)
{
    open_story();
    CU_ASSERT_EQUAL(story_run(&story), 0);
    story.test->worker->settings->topology_check = true; /* a missing queue isn't made again */
    delete_queue("q");
    opened = 0;
    warren_log_to(count_opened, NULL, 2);
    (void)story_advance(&story, 600000);
    CU_ASSERT(opened > 10); /* every 15 s on average, in the end */
    CU_ASSERT(opened < 120);
    story.test->worker->settings->topology_check = false;
    (void)story_advance(&story, 31000);
    CU_ASSERT(story_stats(&story).ready);
    opened = 0;
    wr_memory_cut_all(story.test->server);
    (void)story_advance(&story, 200); /* it worked before: soon again */
    CU_ASSERT_EQUAL(opened, 1);
    warren_log_to(NULL, NULL, 0);
    story_close(&story);
}

static void what_was_settled_last_is_acknowledged_before_the_end(void)
{
    open_story();
    (void)story_publish(&story, "a", "id-1");
    step_consumer();
    CU_ASSERT(wr_pool_step(story.test->worker->pool));
    wr_consumer_stop(story.test->worker->consumer);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("outage", NULL, NULL);
    CU_ADD_TEST(suite, what_has_not_started_leaves_with_its_connection);
    CU_ADD_TEST(suite, a_broker_that_takes_the_connection_and_no_more_is_asked_ever_less_often);
    CU_ADD_TEST(suite, what_was_settled_last_is_acknowledged_before_the_end);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
