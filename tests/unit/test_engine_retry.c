// SPDX-License-Identifier: MIT
// What becomes of a job: done, retried with exact waits, dead with its history, snoozed, discarded.
// The whole engine on the memory broker, in virtual time.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "story.h"

static struct story story;

static void a_published_job_is_done_once(void)
{
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    CU_ASSERT_EQUAL(story_publish(&story, "a", "id-1"), WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 1);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_STRING_EQUAL(story.runs[0].id, "id-1");
    CU_ASSERT_EQUAL(story.runs[0].attempt, 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 0);
    CU_ASSERT_EQUAL(story_stats(&story).done, 1);
    CU_ASSERT_EQUAL(story_stats(&story).in_flight, 0);
    story_close(&story);
}

/* Runs a job that always fails to its end; the waits between its runs. */
static void fail_until_dead(const char *options, const char *jobs, int64_t *waits, int count)
{
    story_open_queue(&story, options, jobs);
    story_handle(&story, "a");
    story.act = story_retry;
    CU_ASSERT_EQUAL_FATAL(story_publish(&story, "a", "id-1"), WARREN_OK);
    CU_ASSERT_EQUAL(story_advance(&story, 24 * 3600000), count + 1);
    for (int i = 0; i < count; i++) {
        waits[i] = story.runs[i + 1].at_ms - story.runs[i].at_ms;
        CU_ASSERT_EQUAL(story.runs[i + 1].attempt, i + 2);
    }
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 1);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
}

static void five_failures_make_four_exact_waits_and_a_dead_letter(void)
{
    int64_t waits[4];
    fail_until_dead("retry: { first = \"1s\"; factor = 2.0; max = \"10m\"; jitter = 0.0; };",
                    "{ type = \"a\"; }", waits, 4);
    const int64_t want[] = { 1000, 2000, 4000, 8000 };
    CU_ASSERT_EQUAL(memcmp(waits, want, sizeof want), 0);
    CU_ASSERT_STRING_EQUAL(warren_test_dead_reason(story.test, "q", 0), "failed");
    CU_ASSERT_STRING_EQUAL(warren_test_dead_error(story.test, "q", 0), "failed at attempt 5");
    CU_ASSERT_EQUAL_FATAL(story.test->letter.data.error_count, 5);
    for (int i = 0; i < 5; i++) {
        const warren_dead_error *error = &story.test->letter.data.errors[i];
        CU_ASSERT_EQUAL(error->attempt, i + 1);
        CU_ASSERT_EQUAL(error->at_ms - story.test->letter.data.errors[0].at_ms,
                        story.runs[i].at_ms - story.runs[0].at_ms);
    }
    CU_ASSERT_EQUAL(story.test->letter.data.attempts, 5);
    CU_ASSERT_EQUAL(warren_test_published(story.test, "a"), 1); /* retries do not count */
    CU_ASSERT_EQUAL(story_stats(&story).retried, 4);
    CU_ASSERT_EQUAL(story_stats(&story).dead, 1);
    story_close(&story);
}

static void fixed_waits_are_all_the_same(void)
{
    int64_t waits[2];
    fail_until_dead(
        "retry: { attempts = 3; backoff = \"fixed\"; first = \"1500ms\"; jitter = 0.0; };",
        "{ type = \"a\"; }", waits, 2);
    CU_ASSERT_EQUAL(waits[0], 1500);
    CU_ASSERT_EQUAL(waits[1], 1500);
    story_close(&story);
}

static void listed_waits_come_in_their_order_and_the_last_repeats(void)
{
    int64_t waits[4];
    fail_until_dead("",
                    "{ type = \"a\"; retry: { backoff = \"list\"; delays = [\"5s\", \"1m\", "
                    "\"10m\"]; jitter = 0.0; }; }",
                    waits, 4);
    const int64_t want[] = { 5000, 60000, 600000, 600000 };
    CU_ASSERT_EQUAL(memcmp(waits, want, sizeof want), 0);
    story_close(&story);
}

static void jitter_makes_waits_longer_within_its_bound_never_shorter(void)
{
    int64_t waits[19];
    fail_until_dead(
        "retry: { attempts = 20; backoff = \"fixed\"; first = \"10s\"; jitter = 0.5; };",
        "{ type = \"a\"; }", waits, 19);
    for (int i = 0; i < 19; i++) {
        CU_ASSERT(waits[i] >= 10000 && waits[i] <= 15000);
    }
    story_close(&story);
}

static warren_verdict ask_for_later(struct story *told, warren_job *job)
{
    return warren_job_attempt(job) == 1 ? warren_retry_after(job, 3001, "rate limit")
                                        : story_done(told, job);
}

static void retry_after_waits_as_asked_rounded_up(void)
{
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = ask_for_later;
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_advance(&story, 3124), 1);
    CU_ASSERT_EQUAL(story_advance(&story, 1), 1);
    CU_ASSERT_EQUAL(story.runs[1].attempt, 2);
    story_close(&story);
}

