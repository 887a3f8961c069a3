// SPDX-License-Identifier: MIT
// The suite's part about consuming: order, prefetch, settling, what comes back, and content that
// must arrive as it was sent.
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker_fixture.h"
#include "broker_suite.h"

static const struct wr_queue_arguments CLASSIC = { .type = WR_CLASSIC };
static const struct wr_queue_arguments QUORUM = { .type = WR_QUORUM, .delivery_limit = 1000 };

/* A queue with messages "1", "2", … */
static const char *filled_queue(struct fixture *fixture, struct wr_queue_arguments arguments,
                                int count)
{
    const char *queue = named("work");
    make_queue(fixture, queue, arguments);
    for (int i = 1; i <= count; i++) {
        char body[16];
        (void)snprintf(body, sizeof body, "%d", i);
        send_text(fixture, "", queue, body);
    }
    return queue;
}

static void messages_come_in_the_order_of_their_publishing(void)
{
    struct fixture fixture = fixture_begin();
    receive_from(&fixture, filled_queue(&fixture, CLASSIC, 20), 100);
    for (uint64_t i = 1; i <= 20; i++) {
        char body[24];
        (void)snprintf(body, sizeof body, "%d", (int)i);
        CU_ASSERT_EQUAL(take(&fixture, body), i);
    }
    fixture_end(&fixture);
}

static void prefetch_bounds_what_is_out(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 5);
    receive_from(&fixture, queue, 2);
    uint64_t first = hold(&fixture, "1", false);
    (void)hold(&fixture, "2", false);
    fixture_expect_nothing(fixture.receiver, 100);
    (void)wr_broker_ack(fixture.receiver, RECEIVER_CHANNEL, first, false);
    (void)hold(&fixture, "3", false);
    fixture_expect_nothing(fixture.receiver, 100);
    expect_depth(&fixture, queue, 2);
    fixture_end(&fixture);
}

static void consumers_take_turns(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("turns");
    make_queue(&fixture, queue, CLASSIC);
    receive_from(&fixture, queue, 10);
    struct wr_broker *other = fixture_connect(0);
    (void)wr_broker_channel_open(other, 1, false, NULL);
    (void)wr_broker_prefetch(other, 1, 10, NULL);
    CU_ASSERT_EQUAL(wr_broker_consume(other, 1, queue, "other", NULL), WARREN_OK);
    for (int i = 0; i < 6; i++) {
        send_text(&fixture, "", queue, "turn");
    }
    for (int i = 0; i < 3; i++) {
        (void)hold(&fixture, "turn", false);
        wr_delivery_free(fixture_delivery(other, "turn"));
    }
    fixture_expect_nothing(fixture.receiver, 50);
    fixture_expect_nothing(other, 50);
    wr_broker_close(other);
    fixture_end(&fixture);
}

static void what_is_given_back_comes_again_first(void)
{
    const struct wr_queue_arguments kinds[] = { CLASSIC, QUORUM };
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture = fixture_begin();
        receive_from(&fixture, filled_queue(&fixture, kinds[i], 4), 2);
        uint64_t first = hold(&fixture, "1", false);
        (void)hold(&fixture, "2", false);
        (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, first, false, true);
        (void)hold(&fixture, "1", true);
        fixture_expect_nothing(fixture.receiver, 50);
        fixture_end(&fixture);
    }
}

static void order_survives_a_lost_consumer(void)
{
    const struct wr_queue_arguments kinds[] = { CLASSIC, QUORUM };
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture = fixture_begin();
        const char *queue = filled_queue(&fixture, kinds[i], 4);
        receive_from(&fixture, queue, 3);
        (void)hold(&fixture, "1", false);
        (void)take(&fixture, "2");
        (void)hold(&fixture, "3", false);
        (void)hold(&fixture, "4", false);
        wr_broker_cut(fixture.receiver);
        wr_broker_close(fixture.receiver);
        fixture.receiver = fixture_connect(0);
        (void)wr_broker_channel_open(fixture.receiver, RECEIVER_CHANNEL, false, NULL);
        expect_depth(&fixture, queue, 3);
        receive_from(&fixture, queue, 10);
        (void)hold(&fixture, "1", true);
        (void)hold(&fixture, "3", true);
        (void)hold(&fixture, "4", true);
        fixture_end(&fixture);
    }
}

