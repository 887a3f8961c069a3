// SPDX-License-Identifier: MIT
// The memory broker: the behaviour suite on a virtual clock, and what only it can do: keep its
// contents without a connection, be looked into, and fail on demand.
#include <CUnit/Basic.h>
#include <poll.h>
#include <string.h>

#include "base/thread.h"
#include "broker_fixture.h"
#include "broker_suite.h"
#include "io/memory.h"

static struct wr_clock turned; /* by hand */
static struct wr_memory *server;

static const struct wr_queue_arguments CLASSIC = { .type = WR_CLASSIC };

static const char *new_queue(struct fixture *fixture)
{
    const char *queue = named("memory");
    make_queue(fixture, queue, CLASSIC);
    return queue;
}

static void contents_outlive_connections_while_someone_holds_the_server(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = new_queue(&fixture);
    send_text(&fixture, "", queue, "kept");
    fixture_end(&fixture);
    CU_ASSERT_EQUAL(wr_memory_connections(server), 0);
    uint64_t ready = 0;
    uint64_t unacked = 0;
    CU_ASSERT(wr_memory_depth(server, queue, &ready, &unacked));
    CU_ASSERT_EQUAL(ready, 1);
    struct wr_delivery *copy = wr_memory_peek(server, queue, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    CU_ASSERT(wr_slice_is(copy->message.body, "kept"));
    wr_delivery_free(copy);
    CU_ASSERT_PTR_NULL(wr_memory_peek(server, queue, 1));
    CU_ASSERT_FALSE(wr_memory_depth(server, "no such queue", &ready, &unacked));
}

static void a_server_that_nobody_holds_is_forgotten(void)
{
    struct wr_broker_settings settings = { .url = (char *)"memory:forgotten" };
    struct wr_broker_options options = { .settings = &settings, .clock = &turned };
    struct wr_item item = { .kind = WR_ITEM_QUEUE, .name = "q", .arguments = CLASSIC };
    static const warren_status expected[] = { WARREN_NOT_FOUND, WARREN_NOT_FOUND };
    for (int i = 0; i < 2; i++) {
        struct wr_broker *broker = NULL;
        CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, NULL), WARREN_OK);
        (void)wr_broker_channel_open(broker, 1, false, NULL);
        (void)wr_broker_declare(broker, 1, &item, WR_LOOK, NULL);
        CU_ASSERT_EQUAL(wr_broker_sync(broker, 1, NULL), expected[i]);
        (void)wr_broker_channel_open(broker, 1, false, NULL);
        (void)wr_broker_declare(broker, 1, &item, WR_DECLARE, NULL);
        CU_ASSERT_EQUAL(wr_broker_sync(broker, 1, NULL), WARREN_OK);
        wr_broker_close(broker);
    }
}

static void a_cut_ends_every_connection_and_requeues(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = new_queue(&fixture);
    send_text(&fixture, "", queue, "out");
    receive_from(&fixture, queue, 1);
    (void)hold(&fixture, "out", false);
    wr_memory_cut_all(server);
    (void)fixture_expect(fixture.sender, WR_EVENT_CLOSED);
    (void)fixture_expect(fixture.receiver, WR_EVENT_CLOSED);
    CU_ASSERT_EQUAL(wr_memory_connections(server), 0);
    struct wr_delivery *copy = wr_memory_peek(server, queue, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    CU_ASSERT(copy->redelivered);
    wr_delivery_free(copy);
    fixture_end(&fixture);
}

static void connects_can_be_refused(void)
{
    struct wr_broker_settings settings = { .url = (char *)"memory:suite" };
    struct wr_broker_options options = { .settings = &settings, .clock = &turned };
    struct wr_broker *broker = NULL;
    warren_error err = { 0 };
    wr_memory_refuse_connects(server, true);
    CU_ASSERT_EQUAL(wr_broker_open(&broker, &options, &err), WARREN_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "memory:suite"));
    wr_memory_refuse_connects(server, false);
    CU_ASSERT_EQUAL(wr_broker_open(&broker, &options, &err), WARREN_OK);
    wr_broker_close(broker);
}

static void post(struct fixture *fixture, const char *queue)
{
    struct wr_message message = { .key = wr_slice_of(queue), .body = wr_slice_of("x") };
    CU_ASSERT_EQUAL(wr_broker_publish(fixture->sender, SENDER_CHANNEL, &message, NULL), WARREN_OK);
    fixture->sent++;
}

static void publishes_can_be_nacked(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = new_queue(&fixture);
    wr_memory_nack_publishes(server, 1);
    post(&fixture, queue);
    CU_ASSERT_EQUAL(fixture_expect(fixture.sender, WR_EVENT_NACKED).tag, 1);
    expect_depth(&fixture, queue, 0);
    post(&fixture, queue);
    CU_ASSERT_EQUAL(fixture_expect(fixture.sender, WR_EVENT_ACKED).tag, 2);
    fixture_end(&fixture);
}

