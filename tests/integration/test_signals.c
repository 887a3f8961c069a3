// SPDX-License-Identifier: MIT
// What a worker does at each signal: a child runs one as a service would (warren_run) and gets them.
// It tells through one pipe when its handlers begin and end, and writes its log into another.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/stacks.h"
#include "crew.h"
#include "live.h"

enum { WAIT_MS = 30000, STORM = 200, STORM_JOBS = 400 };

struct child {
    pid_t pid;
    int events; /* a byte an event: 'b' a run began, 'e' it ended */
    int gate;   /* a byte lets a run end */
    int log;    /* its lines */
};

static struct {
    int events;
    int gate;
    int log;
} mine; /* a child's ends */

/* --- the child --- */

/* Says so, and waits for the test: it is the innermost call of ours in a handler that hangs. */
__attribute__((noinline)) static char stand_still(void)
{
    char go = 0;
    struct pollfd fd = { .fd = mine.gate, .events = POLLIN };
    (void)!write(mine.events, "b", 1);
    while (poll(&fd, 1, -1) < 0 || read(mine.gate, &go, 1) < 0) { /* a look may interrupt it */
    }
    return go;
}

static warren_verdict hold(warren_job *job, void *user)
{
    (void)job;
    (void)user;
    char go = stand_still();
    (void)!write(mine.events, "e", 1);
    return go ? WARREN_DONE : WARREN_RETRY;
}

static void write_line(void *user, int level, const char *event, const char *fields)
{
    char line[2400];
    (void)user;
    (void)level;
    int size = snprintf(line, sizeof line, "%s %s\n", event, fields);
    (void)!write(mine.log, line, (size_t)size); /* less than PIPE_BUF: whole */
}

static void run_child(const char *config)
{
    warren *w = NULL;
    warren_error err = { .status = WARREN_OK };
    warren_log_to(write_line, NULL, 1); /* no more than warnings: a dump is shown nonetheless */
    warren_status rc = warren_open(&w, config, &err);
    rc = rc ? rc : warren_handle(w, "hold", hold, NULL, &err);
    rc = rc ? rc : warren_run(w, &err);
    if (rc) {
        (void)fprintf(stderr, "child: %s\n", err.text);
    }
    warren_close(w);
    _exit(warren_exit_code(rc));
}

/* --- the test's side --- */

/* `terminal` (-1: none): the other end of the one that controls it. */
static struct child start_child(const char *config, int terminal)
{
    int events[2] = { -1, -1 };
    int gate[2] = { -1, -1 };
    int log[2] = { -1, -1 };
    CU_ASSERT_FATAL(!pipe(events) && !pipe(gate) && !pipe(log));
    struct child child = { .events = events[0], .gate = gate[1], .log = log[0] };
    (void)fflush(NULL);
    child.pid = fork();
    if (child.pid == 0) {
        mine.events = events[1];
        mine.gate = gate[0];
        mine.log = log[1];
        (void)close(events[0]);
        (void)close(gate[1]);
        (void)close(log[0]);
        (void)alarm(240); /* it never outlives a test that was killed */
        if (terminal >= 0) {
            (void)setsid();
            (void)open(ptsname(terminal), O_RDWR);
            (void)close(terminal); /* the test's end is the only one */
        }
        run_child(config);
    }
    (void)close(events[1]);
    (void)close(gate[0]);
    (void)close(log[1]);
    (void)fcntl(child.log, F_SETFL, O_NONBLOCK);
    return child;
}

/* The next event; 0 when none comes within the time, or the child is gone. */
static char next_event(const struct child *child, int deadline_ms)
{
    struct pollfd fd = { .fd = child->events, .events = POLLIN };
    char event = 0;
    if (poll(&fd, 1, deadline_ms) <= 0 || read(child->events, &event, 1) != 1) {
        return 0;
    }
    return event;
}

static void expect_events(const struct child *child, const char *events)
{
    for (const char *at = events; *at; at++) {
        CU_ASSERT_EQUAL(next_event(child, WAIT_MS), *at);
    }
}

