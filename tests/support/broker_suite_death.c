// SPDX-License-Identifier: MIT
// The suite's part about time and dead letters: TTLs, what a dead letter carries, circles, delivery
// limits, and the delay ladder as model/topology builds it.
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "broker_fixture.h"
#include "broker_suite.h"
#include "model/delay.h"
#include "model/topology.h"

#define TEXT(literal) ((char *)(literal)) /* settings own their strings; these are only read */

/* The queue where dead letters go, which the receiver reads. */
static const char *dead_queue(struct fixture *fixture)
{
    const char *queue = named("dead");
    make_queue(fixture, queue, (struct wr_queue_arguments){ .type = WR_CLASSIC });
    receive_from(fixture, queue, 100);
    return queue;
}

/* Arguments of a queue whose dead letters go to `dead` by the default exchange. */
static struct wr_queue_arguments dying(enum wr_queue_type type, const char *dead, int64_t ttl_ms)
{
    return (struct wr_queue_arguments){
        .type = type, .dead_exchange = "", .dead_key = dead, .ttl_ms = ttl_ms
    };
}

static void an_expired_message_dies_with_its_story(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = dead_queue(&fixture);
    const char *queue = named("ttl");
    make_queue(&fixture, queue, dying(WR_CLASSIC, dead, 200));
    bind_queue(&fixture, "amq.topic", queue, queue);
    send_text(&fixture, "amq.topic", queue, "old");
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, "old");
    struct wr_table death = { 0 };
    CU_ASSERT_FATAL(death_at(letter, 0, &death));
    CU_ASSERT(wr_slice_is(death_string(death, "reason"), "expired"));
    CU_ASSERT(wr_slice_is(death_string(death, "queue"), queue));
    CU_ASSERT(wr_slice_is(death_string(death, "exchange"), "amq.topic"));
    CU_ASSERT_EQUAL(death_int(death, "count"), 1);
    CU_ASSERT(wr_slice_is(header_string(letter, "x-first-death-queue"), queue));
    CU_ASSERT(wr_slice_is(header_string(letter, "x-first-death-reason"), "expired"));
    CU_ASSERT(wr_slice_is(header_string(letter, "x-first-death-exchange"), "amq.topic"));
    struct wr_field keys;
    struct wr_table members = { 0 };
    struct wr_slice key = { 0 };
    CU_ASSERT(wr_table_find(death, "routing-keys", &keys));
    CU_ASSERT(wr_field_table(&keys, 'A', &members));
    size_t offset = 0;
    CU_ASSERT(wr_array_next(members, &offset, &keys) && wr_field_string(&keys, &key));
    CU_ASSERT(wr_slice_is(key, queue));
    CU_ASSERT(wr_slice_is(letter->message.key, dead));
    wr_delivery_free(letter);
    fixture_end(&fixture);
}

static void the_time_of_death_is_in_seconds(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = dead_queue(&fixture);
    const char *queue = named("ttl");
    make_queue(&fixture, queue, dying(WR_CLASSIC, dead, 100));
    send_text(&fixture, "", queue, "old");
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, "old");
    struct wr_table death = { 0 };
    struct wr_field when;
    CU_ASSERT_FATAL(death_at(letter, 0, &death));
    CU_ASSERT_FATAL(wr_table_find(death, "time", &when));
    CU_ASSERT_EQUAL(when.kind, 'T');
    uint64_t seconds = 0;
    for (size_t i = 0; i < 8; i++) {
        seconds = seconds << 8 | (unsigned char)when.value.data[i];
    }
    CU_ASSERT(seconds > UINT64_C(1500000000) && seconds < UINT64_C(5000000000));
    wr_delivery_free(letter);
    fixture_end(&fixture);
}

static void a_ttl_is_never_early(void)
{
    const enum wr_queue_type kinds[] = { WR_CLASSIC, WR_QUORUM };
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture = fixture_begin();
        const char *dead = dead_queue(&fixture);
        const char *queue = named("ttl");
        make_queue(&fixture, queue, dying(kinds[i], dead, 300));
        for (int n = 0; n < 5; n++) {
            int64_t sent_ms = fixture_now_ms();
            send_text(&fixture, "", queue, "held");
            wr_delivery_free(fixture_delivery(fixture.receiver, "held"));
            CU_ASSERT(fixture_now_ms() - sent_ms >= 300);
        }
        fixture_end(&fixture);
    }
}

static void send_expiring(struct fixture *fixture, const char *queue, const char *expiration)
{
    struct wr_message message = { .key = wr_slice_of(queue),
                                  .present = WR_EXPIRATION,
                                  .expiration = wr_slice_of(expiration),
                                  .body = wr_slice_of(expiration) };
    send_message(fixture, &message);
}

