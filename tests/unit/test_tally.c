// SPDX-License-Identifier: MIT
// What is counted of jobs: histograms, shards, and the meter of one job.
#include <CUnit/Basic.h>
#include <pthread.h>
#include <string.h>

#include "engine/meter.h"
#include "engine/source.h"

/* --- histograms --- */

static void a_duration_is_in_the_first_bucket_that_holds_it(void)
{
    CU_ASSERT_EQUAL(wr_histogram_bucket(0), 0);
    CU_ASSERT_EQUAL(wr_histogram_bucket(1000), 0);
    CU_ASSERT_EQUAL(wr_histogram_bucket(1001), 1);
    CU_ASSERT_EQUAL(wr_histogram_bucket(INT64_C(1800000000)), WR_HISTOGRAM_BOUNDS - 1);
    CU_ASSERT_EQUAL(wr_histogram_bucket(INT64_C(1800000001)), WR_HISTOGRAM_BOUNDS);
    for (int i = 1; i < WR_HISTOGRAM_BOUNDS; i++) {
        CU_ASSERT(wr_histogram_bounds_us[i] > wr_histogram_bounds_us[i - 1]);
    }
}

static void a_clock_that_was_set_back_counts_as_no_time(void)
{
    struct wr_histogram histogram = { .sum_us = 0 };
    struct wr_histogram_sum sum = { .sum_us = 0 };
    wr_histogram_add(&histogram, -5000000);
    wr_histogram_add(&histogram, 2000);
    wr_histogram_gather(&histogram, &sum);
    CU_ASSERT_EQUAL(sum.buckets[0], 1);
    CU_ASSERT_EQUAL(sum.buckets[1], 1);
    CU_ASSERT_EQUAL(sum.sum_us, 2000);
}

static void a_quantile_lies_in_its_bucket(void)
{
    struct wr_histogram_sum sum = { .sum_us = 0 };
    CU_ASSERT_EQUAL((int)wr_histogram_quantile_us(&sum, 0.5), 0);
    sum.buckets[3] = 90; /* 5 to 10 ms */
    sum.buckets[6] = 10; /* 50 to 100 ms */
    CU_ASSERT_EQUAL((int)wr_histogram_quantile_us(&sum, 0.45), 7500);
    CU_ASSERT_EQUAL((int)wr_histogram_quantile_us(&sum, 0.95), 75000);
    sum.buckets[WR_HISTOGRAM_BOUNDS] = 1000;
    CU_ASSERT_EQUAL((int64_t)wr_histogram_quantile_us(&sum, 0.99), INT64_C(1800000000));
}

/* --- shards --- */

enum { THREADS = 12, ROUNDS = 20000 };

struct counting {
    struct wr_tally *tally;
    int slot;
};

static void *count_many(void *user)
{
    const struct counting *own = user;
    for (int i = 0; i < ROUNDS; i++) {
        struct wr_tally_shard *shard = wr_tally_shard(own->tally, own->slot);
        wr_count(&shard->outcomes[i % WR_OUTCOMES]);
        wr_histogram_add(&shard->run, i);
    }
    return NULL;
}

