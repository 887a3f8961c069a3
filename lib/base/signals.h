/* SPDX-License-Identifier: MIT */
/*
 * Signals as descriptors: blocked in the calling thread (and in those it starts) and read where the
 * program waits anyway. Nothing is installed, and the mask is put back afterwards.
 *
 *   SIGTERM, SIGINT                      end the program; `end_fd` is readable
 *   SIGHUP, SIGTSTP, SIGCONT, SIGUSR1    ask for something else
 *
 * A SIGHUP that the kernel sends, since the terminal is gone, is read as SIGTERM; or not at all, when
 * SIGHUP was ignored at the open (nohup), or `outlives_terminal` is set since the end has begun.
 *
 * Threads: the main thread's.
 */
#ifndef WR_BASE_SIGNALS_H
#define WR_BASE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "warren/error.h"

struct wr_signals {
    int end_fd;
    int ask_fd;
    bool outlives_terminal;
    sigset_t before;
};

warren_status wr_signals_open(struct wr_signals *signals, warren_error *err);

/** Waits at most `timeout_us` (< 0: without end) for a signal; its number, or 0. Those that end the
 * program come first. */
int wr_signals_wait(const struct wr_signals *signals, int64_t timeout_us);

/** Takes one that ends the program, if it is there. */
void wr_signals_take_end(const struct wr_signals *signals);

/** Whether it ends the program. */
bool wr_signal_ends(int number);

void wr_signals_close(struct wr_signals *signals);

#endif