static void a_messages_own_expiration_moves_into_its_story(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = dead_queue(&fixture);
    const char *queue = named("own");
    make_queue(&fixture, queue, dying(WR_CLASSIC, dead, 60000));
    send_expiring(&fixture, queue, "150");
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, "150");
    struct wr_table death = { 0 };
    CU_ASSERT_FATAL(death_at(letter, 0, &death));
    CU_ASSERT(wr_slice_is(death_string(death, "original-expiration"), "150"));
    CU_ASSERT_FALSE(letter->message.present & WR_EXPIRATION);
    wr_delivery_free(letter);
    fixture_end(&fixture);
}

static void a_short_expiration_waits_behind_a_long_one(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = dead_queue(&fixture);
    const char *queue = named("behind");
    make_queue(&fixture, queue, dying(WR_CLASSIC, dead, 0));
    int64_t sent_ms = fixture_now_ms();
    send_expiring(&fixture, queue, "700");
    send_expiring(&fixture, queue, "50");
    wr_delivery_free(fixture_delivery(fixture.receiver, "700"));
    CU_ASSERT(fixture_now_ms() - sent_ms >= 700);
    wr_delivery_free(fixture_delivery(fixture.receiver, "50"));
    fixture_end(&fixture);
}

/* A consumer for the dying queue itself, on a connection of its own. */
static struct wr_broker *worker_on(const char *queue)
{
    struct wr_broker *worker = fixture_connect(0);
    (void)wr_broker_channel_open(worker, 1, false, NULL);
    (void)wr_broker_prefetch(worker, 1, 10, NULL);
    CU_ASSERT_EQUAL(wr_broker_consume(worker, 1, queue, "worker", NULL), WARREN_OK);
    return worker;
}

/* The worker gets `body` and does this with it. */
static void settle(struct wr_broker *worker, const char *body, bool requeue)
{
    struct wr_delivery *delivery = fixture_delivery(worker, body);
    (void)wr_broker_nack(worker, 1, delivery->tag, false, requeue);
    wr_delivery_free(delivery);
}

static void a_rejected_message_goes_to_the_dead_letter_exchange(void)
{
    const enum wr_queue_type kinds[] = { WR_CLASSIC, WR_QUORUM };
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture = fixture_begin();
        const char *dead = dead_queue(&fixture);
        const char *queue = named("rejected");
        struct wr_queue_arguments arguments = dying(kinds[i], NULL, 0);
        arguments.dead_exchange = "amq.topic"; /* and the message keeps its key */
        make_queue(&fixture, queue, arguments);
        bind_queue(&fixture, "amq.topic", queue, dead);
        send_text(&fixture, "", queue, "no");
        struct wr_broker *worker = worker_on(queue);
        settle(worker, "no", false);
        struct wr_delivery *letter = fixture_delivery(fixture.receiver, "no");
        struct wr_table death = { 0 };
        CU_ASSERT(death_at(letter, 0, &death));
        CU_ASSERT(wr_slice_is(death_string(death, "reason"), "rejected"));
        CU_ASSERT(wr_slice_is(letter->message.exchange, "amq.topic"));
        CU_ASSERT(wr_slice_is(letter->message.key, queue));
        CU_ASSERT_FALSE(letter->redelivered);
        wr_delivery_free(letter);
        wr_broker_close(worker);
        fixture_end(&fixture);
    }
}

/* The count of the death in that queue; -1: none. */
static int64_t deaths_in(const struct wr_delivery *delivery, const char *queue)
{
    struct wr_table death;
    for (int i = 0; death_at(delivery, i, &death); i++) {
        if (wr_slice_is(death_string(death, "queue"), queue)) {
            return death_int(death, "count");
        }
    }
    return -1;
}

static void deaths_in_the_same_queue_are_counted(void)
{
    struct fixture fixture = fixture_begin();
    const char *work = named("work");
    const char *wait = named("wait");
    make_queue(&fixture, work, dying(WR_CLASSIC, wait, 0));
    make_queue(&fixture, wait, dying(WR_CLASSIC, work, 100));
    struct wr_broker *worker = worker_on(work);
    send_text(&fixture, "", work, "round");
    settle(worker, "round", false);
    settle(worker, "round", false);
    struct wr_delivery *third = fixture_delivery(worker, "round");
    CU_ASSERT_EQUAL(deaths_in(third, work), 2);
    CU_ASSERT_EQUAL(deaths_in(third, wait), 2);
    CU_ASSERT(wr_slice_is(header_string(third, "x-first-death-reason"), "rejected"));
    struct wr_table death;
    CU_ASSERT_FALSE(death_at(third, 2, &death));
    wr_delivery_free(third);
    wr_broker_close(worker);
    fixture_end(&fixture);
}

