// SPDX-License-Identifier: MIT
/*
 * Jobs that take their worker along, on quorum and classic queues. A supervisor (here: the test)
 * starts the worker again when it has died.
 */
#include <CUnit/Basic.h>

#include "io/crashbook.h"
#include "stranger.h"
#include "victim.h"

enum { STARTS_MOST = 20, INNOCENTS = 10 };

/* A configuration with one queue of that kind, called like its test. Its ledger is in the state
 * folder. Declared, so that it can be published to before the worker is up. */
static char *configure(const char *kind, const char *name, const char *main_text,
                       const char *options, int concurrency)
{
    char text[400];
    char queue[400];
    (void)snprintf(queue_name, sizeof queue_name, "%s.%s", name, kind);
    (void)snprintf(text, sizeof text, "state_dir = \"%s\"; %s", state_path, main_text);
    (void)snprintf(queue, sizeof queue,
                   "queue: { name = \"%s\"; type = \"%s\"; %s jobs: ( { type = \"%s\"; "
                   "concurrency = %d; } ); };",
                   queue_name, kind, options, queue_name, concurrency);
    char *config = crew_config(text, queue);
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, queue_name, crew_accept, NULL, NULL));
    crew_start(w);
    crew_stop(w);
    return config;
}

static void publish(const char *config, const char *id, const char *body)
{
    warren_publisher *publisher = NULL;
    warren_error err;
    warren_message message = { .type = queue_name, .id = id, .body = body };
    CU_ASSERT_FATAL(!warren_publisher_open(&publisher, config, &err));
    CU_ASSERT_EQUAL(warren_publish(publisher, &message, &err), WARREN_OK);
    warren_publisher_close(publisher);
}

/* A dead letter of the queue. */
struct letter {
    char id[64];
    char reason[32];
    char error[600];
    char headers[4096];
    int attempts;
};

struct letters {
    struct letter items[4];
    size_t length;
};

static bool copy_letter(const warren_dead_letter *from, void *user)
{
    struct letters *letters = user;
    struct letter *to = &letters->items[letters->length++];
    (void)snprintf(to->id, sizeof to->id, "%s", from->id);
    (void)snprintf(to->reason, sizeof to->reason, "%s", from->reason);
    (void)snprintf(to->error, sizeof to->error, "%s", from->error);
    (void)snprintf(to->headers, sizeof to->headers, "%s", from->headers_json);
    to->attempts = from->attempts;
    return letters->length < sizeof letters->items / sizeof letters->items[0];
}

/* Waits until the dead queue has so many, and reads them. */
static void wait_letters(const char *config, size_t count, struct letters *out)
{
    char dead[80];
    (void)snprintf(dead, sizeof dead, "%s.dead", queue_name);
    CU_ASSERT(crew_wait_depth(config, dead, count, VICTIM_WAIT_MS));
    CU_ASSERT_EQUAL(crew_dead(config, queue_name, copy_letter, out), count);
}

static struct letter only_letter(const char *config)
{
    struct letters letters = { .items = { { .attempts = -1 } } };
    wait_letters(config, 1, &letters);
    return letters.items[0];
}

static const struct letter *find_letter(const struct letters *letters, const char *id)
{
    for (size_t i = 0; i < letters->length; i++) {
        if (strcmp(letters->items[i].id, id) == 0) {
            return &letters->items[i];
        }
    }
    return NULL;
}

/* Whether the crash book of the state folder knows of this job. */
static bool is_in_book(const char *id)
{
    struct wr_crashbook *book = NULL;
    struct wr_crash_record record;
    struct wr_job_key key;
    CU_ASSERT_FATAL(!wr_crashbook_open(&book, state_fd, "warren", NULL));
    (void)snprintf(key.queue, sizeof key.queue, "%s", queue_name);
    (void)snprintf(key.id, sizeof key.id, "%s", id);
    bool is_known = wr_crashbook_lookup(book, &key, wr_clock_wall_ms(NULL), &record);
    wr_crashbook_close(book);
    return is_known;
}

/* Of x-warren-crashes and -interrupts; 0: absent. */
static int header(const struct letter *letter, const char *name)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = strstr(letter->headers, wanted);
    return at ? atoi(at + strlen(wanted)) : 0;
}

/* Runs workers one after the other, as a supervisor would, until one lives long enough to begin
 * `others` runs of jobs that aren't the poison; returns how often the poison ran. */
