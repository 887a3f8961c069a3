// SPDX-License-Identifier: MIT
// What a connection tells when its broker dies, is stopped, runs out of memory, or loses a queue.
// On a broker of its own.
#include <CUnit/Basic.h>
#include <stdlib.h>

#include "amqp_talk.h"
#include "live.h"

static struct wr_broker *broker;

static void open_broker(void)
{
    struct wr_broker_settings settings = talk_settings(live_url());
    warren_error error;
    broker = talk_open(&settings, 0, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 1, true, NULL), WARREN_OK);
}

static void assert_gone(void)
{
    struct wr_message message = talk_message("any", wr_slice_of("x"));
    CU_ASSERT_EQUAL(wr_broker_fd(broker), -1);
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_CLOSED);
    CU_ASSERT_EQUAL(wr_broker_ack(broker, 1, 1, false), WARREN_CLOSED);
    CU_ASSERT_EQUAL(talk_next(broker, 10).kind, WR_EVENT_NONE);
}

static void a_deleted_queue_cancels_its_consumer(void)
{
    open_broker();
    talk_queue(broker, 1, "deleted");
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 2, false, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_consume(broker, 2, "deleted", "the-consumer", NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(broker, 1, "deleted", NULL), WARREN_OK);
    struct wr_event event = talk_expect(broker, WR_EVENT_CANCELLED);
    CU_ASSERT_EQUAL(event.channel, 2);
    CU_ASSERT_STRING_EQUAL(event.text, "the-consumer");
    wr_broker_close(broker);
}

static void an_alarm_blocks_publishing_until_it_is_over(void)
{
    open_broker();
    talk_queue(broker, 1, "alarmed");
    struct wr_message message = talk_message("alarmed", wr_slice_of("x"));
    free(live_ctl("set_vm_memory_high_watermark", "0.00001", NULL));
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_OK);
    struct wr_event event = talk_expect(broker, WR_EVENT_BLOCKED);
    CU_ASSERT_PTR_NOT_NULL(strstr(event.text, "memory"));
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_AGAIN);
    free(live_ctl("set_vm_memory_high_watermark", "0.6", NULL));
    enum wr_event_kind first = talk_next(broker, TALK_MOST_MS).kind;
    enum wr_event_kind second = talk_next(broker, TALK_MOST_MS).kind;
    CU_ASSERT(first == WR_EVENT_UNBLOCKED || second == WR_EVENT_UNBLOCKED);
    CU_ASSERT(first == WR_EVENT_ACKED || second == WR_EVENT_ACKED);
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_OK);
    (void)talk_expect(broker, WR_EVENT_ACKED);
    wr_broker_close(broker);
}

static void a_broker_that_is_stopped_says_so(void)
{
    open_broker();
    live_restart_broker();
    struct wr_event event = talk_expect(broker, WR_EVENT_CLOSED);
    CU_ASSERT_EQUAL(event.code, 320);
    CU_ASSERT_PTR_NOT_NULL(strstr(event.text, "CONNECTION_FORCED"));
    assert_gone();
    wr_broker_close(broker);
}

static void a_killed_broker_ends_the_connection_and_the_next_one_works(void)
{
    open_broker();
    live_kill_broker();
    (void)talk_expect(broker, WR_EVENT_CLOSED);
    assert_gone();
    wr_broker_close(broker);
    struct wr_broker_settings settings = talk_settings(live_url());
    warren_error error;
    CU_ASSERT_PTR_NULL(talk_open(&settings, 0, &error));
    CU_ASSERT_EQUAL(error.status, WARREN_UNREACHABLE);
    live_restart_broker();
    open_broker();
    wr_broker_close(broker);
}

int main(void)
{
    live_own_broker();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("amqp_outage", NULL, NULL);
    CU_ADD_TEST(suite, a_deleted_queue_cancels_its_consumer);
    CU_ADD_TEST(suite, an_alarm_blocks_publishing_until_it_is_over);
    CU_ADD_TEST(suite, a_broker_that_is_stopped_says_so);
    CU_ADD_TEST(suite, a_killed_broker_ends_the_connection_and_the_next_one_works);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