static void what_only_the_broker_moves_in_a_circle_is_dropped(void)
{
    struct fixture fixture = fixture_begin();
    const char *first = named("first");
    const char *second = named("second");
    make_queue(&fixture, first, dying(WR_CLASSIC, second, 100));
    make_queue(&fixture, second, dying(WR_CLASSIC, first, 100));
    send_text(&fixture, "", first, "round");
    fixture_expect_nothing(fixture.sender, 600);
    expect_depth(&fixture, first, 0);
    expect_depth(&fixture, second, 0);
    fixture_end(&fixture);
}

static void what_comes_back_too_often_dies_of_the_delivery_limit(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = dead_queue(&fixture);
    const char *queue = named("limit");
    struct wr_queue_arguments arguments = dying(WR_QUORUM, dead, 0);
    arguments.delivery_limit = 2;
    make_queue(&fixture, queue, arguments);
    send_text(&fixture, "", queue, "again");
    struct wr_broker *worker = worker_on(queue);
    for (int64_t returns = 0; returns <= 2; returns++) {
        struct wr_delivery *delivery = fixture_delivery(worker, "again");
        CU_ASSERT_EQUAL(delivery->redelivered, returns > 0);
        CU_ASSERT(header_int(delivery, "x-delivery-count") == returns || returns == 0);
        (void)wr_broker_nack(worker, 1, delivery->tag, false, true);
        wr_delivery_free(delivery);
    }
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, "again");
    struct wr_table death = { 0 };
    CU_ASSERT(death_at(letter, 0, &death));
    CU_ASSERT(wr_slice_is(death_string(death, "reason"), "delivery_limit"));
    wr_delivery_free(letter);
    wr_broker_close(worker);
    fixture_end(&fixture);
}

static void an_at_least_once_dead_letter_waits_for_its_queue(void)
{
    struct fixture fixture = fixture_begin();
    const char *queue = named("waits");
    const char *dead = named("late");
    struct wr_queue_arguments arguments = dying(WR_QUORUM, dead, 100);
    arguments.at_least_once = true;
    arguments.reject_publish = true;
    make_queue(&fixture, queue, arguments);
    send_text(&fixture, "", queue, "patient");
    fixture_expect_nothing(fixture.sender, 500);
    expect_depth(&fixture, queue, 0);
    make_queue(&fixture, dead, (struct wr_queue_arguments){ .type = WR_CLASSIC });
    receive_from(&fixture, dead, 1);
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, "patient");
    CU_ASSERT_EQUAL(deaths_in(letter, queue), 1);
    wr_delivery_free(letter);
    fixture_end(&fixture);
}

static void headers_of_the_living_survive_death(void)
{
    struct fixture fixture = fixture_begin();
    const char *dead = dead_queue(&fixture);
    const char *queue = named("headers");
    make_queue(&fixture, queue, dying(WR_QUORUM, dead, 100));
    struct wr_text headers = { 0 };
    wr_table_add_string(&headers, "x-warren-attempt", wr_slice_of("3"));
    wr_table_add_int(&headers, "number", -7);
    struct wr_message message = { .key = wr_slice_of(queue),
                                  .present = WR_HEADERS | WR_MESSAGE_ID | WR_TYPE,
                                  .headers = { headers.data, headers.size },
                                  .message_id = wr_slice_of("the-id"),
                                  .type = wr_slice_of("the.type"),
                                  .body = wr_slice_of("kept") };
    send_message(&fixture, &message);
    struct wr_delivery *letter = fixture_delivery(fixture.receiver, "kept");
    CU_ASSERT(wr_slice_is(header_string(letter, "x-warren-attempt"), "3"));
    CU_ASSERT_EQUAL(header_int(letter, "number"), -7);
    CU_ASSERT(wr_slice_is(letter->message.message_id, "the-id"));
    CU_ASSERT(wr_slice_is(letter->message.type, "the.type"));
    wr_delivery_free(letter);
    wr_text_done(&headers);
    fixture_end(&fixture);
}

/* --- the ladder --- */

