// SPDX-License-Identifier: MIT
// The whole worker with its real threads and clock, on the memory broker: from warren_start to
// warren_stop. Nothing here depends on how long something takes; every wait has a deadline.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/thread.h"
#include "config_folder.h"
#include "front/worker.h"
#include "io/memory.h"
#include "warren/worker.h"

enum { DEADLINE_US = 30000000 };

static struct wr_memory *server;
static warren *worker;
static warren_error err;
static atomic_int ran;
static atomic_int now[2];
static atomic_int most[2];
static atomic_bool gate_is_open;
static atomic_bool saw_cancel;

static void note_most(atomic_int *top, int value)
{
    int seen = atomic_load(top);
    while (value > seen && !atomic_compare_exchange_weak(top, &seen, value)) {
    }
}

/* `user` is the number of the type. The first run of every seventh job fails. */
static warren_verdict work(warren_job *job, void *user)
{
    int number = *(const int *)user;
    note_most(&most[number], atomic_fetch_add(&now[number], 1) + 1);
    int64_t n = 0;
    bool fails = warren_job_int(job, "n", &n) && n % 7 == 0 && warren_job_attempt(job) == 1;
    (void)atomic_fetch_sub(&now[number], 1);
    (void)atomic_fetch_add(&ran, 1);
    return fails ? warren_retry_after(job, 1, "seventh") : WARREN_DONE;
}

static warren_verdict wait_at_gate(warren_job *job, void *user)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    (void)user;
    (void)atomic_fetch_add(&ran, 1);
    while (!atomic_load(&gate_is_open) && wr_clock_mono_us(NULL) < until_us) {
        if (warren_job_cancelled(job)) {
            atomic_store(&saw_cancel, true);
        }
        (void)sched_yield();
    }
    return WARREN_DONE;
}

static void begin(const char *main_text, const char *jobs)
{
    char text[512];
    (void)snprintf(text, sizeof text, "broker: { url = \"memory:threads\"; };\n%s", main_text);
    folder_make();
    folder_write("warren.cfg", text);
    (void)snprintf(text, sizeof text, "queue: { name = \"q\"; jobs = ( %s ); };\n", jobs);
    folder_write("queues/10.cfg", text);
    server = wr_memory_open("threads", NULL);
    atomic_store(&ran, 0);
    atomic_store(&gate_is_open, false);
    atomic_store(&saw_cancel, false);
    for (int i = 0; i < 2; i++) {
        atomic_store(&now[i], 0);
        atomic_store(&most[i], 0);
    }
    CU_ASSERT_EQUAL_FATAL(warren_open(&worker, "warren.cfg", &err), WARREN_OK);
}

static void handle(const char *type, warren_handler *handler, int number)
{
    static int numbers[] = { 0, 1 };
    CU_ASSERT_EQUAL_FATAL(warren_handle(worker, type, handler, &numbers[number], &err), WARREN_OK);
}

static void end(void)
{
    warren_close(worker);
    wr_memory_close(server);
    folder_remove();
}

static warren_stats_data stats(void)
{
    warren_stats_data data = { .size = sizeof data };
    warren_stats(worker, &data);
    return data;
}

static bool wait_until_done(uint64_t count)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (stats().done < count && wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    return stats().done >= count;
}

static bool wait_until_ran(int count)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (atomic_load(&ran) < count && wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    return atomic_load(&ran) >= count;
}

static void publish(const char *type, int n)
{
    char body[32];
    (void)snprintf(body, sizeof body, "{\"n\":%d}", n);
    const warren_message message = { .type = type, .body = body };
    CU_ASSERT_EQUAL(
        warren_publish_async(warren_worker_publisher(worker), &message, NULL, NULL, &err),
        WARREN_OK);
}

/* The same, and the broker has it. */
static void publish_safely(const char *type)
{
    const warren_message message = { .type = type, .body = "{}" };
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(worker), &message, &err), WARREN_OK);
}

static uint64_t messages_in(const char *queue)
{
    uint64_t ready = 0;
    uint64_t out = 0;
    (void)wr_memory_depth(server, queue, &ready, &out);
    return ready + out;
}

