// SPDX-License-Identifier: MIT
// What one process's death taught is known to the next one, for a while.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>

#include "io/crashbook.h"
#include "io/ledger_layout.h"
#include "state_folder.h"

#define NOW INT64_C(1800000000000)

static int harvested;

static void count(void *user, const struct wr_ledger_run *run)
{
    (void)user;
    (void)run;
    harvested++;
}

static struct wr_crashbook *open_book(void)
{
    struct wr_crashbook *book = NULL;
    warren_error err = { .status = WARREN_OK };
    if (wr_crashbook_open(&book, state_fd, "t", &err)) {
        (void)fprintf(stderr, "crashbook: %s\n", err.text);
        exit(1);
    }
    return book;
}

static int harvest(struct wr_crashbook *book)
{
    harvested = 0;
    wr_crashbook_harvest(book, NOW, count, NULL);
    return harvested;
}

static struct wr_ledger_run run_of(const char *id, bool is_interrupt)
{
    struct wr_ledger_run run = { .is_interrupt = is_interrupt,
                                 .signal = is_interrupt ? 0 : SIGBUS };
    (void)snprintf(run.key.queue, sizeof run.key.queue, "q");
    (void)snprintf(run.key.id, sizeof run.key.id, "%s", id);
    (void)snprintf(run.trace, sizeof run.trace, "at %s", id);
    return run;
}

static void add(struct wr_crashbook *book, const char *id, bool is_interrupt, int64_t now_ms)
{
    struct wr_ledger_run run = run_of(id, is_interrupt);
    wr_crashbook_add(book, &run, now_ms);
}

/* "2 crashes, 1 interrupt" as 21; -1: not known. */
static int known(struct wr_crashbook *book, const char *id, int64_t now_ms)
{
    struct wr_crash_record record;
    struct wr_ledger_run run = run_of(id, false);
    return wr_crashbook_lookup(book, &run.key, now_ms, &record)
               ? (int)(record.crashes * 10 + record.interrupts)
               : -1;
}

/* A process that dies by kill -9 while it runs these two jobs. */
static void die_running(const char *one, const char *two, bool is_draining)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct wr_ledger *ledger = state_ledger(3);
        struct warren_job first = state_job(one);
        struct warren_job second = state_job(two);
        wr_ledger_begin(ledger, 0, &first);
        wr_ledger_begin(ledger, 2, &second);
        if (is_draining) {
            wr_ledger_drain(ledger);
        }
        (void)raise(SIGKILL);
    }
    CU_ASSERT_EQUAL(state_wait(pid), 1000 + SIGKILL);
}

static void dead_processes_runs_are_counted_once_and_their_files_removed(void)
{
    state_make();
    struct wr_crashbook *book = open_book();
    CU_ASSERT_EQUAL(known(book, "a", NOW), -1);
    die_running("a", "b", false);
    die_running("a", "c", true);
    CU_ASSERT_EQUAL(harvest(book), 4);
    CU_ASSERT_STRING_EQUAL(state_file(".ledger"), "");
    CU_ASSERT_EQUAL(harvest(book), 0);
    CU_ASSERT_EQUAL(known(book, "a", NOW), 11);
    CU_ASSERT_EQUAL(known(book, "b", NOW), 10);
    CU_ASSERT_EQUAL(known(book, "c", NOW), 1);
    CU_ASSERT_EQUAL(known(book, "d", NOW), -1);
    wr_crashbook_close(book);
    state_remove();
}

static void a_living_process_keeps_its_ledger(void)
{
    state_make();
    struct wr_crashbook *book = open_book();
    struct wr_ledger *ledger = state_ledger(1); /* locked, though by this very process */
    struct warren_job job = state_job("alive");
    wr_ledger_begin(ledger, 0, &job);
    CU_ASSERT_EQUAL(harvest(book), 0);
    CU_ASSERT_STRING_NOT_EQUAL(state_file(".ledger"), "");
    wr_ledger_cut(ledger); /* its handlers are left running: others may know */
    CU_ASSERT_EQUAL(harvest(book), 1);
    CU_ASSERT_EQUAL(known(book, "alive", NOW), 1);
    wr_ledger_close(ledger);
    wr_crashbook_close(book);
    state_remove();
}

