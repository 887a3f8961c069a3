// SPDX-License-Identifier: MIT
// The public publisher with its real thread and clock, on a memory broker that also fails: each
// message gets exactly one answer, and the right one.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/thread.h"
#include "config_folder.h"
#include "engine/publisher.h"
#include "io/memory.h"
#include "warren/publisher.h"
#include "warren/worker.h"

enum { DEADLINE_US = 20000000 };

static struct wr_memory *server;
static warren_publisher *publisher;
static warren_error err;

/* Answers of asynchronous publishes, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static size_t answers;
static size_t answered_ok;
static warren_status last_status;
static char last_text[256];

static const warren_message good = { .type = "a", .body = "{}" };

static warren_verdict done(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

/* The broker with its topology: a worker declares it and goes. */
static void declare(void)
{
    warren *w = NULL;
    warren_status rc = warren_open(&w, "warren.cfg", &err);
    rc = rc ? rc : warren_handle(w, "a", done, NULL, &err);
    rc = rc ? rc : warren_start(w, &err);
    rc = rc ? rc : warren_stop(w, 5000, &err);
    if (rc) {
        fprintf(stderr, "%s\n", err.text);
    }
    CU_ASSERT_EQUAL_FATAL(rc, WARREN_OK);
    warren_close(w);
}

static void begin(const char *publish)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "broker: { url = \"memory:publisher\"; };\npublish: { %s };\n", publish);
    folder_make();
    folder_write("warren.cfg", text);
    folder_write("queues/10.cfg", "queue: { name = \"q\"; jobs = ({ type = \"a\"; }); };\n");
    server = wr_memory_open("publisher", NULL);
    declare();
    answers = answered_ok = 0;
    CU_ASSERT_EQUAL_FATAL(warren_publisher_open(&publisher, "warren.cfg", &err), WARREN_OK);
}

static void end(void)
{
    warren_publisher_close(publisher);
    CU_ASSERT_EQUAL(wr_memory_connections(server), 0);
    wr_memory_close(server);
    folder_remove();
}

static uint64_t depth(void)
{
    uint64_t ready = 0;
    uint64_t out = 0;
    (void)wr_memory_depth(server, "q", &ready, &out);
    return ready;
}

static void note(void *user, warren_status status, const warren_error *error)
{
    WR_SCOPED_LOCK(&lock);
    CU_ASSERT_PTR_EQUAL(user, &answers);
    CU_ASSERT_EQUAL(status != WARREN_OK, error != NULL);
    answers++;
    answered_ok += status ? 0 : 1;
    last_status = status;
    (void)snprintf(last_text, sizeof last_text, "%.200s", error ? error->text : "");
    (void)pthread_cond_broadcast(&changed);
}

static bool wait_for_answers(size_t count)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    WR_SCOPED_LOCK(&lock);
    while (answers < count) {
        int64_t left_us = until_us - wr_clock_mono_us(NULL);
        if (left_us <= 0) {
            return false;
        }
        (void)wr_cond_wait(&changed, &lock, left_us);
    }
    return true;
}

static warren_status publish_async(void)
{
    return warren_publish_async(publisher, &good, note, &answers, &err);
}

static void a_blocking_publish_returns_when_the_message_is_safe(void)
{
    begin("");
    CU_ASSERT_EQUAL(warren_publish(publisher, &good, &err), WARREN_OK);
    CU_ASSERT_EQUAL(depth(), 1);
    end();
}

static void each_asynchronous_publish_is_answered_exactly_once(void)
{
    begin("window = 16;");
    for (int i = 0; i < 2000; i++) {
        CU_ASSERT_EQUAL(publish_async(), WARREN_OK);
    }
    CU_ASSERT(wait_for_answers(2000));
    CU_ASSERT_EQUAL(depth(), 2000);
    end();
    CU_ASSERT_EQUAL(answers, 2000);
    CU_ASSERT_EQUAL(answered_ok, 2000);
}