/* Declares a whole topology in one go, as Warren does at start. */
static void apply(struct fixture *fixture, const struct wr_settings *settings)
{
    struct wr_topology *topology = NULL;
    bool trusts = wr_broker_server(fixture->sender)->trusts_x_death;
    CU_ASSERT_EQUAL_FATAL(wr_topology_build(&topology, settings, trusts, NULL), WARREN_OK);
    for (size_t i = 0; i < topology->length; i++) {
        (void)wr_broker_declare(fixture->sender, SENDER_CHANNEL, &topology->items[i], WR_DECLARE,
                                NULL);
    }
    warren_error err = { 0 };
    if (wr_broker_sync(fixture->sender, SENDER_CHANNEL, &err)) {
        fprintf(stderr, "topology: %s\n", err.text);
        CU_FAIL("the topology can't be applied");
    }
    wr_topology_free(topology);
}

/* Sends a delay through the ladder and checks when it is home. */
static void expect_delay(struct fixture *fixture, const char *queue, int64_t delay_ms)
{
    char exchange[WR_DELAY_KEY_SIZE];
    char key[WR_DELAY_KEY_SIZE];
    CU_ASSERT(wr_delay_to_queue(exchange, key, "suite", wr_delay_units(delay_ms), queue));
    int64_t sent_ms = fixture_now_ms();
    send_text(fixture, exchange, key, key);
    struct wr_delivery *delivery = fixture_delivery(fixture->receiver, key);
    int64_t took_ms = fixture_now_ms() - sent_ms;
    CU_ASSERT(took_ms >= delay_ms);
    CU_ASSERT(took_ms < delay_ms + 1000);
    CU_ASSERT(wr_slice_is(delivery->message.key, key));
    (void)wr_broker_ack(fixture->receiver, RECEIVER_CHANNEL, delivery->tag, false);
    wr_delivery_free(delivery);
}

static void delays_come_home_through_the_ladder(void)
{
    struct wr_job_settings jobs[] = { { .type = TEXT("ladder.job") } };
    struct wr_queue_settings queues[] = {
        { .name = TEXT("ladder.work"), .jobs = jobs, .job_count = 1 },
        { .name = TEXT("other.work"), .jobs = jobs, .job_count = 1 },
    };
    struct wr_settings settings = {
        .ns = TEXT("suite"), .delay_max_ms = 10000, .queues = queues, .queue_count = 2
    };
    struct fixture fixture = fixture_begin();
    apply(&fixture, &settings);
    apply(&fixture, &settings);
    receive_from(&fixture, "ladder.work", 10);
    static const int64_t delays_ms[] = { 125, 250, 375, 625, 875, 1000, 1875, 2125 };
    for (size_t i = 0; i < sizeof delays_ms / sizeof *delays_ms; i++) {
        expect_delay(&fixture, "ladder.work", delays_ms[i]);
    }
    expect_depth(&fixture, "other.work", 0);
    expect_depth(&fixture, "suite.unrouted", 0);
    fixture_end(&fixture);
}

static void a_delay_for_nobody_ends_in_the_catch_all(void)
{
    struct fixture fixture = fixture_begin();
    char key[WR_DELAY_KEY_SIZE];
    CU_ASSERT(wr_delay_key(key, sizeof key, 3, "queue", "gone"));
    send_text(&fixture, "suite.delay.250", key, "lost soul");
    receive_from(&fixture, "suite.unrouted", 1);
    (void)take(&fixture, "lost soul");
    fixture_end(&fixture);
}

void broker_suite_death(void)
{
    CU_pSuite suite = CU_add_suite("time and dead letters", NULL, NULL);
    CU_ADD_TEST(suite, an_expired_message_dies_with_its_story);
    CU_ADD_TEST(suite, the_time_of_death_is_in_seconds);
    CU_ADD_TEST(suite, a_ttl_is_never_early);
    CU_ADD_TEST(suite, a_messages_own_expiration_moves_into_its_story);
    CU_ADD_TEST(suite, a_short_expiration_waits_behind_a_long_one);
    CU_ADD_TEST(suite, a_rejected_message_goes_to_the_dead_letter_exchange);
    CU_ADD_TEST(suite, deaths_in_the_same_queue_are_counted);
    CU_ADD_TEST(suite, what_only_the_broker_moves_in_a_circle_is_dropped);
    CU_ADD_TEST(suite, what_comes_back_too_often_dies_of_the_delivery_limit);
    CU_ADD_TEST(suite, an_at_least_once_dead_letter_waits_for_its_queue);
    CU_ADD_TEST(suite, headers_of_the_living_survive_death);
    CU_ADD_TEST(suite, delays_come_home_through_the_ladder);
    CU_ADD_TEST(suite, a_delay_for_nobody_ends_in_the_catch_all);
}