static void let_end(const struct child *child, int count)
{
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(write(child->gate, "g", 1), 1);
    }
}

static int end_child(struct child *child)
{
    int status = 0;
    (void)waitpid(child->pid, &status, 0);
    (void)close(child->events);
    (void)close(child->gate);
    (void)close(child->log);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int stop_child(struct child *child)
{
    (void)kill(child->pid, SIGTERM);
    return end_child(child);
}

/* Lines of the child's log, as far as they were read. */
static char lines[1 << 18];
static size_t lines_size;

struct search {
    const struct child *child;
    const char *what;
};

static bool has_logged(void *user)
{
    const struct search *search = user;
    ssize_t size = read(search->child->log, lines + lines_size, sizeof lines - lines_size - 1);
    lines_size += size > 0 ? (size_t)size : 0;
    lines[lines_size] = '\0';
    return strstr(lines, search->what) != NULL;
}

static bool wait_log(const struct child *child, const char *what)
{
    struct search search = { child, what };
    bool found = live_wait(has_logged, &search, WAIT_MS);
    if (!found) {
        (void)fprintf(stderr, "no %s in\n%s\n", what, lines);
    }
    return found;
}

static void forget_log(void)
{
    lines_size = 0;
    lines[0] = '\0';
}

static void write_queue(const char *config, const char *options)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   "queue: { name = \"signals\"; prefetch = 10; jobs: ( { type = \"hold\"; %s } ); "
                   "};",
                   options);
    crew_change(config, text);
}

static void publish(const char *config, int count)
{
    warren_publisher *publisher = NULL;
    warren_error err;
    CU_ASSERT_FATAL(!warren_publisher_open(&publisher, config, &err));
    for (int i = 0; i < count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "signal-%d", i);
        warren_message message = { .type = "hold", .body = "x", .id = id };
        CU_ASSERT_EQUAL(warren_publish(publisher, &message, &err), WARREN_OK);
    }
    warren_publisher_close(publisher);
}

/* The topology stands and the queue is empty. */
static char *prepare(const char *options)
{
    char *config = crew_config("drain_timeout = \"20s\";", "");
    warren_admin *admin = NULL;
    write_queue(config, options);
    CU_ASSERT_FATAL(!warren_admin_open(&admin, config, NULL));
    (void)warren_queue_purge(admin, "signals", NULL, NULL); /* none before the first test */
    warren_admin_close(admin);
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "hold", hold, NULL, NULL));
    crew_start(w);
    crew_stop(w);
    forget_log();
    return config;
}

/* --- stories --- */

static void hangup_reloads(void)
{
    char *config = prepare("concurrency = 1;");
    publish(config, 3);
    struct child child = start_child(config, -1);
    expect_events(&child, "b");
    write_queue(config, "concurrency = 3;");
    (void)kill(child.pid, SIGHUP);
    expect_events(&child, "bb"); /* though none has ended */
    write_queue(config, "concurrency = many;");
    (void)kill(child.pid, SIGHUP);
    CU_ASSERT(wait_log(&child, "config.kept"));
    write_queue(config, "concurrency = 3;"); /* for the test's own look at the queue */
    let_end(&child, 3);
    expect_events(&child, "eee");
    CU_ASSERT_EQUAL(stop_child(&child), 0);
    CU_ASSERT(crew_wait_depth(config, "signals", 0, WAIT_MS));
    free(config);
}

