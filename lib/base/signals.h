/* SPDX-License-Identifier: MIT */
/*
 * Signals as a descriptor: SIGTERM and SIGINT are blocked in the calling thread (and in those it
 * starts) and read from a signalfd. Nothing is installed, and the mask is put back afterwards.
 * Threads: the main thread's.
 */
#ifndef WR_BASE_SIGNALS_H
#define WR_BASE_SIGNALS_H

#include <signal.h>
#include <stdint.h>

#include "warren/error.h"

struct wr_signals {
    int fd;
    sigset_t before;
};

warren_status wr_signals_open(struct wr_signals *signals, warren_error *err);

/** Waits at most `timeout_us` (< 0: without end) for a signal; its number, or 0. */
int wr_signals_wait(const struct wr_signals *signals, int64_t timeout_us);

void wr_signals_close(struct wr_signals *signals);

#endif
