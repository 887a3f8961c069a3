// SPDX-License-Identifier: MIT
// The scripted broker, and what a connection of Warren makes of what no real broker sends: a broken
// stream is the end of the connection, never of the process, and never a message.
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "amqp_talk.h"
#include "fake_broker.h"

enum { MOST_MS = 10000, CONSUMING = 2 };

static struct fake *fake;
static struct wr_broker *broker;
static struct wr_broker_settings settings;
static struct fake_consumer consumer;
static warren_error err;

/* A connection with a channel that publishes and one that consumes. */
static int set_up_connection(void)
{
    fake = fake_open();
    settings = talk_settings(fake_url(fake));
    broker = talk_open(&settings, 0, &err);
    if (!broker || wr_broker_channel_open(broker, 1, true, &err) ||
        wr_broker_channel_open(broker, CONSUMING, false, &err) ||
        wr_broker_consume(broker, CONSUMING, "jobs", "the-consumer", &err)) {
        fprintf(stderr, "fake broker: %s\n", err.text);
        return 1;
    }
    consumer = fake_consumer(fake);
    return 0;
}

static void start(void)
{
    CU_ASSERT_EQUAL_FATAL(set_up_connection(), 0);
}

static void end(void)
{
    wr_broker_close(broker);
    fake_close(fake);
}

static void publish(const char *body)
{
    struct wr_message message = talk_message("jobs", wr_slice_of(body));
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, &err), WARREN_OK);
}

/* The connection is over for that reason, and everything after it says so. */
static void expect_end(const char *why)
{
    struct wr_event event = talk_expect(broker, WR_EVENT_CLOSED);
    if (!strstr(event.text, why)) {
        fprintf(stderr, "ended with: %s\n", event.text);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(event.text, why));
    CU_ASSERT_EQUAL(wr_broker_ack(broker, CONSUMING, 1, false), WARREN_CLOSED);
    end();
}

static void a_polite_one_logs_in_declares_confirms_and_delivers(void)
{
    start();
    CU_ASSERT_STRING_EQUAL(consumer.queue, "jobs");
    CU_ASSERT_STRING_EQUAL(consumer.tag, "the-consumer");
    CU_ASSERT_STRING_EQUAL(wr_broker_server(broker)->version, "3.10.8");
    talk_queue(broker, 1, "any");
    publish("hello");
    struct wr_event event = talk_expect(broker, WR_EVENT_ACKED);
    CU_ASSERT_EQUAL(event.tag, 1);
    CU_ASSERT_EQUAL(fake_publish(fake, 0).size, 5);
    fake_deliver(fake, &consumer, 7, &(struct fake_message){ "id-1", "mail", "body" });
    event = talk_expect(broker, WR_EVENT_DELIVERY);
    CU_ASSERT_EQUAL_FATAL(event.tag, 7);
    CU_ASSERT(wr_slice_is(event.delivery->message.body, "body"));
    wr_delivery_free(event.delivery);
    CU_ASSERT_EQUAL(wr_broker_ack(broker, CONSUMING, 7, true), WARREN_OK);
    CU_ASSERT(fake_wait(fake, FAKE_ACKS, 1, MOST_MS));
    bool is_multiple = false;
    CU_ASSERT_EQUAL(fake_last_ack(fake, &is_multiple), 7);
    CU_ASSERT(is_multiple);
    wr_broker_close(broker);
    CU_ASSERT(fake_wait(fake, FAKE_ENDED, 1, MOST_MS));
    fake_close(fake);
}

static void withheld_confirms_come_when_and_as_the_script_says(void)
{
    start();
    fake_withhold(fake, true);
    publish("1");
    publish("2");
    CU_ASSERT(fake_wait(fake, FAKE_PUBLISHES, 2, MOST_MS));
    CU_ASSERT_EQUAL(talk_next(broker, 50).kind, WR_EVENT_NONE);
    struct fake_place place = fake_publish(fake, 1).place;
    fake_confirm(fake, place, 2, FAKE_NACK);
    fake_confirm(fake, place, 1, FAKE_ACK_MULTIPLE);
    CU_ASSERT_EQUAL(talk_expect(broker, WR_EVENT_NACKED).tag, 2);
    CU_ASSERT(talk_expect(broker, WR_EVENT_ACKED).multiple);
    end();
}

static void it_blocks_cancels_and_closes_at_will(void)
{
    start();
    int connection = consumer.place.connection;
    fake_block(fake, connection, "no reason");
    CU_ASSERT_STRING_EQUAL(talk_expect(broker, WR_EVENT_BLOCKED).text, "no reason");
    fake_block(fake, connection, NULL);
    (void)talk_expect(broker, WR_EVENT_UNBLOCKED);
    fake_cancel(fake, &consumer);
    CU_ASSERT_STRING_EQUAL(talk_expect(broker, WR_EVENT_CANCELLED).text, "the-consumer");
    fake_channel_close(fake, consumer.place, 406, "PRECONDITION_FAILED - at will");
    CU_ASSERT_EQUAL(talk_expect(broker, WR_EVENT_CHANNEL_CLOSED).code, 406);
    CU_ASSERT(fake_wait(fake, FAKE_CHANNEL_CLOSES, 1, MOST_MS));
    fake_connection_close(fake, connection, 320, "CONNECTION_FORCED - at will");
    expect_end("at will");
}

