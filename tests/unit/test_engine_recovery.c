// SPDX-License-Identifier: MIT
// What is gone comes back, and nothing else goes with it: one consumer, one channel, one queue. And
// what the broker keeps silent about is noticed.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "base/text.h"
#include "model/table.h"
#include "story.h"

static struct story story;

static const char *const two_queues[] = { "queue: { name = \"first\"; prefetch = 10; retry: { "
                                          "jitter = 0.0; }; jobs = ({ type = \"a\"; }); };",
                                          "queue: { name = \"second\"; prefetch = 10; retry: { "
                                          "jitter = 0.0; }; jobs = ({ type = \"b\"; }); };",
                                          NULL };

static void open_two(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    story_handle(&story, "b");
    CU_ASSERT_EQUAL_FATAL(story_run(&story), 0);
}

static int runs_of(const char *id)
{
    int count = 0;
    for (int i = 0; i < story.run_count; i++) {
        count += strcmp(story.runs[i].id, id) == 0;
    }
    return count;
}

/* As a worker leaves it behind whose types were isolated. */
static void declare_leftovers(void)
{
    struct wr_broker *broker = NULL;
    struct wr_topology *topology = NULL;
    const struct wr_settings *settings = story.test->worker->settings;
    struct wr_broker_options options = { .settings = &settings->broker,
                                         .name = "an earlier worker",
                                         .clock = &story.test->clock };
    CU_ASSERT_EQUAL_FATAL(wr_topology_build(&topology, settings, false, NULL), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 1, false, NULL), WARREN_OK);
    struct wr_item marker = { .kind = WR_ITEM_EXCHANGE, .name = topology->marker };
    marker.type = "fanout";
    CU_ASSERT_EQUAL(wr_broker_declare(broker, 1, &marker, WR_DECLARE, NULL), WARREN_OK);
    for (size_t i = 0; i < topology->leftover_count; i++) {
        const struct wr_leftover *leftover = &topology->leftovers[i];
        struct wr_item queue = { .kind = WR_ITEM_QUEUE,
                                 .name = leftover->queue,
                                 .arguments = leftover->arguments };
        marker.name = leftover->marker;
        CU_ASSERT_EQUAL(wr_broker_declare(broker, 1, &marker, WR_DECLARE, NULL), WARREN_OK);
        CU_ASSERT_EQUAL(wr_broker_declare(broker, 1, &queue, WR_DECLARE, NULL), WARREN_OK);
    }
    CU_ASSERT_EQUAL(wr_broker_sync(broker, 1, NULL), WARREN_OK);
    wr_broker_close(broker);
    wr_topology_free(topology);
}

static void step_consumer(void)
{
    (void)wr_consumer_step(story.test->worker->consumer, wr_clock_mono_us(&story.test->clock));
}

static warren_verdict delete_while_it_runs(struct story *told, warren_job *job)
{
    (void)told;
    (void)job;
    story_delete_queue(&story, "second");
    step_consumer();
    CU_ASSERT_FALSE(story_stats(&story).ready);
    return WARREN_DONE;
}

static void a_deleted_queue_comes_back_on_the_same_channel_and_what_runs_is_settled(void)
{
    open_two();
    story.act = delete_while_it_runs;
    (void)story_publish(&story, "b", "id-1");
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).stale, 0);
    story.act = story_done;
    (void)story_advance(&story, 3000);
    CU_ASSERT(story_stats(&story).ready);
    CU_ASSERT_EQUAL(story_stats(&story).cancels, 1);
    CU_ASSERT_EQUAL(story_stats(&story).connections, 1);
    CU_ASSERT_EQUAL(story_stats(&story).channel_losses, 0);
    (void)story_publish(&story, "b", "id-2");
    CU_ASSERT_EQUAL(story_run(&story), 1);
    story_close(&story);
}

/* An operator deletes it once it is empty, as the log tells him. */
static void a_leftover_queue_may_be_deleted_under_its_consumer(void)
{
    story_open(&story, "", two_queues);
    story_handle(&story, "a");
    story_handle(&story, "b");
    declare_leftovers();
    CU_ASSERT_EQUAL_FATAL(story_run(&story), 0);
    CU_ASSERT(story_stats(&story).ready);
    story_delete_queue(&story, "second.b");
    step_consumer();
    CU_ASSERT_EQUAL(story_stats(&story).cancels, 1); /* so it was consumed */
    (void)story_advance(&story, 10000);
    CU_ASSERT(story_stats(&story).ready);
    CU_ASSERT_EQUAL(story_stats(&story).channel_losses, 0);
    story_close(&story);
}

static warren_verdict outlive_the_queue(struct story *told, warren_job *job)
{
    (void)job;
    story_delete_queue(told, "second");
    for (int i = 0; i < 50; i++) {
        step_consumer();
        wr_clock_advance(&told->test->clock, 100000);
    }
    return WARREN_DONE;
}

static void a_queue_that_stays_away_costs_nothing_that_runs(void)
{
    open_two();
    story.test->worker->settings->topology_check = true; /* nobody declares it */
    story.act = outlive_the_queue;
    (void)story_publish(&story, "b", "id-1");
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).stale, 0);
    CU_ASSERT_EQUAL(story_stats(&story).connections, 1);
    CU_ASSERT_FALSE(story_stats(&story).ready);
    story_close(&story);
}

static warren_verdict close_the_other(struct story *told, warren_job *job)
{
    if (told->run_count == 1) {
        CU_ASSERT_STRING_EQUAL(warren_job_queue(job), "first");
        wr_memory_close_consumers(told->test->server, "second");
        step_consumer();
    }
    return WARREN_DONE;
}

