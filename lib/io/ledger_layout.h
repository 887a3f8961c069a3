/* SPDX-License-Identifier: MIT */
/*
 * How a ledger's file is laid out: a header with the table of loaded modules, then a slot for each
 * worker thread. For the writer (ledger.c) and the reader (ledger_read.c). Numbers are the
 * machine's own: a ledger is read where it was written.
 */
#ifndef WR_IO_LEDGER_LAYOUT_H
#define WR_IO_LEDGER_LAYOUT_H

#include "base/crash.h"
#include "model/job_key.h"

#define WR_LEDGER_MAGIC "WRLEDGER"
#define WR_LEDGER_VERSION 1
#define WR_LEDGER_MODULES 64
#define WR_LEDGER_SLOTS_MOST 1024

/* Words that garbage doesn't hold by chance. */
enum wr_slot_state {
    WR_SLOT_FREE = 0,
    WR_SLOT_STARTED = 0x54524154,
    WR_SLOT_INTERRUPTED = 0x52544E49,
};

/** A part of the address space that holds code: address - base is what addr2line wants. */
struct wr_ledger_module {
    uint64_t start;
    uint64_t end;
    uint64_t base;
    char name[104];
};

struct wr_ledger_header {
    char magic[8];
    uint32_t version;
    uint32_t slot_count;
    uint32_t module_count;
    _Atomic uint32_t is_draining;
    int64_t opened_wall_ms;
    int64_t opened_mono_us;
    struct wr_crash_note note; /* of threads that are no workers */
    struct wr_ledger_module modules[WR_LEDGER_MODULES];
};

/* The state is stored last at the begin and first at the end: what a started slot holds is whole. */
struct wr_ledger_slot {
    _Atomic uint32_t state;
    uint32_t unused;
    int64_t started_us; /* monotonic */
    struct wr_job_key key;
    struct wr_crash_note note;
};

#define WR_LEDGER_HEADER_SIZE 12288
#define WR_LEDGER_SLOT_SIZE 512 /* a slot never lies in two pages */

_Static_assert(sizeof(struct wr_ledger_header) <= WR_LEDGER_HEADER_SIZE, "the header has grown");
_Static_assert(sizeof(struct wr_ledger_slot) <= WR_LEDGER_SLOT_SIZE, "a slot has grown");

#endif
