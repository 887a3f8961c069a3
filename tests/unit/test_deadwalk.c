// SPDX-License-Identifier: MIT
// A walk through a queue, without a broker: what is removed is gone, all else keeps its order, and
// nobody else may walk at the same time.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/deadwalk.h"

enum { LETTERS = 250, PATIENCE_US = 200 * 1000 };

static struct wr_broker_settings settings = { .url = (char *)"memory:" };
static struct wr_broker *broker;
static warren_error err;

static void open_broker(int letters)
{
    struct wr_broker_options options = { .settings = &settings, .name = "test" };
    struct wr_item queue = { .kind = WR_ITEM_QUEUE,
                             .name = "q.dead",
                             .arguments = { .type = WR_QUORUM,
                                            .delivery_limit = WR_DELIVERY_LIMIT_KEEP } };
    CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 1, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_declare(broker, 1, &queue, WR_DECLARE, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_sync(broker, 1, &err), WARREN_OK);
    for (int i = 0; i < letters; i++) {
        char body[16];
        (void)snprintf(body, sizeof body, "%d", i);
        struct wr_message message = { .key = wr_slice_of("q.dead"), .body = wr_slice_of(body) };
        CU_ASSERT_EQUAL_FATAL(wr_broker_publish(broker, 1, &message, &err), WARREN_OK);
    }
}

/* What a walk saw, and what it is to do. */
struct walker {
    int seen[LETTERS];
    int count;
    int remove_each; /* every n-th, 0: none */
    int stop_after;  /* 0: never */
};

static enum wr_walk_choice visit(void *user, const struct wr_message *message)
{
    struct walker *walker = user;
    char body[16];
    (void)snprintf(body, sizeof body, "%.*s", WR_SLICE(message->body));
    int number = atoi(body);
    walker->seen[walker->count++] = number;
    if (walker->stop_after && walker->count == walker->stop_after) {
        return WR_WALK_STOP;
    }
    return walker->remove_each && number % walker->remove_each == 0 ? WR_WALK_REMOVE : WR_WALK_KEEP;
}

static warren_status walk(struct walker *walker)
{
    struct wr_deadwalk deadwalk = { .broker = broker,
                                    .queue = "q.dead",
                                    .patience_us = PATIENCE_US,
                                    .visit = visit,
                                    .user = walker };
    return wr_deadwalk_run(&deadwalk, &err);
}

static bool is_rising(const struct walker *walker)
{
    for (int i = 1; i < walker->count; i++) {
        if (walker->seen[i] <= walker->seen[i - 1]) {
            return false;
        }
    }
    return true;
}

static void what_is_kept_keeps_its_order(void)
{
    open_broker(LETTERS);
    struct walker first = { .remove_each = 3 };
    struct walker short_one = { .stop_after = 5 };
    struct walker last = { .count = 0 };
    CU_ASSERT_EQUAL(walk(&first), WARREN_OK);
    CU_ASSERT_EQUAL(first.count, LETTERS);
    CU_ASSERT(is_rising(&first));
    CU_ASSERT_EQUAL(walk(&short_one), WARREN_OK);
    CU_ASSERT_EQUAL(short_one.count, 5);
    CU_ASSERT_EQUAL(walk(&last), WARREN_OK);
    CU_ASSERT_EQUAL(last.count, LETTERS - (LETTERS + 2) / 3);
    CU_ASSERT_EQUAL(last.seen[0], 1);
    CU_ASSERT(is_rising(&last));
    wr_broker_close(broker);
}

static void an_empty_queue_is_walked_at_once(void)
{
    open_broker(0);
    struct walker walker = { .count = 0 };
    CU_ASSERT_EQUAL(walk(&walker), WARREN_OK);
    CU_ASSERT_EQUAL(walker.count, 0);
    wr_broker_close(broker);
}

static void a_queue_that_is_not_there_is_not_found(void)
{
    open_broker(0);
    struct wr_deadwalk deadwalk = {
        .broker = broker, .queue = "other", .patience_us = PATIENCE_US, .visit = visit
    };
    CU_ASSERT_EQUAL(wr_deadwalk_run(&deadwalk, &err), WARREN_NOT_FOUND);
    wr_broker_close(broker);
}

static void a_queue_that_someone_consumes_is_left_alone(void)
{
    open_broker(3);
    struct walker walker = { .count = 0 };
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 9, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_prefetch(broker, 9, 1, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_consume(broker, 9, "q.dead", "someone", &err), WARREN_OK);
    CU_ASSERT_EQUAL(walk(&walker), WARREN_STATE);
    CU_ASSERT_EQUAL(walker.count, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "someone else"));
    CU_ASSERT_EQUAL(wr_broker_channel_close(broker, 9, &err), WARREN_OK);
    CU_ASSERT_EQUAL(walk(&walker), WARREN_OK);
    CU_ASSERT_EQUAL(walker.count, 3);
    wr_broker_close(broker);
}