static void a_full_server_nacks(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = new_queue(&fixture);
    wr_memory_limit(server, 0);
    post(&fixture, queue);
    (void)fixture_expect(fixture.sender, WR_EVENT_NACKED);
    wr_memory_limit(server, 2000000);
    expect_depth(&fixture, queue, 0);
    fixture_end(&fixture);
}

static void a_confirm_can_get_lost_after_the_message_was_taken(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = new_queue(&fixture);
    wr_memory_drop_confirms(server, 1);
    post(&fixture, queue);
    (void)fixture_expect(fixture.sender, WR_EVENT_CLOSED);
    uint64_t ready = 0;
    uint64_t unacked = 0;
    CU_ASSERT(wr_memory_depth(server, queue, &ready, &unacked));
    CU_ASSERT_EQUAL(ready, 1);
    fixture_end(&fixture);
}

static void publishes_wait_while_the_server_is_blocked(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = new_queue(&fixture);
    wr_memory_block(server, true);
    (void)fixture_expect(fixture.sender, WR_EVENT_BLOCKED);
    post(&fixture, queue);
    post(&fixture, queue);
    fixture_expect_nothing(fixture.sender, 100);
    expect_depth(&fixture, queue, 0);
    wr_memory_block(server, false);
    (void)fixture_expect(fixture.sender, WR_EVENT_UNBLOCKED);
    wait_confirmed(&fixture);
    expect_depth(&fixture, queue, 2);
    fixture_end(&fixture);
}

static void a_ladder_of_ttls_is_exact_however_seldom_anyone_looks(void)
{
    struct fixture fixture = fixture_begin();
    const char *home = new_queue(&fixture);
    const char *second = named("second");
    const char *first = named("first");
    struct wr_queue_arguments arguments = { .dead_exchange = "", .dead_key = home, .ttl_ms = 250 };
    make_queue(&fixture, second, arguments);
    arguments =
        (struct wr_queue_arguments){ .dead_exchange = "", .dead_key = second, .ttl_ms = 1000 };
    make_queue(&fixture, first, arguments);
    send_text(&fixture, "", first, "late");
    int64_t due_us = wr_memory_deadline_us(server);
    CU_ASSERT_EQUAL(due_us - wr_clock_mono_us(&turned), 1000 * WR_US_PER_MS);
    uint64_t ready = 0;
    uint64_t unacked = 0;
    wr_clock_advance(&turned, 1249 * WR_US_PER_MS);
    CU_ASSERT(wr_memory_depth(server, home, &ready, &unacked) && ready == 0);
    wr_clock_advance(&turned, 1 * WR_US_PER_MS);
    CU_ASSERT(wr_memory_depth(server, home, &ready, &unacked) && ready == 1);
    fixture_end(&fixture);
}

static void thirty_two_stuck_dead_letters_stop_all_behind_them(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("stuck");
    const char *exchange = named("stuck");
    make_exchange(&fixture, exchange, "direct", NULL);
    make_queue(&fixture, queue,
               (struct wr_queue_arguments){ .dead_exchange = exchange,
                                            .ttl_ms = 1000,
                                            .at_least_once = true,
                                            .reject_publish = true });
    bind_queue(&fixture, "amq.topic", "#", queue);
    const char *home = new_queue(&fixture);
    bind_queue(&fixture, exchange, "known", home);
    for (int i = 0; i < 40; i++) {
        send_text(&fixture, "amq.topic", i < 32 ? "unknown" : "known", "x");
    }
    wr_clock_advance(&turned, WR_US_PER_S);
    expect_depth(&fixture, home, 0);
    CU_ASSERT_EQUAL(wr_memory_stuck(server, queue), 40);
    bind_queue(&fixture, exchange, "unknown", home);
    expect_depth(&fixture, home, 40);
    CU_ASSERT_EQUAL(wr_memory_stuck(server, queue), 0);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(fixture.sender, SENDER_CHANNEL, queue, NULL), WARREN_OK);
    fixture_end(&fixture);
}