static int supervise(const char *config, const char *poison, int others, int want_end)
{
    int poisoned = 0;
    int begun = 0;
    for (int i = 0; i < STARTS_MOST && begun < others; i++) {
        struct worker worker = start_worker(config);
        struct run run;
        begun = 0;
        bool is_alive = true;
        while (begun < others && (is_alive = next_run(&worker, &run))) {
            poisoned += strcmp(run.id, poison) == 0;
            begun += strcmp(run.id, poison) != 0;
            CU_ASSERT_EQUAL(run.attempt, 1);
        }
        if (!is_alive) {
            int got = end_worker(&worker);
            CU_ASSERT(got == want_end || (VICTIM_SANITIZED && want_end > 1000 && got != 0));
        } else {
            CU_ASSERT_EQUAL(stop_worker(&worker, SIGTERM), 0);
        }
    }
    return poisoned;
}

static void a_poison_is_dead_after_its_last_crash(const char *kind)
{
    char id[32];
    char *config = configure(kind, "poison", "", "prefetch = 20;", 1);
    publish(config, "poison", "{\"do\":\"fault\",\"prefetched\":11}");
    for (int i = 0; i < INNOCENTS; i++) {
        (void)snprintf(id, sizeof id, "innocent-%d", i);
        publish(config, id, "{}");
    }
    CU_ASSERT_EQUAL(supervise(config, "poison", INNOCENTS, 1000 + SIGSEGV), 5);
    struct letter letter = only_letter(config);
    CU_ASSERT_STRING_EQUAL(letter.id, "poison");
    CU_ASSERT_STRING_EQUAL(letter.reason, "crash_loop");
    CU_ASSERT_EQUAL(strncmp(letter.error, "crashed 5 times; last: SIGSEGV at test_crashes+0x", 49),
                    0);
    CU_ASSERT_PTR_NOT_NULL(strstr(letter.error, " < test_crashes+0x"));
    CU_ASSERT_EQUAL(letter.attempts, 0);
    CU_ASSERT_EQUAL(header(&letter, "x-warren-crashes"), 5);
    CU_ASSERT_EQUAL(header(&letter, "x-warren-interrupts"), 0);
    CU_ASSERT_STRING_EQUAL(state_file(".ledger"), ""); /* none is left when all is well */
    free(config);
}

static void an_exit_is_a_crash_without_a_fault(const char *kind)
{
    char *config = configure(kind, "exit", "", "max_crashes = 2;", 1);
    publish(config, "exits", "{\"do\":\"exit\"}");
    publish(config, "innocent", "{}");
    CU_ASSERT_EQUAL(supervise(config, "exits", 1, 3), 2);
    struct letter letter = only_letter(config);
    CU_ASSERT_STRING_EQUAL(letter.reason, "crash_loop");
    CU_ASSERT_STRING_EQUAL(letter.error, "crashed 2 times; last: no fault was seen (a kill, an "
                                         "exit, or no memory)");
    free(config);
}

static void a_stack_overflow_and_an_abort_are_named(const char *kind)
{
    char *config = configure(kind, "overflow", "", "max_crashes = 1;", 1);
    publish(config, "deep", "{\"do\":\"overflow\"}");
    publish(config, "innocent", "{}");
    CU_ASSERT_EQUAL(supervise(config, "deep", 1, 1000 + SIGSEGV), 1);
    struct letter letter = only_letter(config);
    CU_ASSERT_EQUAL(strncmp(letter.error, "crashed 1 times; last: SIGSEGV at ", 34), 0);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(letter.error, "test_crashes+")); /* under a sanitizer not the first */
    free(config);
    config = configure(kind, "abort", "", "max_crashes = 1;", 1);
    publish(config, "aborts", "{\"do\":\"abort\"}");
    publish(config, "innocent", "{}");
    CU_ASSERT_EQUAL(supervise(config, "aborts", 1, 1000 + SIGABRT), 1);
    letter = only_letter(config);
    CU_ASSERT_EQUAL(strncmp(letter.error, "crashed 1 times; last: SIGABRT at libc.so.6+", 44), 0);
    free(config);
}

static void a_kill_in_the_middle_is_one_crash(const char *kind)
{
    char *config = configure(kind, "killed", "", "", 1);
    publish(config, "killed", "{\"do\":\"hang\",\"once\":true}");
    struct worker worker = start_worker(config);
    CU_ASSERT(next_is(&worker, "killed"));
    CU_ASSERT_EQUAL(stop_worker(&worker, SIGKILL), 1000 + SIGKILL);
    worker = start_worker(config);
    CU_ASSERT(next_is(&worker, "killed"));
    struct letter letter = only_letter(config);
    CU_ASSERT_EQUAL(stop_worker(&worker, SIGTERM), 0);
    CU_ASSERT_STRING_EQUAL(letter.error, "seen again");
    CU_ASSERT_EQUAL(letter.attempts, 1); /* that verdict; the crash is none */
    CU_ASSERT_EQUAL(header(&letter, "x-warren-crashes"), 1);
    CU_ASSERT_EQUAL(header(&letter, "x-warren-interrupts"), 0);
    CU_ASSERT_FALSE(is_in_book("killed")); /* settled: its counts have gone on with it */
    free(config);
}