static void a_close_right_after_a_publish_waits_for_its_confirm(void)
{
    for (int i = 0; i < 50; i++) {
        begin("");
        CU_ASSERT_EQUAL(publish_async(), WARREN_OK);
        warren_publisher_close(publisher);
        publisher = NULL;
        CU_ASSERT_EQUAL(answered_ok, 1);
        CU_ASSERT_EQUAL(depth(), 1);
        end();
    }
}

static void *publish_many(void *user)
{
    int *failed = user;
    for (int i = 0; i < 300; i++) {
        *failed += warren_publish(publisher, &good, NULL) ? 1 : 0;
    }
    return NULL;
}

static void many_threads_may_publish_at_once(void)
{
    pthread_t threads[4];
    int failed[4] = { 0 };
    begin("window = 2;");
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, publish_many, &failed[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
        CU_ASSERT_EQUAL(failed[i], 0);
    }
    CU_ASSERT_EQUAL(depth(), 1200);
    end();
}

enum { WINDOW = 8, ROOM = WINDOW + WINDOW / 4, CALLERS = 3 * ROOM, PATIENCE_US = 50000 };
static atomic_int returned;
static atomic_int refused;

static void *publish_one(void *user)
{
    (void)user;
    atomic_fetch_add(&refused, publish_async() ? 1 : 0);
    atomic_fetch_add(&returned, 1);
    return NULL;
}

/* Lets go of the processor until so many calls have returned, and often enough for more to show. */
static void wait_for_returned(int count)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    for (int more = 0; more < 100 && wr_clock_mono_us(NULL) < until_us;) {
        more += atomic_load(&returned) >= count ? 1 : 0;
        (void)sched_yield();
    }
}

/* While no confirm comes, as many get in as there is room for; then all do. Gives for how long the last
 * one waited. */
static int64_t crowd(void)
{
    pthread_t threads[CALLERS];
    atomic_store(&returned, 0);
    answers = 0;
    wr_memory_block(server, true);
    for (int i = 0; i < CALLERS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, publish_one, NULL), 0);
    }
    wait_for_returned(ROOM);
    CU_ASSERT_EQUAL(atomic_load(&returned), ROOM);
    int64_t from_us = wr_clock_mono_us(NULL);
    wr_memory_block(server, false);
    for (int i = 0; i < CALLERS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    int64_t took_us = wr_clock_mono_us(NULL) - from_us;
    CU_ASSERT(wait_for_answers(CALLERS));
    return took_us;
}

/* Callers with one message each: none of them stays to use what the others need. Somebody who isn't
 * called gets in when his patience is over, so one round of twenty without that shows that they are. */
static void callers_wait_while_there_is_no_room_and_all_are_called(void)
{
    enum { ROUNDS = 20 };
    int64_t least_us = INT64_MAX;
    begin("window = 8;");
    atomic_store(&refused, 0);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t took_us = crowd();
        least_us = took_us < least_us ? took_us : least_us;
    }
    CU_ASSERT(least_us < PATIENCE_US);
    CU_ASSERT_EQUAL(atomic_load(&refused), 0);
    CU_ASSERT_EQUAL(depth(), ROUNDS * CALLERS);
    end();
}

