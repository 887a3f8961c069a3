/* SPDX-License-Identifier: MIT */
/*
 * The crash book: what all workers of one state folder and namespace know about runs that ended
 * with their process. For each job (by its key): how many crashes, how many interrupts, the last
 * signal and trace. A bounded file, shared by its users: 1024 jobs, the oldest is forgotten first,
 * and nothing is kept longer than a week.
 *
 * Losing the book loses counts, never jobs. When another process holds it for too long (it was
 * stopped), a call does nothing instead of waiting.
 *
 * Threads: one owner. Times are ms since 1970, given by the caller.
 */
#ifndef WR_IO_CRASHBOOK_H
#define WR_IO_CRASHBOOK_H

#include "io/ledger.h"

#define WR_CRASHBOOK_ENTRIES 1024
#define WR_CRASHBOOK_KEPT_MS INT64_C(604800000) /* a week */

struct wr_crashbook;

struct wr_crash_record {
    uint32_t crashes;
    uint32_t interrupts;
    int signal;                /* of the last crash; 0: no fault was seen */
    char trace[WR_TRACE_SIZE]; /* of the last crash; may be "" */
};

/** Opens the book, made if need be; one that makes no sense is replaced. `folder_fd` is borrowed for
 * the call (io/state_dir.h). FAILED says what the system said. */
warren_status wr_crashbook_open(struct wr_crashbook **out, int folder_fd, const char *ns,
                                warren_error *err);

/** Reads the ledgers that dead processes left, writes their runs into the book, removes the files.
 * Each run is also told to `visit`. */
void wr_crashbook_harvest(struct wr_crashbook *book, int64_t now_ms, wr_ledger_visit *visit,
                          void *user);

/** Adds one run. */
void wr_crashbook_add(struct wr_crashbook *book, const struct wr_ledger_run *run, int64_t now_ms);

/** What is known of a job; false: nothing. */
bool wr_crashbook_lookup(struct wr_crashbook *book, const struct wr_job_key *key, int64_t now_ms,
                         struct wr_crash_record *out);

/** The job is settled: nothing is to be known of it any more. */
void wr_crashbook_forget(struct wr_crashbook *book, const struct wr_job_key *key);

/** NULL is fine. */
void wr_crashbook_close(struct wr_crashbook *book);

#endif
