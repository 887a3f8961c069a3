// SPDX-License-Identifier: MIT
// The memory broker under a random storm of publishes, settlements, cuts and closed channels, on a
// virtual clock: whatever happens, every message ends exactly once. A failing seed is printed and
// replays.
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/broker.h"
#include "io/memory.h"

#define WORKERS 4
#define MESSAGES 2000
#define OUT_MOST 64
#define SEEDS 40

struct worker {
    struct wr_broker *broker;
    struct {
        uint64_t tag;
        unsigned id;
    } out[OUT_MOST];
    size_t out_count;
};

static struct {
    struct wr_clock clock;
    struct wr_memory *server;
    struct wr_broker *sender;
    struct worker workers[WORKERS];
    uint64_t random;
    unsigned published;
    unsigned ended[MESSAGES];
} storm;

static unsigned below(unsigned limit)
{
    storm.random ^= storm.random << 13; /* xorshift64 */
    storm.random ^= storm.random >> 7;
    storm.random ^= storm.random << 17;
    return (unsigned)(storm.random >> 33) % limit;
}

static struct wr_broker *connect_to_storm(void)
{
    struct wr_broker_settings settings = { .url = (char *)"memory:storm" };
    struct wr_broker_options options = { .settings = &settings, .clock = &storm.clock };
    struct wr_broker *broker = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, NULL), WARREN_OK);
    (void)wr_broker_channel_open(broker, 1, false, NULL);
    return broker;
}

static void start_consuming(struct worker *worker)
{
    (void)wr_broker_prefetch(worker->broker, 1, (uint16_t)(1 + below(OUT_MOST)), NULL);
    CU_ASSERT_EQUAL(wr_broker_consume(worker->broker, 1, "work", "c", NULL), WARREN_OK);
    worker->out_count = 0;
}

static void declare_queue(const char *name, const char *dead_key, int64_t ttl_ms)
{
    struct wr_item item = { .kind = WR_ITEM_QUEUE,
                            .name = name,
                            .arguments = { .dead_exchange = "",
                                           .dead_key = dead_key,
                                           .ttl_ms = ttl_ms,
                                           .delivery_limit = WR_DELIVERY_LIMIT_KEEP,
                                           .at_least_once = true,
                                           .reject_publish = true } };
    (void)wr_broker_declare(storm.sender, 1, &item, WR_DECLARE, NULL);
    CU_ASSERT_EQUAL_FATAL(wr_broker_sync(storm.sender, 1, NULL), WARREN_OK);
}

static void publish_next(void)
{
    if (storm.published == MESSAGES) {
        return;
    }
    unsigned id = storm.published++;
    struct wr_message message = { .key = wr_slice_of(below(4) ? "work" : "wait"),
                                  .body = { (const char *)&id, sizeof id } };
    CU_ASSERT_EQUAL(wr_broker_publish(storm.sender, 1, &message, NULL), WARREN_OK);
}

static void receive(struct worker *worker)
{
    struct wr_event event;
    wr_broker_next(worker->broker, &event);
    if (event.kind != WR_EVENT_DELIVERY) {
        CU_ASSERT_EQUAL(event.kind, WR_EVENT_NONE);
        return;
    }
    CU_ASSERT_FATAL(worker->out_count < OUT_MOST);
    worker->out[worker->out_count].tag = event.tag;
    memcpy(&worker->out[worker->out_count].id, event.delivery->message.body.data, sizeof(unsigned));
    worker->out_count++;
    wr_delivery_free(event.delivery);
}

/* One of what is out, or all up to it, is done or given back or rejected into the wait. */
static void settle(struct worker *worker)
{
    if (!worker->out_count) {
        return;
    }
    size_t last = below((unsigned)worker->out_count);
    bool multiple = below(3) == 0;
    unsigned verdict = below(4);
    uint64_t tag = worker->out[last].tag;
    size_t first = multiple ? 0 : last;
    for (size_t i = first; i <= last && verdict < 2; i++) {
        storm.ended[worker->out[i].id]++;
    }
    if (verdict < 2) {
        (void)wr_broker_ack(worker->broker, 1, tag, multiple);
    } else {
        (void)wr_broker_nack(worker->broker, 1, tag, multiple, verdict == 2);
    }
    worker->out_count -= last + 1 - first;
    memmove(&worker->out[first], &worker->out[last + 1],
            (worker->out_count - first) * sizeof worker->out[0]);
}

