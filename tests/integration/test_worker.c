// SPDX-License-Identifier: MIT
/*
 * A worker on the real broker, seen from outside: limits, isolation, backoff, and where jobs end.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crew.h"
#include "live.h"

/* A machine that does other things may spoil one measured round; a wrong design spoils all of them.
 */
enum { MACHINE_ROUNDS = 5 };

static void pass_ms(int ms)
{
    struct timespec time = { ms / 1000, (ms % 1000) * 1000000L };
    (void)nanosleep(&time, NULL);
}

/* A handler that works for as many milliseconds as `user` points to. */
static warren_verdict work_for(warren_job *job, void *user)
{
    size_t run = crew_note(job);
    pass_ms(*(int *)user);
    crew_note_end(run);
    return WARREN_DONE;
}

static warren_verdict fail_always(warren_job *job, void *user)
{
    (void)user;
    crew_note_end(crew_note(job));
    return warren_retry(job, "attempt %d fails", warren_job_attempt(job));
}

static warren_verdict fail_once(warren_job *job, void *user)
{
    (void)user;
    crew_note_end(crew_note(job));
    return warren_job_attempt(job) == 1 ? warren_retry(job, "first") : WARREN_DONE;
}

static void publish_many(warren *w, const char *type, int count)
{
    warren_batch *batch = NULL;
    warren_error err;
    size_t confirmed = 0;
    warren_message message = { .type = type, .body = "x" };
    CU_ASSERT_FATAL(!warren_batch_open(&batch, warren_worker_publisher(w), 0, &err));
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(warren_batch_publish(batch, &message, &err), WARREN_OK);
    }
    CU_ASSERT_EQUAL(warren_batch_close(batch, &confirmed, &err), WARREN_OK);
    CU_ASSERT_EQUAL(confirmed, (size_t)count);
}

static void limits_hold_under_load(void)
{
    char *config = crew_config("", "queue: { name = \"mixed\"; jobs: ("
                                   "{ type = \"one\"; concurrency = 1; },"
                                   "{ type = \"three\"; concurrency = 3; },"
                                   "{ type = \"eight\"; concurrency = 8; isolate = true; } ); };");
    int one_ms = 1;
    int three_ms = 2;
    int eight_ms = 5;
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, "one", work_for, &one_ms, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "three", work_for, &three_ms, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "eight", work_for, &eight_ms, NULL));
    crew_start(w);
    publish_many(w, "one", 300);
    publish_many(w, "three", 600);
    publish_many(w, "eight", 800);
    CU_ASSERT(crew_wait_ended(w, 1700, 60000));
    CU_ASSERT_EQUAL(crew_most_at_once("one"), 1);
    CU_ASSERT_EQUAL(crew_most_at_once("three"), 3);
    CU_ASSERT_EQUAL(crew_most_at_once("eight"), 8);
    CU_ASSERT_EQUAL(crew_runs(), 1700);
    crew_stop(w);
    free(config);
}

/* How long `count` jobs of an isolated type take from the first start to the last end. */
static int64_t time_isolated(warren *w, int count)
{
    crew_forget();
    publish_many(w, "quick", count);
    int64_t first_us = INT64_MAX;
    int64_t last_us = 0;
    int seen = 0;
    while (seen < count) {
        CU_ASSERT_FATAL(crew_wait_runs((size_t)count, 60000));
        seen = 0;
        for (size_t i = 0; i < crew_runs(); i++) {
            struct crew_run run = crew_run(i);
            if (strcmp(run.type, "quick") == 0 && run.ended_us) {
                seen++;
                first_us = run.began_us < first_us ? run.began_us : first_us;
                last_us = run.ended_us > last_us ? run.ended_us : last_us;
            }
        }
    }
    return last_us - first_us;
}

