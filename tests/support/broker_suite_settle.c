// SPDX-License-Identifier: MIT
// The suite's part about the corners of settling: several channels, whole prefixes, returns that
// come too late or too often, and what is settled after its queue or channel is gone.
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "broker_fixture.h"
#include "broker_suite.h"

static const struct wr_queue_arguments CLASSIC = { .type = WR_CLASSIC };

static const char *queue_with(struct fixture *fixture, struct wr_queue_arguments arguments,
                              const char *const *bodies)
{
    const char *queue = named("settle");
    make_queue(fixture, queue, arguments);
    for (; *bodies; bodies++) {
        send_text(fixture, "", queue, *bodies);
    }
    return queue;
}

static const char *const THREE[] = { "1", "2", "3", NULL };

static void tag_zero_multiple_settles_all(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = queue_with(&fixture, CLASSIC, THREE);
    receive_from(&fixture, queue, 10);
    for (int i = 0; i < 3; i++) {
        (void)hold(&fixture, THREE[i], false);
    }
    (void)wr_broker_ack(fixture.receiver, RECEIVER_CHANNEL, 0, true);
    CU_ASSERT_EQUAL(wr_broker_channel_close(fixture.receiver, RECEIVER_CHANNEL, NULL), WARREN_OK);
    expect_depth(&fixture, queue, 0);
    fixture_end(&fixture);
}

static void a_prefix_given_back_keeps_its_order(void)
{
    const struct wr_queue_arguments kinds[] = { CLASSIC, { .delivery_limit = 100 } };
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture = fixture_begin();
        const char *queue = queue_with(&fixture, kinds[i], THREE);
        receive_from(&fixture, queue, 2);
        (void)hold(&fixture, "1", false);
        uint64_t second = hold(&fixture, "2", false);
        (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, second, true, true);
        (void)hold(&fixture, "1", true);
        (void)hold(&fixture, "2", true);
        fixture_expect_nothing(fixture.receiver, 50);
        fixture_end(&fixture);
    }
}

static void channels_of_one_connection_are_apart(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = queue_with(&fixture, CLASSIC, THREE);
    receive_from(&fixture, queue, 1);
    (void)hold(&fixture, "1", false);
    CU_ASSERT_EQUAL(wr_broker_channel_open(fixture.receiver, 9, false, NULL), WARREN_OK);
    (void)wr_broker_prefetch(fixture.receiver, 9, 1, NULL);
    CU_ASSERT_EQUAL(wr_broker_consume(fixture.receiver, 9, queue, "ninth", NULL), WARREN_OK);
    struct wr_delivery *delivery = fixture_delivery(fixture.receiver, "2");
    CU_ASSERT_EQUAL(delivery->channel, 9);
    CU_ASSERT_EQUAL(delivery->tag, 1); /* tags count by channel */
    wr_delivery_free(delivery);
    CU_ASSERT_EQUAL(wr_broker_channel_close(fixture.receiver, RECEIVER_CHANNEL, NULL), WARREN_OK);
    (void)wr_broker_ack(fixture.receiver, 9, 1, false);
    delivery = fixture_delivery(fixture.receiver, "1");
    CU_ASSERT_EQUAL(delivery->channel, 9);
    CU_ASSERT(delivery->redelivered);
    wr_delivery_free(delivery);
    fixture_end(&fixture);
}

static void what_comes_back_after_its_time_expires(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = named("dead");
    make_queue(&fixture, dead, CLASSIC);
    const struct wr_queue_arguments arguments = {
        .type = WR_CLASSIC, .dead_exchange = "", .dead_key = dead, .ttl_ms = 200
    };
    const char *queue = named("expiring");
    make_queue(&fixture, queue, arguments);
    receive_from(&fixture, queue, 1);
    send_text(&fixture, "", queue, "late");
    uint64_t tag = hold(&fixture, "late", false);
    fixture_expect_nothing(fixture.receiver, 400);
    expect_depth(&fixture, dead, 0);
    (void)wr_broker_cancel(fixture.receiver, RECEIVER_CHANNEL, queue, NULL);
    (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, tag, false, true);
    expect_depth(&fixture, dead, 1);
    fixture_end(&fixture);
}

static void a_lost_consumer_counts_against_the_delivery_limit(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = named("dead");
    make_queue(&fixture, dead, CLASSIC);
    const struct wr_queue_arguments arguments = { .dead_exchange = "",
                                                  .dead_key = dead,
                                                  .delivery_limit = 1 };
    const char *const bodies[] = { "deadly", NULL };
    const char *queue = queue_with(&fixture, arguments, bodies);
    for (int i = 0; i < 2; i++) {
        struct wr_broker *worker = fixture_connect(0);
        (void)wr_broker_channel_open(worker, 1, false, NULL);
        (void)wr_broker_prefetch(worker, 1, 1, NULL);
        CU_ASSERT_EQUAL(wr_broker_consume(worker, 1, queue, "worker", NULL), WARREN_OK);
        wr_delivery_free(fixture_delivery(worker, "deadly"));
        wr_broker_cut(worker);
        wr_broker_close(worker);
    }
    receive_from(&fixture, dead, 1);
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, "deadly");
    struct wr_table death = { 0 };
    CU_ASSERT(death_at(letter, 0, &death));
    CU_ASSERT(wr_slice_is(death_string(death, "reason"), "delivery_limit"));
    wr_delivery_free(letter);
    fixture_end(&fixture);
}