static void a_closed_channel_costs_its_own_queue_only(void)
{
    open_two();
    story.act = close_the_other;
    (void)story_publish(&story, "a", "id-a1");
    (void)story_publish(&story, "a", "id-a2");
    (void)story_publish(&story, "b", "id-b1");
    (void)story_publish(&story, "b", "id-b2");
    (void)story_advance(&story, 1000);
    CU_ASSERT_EQUAL(story.run_count, 4); /* what had not started ran once, after its return */
    CU_ASSERT_EQUAL(story_stats(&story).connections, 1);
    CU_ASSERT_EQUAL(story_stats(&story).channel_losses, 1);
    CU_ASSERT_EQUAL(story_stats(&story).redelivered, 2);
    CU_ASSERT_EQUAL(story_stats(&story).given_back, 2);
    CU_ASSERT_EQUAL(story_stats(&story).in_flight, 0);
    CU_ASSERT(story_stats(&story).ready);
    story_close(&story);
}

static warren_verdict lose_my_channel(struct story *told, warren_job *job)
{
    (void)job;
    if (told->run_count == 1) {
        wr_memory_close_consumers(told->test->server, "second");
        step_consumer();
    }
    return story_retry(told, job);
}

static void a_job_of_a_closed_channel_is_stale_and_sends_no_copy(void)
{
    open_two();
    story.act = lose_my_channel;
    (void)story_publish(&story, "b", "id-1");
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).stale, 1);
    CU_ASSERT_EQUAL(story_stats(&story).retried, 0);
    story.act = story_done;
    CU_ASSERT_EQUAL(story_advance(&story, 1000), 1);
    CU_ASSERT_EQUAL(runs_of("id-1"), 2);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
    story_close(&story);
}

static void a_consumer_that_the_broker_forgot_is_noticed(void)
{
    open_two();
    wr_memory_forget_consumers(story.test->server, "second");
    (void)story_publish(&story, "b", "id-1");
    CU_ASSERT_EQUAL(story_advance(&story, 15000), 0);
    CU_ASSERT_EQUAL(story_advance(&story, 10000), 1);
    CU_ASSERT_EQUAL(story_stats(&story).silences, 1);
    CU_ASSERT_EQUAL(story_stats(&story).connections, 2);
    story_close(&story);
}

static void silence_with_nothing_to_say_is_no_fault(void)
{
    open_two();
    wr_memory_forget_consumers(story.test->server, "second");
    (void)story_advance(&story, 600000);
    CU_ASSERT_EQUAL(story_stats(&story).silences, 0);
    CU_ASSERT_EQUAL(story_stats(&story).connections, 1);
    story_close(&story);
}

/* A job as the ladder would bring it, due `ago_ms` ago. */
static void send_due(int64_t ago_ms)
{
    struct wr_text headers = { 0 };
    wr_table_add_int(&headers, WR_H_RUN_AT_MS, wr_clock_wall_ms(&story.test->clock) - ago_ms);
    struct wr_message message = { .present = WR_TYPE | WR_HEADERS | WR_DELIVERY_MODE,
                                  .delivery_mode = 2,
                                  .exchange = wr_slice_of("warren.jobs"),
                                  .key = wr_slice_of("a"),
                                  .type = wr_slice_of("a"),
                                  .headers = { headers.data, headers.size } };
    CU_ASSERT(story_send(&story, &message));
    wr_text_done(&headers);
}

static void a_job_that_the_ladder_held_back_is_counted_as_late(void)
{
    open_two();
    send_due(60000);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).late, 0); /* we were not there when it was due */
    (void)story_advance(&story, 120000);
    send_due(19000);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).late, 0);
    send_due(60000);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(story_stats(&story).late, 1);
    story_close(&story);
}

/* Steps until nothing moves; whether the next one is asked for later than now. */
static bool is_calm(void)
{
    struct wr_consumer *consumer = story.test->worker->consumer;
    int64_t now_us = wr_clock_mono_us(&story.test->clock);
    int64_t next_us = now_us;
    for (int i = 0; i < 10 && next_us <= now_us; i++) {
        next_us = wr_consumer_step(consumer, now_us);
    }
    return next_us > now_us;
}

static void a_thread_with_nothing_to_do_sleeps(void)
{
    open_two();
    for (int second = 0; second < 100; second++) {
        (void)story_advance(&story, 1000);
        CU_ASSERT(is_calm());
    }
    story.test->worker->settings->topology_check = true;
    story_delete_queue(&story, "second");
    for (int second = 0; second < 100; second++) {
        (void)story_advance(&story, 1000);
        CU_ASSERT(is_calm());
    }
    wr_consumer_drain(story.test->worker->consumer);
    (void)story_advance(&story, 60000);
    CU_ASSERT(is_calm());
    story_close(&story);
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return CU_get_error();
    }
    CU_pSuite suite = CU_add_suite("recovery", NULL, NULL);
    CU_ADD_TEST(suite, a_deleted_queue_comes_back_on_the_same_channel_and_what_runs_is_settled);
    CU_ADD_TEST(suite, a_leftover_queue_may_be_deleted_under_its_consumer);
    CU_ADD_TEST(suite, a_queue_that_stays_away_costs_nothing_that_runs);
    CU_ADD_TEST(suite, a_closed_channel_costs_its_own_queue_only);
    CU_ADD_TEST(suite, a_job_of_a_closed_channel_is_stale_and_sends_no_copy);
    CU_ADD_TEST(suite, a_consumer_that_the_broker_forgot_is_noticed);
    CU_ADD_TEST(suite, silence_with_nothing_to_say_is_no_fault);
    CU_ADD_TEST(suite, a_job_that_the_ladder_held_back_is_counted_as_late);
    CU_ADD_TEST(suite, a_thread_with_nothing_to_do_sleeps);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
