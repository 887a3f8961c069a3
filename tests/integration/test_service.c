// SPDX-License-Identifier: MIT
// What a service manager hears of a worker on a real broker: a child runs one as a service would
// (warren_run), with the manager's socket and its watchdog in the environment.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "crew.h"
#include "live.h"
#include "notify_socket.h"

enum { WAIT_MS = 30000 };

static struct notify_socket manager;
static int gate[2]; /* a byte lets a run end */

/* --- the child --- */

static warren_verdict hold(warren_job *job, void *user)
{
    char go = 0;
    (void)job;
    (void)user;
    while (read(gate[0], &go, 1) < 0) {
    }
    return WARREN_DONE;
}

static void write_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    (void)fprintf(stderr, "%s %s\n", event, fields);
}

static pid_t start_child(const char *config, const char *watchdog_us)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid) {
        return pid;
    }
    warren *w = NULL;
    warren_error err = { .status = WARREN_OK };
    (void)alarm(240); /* it never outlives a test that was killed */
    (void)setenv("NOTIFY_SOCKET", manager.address, 1);
    if (watchdog_us) {
        (void)setenv("WATCHDOG_USEC", watchdog_us, 1);
    }
    warren_log_to(write_line, NULL, 0);
    warren_status rc = warren_open(&w, config, &err);
    rc = rc ? rc : warren_handle(w, "hold", hold, NULL, &err);
    rc = rc ? rc : warren_run(w, &err);
    if (rc) {
        (void)fprintf(stderr, "child: %s\n", err.text);
    }
    warren_close(w);
    _exit(warren_exit_code(rc));
}

static int end_of(pid_t pid)
{
    int status = 0;
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* --- the test's side --- */

/* Takes words until one has that line. */
static bool hears(const char *line)
{
    while (notify_socket_take(&manager, WAIT_MS)) {
        if (notify_socket_has(&manager, line)) {
            return true;
        }
    }
    (void)fprintf(stderr, "nobody said %s\n", line);
    return false;
}

static bool hears_status(const char *part)
{
    while (notify_socket_take(&manager, WAIT_MS)) {
        if (strstr(manager.word, part)) {
            return true;
        }
    }
    (void)fprintf(stderr, "no status has \"%s\"\n", part);
    return false;
}

static char *prepare(const char *main_text, const char *job)
{
    char queue[300];
    (void)snprintf(
        queue, sizeof queue,
        "queue: { name = \"service\"; prefetch = 10; jobs: ( { type = \"hold\"; %s } ); };", job);
    return crew_config(main_text, queue);
}

static void publish(const char *config)
{
    warren_publisher *publisher = NULL;
    warren_message message = { .type = "hold", .body = "x" };
    CU_ASSERT_FATAL(!warren_publisher_open(&publisher, config, NULL));
    CU_ASSERT_EQUAL(warren_publish(publisher, &message, NULL), WARREN_OK);
    warren_publisher_close(publisher);
}

static void let_end(int count)
{
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(write(gate[1], "g", 1), 1);
    }
}

/* --- stories --- */

static void a_worker_says_ready_reloading_and_stopping_in_their_order(void)
{
    char *config = prepare("drain_timeout = \"20s\";", "");
    pid_t child = start_child(config, NULL);
    CU_ASSERT(notify_socket_take(&manager, WAIT_MS));
    CU_ASSERT(notify_socket_has(&manager, "STATUS=waiting for the broker"));
    CU_ASSERT(
        notify_socket_has(&manager, "EXTEND_TIMEOUT_USEC=635000000")); /* 2 x (5m + 10s) + 15s */
    CU_ASSERT(notify_socket_take(&manager, WAIT_MS));
    CU_ASSERT(notify_socket_has(&manager, "READY=1"));
    publish(config);
    CU_ASSERT(hears_status("taking jobs from 1 queue; 1 running, 0 done"));
    (void)kill(child, SIGHUP);
    CU_ASSERT(hears("RELOADING=1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(manager.word, "MONOTONIC_USEC="));
    CU_ASSERT(notify_socket_take(&manager, WAIT_MS));
    CU_ASSERT(notify_socket_has(&manager, "READY=1"));
    (void)kill(child, SIGTERM);
    CU_ASSERT(hears("STOPPING=1"));
    CU_ASSERT(notify_socket_has(&manager, "EXTEND_TIMEOUT_USEC=35000000"));
    CU_ASSERT_PTR_NOT_NULL(strstr(manager.word, "STATUS=draining; 1 running"));
    let_end(1);
    CU_ASSERT_EQUAL(end_of(child), 0);
    while (notify_socket_take(&manager, 0)) { /* a status may have come; but it is over */
        CU_ASSERT_PTR_NULL(strstr(manager.word, "READY=1"));
    }
    free(config);
}

static void the_watchdog_hears_nothing_of_a_worker_with_a_stuck_thread(void)
{
    char *config = prepare("drain_timeout = \"1s\";", "hard_timeout = \"100ms\";");
    pid_t child = start_child(config, "1000000");
    CU_ASSERT(hears("READY=1"));
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(hears("WATCHDOG=1"));
    }
    publish(config);
    CU_ASSERT(hears_status("; 1 stuck"));
    CU_ASSERT_FALSE(notify_socket_has(&manager, "WATCHDOG=1"));
    CU_ASSERT_FALSE(notify_socket_take(&manager, 2000)); /* twice the watchdog's time */
    (void)kill(child, SIGTERM);                          /* as the unit has it: WatchdogSignal= */
    CU_ASSERT(hears("STOPPING=1"));
    CU_ASSERT_EQUAL(end_of(child), 0);
    while (notify_socket_take(&manager, 0)) {
        CU_ASSERT_FALSE(notify_socket_has(&manager, "WATCHDOG=1"));
    }
    free(config);
}

static void a_worker_that_waits_for_its_broker_stops_when_told_to(void)
{
    char *config =
        crew_config_at("url = \"amqp://127.0.0.1:1\"; connect_wait = \"1h\";", "",
                       "queue: { name = \"service\"; jobs: ( { type = \"hold\"; } ); };");
    pid_t child = start_child(config, NULL);
    CU_ASSERT(hears("STATUS=waiting for the broker"));
    CU_ASSERT(notify_socket_has(&manager, "EXTEND_TIMEOUT_USEC=7235000000"));
    (void)kill(child, SIGTERM);
    CU_ASSERT(notify_socket_take(&manager, WAIT_MS));
    CU_ASSERT(notify_socket_has(&manager, "STOPPING=1"));
    CU_ASSERT_EQUAL(end_of(child), 0);
    free(config);
}

int main(void)
{
    char address[64];
    (void)live_url(); /* before the socket, which its end of the process would leave behind */
    (void)snprintf(address, sizeof address, "/tmp/warren-service-%d", (int)getpid());
    manager = notify_socket_open(address);
    if (CU_initialize_registry() || pipe2(gate, O_CLOEXEC)) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("service", NULL, NULL);
    CU_ADD_TEST(suite, a_worker_says_ready_reloading_and_stopping_in_their_order);
    CU_ADD_TEST(suite, the_watchdog_hears_nothing_of_a_worker_with_a_stuck_thread);
    CU_ADD_TEST(suite, a_worker_that_waits_for_its_broker_stops_when_told_to);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    notify_socket_close(&manager);
    return failed ? 1 : 0;
}