static void a_flood_does_not_slow_an_isolated_type(void)
{
    char *config = crew_config("", "queue: { name = \"flooded\"; jobs: ("
                                   "{ type = \"slow\"; concurrency = 4; },"
                                   "{ type = \"quick\"; concurrency = 2; isolate = true; } ); };");
    int slow_ms = 1000;
    int quick_ms = 20;
    bool is_slowed = true;
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "slow", work_for, &slow_ms, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "quick", work_for, &quick_ms, NULL));
    crew_start(w);
    int64_t alone_us = time_isolated(w, 100);
    publish_many(w, "slow", 1000);
    for (int round = 0; round < MACHINE_ROUNDS && is_slowed; round++) {
        int64_t beside_us = time_isolated(w, 100);
        (void)printf(
            "\n    100 isolated jobs: %lld ms alone, %lld ms beside 1,000 slow ones (ratio %.3f)",
            (long long)alone_us / 1000, (long long)beside_us / 1000,
            (double)beside_us / (double)alone_us);
        is_slowed = beside_us * 10 > alone_us * 11;
    }
    CU_ASSERT_FALSE(is_slowed);
    CU_ASSERT_EQUAL(warren_stop(w, 5000, NULL), WARREN_OK);
    warren_close(w);
    free(config);
}

struct history {
    char reason[64];
    size_t errors;
    int attempts;
    char first[64];
    char last[64];
};

static bool read_history(const warren_dead_letter *letter, void *user)
{
    struct history *history = user;
    (void)snprintf(history->reason, sizeof history->reason, "%s", letter->reason);
    history->errors = letter->error_count;
    history->attempts = letter->attempts;
    if (letter->error_count) {
        (void)snprintf(history->first, sizeof history->first, "%s", letter->errors[0].text);
        (void)snprintf(history->last, sizeof history->last, "%s", letter->error);
    }
    return true;
}

/* Runs one job that always fails; true when each of its waits was at most 100 ms longer than
 * planned. */
static bool waits_are_on_time(warren *w, size_t jobs_before)
{
    static const int64_t waits_ms[] = { 250, 500, 1000, 2000 };
    bool is_on_time = true;
    crew_forget();
    publish_many(w, "fail", 1);
    CU_ASSERT_FATAL(crew_wait_ended(w, jobs_before + 1, 20000));
    CU_ASSERT_EQUAL_FATAL(crew_runs(), 5);
    for (size_t i = 0; i < 4; i++) {
        int64_t late_us = crew_run(i + 1).began_us - crew_run(i).ended_us - waits_ms[i] * 1000;
        (void)printf("\n    wait %lld ms: late by %.1f ms", (long long)waits_ms[i],
                     (double)late_us / 1000.0);
        CU_ASSERT(late_us >= 0);
        is_on_time = is_on_time && late_us <= 100000;
        CU_ASSERT_STRING_EQUAL(crew_run(i).id, crew_run(i + 1).id);
    }
    return is_on_time;
}

static void five_attempts_make_four_waits_and_a_dead_letter(void)
{
    char *config = crew_config(
        "", "queue: { name = \"failing\"; retry: { attempts = 5; first = \"250ms\"; factor = 2.0; "
            "max = \"10s\"; jitter = 0.0; }; jobs: ( { type = \"fail\"; } ); };");
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "fail", fail_always, NULL, NULL));
    crew_start(w);
    size_t rounds = 1;
    while (!waits_are_on_time(w, rounds - 1) && rounds < MACHINE_ROUNDS) {
        rounds++;
    }
    CU_ASSERT(rounds < MACHINE_ROUNDS);
    struct history history = { .errors = 0 };
    CU_ASSERT_EQUAL(crew_dead(config, "failing", read_history, &history), rounds);
    CU_ASSERT_STRING_EQUAL(history.reason, "failed");
    CU_ASSERT_EQUAL(history.errors, 5);
    CU_ASSERT_EQUAL(history.attempts, 5);
    CU_ASSERT_STRING_EQUAL(history.first, "attempt 1 fails");
    CU_ASSERT_STRING_EQUAL(history.last, "attempt 5 fails");
    crew_stop(w);
    free(config);
}

static void a_retry_comes_home_to_its_own_queue_only(void)
{
    char *config = crew_config("", "queues: ("
                                   "{ name = \"billing\"; retry: { first = \"250ms\"; jitter = "
                                   "0.0; }; jobs: ( { type = \"order\"; } ); },"
                                   "{ name = \"mailing\"; jobs: ( { type = \"order\"; } ); } );");
    int quick_ms = 0;
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle_in(w, "billing", "order", fail_once, NULL, NULL));
    CU_ASSERT_FATAL(!warren_handle_in(w, "mailing", "order", work_for, &quick_ms, NULL));
    crew_start(w);
    publish_many(w, "order", 10);
    CU_ASSERT(crew_wait_ended(w, 20, 20000));
    int billing = 0;
    int mailing = 0;
    for (size_t i = 0; i < crew_runs(); i++) {
        billing += strcmp(crew_run(i).queue, "billing") == 0;
        mailing += strcmp(crew_run(i).queue, "mailing") == 0;
    }
    CU_ASSERT_EQUAL(billing, 20);
    CU_ASSERT_EQUAL(mailing, 10);
    crew_stop(w);
    free(config);
}

