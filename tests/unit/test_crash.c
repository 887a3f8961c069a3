// SPDX-License-Identifier: MIT
// A fault is noted with its signal and its calls, and ends the process as it would have.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "state_folder.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = 1 }; /* their handlers report and exit by themselves */
#else
enum { IS_SANITIZED = 0 };
#endif

/* Two notes that outlive a child. */
static struct wr_crash_note *notes;

static struct wr_crash_note *of_thread(void)
{
    return &notes[0];
}

static struct wr_crash_note *of_process(void)
{
    return &notes[1];
}

/* --- ways to die --- */

typedef void way(void);

__attribute__((noinline)) static void store_astray(void)
{
    volatile int *volatile astray = (volatile int *)(uintptr_t)64; /* no warning, at any level */
    *astray = 1;
}

static volatile bool goes_deeper = true;

__attribute__((noinline)) static int recurse(volatile char *above)
{
    volatile char room[512];
    room[0] = (char)(above[0] + 1);
    return goes_deeper ? recurse(room) + room[0] : 0;
}

static void overflow(void)
{
    volatile char start[1] = { 0 };
    (void)recurse(start);
}

static void trap(void)
{
    (void)raise(SIGTRAP);
}

static void exit_3(void)
{
    _exit(3);
}

static void *die(void *user)
{
    wr_crash_enter(of_thread());
    (*(way **)user)();
    wr_crash_leave();
    return NULL;
}

/* Dies in a thread of its own with 256 KiB of stack, as a handler does. */
static void in_thread(way *how)
{
    pthread_t thread;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, 256 << 10);
    (void)pthread_create(&thread, &attributes, die, (void *)&how);
    (void)pthread_join(thread, NULL);
    (void)pthread_attr_destroy(&attributes);
}

/* The child's end, with the handler installed; without a thread `how` is called by the main one. */
static int child(way *how, bool has_thread)
{
    memset(notes, 0, 2 * sizeof *notes);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid) {
        return state_wait(pid);
    }
    (void)close(STDERR_FILENO); /* sanitizers' reports */
    if (!wr_crash_install(of_process())) {
        _exit(99);
    }
    if (has_thread) {
        in_thread(how);
    } else {
        how();
    }
    _exit(0);
}

static void expect_end(int got, int number)
{
    CU_ASSERT(got == 1000 + number || (IS_SANITIZED && got != 0 && got != 99));
}

/* --- the tests --- */

static void a_fault_of_a_thread_is_noted_with_its_calls(void)
{
    expect_end(child(store_astray, true), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->signal), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_process()->signal), 0);
    uint64_t from = (uint64_t)(uintptr_t)store_astray;
    CU_ASSERT(of_thread()->address >= from && of_thread()->address < from + 200);
    CU_ASSERT_EQUAL(of_thread()->frames[0], of_thread()->address);
    CU_ASSERT(atomic_load(&of_thread()->frame_count) >= 2);
    uint64_t caller = (uint64_t)(uintptr_t)die;
    CU_ASSERT(of_thread()->frames[1] > caller && of_thread()->frames[1] < caller + 400);
}

static void an_overflow_of_the_stack_is_noted(void)
{
    expect_end(child(overflow, true), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->signal), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->frame_count), WR_CRASH_FRAMES);
}

static void an_abort_is_noted(void)
{
    expect_end(child(abort, true), SIGABRT);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->signal), SIGABRT);
    CU_ASSERT(atomic_load(&of_thread()->frame_count) >= 2);
}

static void a_trap_is_noted_and_ends_the_process(void)
{
    expect_end(child(trap, true), SIGTRAP);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->signal), SIGTRAP);
}

static void a_fault_of_another_thread_goes_to_the_processs_note(void)
{
    expect_end(child(store_astray, false), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_process()->signal), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->signal), 0);
}

static void an_exit_leaves_no_note(void)
{
    CU_ASSERT_EQUAL(child(exit_3, true), 3);
    CU_ASSERT(!atomic_load(&of_thread()->signal) && !atomic_load(&of_process()->signal));
}

static void fork_and_fault(void)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        store_astray();
    }
    _exit(state_wait(pid) ? 0 : 1);
}

static void a_fault_of_a_handlers_child_is_not_ours(void)
{
    CU_ASSERT_EQUAL(child(fork_and_fault, true), 0);
    CU_ASSERT(!atomic_load(&of_thread()->signal) && !atomic_load(&of_process()->signal));
}

