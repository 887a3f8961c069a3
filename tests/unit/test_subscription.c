// SPDX-License-Identifier: MIT
// The subscription at moments that a test on a real broker does not meet: a drain while a connection
// is being opened or while the broker closes a channel, and who watches a connection that is new.
#include <CUnit/Basic.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "amqp_talk.h"
#include "engine/subscription.h"
#include "engine/watchdog.h"
#include "fake_broker.h"
#include "listener.h"
#include "proxy.h"

enum { SOURCES = 2, MOST_MS = 10000 };

static struct fake *fake;
static struct wr_broker_settings settings;
static struct wr_settings whole;
static struct wr_subscription sub;
static struct wr_watch watch;
static struct wr_counters counters;
static struct wr_source sources[SOURCES];
static int losses;

static void note_lost(void *owner)
{
    (void)owner;
    losses++;
}

static void start(size_t source_count)
{
    static char names[SOURCES][8] = { "first", "second" };
    fake = fake_open();
    settings = talk_settings(fake_url(fake));
    whole.broker = settings;
    wr_watch_init(&watch, "tested");
    losses = 0;
    for (size_t i = 0; i < SOURCES; i++) {
        sources[i] = (struct wr_source){ .name = names[i],
                                         .channel = (uint16_t)(i + 1),
                                         .prefetch.now = 10,
                                         .rules.settings = &whole };
    }
    struct wr_subscription_options options = {
        .broker = { .settings = &settings, .name = "test", .watch = &watch },
        .counters = &counters,
        .sources = sources,
        .source_count = source_count,
        .lost = note_lost,
    };
    wr_subscription_init(&sub, &options, NULL);
}

static void end(void)
{
    CU_ASSERT(wr_subscription_close(&sub));
    fake_close(fake);
    wr_watch_done(&watch);
}

static void step(void)
{
    wr_subscription_step(&sub, wr_clock_mono_us(NULL));
}

/* Whether the opening that is under way ends within the time. */
static bool wait_for_dial(void)
{
    struct pollfd polled = { .fd = wr_dial_fd(sub.connection.dial), .events = POLLIN };
    return poll(&polled, 1, MOST_MS) == 1;
}

static void a_drain_takes_what_was_being_opened(void)
{
    start(0);
    step();
    CU_ASSERT_PTR_NOT_NULL_FATAL(sub.connection.dial);
    CU_ASSERT_FALSE(wr_subscription_cancel(&sub, wr_clock_mono_us(NULL)));
    CU_ASSERT(wait_for_dial());
    step();
    CU_ASSERT_PTR_NULL(sub.connection.dial); /* its descriptor stays readable until then */
    end();
}

static void a_drain_takes_what_could_not_be_opened_and_tries_no_more(void)
{
    start(0);
    settings.connect_timeout_ms = 100;
    fake_mute(fake, true);
    step();
    CU_ASSERT_PTR_NOT_NULL_FATAL(sub.connection.dial);
    CU_ASSERT_FALSE(wr_subscription_cancel(&sub, wr_clock_mono_us(NULL)));
    CU_ASSERT(wait_for_dial());
    step();
    wr_subscription_step(&sub, INT64_MAX / 2); /* long after the next try would have been due */
    CU_ASSERT_PTR_NULL(sub.connection.dial);
    CU_ASSERT_EQUAL(wr_subscription_deadline_us(&sub), INT64_MAX);
    end();
}

static void get_connected(void)
{
    step();
    CU_ASSERT_PTR_NOT_NULL_FATAL(sub.connection.dial);
    CU_ASSERT(wait_for_dial());
    step();
    CU_ASSERT_PTR_NOT_NULL_FATAL(sub.connection.broker);
}

static atomic_int prepares;
static sem_t is_preparing;
static sem_t may_prepare;

/* The first one, on the dial's thread, waits for the test. */
static warren_status count_prepares(void *user, struct wr_broker *broker, warren_error *err)
{
    (void)user;
    (void)broker;
    (void)err;
    if (atomic_fetch_add(&prepares, 1) == 0) {
        (void)sem_post(&is_preparing);
        (void)sem_wait(&may_prepare);
    }
    return WARREN_OK;
}

static void a_queue_that_comes_while_a_dial_is_under_way_is_declared(void)
{
    (void)sem_init(&is_preparing, 0, 0);
    (void)sem_init(&may_prepare, 0, 0);
    start(1);
    sub.options.prepare = count_prepares;
    step();
    CU_ASSERT_PTR_NOT_NULL_FATAL(sub.connection.dial);
    (void)sem_wait(&is_preparing); /* so it has read the topology of before */
    wr_subscription_extend(&sub, 2, wr_clock_mono_us(NULL));
    (void)sem_post(&may_prepare);
    CU_ASSERT(wait_for_dial());
    CU_ASSERT_EQUAL(atomic_load(&prepares), 1);
    step();
    CU_ASSERT_EQUAL(atomic_load(&prepares), 2);
    CU_ASSERT_EQUAL(sources[1].state, WR_SOURCE_CONSUMING);
    end();
}

