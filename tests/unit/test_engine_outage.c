// SPDX-License-Identifier: MIT
// What a lost connection leaves behind, step by step: jobs that have not started, a broker that
// takes the connection and nothing else, and settles that come home at the very end.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "engine/pool.h"
#include "story.h"

static struct story story;
static int opened;
static int refused; /* consuming connections that were made */

static void open_story(void)
{
    story_open_queue(&story, "retry: { jitter = 0.0; };", "{ type = \"a\"; concurrency = 1; }");
    story_handle(&story, "a");
}

static void step_consumer(void)
{
    (void)wr_consumer_step(story.test->worker->consumer, wr_clock_mono_us(&story.test->clock));
}

static size_t waiting_in_lanes(void)
{
    return wr_pool_counts(story.test->worker->pool).waiting;
}

static void what_has_not_started_leaves_with_its_connection(void)
{
    open_story();
    (void)story_publish(&story, "a", "id-1");
    (void)story_publish(&story, "a", "id-2");
    (void)story_publish(&story, "a", "id-3");
    for (int outage = 0; outage < 3; outage++) {
        step_consumer();
        CU_ASSERT_EQUAL(waiting_in_lanes(), 3);
        wr_memory_cut_all(story.test->server);
        step_consumer();
        CU_ASSERT_EQUAL(waiting_in_lanes(), 0); /* the broker gives them to somebody else */
        wr_clock_advance(&story.test->clock, WR_US_PER_S);
    }
    CU_ASSERT_EQUAL(story_advance(&story, 1000), 3); /* each once */
    CU_ASSERT_EQUAL(story_stats(&story).done, 3);
    CU_ASSERT_EQUAL(story_stats(&story).in_flight, 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

static warren_verdict fail_in_an_outage(struct story *told, warren_job *job)
{
    if (told->run_count > 1) {
        return WARREN_DONE;
    }
    wr_memory_cut_all(told->test->server);
    step_consumer(); /* as its thread would, while the handler runs */
    return warren_retry(job, "too late");
}

static void a_verdict_on_what_the_broker_took_back_sends_no_copy(void)
{
    open_story();
    story.act = fail_in_an_outage;
    (void)story_publish(&story, "a", "id-1");
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(warren_test_delayed(story.test), 0);
    CU_ASSERT_EQUAL(story_stats(&story).stale, 1);
    CU_ASSERT_EQUAL(story_stats(&story).retried, 0);
    CU_ASSERT_EQUAL(story_advance(&story, 60000), 1); /* the original, and nothing else */
    CU_ASSERT_EQUAL(story.runs[1].attempt, 1);
    story_close(&story);
}

static void count_opened(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    if (strcmp(event, "connection.open") == 0 && strstr(fields, "role=consumer")) {
        opened++;
    }
    if (strcmp(event, "source.failed") == 0) {
        refused++;
    }
}

static void a_missing_queue_is_asked_for_ever_less_often_on_the_same_connection(void)
{
    open_story();
    CU_ASSERT_EQUAL(story_run(&story), 0);
    story.test->worker->settings->topology_check = true; /* a missing queue isn't made again */
    story_delete_queue(&story, "q");
    opened = 0;
    refused = 0;
    warren_log_to(count_opened, NULL, 2);
    (void)story_advance(&story, 600000);
    CU_ASSERT(refused > 10); /* every 15 s on average, in the end */
    CU_ASSERT(refused < 200);
    CU_ASSERT_EQUAL(opened, 0);
    CU_ASSERT_FALSE(story_stats(&story).ready);
    CU_ASSERT_EQUAL(story_stats(&story).cancels, 1);
    story.test->worker->settings->topology_check = false;
    (void)story_advance(&story, 61000);
    CU_ASSERT(story_stats(&story).ready);
    CU_ASSERT_EQUAL(opened, 0);
    wr_memory_cut_all(story.test->server);
    (void)story_advance(&story, 200); /* it worked before: soon again */
    CU_ASSERT_EQUAL(opened, 1);
    warren_log_to(NULL, NULL, 0);
    story_close(&story);
}

static void what_was_settled_last_is_acknowledged_before_the_end(void)
{
    open_story();
    (void)story_publish(&story, "a", "id-1");
    step_consumer();
    CU_ASSERT(wr_pool_step(story.test->worker->pool));
    (void)wr_consumer_stop(story.test->worker->consumer, true);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q"), 0);
    story_close(&story);
}

/* A request of our own, with the broker's word on it. */
struct ask {
    struct wr_request request;
    int answers;
    warren_status status;
    char text[200];
};

static void answer(struct wr_request *request, warren_status status, const warren_error *error)
{
    struct ask *ask = WR_OF(request, struct ask, request);
    ask->answers++;
    ask->status = status;
    (void)snprintf(ask->text, sizeof ask->text, "%.190s", error ? error->text : "");
    wr_parcel_done(&ask->request.parcel);
}

/* `user` is the property user_id, which the broker refuses unless it is the connection's own. */
static void submit(struct ask *ask, const char *user, bool insists)
{
    const struct wr_compose how = {
        .ns = "warren", .delay_max_ms = 3600000, .body_most = 1024, .wall_ms = 1700000000000
    };
    const warren_message message = { .type = "a", .body = "{}" };
    *ask = (struct ask){ .answers = 0 };
    CU_ASSERT_EQUAL(wr_parcel_compose(&ask->request.parcel, &message, &how, &story.err), WARREN_OK);
    if (user) {
        ask->request.parcel.message.user_id = wr_slice_of(user);
        ask->request.parcel.message.present |= WR_USER_ID;
    }
    ask->request.insists = insists;
    ask->request.deadline_us = wr_clock_mono_us(&story.test->clock) + 30 * WR_US_PER_S;
    ask->request.done = answer;
    wr_publisher_submit(story.test->worker->publisher, &ask->request);
}

static void a_message_that_closes_the_channel_holds_up_no_other(void)
{
    static struct ask asks[5];
    open_story();
    CU_ASSERT_EQUAL(story_run(&story), 0);
    for (int i = 0; i < 5; i++) {
        submit(&asks[i], i == 2 ? "somebody else" : NULL, false);
    }
    (void)story_advance(&story, 5000);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(asks[i].answers, 1);
        CU_ASSERT_EQUAL(asks[i].status, i == 2 ? WARREN_REFUSED : WARREN_OK);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(asks[2].text, "user_id"));
    story_close(&story);
}

static void a_forward_that_closes_the_channel_holds_up_no_other(void)
{
    static struct ask bad;
    static struct ask good[4];
    open_story();
    CU_ASSERT_EQUAL(story_run(&story), 0);
    submit(&bad, "somebody else", true);
    for (int i = 0; i < 4; i++) {
        submit(&good[i], NULL, i % 2);
    }
    (void)story_advance(&story, 10000);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(good[i].answers, 1);
        CU_ASSERT_EQUAL(good[i].status, WARREN_OK);
    }
    CU_ASSERT_EQUAL(bad.answers, 0); /* it insists until the end */
    story_close(&story);
    CU_ASSERT_EQUAL(bad.answers, 1);
}

