// SPDX-License-Identifier: MIT
// The ack window against a model of a broker's channel: whatever the order in which jobs end, every
// acknowledgement is one that the broker accepts, covers only settled jobs, and all come in time.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "engine/acks.h"

enum { TAGS_MOST = 20000 };

enum { ABSENT, OPEN, SETTLED, ANSWERED };

/* What the broker knows of the channel, and what the worker has settled. */
struct channel {
    struct wr_acks acks;
    uint8_t tags[TAGS_MOST + 1];
    uint64_t delivered;
    size_t unacked;
    int64_t settled_at_us[TAGS_MOST + 1];
    int64_t now_us;
    size_t sent;
    size_t faults;
    int64_t slowest_us; /* from settle to acknowledgement */
};

static struct channel channel;
static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void begin(size_t window, uint64_t seed)
{
    channel = (struct channel){ 0 };
    state = seed * 0x9e3779b97f4a7c15u + 1;
    CU_ASSERT_EQUAL_FATAL(wr_acks_init(&channel.acks, window, WR_ACKS_GATHER_US), WARREN_OK);
}

static void answer(uint64_t tag)
{
    if (channel.tags[tag] != SETTLED) {
        channel.faults++; /* acknowledged while its job runs: it would be lost with the worker */
    }
    int64_t took_us = channel.now_us - channel.settled_at_us[tag];
    channel.slowest_us = took_us > channel.slowest_us ? took_us : channel.slowest_us;
    channel.tags[tag] = ANSWERED;
    channel.unacked--;
}

static void broker_ack(void *user, uint64_t tag, bool multiple)
{
    (void)user;
    channel.sent++;
    if (tag == 0 || tag > channel.delivered || channel.tags[tag] == ANSWERED) {
        channel.faults++; /* 406, unknown delivery tag: the broker closes the channel */
        return;
    }
    for (uint64_t i = 1; multiple && i < tag; i++) {
        if (channel.tags[i] != ANSWERED) {
            answer(i);
        }
    }
    answer(tag);
}

static uint64_t deliver(void)
{
    uint64_t tag = ++channel.delivered;
    channel.tags[tag] = OPEN;
    channel.unacked++;
    if (wr_acks_deliver(&channel.acks, tag)) {
        channel.faults++;
    }
    return tag;
}

static void settle(uint64_t tag)
{
    channel.tags[tag] = SETTLED;
    channel.settled_at_us[tag] = channel.now_us;
    wr_acks_settle(&channel.acks, tag, channel.now_us);
}

static void forget(uint64_t tag)
{
    channel.tags[tag] = ANSWERED;
    channel.unacked--;
    wr_acks_forget(&channel.acks, tag);
}

static void flush(void)
{
    wr_acks_flush(&channel.acks, channel.now_us, broker_ack, NULL);
    if (wr_acks_open(&channel.acks) != channel.unacked) {
        channel.faults++;
    }
}

/* The k-th tag that is open, counted from a random place on. */
static uint64_t any_open(void)
{
    uint64_t from = 1 + next_random() % channel.delivered;
    for (uint64_t i = 0; i < channel.delivered; i++) {
        uint64_t tag = 1 + (from + i) % channel.delivered;
        if (channel.tags[tag] == OPEN) {
            return tag;
        }
    }
    return 0;
}

/* Deliveries, ends and rejects in any order, with time passing as the deadlines ask. */
static void live(size_t window, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        while (channel.unacked < window && channel.delivered < TAGS_MOST && next_random() % 3) {
            (void)deliver();
        }
        for (uint64_t n = next_random() % 4; n && channel.delivered; n--) {
            uint64_t tag = any_open();
            if (tag && next_random() % 8) {
                settle(tag);
            } else if (tag) {
                forget(tag);
            }
        }
        flush();
        int64_t due_us = wr_acks_deadline_us(&channel.acks);
        int64_t step_us = (int64_t)(next_random() % 20000);
        bool is_due = due_us - channel.now_us < step_us;
        due_us = due_us > channel.now_us ? due_us : channel.now_us;
        channel.now_us = is_due ? due_us : channel.now_us + step_us;
        if (is_due) {
            flush();
        }
    }
}