static void a_storm_of_hangups_under_load_costs_nothing(void)
{
    char *config = prepare("concurrency = 2;");
    publish(config, STORM_JOBS);
    struct child child = start_child(config, -1);
    expect_events(&child, "b");
    let_end(&child, STORM_JOBS);
    for (int i = 0; i < STORM; i++) {
        write_queue(config, i % 2 ? "concurrency = 5; timeout = \"9s\";" : "concurrency = 2;");
        (void)kill(child.pid, SIGHUP);
    }
    for (int i = 0; i < 2 * STORM_JOBS - 1; i++) {
        CU_ASSERT_FATAL(next_event(&child, WAIT_MS) != 0);
    }
    CU_ASSERT(crew_wait_depth(config, "signals", 0, WAIT_MS));
    CU_ASSERT_EQUAL(stop_child(&child), 0);
    CU_ASSERT_EQUAL(next_event(&child, 0), 0); /* none ran twice */
    CU_ASSERT(crew_wait_depth(config, "signals", 0, WAIT_MS));
    free(config);
}

static void a_stop_from_the_terminal_makes_it_quiet_and_a_continue_ends_that(void)
{
    char *config = prepare("concurrency = 1;");
    publish(config, 4);
    struct child child = start_child(config, -1);
    expect_events(&child, "b");
    (void)kill(child.pid, SIGTSTP);
    CU_ASSERT(crew_wait_depth(config, "signals", 3, WAIT_MS)); /* for whoever else is there */
    let_end(&child, 4);
    expect_events(&child, "e");
    CU_ASSERT(crew_wait_depth(config, "signals", 3, WAIT_MS)); /* and stay there */
    (void)kill(child.pid, SIGCONT);
    expect_events(&child, "bebebe");
    CU_ASSERT_EQUAL(stop_child(&child), 0);
    free(config);
}

static void a_quiet_worker_drains_at_once(void)
{
    char *config = prepare("concurrency = 1;");
    publish(config, 2);
    struct child child = start_child(config, -1);
    expect_events(&child, "b");
    (void)kill(child.pid, SIGTSTP);
    CU_ASSERT(crew_wait_depth(config, "signals", 1, WAIT_MS));
    let_end(&child, 1);
    expect_events(&child, "e");
    CU_ASSERT_EQUAL(stop_child(&child), 0);
    CU_ASSERT(crew_wait_depth(config, "signals", 1, WAIT_MS));
    free(config);
}

/* Whether a frame of that thread's stack lies in the function. */
static bool shows(const char *stack, const char *from_frame)
{
    char module[100];
    unsigned long long from = 0;
    size_t length = strcspn(from_frame, "+");
    (void)snprintf(module, sizeof module, "%.*s+0x", (int)length, from_frame);
    (void)sscanf(from_frame + length, "+0x%llx", &from);
    const char *end = strchr(stack, '\n');
    for (const char *at = stack; (at = strstr(at, module)) && at < end; at++) {
        unsigned long long offset = strtoull(at + strlen(module), NULL, 16);
        if (offset >= from && offset < from + 400) { /* more than it has bytes */
            return true;
        }
    }
    return false;
}

static void a_dump_shows_where_a_handler_hangs(void)
{
    char frame[200];
    char want[100];
    int tid = 0;
    char *config = prepare("concurrency = 1; timeout = \"1h\";");
    publish(config, 1);
    struct child child = start_child(config, -1);
    expect_events(&child, "b");
    (void)kill(child.pid, SIGUSR1);
    CU_ASSERT(wait_log(&child, "dump.worker name="));
    CU_ASSERT(wait_log(&child, "dump.queue queue=signals state=consuming prefetch=10 unsettled=1"));
    CU_ASSERT(wait_log(&child, "dump.type queue=signals type=hold running=1 waiting=0"));
    CU_ASSERT(wait_log(&child, "dump.job queue=signals type=hold id=\"signal-0\" running_ms="));
    const char *job = strstr(lines, "dump.job ");
    CU_ASSERT_EQUAL_FATAL(sscanf(strstr(job, " tid="), " tid=%d", &tid), 1);
    (void)snprintf(want, sizeof want, "dump.thread tid=%d name=\"warren-worker\" stack=", tid);
    CU_ASSERT_FATAL(wait_log(&child, want));
    CU_ASSERT_FATAL(wait_log(&child, "name=\"warren-consume\""));
    CU_ASSERT(shows(strstr(lines, want),
                    wr_stack_frame(frame, sizeof frame, (const void *)(uintptr_t)stand_still)));
    let_end(&child, 1); /* it hangs on until then all the same */
    expect_events(&child, "e");
    CU_ASSERT_EQUAL(stop_child(&child), 0);
    free(config);
}

