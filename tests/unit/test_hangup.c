// SPDX-License-Identifier: MIT
// A terminal that is gone: it ends the program, unless that was started not to mind, or ends already.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/signals.h"

static struct wr_signals signals;

/* As the kernel does when a terminal is closed. */
static void hang_up(void)
{
    siginfo_t info = { .si_signo = SIGHUP, .si_code = SI_KERNEL };
    CU_ASSERT_EQUAL_FATAL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGHUP, &info), 0);
}

static void it_ends_the_program(void)
{
    CU_ASSERT_EQUAL_FATAL(wr_signals_open(&signals, NULL), WARREN_OK);
    hang_up();
    CU_ASSERT_EQUAL(wr_signals_wait(&signals, 0), SIGTERM);
    CU_ASSERT_EQUAL(wr_signals_wait(&signals, 0), 0);
    wr_signals_close(&signals);
}

static void it_is_no_second_order_to_end(void)
{
    CU_ASSERT_EQUAL_FATAL(wr_signals_open(&signals, NULL), WARREN_OK);
    signals.outlives_terminal = true;
    hang_up();
    CU_ASSERT_EQUAL(wr_signals_wait(&signals, 0), 0);
    (void)kill(getpid(), SIGTERM);
    CU_ASSERT_EQUAL(wr_signals_wait(&signals, 0), SIGTERM);
    wr_signals_close(&signals);
}

static void who_was_started_with_nohup_outlives_it_and_can_be_reloaded(void)
{
    (void)signal(SIGHUP, SIG_IGN);
    CU_ASSERT_EQUAL_FATAL(wr_signals_open(&signals, NULL), WARREN_OK);
    hang_up();
    CU_ASSERT_EQUAL(wr_signals_wait(&signals, 0), 0);
    (void)kill(getpid(), SIGHUP);
    CU_ASSERT_EQUAL(wr_signals_wait(&signals, 0), SIGHUP);
    hang_up();
    (void)kill(getpid(), SIGUSR1); /* behind one that means nothing, and taken by the close */
    wr_signals_close(&signals);
    (void)signal(SIGHUP, SIG_DFL);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("hangup", NULL, NULL);
    CU_ADD_TEST(suite, it_ends_the_program);
    CU_ADD_TEST(suite, it_is_no_second_order_to_end);
    CU_ADD_TEST(suite, who_was_started_with_nohup_outlives_it_and_can_be_reloaded);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
