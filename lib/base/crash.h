/* SPDX-License-Identifier: MIT */
/*
 * Crash notes: what a thread was at when a fault ended its process: the signal, where it happened,
 * and the calls that led there. A note lies in memory that outlives the process (io/ledger.h keeps
 * it in a mapped file), so that a later process can read it.
 *
 * The handler is installed between wr_crash_install and wr_crash_uninstall and changes nothing of
 * how the process ends: earlier handlers are called, and without one the signal takes its course
 * (exit status, core dump).
 *
 * Threads: enter and leave belong to the thread that they are about; install and uninstall may be
 * called by any thread and count.
 */
#ifndef WR_BASE_CRASH_H
#define WR_BASE_CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WR_CRASH_FRAMES 32

struct wr_crash_note {
    _Atomic int32_t signal;           /* 0: nothing happened */
    _Atomic uint32_t frame_count;     /* of `frames`; stored when they are complete */
    uint64_t address;                 /* of the instruction */
    uint64_t frames[WR_CRASH_FRAMES]; /* the instruction again, then return addresses */
};

/** Installs the handler for faults. Those of threads without a note of their own are written to
 * `note` (may be NULL), which must stay until uninstall. Only the first call's note counts. False:
 * the system refused; nothing is installed. */
bool wr_crash_install(struct wr_crash_note *note);

/** Takes the handler away when it was called as often as install. Who put a handler above ours
 * keeps it. */
void wr_crash_uninstall(void);

/** From now on a fault of this thread goes to `note`, on a stack of its own, so that an overflow of
 * the thread's stack is noted too. Nothing is done when the handler isn't installed, or when `note`
 * is NULL. */
void wr_crash_enter(struct wr_crash_note *note);

/** No longer. Before the thread ends; fine without enter. */
void wr_crash_leave(void);

/** Where a signal has met its thread: `context` is the third argument of its handler. */
uint64_t wr_crash_address(const void *context);

/** "SIGSEGV", or "signal 77". Written into `out` (16 bytes are enough); returns it. */
const char *wr_crash_signal_name(char *out, unsigned long size, int number);

#endif