static void a_dead_letter_for_a_missing_exchange_is_dropped(void)
{
    struct fixture fixture = fixture_begin();
    const struct wr_queue_arguments arguments = { .type = WR_CLASSIC,
                                                  .dead_exchange = "suite.no.such.exchange" };
    const char *queue = queue_with(&fixture, arguments, THREE);
    receive_from(&fixture, queue, 1);
    uint64_t tag = hold(&fixture, "1", false);
    (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, tag, false, false);
    (void)take(&fixture, "2");
    (void)take(&fixture, "3");
    fixture_end(&fixture);
}

static void settling_what_is_out_of_a_deleted_queue_is_no_mistake(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = queue_with(&fixture, CLASSIC, THREE);
    receive_from(&fixture, queue, 2);
    uint64_t first = hold(&fixture, "1", false);
    uint64_t second = hold(&fixture, "2", false);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(fixture.sender, SENDER_CHANNEL, queue, NULL), WARREN_OK);
    (void)fixture_expect(fixture.receiver, WR_EVENT_CANCELLED);
    (void)wr_broker_ack(fixture.receiver, RECEIVER_CHANNEL, first, false);
    (void)wr_broker_nack(fixture.receiver, RECEIVER_CHANNEL, second, false, true);
    CU_ASSERT_EQUAL(wr_broker_sync(fixture.receiver, RECEIVER_CHANNEL, NULL), WARREN_OK);
    fixture_end(&fixture);
}

static void deleting_what_is_missing_is_done_already(void)
{
    struct fixture fixture = fixture_begin();
    CU_ASSERT_EQUAL(wr_broker_delete_queue(fixture.sender, SENDER_CHANNEL, named("missing"), NULL),
                    WARREN_OK);
    fixture_end(&fixture);
}

static void a_channel_that_is_not_open_takes_nothing(void)
{
    struct fixture fixture = fixture_begin();
    struct wr_message message = { .key = wr_slice_of("any") };
    CU_ASSERT_EQUAL(wr_broker_publish(fixture.sender, 44, &message, NULL), WARREN_STATE);
    CU_ASSERT_EQUAL(wr_broker_sync(fixture.sender, 44, NULL), WARREN_STATE);
    CU_ASSERT_EQUAL(wr_broker_channel_open(fixture.sender, SENDER_CHANNEL, true, NULL),
                    WARREN_STATE);
    CU_ASSERT_EQUAL(wr_broker_sync(fixture.sender, SENDER_CHANNEL, NULL), WARREN_OK);
    fixture_end(&fixture);
}

static void a_closed_channels_number_can_be_used_again(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = queue_with(&fixture, CLASSIC, THREE);
    for (int i = 0; i < 3; i++) {
        receive_from(&fixture, queue, 2);
        CU_ASSERT_EQUAL(hold(&fixture, "1", i > 0), 1); /* its tags begin again */
        CU_ASSERT_EQUAL(wr_broker_channel_close(fixture.receiver, RECEIVER_CHANNEL, NULL),
                        WARREN_OK);
        CU_ASSERT_EQUAL(wr_broker_channel_open(fixture.receiver, RECEIVER_CHANNEL, false, NULL),
                        WARREN_OK);
        expect_depth(&fixture, queue, 3);
    }
    fixture_end(&fixture);
}

void broker_suite_settle(void)
{
    CU_pSuite suite = CU_add_suite("settling", NULL, NULL);
    CU_ADD_TEST(suite, tag_zero_multiple_settles_all);
    CU_ADD_TEST(suite, a_prefix_given_back_keeps_its_order);
    CU_ADD_TEST(suite, channels_of_one_connection_are_apart);
    CU_ADD_TEST(suite, what_comes_back_after_its_time_expires);
    CU_ADD_TEST(suite, a_lost_consumer_counts_against_the_delivery_limit);
    CU_ADD_TEST(suite, a_dead_letter_for_a_missing_exchange_is_dropped);
    CU_ADD_TEST(suite, settling_what_is_out_of_a_deleted_queue_is_no_mistake);
    CU_ADD_TEST(suite, deleting_what_is_missing_is_done_already);
    CU_ADD_TEST(suite, a_channel_that_is_not_open_takes_nothing);
    CU_ADD_TEST(suite, a_closed_channels_number_can_be_used_again);
}
