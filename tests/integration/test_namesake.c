// SPDX-License-Identifier: MIT
// A queue is deleted while its jobs run, and another one of that name takes its place. What was taken from
// the first must never be acknowledged to the second, whose jobs would be taken for done while they run.
#include <CUnit/Basic.h>
#include <stdatomic.h>

#include "crew.h"
#include "stranger.h"

enum { JOBS = 4, WAIT_MS = 60000 };

static atomic_bool may_end_first;
static atomic_bool may_end_second;

static bool is_open(void *user)
{
    return atomic_load((atomic_bool *)user);
}

static warren_verdict wait_for_gate(warren_job *job, void *user)
{
    (void)user;
    size_t run = crew_note(job);
    bool is_first = strncmp(warren_job_id(job), "first", 5) == 0;
    (void)live_wait(is_open, is_first ? &may_end_first : &may_end_second, 2 * WAIT_MS);
    crew_note_end(run);
    return WARREN_DONE;
}

static void publish(warren *w, const char *group)
{
    for (int i = 0; i < JOBS; i++) {
        char id[32];
        warren_error err = { .status = WARREN_OK };
        (void)snprintf(id, sizeof id, "%s-%d", group, i);
        const warren_message message = { .type = "wait", .body = "{}", .id = id };
        CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, &err), WARREN_OK);
        CU_ASSERT_STRING_EQUAL(err.text, "");
    }
}

/* Not before it is consumed again: what a quorum queue takes while it is deleted is lost with it. */
static bool is_ready(void *user)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(user, &stats);
    return stats.ready;
}

static bool is_unready(void *user)
{
    return !is_ready(user);
}

static bool has_done_first(void *user)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(user, &stats);
    return stats.done == JOBS;
}

static void its_jobs_are_not_taken_for_done(const char *kind)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   "queue: { name = \"%s\"; type = \"%s\"; prefetch = %d; jobs: ( { type = "
                   "\"wait\"; concurrency = %d; } ); };",
                   kind, kind, JOBS, 4 * JOBS);
    char *config = crew_config("threads = 16;", text);
    crew_forget();
    atomic_store(&may_end_first, false);
    atomic_store(&may_end_second, false);
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "wait", wait_for_gate, NULL, NULL));
    crew_start(w);
    publish(w, "first");
    CU_ASSERT_FATAL(crew_wait_runs(JOBS, WAIT_MS));
    stranger_open();
    stranger_delete(kind);
    stranger_close();
    CU_ASSERT_FATAL(live_wait(is_unready, w, WAIT_MS)); /* which it is for a second */
    CU_ASSERT_FATAL(live_wait(is_ready, w, WAIT_MS));
    publish(w, "second");
    CU_ASSERT_FATAL(crew_wait_runs(2 * JOBS, WAIT_MS)); /* consumed again, while the first run on */
    atomic_store(&may_end_first, true);
    CU_ASSERT(live_wait(has_done_first, w, WAIT_MS));
    /* The command takes a second, twenty times what an acknowledgement waits for at most. */
    free(
        live_ctl("close_all_connections", "--vhost", live_vhost(), "to see what comes back", NULL));
    CU_ASSERT(crew_wait_runs(3 * JOBS, WAIT_MS));
    atomic_store(&may_end_second, true);
    CU_ASSERT(crew_wait_depth(config, kind, 0, WAIT_MS));
    crew_stop(w);
    CU_ASSERT_EQUAL(crew_runs(), 3 * JOBS);
    free(config);
}

static void a_classic_queues_namesake(void)
{
    its_jobs_are_not_taken_for_done("classic");
}

static void a_quorum_queues_namesake(void)
{
    its_jobs_are_not_taken_for_done("quorum");
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("namesake", NULL, NULL);
    CU_ADD_TEST(suite, a_classic_queues_namesake);
    CU_ADD_TEST(suite, a_quorum_queues_namesake);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
