// SPDX-License-Identifier: MIT
// Nobody waits longer than he wants: a broker that takes connections and says nothing, and one that
// freezes in the middle of the work.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "listener.h"
#include "live.h"
#include "proxy.h"

static const char queue_text[] =
    "queue: { name = \"stuck\"; jobs: ( { type = \"nap\"; concurrency = 2; } ); };";

/* --- a peer that says nothing --- */

static void run_child(const char *config)
{
    warren *w = NULL;
    warren_error err = { .status = WARREN_OK };
    warren_status rc = warren_open(&w, config, &err);
    rc = rc ? rc : warren_handle(w, "nap", crew_accept, NULL, &err);
    rc = rc ? rc : warren_run(w, &err);
    if (rc) {
        (void)fprintf(stderr, "child: %s\n", err.text);
    }
    warren_close(w);
    _exit(warren_exit_code(rc));
}

static bool has_caller(void *user)
{
    char line[256];
    bool is_there = false;
    FILE *file = fopen("/proc/net/tcp", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file)) {
        unsigned remote = 0;
        is_there = (sscanf(line, "%*d: %*x:%*x %*x:%x", &remote) == 1 &&
                    remote == (unsigned)*(int *)user) ||
                   is_there;
    }
    (void)fclose(file);
    return is_there;
}

static void end_while_it_waits_for(const char *scheme)
{
    int port;
    int fd = listen_on_loopback(&port);
    char broker[200];
    (void)snprintf(broker, sizeof broker, "url = \"%s://127.0.0.1:%d\";", scheme, port);
    char *config = crew_config_at(broker, "", queue_text);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        run_child(config);
    }
    CU_ASSERT(live_wait(has_caller, &port, 10000));
    int64_t asked_us = crew_now_us();
    int status = -1;
    (void)kill(pid, SIGTERM);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT(crew_now_us() - asked_us < 2000000);
    (void)close(fd);
    free(config);
}

static void a_signal_ends_a_login_that_is_not_answered(void)
{
    end_while_it_waits_for("amqp");
}

static void a_signal_ends_a_handshake_that_is_not_answered(void)
{
    end_while_it_waits_for("amqps");
}

/* --- a broker that freezes --- */

static struct proxy *proxy;

static char *config_through_proxy(const char *main_text)
{
    proxy = proxy_open(proxy_port_of(live_url()));
    char *url = proxy_url(proxy, live_url());
    char broker[600];
    (void)snprintf(broker, sizeof broker, "url = \"%s\"; heartbeat = \"5s\";", url);
    free(url);
    return crew_config_at(broker, main_text, queue_text);
}

static bool never(void *user)
{
    (void)user;
    return false;
}

static warren_verdict take_a_minute(warren_job *job, void *user)
{
    (void)user;
    size_t run = crew_note(job);
    (void)live_wait(never, NULL, 60000);
    crew_note_end(run);
    return WARREN_DONE;
}

static bool is_ready(void *user)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(user, &stats);
    return stats.ready;
}

static warren *start_worker(const char *config, warren_handler *handler)
{
    warren *w = crew_open(config);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "nap", handler, NULL, NULL), WARREN_OK);
    crew_start(w);
    return w;
}

/* On a busy machine the first one after a thaw may take longer than these publishes have. */
static bool publishes(void *user)
{
    const warren_message message = { .type = "nap", .body = "{}" };
    return warren_publish(warren_worker_publisher(user), &message, NULL) == WARREN_OK;
}

static void a_publish_into_a_frozen_broker_ends_at_its_deadline(void)
{
    char *config = config_through_proxy("publish: { timeout = \"700ms\"; };");
    warren *w = start_worker(config, crew_accept);
    const warren_message message = { .type = "nap", .body = "{}" };
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    proxy_freeze(proxy);
    int64_t asked_us = crew_now_us();
    warren_status rc = warren_publish(warren_worker_publisher(w), &message, NULL);
    int64_t took_us = crew_now_us() - asked_us;
    CU_ASSERT(rc == WARREN_UNKNOWN || rc == WARREN_TIMEOUT);
    CU_ASSERT(took_us >= 700000);
    CU_ASSERT(took_us < 1500000);
    proxy_thaw(proxy);
    CU_ASSERT(live_wait(is_ready, w, 30000));
    CU_ASSERT(live_wait(publishes, w, 5000));
    crew_stop(w);
    proxy_close(proxy);
    free(config);
}

/* Many of them, more than the socket takes. */
static void note_answer(void *user, warren_status status, const warren_error *err)
{
    (void)status;
    (void)err;
    (void)atomic_fetch_add((atomic_int *)user, 1);
}

static bool has_all(void *user)
{
    return atomic_load((atomic_int *)user) == 64;
}