static void what_is_given_back_in_any_order_stands_where_it_stood(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 4);
    receive_from(&fixture, queue, 3);
    uint64_t first = hold(&fixture, "1", false);
    (void)hold(&fixture, "2", false);
    uint64_t third = hold(&fixture, "3", false);
    (void)wr_broker_cancel(fixture.receiver, RECEIVER_CHANNEL, queue, NULL);
    (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, third, false, true);
    (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, first, false, true);
    expect_depth(&fixture, queue, 3);
    receive_from(&fixture, queue, 3);
    (void)hold(&fixture, "1", true);
    (void)hold(&fixture, "3", true);
    (void)hold(&fixture, "4", false);
    fixture_end(&fixture);
}

static void a_cut_connection_says_so_once(void)
{
    struct fixture fixture = fixture_begin();
    wr_broker_cut(fixture.receiver);
    (void)fixture_expect(fixture.receiver, WR_EVENT_CLOSED);
    struct wr_event event;
    wr_broker_next(fixture.receiver, &event);
    CU_ASSERT_EQUAL(event.kind, WR_EVENT_NONE);
    CU_ASSERT_EQUAL(wr_broker_fd(fixture.receiver), -1);
    CU_ASSERT_EQUAL(wr_broker_ack(fixture.receiver, RECEIVER_CHANNEL, 1, false), WARREN_CLOSED);
    CU_ASSERT_EQUAL(wr_broker_sync(fixture.receiver, RECEIVER_CHANNEL, NULL), WARREN_CLOSED);
    fixture_end(&fixture);
}

static void ack_multiple_settles_the_prefix_only(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 4);
    receive_from(&fixture, queue, 10);
    uint64_t tags[4];
    static const char *const bodies[] = { "1", "2", "3", "4" };
    for (int i = 0; i < 4; i++) {
        tags[i] = hold(&fixture, bodies[i], false);
    }
    (void)wr_broker_ack(fixture.receiver, RECEIVER_CHANNEL, tags[1], true);
    CU_ASSERT_EQUAL(wr_broker_channel_close(fixture.receiver, RECEIVER_CHANNEL, NULL), WARREN_OK);
    (void)wr_broker_channel_open(fixture.receiver, RECEIVER_CHANNEL, false, NULL);
    receive_from(&fixture, queue, 10);
    (void)hold(&fixture, "3", true);
    (void)hold(&fixture, "4", true);
    fixture_expect_nothing(fixture.receiver, 50);
    fixture_end(&fixture);
}

static void rejected_without_a_dead_letter_exchange_is_gone(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 3);
    receive_from(&fixture, queue, 10);
    (void)hold(&fixture, "1", false);
    uint64_t second = hold(&fixture, "2", false);
    (void)hold(&fixture, "3", false);
    (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, second, true, false);
    CU_ASSERT_EQUAL(wr_broker_channel_close(fixture.receiver, RECEIVER_CHANNEL, NULL), WARREN_OK);
    expect_depth(&fixture, queue, 1);
    fixture_end(&fixture);
}

static void an_unknown_tag_closes_the_channel(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 1);
    receive_from(&fixture, queue, 10);
    (void)hold(&fixture, "1", false);
    CU_ASSERT_EQUAL(wr_broker_ack(fixture.receiver, RECEIVER_CHANNEL, 99, false), WARREN_OK);
    struct wr_event event = fixture_expect(fixture.receiver, WR_EVENT_CHANNEL_CLOSED);
    CU_ASSERT_EQUAL(event.code, 406);
    CU_ASSERT_EQUAL(event.channel, RECEIVER_CHANNEL);
    CU_ASSERT_PTR_NOT_NULL(strstr(event.text, "unknown delivery tag 99"));
    CU_ASSERT_EQUAL(wr_broker_channel_open(fixture.receiver, RECEIVER_CHANNEL, false, NULL),
                    WARREN_OK);
    receive_from(&fixture, queue, 10);
    (void)hold(&fixture, "1", true);
    fixture_end(&fixture);
}

