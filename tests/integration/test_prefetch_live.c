// SPDX-License-Identifier: MIT
// The automatic prefetch at a real broker: more quick jobs are handed over, none twice, and
// as soon as they are long ones what has not started goes back, for whoever is idle.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crew.h"
#include "live.h"

enum { QUICK = 4000, LONG = 300, LONG_MS = 250, DEADLINE_MS = 60000, THREADS = 2 };

static atomic_bool are_long;
static atomic_int runs;

static warren_verdict run(warren_job *job, void *user)
{
    const struct timespec time = { .tv_nsec = LONG_MS * 1000000L };
    (void)job;
    (void)user;
    (void)atomic_fetch_add(&runs, 1);
    if (atomic_load(&are_long)) {
        (void)nanosleep(&time, NULL);
    }
    return WARREN_DONE;
}

static warren_stats_data stats_of(const warren *w)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    return stats;
}

static bool all_quick_are_done(void *user)
{
    return stats_of(user).done >= QUICK;
}

/* How far depends on the machine: a sanitizer's jobs aren't that quick. */
static bool has_grown(void *user)
{
    return stats_of(user).prefetch > 2 * THREADS;
}

static bool is_small_again(void *user)
{
    warren_stats_data stats = stats_of(user);
    return stats.prefetch == THREADS && stats.given_back > 0 && stats.in_flight <= 2 * THREADS;
}

static void publish(warren *w, int count)
{
    warren_batch *batch = NULL;
    warren_error err;
    size_t confirmed = 0;
    warren_message message = { .type = "job", .body = "x" };
    CU_ASSERT_FATAL(!warren_batch_open(&batch, warren_worker_publisher(w), 0, &err));
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(warren_batch_publish(batch, &message, &err), WARREN_OK);
    }
    CU_ASSERT_EQUAL(warren_batch_close(batch, &confirmed, &err), WARREN_OK);
    CU_ASSERT_EQUAL(confirmed, (size_t)count);
}

static void it_follows_what_the_jobs_take(const char *kind)
{
    char queue[200];
    (void)snprintf(queue, sizeof queue,
                   "queue: { name = \"%s\"; type = \"%s\"; jobs: ( { type = \"job\"; "
                   "concurrency = %d; } ); };",
                   kind, kind, THREADS);
    char *config = crew_config("", queue);
    warren *w = crew_open(config);
    atomic_store(&are_long, false);
    atomic_store(&runs, 0);
    CU_ASSERT_FATAL(!warren_handle(w, "job", run, NULL, NULL));
    crew_start(w);
    publish(w, QUICK);
    CU_ASSERT(live_wait(all_quick_are_done, w, DEADLINE_MS));
    CU_ASSERT_EQUAL(atomic_load(&runs), QUICK);
    CU_ASSERT(live_wait(has_grown, w, DEADLINE_MS));
    CU_ASSERT(stats_of(w).prefetch_changes >= 1);
    CU_ASSERT_EQUAL(stats_of(w).redelivered, 0);
    atomic_store(&are_long, true);
    publish(w, LONG);
    CU_ASSERT(live_wait(is_small_again, w, DEADLINE_MS));
    CU_ASSERT(stats_of(w).done < QUICK + LONG / 2);
    CU_ASSERT_EQUAL(stats_of(w).channel_losses, 0);
    CU_ASSERT_EQUAL(stats_of(w).connections, 1);
    crew_stop(w);
    free(config);
}

static void of_a_quorum_queue_it_follows_what_the_jobs_take(void)
{
    it_follows_what_the_jobs_take("quorum");
}

static void of_a_classic_queue_it_follows_what_the_jobs_take(void)
{
    it_follows_what_the_jobs_take("classic");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("prefetch at a broker", NULL, NULL);
    CU_ADD_TEST(suite, of_a_quorum_queue_it_follows_what_the_jobs_take);
    CU_ADD_TEST(suite, of_a_classic_queue_it_follows_what_the_jobs_take);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
