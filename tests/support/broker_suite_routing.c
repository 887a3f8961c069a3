// SPDX-License-Identifier: MIT
// The suite's part about publishing: which queues get a message, what comes back, and confirms.
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "broker_fixture.h"
#include "broker_suite.h"

static const struct wr_queue_arguments CLASSIC = { .type = WR_CLASSIC };

/* Publishes what no queue takes: it must come back, and be confirmed after that. */
static void expect_returned(struct fixture *fixture, const char *exchange, const char *key)
{
    struct wr_message message = { .exchange = wr_slice_of(exchange),
                                  .key = wr_slice_of(key),
                                  .present = WR_TYPE,
                                  .type = wr_slice_of("job"),
                                  .body = wr_slice_of("stray") };
    CU_ASSERT_EQUAL(wr_broker_publish(fixture->sender, SENDER_CHANNEL, &message, NULL), WARREN_OK);
    fixture->sent++;
    struct wr_event event = fixture_expect(fixture->sender, WR_EVENT_RETURNED);
    CU_ASSERT_EQUAL(event.channel, SENDER_CHANNEL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event.delivery);
    CU_ASSERT(wr_slice_is(event.delivery->message.exchange, exchange));
    CU_ASSERT(wr_slice_is(event.delivery->message.key, key));
    CU_ASSERT(wr_slice_is(event.delivery->message.body, "stray"));
    CU_ASSERT(wr_slice_is(event.delivery->message.type, "job"));
    wr_delivery_free(event.delivery);
    wait_confirmed(fixture);
}

static void a_topic_matches_words_stars_and_hashes(void)
{
    static const struct {
        const char *pattern;
        const char *key;
        bool matches;
    } cases[] = {
        { "a.b", "a.b", true },
        { "a.b", "a.c", false },
        { "a.b", "a.b.c", false },
        { "a.*", "a.b", true },
        { "a.*", "a", false },
        { "a.*", "a.b.c", false },
        { "*.b", "a.b", true },
        { "*", "", false },
        { "#", "", true },
        { "#", "a.b.c", true },
        { "a.#", "a", true },
        { "a.#", "a.b.c", true },
        { "a.#", "b.a", false },
        { "#.c", "a.b.c", true },
        { "#.c", "c", true },
        { "#.c", "a.c.b", false },
        { "a.#.c", "a.c", true },
        { "a.#.c", "a.b.b.c", true },
        { "a.#.c.#.d", "a.c.b", false },
        { "a.#.c.#.d", "a.b.c.d", true },
        { "#.#", "a", true },
        { "*.#.*", "a", false },
        { "*.#.*", "a.b", true },
        { "#.a.b.#", "a.a.b", true },
        { "a..b", "a..b", true },
        { "a.*.b", "a..b", true },
    };
    struct fixture fixture = fixture_begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *queue = named("topic");
        const char *exchange = named("topic");
        make_queue(&fixture, queue, CLASSIC);
        make_exchange(&fixture, exchange, "topic", NULL);
        bind_queue(&fixture, exchange, cases[i].pattern, queue);
        if (!cases[i].matches) {
            expect_returned(&fixture, exchange, cases[i].key);
            continue;
        }
        send_text(&fixture, exchange, cases[i].key, cases[i].pattern);
        expect_depth(&fixture, queue, 1);
    }
    fixture_end(&fixture);
}

static void a_direct_exchange_takes_equal_keys_only(void)
{
    struct fixture fixture = fixture_begin();
    const char *exchange = named("direct");
    const char *queue = named("direct");
    make_exchange(&fixture, exchange, "direct", NULL);
    make_queue(&fixture, queue, CLASSIC);
    bind_queue(&fixture, exchange, "a.*", queue);
    send_text(&fixture, exchange, "a.*", "equal");
    expect_returned(&fixture, exchange, "a.b");
    expect_depth(&fixture, queue, 1);
    fixture_end(&fixture);
}

static void a_fanout_reaches_every_queue_whatever_the_key(void)
{
    struct fixture fixture = fixture_begin();
    const char *exchange = named("fanout");
    const char *queues[] = { named("one"), named("two") };
    make_exchange(&fixture, exchange, "fanout", NULL);
    for (size_t i = 0; i < 2; i++) {
        make_queue(&fixture, queues[i], CLASSIC);
        bind_queue(&fixture, exchange, "ignored", queues[i]);
    }
    send_text(&fixture, exchange, "any.key", "all");
    expect_depth(&fixture, queues[0], 1);
    expect_depth(&fixture, queues[1], 1);
    fixture_end(&fixture);
}