static void a_header_without_a_method_is_no_protocol(void)
{
    struct wire header = { 0 };
    start();
    wire_header(&header, 4, "id", "mail");
    fake_frame(fake, consumer.place, WIRE_HEADER, header.bytes, header.size);
    expect_end("a header without its method");
}

static void a_body_longer_than_announced_is_no_protocol(void)
{
    struct wire method = { 0 }, header = { 0 };
    start();
    wire_deliver(&method, consumer.tag, 1, "jobs");
    wire_header(&header, 4, "id", "mail");
    fake_method(fake, consumer.place, &method);
    fake_frame(fake, consumer.place, WIRE_HEADER, header.bytes, header.size);
    fake_frame(fake, consumer.place, WIRE_BODY, "12345", 5);
    expect_end("more of a body");
}

static void a_body_without_a_message_is_no_protocol(void)
{
    start();
    fake_frame(fake, consumer.place, WIRE_BODY, "12345", 5);
    expect_end("more of a body");
}

static void a_method_inside_a_message_is_no_protocol(void)
{
    struct wire method = { 0 };
    start();
    wire_deliver(&method, consumer.tag, 1, "jobs");
    fake_method(fake, consumer.place, &method);
    fake_method(fake, consumer.place, &method);
    expect_end("a method inside a message");
}

static void an_unknown_method_ends_the_connection(void)
{
    struct wire method = { 0 };
    start();
    wire_method(&method, WIRE_BASIC, 9999);
    fake_method(fake, consumer.place, &method);
    expect_end("");
}

static void frames_of_no_size_end_the_connection(void)
{
    static const int types[] = { WIRE_METHOD, WIRE_HEADER };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        start();
        fake_frame(fake, consumer.place, types[i], NULL, 0);
        expect_end("");
    }
}

static void a_frame_above_the_agreed_size_ends_the_connection(void)
{
    static const unsigned char head[] = { WIRE_BODY, 0, CONSUMING, 0x7f, 0xff, 0xff, 0xff };
    start();
    fake_send(fake, consumer.place.connection, head, sizeof head);
    expect_end("");
}

static void a_frame_without_its_end_ends_the_connection(void)
{
    static const unsigned char frame[] = { WIRE_BODY, 0, CONSUMING, 0, 0, 0, 1, 'x', 'y' };
    start();
    fake_send(fake, consumer.place.connection, frame, sizeof frame);
    expect_end("");
}

static void a_channel_that_nobody_opened_is_ignored(void)
{
    struct fake_consumer stray;
    start();
    stray = consumer;
    stray.place.channel = 40;
    fake_deliver(fake, &stray, 1, &(struct fake_message){ "id", "mail", "stray" });
    fake_deliver(fake, &consumer, 1, &(struct fake_message){ "id", "mail", "good" });
    struct wr_event event = talk_expect(broker, WR_EVENT_DELIVERY);
    CU_ASSERT_EQUAL_FATAL(event.channel, CONSUMING);
    CU_ASSERT(wr_slice_is(event.delivery->message.body, "good"));
    wr_delivery_free(event.delivery);
    end();
}

static void silence_is_noticed_by_the_heartbeats_that_are_missing(void)
{
    fake = fake_open();
    settings = talk_settings(fake_url(fake));
    settings.heartbeat_ms = 1000;
    broker = talk_open(&settings, 0, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    CU_ASSERT_EQUAL(talk_next(broker, 3000).kind, WR_EVENT_NONE);
    CU_ASSERT(fake_counted(fake, FAKE_HEARTBEATS) >= 1);
    fake_mute(fake, true);
    struct wr_event event = talk_next(broker, 3500);
    CU_ASSERT_EQUAL(event.kind, WR_EVENT_CLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(event.text, "heartbeat"));
    end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("fake_broker", NULL, NULL);
    CU_ADD_TEST(suite, a_polite_one_logs_in_declares_confirms_and_delivers);
    CU_ADD_TEST(suite, withheld_confirms_come_when_and_as_the_script_says);
    CU_ADD_TEST(suite, it_blocks_cancels_and_closes_at_will);
    CU_ADD_TEST(suite, a_header_without_a_method_is_no_protocol);
    CU_ADD_TEST(suite, a_body_longer_than_announced_is_no_protocol);
    CU_ADD_TEST(suite, a_body_without_a_message_is_no_protocol);
    CU_ADD_TEST(suite, a_method_inside_a_message_is_no_protocol);
    CU_ADD_TEST(suite, an_unknown_method_ends_the_connection);
    CU_ADD_TEST(suite, frames_of_no_size_end_the_connection);
    CU_ADD_TEST(suite, a_frame_above_the_agreed_size_ends_the_connection);
    CU_ADD_TEST(suite, a_frame_without_its_end_ends_the_connection);
    CU_ADD_TEST(suite, a_channel_that_nobody_opened_is_ignored);
    CU_ADD_TEST(suite, silence_is_noticed_by_the_heartbeats_that_are_missing);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