static void a_message_that_no_queue_takes_is_unroutable(void)
{
    const warren_message lost = { .type = "nobody's" };
    begin("");
    CU_ASSERT_EQUAL(warren_publish(publisher, &lost, &err), WARREN_UNROUTABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nobody's"));
    CU_ASSERT_EQUAL(warren_publish(publisher, &good, &err), WARREN_OK);
    end();
}

static void a_message_that_the_broker_refuses_to_store_is_nacked(void)
{
    begin("");
    wr_memory_nack_publishes(server, 1);
    CU_ASSERT_EQUAL(warren_publish(publisher, &good, &err), WARREN_NACKED);
    CU_ASSERT_EQUAL(warren_publish(publisher, &good, &err), WARREN_OK);
    CU_ASSERT_EQUAL(depth(), 1);
    end();
}

static void a_wrong_message_is_the_callers_error_and_calls_nobody(void)
{
    const warren_message wrong = { .body = "{}" };
    begin("");
    CU_ASSERT_EQUAL(warren_publish(publisher, &wrong, &err), WARREN_INVALID);
    CU_ASSERT_EQUAL(warren_publish_async(publisher, &wrong, note, &answers, &err), WARREN_INVALID);
    end();
    CU_ASSERT_EQUAL(answers, 0);
}

static void a_blocked_broker_is_a_timeout_and_what_was_given_up_is_not_sent(void)
{
    begin("timeout = \"50ms\";");
    wr_memory_block(server, true);
    CU_ASSERT_EQUAL(warren_publish(publisher, &good, &err), WARREN_TIMEOUT);
    CU_ASSERT_EQUAL(publish_async(), WARREN_OK);
    CU_ASSERT(wait_for_answers(1));
    CU_ASSERT_EQUAL(last_status, WARREN_TIMEOUT);
    wr_memory_block(server, false);
    CU_ASSERT_EQUAL(warren_publish(publisher, &good, &err), WARREN_OK);
    CU_ASSERT_EQUAL(depth(), 1);
    end();
}

static void a_close_gives_up_what_cannot_be_sent_in_time(void)
{
    begin("timeout = \"50ms\";");
    wr_memory_refuse_connects(server, true);
    wr_memory_cut_all(server);
    CU_ASSERT_EQUAL(publish_async(), WARREN_OK);
    warren_publisher_close(publisher);
    publisher = NULL;
    CU_ASSERT_EQUAL(answers, 1);
    CU_ASSERT(last_status == WARREN_TIMEOUT || last_status == WARREN_CLOSED ||
              last_status == WARREN_UNKNOWN);
    CU_ASSERT(strlen(last_text) > 0);
    end();
}

static void a_cut_connection_loses_no_message(void)
{
    begin("");
    for (int i = 0; i < 600; i++) {
        if (i % 200 == 100) {
            wr_memory_cut_all(server);
        }
        CU_ASSERT_EQUAL(publish_async(), WARREN_OK);
    }
    CU_ASSERT(wait_for_answers(600));
    CU_ASSERT_EQUAL(answered_ok, 600);
    CU_ASSERT(depth() >= 600);
    end();
}

static void a_lost_confirm_is_answered_after_the_message_was_sent_again(void)
{
    begin("");
    wr_memory_drop_confirms(server, 1);
    CU_ASSERT_EQUAL(warren_publish(publisher, &good, &err), WARREN_OK);
    CU_ASSERT_EQUAL(depth(), 2);
    end();
}

static void a_batch_keeps_its_window_and_tells_how_many_are_safe(void)
{
    warren_batch *batch = NULL;
    size_t confirmed = 0;
    begin("");
    CU_ASSERT_EQUAL_FATAL(warren_batch_open(&batch, publisher, 8, &err), WARREN_OK);
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL(warren_batch_publish(batch, &good, &err), WARREN_OK);
    }
    CU_ASSERT_EQUAL(warren_batch_close(batch, &confirmed, &err), WARREN_OK);
    CU_ASSERT_EQUAL(confirmed, 1000);
    CU_ASSERT_EQUAL(depth(), 1000);
    end();
}