static void wait_for_signal(void)
{
    (void)kill(getppid(), SIGUSR1);
    (void)pause();
}

static void what_others_send_blames_no_thread(void)
{
    memset(notes, 0, 2 * sizeof *notes);
    sigset_t ready;
    int number;
    (void)sigemptyset(&ready);
    (void)sigaddset(&ready, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &ready, NULL);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        (void)wr_crash_install(of_process());
        wr_crash_enter(of_thread());
        wait_for_signal();
        _exit(0);
    }
    (void)sigwait(&ready, &number);
    (void)kill(pid, SIGSEGV);
    expect_end(state_wait(pid), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_process()->signal), SIGSEGV);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->signal), 0);
}

static void exit_42(int number)
{
    _exit(number == SIGSEGV ? 42 : 43);
}

static void *go_on(void *unused)
{
    return unused;
}

static void a_handler_from_before_is_called(void)
{
    struct sigaction earlier = { .sa_handler = exit_42 };
    struct sigaction before;
    (void)sigaction(SIGSEGV, &earlier, &before);
    CU_ASSERT_EQUAL(child(store_astray, true), 42);
    CU_ASSERT_EQUAL(atomic_load(&of_thread()->signal), SIGSEGV);
    (void)sigaction(SIGSEGV, &before, NULL);
}

static void afterwards_all_is_as_before(void)
{
    struct sigaction before;
    struct sigaction during;
    struct sigaction after;
    stack_t none;
    pthread_t thread;
    (void)sigaction(SIGBUS, NULL, &before);
    CU_ASSERT(wr_crash_install(NULL));
    CU_ASSERT(wr_crash_install(NULL));
    (void)sigaction(SIGBUS, NULL, &during);
    CU_ASSERT(during.sa_sigaction != before.sa_sigaction);
    wr_crash_enter(of_thread());
    wr_crash_leave();
    wr_crash_leave();
    if (!IS_SANITIZED) {
        CU_ASSERT(!sigaltstack(NULL, &none) && (none.ss_flags & SS_DISABLE));
    }
    wr_crash_uninstall();
    (void)sigaction(SIGBUS, NULL, &after);
    CU_ASSERT(after.sa_sigaction == during.sa_sigaction);
    wr_crash_uninstall();
    wr_crash_uninstall(); /* once too often */
    (void)sigaction(SIGBUS, NULL, &after);
    CU_ASSERT(after.sa_sigaction == before.sa_sigaction);
    wr_crash_enter(of_thread()); /* not installed: no stack, no note */
    CU_ASSERT(IS_SANITIZED || (!sigaltstack(NULL, &none) && (none.ss_flags & SS_DISABLE)));
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, go_on, NULL), 0);
    (void)pthread_join(thread, NULL);
}

static void signals_have_names(void)
{
    char name[16];
    CU_ASSERT_STRING_EQUAL(wr_crash_signal_name(name, sizeof name, SIGSEGV), "SIGSEGV");
    CU_ASSERT_STRING_EQUAL(wr_crash_signal_name(name, sizeof name, SIGSYS), "SIGSYS");
    CU_ASSERT_STRING_EQUAL(wr_crash_signal_name(name, sizeof name, 99), "signal 99");
}

int main(void)
{
    notes =
        mmap(NULL, 2 * sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (notes == MAP_FAILED) {
        return 1;
    }
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("crash", NULL, NULL);
    CU_ADD_TEST(suite, a_fault_of_a_thread_is_noted_with_its_calls);
    CU_ADD_TEST(suite, an_overflow_of_the_stack_is_noted);
    CU_ADD_TEST(suite, an_abort_is_noted);
    CU_ADD_TEST(suite, a_trap_is_noted_and_ends_the_process);
    CU_ADD_TEST(suite, a_fault_of_another_thread_goes_to_the_processs_note);
    CU_ADD_TEST(suite, an_exit_leaves_no_note);
    CU_ADD_TEST(suite, a_fault_of_a_handlers_child_is_not_ours);
    CU_ADD_TEST(suite, what_others_send_blames_no_thread);
    CU_ADD_TEST(suite, a_handler_from_before_is_called);
    CU_ADD_TEST(suite, afterwards_all_is_as_before);
    CU_ADD_TEST(suite, signals_have_names);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