static void processes_share_the_book(void)
{
    state_make();
    struct wr_crashbook *book = open_book();
    enum { CHILDREN = 4, EACH = 50 };
    pid_t pids[CHILDREN];
    (void)fflush(NULL);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        (void)(pids[i] || prctl(PR_SET_PDEATHSIG, SIGKILL));
        if (pids[i] == 0) {
            struct wr_crashbook *mine = open_book();
            for (int j = 0; j < EACH; j++) {
                add(mine, "common", j % 2, NOW);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        CU_ASSERT_EQUAL(state_wait(pids[i]), 0);
    }
    CU_ASSERT_EQUAL(known(book, "common", NOW), CHILDREN * EACH / 2 * 11);
    struct wr_crashbook *other = open_book();
    struct wr_ledger_run run = run_of("common", false);
    wr_crashbook_forget(other, &run.key);
    CU_ASSERT_EQUAL(known(book, "common", NOW), -1);
    wr_crashbook_close(other);
    wr_crashbook_close(book);
    state_remove();
}

static void the_last_crash_is_told_also_after_an_interrupt(void)
{
    state_make();
    struct wr_crash_record record;
    struct wr_crashbook *book = open_book();
    add(book, "x", false, NOW);
    struct wr_ledger_run run = run_of("x", true);
    (void)snprintf(run.trace, sizeof run.trace, "nothing");
    wr_crashbook_add(book, &run, NOW);
    CU_ASSERT_FATAL(wr_crashbook_lookup(book, &run.key, NOW, &record));
    CU_ASSERT_EQUAL(record.signal, SIGBUS);
    CU_ASSERT_STRING_EQUAL(record.trace, "at x");
    wr_crashbook_close(book);
    state_remove();
}

static void the_same_id_in_another_queue_is_another_job(void)
{
    state_make();
    struct wr_crash_record record;
    struct wr_crashbook *book = open_book();
    add(book, "x", false, NOW);
    struct wr_ledger_run run = run_of("x", false);
    (void)snprintf(run.key.queue, sizeof run.key.queue, "r");
    CU_ASSERT_FALSE(wr_crashbook_lookup(book, &run.key, NOW, &record));
    wr_crashbook_close(book);
    state_remove();
}

static void what_is_older_than_a_week_is_forgotten(void)
{
    state_make();
    struct wr_crashbook *book = open_book();
    add(book, "old", false, NOW);
    CU_ASSERT_EQUAL(known(book, "old", NOW + WR_CRASHBOOK_KEPT_MS), 10);
    CU_ASSERT_EQUAL(known(book, "old", NOW + WR_CRASHBOOK_KEPT_MS + 1), -1);
    add(book, "old", false, NOW + WR_CRASHBOOK_KEPT_MS + 1); /* begins anew */
    CU_ASSERT_EQUAL(known(book, "old", NOW + WR_CRASHBOOK_KEPT_MS + 1), 10);
    wr_crashbook_close(book);
    state_remove();
}

static void a_full_book_forgets_the_oldest(void)
{
    state_make();
    char id[32];
    struct wr_crashbook *book = open_book();
    for (int i = 0; i <= WR_CRASHBOOK_ENTRIES; i++) {
        (void)snprintf(id, sizeof id, "job %d", i);
        add(book, id, false, i == 7 ? NOW - 1000 : NOW + i);
    }
    CU_ASSERT_EQUAL(known(book, "job 7", NOW), -1);
    CU_ASSERT_EQUAL(known(book, "job 0", NOW), 10);
    CU_ASSERT_EQUAL(known(book, id, NOW), 10);
    add(book, "expired ones go first", false, NOW + WR_CRASHBOOK_KEPT_MS + 500);
    CU_ASSERT_EQUAL(known(book, id, NOW + WR_CRASHBOOK_KEPT_MS + 500), 10);
    wr_crashbook_close(book);
    state_remove();
}

static void the_book_outlives_its_users(void)
{
    state_make();
    struct wr_crashbook *book = open_book();
    add(book, "kept", false, NOW);
    wr_crashbook_close(book);
    struct stat facts;
    CU_ASSERT_EQUAL(stat(state_file(".crashes"), &facts), 0);
    CU_ASSERT_EQUAL(facts.st_mode & 07777, 0600);
    book = open_book();
    CU_ASSERT_EQUAL(known(book, "kept", NOW), 10);
    wr_crashbook_close(book);
    state_remove();
}

static void write_file(const char *name, const char *text)
{
    int fd = openat(state_fd, name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    (void)!write(fd, text, strlen(text));
    (void)close(fd);
}

static void a_book_that_makes_no_sense_is_replaced(void)
{
    state_make();
    write_file("t.crashes", "these are no crashes");
    struct wr_crashbook *book = open_book();
    add(book, "a", false, NOW);
    int fd = openat(state_fd, "t.crashes", O_WRONLY);
    (void)!pwrite(fd, "XXXXXXXX", 8, 0); /* of the right size, but another magic */
    (void)close(fd);
    struct wr_crashbook *next = open_book();
    CU_ASSERT_EQUAL(known(next, "a", NOW), -1);
    add(next, "b", false, NOW);
    CU_ASSERT_EQUAL(known(next, "b", NOW), 10);
    CU_ASSERT_EQUAL(known(book, "a", NOW), 10); /* whose file was replaced isn't hurt */
    wr_crashbook_close(book);
    wr_crashbook_close(next);
    CU_ASSERT_EQUAL(unlinkat(state_fd, "t.crashes", 0), 0);
    CU_ASSERT_EQUAL(symlinkat("/etc/passwd", state_fd, "t.crashes"), 0);
    warren_error err;
    CU_ASSERT_EQUAL(wr_crashbook_open(&book, state_fd, "t", &err), WARREN_FAILED);
    state_remove();
}

static void only_ledgers_of_the_namespace_are_taken(void)
{
    static const char *const others[] = { "t-x-1-0123456789abcdef.ledger",
                                          "t-1-0123456789abcde.ledger",
                                          "t-1.ledger",
                                          "u-1-0123456789abcdef.ledger",
                                          "t-notes.txt",
                                          "t-1-0123456789abcdef.ledger.new" };
    state_make();
    struct wr_crashbook *book = open_book();
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        write_file(others[i], "not yours");
    }
    write_file("t-1-0123456789abcdef.ledger", "garbage");
    wr_crashbook_harvest(book, wr_clock_wall_ms(NULL), count, NULL);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CU_ASSERT_EQUAL(faccessat(state_fd, others[i], F_OK, 0), 0);
    }
    CU_ASSERT_NOT_EQUAL(faccessat(state_fd, "t-1-0123456789abcdef.ledger", F_OK, 0), 0);
    wr_crashbook_harvest(book, wr_clock_wall_ms(NULL) + 61000, count,
                         NULL); /* was never finished */
    CU_ASSERT_NOT_EQUAL(faccessat(state_fd, others[5], F_OK, 0), 0);
    wr_crashbook_close(book);
    state_remove();
}