static void a_batch_tells_of_a_failed_message_once(void)
{
    const warren_message lost = { .type = "nobody's" };
    warren_batch *batch = NULL;
    size_t confirmed = 0;
    begin("");
    CU_ASSERT_EQUAL_FATAL(warren_batch_open(&batch, publisher, 1, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_batch_publish(batch, &lost, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_batch_publish(batch, &good, &err), WARREN_UNROUTABLE);
    CU_ASSERT_EQUAL(warren_batch_publish(batch, &good, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_batch_close(batch, &confirmed, &err), WARREN_OK);
    CU_ASSERT_EQUAL(confirmed, 1);
    CU_ASSERT_EQUAL(depth(), 1);
    end();
}

static void a_wrong_message_takes_no_place_in_a_batch(void)
{
    const warren_message wrong = { .body = "{}" };
    warren_batch *batch = NULL;
    size_t confirmed = 7;
    begin("");
    CU_ASSERT_EQUAL_FATAL(warren_batch_open(&batch, publisher, 1, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_batch_publish(batch, &wrong, &err), WARREN_INVALID);
    CU_ASSERT_EQUAL(warren_batch_publish(batch, &wrong, &err), WARREN_INVALID);
    CU_ASSERT_EQUAL(warren_batch_close(batch, &confirmed, &err), WARREN_OK);
    CU_ASSERT_EQUAL(confirmed, 0);
    end();
}

static void no_broker_is_said_at_the_opening(void)
{
    warren_publisher *other = NULL;
    begin("");
    wr_memory_refuse_connects(server, true);
    CU_ASSERT_EQUAL(warren_publisher_open(&other, "warren.cfg", &err), WARREN_UNREACHABLE);
    CU_ASSERT_PTR_NULL(other);
    wr_memory_refuse_connects(server, false);
    end();
    warren_publisher_close(NULL);
}

/* A request that notes its answer. */
static struct wr_request closed_request;
static warren_status closed_status;

static void note_closed(struct wr_request *request, warren_status status, const warren_error *error)
{
    CU_ASSERT_PTR_EQUAL(request, &closed_request);
    CU_ASSERT_PTR_NOT_NULL(error);
    closed_status = status;
}

static void what_comes_after_the_end_is_answered_with_closed(void)
{
    begin("");
    struct wr_settings *settings = folder_load("warren.cfg");
    struct wr_publisher_options options = { .settings = settings, .name = "alone" };
    struct wr_publisher *engine = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_publisher_new(&engine, &options, NULL, &err), WARREN_OK);
    closed_request.done = note_closed;
    closed_request.insists = true;
    wr_memory_refuse_connects(server, true);
    wr_publisher_submit(engine, &closed_request);
    wr_publisher_stop(engine, 0);
    CU_ASSERT_EQUAL(closed_status, WARREN_CLOSED);
    closed_status = WARREN_OK;
    wr_publisher_submit(engine, &closed_request);
    CU_ASSERT_EQUAL(closed_status, WARREN_CLOSED);
    wr_publisher_free(engine);
    wr_settings_free(settings);
    end();
}

int main(void)
{
    wr_cond_init(&changed);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("publisher", NULL, NULL);
    CU_ADD_TEST(suite, a_blocking_publish_returns_when_the_message_is_safe);
    CU_ADD_TEST(suite, each_asynchronous_publish_is_answered_exactly_once);
    CU_ADD_TEST(suite, a_close_right_after_a_publish_waits_for_its_confirm);
    CU_ADD_TEST(suite, many_threads_may_publish_at_once);
    CU_ADD_TEST(suite, callers_wait_while_there_is_no_room_and_all_are_called);
    CU_ADD_TEST(suite, a_message_that_no_queue_takes_is_unroutable);
    CU_ADD_TEST(suite, a_message_that_the_broker_refuses_to_store_is_nacked);
    CU_ADD_TEST(suite, a_wrong_message_is_the_callers_error_and_calls_nobody);
    CU_ADD_TEST(suite, a_blocked_broker_is_a_timeout_and_what_was_given_up_is_not_sent);
    CU_ADD_TEST(suite, a_close_gives_up_what_cannot_be_sent_in_time);
    CU_ADD_TEST(suite, a_cut_connection_loses_no_message);
    CU_ADD_TEST(suite, a_lost_confirm_is_answered_after_the_message_was_sent_again);
    CU_ADD_TEST(suite, a_batch_keeps_its_window_and_tells_how_many_are_safe);
    CU_ADD_TEST(suite, a_batch_tells_of_a_failed_message_once);
    CU_ADD_TEST(suite, a_wrong_message_takes_no_place_in_a_batch);
    CU_ADD_TEST(suite, no_broker_is_said_at_the_opening);
    CU_ADD_TEST(suite, what_comes_after_the_end_is_answered_with_closed);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