/* Who ran beside the crash is no culprit. */
static void a_neighbour_of_a_crash_is_interrupted(const char *kind)
{
    char *config = configure(kind, "beside", "", "max_crashes = 1;", 2);
    publish(config, "neighbour", "{\"do\":\"hang\",\"once\":true}");
    struct worker worker = start_worker(config);
    CU_ASSERT(next_is(&worker, "neighbour"));
    publish(config, "poison", "{\"do\":\"fault\"}");
    CU_ASSERT(next_is(&worker, "poison"));
    (void)end_worker(&worker);
    worker = start_worker(config);
    CU_ASSERT(next_is(&worker, "neighbour"));
    struct letters letters = { 0 };
    wait_letters(config, 2, &letters);
    CU_ASSERT_EQUAL(stop_worker(&worker, SIGTERM), 0);
    const struct letter *neighbour = find_letter(&letters, "neighbour");
    const struct letter *poison = find_letter(&letters, "poison");
    CU_ASSERT_FATAL(neighbour && poison);
    CU_ASSERT_EQUAL(header(neighbour, "x-warren-crashes"), 0);
    CU_ASSERT_EQUAL(header(neighbour, "x-warren-interrupts"), 1);
    CU_ASSERT_STRING_EQUAL(poison->reason, "crash_loop");
    CU_ASSERT_EQUAL(header(poison, "x-warren-interrupts"), 0);
    free(config);
}

/* The worker that gets the job next is up already: the lock is gone before the broker knows. */
static void another_worker_sees_the_crash_at_once(const char *kind)
{
    char *config = configure(kind, "other", "", "prefetch = 1;", 1);
    publish(config, "killed", "{\"do\":\"hang\",\"once\":true}");
    struct worker first = start_worker(config);
    CU_ASSERT(next_is(&first, "killed"));
    struct worker second = start_worker(config);
    publish(config, "between", "{}");
    struct run run;
    CU_ASSERT(next_run(&second, &run)); /* it consumes */
    CU_ASSERT_EQUAL(stop_worker(&first, SIGKILL), 1000 + SIGKILL);
    struct letter letter = only_letter(config);
    CU_ASSERT_EQUAL(header(&letter, "x-warren-crashes"), 1);
    CU_ASSERT_EQUAL(stop_worker(&second, SIGTERM), 0);
    free(config);
}

static void what_outlives_a_drain_is_an_interrupt(const char *kind)
{
    char *config = configure(kind, "drained", "drain_timeout = \"100ms\";", "", 1);
    publish(config, "hangs", "{\"do\":\"hang\",\"once\":true}");
    struct worker worker = start_worker(config);
    CU_ASSERT(next_is(&worker, "hangs"));
    CU_ASSERT_EQUAL(stop_worker(&worker, SIGTERM), 0);
    worker = start_worker(config);
    CU_ASSERT(next_is(&worker, "hangs"));
    struct letter letter = only_letter(config);
    CU_ASSERT_EQUAL(stop_worker(&worker, SIGTERM), 0);
    CU_ASSERT_EQUAL(header(&letter, "x-warren-crashes"), 0);
    CU_ASSERT_EQUAL(header(&letter, "x-warren-interrupts"), 1);
    free(config);
}

static void a_second_signal_interrupts_too(const char *kind)
{
    char *config = configure(kind, "twice", "", "prefetch = 10;", 1);
    publish(config, "hangs", "{\"do\":\"hang\",\"once\":true}");
    publish(config, "never", "{\"do\":\"hang\",\"once\":true}");
    struct worker worker = start_worker(config);
    CU_ASSERT(next_is(&worker, "hangs"));
    (void)kill(worker.pid, SIGTERM);
    CU_ASSERT(crew_wait_depth(config, queue_name, 1,
                              VICTIM_WAIT_MS)); /* given back: the drain has begun */
    CU_ASSERT_EQUAL(stop_worker(&worker, SIGINT), 128 + SIGINT);
    worker = start_worker(config);
    struct run run;
    CU_ASSERT(next_run(&worker, &run) && next_run(&worker, &run));
    struct letters letters = { 0 };
    wait_letters(config, 2, &letters);
    CU_ASSERT_EQUAL(stop_worker(&worker, SIGTERM), 0);
    for (size_t k = 0; k < 2; k++) {
        bool has_run = strcmp(letters.items[k].id, "hangs") == 0;
        CU_ASSERT_EQUAL(header(&letters.items[k], "x-warren-crashes"), 0);
        CU_ASSERT_EQUAL(header(&letters.items[k], "x-warren-interrupts"), has_run);
    }
    free(config);
}