static void any_order_of_ends_is_acknowledged_rightly_and_in_time(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        size_t window = 1 + seed * 7 % 100;
        begin(window, seed);
        live(window, 400);
        for (uint64_t tag; (tag = any_open());) {
            settle(tag);
        }
        flush();
        CU_ASSERT_EQUAL(channel.faults, 0);
        CU_ASSERT_EQUAL(channel.unacked, 0);
        CU_ASSERT_EQUAL(wr_acks_deadline_us(&channel.acks), INT64_MAX);
        CU_ASSERT(channel.slowest_us <= WR_ACKS_STRAGGLER_US);
        wr_acks_done(&channel.acks);
    }
}

static void a_settled_prefix_is_one_acknowledgement(void)
{
    begin(100, 1);
    for (int i = 0; i < 50; i++) {
        (void)deliver();
    }
    for (uint64_t tag = 40; tag >= 1; tag--) {
        settle(tag);
    }
    flush();
    CU_ASSERT_EQUAL(channel.sent, 1);
    CU_ASSERT_EQUAL(channel.unacked, 10);
    CU_ASSERT_EQUAL(channel.faults, 0);
    wr_acks_done(&channel.acks);
}

static void what_is_settled_behind_a_running_job_waits_fifty_milliseconds(void)
{
    begin(100, 1);
    (void)deliver();
    settle(deliver());
    settle(deliver());
    flush();
    CU_ASSERT_EQUAL(channel.sent, 0);
    CU_ASSERT_EQUAL(wr_acks_deadline_us(&channel.acks), 50000);
    channel.now_us = 49999;
    flush();
    CU_ASSERT_EQUAL(channel.sent, 0);
    channel.now_us = 50000;
    flush();
    CU_ASSERT_EQUAL(channel.sent, 2);
    CU_ASSERT_EQUAL(channel.unacked, 1);
    CU_ASSERT_EQUAL(channel.faults, 0);
    wr_acks_done(&channel.acks);
}

static void a_quarter_of_the_window_waits_for_nobody(void)
{
    begin(16, 1);
    (void)deliver();
    for (int i = 0; i < 3; i++) {
        settle(deliver());
    }
    flush();
    CU_ASSERT_EQUAL(channel.sent, 0);
    settle(deliver());
    flush();
    CU_ASSERT_EQUAL(channel.sent, 4);
    CU_ASSERT_EQUAL(channel.unacked, 1);
    wr_acks_done(&channel.acks);
}

static void a_full_window_waits_no_longer_than_the_pace_asks(void)
{
    begin(8, 1);
    (void)deliver();
    settle(deliver());
    for (int i = 0; i < 5; i++) {
        (void)deliver();
    }
    flush();
    CU_ASSERT_EQUAL(channel.sent, 0); /* the broker can send another one */
    (void)deliver();
    flush();
    CU_ASSERT_EQUAL(channel.sent, 1);
    settle(3);
    flush();
    (void)deliver();
    CU_ASSERT_EQUAL(channel.sent, 1);
    CU_ASSERT_EQUAL(wr_acks_deadline_us(&channel.acks), WR_ACKS_GATHER_US / 2); /* after a lull */
    channel.now_us = WR_ACKS_GATHER_US / 2;
    flush();
    CU_ASSERT_EQUAL(channel.sent, 2);
    CU_ASSERT_EQUAL(channel.faults, 0);
    wr_acks_done(&channel.acks);
}

/* So many jobs, that often, each up to so much late; gives how many were acknowledged at once. */
static size_t stream(int jobs, int64_t every_us, int64_t late_us)
{
    int64_t from_us = channel.now_us;
    size_t prompt = 0;
    for (int i = 1; i <= jobs; i++) {
        int64_t at_us = from_us + i * every_us + (int64_t)(next_random() % (uint64_t)late_us);
        at_us = at_us > channel.now_us ? at_us : channel.now_us;
        if (wr_acks_deadline_us(&channel.acks) < at_us) {
            channel.now_us = wr_acks_deadline_us(&channel.acks);
            flush();
        }
        channel.now_us = at_us;
        size_t before = channel.sent;
        settle(deliver());
        flush();
        prompt += channel.sent - before;
    }
    return prompt;
}

