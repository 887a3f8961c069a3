// SPDX-License-Identifier: MIT
// The stacks of threads: one that waits is shown where it waits, and goes on; one that doesn't want to be
// asked isn't; and nothing of it stays behind.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/stacks.h"
#include "base/thread.h"

static sem_t is_there;
static sem_t may_go;

/* What it is asked in. Not inlined, so that it is a frame of its own. */
__attribute__((noinline)) static int wait_in_here(void)
{
    (void)sem_post(&is_there);
    int interrupts = 0;
    while (sem_wait(&may_go)) {
        interrupts++;
    }
    return interrupts;
}

static void *wait_named(void *user)
{
    *(int *)user = wait_in_here();
    return NULL;
}

struct found {
    const char *name;
    int count;
    struct wr_stack stack;
};

static void find(void *user, const struct wr_stack *stack)
{
    struct found *found = user;
    if (strcmp(stack->name, found->name) == 0) {
        found->stack = *stack;
        found->count++;
    }
}

/* Whether a frame lies in that function, which has less than 400 bytes. */
static bool has_frame(const struct wr_stack *stack, uintptr_t from)
{
    for (int i = 0; i < stack->frame_count; i++) {
        uintptr_t at = (uintptr_t)stack->frames[i];
        if (at > from && at < from + 400) {
            return true;
        }
    }
    return false;
}

static void a_thread_that_waits_is_shown_where_it_does(void)
{
    struct wr_thread thread = { 0 };
    struct found found = { .name = "waiting" };
    int interrupts = -1;
    CU_ASSERT_FATAL(wr_stacks_install());
    CU_ASSERT_FATAL(
        !wr_thread_start(&thread, "waiting", WR_STACK_WORKER, wait_named, &interrupts, NULL));
    (void)sem_wait(&is_there);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT(wr_stacks_walk(find, &found));
        CU_ASSERT_PTR_NULL(found.stack.problem);
        CU_ASSERT(has_frame(&found.stack, (uintptr_t)wait_in_here));
    }
    CU_ASSERT_EQUAL(found.count, 20);
    (void)sem_post(&may_go);
    wr_thread_join(&thread);
    CU_ASSERT(interrupts >= 0);
    wr_stacks_uninstall();
}

static void a_thread_that_blocks_the_signal_is_named_without_frames(void)
{
    struct wr_thread thread = { 0 };
    struct found found = { .name = "unasked" };
    int interrupts = -1;
    CU_ASSERT_FATAL(/* before: so it doesn't let the signal in */
                    !wr_thread_start(&thread, "unasked", WR_STACK_WORKER, wait_named, &interrupts,
                                     NULL));
    (void)sem_wait(&is_there);
    CU_ASSERT_FATAL(wr_stacks_install());
    CU_ASSERT(wr_stacks_walk(find, &found));
    CU_ASSERT_EQUAL(found.count, 1);
    CU_ASSERT_EQUAL(found.stack.frame_count, 0);
    CU_ASSERT_STRING_EQUAL(found.stack.problem, "it blocks the signal");
    wr_stacks_uninstall();
    (void)sem_post(&may_go);
    wr_thread_join(&thread);
    CU_ASSERT_EQUAL(interrupts, 0);
}

/* What the first one was asked in would be the second one's, too. */
static void look_for_a_clash(void *user, const struct wr_stack *stack)
{
    int *clashes = user;
    bool is_clash = stack->problem && strcmp(stack->problem, "an earlier one hangs") == 0;
    *clashes += is_clash || stack->frame_count < 0 || stack->frame_count > WR_STACK_FRAMES;
}

static void *walk_often(void *user)
{
    for (int i = 0; i < 50; i++) {
        (void)wr_stacks_walk(look_for_a_clash, user);
    }
    return NULL;
}

static void two_walks_at_once_take_turns(void)
{
    struct wr_thread thread = { 0 };
    int clashes[2] = { 0 };
    CU_ASSERT_FATAL(wr_stacks_install());
    CU_ASSERT_FATAL(
        !wr_thread_start(&thread, "walking", WR_STACK_WORKER, walk_often, &clashes[0], NULL));
    (void)walk_often(&clashes[1]);
    wr_thread_join(&thread);
    CU_ASSERT_EQUAL(clashes[0] + clashes[1], 0);
    wr_stacks_uninstall();
}

static int count_handlers(void)
{
    int count = 0;
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++) {
        struct sigaction now;
        (void)sigaction(i, NULL, &now);
        count += (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL ? 1 : 0;
    }
    return count;
}

static void a_signal_of_others_is_left_alone_and_all_is_put_back(void)
{
    struct found found = { .name = "" };
    int before = count_handlers();
    CU_ASSERT_FALSE(wr_stacks_walk(find, &found)); /* nothing is installed by itself */
    (void)signal(SIGRTMIN + 8, SIG_IGN);
    CU_ASSERT(wr_stacks_install());
    CU_ASSERT(wr_stacks_install()); /* of another worker */
    wr_stacks_uninstall();
    CU_ASSERT_EQUAL(count_handlers(), before + 2);
    CU_ASSERT(wr_stacks_walk(find, &found));
    wr_stacks_uninstall();
    CU_ASSERT_EQUAL(count_handlers(), before + 1);
    (void)signal(SIGRTMIN + 8, SIG_DFL);
    CU_ASSERT_FALSE(wr_stacks_walk(find, &found));
}

static void a_frame_is_a_file_and_an_address_in_it(void)
{
    char text[200];
    const char *known = wr_stack_frame(text, sizeof text, (const void *)(uintptr_t)fopen);
    CU_ASSERT(strncmp(known, "lib", 3) == 0 || strstr(known, "fopen"));
    CU_ASSERT_PTR_NOT_NULL(strstr(known, "+0x"));
    CU_ASSERT_STRING_EQUAL(wr_stack_frame(text, sizeof text, (const void *)(uintptr_t)16), "0x10");
}

int main(void)
{
    (void)sem_init(&is_there, 0, 0);
    (void)sem_init(&may_go, 0, 0);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stacks", NULL, NULL);
    CU_ADD_TEST(suite, a_thread_that_waits_is_shown_where_it_does);
    CU_ADD_TEST(suite, a_thread_that_blocks_the_signal_is_named_without_frames);
    CU_ADD_TEST(suite, two_walks_at_once_take_turns);
    CU_ADD_TEST(suite, a_signal_of_others_is_left_alone_and_all_is_put_back);
    CU_ADD_TEST(suite, a_frame_is_a_file_and_an_address_in_it);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