static void a_poison_without_an_id_is_recognised(const char *kind)
{
    char *config = configure(kind, "foreign", "", "max_crashes = 2;", 1);
    const char *body = "{\"do\":\"fault\"}";
    CU_ASSERT(stranger_publish((struct wr_message){ .exchange = wr_slice_of("warren.jobs"),
                                                    .key = wr_slice_of(queue_name),
                                                    .present = WR_DELIVERY_MODE,
                                                    .delivery_mode = 2,
                                                    .body = wr_slice_of(body) }));
    int crashes = 0;
    char dead[80];
    (void)snprintf(dead, sizeof dead, "%s.dead", queue_name);
    for (int i = 0; i < STARTS_MOST; i++) {
        struct worker worker = start_worker(config);
        struct run run;
        if (i == 2) {
            CU_ASSERT(crew_wait_depth(config, dead, 1, VICTIM_WAIT_MS));
            CU_ASSERT_EQUAL(stop_worker(&worker, SIGTERM), 0);
            break;
        }
        crashes += next_run(&worker, &run);
        (void)end_worker(&worker);
    }
    CU_ASSERT_EQUAL(crashes, 2);
    CU_ASSERT_STRING_EQUAL(only_letter(config).reason, "crash_loop");
    free(config);
}

/* Each test has all kinds in it: a queue of either type, in a namespace and folder of its own. */
static void on_both(void (*test)(const char *kind))
{
    static const char *const kinds[] = { "quorum", "classic" };
    for (int i = 0; i < 2; i++) {
        state_make();
        test(kinds[i]);
        state_remove();
    }
}

static void a_poison_job_is_dead_after_exactly_max_crashes(void)
{
    on_both(a_poison_is_dead_after_its_last_crash);
}

static void a_handler_that_exits_crashes(void)
{
    on_both(an_exit_is_a_crash_without_a_fault);
}

static void stack_overflows_and_aborts_are_noted(void)
{
    on_both(a_stack_overflow_and_an_abort_are_named);
}

static void a_kill_is_charged_once(void)
{
    on_both(a_kill_in_the_middle_is_one_crash);
}

static void neighbours_of_a_crash_are_interrupted(void)
{
    on_both(a_neighbour_of_a_crash_is_interrupted);
}

static void a_running_worker_sees_its_neighbours_crash(void)
{
    on_both(another_worker_sees_the_crash_at_once);
}

static void an_overlong_drain_is_charged_as_an_interrupt(void)
{
    on_both(what_outlives_a_drain_is_an_interrupt);
}

static void so_is_what_a_second_signal_cuts_off(void)
{
    on_both(a_second_signal_interrupts_too);
}

static void messages_without_an_id_are_recognised(void)
{
    stranger_open();
    on_both(a_poison_without_an_id_is_recognised);
    stranger_close();
}

static int warnings;

static void count_warning(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    warnings += strcmp(event, "state_dir.unusable") == 0 && strstr(fields, "next=");
}

static void without_a_usable_folder_the_worker_warns_and_works(void)
{
    (void)snprintf(queue_name, sizeof queue_name, "plain");
    char *config = crew_config("state_dir = \"/proc/nowhere\";",
                               "queue: { name = \"plain\"; jobs: ( { type = \"plain\"; } ); };");
    warren *w = crew_open(config);
    warren_log_to(count_warning, NULL, 1);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, "plain", crew_accept, NULL, NULL));
    crew_start(w);
    CU_ASSERT_EQUAL(warnings, 1);
    publish(config, "a", "{}");
    CU_ASSERT(crew_wait_runs(1, VICTIM_WAIT_MS));
    crew_stop(w);
    warren_log_to(NULL, NULL, 0);
    free(config);
}

int main(int argc, char **argv)
{
    int code;
    if (victim_main(argc, argv, &code)) {
        return code;
    }
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("crashes", NULL, NULL);
    CU_ADD_TEST(suite, a_poison_job_is_dead_after_exactly_max_crashes);
    CU_ADD_TEST(suite, a_handler_that_exits_crashes);
    CU_ADD_TEST(suite, stack_overflows_and_aborts_are_noted);
    CU_ADD_TEST(suite, a_kill_is_charged_once);
    CU_ADD_TEST(suite, neighbours_of_a_crash_are_interrupted);
    CU_ADD_TEST(suite, a_running_worker_sees_its_neighbours_crash);
    CU_ADD_TEST(suite, an_overlong_drain_is_charged_as_an_interrupt);
    CU_ADD_TEST(suite, so_is_what_a_second_signal_cuts_off);
    CU_ADD_TEST(suite, messages_without_an_id_are_recognised);
    CU_ADD_TEST(suite, without_a_usable_folder_the_worker_warns_and_works);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