static void a_queue_reached_twice_gets_one_copy(void)
{
    struct fixture fixture = fixture_begin();
    const char *first = named("first");
    const char *second = named("second");
    const char *queue = named("queue");
    make_exchange(&fixture, first, "topic", NULL);
    make_exchange(&fixture, second, "topic", NULL);
    make_queue(&fixture, queue, CLASSIC);
    bind_queue(&fixture, first, "a.#", queue);
    bind_queue(&fixture, first, "#.b", queue);
    bind_exchange(&fixture, first, "a.*", second);
    bind_exchange(&fixture, second, "#", first); /* a loop */
    bind_queue(&fixture, second, "*.b", queue);
    send_text(&fixture, first, "a.b", "once");
    send_text(&fixture, second, "a.b", "again");
    expect_depth(&fixture, queue, 2);
    fixture_end(&fixture);
}

static void an_alternate_exchange_takes_only_what_nothing_matches(void)
{
    struct fixture fixture = fixture_begin();
    const char *catcher = named("catcher");
    const char *inner = named("inner");
    const char *outer = named("outer");
    const char *caught = named("caught");
    const char *wanted = named("wanted");
    make_exchange(&fixture, catcher, "fanout", NULL);
    make_exchange(&fixture, inner, "topic", catcher);
    make_exchange(&fixture, outer, "topic", NULL);
    make_queue(&fixture, caught, CLASSIC);
    make_queue(&fixture, wanted, CLASSIC);
    bind_queue(&fixture, catcher, "", caught);
    bind_queue(&fixture, inner, "known", wanted);
    bind_exchange(&fixture, outer, "#", inner);
    send_text(&fixture, inner, "known", "wanted");
    send_text(&fixture, inner, "unknown", "caught");
    send_text(&fixture, outer, "also.unknown", "caught on the way");
    expect_depth(&fixture, wanted, 1);
    expect_depth(&fixture, caught, 2);
    fixture_end(&fixture);
}

static void the_default_exchange_reaches_a_queue_by_its_name(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("default");
    make_queue(&fixture, queue, CLASSIC);
    send_text(&fixture, "", queue, "hello");
    receive_from(&fixture, queue, 1);
    struct wr_delivery *delivery = fixture_delivery(fixture.receiver, "hello");
    CU_ASSERT_EQUAL(delivery->message.exchange.size, 0);
    CU_ASSERT(wr_slice_is(delivery->message.key, queue));
    wr_delivery_free(delivery);
    fixture_end(&fixture);
}

static void an_unroutable_message_is_returned_and_then_confirmed(void)
{
    struct fixture fixture = fixture_begin();
    expect_returned(&fixture, "", named("nobody"));
    expect_returned(&fixture, "amq.topic", named("nobody"));
    fixture_end(&fixture);
}

static void publishing_to_a_missing_exchange_closes_the_channel(void)
{
    struct fixture fixture = fixture_begin();
    struct wr_message message = { .exchange = wr_slice_of(named("missing")) };
    CU_ASSERT_EQUAL(wr_broker_publish(fixture.sender, SENDER_CHANNEL, &message, NULL), WARREN_OK);
    struct wr_event event = fixture_expect(fixture.sender, WR_EVENT_CHANNEL_CLOSED);
    CU_ASSERT_EQUAL(event.code, 404);
    CU_ASSERT_EQUAL(event.channel, SENDER_CHANNEL);
    CU_ASSERT_PTR_NOT_NULL(strstr(event.text, message.exchange.data));
    reopen_sender(&fixture);
    const char *queue = named("after");
    make_queue(&fixture, queue, CLASSIC);
    send_text(&fixture, "", queue, "works again");
    fixture_end(&fixture);
}

static void every_publish_is_confirmed_once(void)
{
    enum { COUNT = 500 };
    struct fixture fixture = fixture_begin();
    const char *queue = named("confirms");
    make_queue(&fixture, queue, CLASSIC);
    for (int i = 0; i < COUNT; i++) {
        struct wr_message message = { .key = wr_slice_of(queue), .body = wr_slice_of("x") };
        CU_ASSERT_EQUAL(wr_broker_publish(fixture.sender, SENDER_CHANNEL, &message, NULL),
                        WARREN_OK);
    }
    bool confirmed[COUNT + 1] = { false };
    for (int left = COUNT; left > 0;) {
        struct wr_event event = fixture_expect(fixture.sender, WR_EVENT_ACKED);
        CU_ASSERT_FATAL(event.tag >= 1 && event.tag <= COUNT && !confirmed[event.tag]);
        for (uint64_t tag = event.multiple ? 1 : event.tag; tag <= event.tag; tag++) {
            left -= !confirmed[tag];
            confirmed[tag] = true;
        }
    }
    fixture_expect_nothing(fixture.sender, 50);
    expect_depth(&fixture, queue, COUNT);
    fixture_end(&fixture);
}