static void acknowledgements_are_gathered_for_a_millisecond(void)
{
    begin(100, 1);
    settle(deliver());
    flush();
    CU_ASSERT_EQUAL(channel.sent, 1); /* after a lull: at once */
    (void)stream(1000, 100, 50);      /* 100 ms of them */
    CU_ASSERT(channel.sent >= 95 && channel.sent <= 100 * 4 / 3 + 2);
    CU_ASSERT(channel.slowest_us <= WR_ACKS_GATHER_US);
    channel.now_us = wr_acks_deadline_us(&channel.acks);
    flush();
    CU_ASSERT_EQUAL(channel.unacked, 0);
    size_t sent = channel.sent;
    for (int i = 0; i < 25; i++) {
        settle(deliver());
    }
    flush();
    CU_ASSERT_EQUAL(channel.sent, sent + 1); /* a quarter of the window */
    CU_ASSERT_EQUAL(channel.faults, 0);
    wr_acks_done(&channel.acks);
}

static void a_job_a_millisecond_is_acknowledged_at_once(void)
{
    begin(100, 2);
    CU_ASSERT_EQUAL(stream(1000, WR_ACKS_GATHER_US, WR_ACKS_GATHER_US / 4), 1000);
    CU_ASSERT_EQUAL(channel.slowest_us, 0);
    /* the machine stops for a while, and then they are many at once */
    for (int i = 0; i < 50; i++) {
        channel.now_us += 3 * WR_ACKS_GATHER_US;
        (void)stream(3, 1, 1);
        CU_ASSERT(stream(20, WR_ACKS_GATHER_US, WR_ACKS_GATHER_US / 4) >= 18);
    }
    CU_ASSERT_EQUAL(channel.faults, 0);
    wr_acks_done(&channel.acks);
}

static void one_long_job_holds_up_no_number_of_short_ones(void)
{
    begin(10, 1);
    uint64_t longest = deliver();
    for (int i = 0; i < 10000; i++) {
        settle(deliver());
        channel.now_us += WR_ACKS_STRAGGLER_US;
        flush();
    }
    CU_ASSERT_EQUAL(channel.unacked, 1);
    settle(longest);
    channel.now_us += WR_ACKS_GATHER_US;
    flush();
    CU_ASSERT_EQUAL(channel.unacked, 0);
    CU_ASSERT_EQUAL(channel.faults, 0);
    wr_acks_done(&channel.acks);
}

static void rejects_alone_make_nothing_grow(void)
{
    begin(10, 1);
    for (int i = 0; i < 10000; i++) {
        forget(deliver());
    }
    CU_ASSERT_EQUAL(channel.acks.capacity, 64);
    CU_ASSERT_EQUAL(wr_acks_open(&channel.acks), 0);
    wr_acks_done(&channel.acks);
}

static void a_tag_out_of_order_is_refused(void)
{
    begin(10, 1);
    CU_ASSERT_EQUAL(wr_acks_deliver(&channel.acks, 2), WARREN_INVALID);
    CU_ASSERT_EQUAL(wr_acks_deliver(&channel.acks, 1), WARREN_OK);
    CU_ASSERT_EQUAL(wr_acks_deliver(&channel.acks, 1), WARREN_INVALID);
    wr_acks_done(&channel.acks);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("acks", NULL, NULL);
    CU_ADD_TEST(suite, any_order_of_ends_is_acknowledged_rightly_and_in_time);
    CU_ADD_TEST(suite, a_settled_prefix_is_one_acknowledgement);
    CU_ADD_TEST(suite, what_is_settled_behind_a_running_job_waits_fifty_milliseconds);
    CU_ADD_TEST(suite, a_quarter_of_the_window_waits_for_nobody);
    CU_ADD_TEST(suite, a_full_window_waits_no_longer_than_the_pace_asks);
    CU_ADD_TEST(suite, acknowledgements_are_gathered_for_a_millisecond);
    CU_ADD_TEST(suite, a_job_a_millisecond_is_acknowledged_at_once);
    CU_ADD_TEST(suite, one_long_job_holds_up_no_number_of_short_ones);
    CU_ADD_TEST(suite, rejects_alone_make_nothing_grow);
    CU_ADD_TEST(suite, a_tag_out_of_order_is_refused);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
