// SPDX-License-Identifier: MIT
// The pool with real threads: limits hold under load, isolated types keep their threads, no job is
// forgotten, and the end waits for nobody but running handlers. No test sleeps: handlers wait for
// gates, tests for counts, both with a deadline.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "engine/pool.h"

enum { LANES = 5, DEADLINE_US = 20000000 };

/* One lane and what its jobs saw. */
struct bench {
    struct wr_job_settings settings;
    struct wr_lane lane;
    atomic_int running;
    atomic_int most; /* that ran at once */
    atomic_int ran;
    atomic_int slot; /* of the thread that ran the last one */
};

static struct bench benches[LANES];
static const struct wr_queue_settings queue = { .name = (char *)"q" };
static struct wr_pool *pool;

/* Under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static int total_ran;
static int shared_now;
static int shared_most;
static bool gate_is_open;
static int at_gate;
static atomic_bool only_marked; /* jobs without a tag pass the gate though it is closed */

static void note_most(atomic_int *most, int now)
{
    int seen = atomic_load(most);
    while (now > seen && !atomic_compare_exchange_weak(most, &seen, now)) {
    }
}

static void enter_shared(int by)
{
    WR_SCOPED_LOCK(&lock);
    shared_now += by;
    shared_most = shared_now > shared_most ? shared_now : shared_most;
}

static void pass_gate(void)
{
    WR_SCOPED_LOCK(&lock);
    at_gate++;
    (void)pthread_cond_broadcast(&changed);
    while (!gate_is_open && wr_cond_wait(&changed, &lock, DEADLINE_US)) {
    }
    at_gate--;
}

static void run(void *user, struct warren_job *job)
{
    struct bench *bench = WR_OF(job->lane, struct bench, lane);
    bool is_shared = !bench->settings.isolate;
    (void)user;
    note_most(&bench->most, atomic_fetch_add(&bench->running, 1) + 1);
    enter_shared(is_shared ? 1 : 0);
    if (job->tag || !atomic_load(&only_marked)) {
        pass_gate();
    }
    enter_shared(is_shared ? -1 : 0);
    (void)atomic_fetch_sub(&bench->running, 1);
    (void)atomic_fetch_add(&bench->ran, 1);
    atomic_store(&bench->slot, job->slot);
    wr_job_free(job);
    WR_SCOPED_LOCK(&lock);
    total_ran++;
    (void)pthread_cond_broadcast(&changed);
}

static void begin(int threads, int shared_limit, bool open)
{
    struct wr_pool_options options = { .threads = threads,
                                       .shared_limit = shared_limit,
                                       .run = run };
    total_ran = shared_now = shared_most = at_gate = 0;
    gate_is_open = open;
    atomic_store(&only_marked, false);
    memset(benches, 0, sizeof benches);
    CU_ASSERT_EQUAL_FATAL(wr_pool_new(&pool, &options, NULL), WARREN_OK);
}

static void make_lane(int number, int concurrency, bool isolate)
{
    struct bench *bench = &benches[number];
    bench->settings = (struct wr_job_settings){ .type = (char *)"t",
                                                .concurrency = concurrency,
                                                .isolate = isolate };
    bench->lane = (struct wr_lane){ .queue = &queue, .settings = &bench->settings };
}

static struct warren_job *make_job(int number)
{
    struct warren_job *job = calloc(1, sizeof *job);
    if (!job) {
        abort();
    }
    job->lane = &benches[number].lane;
    job->settings = &benches[number].settings;
    job->id = wr_slice_of("id");
    return job;
}

static void push(int number, int count)
{
    struct wr_list jobs = { 0 };
    for (int i = 0; i < count; i++) {
        wr_list_push(&jobs, &make_job(number)->link);
    }
    (void)wr_pool_push(pool, &jobs);
}

static bool wait_for(const int *what, int least)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    WR_SCOPED_LOCK(&lock);
    while (*what < least) {
        int64_t left_us = until_us - wr_clock_mono_us(NULL);
        if (left_us <= 0) {
            return false;
        }
        (void)wr_cond_wait(&changed, &lock, left_us);
    }
    return true;
}

