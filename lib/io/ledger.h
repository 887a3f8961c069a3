/* SPDX-License-Identifier: MIT */
/*
 * The ledger: which jobs this process is running, in a mapped file that outlives it. Each worker
 * thread has a slot; a job stands in it from before its handler is called until the handler has
 * returned. The file is locked while the process lives and removed at an orderly end; one that
 * isn't locked tells of a process that died (io/crashbook.h reads those).
 *
 * Cost: begin and end are a few stores and one copy of the job's key: no lock, no system call.
 *
 * Ownership: wr_ledger_close takes. NULL is a ledger that notes nothing.
 * Threads: begin and end by the slot's thread; the rest by the owner.
 */
#ifndef WR_IO_LEDGER_H
#define WR_IO_LEDGER_H

#include "base/crash.h"
#include "model/job_key.h"

struct wr_ledger;

struct wr_ledger_options {
    int folder_fd;  /* io/state_dir.h; borrowed for the call */
    const char *ns; /* the first part of the file's name */
    int slots;      /* how many worker threads there will be */
};

/** Makes this process's file. FAILED says what the system said. */
warren_status wr_ledger_open(struct wr_ledger **out, const struct wr_ledger_options *options,
                             warren_error *err);

/** The slot's thread is about to run the job. */
void wr_ledger_begin(struct wr_ledger *ledger, int slot, const struct warren_job *job);

/** The handler has returned. */
void wr_ledger_end(struct wr_ledger *ledger, int slot);

/** Where a fault of the slot's thread is noted; slot -1: of all other threads. NULL without a
 * ledger. Valid until the ledger is closed. */
struct wr_crash_note *wr_ledger_note(struct wr_ledger *ledger, int slot);

/** From now on what is cut off is an interrupt and no crash: the process is told to end. */
void wr_ledger_drain(struct wr_ledger *ledger);

/** Handlers are left running while their jobs go back to the broker: these are interrupts, and other
 * processes may read them from now on. Before the connection is closed. */
void wr_ledger_cut(struct wr_ledger *ledger);

/** Removes the file. Only when no handler runs any more; else the ledger is never closed. Takes. */
void wr_ledger_close(struct wr_ledger *ledger);

/* --- reading what a dead process left: ledger_read.c --- */

#define WR_TRACE_SIZE 400

/** A run that its process's end cut off. */
struct wr_ledger_run {
    struct wr_job_key key;
    int64_t started_ms;        /* since 1970 */
    bool is_interrupt;         /* it wasn't its own doing */
    int signal;                /* of a crash; 0: no fault was seen (kill -9, exit, out of memory) */
    char trace[WR_TRACE_SIZE]; /* "libfoo.so+0x1234 < main+0x5678", the fault first; may be "" */
};

typedef void wr_ledger_visit(void *user, const struct wr_ledger_run *run);

/** Calls `visit` for each run that stands in the bytes of a ledger, which may be anything. INVALID
 * says why they are no ledger; nothing was visited then. Pure. */
warren_status wr_ledger_read(const void *data, size_t size, wr_ledger_visit *visit, void *user,
                             warren_error *err);

#endif
