/* SPDX-License-Identifier: MIT */
/*
 * The stacks of this process's threads, for a program that hangs. Each thread is asked in turn by a
 * real-time signal, whose handler does nothing but note the calls that have led there. A thread that
 * blocks that signal isn't asked; those of wr_thread_start let it in while it is installed.
 *
 * What a thread waits in at that moment may return early (EINTR), as with any signal.
 *
 * Threads: install and uninstall count and may be called by any; so may a walk, which waits for one
 * that is under way. `visit` may not walk.
 */
#ifndef WR_BASE_STACKS_H
#define WR_BASE_STACKS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define WR_STACK_FRAMES 32

struct wr_stack {
    int tid;
    char name[16];
    const char *problem; /* why there are no frames; NULL: there are */
    int frame_count;
    void *frames[WR_STACK_FRAMES]; /* where it is, then return addresses */
};

typedef void wr_stack_visit(void *user, const struct wr_stack *stack);

/** From now on threads can be asked. False: the system has refused, or no signal is free. */
bool wr_stacks_install(void);

/** Puts back what was there, when it was called as often as install. */
void wr_stacks_uninstall(void);

/** Takes the signal out of a set that is to be blocked. */
void wr_stacks_admit(sigset_t *blocked);

/** Calls `visit` for each thread but the calling one. False: it isn't installed. */
bool wr_stacks_walk(wr_stack_visit *visit, void *user);

/** Writes "libfoo.so+0x1234", with the function's name behind it where that is known. Returns `out`.
 */
const char *wr_stack_frame(char *out, size_t size, const void *address);

#endif