static void a_drain_is_not_hastened_by_what_does_not_end(void)
{
    char *config = prepare("concurrency = 1;");
    publish(config, 1);
    struct child child = start_child(config, -1);
    expect_events(&child, "b");
    (void)kill(child.pid, SIGTERM);
    (void)kill(child.pid, SIGHUP);
    (void)kill(child.pid, SIGCONT);
    (void)kill(child.pid, SIGUSR1);
    CU_ASSERT(wait_log(&child, "dump.worker name="));
    let_end(&child, 1);
    expect_events(&child, "e");
    CU_ASSERT_EQUAL(end_child(&child), 0);
    CU_ASSERT(crew_wait_depth(config, "signals", 0, WAIT_MS));
    free(config);
}

static int open_terminal(void)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CU_ASSERT_FATAL(terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal));
    return terminal;
}

static void a_drain_outlives_its_terminal(void)
{
    char *config = prepare("concurrency = 1;");
    int terminal = open_terminal();
    publish(config, 1);
    forget_log();
    struct child child = start_child(config, terminal);
    expect_events(&child, "b");
    (void)kill(child.pid, SIGTERM);
    (void)close(terminal);
    (void)kill(child.pid, SIGUSR1); /* read after the hangup */
    CU_ASSERT(wait_log(&child, "dump.worker name="));
    let_end(&child, 1);
    expect_events(&child, "e");
    CU_ASSERT_EQUAL(end_child(&child), 0);
    CU_ASSERT(crew_wait_depth(config, "signals", 0, WAIT_MS));
    free(config);
}

static void a_start_that_waits_for_its_broker_is_ended_by_an_end_only(void)
{
    char *config = crew_config_at("url = \"amqp://127.0.0.1:1\";", "", ""); /* nobody listens */
    write_queue(config, "");
    forget_log();
    struct child child = start_child(config, -1);
    CU_ASSERT(wait_log(&child, "connect.failed"));
    (void)kill(child.pid, SIGHUP);
    (void)kill(child.pid, SIGUSR1);
    forget_log();
    CU_ASSERT(wait_log(&child, "connect.failed")); /* it goes on */
    CU_ASSERT_EQUAL(waitpid(child.pid, NULL, WNOHANG), 0);
    CU_ASSERT_EQUAL(stop_child(&child), 0);
    free(config);
}

static void a_terminal_that_is_gone_ends_it(void)
{
    char *config = prepare("concurrency = 1;");
    int terminal = open_terminal();
    publish(config, 1);
    struct child child = start_child(config, terminal);
    expect_events(&child, "b");
    let_end(&child, 1);
    expect_events(&child, "e");
    (void)close(terminal);
    CU_ASSERT_EQUAL(end_child(&child), 0);
    free(config);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)live_url(); /* in the parent, so that children inherit the vhost */
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("signals", NULL, NULL);
    CU_ADD_TEST(suite, hangup_reloads);
    CU_ADD_TEST(suite, a_storm_of_hangups_under_load_costs_nothing);
    CU_ADD_TEST(suite, a_stop_from_the_terminal_makes_it_quiet_and_a_continue_ends_that);
    CU_ADD_TEST(suite, a_quiet_worker_drains_at_once);
    CU_ADD_TEST(suite, a_dump_shows_where_a_handler_hangs);
    CU_ADD_TEST(suite, a_drain_is_not_hastened_by_what_does_not_end);
    CU_ADD_TEST(suite, a_drain_outlives_its_terminal);
    CU_ADD_TEST(suite, a_start_that_waits_for_its_broker_is_ended_by_an_end_only);
    CU_ADD_TEST(suite, a_terminal_that_is_gone_ends_it);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
