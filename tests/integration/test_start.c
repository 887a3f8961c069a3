// SPDX-License-Identifier: MIT
/*
 * How a worker starts where the broker is away or refuses: a sentence with the place and the way
 * out, never a secret; trying again for as long as it was told, and only when that may help. On a
 * broker of its own, which is killed and comes back.
 */
#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "live.h"

#define SECRET "hunter2secret"

enum { AT_ONCE_MS = 5000 };

static const char queue_text[] =
    "queue: { name = \"default\"; jobs: ( { type = \"work\"; }, { type = \"other\"; } ); };";

static warren_error error;
static int64_t took_ms;

static warren_verdict accept_job(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    return WARREN_DONE;
}

static warren *open_worker(const char *config)
{
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "work", accept_job, NULL, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "other", accept_job, NULL, NULL));
    return w;
}

/* Starts and runs a worker, which must fail in the same way twice; the status, the text in `error`.
 */
static warren_status try_with(const char *broker_text, const char *main_text)
{
    char *config = crew_config_at(broker_text, main_text, queue_text);
    warren_error run_error = { .status = WARREN_OK };
    warren *w = open_worker(config);
    warren *runner = open_worker(config);
    int64_t from_us = crew_now_us();
    error = (warren_error){ .status = WARREN_OK };
    warren_status rc = warren_start(w, &error);
    took_ms = (crew_now_us() - from_us) / 1000;
    CU_ASSERT_NOT_EQUAL(rc, WARREN_OK);
    CU_ASSERT_EQUAL(error.status, rc);
    CU_ASSERT_EQUAL(warren_run(runner, &run_error), rc);
    CU_ASSERT_PTR_NULL(strstr(error.text, SECRET));
    CU_ASSERT_PTR_NULL(strstr(run_error.text, SECRET));
    CU_ASSERT(strlen(run_error.text) > 0);
    warren_close(w);
    warren_close(runner);
    free(config);
    return rc;
}

static bool says(const char *words)
{
    bool is_said = strstr(error.text, words) != NULL;
    if (!is_said) {
        (void)fprintf(stderr, "not '%s' in: %s\n", words, error.text);
    }
    return is_said;
}

/* The broker, refused at once, since a second try would not help. */
static void expect_refused(const char *broker_text, const char *words)
{
    CU_ASSERT_EQUAL(try_with(broker_text, ""), WARREN_REFUSED);
    CU_ASSERT_EQUAL(warren_exit_code(error.status), 6);
    CU_ASSERT(says(words));
    CU_ASSERT(took_ms < AT_ONCE_MS);
}

/* "127.0.0.1:port" of the broker. */
static const char *place(void)
{
    static char text[64];
    const char *at = strchr(live_url(), '@') + 1;
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(at, "/"), at);
    return text;
}

/* --- away --- */

static void a_broker_that_is_away_is_unreachable(void)
{
    CU_ASSERT_EQUAL(
        try_with("url = \"amqp://joe:" SECRET "@127.0.0.1:1/v\"; connect_wait = \"0s\";", ""),
        WARREN_UNREACHABLE);
    CU_ASSERT_EQUAL(warren_exit_code(error.status), 6);
    CU_ASSERT(says("127.0.0.1:1"));
    CU_ASSERT(says("connection refused"));
    CU_ASSERT(took_ms < 1000); /* one attempt */
    CU_ASSERT_EQUAL(try_with("url = \"amqp://joe:" SECRET "@no-such-host.invalid/v\"; "
                             "allow_plaintext = true; connect_wait = \"0s\";",
                             ""),
                    WARREN_UNREACHABLE);
    CU_ASSERT(says("no-such-host.invalid"));
    CU_ASSERT(says("DNS"));
}

static void a_worker_goes_on_trying_for_connect_wait(void)
{
    CU_ASSERT_EQUAL(
        try_with("url = \"amqp://joe:" SECRET "@127.0.0.1:1/v\"; connect_wait = \"1500ms\";", ""),
        WARREN_UNREACHABLE);
    CU_ASSERT(took_ms >= 1500);
    CU_ASSERT(took_ms < 1500 + AT_ONCE_MS);
    CU_ASSERT(says("connection refused"));
}

