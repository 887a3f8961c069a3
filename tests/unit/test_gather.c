// SPDX-License-Identifier: MIT
// Small messages share a write: what arrives at the broker, when, and what becomes of a burst whose
// channel is closed in the middle.
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "amqp_talk.h"
#include "fake_broker.h"

enum { MOST_MS = 10000, QUIET_MS = 100 };

static struct fake *fake;
static struct wr_broker *broker;
static struct wr_broker_settings settings;
static warren_error err;

static void start(void)
{
    fake = fake_open();
    settings = talk_settings(fake_url(fake));
    broker = talk_open(&settings, 0, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 1, true, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 2, true, &err), WARREN_OK);
}

static void end(void)
{
    wr_broker_close(broker);
    fake_close(fake);
}

static void publish(uint16_t channel, size_t size)
{
    char *body = calloc(1, size + 1);
    struct wr_message message = talk_message("jobs", (struct wr_slice){ body, size });
    CU_ASSERT_EQUAL(wr_broker_publish(broker, channel, &message, &err), WARREN_OK);
    free(body);
}

static void one_message_goes_out_at_once(void)
{
    start();
    publish(1, 5);
    CU_ASSERT(fake_wait(fake, FAKE_PUBLISHES, 1, MOST_MS));
    end();
}

static void a_burst_goes_out_when_it_ends(void)
{
    start();
    wr_broker_cork(broker, true);
    for (int i = 0; i < 3; i++) {
        publish(1, 5);
    }
    CU_ASSERT_FALSE(fake_wait(fake, FAKE_PUBLISHES, 1, QUIET_MS));
    wr_broker_cork(broker, false);
    CU_ASSERT(fake_wait(fake, FAKE_PUBLISHES, 3, MOST_MS));
    publish(1, 5);
    CU_ASSERT(fake_wait(fake, FAKE_PUBLISHES, 4, MOST_MS));
    end();
}

/* Around the sizes of the buffer and of a frame, in one burst, with others between them. */
static void messages_of_all_sizes_arrive_whole_and_in_order(void)
{
    static const size_t sizes[] = { 0,     1,      255,    4000,   15000,  15500, 15800,
                                    15900, 16000,  16300,  16383,  16384,  16400, 30000,
                                    0,     131063, 131064, 131065, 400000, 7,     0 };
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    start();
    wr_broker_cork(broker, true);
    for (size_t i = 0; i < SIZES; i++) {
        publish(1, sizes[i]);
        publish(1, 100);
    }
    wr_broker_cork(broker, false);
    CU_ASSERT_FATAL(fake_wait(fake, FAKE_PUBLISHES, 2 * SIZES, MOST_MS));
    for (size_t i = 0; i < SIZES; i++) {
        CU_ASSERT_EQUAL(fake_publish(fake, 2 * i).size, sizes[i]);
        CU_ASSERT_EQUAL(fake_publish(fake, 2 * i + 1).size, 100);
    }
    end();
}

static void a_burst_may_change_channels(void)
{
    start();
    wr_broker_cork(broker, true);
    for (int i = 0; i < 9; i++) {
        publish((uint16_t)(i % 3 ? 1 : 2), 100);
    }
    wr_broker_cork(broker, false);
    CU_ASSERT_FATAL(fake_wait(fake, FAKE_PUBLISHES, 9, MOST_MS));
    for (size_t i = 0; i < 9; i++) {
        CU_ASSERT_EQUAL(fake_publish(fake, i).place.channel, i % 3 ? 1 : 2);
    }
    end();
}

/* A burst that is long enough to look at the socket finds that its channel is closed: what was
 * gathered for it must not follow the close-ok, which would end the connection. */
static void nothing_follows_the_close_of_a_channel(void)
{
    enum { MESSAGES = 200 };
    start();
    publish(1, 100);
    CU_ASSERT_FATAL(fake_wait(fake, FAKE_PUBLISHES, 1, MOST_MS));
    CU_ASSERT_EQUAL(talk_expect(broker, WR_EVENT_ACKED).tag, 1);
    fake_channel_close(fake, fake_publish(fake, 0).place, 404, "no such exchange");
    wr_broker_cork(broker, true);
    for (int i = 0; i < MESSAGES; i++) {
        publish(1, 1000);
    }
    CU_ASSERT(fake_wait(fake, FAKE_CHANNEL_CLOSES, 1, MOST_MS));
    wr_broker_cork(broker, false);
    CU_ASSERT_EQUAL(talk_expect(broker, WR_EVENT_CHANNEL_CLOSED).code, 404);
    publish(2, 100);
    CU_ASSERT_EQUAL(talk_expect(broker, WR_EVENT_ACKED).tag, 1);
    CU_ASSERT_EQUAL(fake_counted(fake, FAKE_LATE_PUBLISHES), 0);
    CU_ASSERT(fake_counted(fake, FAKE_PUBLISHES) < MESSAGES / 2);
    end();
}

/* What is taken into a burst is told to be gone before the burst is over, not swallowed. */
static void a_burst_into_a_closed_socket_ends(void)
{
    enum { MESSAGES = 200 };
    static char body[1000];
    const struct wr_message message = talk_message("jobs", (struct wr_slice){ body, sizeof body });
    warren_status status = WARREN_OK;
    int taken = 0;
    start();
    publish(1, 100);
    CU_ASSERT_EQUAL(talk_expect(broker, WR_EVENT_ACKED).tag, 1);
    fake_hang_up(fake, fake_publish(fake, 0).place.connection);
    wr_broker_cork(broker, true);
    while (!status && taken < MESSAGES) {
        status = wr_broker_publish(broker, 1, &message, &err);
        taken += status ? 0 : 1;
    }
    CU_ASSERT_EQUAL(status, WARREN_CLOSED);
    wr_broker_cork(broker, false);
    CU_ASSERT_EQUAL(talk_next(broker, MOST_MS).kind, WR_EVENT_CLOSED);
    end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("gather", NULL, NULL);
    CU_ADD_TEST(suite, one_message_goes_out_at_once);
    CU_ADD_TEST(suite, a_burst_goes_out_when_it_ends);
    CU_ADD_TEST(suite, messages_of_all_sizes_arrive_whole_and_in_order);
    CU_ADD_TEST(suite, a_burst_may_change_channels);
    CU_ADD_TEST(suite, nothing_follows_the_close_of_a_channel);
    CU_ADD_TEST(suite, a_burst_into_a_closed_socket_ends);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