static void a_cancelled_consumer_keeps_what_it_has_and_gets_no_more(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 1);
    receive_from(&fixture, queue, 10);
    uint64_t tag = hold(&fixture, "1", false);
    CU_ASSERT_EQUAL(wr_broker_cancel(fixture.receiver, RECEIVER_CHANNEL, queue, NULL), WARREN_OK);
    send_text(&fixture, "", queue, "2");
    fixture_expect_nothing(fixture.receiver, 50);
    expect_depth(&fixture, queue, 1);
    (void)wr_broker_ack(fixture.receiver, RECEIVER_CHANNEL, tag, false);
    receive_from(&fixture, queue, 10);
    (void)hold(&fixture, "2", false);
    fixture_end(&fixture);
}

static void deliveries_under_way_outlive_a_cancel(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 3);
    receive_from(&fixture, queue, 3);
    expect_depth(&fixture, queue, 0);
    CU_ASSERT_EQUAL(wr_broker_cancel(fixture.receiver, RECEIVER_CHANNEL, queue, NULL), WARREN_OK);
    (void)take(&fixture, "1");
    (void)take(&fixture, "2");
    (void)take(&fixture, "3");
    CU_ASSERT_EQUAL(wr_broker_sync(fixture.receiver, RECEIVER_CHANNEL, NULL), WARREN_OK);
    fixture_end(&fixture);
}

static void a_body_over_the_limit_is_announced_and_can_be_rejected(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 0);
    send_text(&fixture, "", queue, "12345678901");
    send_text(&fixture, "", queue, "1234567890");
    struct wr_broker *narrow = fixture_connect(10);
    (void)wr_broker_channel_open(narrow, 1, false, NULL);
    (void)wr_broker_prefetch(narrow, 1, 1, NULL);
    CU_ASSERT_EQUAL(wr_broker_consume(narrow, 1, queue, "narrow", NULL), WARREN_OK);
    struct wr_event event = fixture_expect(narrow, WR_EVENT_OVERSIZED);
    CU_ASSERT_EQUAL(event.size, 11);
    CU_ASSERT_PTR_NULL(event.delivery);
    CU_ASSERT_EQUAL(event.channel, 1);
    (void)wr_broker_nack(narrow, 1, event.tag, false, false);
    wr_delivery_free(fixture_delivery(narrow, "1234567890"));
    wr_broker_close(narrow);
    expect_depth(&fixture, queue, 1);
    fixture_end(&fixture);
}

/* Sends a body of pseudo-random bytes and compares what comes. */
static void expect_body(struct fixture *fixture, const char *queue, size_t size)
{
    char *body = malloc(size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    for (size_t i = 0; i < size; i++) {
        body[i] = (char)(i * 2654435761u >> 13);
    }
    struct wr_message message = { .key = wr_slice_of(queue), .body = { body, size } };
    send_message(fixture, &message);
    struct wr_delivery *delivery = fixture_delivery(fixture->receiver, NULL);
    CU_ASSERT(wr_slice_equals(delivery->message.body, message.body));
    (void)wr_broker_ack(fixture->receiver, RECEIVER_CHANNEL, delivery->tag, false);
    wr_delivery_free(delivery);
    free(body);
}

static void bodies_arrive_byte_for_byte_at_any_size(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 0);
    receive_from(&fixture, queue, 10);
    static const size_t sizes[] = { 0, 1, 4096, 131063, 131064, 131065, 131072, 204800, 3 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        expect_body(&fixture, queue, sizes[i]);
    }
    fixture_end(&fixture);
}

/* An entry of every kind that a header can be of; by name, since RabbitMQ 4 sorts them. */
static void add_every_kind(struct wr_text *out)
{
    static const char ENTRIES[] = "\1AA\0\0\0\6I\0\0\0\7V"
                                  "\1BB\200"
                                  "\1DD\2\0\0\1\72"
                                  "\1FF\0\0\0\7\1nI\0\0\0\5"
                                  "\1II\200\0\0\1"
                                  "\1SS\0\0\0\4a\0b\377"
                                  "\1TT\0\0\0\0\145\123\361\0"
                                  "\1VV"
                                  "\1bb\377"
                                  "\1dd\100\11\41\373\124\104\55\30"
                                  "\2eSS\0\0\0\0"
                                  "\1ff\100\111\17\333"
                                  "\1ii\377\377\377\376"
                                  "\1ll\200\0\0\0\0\0\0\1"
                                  "\1ss\377\376"
                                  "\1tt\1"
                                  "\1uu\377\376"
                                  "\1xx\0\0\0\3\0\1\2";
    wr_text_add(out, ENTRIES, sizeof ENTRIES - 1);
}