/* --- refused --- */

static void what_will_not_help_is_not_tried_again(void)
{
    char text[900];
    (void)snprintf(text, sizeof text, "url = \"amqp://warren:" SECRET "@%s/%s\";", place(),
                   live_vhost());
    expect_refused(text, "wrong user name or password");
    free(live_ctl("add_user", "start-stranger", SECRET, NULL));
    char *url = live_url_as("start-stranger", SECRET);
    (void)snprintf(text, sizeof text, "url = \"%s\";", url);
    expect_refused(text, "has no access to the vhost");
    (void)snprintf(text, sizeof text, "url = \"amqp://start-stranger:" SECRET "@%s/nowhere\";",
                   place());
    expect_refused(text, "no vhost 'nowhere'");
    free(url);
    free(live_ctl("delete_user", "start-stranger", NULL));
}

static void a_certificate_that_is_not_trusted_is_refused(void)
{
    char text[900];
    (void)snprintf(text, sizeof text, "url = \"%s\";", live_tls_url());
    expect_refused(text, "not signed by a CA that is trusted");
    (void)snprintf(text, sizeof text,
                   "url = \"%s\"; tls: { ca_file = \"%s\"; server_name = \"rabbit.example\"; };",
                   live_tls_url(), live_tls_ca());
    expect_refused(text, "is not for 'rabbit.example'");
}

/* A user who may log in, and then may not do what a worker does. */
static void a_missing_right_names_what_it_is_for(void)
{
    char text[900];
    char *config = crew_config("", queue_text);
    warren *w = open_worker(config);
    crew_start(w);
    crew_stop(w);
    free(config);
    free(live_ctl("add_user", "start-reader", SECRET, NULL));
    free(live_ctl("set_permissions", "-p", live_vhost(), "start-reader", "^$", ".*", "^$", NULL));
    char *url = live_url_as("start-reader", SECRET);
    (void)snprintf(text, sizeof text, "url = \"%s\";", url);
    CU_ASSERT_EQUAL(try_with(text, "topology = \"check\";"), WARREN_REFUSED);
    CU_ASSERT(says("cannot consume from queue default"));
    CU_ASSERT(says("start-reader"));
    CU_ASSERT(took_ms < AT_ONCE_MS);
    expect_refused(text, "topology = \"check\"");
    free(url);
    free(live_ctl("delete_user", "start-reader", NULL));
}

/* --- a broker that comes up later --- */

static atomic_int failed_tries;

static void count_tries(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    (void)fields;
    if (strcmp(event, "connect.failed") == 0) {
        (void)atomic_fetch_add(&failed_tries, 1);
    }
}

static void *start_late(void *user)
{
    return warren_start(user, &error) ? NULL : user;
}

static bool has_failed_twice(void *user)
{
    (void)user;
    return atomic_load(&failed_tries) >= 2;
}

static void a_worker_starts_when_the_broker_comes_up(void)
{
    char *config = crew_config("", queue_text);
    warren *w = open_worker(config);
    pthread_t thread;
    void *started = NULL;
    warren_log_to(count_tries, NULL, 1);
    live_kill_broker();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, start_late, w), 0);
    CU_ASSERT(live_wait(has_failed_twice, NULL, 20000));
    live_restart_broker();
    (void)pthread_join(thread, &started);
    warren_log_to(NULL, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(started);
    warren_message message = { .type = "work", .body = "x" };
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, &error), WARREN_OK);
    CU_ASSERT(crew_wait_ended(w, 1, 20000));
    crew_stop(w);
    free(config);
}

int main(void)
{
    live_own_broker();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("start", NULL, NULL);
    CU_ADD_TEST(suite, a_broker_that_is_away_is_unreachable);
    CU_ADD_TEST(suite, a_worker_goes_on_trying_for_connect_wait);
    CU_ADD_TEST(suite, what_will_not_help_is_not_tried_again);
    CU_ADD_TEST(suite, a_certificate_that_is_not_trusted_is_refused);
    CU_ADD_TEST(suite, a_missing_right_names_what_it_is_for);
    CU_ADD_TEST(suite, a_worker_starts_when_the_broker_comes_up);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
