// SPDX-License-Identifier: MIT
/*
 * How a worker ends: each test forks a child that runs one as a service would (warren_run) and
 * sends it signals. The child tells through a pipe when its handlers begin and end.
 */
#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "live.h"
#include "stranger.h"
#include "warren/control.h"

static const char queue_text[] =
    "queue: { name = \"drained\"; jobs: ( { type = \"nap\"; concurrency = 2; } ); };";

struct child {
    pid_t pid;
    int events; /* a byte an event: 'b' a run began, 'e' it ended, 'c' it saw that it is cancelled
                 */
};

static void pass_ms(int64_t ms)
{
    struct timespec time = { ms / 1000, (ms % 1000) * 1000000L };
    while (nanosleep(&time, &time)) {
    }
}

/* A handler's way to the parent. */
struct teller {
    int fd;
    const warren *w;
};

/* Says where the worker's pages are, and stays until that file is there. */
static warren_verdict stay(const struct teller *teller, const char *file)
{
    char address[80];
    int size = snprintf(address, sizeof address, "%s\n", warren_http_address(teller->w));
    (void)!write(teller->fd, address, (size_t)size);
    for (int i = 0; i < 6000 && access(file, F_OK); i++) {
        pass_ms(10);
    }
    (void)!write(teller->fd, "e", 1);
    return WARREN_DONE;
}

/* Sleeps for the member `ms`; with `polite` it asks now and then whether it should leave. */
static warren_verdict nap(warren_job *job, void *user)
{
    const struct teller *teller = user;
    int fd = teller->fd;
    int64_t ms = 0;
    const char *until = warren_job_string(job, "until");
    (void)warren_job_int(job, "ms", &ms);
    bool is_polite = warren_job_bool(job, "polite", false);
    (void)!write(fd, "b", 1);
    if (until) {
        return stay(teller, until);
    }
    for (int64_t past = 0; past < ms; past += 10) {
        pass_ms(10);
        if (is_polite && warren_job_cancelled(job)) {
            (void)!write(fd, "c", 1);
            return warren_snooze(job, 125);
        }
    }
    (void)!write(fd, "e", 1);
    return WARREN_DONE;
}

static void run_child(const char *config, int fd)
{
    warren *w = NULL;
    warren_error err = { .status = WARREN_OK };
    warren_status rc = warren_open(&w, config, &err);
    struct teller teller = { fd, w };
    rc = rc ? rc : warren_handle(w, "nap", nap, &teller, &err);
    rc = rc ? rc : warren_run(w, &err);
    if (rc) {
        (void)fprintf(stderr, "child: %s\n", err.text);
    }
    warren_close(w);
    _exit(warren_exit_code(rc));
}

static struct child start_child(const char *config)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    struct child child = { .events = ends[0] };
    (void)fflush(NULL);
    child.pid = fork();
    if (child.pid == 0) {
        (void)close(ends[0]);
        run_child(config, ends[1]);
    }
    (void)close(ends[1]);
    return child;
}

/* Waits for the next event; 0 when none comes within the time, or the child is gone. */
static char next_event(const struct child *child, int deadline_ms)
{
    struct pollfd fd = { .fd = child->events, .events = POLLIN };
    char event = 0;
    if (poll(&fd, 1, deadline_ms) <= 0 || read(child->events, &event, 1) != 1) {
        return 0;
    }
    return event;
}

/* Waits for the child's end; its exit code, and how long it took from now. */
static int end_child(struct child *child, int64_t *out_ms)
{
    int status = 0;
    int64_t from_us = crew_now_us();
    (void)waitpid(child->pid, &status, 0);
    *out_ms = (crew_now_us() - from_us) / 1000;
    (void)close(child->events);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void publish_naps(const char *config, int count, const char *body)
{
    warren_publisher *publisher = NULL;
    warren_error err;
    warren_message message = { .type = "nap", .body = body };
    CU_ASSERT_FATAL(!warren_publisher_open(&publisher, config, &err));
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(warren_publish(publisher, &message, &err), WARREN_OK);
    }
    warren_publisher_close(publisher);
}

/* Declares the topology, so that the publishes have somewhere to go before the child is up, and
 * empties the queue. */
static char *prepare(const char *main_text)
{
    char *config = crew_config(main_text, queue_text);
    warren_admin *admin = NULL;
    CU_ASSERT_FATAL(!warren_admin_open(&admin, config, NULL));
    (void)warren_queue_purge(admin, "drained", NULL,
                             NULL); /* what the test before left; none before the first */
    warren_admin_close(admin);
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "nap", crew_accept, NULL, NULL));
    crew_start(w);
    crew_stop(w);
    return config;
}