static void lose_connection(struct worker *worker)
{
    wr_broker_cut(worker->broker);
    wr_broker_close(worker->broker);
    worker->broker = connect_to_storm();
    start_consuming(worker);
}

static void reopen_channel(struct worker *worker)
{
    (void)wr_broker_channel_close(worker->broker, 1, NULL);
    (void)wr_broker_channel_open(worker->broker, 1, false, NULL);
    start_consuming(worker);
}

static void step(void)
{
    struct worker *worker = &storm.workers[below(WORKERS)];
    switch (below(16)) {
    case 0:
        wr_clock_advance(&storm.clock, below(300) * WR_US_PER_MS);
        return;
    case 1:
        if (below(20) == 0) {
            lose_connection(worker);
        }
        return;
    case 2:
        if (below(20) == 0) {
            reopen_channel(worker);
        }
        return;
    case 3:
    case 4:
    case 5:
        publish_next();
        return;
    case 6:
    case 7:
    case 8:
        settle(worker);
        return;
    default:
        receive(worker);
    }
}

/* One worker is left and takes everything; the wait empties as time passes. */
static void drain(void)
{
    for (size_t i = 1; i < WORKERS; i++) {
        wr_broker_close(storm.workers[i].broker);
    }
    struct worker *worker = &storm.workers[0];
    lose_connection(worker);
    for (int idle = 0; idle < 10;) {
        receive(worker);
        idle = worker->out_count ? 0 : idle + 1;
        wr_clock_advance(&storm.clock, worker->out_count ? 0 : 100 * WR_US_PER_MS);
        for (; worker->out_count; worker->out_count--) {
            storm.ended[worker->out[worker->out_count - 1].id]++;
            (void)wr_broker_ack(worker->broker, 1, worker->out[worker->out_count - 1].tag, false);
        }
    }
    wr_broker_close(worker->broker);
}

static void expect_each_once(uint64_t seed)
{
    for (unsigned id = 0; id < MESSAGES; id++) {
        if (storm.ended[id] != 1) {
            fprintf(stderr, "seed %llu: message %u ended %u times\n", (unsigned long long)seed, id,
                    storm.ended[id]);
            CU_FAIL("a message was lost or doubled");
            return;
        }
    }
}

static void run_storm(uint64_t seed)
{
    memset(&storm, 0, sizeof storm);
    storm.random = seed * UINT64_C(0x9e3779b97f4a7c15);
    wr_clock_init(&storm.clock, 0);
    storm.server = wr_memory_open("storm", &storm.clock);
    storm.sender = connect_to_storm();
    declare_queue("work", "wait", 0);
    declare_queue("wait", "work", 500);
    for (size_t i = 0; i < WORKERS; i++) {
        storm.workers[i].broker = connect_to_storm();
        start_consuming(&storm.workers[i]);
    }
    while (storm.published < MESSAGES) {
        step();
    }
    drain();
    expect_each_once(seed);
    uint64_t ready = 1;
    uint64_t unacked = 1;
    CU_ASSERT(wr_memory_depth(storm.server, "work", &ready, &unacked) && !ready && !unacked);
    CU_ASSERT(wr_memory_depth(storm.server, "wait", &ready, &unacked) && !ready && !unacked);
    wr_broker_close(storm.sender);
    wr_memory_close(storm.server);
}

static void every_message_ends_exactly_once_in_any_storm(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_storm(seed);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("storm", NULL, NULL);
    CU_ADD_TEST(suite, every_message_ends_exactly_once_in_any_storm);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