static void thousands_of_jobs_end_done_within_their_limits(void)
{
    begin("",
          "{ type = \"a\"; concurrency = 2; }, { type = \"b\"; concurrency = 4; isolate = true; }");
    handle("a", work, 0);
    handle("b", work, 1);
    CU_ASSERT_EQUAL_FATAL(warren_start(worker, &err), WARREN_OK);
    CU_ASSERT(stats().ready);
    for (int i = 0; i < 2000; i++) {
        publish(i % 3 ? "a" : "b", i);
    }
    CU_ASSERT(wait_until_done(2000));
    CU_ASSERT_EQUAL(warren_stop(worker, 5000, &err), WARREN_OK);
    CU_ASSERT_EQUAL(stats().done, 2000);
    CU_ASSERT_EQUAL(stats().retried, 286);
    CU_ASSERT_EQUAL(atomic_load(&ran), 2286);
    CU_ASSERT(atomic_load(&most[0]) <= 2);
    CU_ASSERT(atomic_load(&most[1]) <= 4);
    CU_ASSERT_EQUAL(messages_in("q") + messages_in("q.b") + messages_in("q.dead"), 0);
    CU_ASSERT_EQUAL(wr_memory_connections(server), 0);
    end();
}

static void connections_cut_in_the_middle_lose_no_job(void)
{
    begin("", "{ type = \"a\"; concurrency = 4; }");
    handle("a", work, 0);
    CU_ASSERT_EQUAL_FATAL(warren_start(worker, &err), WARREN_OK);
    for (int i = 1; i <= 600; i++) {
        publish("a", 7 * i + 1);
        if (i % 200 == 0) {
            wr_memory_cut_all(server);
        }
    }
    CU_ASSERT(wait_until_done(600));
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (messages_in("q") && wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    CU_ASSERT_EQUAL(messages_in("q"), 0);
    CU_ASSERT_EQUAL(warren_stop(worker, 5000, &err), WARREN_OK);
    CU_ASSERT(stats().connections >= 2);
    end();
}

static void a_stop_waits_for_running_jobs_and_gives_back_the_rest(void)
{
    begin("", "{ type = \"a\"; concurrency = 2; }");
    handle("a", wait_at_gate, 0);
    CU_ASSERT_EQUAL_FATAL(warren_start(worker, &err), WARREN_OK);
    for (int i = 0; i < 20; i++) {
        publish_safely("a");
    }
    CU_ASSERT(wait_until_ran(2));
    wr_consumer_drain(worker->consumer);
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (!atomic_load(&saw_cancel) && wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    CU_ASSERT(atomic_load(&saw_cancel));
    atomic_store(&gate_is_open, true);
    CU_ASSERT_EQUAL(warren_stop(worker, -1, &err), WARREN_OK);
    CU_ASSERT_EQUAL(stats().done, 2);
    CU_ASSERT_EQUAL(messages_in("q"), 18);
    end();
}

static void *open_gate_on_cancel(void *user)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (!atomic_load(&saw_cancel) && wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    atomic_store(&gate_is_open, true);
    return user;
}

static void a_stop_says_when_handlers_still_run_and_their_jobs_stay(void)
{
    begin("", "{ type = \"a\"; concurrency = 1; }");
    handle("a", wait_at_gate, 0);
    CU_ASSERT_EQUAL_FATAL(warren_start(worker, &err), WARREN_OK);
    publish_safely("a");
    publish_safely("a");
    CU_ASSERT(wait_until_ran(1));
    CU_ASSERT_EQUAL(warren_stop(worker, 20, &err), WARREN_TIMEOUT);
    CU_ASSERT_EQUAL(messages_in("q"), 2);
    CU_ASSERT_EQUAL(wr_memory_connections(server), 0);
    struct wr_pool *pool = worker->pool;
    atomic_store(&gate_is_open, true);
    CU_ASSERT(wr_pool_stop(pool, -1)); /* for the leak checker: the handler has ended */
    worker->pool = NULL;
    worker->is_abandoned = false;
    wr_front_publisher_free(worker->front);
    wr_publisher_free(worker->publisher);
    wr_consumer_free(worker->consumer);
    end();
}

static void a_worker_starts_and_stops_again_and_again(void)
{
    for (int i = 0; i < 20; i++) {
        begin("", "{ type = \"a\"; concurrency = 4; }");
        handle("a", work, 0);
        CU_ASSERT_EQUAL(warren_start(worker, &err), WARREN_OK);
        CU_ASSERT_EQUAL(warren_start(worker, &err), WARREN_STATE);
        if (i % 2 == 0) { /* a stop without patience would find it running now and then */
            publish("a", 1);
        }
        CU_ASSERT_EQUAL(warren_stop(worker, i % 2 ? 0 : 5000, &err), WARREN_OK);
        CU_ASSERT_EQUAL(warren_stop(worker, 0, &err), WARREN_STATE);
        end();
    }
}

static void handlers_that_fit_nowhere_are_named(void)
{
    warren *other = NULL;
    CU_ASSERT_EQUAL_FATAL(warren_open(&other, NULL, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_handle(other, "a.*", work, NULL, &err), WARREN_INVALID);
    CU_ASSERT_EQUAL(warren_handle_in(other, "nope", "b", work, NULL, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_start(other, &err), WARREN_CONFIG);
    CU_ASSERT_STRING_EQUAL(err.text,
                           "handler of job type \"b\": the configuration has no queue \"nope\"");
    warren_close(other);
    begin("", "{ type = \"a\"; }");
    handle("a", work, 0);
    CU_ASSERT_EQUAL(warren_handle_in(worker, "q", "c", work, NULL, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_handle(worker, "aa", work, NULL, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_start(worker, &err), WARREN_CONFIG);
    CU_ASSERT_STRING_EQUAL(err.text,
                           "handler of job type \"c\": queue \"q\" doesn't list this type\n"
                           "handler of job type \"aa\": no queue lists this type, did you "
                           "mean \"a\"?");
    end();
}

static void *look(void *user)
{
    warren_stats_data data = { .size = sizeof data };
    uint64_t done = 0;
    while (!atomic_load((atomic_bool *)user)) {
        warren_stats(worker, &data);
        CU_ASSERT(data.done >= done);
        done = data.done;
        (void)sched_yield();
    }
    return NULL;
}

static void anyone_may_look_while_a_worker_starts_and_stops(void)
{
    for (int i = 0; i < 20; i++) {
        struct wr_thread looker = { 0 };
        atomic_bool is_over = false;
        begin("", "{ type = \"a\"; concurrency = 4; }");
        handle("a", work, 0);
        CU_ASSERT_EQUAL_FATAL(wr_thread_start(&looker, "looker", WR_STACK_IO, look, &is_over, &err),
                              WARREN_OK);
        CU_ASSERT_EQUAL(warren_start(worker, &err), WARREN_OK);
        publish("a", 1);
        CU_ASSERT_EQUAL(warren_stop(worker, 5000, &err), WARREN_OK);
        CU_ASSERT(stats().draining); /* what the parts said last */
        atomic_store(&is_over, true);
        wr_thread_join(&looker);
        end();
    }
}

static void a_stop_may_wait_for_ever(void)
{
    begin("", "{ type = \"a\"; concurrency = 1; }");
    handle("a", wait_at_gate, 0);
    CU_ASSERT_EQUAL_FATAL(warren_start(worker, &err), WARREN_OK);
    publish_safely("a");
    CU_ASSERT(wait_until_ran(1));
    struct wr_thread opener = { 0 };
    CU_ASSERT_EQUAL_FATAL(
        wr_thread_start(&opener, "opener", WR_STACK_IO, open_gate_on_cancel, NULL, &err),
        WARREN_OK);
    CU_ASSERT_EQUAL(warren_stop(worker, INT64_MAX, &err), WARREN_OK);
    CU_ASSERT_EQUAL(stats().done, 1);
    wr_thread_join(&opener);
    end();
}

static void a_stop_right_after_a_publish_loses_no_message(void)
{
    for (int i = 0; i < 40; i++) {
        begin("", "{ type = \"a\"; }");
        handle("a", work, 0);
        CU_ASSERT_EQUAL_FATAL(warren_start(worker, &err), WARREN_OK);
        for (int n = 1; n <= 250; n++) {
            publish("a", 7 * n + 1);
        }
        CU_ASSERT_EQUAL(warren_stop(worker, 5000, &err), WARREN_OK);
        CU_ASSERT_EQUAL(messages_in("q") + stats().done, 250);
        end();
    }
}

static void no_broker_within_connect_wait_is_said(void)
{
    begin("", "{ type = \"a\"; }");
    handle("a", work, 0);
    worker->settings->broker.connect_wait_ms = 0;
    wr_memory_refuse_connects(server, true);
    CU_ASSERT_EQUAL(warren_start(worker, &err), WARREN_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "refused"));
    end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("worker", NULL, NULL);
    CU_ADD_TEST(suite, thousands_of_jobs_end_done_within_their_limits);
    CU_ADD_TEST(suite, connections_cut_in_the_middle_lose_no_job);
    CU_ADD_TEST(suite, a_stop_waits_for_running_jobs_and_gives_back_the_rest);
    CU_ADD_TEST(suite, a_stop_says_when_handlers_still_run_and_their_jobs_stay);
    CU_ADD_TEST(suite, a_worker_starts_and_stops_again_and_again);
    CU_ADD_TEST(suite, handlers_that_fit_nowhere_are_named);
    CU_ADD_TEST(suite, anyone_may_look_while_a_worker_starts_and_stops);
    CU_ADD_TEST(suite, a_stop_may_wait_for_ever);
    CU_ADD_TEST(suite, a_stop_right_after_a_publish_loses_no_message);
    CU_ADD_TEST(suite, no_broker_within_connect_wait_is_said);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