static int lines;

static void check_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    lines += strcmp(event, "forward.repeat") == 0 || strcmp(event, "job.publish_failed") == 0;
    for (const char *c = fields; *c; c++) {
        CU_ASSERT((unsigned char)*c >= 0x20);
    }
    CU_ASSERT_PTR_NULL(strstr(fields, "id=x")); /* quoted */
}

static warren_verdict publish_and_fail(struct story *told, warren_job *job)
{
    static const warren_message other = { .type = "a", .id = "next" };
    if (strcmp(warren_job_id(job), "next") != 0) {
        CU_ASSERT_EQUAL(warren_job_publish(job, &other, &told->err), WARREN_OK);
    }
    return warren_retry(job, "why");
}

static void an_id_of_a_stranger_forges_no_log_line(void)
{
    open_story();
    story.act = publish_and_fail;
    (void)story_publish(&story, "a", "x\" forged=1\nlevel=info");
    warren_log_to(check_line, NULL, 3);
    wr_memory_nack_publishes(story.test->server, 2); /* the handler's message, then the retry */
    (void)story_advance(&story, 1000);
    warren_log_to(NULL, NULL, 0);
    CU_ASSERT_EQUAL(lines, 2);
    story_close(&story);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("outage", NULL, NULL);
    CU_ADD_TEST(suite, what_has_not_started_leaves_with_its_connection);
    CU_ADD_TEST(suite, a_verdict_on_what_the_broker_took_back_sends_no_copy);
    CU_ADD_TEST(suite, a_missing_queue_is_asked_for_ever_less_often_on_the_same_connection);
    CU_ADD_TEST(suite, what_was_settled_last_is_acknowledged_before_the_end);
    CU_ADD_TEST(suite, a_message_that_closes_the_channel_holds_up_no_other);
    CU_ADD_TEST(suite, a_forward_that_closes_the_channel_holds_up_no_other);
    CU_ADD_TEST(suite, an_id_of_a_stranger_forges_no_log_line);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
