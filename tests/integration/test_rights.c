// SPDX-License-Identifier: MIT
/*
 * The users of deploy/rabbitmq/definitions.json at work: a worker that may configure nothing, and a
 * publisher that may do nothing else. And what a worker says when the broker lacks something or has
 * it otherwise.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "stranger.h"
#include "warren/control.h"
#include "warren/topology.h"

static const char queue_text[] =
    "queue: { name = \"default\"; retry: { attempts = 3; backoff = \"fixed\"; first = \"250ms\"; "
    "jitter = 0.0; }; jobs: ( { type = \"work\"; }, { type = \"alone\"; isolate = true; } ); };";

/* A configuration for one of the shipped users. */
static char *config_of(const char *user, const char *main_text, const char *text)
{
    char broker_text[600];
    free(live_ctl("change_password", user, "secret", NULL)); /* the same in all tests */
    char *url = live_url_as(user, "secret");
    (void)snprintf(broker_text, sizeof broker_text, "url = \"%s\";", url);
    free(url);
    return crew_config_at(broker_text, main_text, text);
}

static void apply(const char *text)
{
    warren_topology *topology = NULL;
    warren_error err;
    char *config = crew_config("", text);
    CU_ASSERT_FATAL(!warren_topology_open(&topology, config, &err));
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, &err), WARREN_OK);
    warren_topology_close(topology);
    free(config);
}

/* Fails as often as the body says. */
static warren_verdict fail_some(warren_job *job, void *user)
{
    (void)user;
    crew_note_end(crew_note(job));
    size_t size = 0;
    const char *body = warren_job_body(job, &size);
    int failures = size ? body[0] - '0' : 0;
    return warren_job_attempt(job) <= failures ? warren_retry(job, "not yet") : WARREN_DONE;
}

static warren *open_worker(const char *config)
{
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, "work", fail_some, NULL, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "alone", fail_some, NULL, NULL));
    return w;
}

static void publish(warren_publisher *publisher, const char *type, const char *body,
                    int64_t delay_ms)
{
    warren_error err = { .status = WARREN_OK };
    warren_message message = { .type = type, .body = body, .delay_ms = delay_ms };
    CU_ASSERT_EQUAL(warren_publish(publisher, &message, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
}

static void a_worker_that_may_configure_nothing_does_all_its_work(void)
{
    apply(queue_text);
    char *config = config_of("warren-worker", "topology = \"check\";", queue_text);
    warren *w = open_worker(config);
    crew_start(w);
    warren_publisher *publisher = warren_worker_publisher(w);
    publish(publisher, "work", "0", 0);
    publish(publisher, "alone", "1", 0);
    publish(publisher, "work", "0", 375);
    publish(publisher, "alone", "9", 375);
    CU_ASSERT(crew_wait_ended(w, 4, 20000));
    CU_ASSERT_EQUAL(crew_runs(), 1 + 2 + 1 + 3);
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    CU_ASSERT_EQUAL(stats.done, 3);
    CU_ASSERT_EQUAL(stats.dead, 1);
    CU_ASSERT_EQUAL(stats.forward_retries, 0);
    CU_ASSERT_EQUAL(stats.connections, 1);
    crew_stop(w);
    struct wr_delivery *delivery = stranger_take("default.dead");
    CU_ASSERT(wr_slice_is(delivery->message.type, "alone"));
    wr_delivery_free(delivery);
    free(config);
}

static bool note_answer(const char *json, void *user)
{
    (void)snprintf(user, 2000, "%s", json);
    return true;
}

static void a_worker_with_the_least_rights_obeys_and_gives_no_orders(void)
{
    static const char control[] = "control: { enabled = true; heartbeat = \"1s\"; };";
    static const char checks[] =
        "topology = \"check\"; control: { enabled = true; heartbeat = \"1s\"; };";
    warren_topology *topology = NULL;
    warren_admin *admin = NULL;
    warren_error err = { .status = WARREN_OK };
    char answer[2000] = "";
    const warren_order order = { .order = "quiet", .who = "test" };
    char *deploys = config_of("warren-deploy", control, queue_text);
    CU_ASSERT_FATAL(!warren_topology_open(&topology, deploys, &err));
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, &err), WARREN_OK);
    warren_topology_close(topology);
    char *config = config_of("warren-worker", checks, queue_text);
    warren *w = open_worker(config);
    crew_start(w);
    CU_ASSERT_FATAL(!warren_admin_open(&admin, deploys, &err));
    CU_ASSERT_EQUAL(warren_control_order(admin, &order, 5000, note_answer, answer, &err),
                    WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":true"));
    CU_ASSERT_EQUAL(warren_control_pause(admin, "default", "work", true, "test", "a test", &err),
                    WARREN_OK);
    warren_admin_close(admin);
    CU_ASSERT_FATAL(!warren_admin_open(&admin, config, &err));
    CU_ASSERT_EQUAL(warren_control_order(admin, &order, 1000, note_answer, answer, &err),
                    WARREN_REFUSED); /* who has taken over a worker can't stop the others */
    warren_admin_close(admin);
    crew_stop(w);
    free(config);
    free(deploys);
}