static void open_gate(void)
{
    WR_SCOPED_LOCK(&lock);
    gate_is_open = true;
    (void)pthread_cond_broadcast(&changed);
}

static void no_type_ever_exceeds_its_limit_and_no_job_is_forgotten(void)
{
    static const int limits[LANES] = { 1, 2, 3, 5, 8 };
    for (int threads = 4; threads <= 8; threads += 2) {
        begin(threads, threads, true);
        for (int i = 0; i < LANES; i++) {
            make_lane(i, limits[i], i == 4);
        }
        for (int i = 0; i < 2000; i++) { /* batches of all sizes, workers asleep and awake */
            push(i % LANES, 1 + i % 3);
        }
        CU_ASSERT(wait_for(&total_ran, 3999));
        CU_ASSERT(wr_pool_stop(pool, -1));
        int ran = 0;
        for (int i = 0; i < LANES; i++) {
            CU_ASSERT(benches[i].most >= 1 && benches[i].most <= limits[i]);
            ran += benches[i].ran;
        }
        CU_ASSERT_EQUAL(ran, 3999);
    }
}

static void single_jobs_with_pauses_always_find_a_thread(void)
{
    begin(4, 4, true);
    make_lane(0, 4, false);
    for (int i = 1; i <= 3000; i++) {
        push(0, 1);
        CU_ASSERT_FATAL(wait_for(&total_ran, i)); /* a lost wake-up ends here */
    }
    CU_ASSERT(wr_pool_stop(pool, -1));
}

static bool wait_until_none_runs(void)
{
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (wr_pool_counts(pool).running && wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    return wr_pool_counts(pool).running == 0;
}

/* Also when the owner looks in before the thread that was woken is up. */
static void jobs_that_come_one_by_one_wake_one_thread_and_always_the_same(void)
{
    enum { THREADS = 8, ROUNDS = 500 };
    begin(THREADS, THREADS, false);
    make_lane(0, THREADS, false);
    push(0, THREADS);
    CU_ASSERT_FATAL(wait_for(&at_gate, THREADS)); /* all are up */
    open_gate();
    CU_ASSERT_FATAL(wait_for(&total_ran, THREADS));
    int slot = -1;
    for (int i = 1; i <= ROUNDS; i++) {
        CU_ASSERT_FATAL(wait_until_none_runs()); /* then all sleep before the next push gets in */
        push(0, 1);
        (void)wr_pool_rouse(pool);
        CU_ASSERT_FATAL(wait_for(&total_ran, THREADS + i));
        slot = slot < 0 ? benches[0].slot : slot;
        CU_ASSERT_EQUAL_FATAL(benches[0].slot, slot);
    }
    CU_ASSERT(wr_pool_stop(pool, -1));
}

static void a_type_reaches_its_limit_and_all_threads_are_used(void)
{
    begin(6, 6, false);
    make_lane(0, 2, false);
    make_lane(1, 4, false);
    push(0, 10);
    push(1, 10);
    CU_ASSERT(wait_for(&at_gate, 6));
    CU_ASSERT_EQUAL(benches[0].running, 2);
    CU_ASSERT_EQUAL(benches[1].running, 4);
    CU_ASSERT_EQUAL(wr_pool_counts(pool).running, 6);
    CU_ASSERT_EQUAL(wr_pool_counts(pool).waiting, 14);
    open_gate();
    CU_ASSERT(wait_for(&total_ran, 20));
    CU_ASSERT(wr_pool_stop(pool, -1));
}

static void isolated_types_find_their_threads_free_in_any_flood(void)
{
    begin(4, 2, false); /* two of the four belong to the isolated type */
    make_lane(0, 100, false);
    make_lane(1, 2, true);
    push(0, 100);
    CU_ASSERT(wait_for(&at_gate, 2));
    push(1, 5);
    CU_ASSERT(wait_for(&at_gate, 4));
    CU_ASSERT_EQUAL(benches[0].running, 2);
    CU_ASSERT_EQUAL(benches[1].running, 2);
    open_gate();
    CU_ASSERT(wait_for(&total_ran, 105));
    CU_ASSERT(shared_most <= 2);
    CU_ASSERT(benches[1].most <= 2);
    CU_ASSERT(wr_pool_stop(pool, -1));
}

static void types_take_turns(void)
{
    begin(0, 1, true);
    make_lane(0, 1, false);
    make_lane(1, 1, false);
    push(0, 50);
    push(1, 50);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT(wr_pool_step(pool));
    }
    CU_ASSERT_EQUAL(benches[0].ran, 10);
    CU_ASSERT_EQUAL(benches[1].ran, 10);
    while (wr_pool_step(pool)) {
    }
    CU_ASSERT_EQUAL(total_ran, 100);
    CU_ASSERT(wr_pool_stop(pool, 0));
}

