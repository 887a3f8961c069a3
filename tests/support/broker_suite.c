// SPDX-License-Identifier: MIT
// The suite's frame, and its part about topology: declaring, looking, mistakes, depth and deletion.
#include "broker_suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "broker_fixture.h"

static const struct wr_queue_arguments CLASSIC = { .type = WR_CLASSIC };

static struct wr_item queue_item(const char *name, struct wr_queue_arguments arguments)
{
    return (struct wr_item){ .kind = WR_ITEM_QUEUE, .name = name, .arguments = arguments };
}

static void declaring_twice_changes_nothing(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("twice");
    const char *exchange = named("twice");
    const struct wr_queue_arguments full = { .type = WR_QUORUM,
                                             .dead_exchange = "amq.fanout",
                                             .dead_key = "dead.key",
                                             .ttl_ms = 60000,
                                             .delivery_limit = 7,
                                             .at_least_once = true,
                                             .reject_publish = true };
    for (int i = 0; i < 2; i++) {
        make_queue(&fixture, queue, full);
        make_exchange(&fixture, exchange, "topic", "amq.fanout");
        bind_queue(&fixture, exchange, "a.*", queue);
    }
    send_text(&fixture, exchange, "a.b", "once");
    expect_depth(&fixture, queue, 1);
    fixture_end(&fixture);
}

/* Declares `item`, which must be refused as a mismatch whose text says all of `words`. */
static void expect_mismatch(struct fixture *fixture, struct wr_item item, const char *const *words)
{
    warren_error err = { 0 };
    CU_ASSERT_EQUAL(try_item(fixture, &item, WR_DECLARE, &err), WARREN_MISMATCH);
    for (; *words; words++) {
        if (!strstr(err.text, *words)) {
            fprintf(stderr, "no \"%s\" in: %s\n", *words, err.text);
            CU_FAIL("the mismatch's text says too little");
        }
    }
    reopen_sender(fixture);
}

static void another_argument_is_a_mismatch_that_names_it(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("mismatch");
    make_queue(&fixture, queue, (struct wr_queue_arguments){ .type = WR_CLASSIC, .ttl_ms = 4000 });
    expect_mismatch(&fixture,
                    queue_item(queue, (struct wr_queue_arguments){ WR_CLASSIC, .ttl_ms = 5000 }),
                    (const char *const[]){ queue, "inequivalent arg 'x-message-ttl'",
                                           "received '5000' but current is '4000'", NULL });
    expect_mismatch(&fixture, queue_item(queue, CLASSIC),
                    (const char *const[]){ queue, "x-message-ttl", "received none but current is",
                                           "4000", NULL });
    fixture_end(&fixture);
}

static void another_kind_of_queue_is_a_mismatch(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("kind");
    make_queue(&fixture, queue, CLASSIC);
    expect_mismatch(&fixture, queue_item(queue, (struct wr_queue_arguments){ .type = WR_QUORUM }),
                    (const char *const[]){ queue, "x-queue-type", "quorum", "classic", NULL });
    fixture_end(&fixture);
}

static void another_dead_letter_target_is_a_mismatch(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("target");
    const struct wr_queue_arguments has = { WR_CLASSIC, .dead_exchange = "amq.topic" };
    const struct wr_queue_arguments other = { WR_CLASSIC, .dead_exchange = "amq.fanout" };
    make_queue(&fixture, queue, has);
    expect_mismatch(
        &fixture, queue_item(queue, other),
        (const char *const[]){ "x-dead-letter-exchange", "amq.fanout", "amq.topic", queue, NULL });
    expect_mismatch(
        &fixture,
        queue_item(queue, (struct wr_queue_arguments){ WR_CLASSIC, .dead_exchange = "amq.topic",
                                                       .dead_key = "k" }),
        (const char *const[]){ "x-dead-letter-routing-key", "but current is none", NULL });
    fixture_end(&fixture);
}