static void a_drain_lets_running_jobs_end_and_gives_the_rest_back(void)
{
    int64_t took_ms;
    char *config = prepare("drain_timeout = \"10s\";");
    publish_naps(config, 8, "{\"ms\":1000}");
    struct child child = start_child(config);
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'b');
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'b');
    (void)kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(next_event(&child, 5000), 'e');
    CU_ASSERT_EQUAL(next_event(&child, 5000), 'e');
    CU_ASSERT_EQUAL(end_child(&child, &took_ms), 0);
    CU_ASSERT(took_ms < 3000);
    CU_ASSERT(crew_wait_depth(config, "drained", 6, 10000)); /* two done, none lost, none twice */
    free(config);
}

static void a_job_that_outlives_the_drain_goes_to_another_worker(void)
{
    int64_t took_ms;
    char *config = prepare("drain_timeout = \"500ms\";");
    publish_naps(config, 1, "{\"ms\":20000}");
    struct child child = start_child(config);
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'b');
    (void)kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(end_child(&child, &took_ms), 0);
    CU_ASSERT(took_ms < 2500);
    CU_ASSERT(crew_wait_depth(config, "drained", 1, 10000));
    free(config);
}

static void a_cancelled_job_may_leave_early(void)
{
    int64_t took_ms;
    char *config = prepare("drain_timeout = \"10s\";");
    publish_naps(config, 1, "{\"ms\":20000,\"polite\":true}");
    struct child child = start_child(config);
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'b');
    (void)kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(next_event(&child, 5000), 'c');
    CU_ASSERT_EQUAL(end_child(&child, &took_ms), 0);
    CU_ASSERT(took_ms < 3000);
    CU_ASSERT(crew_wait_depth(config, "drained", 1, 10000)); /* snoozed, and home again */
    free(config);
}

static void a_second_signal_leaves_at_once(void)
{
    int64_t took_ms;
    char *config = prepare("drain_timeout = \"30s\";");
    publish_naps(config, 1, "{\"ms\":20000}");
    struct child child = start_child(config);
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'b');
    (void)kill(child.pid, SIGTERM);
    pass_ms(100); /* the fault itself: a second signal 100 ms later */
    (void)kill(child.pid, SIGINT);
    CU_ASSERT_EQUAL(end_child(&child, &took_ms), 128 + SIGINT);
    CU_ASSERT(took_ms < 1000);
    CU_ASSERT(crew_wait_depth(config, "drained", 1, 10000));
    free(config);
}

static void a_killed_worker_loses_nothing(void)
{
    int64_t took_ms;
    char *config = prepare("");
    publish_naps(config, 20, "{\"ms\":300}");
    struct child child = start_child(config);
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'b');
    (void)kill(child.pid, SIGKILL);
    CU_ASSERT_EQUAL(end_child(&child, &took_ms), 1000 + SIGKILL);
    CU_ASSERT(crew_wait_depth(config, "drained", 20, 20000));
    struct child other = start_child(config);
    for (int i = 0; i < 40; i++) {
        CU_ASSERT(next_event(&other, 10000) != 0);
    }
    CU_ASSERT(crew_wait_depth(config, "drained", 0, 10000));
    (void)kill(other.pid, SIGTERM);
    CU_ASSERT_EQUAL(end_child(&other, &took_ms), 0);
    free(config);
}