static void channels_count_their_confirms_apart(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("apart");
    make_queue(&fixture, queue, CLASSIC);
    CU_ASSERT_EQUAL(wr_broker_channel_open(fixture.sender, 7, true, NULL), WARREN_OK);
    struct wr_message message = { .key = wr_slice_of(queue) };
    static const uint16_t channels[] = { SENDER_CHANNEL, SENDER_CHANNEL, 7, SENDER_CHANNEL };
    for (size_t i = 0; i < 4; i++) {
        (void)wr_broker_publish(fixture.sender, channels[i], &message, NULL);
    }
    uint64_t most[8] = { 0 };
    while (most[SENDER_CHANNEL] < 3 || most[7] < 1) {
        struct wr_event event = fixture_expect(fixture.sender, WR_EVENT_ACKED);
        CU_ASSERT_FATAL(event.channel < 8);
        most[event.channel] = event.tag;
    }
    CU_ASSERT_EQUAL(most[SENDER_CHANNEL], 3);
    CU_ASSERT_EQUAL(most[7], 1);
    fixture_end(&fixture);
}

/* A publish with one property that the broker refuses: the channel is closed. */
static void expect_refused(struct wr_message message)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("refused");
    make_queue(&fixture, queue, CLASSIC);
    message.key = wr_slice_of(queue);
    CU_ASSERT_EQUAL(wr_broker_publish(fixture.sender, SENDER_CHANNEL, &message, NULL), WARREN_OK);
    struct wr_event event = fixture_expect(fixture.sender, WR_EVENT_CHANNEL_CLOSED);
    CU_ASSERT_EQUAL(event.code, 406);
    reopen_sender(&fixture);
    expect_depth(&fixture, queue, 0);
    fixture_end(&fixture);
}

static void another_users_name_closes_the_channel(void)
{
    expect_refused((struct wr_message){ .present = WR_USER_ID, .user_id = wr_slice_of("mallory") });
}

static void an_expiration_that_is_no_number_closes_the_channel(void)
{
    expect_refused(
        (struct wr_message){ .present = WR_EXPIRATION, .expiration = wr_slice_of("soon") });
}

static void copies_go_where_cc_and_bcc_say(void)
{
    struct fixture fixture = fixture_begin();
    const char *queues[] = { named("to"), named("cc"), named("bcc") };
    const char *const names[] = { NULL, "CC", "BCC" };
    struct wr_text headers = { 0 };
    for (size_t i = 0; i < 3; i++) {
        make_queue(&fixture, queues[i], CLASSIC);
        unsigned char size = (unsigned char)strlen(queues[i]);
        struct wr_text member = { 0 };
        wr_text_add(&member, "S\0\0", 4);
        wr_text_add(&member, &size, 1);
        wr_text_add_string(&member, queues[i]);
        if (names[i]) {
            wr_table_add_nested(&headers, names[i], 'A',
                                (struct wr_slice){ member.data, member.size });
        }
        wr_text_done(&member);
    }
    struct wr_message message = { .key = wr_slice_of(queues[0]),
                                  .present = WR_HEADERS,
                                  .headers = { headers.data, headers.size } };
    send_message(&fixture, &message);
    receive_from(&fixture, queues[2], 1);
    struct wr_delivery *delivery = fixture_delivery(fixture.receiver, NULL);
    struct wr_field field;
    CU_ASSERT(wr_table_find(delivery->message.headers, "CC", &field));
    CU_ASSERT_FALSE(wr_table_find(delivery->message.headers, "BCC", &field));
    wr_delivery_free(delivery);
    expect_depth(&fixture, queues[0], 1);
    expect_depth(&fixture, queues[1], 1);
    wr_text_done(&headers);
    fixture_end(&fixture);
}

void broker_suite_routing(void)
{
    CU_pSuite suite = CU_add_suite("routing", NULL, NULL);
    CU_ADD_TEST(suite, a_topic_matches_words_stars_and_hashes);
    CU_ADD_TEST(suite, a_direct_exchange_takes_equal_keys_only);
    CU_ADD_TEST(suite, a_fanout_reaches_every_queue_whatever_the_key);
    CU_ADD_TEST(suite, a_queue_reached_twice_gets_one_copy);
    CU_ADD_TEST(suite, an_alternate_exchange_takes_only_what_nothing_matches);
    CU_ADD_TEST(suite, the_default_exchange_reaches_a_queue_by_its_name);
    CU_ADD_TEST(suite, an_unroutable_message_is_returned_and_then_confirmed);
    CU_ADD_TEST(suite, publishing_to_a_missing_exchange_closes_the_channel);
    CU_ADD_TEST(suite, every_publish_is_confirmed_once);
    CU_ADD_TEST(suite, channels_count_their_confirms_apart);
    CU_ADD_TEST(suite, another_users_name_closes_the_channel);
    CU_ADD_TEST(suite, an_expiration_that_is_no_number_closes_the_channel);
    CU_ADD_TEST(suite, copies_go_where_cc_and_bcc_say);
}