static void a_worker_that_may_not_configure_is_told_what_to_do(void)
{
    apply(queue_text);
    warren_error err;
    char *config = config_of("warren-worker", "", queue_text);
    warren *w = open_worker(config);
    warren_status rc = warren_start(w, &err);
    /* What stands there as asked needs no right to configure; what is missing does. */
    CU_ASSERT_EQUAL(rc, WARREN_REFUSED);
    CU_ASSERT_EQUAL(warren_exit_code(rc), 6);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "topology = \"check\""));
    CU_ASSERT_PTR_NULL(strstr(err.text, "secret"));
    warren_close(w);
    free(config);
}

static void a_publisher_publishes_and_does_nothing_else(void)
{
    apply(queue_text);
    warren_error err;
    warren_publisher *publisher = NULL;
    char *config = config_of("warren-publisher", "", queue_text);
    CU_ASSERT_FATAL(!warren_publisher_open(&publisher, config, &err));
    publish(publisher, "work", "0", 0);
    publish(publisher, "alone", "0", 375);
    CU_ASSERT(crew_wait_depth(config, "default", 1, 5000));
    warren_message forbidden = { .type = "work", .exchange = "warren.dead" };
    int64_t before_us = crew_now_us();
    CU_ASSERT_EQUAL(warren_publish(publisher, &forbidden, &err), WARREN_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "warren.dead"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "ACCESS_REFUSED"));
    warren_message nowhere = { .type = "work", .exchange = "no.such.exchange" };
    CU_ASSERT_EQUAL(warren_publish(publisher, &nowhere, &err), WARREN_REFUSED);
    publish(publisher, "work", "0", 0); /* and it goes on */
    CU_ASSERT(crew_now_us() - before_us < 5000000);
    CU_ASSERT(crew_wait_depth(config, "default", 2, 5000));
    CU_ASSERT(crew_wait_depth(config, "default.alone", 1, 5000));
    warren_publisher_close(publisher);
    free(config);
}

static void a_check_names_everything_that_is_missing(void)
{
    static const char more[] = "queue: { name = \"default\"; jobs: ( { type = \"work\"; }, "
                               "{ type = \"alone\"; isolate = true; }, "
                               "{ type = \"new\"; isolate = true; } ); };";
    apply(queue_text);
    stranger_delete("default");
    stranger_delete("default.dead");
    warren_error err;
    char *config = config_of("warren-worker", "topology = \"check\";", more);
    warren *w = open_worker(config);
    CU_ASSERT_FATAL(!warren_handle(w, "new", fail_some, NULL, NULL));
    warren_status rc = warren_start(w, &err);
    CU_ASSERT_EQUAL(rc, WARREN_MISMATCH);
    CU_ASSERT_EQUAL(warren_exit_code(rc), 7);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "missing: queue default\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "missing: queue default.dead\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "missing: queue default.new\n"));
    CU_ASSERT_PTR_NULL(strstr(err.text, "missing: queue default.alone"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "warren topology apply"));
    warren_close(w);
    apply(queue_text);
    free(config);
}

static void a_queue_with_other_arguments_stops_the_start(void)
{
    static const char classic[] =
        "queue: { name = \"default\"; type = \"classic\"; jobs: ( { type = \"work\"; }, "
        "{ type = \"alone\"; isolate = true; } ); };";
    apply(queue_text);
    warren_error err;
    char *config = crew_config("", classic);
    warren *w = open_worker(config);
    warren_status rc = warren_start(w, &err);
    CU_ASSERT_EQUAL(rc, WARREN_MISMATCH);
    CU_ASSERT_EQUAL(warren_exit_code(rc), 7);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        err.text, "queue default: x-queue-type is quorum at the broker, the config wants classic"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        err.text,
        "queue default.alone: x-queue-type is quorum at the broker, the config wants classic"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "Ways on:"));
    warren_close(w);
    free(config);
}

int main(void)
{
    stranger_open();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rights", NULL, NULL);
    CU_ADD_TEST(suite, a_worker_that_may_configure_nothing_does_all_its_work);
    CU_ADD_TEST(suite, a_worker_with_the_least_rights_obeys_and_gives_no_orders);
    CU_ADD_TEST(suite, a_worker_that_may_not_configure_is_told_what_to_do);
    CU_ADD_TEST(suite, a_publisher_publishes_and_does_nothing_else);
    CU_ADD_TEST(suite, a_check_names_everything_that_is_missing);
    CU_ADD_TEST(suite, a_queue_with_other_arguments_stops_the_start);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    stranger_close();
    return failures ? 1 : 0;
}
