/* SPDX-License-Identifier: MIT */
/*
 * The inside of a crash book, for its two files: the entries (crashbook.c) and the harvest
 * (crashbook_harvest.c). Threads: the book's owner.
 */
#ifndef WR_IO_CRASHBOOK_FILE_H
#define WR_IO_CRASHBOOK_FILE_H

#include "io/crashbook.h"

struct wr_crashbook_file;

struct wr_crashbook {
    struct wr_crashbook_file *file; /* mapped */
    int fd;
    int folder_fd;
    char ns[84];
};

/** False: somebody holds the book for too long. */
bool wr_crashbook_lock(struct wr_crashbook *book);
void wr_crashbook_unlock(struct wr_crashbook *book);

/** Adds one run. Under the lock. */
void wr_crashbook_write(struct wr_crashbook *book, const struct wr_ledger_run *run, int64_t now_ms);

#endif