static void take_back_finds_every_job_that_has_not_started(void)
{
    begin(2, 2, false);
    make_lane(0, 1, false); /* at its limit */
    make_lane(1, 1, false);
    make_lane(2, 4, false); /* no thread left for it */
    push(0, 3);
    push(1, 3);
    CU_ASSERT(wait_for(&at_gate, 2));
    push(2, 3);
    struct wr_list back = wr_pool_take_back(pool);
    CU_ASSERT_EQUAL(back.length, 7);
    CU_ASSERT_EQUAL(wr_pool_counts(pool).waiting, 0);
    open_gate();
    CU_ASSERT(wait_for(&total_ran, 2));
    (void)wr_pool_push(pool, &back); /* and the lanes still work */
    CU_ASSERT(wait_for(&total_ran, 9));
    CU_ASSERT(wr_pool_stop(pool, -1));
}

/* A lane whose jobs are known to take next to nothing, and then one that doesn't end, with `behind`
 * others of its type behind it: they are in one hand. */
static void fill_a_hand(int threads, int concurrency, int behind)
{
    begin(threads, threads, true);
    make_lane(0, concurrency, false);
    for (int i = 1; i <= 50; i++) {
        push(0, 20);
        CU_ASSERT(wait_for(&total_ran, i * 20));
    }
    CU_ASSERT(wr_lane_run_ns(&benches[0].lane) > 0);
    atomic_store(&benches[0].lane.run_ns, 1000);
    total_ran = 0;
    gate_is_open = false;
    atomic_store(&only_marked, true);
    struct wr_list jobs = { 0 };
    struct warren_job *stuck = make_job(0);
    stuck->tag = 1;
    wr_list_push(&jobs, &stuck->link);
    for (int i = 0; i < behind; i++) {
        wr_list_push(&jobs, &make_job(0)->link);
    }
    (void)wr_pool_push(pool, &jobs);
    CU_ASSERT(wait_for(&at_gate, 1));
}

static void a_job_that_hangs_holds_up_nobody_behind_it(void)
{
    fill_a_hand(3, 3, 30);
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (benches[0].ran < 1000 + 30 && wr_clock_mono_us(NULL) < until_us) {
        wr_pool_rouse(pool); /* what is left goes back when the hand has taken too long */
    }
    CU_ASSERT(wait_for(&total_ran, 30));
    CU_ASSERT_EQUAL(benches[0].running, 1);
    open_gate();
    CU_ASSERT(wr_pool_stop(pool, -1));
}

static void what_stands_behind_a_job_that_hangs_can_be_taken_back(void)
{
    fill_a_hand(2, 1, 30); /* at its limit: nobody may start them */
    wr_pool_rouse(pool);
    struct wr_list back = wr_pool_take_back(pool);
    CU_ASSERT_EQUAL(back.length, 30);
    open_gate();
    CU_ASSERT(wait_for(&total_ran, 1));
    (void)wr_pool_push(pool, &back);
    CU_ASSERT(wait_for(&total_ran, 31));
    CU_ASSERT_EQUAL(benches[0].most, 1);
    CU_ASSERT(wr_pool_stop(pool, -1));
}

static void a_stop_with_a_running_handler_says_so_and_frees_nothing(void)
{
    begin(3, 3, false);
    make_lane(0, 1, false);
    push(0, 1);
    CU_ASSERT(wait_for(&at_gate, 1));
    CU_ASSERT_FALSE(wr_pool_stop(pool, 0));
    CU_ASSERT_FALSE(wr_pool_stop(pool, 10000));
    CU_ASSERT_EQUAL(wr_pool_counts(pool).running, 1);
    open_gate();
    CU_ASSERT(wr_pool_stop(pool, -1));
    CU_ASSERT_EQUAL(total_ran, 1);
}

