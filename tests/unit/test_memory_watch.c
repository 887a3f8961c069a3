// SPDX-License-Identifier: MIT
// The memory broker under watch: a watcher sees each message taken, acknowledged and given back, by
// the name of the connection, and single connections, channels and consumers can be ended.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

#include "io/broker.h"
#include "io/memory.h"

enum { CHANNEL = 1, KINDS = WR_MEMORY_REFUSED + 1 };

static struct {
    struct wr_clock clock;
    struct wr_memory *server;
    struct wr_broker *one;
    struct wr_broker *other;
    int seen[KINDS];
    char connection[64]; /* of the last sight */
    char queue[64];
    uint64_t tag;
} scene;

static void see(void *user, const struct wr_memory_sight *sight)
{
    (void)user;
    scene.seen[sight->kind]++;
    scene.tag = sight->tag;
    (void)snprintf(scene.connection, sizeof scene.connection, "%s", sight->connection);
    (void)snprintf(scene.queue, sizeof scene.queue, "%.60s", sight->queue ? sight->queue : "");
}

static struct wr_broker *join(const char *name)
{
    struct wr_broker_settings settings = { .url = (char *)"memory:watch" };
    struct wr_broker_options options = { .settings = &settings,
                                         .name = name,
                                         .clock = &scene.clock };
    struct wr_broker *broker = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, CHANNEL, true, NULL), WARREN_OK);
    return broker;
}

static void publish(void)
{
    struct wr_message message = { .key = wr_slice_of("work"), .body = { "x", 1 } };
    CU_ASSERT_EQUAL(wr_broker_publish(scene.other, CHANNEL, &message, NULL), WARREN_OK);
}

/* One consumes, the other publishes two messages. */
static void begin(void)
{
    memset(&scene, 0, sizeof scene);
    wr_clock_init(&scene.clock, 0);
    scene.server = wr_memory_open("watch", &scene.clock);
    wr_memory_watch(scene.server, see, NULL);
    scene.one = join("one");
    scene.other = join("other");
    struct wr_item item = { .kind = WR_ITEM_QUEUE, .name = "work" };
    CU_ASSERT_EQUAL(wr_broker_declare(scene.one, CHANNEL, &item, WR_DECLARE, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_prefetch(scene.one, CHANNEL, 10, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_consume(scene.one, CHANNEL, "work", "c", NULL), WARREN_OK);
    publish();
    publish();
}

static void end(void)
{
    wr_memory_watch(scene.server, NULL, NULL);
    wr_broker_close(scene.one);
    wr_broker_close(scene.other);
    wr_memory_close(scene.server);
}

/* The next event of a connection that isn't a delivery. */
static enum wr_event_kind next_word(struct wr_broker *broker)
{
    struct wr_event event;
    do {
        wr_broker_next(broker, &event);
        wr_delivery_free(event.delivery);
    } while (event.kind == WR_EVENT_DELIVERY);
    return event.kind;
}

static void a_watcher_sees_each_message_come_and_go(void)
{
    begin();
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_JOINED], 2);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_TAKEN], 2);
    CU_ASSERT_STRING_EQUAL(scene.connection, "other");
    (void)wr_broker_ack(scene.one, CHANNEL, 1, false);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_ACKED], 1);
    CU_ASSERT_EQUAL(scene.tag, 1);
    CU_ASSERT_STRING_EQUAL(scene.connection, "one");
    CU_ASSERT_STRING_EQUAL(scene.queue, "work");
    (void)wr_broker_nack(scene.one, CHANNEL, 2, false, true);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_RETURNED], 1);
    end();
}

static void one_connection_is_cut_by_its_name(void)
{
    begin();
    wr_memory_cut(scene.server, "one");
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_RETURNED], 2);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_LEFT], 1);
    CU_ASSERT_EQUAL(wr_memory_connections(scene.server), 1);
    CU_ASSERT_EQUAL(next_word(scene.one), WR_EVENT_CLOSED);
    CU_ASSERT_EQUAL(next_word(scene.other), WR_EVENT_ACKED);
    wr_broker_close(scene.one);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_LEFT], 1); /* it is told once */
    scene.one = NULL;
    end();
}

static void one_channel_is_closed_and_its_deliveries_go_back(void)
{
    begin();
    wr_memory_close_channel(scene.server, "one", CHANNEL);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_REFUSED], 1);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_RETURNED], 2);
    CU_ASSERT_EQUAL(next_word(scene.one), WR_EVENT_CHANNEL_CLOSED);
    CU_ASSERT_EQUAL(wr_memory_connections(scene.server), 2);
    end();
}

static void a_cancelled_consumer_may_still_settle(void)
{
    begin();
    wr_memory_cancel(scene.server, "work");
    CU_ASSERT_EQUAL(next_word(scene.one), WR_EVENT_CANCELLED);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_RETURNED], 0);
    (void)wr_broker_ack(scene.one, CHANNEL, 2, true);
    CU_ASSERT_EQUAL(scene.seen[WR_MEMORY_ACKED], 2);
    publish();
    uint64_t ready = 0;
    uint64_t out = 1;
    CU_ASSERT(wr_memory_depth(scene.server, "work", &ready, &out));
    CU_ASSERT_EQUAL(ready, 1); /* nobody takes it */
    CU_ASSERT_EQUAL(out, 0);
    end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("memory broker, watched", NULL, NULL);
    CU_ADD_TEST(suite, a_watcher_sees_each_message_come_and_go);
    CU_ADD_TEST(suite, one_connection_is_cut_by_its_name);
    CU_ADD_TEST(suite, one_channel_is_closed_and_its_deliveries_go_back);
    CU_ADD_TEST(suite, a_cancelled_consumer_may_still_settle);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
