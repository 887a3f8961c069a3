// SPDX-License-Identifier: MIT
// DESIGN: a ledger whose lock can be taken is a dead process's (io/ledger.c). It is read whole,
// removed, and then written into the book, so that no run is counted twice; if the harvester dies
// between the two, the count is lost and nothing else. Whoever harvests holds the book's lock, so
// that a process which waits for it finds everything in the book.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/crashbook_file.h"
#include "io/ledger_layout.h"

enum {
    LEDGER_MOST = WR_LEDGER_HEADER_SIZE + WR_LEDGER_SLOTS_MOST * WR_LEDGER_SLOT_SIZE,
    NAMES_MOST = 4096, /* looked at in one harvest */
    UNFINISHED_MS = 60000,
};

struct harvest {
    struct wr_crashbook *book;
    int64_t now_ms;
    wr_ledger_visit *visit;
    void *user;
};

enum kind { NO_LEDGER, LEDGER, UNFINISHED };

/* "<ns>-<digits>-<16 hex digits>.ledger", perhaps with ".new" behind it. */
static enum kind kind_of(const char *name, const char *ns)
{
    size_t length = strlen(ns);
    if (strncmp(name, ns, length) != 0 || name[length] != '-') {
        return NO_LEDGER;
    }
    const char *at = name + length + 1;
    size_t digits = strspn(at, "0123456789");
    if (!digits || at[digits] != '-') {
        return NO_LEDGER;
    }
    at += digits + 1;
    if (strspn(at, "0123456789abcdef") != 16) {
        return NO_LEDGER;
    }
    at += 16;
    return strcmp(at, ".ledger") == 0       ? LEDGER
           : strcmp(at, ".ledger.new") == 0 ? UNFINISHED
                                            : NO_LEDGER;
}

static void keep_run(void *user, const struct wr_ledger_run *run)
{
    const struct harvest *harvest = user;
    wr_crashbook_write(harvest->book, run, harvest->now_ms);
    if (harvest->visit) {
        harvest->visit(harvest->user, run);
    }
}

static void read_ledger(const struct harvest *harvest, int fd, const char *name, size_t size)
{
    AUTO_FREE char *data = malloc(size ? size : 1);
    ssize_t got = data ? pread(fd, data, size, 0) : -1;
    if (got < 0) {
        return; /* another time */
    }
    (void)unlinkat(harvest->book->folder_fd, name, 0);
    /* What is no ledger in spite of its name is gone now, and tells nothing. */
    (void)wr_ledger_read(data, (size_t)got, keep_run, (void *)(uintptr_t)harvest, NULL);
}

static void take_ledger(const struct harvest *harvest, const char *name, enum kind kind)
{
    struct stat facts;
    int fd = openat(harvest->book->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    bool is_dead = !flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &facts) && S_ISREG(facts.st_mode) &&
                   facts.st_nlink > 0 && facts.st_uid == geteuid();
    if (is_dead && kind == LEDGER) {
        size_t size = facts.st_size < LEDGER_MOST ? (size_t)facts.st_size : LEDGER_MOST;
        read_ledger(harvest, fd, name, size);
    } else if (is_dead && facts.st_mtim.tv_sec * INT64_C(1000) + UNFINISHED_MS < harvest->now_ms) {
        (void)unlinkat(harvest->book->folder_fd, name, 0);
    }
    (void)close(fd);
}

static void walk(const struct harvest *harvest, DIR *folder)
{
    const struct dirent *found;
    for (int i = 0; i < NAMES_MOST && (found = readdir(folder)); i++) {
        enum kind kind = kind_of(found->d_name, harvest->book->ns);
        if (kind != NO_LEDGER) {
            take_ledger(harvest, found->d_name, kind);
        }
    }
}

void wr_crashbook_harvest(struct wr_crashbook *book, int64_t now_ms, wr_ledger_visit *visit,
                          void *user)
{
    struct harvest harvest = { book, now_ms, visit, user };
    int fd = openat(book->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    if (wr_crashbook_lock(book)) {
        walk(&harvest, folder);
        wr_crashbook_unlock(book);
    }
    (void)closedir(folder);
}
