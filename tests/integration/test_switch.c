// SPDX-License-Identifier: MIT
/*
 * Isolating a type and taking that back, with workers restarted in between: jobs that waited in a
 * queue, in the ladder by their type or in the ladder as a retry when the switch came run exactly
 * once, and none is stranded in the queue that is no longer asked for.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "live.h"

enum { EACH = 20, WAIT_MS = 3000 };

static const char shared_text[] =
    "queue: { name = \"post\"; retry: { backoff = \"fixed\"; first = \"3s\"; jitter = 0.0; }; "
    "jobs: ( { type = \"letter\"; concurrency = 4; }, { type = \"parcel\"; concurrency = 4; } ); "
    "};";
static const char isolated_text[] =
    "queue: { name = \"post\"; retry: { backoff = \"fixed\"; first = \"3s\"; jitter = 0.0; }; "
    "jobs: ( { type = \"letter\"; concurrency = 4; }, { type = \"parcel\"; concurrency = 4; "
    "isolate = true; } ); };";

/* A job whose body is "fail" fails once. */
static warren_verdict work(warren_job *job, void *user)
{
    size_t size = 0;
    const char *body = warren_job_body(job, &size);
    (void)user;
    crew_note_end(crew_note(job));
    bool fails = size == 4 && memcmp(body, "fail", 4) == 0 && warren_job_attempt(job) == 1;
    return fails ? warren_retry(job, "once") : WARREN_DONE;
}

static warren *start_worker(const char *config)
{
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "letter", work, NULL, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "parcel", work, NULL, NULL));
    crew_start(w);
    return w;
}

/* Ids say the phase in which a job was published and which one it is. */
static void publish(const char *config, const char *phase, const char *body, int64_t delay_ms)
{
    warren_publisher *publisher = NULL;
    warren_error err;
    CU_ASSERT_FATAL(!warren_publisher_open(&publisher, config, &err));
    for (int i = 0; i < EACH; i++) {
        char id[64];
        (void)snprintf(id, sizeof id, "%s-%d", phase, i);
        warren_message message = {
            .type = i % 4 ? "parcel" : "letter", .body = body, .id = id, .delay_ms = delay_ms
        };
        CU_ASSERT_EQUAL(warren_publish(publisher, &message, &err), WARREN_OK);
    }
    warren_publisher_close(publisher);
}

static bool has_retried(void *user)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(user, &stats);
    return stats.retried == EACH && stats.in_flight == 0;
}

/* With this configuration: some wait in the ladder as a retry, some by their type, and some in
 * their queue, while no worker runs. */
static void leave_jobs(const char *config, const char *phase)
{
    char name[32];
    warren *w = start_worker(config);
    (void)snprintf(name, sizeof name, "%s.failed", phase);
    publish(config, name, "fail", 0);
    CU_ASSERT_FATAL(live_wait(has_retried, w, 10000));
    (void)snprintf(name, sizeof name, "%s.delayed", phase);
    publish(config, name, "x", WAIT_MS);
    crew_stop(w);
    (void)snprintf(name, sizeof name, "%s.waiting", phase);
    publish(config, name, "x", 0);
}

/* Each id ran as often as it should: twice when it failed once. Returns how many jobs there were.
 */
static size_t check_runs(void)
{
    size_t jobs = 0;
    for (size_t i = 0; i < crew_runs(); i++) {
        struct crew_run run = crew_run(i);
        size_t times = 0;
        bool is_first = true;
        for (size_t j = 0; j < crew_runs(); j++) {
            struct crew_run other = crew_run(j);
            bool is_same = strcmp(run.id, other.id) == 0;
            times += is_same;
            is_first = is_first && (!is_same || j >= i);
        }
        size_t want = strstr(run.id, ".failed-") ? 2 : 1;
        if (times != want) {
            (void)fprintf(stderr, "job %s ran %zu times\n", run.id, times);
        }
        CU_ASSERT_EQUAL(times, want);
        jobs += is_first;
    }
    return jobs;
}

static void expect_empty(const char *config)
{
    static const char *const queues[] = { "post", "post.dead", "warren.unrouted" };
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT(crew_wait_depth(config, queues[i], 0, 5000));
    }
}

static char *bindings(void)
{
    return live_ctl("list_bindings", "-p", live_vhost(), "source_name", "destination_name",
                    "routing_key", NULL);
}

/* Leaves jobs with one configuration, switches, publishes some more, and looks who ran. */
static void switch_over(const char *before, const char *after, const char *phase)
{
    crew_forget();
    leave_jobs(before, phase);
    warren *w = start_worker(after);
    publish(after, "after", "x", 0);
    publish(after, "after.delayed", "x", 375);
    CU_ASSERT(crew_wait_runs(6 * EACH, 20000)); /* five lots, one of them twice */
    expect_empty(after);
    crew_stop(w);
    CU_ASSERT_EQUAL(check_runs(), 5 * EACH);
}

static void no_switch_strands_or_doubles_a_job(void)
{
    char *shared = crew_config("", shared_text);
    char *isolated = crew_config("", isolated_text);
    switch_over(shared, isolated, "on");
    char *list = bindings();
    CU_ASSERT_PTR_NOT_NULL(strstr(list, "warren.jobs\tpost.parcel\tparcel"));
    CU_ASSERT_PTR_NULL(strstr(list, "warren.jobs\tpost\tparcel"));
    CU_ASSERT_PTR_NOT_NULL(strstr(list, "warren.jobs\tpost\tletter"));
    free(list);
    switch_over(isolated, shared, "off");
    list = bindings();
    CU_ASSERT_PTR_NULL(strstr(list, "warren.jobs\tpost.parcel\tparcel"));
    CU_ASSERT_PTR_NOT_NULL(strstr(list, "warren.jobs\tpost\tparcel"));
    free(list);
    CU_ASSERT(crew_wait_depth(isolated, "post.parcel", 0, 5000));
    switch_over(shared, isolated, "on again");
    free(shared);
    free(isolated);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("switch", NULL, NULL);
    CU_ADD_TEST(suite, no_switch_strands_or_doubles_a_job);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