static void every_property_and_header_arrives_as_it_was_sent(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 0);
    struct wr_text headers = { 0 };
    add_every_kind(&headers);
    struct wr_message message = { .key = wr_slice_of(queue),
                                  .present = 0xfffc & ~(unsigned)WR_USER_ID,
                                  .content_type = wr_slice_of("application/json"),
                                  .content_encoding = wr_slice_of("utf-8"),
                                  .headers = { headers.data, headers.size },
                                  .delivery_mode = 2,
                                  .priority = 200,
                                  .correlation_id = wr_slice_of("correlation"),
                                  .reply_to = wr_slice_of("reply"),
                                  .expiration = wr_slice_of("3600000"),
                                  .message_id = wr_slice_of("id"),
                                  .timestamp = UINT64_C(1700000000),
                                  .type = wr_slice_of("type"),
                                  .app_id = wr_slice_of("app"),
                                  .cluster_id = wr_slice_of(""),
                                  .body = wr_slice_of("{}") };
    send_message(&fixture, &message);
    receive_from(&fixture, queue, 1);
    struct wr_delivery *delivery = fixture_delivery(fixture.receiver, "{}");
    struct wr_text sent = { 0 };
    struct wr_text came = { 0 };
    wr_message_write(&message, &sent);
    wr_message_write(&delivery->message, &came);
    CU_ASSERT(wr_slice_equals((struct wr_slice){ sent.data, sent.size },
                              (struct wr_slice){ came.data, came.size }));
    wr_text_done(&sent);
    wr_text_done(&came);
    wr_text_done(&headers);
    wr_delivery_free(delivery);
    fixture_end(&fixture);
}

static void a_message_without_properties_has_none(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = filled_queue(&fixture, CLASSIC, 0);
    struct wr_message message = { .key = wr_slice_of(queue), .body = wr_slice_of("bare") };
    send_message(&fixture, &message);
    receive_from(&fixture, queue, 1);
    struct wr_delivery *delivery = fixture_delivery(fixture.receiver, "bare");
    CU_ASSERT_EQUAL(delivery->message.present, 0);
    wr_delivery_free(delivery);
    fixture_end(&fixture);
}

void broker_suite_delivery(void)
{
    CU_pSuite suite = CU_add_suite("delivery", NULL, NULL);
    CU_ADD_TEST(suite, messages_come_in_the_order_of_their_publishing);
    CU_ADD_TEST(suite, prefetch_bounds_what_is_out);
    CU_ADD_TEST(suite, consumers_take_turns);
    CU_ADD_TEST(suite, what_is_given_back_comes_again_first);
    CU_ADD_TEST(suite, order_survives_a_lost_consumer);
    CU_ADD_TEST(suite, what_is_given_back_in_any_order_stands_where_it_stood);
    CU_ADD_TEST(suite, a_cut_connection_says_so_once);
    CU_ADD_TEST(suite, ack_multiple_settles_the_prefix_only);
    CU_ADD_TEST(suite, rejected_without_a_dead_letter_exchange_is_gone);
    CU_ADD_TEST(suite, an_unknown_tag_closes_the_channel);
    CU_ADD_TEST(suite, a_cancelled_consumer_keeps_what_it_has_and_gets_no_more);
    CU_ADD_TEST(suite, deliveries_under_way_outlive_a_cancel);
    CU_ADD_TEST(suite, a_body_over_the_limit_is_announced_and_can_be_rejected);
    CU_ADD_TEST(suite, bodies_arrive_byte_for_byte_at_any_size);
    CU_ADD_TEST(suite, every_property_and_header_arrives_as_it_was_sent);
    CU_ADD_TEST(suite, a_message_without_properties_has_none);
}