static void another_kind_of_exchange_is_a_mismatch(void)
{
    struct fixture fixture = fixture_begin();
    const char *name = named("exchange");
    make_exchange(&fixture, name, "topic", NULL);
    expect_mismatch(&fixture,
                    (struct wr_item){ .kind = WR_ITEM_EXCHANGE, .name = name, .type = "direct" },
                    (const char *const[]){ name, "inequivalent arg 'type'",
                                           "received 'direct' but current is 'topic'", NULL });
    expect_mismatch(
        &fixture,
        (struct wr_item){
            .kind = WR_ITEM_EXCHANGE, .name = name, .type = "topic", .alternate = "amq.fanout" },
        (const char *const[]){ name, "alternate-exchange", "amq.fanout", NULL });
    fixture_end(&fixture);
}

static void looking_sees_what_is_there(void)
{
    struct fixture fixture = fixture_begin();
    struct wr_item queue = queue_item(named("look"), CLASSIC);
    struct wr_item exchange = { .kind = WR_ITEM_EXCHANGE, .name = named("look"), .type = "topic" };
    make_queue(&fixture, queue.name, CLASSIC);
    make_exchange(&fixture, exchange.name, "topic", NULL);
    CU_ASSERT_EQUAL(try_item(&fixture, &queue, WR_LOOK, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(try_item(&fixture, &exchange, WR_LOOK, NULL), WARREN_OK);
    fixture_end(&fixture);
}

static void looking_for_what_is_missing_closes_the_channel(void)
{
    struct fixture fixture = fixture_begin();
    struct wr_item items[] = {
        queue_item(named("missing"), CLASSIC),
        { .kind = WR_ITEM_EXCHANGE, .name = named("missing"), .type = "topic" },
    };
    for (size_t i = 0; i < 2; i++) {
        warren_error err = { 0 };
        CU_ASSERT_EQUAL(try_item(&fixture, &items[i], WR_LOOK, &err), WARREN_NOT_FOUND);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, items[i].name));
        reopen_sender(&fixture);
    }
    CU_ASSERT_EQUAL(try_item(&fixture, &items[0], WR_DECLARE, NULL), WARREN_OK);
    fixture_expect_nothing(fixture.sender, 0);
    fixture_end(&fixture);
}

static void after_a_mistake_the_rest_is_ignored(void)
{
    struct fixture fixture = fixture_begin();
    struct wr_item first = queue_item(named("first"), CLASSIC);
    struct wr_item wrong = queue_item(first.name, (struct wr_queue_arguments){ .type = WR_QUORUM });
    struct wr_item after = queue_item(named("after"), CLASSIC);
    const struct wr_item *items[] = { &first, &wrong, &after };
    for (size_t i = 0; i < 3; i++) {
        (void)wr_broker_declare(fixture.sender, SENDER_CHANNEL, items[i], WR_DECLARE, NULL);
    }
    CU_ASSERT_EQUAL(wr_broker_sync(fixture.sender, SENDER_CHANNEL, NULL), WARREN_MISMATCH);
    reopen_sender(&fixture);
    CU_ASSERT_EQUAL(try_item(&fixture, &first, WR_LOOK, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(try_item(&fixture, &after, WR_LOOK, NULL), WARREN_NOT_FOUND);
    fixture_end(&fixture);
}

static void binding_what_is_missing_is_not_found(void)
{
    struct fixture fixture = fixture_begin();
    struct wr_item item = { .kind = WR_ITEM_BIND,
                            .name = "amq.topic",
                            .key = "k",
                            .destination = named("missing"),
                            .to_queue = true };
    warren_error err = { 0 };
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_DECLARE, &err), WARREN_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, item.destination));
    fixture_end(&fixture);
}