/* Rounds so short that each of them visits a single message. */
static void a_walk_in_many_rounds_visits_each_once_and_keeps_the_order(void)
{
    open_broker(LETTERS);
    struct walker first = { .remove_each = 3 };
    struct walker last = { .count = 0 };
    struct wr_deadwalk deadwalk = { .broker = broker,
                                    .queue = "q.dead",
                                    .patience_us = PATIENCE_US,
                                    .visit = visit,
                                    .user = &first,
                                    .round_us = 1 };
    CU_ASSERT_EQUAL(wr_deadwalk_run(&deadwalk, &err), WARREN_OK);
    CU_ASSERT_EQUAL(first.count, LETTERS);
    CU_ASSERT(is_rising(&first));
    CU_ASSERT_EQUAL(walk(&last), WARREN_OK);
    CU_ASSERT_EQUAL(last.count, LETTERS - (LETTERS + 2) / 3);
    CU_ASSERT(is_rising(&last));
    wr_broker_close(broker);
}

/* Puts each off once, and may have enough while it waits. */
struct hesitant {
    struct walker walker;
    int64_t later_us;
    bool is_late;
    int idle_calls;
    int idle_most; /* 0: never enough */
    uint64_t visited;
    uint64_t total;
};

static enum wr_walk_choice visit_late(void *user, const struct wr_message *message)
{
    struct hesitant *hesitant = user;
    hesitant->is_late = !hesitant->is_late;
    if (hesitant->is_late) {
        hesitant->later_us =
            wr_clock_mono_us(NULL) + (hesitant->idle_most ? 3600 * WR_US_PER_S : 100);
        return WR_WALK_LATER;
    }
    return visit(&hesitant->walker, message);
}

static bool hear(void *user, uint64_t visited, uint64_t total)
{
    struct hesitant *hesitant = user;
    hesitant->visited = visited;
    hesitant->total = total;
    return ++hesitant->idle_calls != hesitant->idle_most;
}

static warren_status walk_late(struct hesitant *hesitant)
{
    struct wr_deadwalk deadwalk = { .broker = broker,
                                    .queue = "q.dead",
                                    .patience_us = PATIENCE_US,
                                    .visit = visit_late,
                                    .user = hesitant,
                                    .idle = hear,
                                    .later_us = &hesitant->later_us };
    return wr_deadwalk_run(&deadwalk, &err);
}

static void what_is_put_off_is_visited_later_and_in_order(void)
{
    open_broker(LETTERS);
    struct hesitant hesitant = { .walker = { .remove_each = 1 } };
    CU_ASSERT_EQUAL(walk_late(&hesitant), WARREN_OK);
    CU_ASSERT_EQUAL(hesitant.walker.count, LETTERS);
    CU_ASSERT(is_rising(&hesitant.walker));
    CU_ASSERT_EQUAL(hesitant.visited, LETTERS);
    CU_ASSERT_EQUAL(hesitant.total, LETTERS);
    wr_broker_close(broker);
}

static void a_long_wait_ends_when_its_caller_has_enough(void)
{
    open_broker(LETTERS);
    struct hesitant hesitant = { .idle_most = 2 };
    struct walker last = { .count = 0 };
    CU_ASSERT_EQUAL(walk_late(&hesitant), WARREN_OK);
    CU_ASSERT_EQUAL(hesitant.walker.count, 0);
    CU_ASSERT_EQUAL(walk(&last), WARREN_OK);
    CU_ASSERT_EQUAL(last.count, LETTERS);
    CU_ASSERT(is_rising(&last));
    wr_broker_close(broker);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("deadwalk", NULL, NULL);
    CU_ADD_TEST(suite, what_is_kept_keeps_its_order);
    CU_ADD_TEST(suite, an_empty_queue_is_walked_at_once);
    CU_ADD_TEST(suite, a_queue_that_is_not_there_is_not_found);
    CU_ADD_TEST(suite, a_queue_that_someone_consumes_is_left_alone);
    CU_ADD_TEST(suite, a_walk_in_many_rounds_visits_each_once_and_keeps_the_order);
    CU_ADD_TEST(suite, what_is_put_off_is_visited_later_and_in_order);
    CU_ADD_TEST(suite, a_long_wait_ends_when_its_caller_has_enough);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