static void a_book_that_is_held_stops_nobody(void)
{
    state_make();
    struct wr_crashbook *book = open_book();
    add(book, "a", false, NOW);
    int fd = openat(state_fd, "t.crashes", O_RDWR);
    CU_ASSERT_EQUAL_FATAL(flock(fd, LOCK_EX), 0);
    int64_t from_us = wr_clock_mono_us(NULL);
    die_running("a", "b", false);
    CU_ASSERT_EQUAL(known(book, "a", NOW), -1);
    CU_ASSERT_EQUAL(harvest(book), 0);
    CU_ASSERT(wr_clock_mono_us(NULL) - from_us < 5000000);
    (void)close(fd);
    CU_ASSERT_EQUAL(harvest(book), 2); /* it was there still */
    CU_ASSERT_EQUAL(known(book, "a", NOW), 20);
    wr_crashbook_close(book);
    state_remove();
}

/* A harvester holds a file that it finds, while it looks whether its process lives: also one that is
 * being made, which its maker locks at the same moment. */
static void a_ledger_can_be_made_while_others_harvest(void)
{
    enum { HARVESTERS = 2, LEDGERS = 1500 };
    pid_t pids[HARVESTERS];
    state_make();
    (void)fflush(NULL);
    for (int i = 0; i < HARVESTERS; i++) {
        pids[i] = fork();
        (void)(pids[i] || prctl(PR_SET_PDEATHSIG, SIGKILL));
        for (struct wr_crashbook *book = pids[i] ? NULL : open_book(); book;) {
            wr_crashbook_harvest(book, wr_clock_wall_ms(NULL), NULL, NULL);
        }
    }
    for (int i = 0; i < LEDGERS; i++) {
        wr_ledger_close(state_ledger(1)); /* ends the test when it can't be made */
    }
    for (int i = 0; i < HARVESTERS; i++) {
        (void)kill(pids[i], SIGKILL);
        CU_ASSERT_EQUAL(state_wait(pids[i]), 1000 + SIGKILL);
    }
    state_remove();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("crashbook", NULL, NULL);
    CU_ADD_TEST(suite, dead_processes_runs_are_counted_once_and_their_files_removed);
    CU_ADD_TEST(suite, a_living_process_keeps_its_ledger);
    CU_ADD_TEST(suite, processes_share_the_book);
    CU_ADD_TEST(suite, the_last_crash_is_told_also_after_an_interrupt);
    CU_ADD_TEST(suite, the_same_id_in_another_queue_is_another_job);
    CU_ADD_TEST(suite, what_is_older_than_a_week_is_forgotten);
    CU_ADD_TEST(suite, a_full_book_forgets_the_oldest);
    CU_ADD_TEST(suite, the_book_outlives_its_users);
    CU_ADD_TEST(suite, a_book_that_makes_no_sense_is_replaced);
    CU_ADD_TEST(suite, only_ledgers_of_the_namespace_are_taken);
    CU_ADD_TEST(suite, a_book_that_is_held_stops_nobody);
    CU_ADD_TEST(suite, a_ledger_can_be_made_while_others_harvest);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