static void more_threads_than_shards_lose_no_count(void)
{
    struct wr_tally tally = { .next_exemplar_us = 0 };
    struct wr_tally_sum sum = { .last_done_ms = 0 };
    pthread_t threads[THREADS];
    struct counting counting[THREADS];
    for (int i = 0; i < THREADS; i++) {
        counting[i] = (struct counting){ &tally, i };
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, count_many, &counting[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    wr_tally_gather(&tally, &sum);
    uint64_t outcomes = 0;
    uint64_t runs = 0;
    for (int i = 0; i < WR_OUTCOMES; i++) {
        outcomes += sum.outcomes[i];
    }
    for (int i = 0; i < WR_HISTOGRAM_BUCKETS; i++) {
        runs += sum.run.buckets[i];
    }
    CU_ASSERT_EQUAL(outcomes, (uint64_t)THREADS * ROUNDS);
    CU_ASSERT_EQUAL(runs, (uint64_t)THREADS * ROUNDS);
    CU_ASSERT_EQUAL(sum.run.sum_us, (uint64_t)THREADS * ROUNDS * (ROUNDS - 1) / 2);
    wr_tally_done(&tally);
}

/* --- exemplars --- */

static void of_each_second_one_run_is_kept(void)
{
    struct wr_tally tally = { .next_exemplar_us = 0 };
    const struct wr_exemplar exemplar = { "0af7651916cd43dd8448eb211c80319c", 7000, 1700000000250 };
    CU_ASSERT_STRING_EQUAL(wr_tally_exemplar(&tally).trace_id, "");
    CU_ASSERT(wr_tally_wants_exemplar(&tally, 5000000));
    CU_ASSERT_FALSE(wr_tally_wants_exemplar(&tally, 5999999));
    wr_tally_give_exemplar(&tally, &exemplar);
    CU_ASSERT(wr_tally_wants_exemplar(&tally, 6000000));
    CU_ASSERT_STRING_EQUAL(wr_tally_exemplar(&tally).trace_id, exemplar.trace_id);
    CU_ASSERT_EQUAL(wr_tally_exemplar(&tally).run_us, 7000);
}

/* --- one job --- */

static struct wr_lane lane;
static struct wr_source source;
static struct wr_tally_sum sum;

/* A job that came at 1,000,000 ms of the wall clock and 0 of the monotonic one, and ran from 10 ms to
 * 60 ms. */
static struct warren_job make_job(void)
{
    memset(&lane, 0, sizeof lane);
    memset(&source, 0, sizeof source);
    return (struct warren_job){
        .lane = &lane, .source = &source, .wall_ahead_us = INT64_C(1000000000), .started_us = 10000
    };
}

static void gather(const struct wr_tally *tally)
{
    sum = (struct wr_tally_sum){ .last_done_ms = 0 };
    wr_tally_gather(tally, &sum);
}

static void tidy(void)
{
    wr_tally_done(&lane.tally);
    wr_tally_done(&source.strangers);
}

static void a_wait_is_what_is_left_without_the_delay(void)
{
    struct warren_job job = make_job();
    job.books.enqueued_ms = 400000;
    job.books.run_at_ms = 999810;
    wr_meter_run(&job, 60000);
    wr_meter_outcome(&job, WR_OUTCOME_DONE);
    gather(&lane.tally);
    CU_ASSERT_EQUAL(sum.run.sum_us, 50000);
    CU_ASSERT_EQUAL(sum.wait.sum_us, 200000);
    CU_ASSERT_EQUAL(sum.total.sum_us, INT64_C(600060000));
    CU_ASSERT_EQUAL(sum.outcomes[WR_OUTCOME_DONE], 1);
    CU_ASSERT_EQUAL(sum.last_done_ms, 1000060);
    tidy();
}

static void a_job_delivered_twice_has_no_wait(void)
{
    struct warren_job job = make_job();
    job.books.enqueued_ms = 400000;
    job.redelivered = true;
    wr_meter_run(&job, 60000);
    gather(&lane.tally);
    CU_ASSERT_EQUAL(sum.run.buckets[5], 1);
    CU_ASSERT_EQUAL(sum.wait.sum_us, 0);
    tidy();
}

static void a_retry_is_not_the_end(void)
{
    struct warren_job job = make_job();
    job.books.enqueued_ms = 400000;
    wr_meter_run(&job, 60000);
    wr_meter_outcome(&job, WR_OUTCOME_RETRY);
    gather(&lane.tally);
    CU_ASSERT_EQUAL(sum.outcomes[WR_OUTCOME_RETRY], 1);
    CU_ASSERT_EQUAL(sum.total.sum_us, 0);
    CU_ASSERT_EQUAL(sum.last_done_ms, 0);
    tidy();
}

static void who_sent_no_time_has_none(void)
{
    struct warren_job job = make_job();
    wr_meter_run(&job, 60000);
    wr_meter_outcome(&job, WR_OUTCOME_DONE);
    gather(&lane.tally);
    CU_ASSERT_EQUAL(sum.run.sum_us, 50000);
    CU_ASSERT_EQUAL(sum.wait.sum_us + sum.total.sum_us, 0);
    tidy();
}

static void a_dead_letter_is_counted_by_its_reason(void)
{
    struct warren_job job = make_job();
    job.lane = NULL;
    wr_meter_death(&job, "unknown_type");
    wr_meter_death(&job, "a word of nobody's");
    gather(&source.strangers);
    CU_ASSERT_EQUAL(sum.outcomes[WR_OUTCOME_DEAD], 2);
    CU_ASSERT_EQUAL(wr_counted(&source.counts.dead[wr_reason_find("unknown_type")]), 1);
    CU_ASSERT_EQUAL(wr_counted(&source.counts.dead[WR_REASONS - 1]), 1);
    CU_ASSERT_STRING_EQUAL(wr_reason_names[WR_REASONS - 1], "other");
    tidy();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tally", NULL, NULL);
    CU_ADD_TEST(suite, a_duration_is_in_the_first_bucket_that_holds_it);
    CU_ADD_TEST(suite, a_clock_that_was_set_back_counts_as_no_time);
    CU_ADD_TEST(suite, a_quantile_lies_in_its_bucket);
    CU_ADD_TEST(suite, more_threads_than_shards_lose_no_count);
    CU_ADD_TEST(suite, of_each_second_one_run_is_kept);
    CU_ADD_TEST(suite, a_wait_is_what_is_left_without_the_delay);
    CU_ADD_TEST(suite, a_job_delivered_twice_has_no_wait);
    CU_ADD_TEST(suite, a_retry_is_not_the_end);
    CU_ADD_TEST(suite, who_sent_no_time_has_none);
    CU_ADD_TEST(suite, a_dead_letter_is_counted_by_its_reason);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