static void unbinding_takes_effect_and_may_be_repeated(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("unbind");
    make_queue(&fixture, queue, CLASSIC);
    bind_queue(&fixture, "amq.direct", queue, queue);
    send_text(&fixture, "amq.direct", queue, "bound");
    struct wr_item item = { .kind = WR_ITEM_UNBIND,
                            .name = "amq.direct",
                            .key = queue,
                            .destination = queue,
                            .to_queue = true };
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_DECLARE, NULL), WARREN_OK);
    }
    struct wr_message message = { .exchange = wr_slice_of("amq.direct"),
                                  .key = wr_slice_of(queue) };
    (void)wr_broker_publish(fixture.sender, SENDER_CHANNEL, &message, NULL);
    struct wr_event event = fixture_expect(fixture.sender, WR_EVENT_RETURNED);
    wr_delivery_free(event.delivery);
    expect_depth(&fixture, queue, 1);
    fixture_end(&fixture);
}

static void reserved_names_are_refused(void)
{
    struct fixture fixture = fixture_begin();
    struct wr_item item = { .kind = WR_ITEM_EXCHANGE, .name = "amq.mine", .type = "topic" };
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_DECLARE, NULL), WARREN_REFUSED);
    fixture_end(&fixture);
}

static void depth_counts_ready_messages_and_consumers(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("depth");
    make_queue(&fixture, queue, CLASSIC);
    for (int i = 0; i < 5; i++) {
        send_text(&fixture, "", queue, "body");
    }
    expect_depth(&fixture, queue, 5);
    receive_from(&fixture, queue, 2);
    (void)hold(&fixture, "body", false);
    (void)hold(&fixture, "body", false);
    expect_depth(&fixture, queue, 3);
    struct wr_depth depth = { 0 };
    CU_ASSERT_EQUAL(wr_broker_depth(fixture.sender, SENDER_CHANNEL, queue, &depth, NULL),
                    WARREN_OK);
    CU_ASSERT_EQUAL(depth.consumers, 1);
    fixture_end(&fixture);
}

static void purging_throws_ready_messages_away(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("purge");
    make_queue(&fixture, queue, CLASSIC);
    for (int i = 0; i < 3; i++) {
        send_text(&fixture, "", queue, "body");
    }
    uint64_t count = 0;
    CU_ASSERT_EQUAL(wr_broker_purge(fixture.sender, SENDER_CHANNEL, queue, &count, NULL),
                    WARREN_OK);
    CU_ASSERT_EQUAL(count, 3);
    expect_depth(&fixture, queue, 0);
    fixture_end(&fixture);
}

static void asking_about_a_missing_queue_is_not_found(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("missing");
    struct wr_depth depth;
    uint64_t count;
    CU_ASSERT_EQUAL(wr_broker_depth(fixture.sender, SENDER_CHANNEL, queue, &depth, NULL),
                    WARREN_NOT_FOUND);
    reopen_sender(&fixture);
    CU_ASSERT_EQUAL(wr_broker_purge(fixture.sender, SENDER_CHANNEL, queue, &count, NULL),
                    WARREN_NOT_FOUND);
    reopen_sender(&fixture);
    CU_ASSERT_EQUAL(wr_broker_consume(fixture.sender, SENDER_CHANNEL, queue, "c", NULL),
                    WARREN_NOT_FOUND);
    fixture_end(&fixture);
}

static void deleting_a_queue_tells_its_consumers(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("deleted");
    make_queue(&fixture, queue, CLASSIC);
    receive_from(&fixture, queue, 10);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(fixture.sender, SENDER_CHANNEL, queue, NULL), WARREN_OK);
    struct wr_event event = fixture_expect(fixture.receiver, WR_EVENT_CANCELLED);
    CU_ASSERT_STRING_EQUAL(event.text, queue);
    CU_ASSERT_EQUAL(event.channel, RECEIVER_CHANNEL);
    struct wr_item item = queue_item(queue, CLASSIC);
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_LOOK, NULL), WARREN_NOT_FOUND);
    fixture_end(&fixture);
}