static void a_stop_of_idle_threads_needs_no_time(void)
{
    for (int i = 0; i < 50; i++) {
        begin(4, 4, true);
        CU_ASSERT(wr_pool_stop(pool, 0));
    }
    CU_ASSERT(wr_pool_stop(NULL, 0));
}

static void a_stop_starts_no_waiting_job(void)
{
    begin(1, 1, false);
    make_lane(0, 1, false);
    push(0, 5);
    CU_ASSERT(wait_for(&at_gate, 1));
    CU_ASSERT_FALSE(wr_pool_stop(pool, 0));
    open_gate();
    CU_ASSERT(wr_pool_stop(pool, -1));
    CU_ASSERT_EQUAL(total_ran, 1);
    CU_ASSERT_EQUAL(benches[0].lane.waiting.length, 4);
    for (struct wr_link *link; (link = wr_list_take(&benches[0].lane.waiting));) {
        wr_job_free(WR_OF(link, struct warren_job, link));
    }
}

static void jobs_past_their_timeout_are_counted_once_each(void)
{
    begin(2, 2, false);
    make_lane(0, 2, false);
    benches[0].settings.timeout_ms = 1;
    push(0, 2);
    CU_ASSERT(wait_for(&at_gate, 2));
    int64_t until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (wr_pool_counts(pool).overruns < 2 && wr_clock_mono_us(NULL) < until_us) {
        wr_pool_watch(pool);
    }
    wr_pool_watch(pool);
    CU_ASSERT_EQUAL(wr_pool_counts(pool).overruns, 2);
    open_gate();
    CU_ASSERT(wr_pool_stop(pool, -1));
}

static void a_run_that_was_too_long_counts_though_nobody_looked(void)
{
    begin(1, 1, false);
    make_lane(0, 1, false);
    benches[0].settings.timeout_ms = 1;
    push(0, 1);
    CU_ASSERT(wait_for(&at_gate, 1));
    int64_t until_us = wr_clock_mono_us(NULL) + 3000;
    while (wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    open_gate();
    until_us = wr_clock_mono_us(NULL) + DEADLINE_US;
    while (wr_pool_counts(pool).running && wr_clock_mono_us(NULL) < until_us) {
        (void)sched_yield();
    }
    CU_ASSERT_EQUAL(wr_pool_counts(pool).overruns, 1);
    CU_ASSERT(wr_pool_stop(pool, -1));
}

int main(void)
{
    wr_cond_init(&changed);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pool", NULL, NULL);
    CU_ADD_TEST(suite, no_type_ever_exceeds_its_limit_and_no_job_is_forgotten);
    CU_ADD_TEST(suite, single_jobs_with_pauses_always_find_a_thread);
    CU_ADD_TEST(suite, jobs_that_come_one_by_one_wake_one_thread_and_always_the_same);
    CU_ADD_TEST(suite, a_type_reaches_its_limit_and_all_threads_are_used);
    CU_ADD_TEST(suite, isolated_types_find_their_threads_free_in_any_flood);
    CU_ADD_TEST(suite, types_take_turns);
    CU_ADD_TEST(suite, take_back_finds_every_job_that_has_not_started);
    CU_ADD_TEST(suite, a_job_that_hangs_holds_up_nobody_behind_it);
    CU_ADD_TEST(suite, what_stands_behind_a_job_that_hangs_can_be_taken_back);
    CU_ADD_TEST(suite, a_stop_with_a_running_handler_says_so_and_frees_nothing);
    CU_ADD_TEST(suite, a_stop_of_idle_threads_needs_no_time);
    CU_ADD_TEST(suite, a_stop_starts_no_waiting_job);
    CU_ADD_TEST(suite, jobs_past_their_timeout_are_counted_once_each);
    CU_ADD_TEST(suite, a_run_that_was_too_long_counts_though_nobody_looked);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