static void a_channel_that_is_closed_during_a_drain_costs_no_other(void)
{
    start(2);
    get_connected();
    CU_ASSERT_EQUAL_FATAL(sources[0].state, WR_SOURCE_CONSUMING);
    CU_ASSERT_EQUAL_FATAL(sources[1].state, WR_SOURCE_CONSUMING);
    uint32_t epoch = sources[1].epoch;
    fake_channel_close(fake, (struct fake_place){ 0, 1 }, 406, "PRECONDITION_FAILED - timed out");
    CU_ASSERT(wr_subscription_cancel(&sub, wr_clock_mono_us(NULL)));
    CU_ASSERT_EQUAL(sources[0].state, WR_SOURCE_CLOSED);
    CU_ASSERT_EQUAL(sources[1].state, WR_SOURCE_IDLE);
    CU_ASSERT_EQUAL(sources[1].epoch, epoch); /* what runs can still be settled */
    CU_ASSERT_EQUAL(losses, 1);
    end();
}

static void a_fresh_connection_is_watched_from_its_first_use(void)
{
    start(2);
    get_connected();
    CU_ASSERT_NOT_EQUAL(atomic_load(&watch.deadline_us), INT64_MAX);
    wr_connection_end(&sub.connection);
    CU_ASSERT_EQUAL(atomic_load(&watch.deadline_us), INT64_MAX);
    end();
}

/* As one does that sends a message which can't be read. */
static void a_broker_that_takes_us_and_ends_it_is_asked_ever_less_often(void)
{
    start(2);
    for (int i = 0; i < 3; i++) {
        sub.connection.next_try_us = 0; /* the wait itself isn't the matter */
        get_connected();
        CU_ASSERT(sub.is_complete);
        wr_subscription_lose(&sub, wr_clock_mono_us(NULL), "an end");
        CU_ASSERT_EQUAL(sub.connection.failures, i + 1);
    }
    end();
}

/* --- a dial under watch --- */

/* A cut would end the whole dial, and with it the tries of all other hosts. */
static void a_slow_host_has_its_connect_timeout_however_short_the_others_are(void)
{
    struct wr_watchdog *dog = NULL;
    struct wr_watch *const watches[] = { &watch };
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = NULL;
    char url[64];
    int port;
    int fd = listen_on_loopback(&port);
    (void)snprintf(url, sizeof url, "amqp://127.0.0.1:%d", port);
    settings = talk_settings(url);
    settings.heartbeat_ms = 0;
    settings.rpc_timeout_ms = 10; /* so a call counts as stuck after one second */
    settings.connect_timeout_ms = 2500;
    wr_watch_init(&watch, "tested");
    CU_ASSERT_EQUAL_FATAL(wr_watchdog_new(&dog, watches, 1, NULL), WARREN_OK);
    struct wr_broker_options options = { .settings = &settings, .name = "test", .watch = &watch };
    CU_ASSERT_EQUAL(wr_broker_open(&broker, &options, &err), WARREN_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "does not answer within 2500 ms"));
    wr_watch_end(&watch);
    wr_watchdog_free(dog);
    wr_watch_done(&watch);
    (void)close(fd);
}

/* --- a slow line --- */

static void an_answer_may_come_behind_what_takes_long(void)
{
    enum { MESSAGES = 60, BYTES_A_SECOND = 16384 };
    static char body[1024];
    struct wr_depth depth;
    warren_error err = { .status = WARREN_OK };
    fake = fake_open();
    struct proxy *proxy = proxy_open(proxy_port_of(fake_url(fake)));
    char *url = proxy_url(proxy, fake_url(fake));
    settings = talk_settings(url);
    settings.rpc_timeout_ms = 1000; /* the messages take four times as long */
    struct wr_broker *broker = talk_open(&settings, 0, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 1, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 2, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_consume(broker, 1, "jobs", "the-consumer", &err), WARREN_OK);
    struct fake_consumer consumer = fake_consumer(fake);
    memset(body, 'x', sizeof body - 1);
    proxy_rate(proxy, BYTES_A_SECOND);
    for (int i = 0; i < MESSAGES; i++) {
        struct fake_message message = { "id", "type", body };
        fake_deliver(fake, &consumer, fake_next_tag(fake, consumer.place), &message);
    }
    CU_ASSERT_EQUAL(wr_broker_depth(broker, 2, "jobs", &depth, &err), WARREN_OK);
    proxy_pass(proxy);
    wr_broker_close(broker);
    proxy_close(proxy);
    fake_close(fake);
    free(url);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("subscription", NULL, NULL);
    CU_ADD_TEST(suite, a_drain_takes_what_was_being_opened);
    CU_ADD_TEST(suite, a_drain_takes_what_could_not_be_opened_and_tries_no_more);
    CU_ADD_TEST(suite, a_queue_that_comes_while_a_dial_is_under_way_is_declared);
    CU_ADD_TEST(suite, a_channel_that_is_closed_during_a_drain_costs_no_other);
    CU_ADD_TEST(suite, a_fresh_connection_is_watched_from_its_first_use);
    CU_ADD_TEST(suite, a_broker_that_takes_us_and_ends_it_is_asked_ever_less_often);
    CU_ADD_TEST(suite, a_slow_host_has_its_connect_timeout_however_short_the_others_are);
    CU_ADD_TEST(suite, an_answer_may_come_behind_what_takes_long);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