static warren_verdict snooze_three_times(struct story *told, warren_job *job)
{
    CU_ASSERT_EQUAL(warren_job_snoozes(job), told->run_count - 1);
    return told->run_count <= 3 ? warren_snooze(job, 60000) : story_retry(told, job);
}

static void a_snooze_charges_no_attempt(void)
{
    story_open_queue(&story, "retry: { attempts = 1; };", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = snooze_three_times;
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_advance(&story, 180000), 4);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(story.runs[i].attempt, 1);
        CU_ASSERT_EQUAL(story.runs[i].at_ms, i * 60000);
    }
    CU_ASSERT_EQUAL(story_stats(&story).snoozed, 3);
    CU_ASSERT_STRING_EQUAL(warren_test_dead_reason(story.test, "q", 0), "failed");
    CU_ASSERT_EQUAL(story.test->letter.data.error_count, 1);
    story_close(&story);
}

static warren_verdict throw_away(struct story *told, warren_job *job)
{
    (void)told;
    return warren_discard(job, "no such user");
}

static void a_discarded_job_is_gone(void)
{
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = throw_away;
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 0);
    CU_ASSERT_EQUAL(story_stats(&story).discarded, 1);
    story_close(&story);
}

static warren_verdict bury(struct story *told, warren_job *job)
{
    (void)told;
    return warren_dead(job, "no address");
}

static void a_job_that_is_declared_dead_dies_at_once_with_its_text(void)
{
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = bury;
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 1);
    CU_ASSERT_STRING_EQUAL(warren_test_dead_reason(story.test, "q", 0), "dead");
    CU_ASSERT_STRING_EQUAL(warren_test_dead_error(story.test, "q", 0), "no address");
    CU_ASSERT_EQUAL(warren_test_dead_reason(story.test, "q", 1), NULL);
    story_close(&story);
}

static warren_verdict say_nonsense(struct story *told, warren_job *job)
{
    (void)told;
    (void)job;
    return (warren_verdict)77;
}

static void a_verdict_that_is_none_makes_a_dead_letter(void)
{
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = say_nonsense;
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 1);
    CU_ASSERT_STRING_EQUAL(warren_test_dead_reason(story.test, "q", 0), "bad_verdict");
    story_close(&story);
}

static void a_message_may_bring_its_own_attempts_and_backoff(void)
{
    const warren_message message = { .type = "a", .max_attempts = 3, .backoff = "list 2s 7s" };
    story_open_queue(&story, "retry: { jitter = 0.0; };", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = story_retry;
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 3);
    CU_ASSERT_EQUAL(story.runs[1].at_ms, 2000);
    CU_ASSERT_EQUAL(story.runs[2].at_ms, 9000);
    CU_ASSERT_STRING_EQUAL(warren_test_dead_reason(story.test, "q", 0), "failed");
    story_close(&story);
}

static warren_verdict ask_for_too_late(struct story *told, warren_job *job)
{
    return warren_job_attempt(job) == 1 ? warren_retry_after(job, INT64_MAX, "next life")
                                        : story_done(told, job);
}

static void a_retry_asked_beyond_delay_max_waits_delay_max(void)
{
    const char *const queues[] = { "queue: { name = \"q\"; jobs = ({ type = \"a\"; }); };", NULL };
    story_open(&story, "delay: { max = \"1h\"; };", queues);
    story_handle(&story, "a");
    story.act = ask_for_too_late;
    (void)story_publish(&story, "a", NULL);
    CU_ASSERT_EQUAL(story_advance(&story, 2 * 3600000), 2);
    CU_ASSERT_EQUAL(story.runs[1].at_ms, 3600000);
    story_close(&story);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("engine: verdicts and retries", NULL, NULL);
    CU_ADD_TEST(suite, a_published_job_is_done_once);
    CU_ADD_TEST(suite, five_failures_make_four_exact_waits_and_a_dead_letter);
    CU_ADD_TEST(suite, fixed_waits_are_all_the_same);
    CU_ADD_TEST(suite, listed_waits_come_in_their_order_and_the_last_repeats);
    CU_ADD_TEST(suite, jitter_makes_waits_longer_within_its_bound_never_shorter);
    CU_ADD_TEST(suite, retry_after_waits_as_asked_rounded_up);
    CU_ADD_TEST(suite, a_snooze_charges_no_attempt);
    CU_ADD_TEST(suite, a_discarded_job_is_gone);
    CU_ADD_TEST(suite, a_job_that_is_declared_dead_dies_at_once_with_its_text);
    CU_ADD_TEST(suite, a_verdict_that_is_none_makes_a_dead_letter);
    CU_ADD_TEST(suite, a_message_may_bring_its_own_attempts_and_backoff);
    CU_ADD_TEST(suite, a_retry_asked_beyond_delay_max_waits_delay_max);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