static void a_delayed_publish_starts_when_it_is_due(void)
{
    char *config = crew_config("", "queue: { name = \"later\"; jobs: ( { type = \"late\"; } ); };");
    int quick_ms = 0;
    warren_error err;
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, "late", work_for, &quick_ms, NULL));
    crew_start(w);
    warren_message message = { .type = "late", .body = "x", .delay_ms = 1375 };
    bool is_on_time = false;
    for (size_t round = 0; round < MACHINE_ROUNDS && !is_on_time; round++) {
        int64_t before_us = crew_now_us();
        CU_ASSERT_EQUAL_FATAL(warren_publish(warren_worker_publisher(w), &message, &err),
                              WARREN_OK);
        int64_t after_us = crew_now_us();
        CU_ASSERT_FATAL(crew_wait_ended(w, round + 1, 10000));
        CU_ASSERT(crew_run(round).began_us >= before_us + 1375000);
        is_on_time = crew_run(round).began_us <= after_us + 1375000 + 100000;
    }
    CU_ASSERT(is_on_time);
    message.delay_ms = INT64_C(40) * 3600 * 1000;
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, &err), WARREN_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "delay.max"));
    crew_stop(w);
    free(config);
}

static void an_unroutable_publish_is_an_error(void)
{
    char *config =
        crew_config("", "queue: { name = \"routed\"; jobs: ( { type = \"known\"; } ); };");
    int quick_ms = 0;
    warren_error err;
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "known", work_for, &quick_ms, NULL));
    crew_start(w);
    warren_message message = { .type = "stranger", .body = "x" };
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, &err), WARREN_UNROUTABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "stranger"));
    crew_stop(w);
    free(config);
}

static warren_verdict publish_next(warren_job *job, void *user)
{
    warren_message next = { .type = user, .body = "y" };
    crew_note_end(crew_note(job));
    return warren_job_publish(job, &next, NULL) ? WARREN_DEAD : WARREN_DONE;
}

static void a_message_of_a_handler_is_safe_before_its_job_is_done(void)
{
    char *config = crew_config(
        "", "queue: { name = \"chain\"; retry: { attempts = 2; first = \"125ms\"; jitter = 0.0; }; "
            "jobs: "
            "( { type = \"first\"; }, { type = \"second\"; }, { type = \"lost\"; } ); };");
    int quick_ms = 0;
    char second[] = "second";
    char nowhere[] = "nowhere";
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, "first", publish_next, second, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "second", work_for, &quick_ms, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "lost", publish_next, nowhere, NULL));
    crew_start(w);
    publish_many(w, "first", 50);
    CU_ASSERT(crew_wait_ended(w, 100, 20000));
    publish_many(w, "lost", 1); /* its message is unroutable, so it fails, twice */
    CU_ASSERT(crew_wait_ended(w, 101, 20000));
    struct history history = { .errors = 0 };
    CU_ASSERT_EQUAL(crew_dead(config, "chain", read_history, &history), 1);
    CU_ASSERT_STRING_EQUAL(history.reason, "failed");
    CU_ASSERT_EQUAL(history.attempts, 2);
    crew_stop(w);
    free(config);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("worker", NULL, NULL);
    CU_ADD_TEST(suite, limits_hold_under_load);
    CU_ADD_TEST(suite, a_flood_does_not_slow_an_isolated_type);
    CU_ADD_TEST(suite, five_attempts_make_four_waits_and_a_dead_letter);
    CU_ADD_TEST(suite, a_retry_comes_home_to_its_own_queue_only);
    CU_ADD_TEST(suite, a_delayed_publish_starts_when_it_is_due);
    CU_ADD_TEST(suite, an_unroutable_publish_is_an_error);
    CU_ADD_TEST(suite, a_message_of_a_handler_is_safe_before_its_job_is_done);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