static void many_large_messages_into_a_frozen_broker_end_at_their_deadline(void)
{
    static char body[200000];
    static atomic_int answers;
    memset(body, ' ', sizeof body);
    char *config = config_through_proxy("publish: { timeout = \"1s\"; };");
    warren *w = start_worker(config, crew_accept);
    const warren_message message = {
        .type = "nap", .body = body, .body_size = sizeof body, .content_type = "text/plain"
    };
    atomic_store(&answers, 0);
    proxy_freeze(proxy);
    int64_t asked_us = crew_now_us();
    for (int i = 0; i < 64; i++) {
        CU_ASSERT_EQUAL(
            warren_publish_async(warren_worker_publisher(w), &message, note_answer, &answers, NULL),
            WARREN_OK);
    }
    CU_ASSERT(live_wait(has_all, &answers, 20000));
    CU_ASSERT(crew_now_us() - asked_us < 14000000); /* at worst one send's rpc_timeout later */
    proxy_thaw(proxy);
    crew_stop(w);
    proxy_close(proxy);
    free(config);
}

static void stop_while_frozen(int64_t timeout_ms)
{
    warren_error err = { .status = WARREN_OK };
    char *config = config_through_proxy("publish: { timeout = \"1s\"; };");
    warren *w = start_worker(config, crew_accept);
    const warren_message message = { .type = "nap", .body = "{}" };
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    proxy_freeze(proxy);
    int64_t asked_us = crew_now_us();
    (void)warren_stop(w, timeout_ms, &err);
    CU_ASSERT(crew_now_us() - asked_us < timeout_ms * 1000 + 2000000);
    warren_close(w);
    CU_ASSERT(crew_now_us() - asked_us < timeout_ms * 1000 + 2000000);
    proxy_close(proxy);
    free(config);
}

/* Each done before the next: an acknowledgement of its own for each, which a quorum queue is asked about
 * at the end. */
static void do_jobs_singly(warren *w, size_t count)
{
    const warren_message message = { .type = "nap", .body = "{}" };
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
        CU_ASSERT(crew_wait_ended(w, i + 1, 20000));
    }
}

static void a_stop_after_many_jobs_never_waits_for_a_frozen_broker(void)
{
    char *config = config_through_proxy("");
    warren *w = start_worker(config, crew_accept);
    do_jobs_singly(w, 40);
    proxy_freeze(proxy);
    int64_t asked_us = crew_now_us();
    (void)warren_stop(w, 500, NULL);
    warren_close(w);
    CU_ASSERT(crew_now_us() - asked_us < 2500000);
    proxy_close(proxy);
    free(config);
}

static void a_stop_of_an_idle_worker_never_waits_for_a_frozen_broker(void)
{
    stop_while_frozen(500);
    stop_while_frozen(0);
}

static void a_stop_while_it_reconnects_is_quick(void)
{
    char *config = config_through_proxy("");
    warren *w = start_worker(config, crew_accept);
    proxy_freeze(proxy);
    proxy_reset(proxy, PROXY_ALL);
    warren_stats_data stats = { .size = sizeof stats };
    do {
        warren_stats(w, &stats);
    } while (stats.ready);
    int64_t asked_us = crew_now_us();
    (void)warren_stop(w, 1000, NULL);
    warren_close(w);
    CU_ASSERT(crew_now_us() - asked_us < 3000000);
    proxy_close(proxy);
    free(config);
}

/* How long a stop takes while a handler runs; the worker is abandoned then. -1: no job ran; -2: the
 * stop said otherwise. */
static int64_t stop_with_a_running_job(int64_t timeout_ms)
{
    crew_forget(); /* the runs of the tests before are this child's, too */
    char *config = config_through_proxy("");
    warren *w = start_worker(config, take_a_minute);
    const warren_message message = { .type = "nap", .body = "{}" };
    bool is_running =
        !warren_publish(warren_worker_publisher(w), &message, NULL) && crew_wait_runs(1, 30000);
    proxy_freeze(proxy);
    int64_t asked_us = crew_now_us();
    warren_status rc = warren_stop(w, timeout_ms, NULL);
    free(config);
    int64_t took_us = crew_now_us() - asked_us;
    return !is_running ? -1 : rc == WARREN_TIMEOUT ? took_us : -2;
}

/* In a child: what an abandoned worker uses is never freed. */
static void a_running_job_and_a_frozen_broker_end_with_the_drain(void)
{
    int status = -1;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int64_t took_us = stop_with_a_running_job(500);
        _exit(took_us < 0 ? (int)(1 - took_us) : took_us < 2500000 ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status));
    CU_ASSERT_NOT_EQUAL(WEXITSTATUS(status), 2); /* no job ran */
    CU_ASSERT_NOT_EQUAL(WEXITSTATUS(status), 3); /* the stop said otherwise */
    CU_ASSERT_NOT_EQUAL(WEXITSTATUS(status), 1); /* it took too long */
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("stuck", NULL, NULL);
    CU_ADD_TEST(suite, a_signal_ends_a_login_that_is_not_answered);
    CU_ADD_TEST(suite, a_signal_ends_a_handshake_that_is_not_answered);
    CU_ADD_TEST(suite, a_publish_into_a_frozen_broker_ends_at_its_deadline);
    CU_ADD_TEST(suite, many_large_messages_into_a_frozen_broker_end_at_their_deadline);
    CU_ADD_TEST(suite, a_stop_after_many_jobs_never_waits_for_a_frozen_broker);
    CU_ADD_TEST(suite, a_stop_of_an_idle_worker_never_waits_for_a_frozen_broker);
    CU_ADD_TEST(suite, a_stop_while_it_reconnects_is_quick);
    CU_ADD_TEST(suite, a_running_job_and_a_frozen_broker_end_with_the_drain);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