static void only_an_idle_queue_is_removed_as_idle(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("idle");
    struct wr_item item = { .kind = WR_ITEM_QUEUE,
                            .name = queue,
                            .arguments = { .type = WR_CLASSIC } };
    uint64_t purged = 0;
    make_queue(&fixture, queue, item.arguments);
    send_text(&fixture, "", queue, "here");
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_REMOVE_IDLE, NULL), WARREN_MISMATCH);
    reopen_sender(&fixture);
    CU_ASSERT_EQUAL(wr_broker_purge(fixture.sender, SENDER_CHANNEL, queue, &purged, NULL),
                    WARREN_OK);
    CU_ASSERT_EQUAL(purged, 1);
    receive_from(&fixture, queue, 10);
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_REMOVE_IDLE, NULL), WARREN_MISMATCH);
    reopen_sender(&fixture);
    fixture_end(&fixture);
    fixture = fixture_begin();
    struct wr_depth depth = { .consumers = 1 }; /* one that has gone is counted for a moment */
    int64_t until_ms = fixture_now_ms() + FIXTURE_WAIT_MS;
    while (depth.consumers && fixture_now_ms() < until_ms) {
        CU_ASSERT_EQUAL_FATAL(wr_broker_depth(fixture.sender, SENDER_CHANNEL, queue, &depth, NULL),
                              WARREN_OK);
    }
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_REMOVE_IDLE, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_LOOK, NULL), WARREN_NOT_FOUND);
    reopen_sender(&fixture);
    fixture_end(&fixture);
}

static void a_temporary_queue_takes_messages(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("temporary");
    struct wr_item item = { .kind = WR_ITEM_QUEUE,
                            .name = queue,
                            .is_temporary = true,
                            .arguments = { .type = WR_CLASSIC } };
    struct wr_depth depth = { 0 };
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_DECLARE, NULL), WARREN_OK);
    send_text(&fixture, "", queue, "here");
    CU_ASSERT_EQUAL(wr_broker_depth(fixture.sender, SENDER_CHANNEL, queue, &depth, NULL),
                    WARREN_OK);
    CU_ASSERT_EQUAL(depth.messages, 1);
    CU_ASSERT_EQUAL(try_item(&fixture, &item, WR_REMOVE, NULL), WARREN_OK);
    fixture_end(&fixture);
}

void broker_suite_topology(void)
{
    CU_pSuite suite = CU_add_suite("topology", NULL, NULL);
    CU_ADD_TEST(suite, declaring_twice_changes_nothing);
    CU_ADD_TEST(suite, another_argument_is_a_mismatch_that_names_it);
    CU_ADD_TEST(suite, another_kind_of_queue_is_a_mismatch);
    CU_ADD_TEST(suite, another_dead_letter_target_is_a_mismatch);
    CU_ADD_TEST(suite, another_kind_of_exchange_is_a_mismatch);
    CU_ADD_TEST(suite, looking_sees_what_is_there);
    CU_ADD_TEST(suite, looking_for_what_is_missing_closes_the_channel);
    CU_ADD_TEST(suite, after_a_mistake_the_rest_is_ignored);
    CU_ADD_TEST(suite, binding_what_is_missing_is_not_found);
    CU_ADD_TEST(suite, unbinding_takes_effect_and_may_be_repeated);
    CU_ADD_TEST(suite, reserved_names_are_refused);
    CU_ADD_TEST(suite, depth_counts_ready_messages_and_consumers);
    CU_ADD_TEST(suite, purging_throws_ready_messages_away);
    CU_ADD_TEST(suite, asking_about_a_missing_queue_is_not_found);
    CU_ADD_TEST(suite, deleting_a_queue_tells_its_consumers);
    CU_ADD_TEST(suite, only_an_idle_queue_is_removed_as_idle);
    CU_ADD_TEST(suite, a_temporary_queue_takes_messages);
}

int broker_suite_run(void (*more)(void))
{
    CU_initialize_registry();
    broker_suite_topology();
    broker_suite_routing();
    broker_suite_delivery();
    broker_suite_settle();
    broker_suite_death();
    if (more) {
        more();
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