static void a_clients_own_story_of_deaths_is_not_believed(void)
{
    struct fixture fixture = fixture_begin();
    const char *home = new_queue(&fixture);
    const char *queue = named("story");
    make_queue(&fixture, queue,
               (struct wr_queue_arguments){ .dead_exchange = "", .dead_key = home, .ttl_ms = 10 });
    struct wr_text headers = { 0 };
    wr_table_add_nested(&headers, "x-death", 'A', wr_slice_of("S\0\0\0\1x"));
    wr_table_add_string(&headers, "x-first-death-queue", wr_slice_of("forged"));
    struct wr_message message = { .key = wr_slice_of(queue),
                                  .present = WR_HEADERS,
                                  .headers = { headers.data, headers.size } };
    send_message(&fixture, &message);
    receive_from(&fixture, home, 1);
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, NULL);
    struct wr_table death = { 0 };
    CU_ASSERT(death_at(letter, 0, &death) && wr_slice_is(death_string(death, "queue"), queue));
    CU_ASSERT(wr_slice_is(header_string(letter, "x-first-death-queue"), queue));
    wr_delivery_free(letter);
    wr_text_done(&headers);
    fixture_end(&fixture);
}

/* --- the descriptor, on real time and across threads --- */

#define THREADED 2000

static void *publish_many(void *user)
{
    struct wr_broker *broker = user;
    for (int i = 0; i < THREADED; i++) {
        struct wr_message message = { .key = wr_slice_of("threaded"), .body = wr_slice_of("x") };
        (void)wr_broker_publish(broker, 1, &message, NULL);
    }
    return NULL;
}

static struct wr_broker *connect_threaded(void)
{
    struct wr_broker_settings settings = { .url = (char *)"memory:threaded" };
    struct wr_broker_options options = { .settings = &settings };
    struct wr_broker *broker = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, NULL), WARREN_OK);
    (void)wr_broker_channel_open(broker, 1, false, NULL);
    return broker;
}

/* Takes and acknowledges until `count` came or 30 s are over; returns how many came. */
static int consume_polling(struct wr_broker *broker, int count)
{
    int64_t until_us = wr_clock_mono_us(NULL) + 30 * WR_US_PER_S;
    int got = 0;
    while (got < count && wr_clock_mono_us(NULL) < until_us) {
        struct wr_event event;
        wr_broker_next(broker, &event);
        if (event.kind == WR_EVENT_NONE) {
            struct pollfd poller = { .fd = wr_broker_fd(broker), .events = POLLIN };
            (void)poll(&poller, 1, 30000);
            continue;
        }
        got += event.kind == WR_EVENT_DELIVERY;
        (void)wr_broker_ack(broker, 1, event.tag, false);
        wr_delivery_free(event.delivery);
    }
    return got;
}

static void the_descriptor_wakes_a_consumer_in_another_thread(void)
{
    struct wr_broker *sender = connect_threaded();
    struct wr_broker *receiver = connect_threaded();
    struct wr_item item = { .kind = WR_ITEM_QUEUE, .name = "threaded", .arguments = CLASSIC };
    (void)wr_broker_declare(receiver, 1, &item, WR_DECLARE, NULL);
    (void)wr_broker_prefetch(receiver, 1, 7, NULL);
    CU_ASSERT_EQUAL(wr_broker_consume(receiver, 1, "threaded", "c", NULL), WARREN_OK);
    struct wr_thread thread = { 0 };
    CU_ASSERT_EQUAL(wr_thread_start(&thread, "sender", WR_STACK_IO, publish_many, sender, NULL),
                    WARREN_OK);
    CU_ASSERT_EQUAL(consume_polling(receiver, THREADED), THREADED);
    wr_thread_join(&thread);
    wr_broker_close(sender);
    wr_broker_close(receiver);
}

static void only_memory(void)
{
    CU_pSuite suite = CU_add_suite("memory", NULL, NULL);
    CU_ADD_TEST(suite, contents_outlive_connections_while_someone_holds_the_server);
    CU_ADD_TEST(suite, a_server_that_nobody_holds_is_forgotten);
    CU_ADD_TEST(suite, a_cut_ends_every_connection_and_requeues);
    CU_ADD_TEST(suite, connects_can_be_refused);
    CU_ADD_TEST(suite, publishes_can_be_nacked);
    CU_ADD_TEST(suite, a_full_server_nacks);
    CU_ADD_TEST(suite, a_confirm_can_get_lost_after_the_message_was_taken);
    CU_ADD_TEST(suite, publishes_wait_while_the_server_is_blocked);
    CU_ADD_TEST(suite, a_ladder_of_ttls_is_exact_however_seldom_anyone_looks);
    CU_ADD_TEST(suite, thirty_two_stuck_dead_letters_stop_all_behind_them);
    CU_ADD_TEST(suite, a_clients_own_story_of_deaths_is_not_believed);
    CU_ADD_TEST(suite, the_descriptor_wakes_a_consumer_in_another_thread);
}

int main(void)
{
    wr_clock_init(&turned, INT64_C(1700000000000));
    server = wr_memory_open("suite", &turned);
    fixture_use("memory:suite", &turned);
    int rc = broker_suite_run(only_memory);
    wr_memory_close(server);
    return rc;
}