static void a_signal_ends_the_wait_for_a_broker(void)
{
    int64_t took_ms;
    char *config = crew_config("", queue_text);
    FILE *file = fopen(config, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fprintf(file,
                  "broker: { url = \"amqp://127.0.0.1:1\"; };\n"); /* nobody listens on port 1 */
    (void)fclose(file);
    struct child child = start_child(config);
    CU_ASSERT_EQUAL(next_event(&child, 300), 0);
    (void)kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(end_child(&child, &took_ms), 0);
    CU_ASSERT(took_ms < 2000);
    free(config);
}

/* --- what a draining worker says of itself --- */

/* The status of a page at "host:port". */
static int status_of(const char *address, const char *page)
{
    char text[256];
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n", page);
    bool is_sent = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
                   send(fd, text, (size_t)size, MSG_NOSIGNAL) == size;
    memset(text, 0, sizeof text);
    bool is_answered = is_sent && recv(fd, text, sizeof text - 1, MSG_WAITALL) > 12;
    (void)close(fd);
    return is_answered ? atoi(text + strlen("HTTP/1.1 ")) : 0;
}

static bool is_ready(void *user)
{
    return status_of(user, "/readyz") == 200;
}

static bool is_unready(void *user)
{
    return status_of(user, "/readyz") == 503;
}

/* Until it has heard of one. */
static bool hear_drain(const char *json, void *user)
{
    bool *has_heard = user;
    *has_heard = strstr(json, "\"state\":\"draining\",\"ready\":false") != NULL;
    return !*has_heard;
}

/* It answers who asks, and its heartbeats say it to who doesn't. */
static void expect_draining(const char *config)
{
    bool answers = false;
    bool says_so = false;
    warren_admin *admin = NULL;
    const warren_order describe = { .order = "describe", .who = "test@here" };
    CU_ASSERT_FATAL(!warren_admin_open(&admin, config, NULL));
    CU_ASSERT_EQUAL(warren_control_order(admin, &describe, 30000, hear_drain, &answers, NULL),
                    WARREN_OK);
    CU_ASSERT(answers);
    CU_ASSERT_EQUAL(warren_control_news(admin, 30000, hear_drain, &says_so, NULL), WARREN_OK);
    CU_ASSERT(says_so);
    warren_admin_close(admin);
}

static void while_it_drains_a_worker_is_alive_not_ready_and_answers(void)
{
    int64_t took_ms;
    char address[80] = "";
    char body[300];
    char *config = prepare("drain_timeout = \"60s\"; http: { listen = \"0\"; };"
                           "control: { enabled = true; heartbeat = \"1s\"; };");
    char *file = malloc(strlen(config) + 8);
    (void)sprintf(file, "%s.end", config);
    (void)snprintf(body, sizeof body, "{\"until\":\"%s\"}", file);
    publish_naps(config, 1, body);
    struct child child = start_child(config);
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'b');
    for (size_t i = 0; i < sizeof address - 1 && (!i || address[i - 1] != '\n'); i++) {
        address[i] = next_event(&child, 10000);
    }
    CU_ASSERT(live_wait(is_ready, address, 10000)); /* a job may begin a moment before */
    (void)kill(child.pid, SIGTERM);
    CU_ASSERT(live_wait(is_unready, address, 10000));
    CU_ASSERT_EQUAL(status_of(address, "/livez"), 200);
    CU_ASSERT_EQUAL(status_of(address, "/startupz"), 200);
    expect_draining(config);
    CU_ASSERT_EQUAL(status_of(address, "/livez"), 200);
    (void)close(creat(file, 0600));
    CU_ASSERT_EQUAL(next_event(&child, 10000), 'e');
    CU_ASSERT_EQUAL(end_child(&child, &took_ms), 0);
    CU_ASSERT(crew_wait_depth(config, "drained", 0, 10000));
    (void)unlink(file);
    free(file);
    free(config);
}

/* --- what was given back --- */

enum { RETURNS = 30 }; /* more than RabbitMQ 4.0 allows a message unless its queue says otherwise */

static void what_was_given_back_thirty_times_runs_for_the_first_time(void)
{
    char *config = prepare("");
    publish_naps(config, 1, "{\"ms\":0}");
    stranger_open();
    CU_ASSERT_FATAL(!wr_broker_prefetch(stranger, STRANGER_CHANNEL, 1, NULL));
    CU_ASSERT_FATAL(!wr_broker_consume(stranger, STRANGER_CHANNEL, "drained", "hands", NULL));
    for (int i = 0; i < RETURNS; i++) {
        struct wr_event event = talk_next(stranger, 10000);
        CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_DELIVERY);
        CU_ASSERT(!wr_broker_nack(stranger, STRANGER_CHANNEL, event.tag, false, true));
        wr_delivery_free(event.delivery);
    }
    stranger_close();
    crew_forget();
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "nap", crew_accept, NULL, NULL));
    crew_start(w);
    CU_ASSERT(crew_wait_ended(w, 1, 10000));
    CU_ASSERT_EQUAL(crew_runs(), 1);
    CU_ASSERT_EQUAL(crew_run(0).attempt, 1);
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    CU_ASSERT_EQUAL(stats.dead, 0);
    CU_ASSERT_EQUAL(stats.redelivered, 1);
    CU_ASSERT_EQUAL(stats.crashes, 0);
    CU_ASSERT_EQUAL(stats.interrupts, 0);
    crew_stop(w);
    free(config);
}

int main(void)
{
    (void)
        live_url(); /* in the parent, so that children inherit the vhost and don't make their own */
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("drain", NULL, NULL);
    CU_ADD_TEST(suite, a_drain_lets_running_jobs_end_and_gives_the_rest_back);
    CU_ADD_TEST(suite, a_job_that_outlives_the_drain_goes_to_another_worker);
    CU_ADD_TEST(suite, a_cancelled_job_may_leave_early);
    CU_ADD_TEST(suite, a_second_signal_leaves_at_once);
    CU_ADD_TEST(suite, a_killed_worker_loses_nothing);
    CU_ADD_TEST(suite, a_signal_ends_the_wait_for_a_broker);
    CU_ADD_TEST(suite, while_it_drains_a_worker_is_alive_not_ready_and_answers);
    CU_ADD_TEST(suite, what_was_given_back_thirty_times_runs_for_the_first_time);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
