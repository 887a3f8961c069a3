// SPDX-License-Identifier: MIT
// DESIGN: one mapped file: a header, the hashes of all keys side by side (a lookup that finds
// nothing reads only those, 8 KiB, and nothing at all while the book is empty), then the entries.
// Whoever changes or copies an entry holds the file's lock, and rechecks what it saw before.
//
// The lock is tried for some milliseconds and then given up: a process that was stopped while it
// held the lock must not stop the others' consumers.
#include "io/crashbook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "io/crashbook_file.h"

#define MAGIC "WRCRASHS"

enum { VERSION = 1, LOCK_TRIES = 50, OPEN_TRIES = 5, NAME_SIZE = 128 };

struct entry {
    int64_t changed_ms;
    struct wr_job_key key;
    struct wr_crash_record record;
};

struct wr_crashbook_file {
    char magic[8];
    uint32_t version;
    uint32_t entry_size;
    _Atomic uint32_t used;
    uint32_t unused;
    _Atomic uint64_t hashes[WR_CRASHBOOK_ENTRIES]; /* 0: free */
    struct entry entries[WR_CRASHBOOK_ENTRIES];
};

/* --- the lock --- */

static bool lock_file(int fd)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (!flock(fd, LOCK_EX | LOCK_NB)) {
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

bool wr_crashbook_lock(struct wr_crashbook *book)
{
    return lock_file(book->fd);
}

void wr_crashbook_unlock(struct wr_crashbook *book)
{
    (void)flock(book->fd, LOCK_UN);
}

/* --- entries --- */

/* Where the key stands; -1: nowhere. Without the lock only a guess. */
static int find(const struct wr_crashbook_file *file, const struct wr_job_key *key, uint64_t hash)
{
    for (int i = 0; i < WR_CRASHBOOK_ENTRIES; i++) {
        if (atomic_load_explicit(&file->hashes[i], memory_order_relaxed) == hash &&
            wr_job_key_equals(&file->entries[i].key, key)) {
            return i;
        }
    }
    return -1;
}

/* A clock that was set back makes entries of the future: they aren't kept either. */
static bool is_old(const struct entry *entry, int64_t now_ms)
{
    return entry->changed_ms < now_ms - WR_CRASHBOOK_KEPT_MS ||
           entry->changed_ms > now_ms + WR_CRASHBOOK_KEPT_MS;
}

static void clear(struct wr_crashbook_file *file, int index)
{
    if (atomic_exchange(&file->hashes[index], 0)) {
        atomic_fetch_sub(&file->used, 1);
    }
}

/* A free place; without one the place of the entry that changed longest ago. */
static int make_room(struct wr_crashbook_file *file, int64_t now_ms)
{
    int oldest = 0;
    for (int i = 0; i < WR_CRASHBOOK_ENTRIES; i++) {
        if (!atomic_load(&file->hashes[i]) || is_old(&file->entries[i], now_ms)) {
            oldest = i;
            break;
        }
        if (file->entries[i].changed_ms < file->entries[oldest].changed_ms) {
            oldest = i;
        }
    }
    clear(file, oldest);
    return oldest;
}

static struct entry *entry_for(struct wr_crashbook_file *file, const struct wr_job_key *key,
                               int64_t now_ms)
{
    uint64_t hash = wr_job_key_hash(key);
    int index = find(file, key, hash);
    if (index >= 0 && is_old(&file->entries[index], now_ms)) {
        clear(file, index);
        index = -1;
    }
    if (index >= 0) {
        return &file->entries[index];
    }
    index = make_room(file, now_ms);
    file->entries[index] = (struct entry){ .key = *key };
    atomic_store(&file->hashes[index], hash);
    atomic_fetch_add(&file->used, 1);
    return &file->entries[index];
}

void wr_crashbook_write(struct wr_crashbook *book, const struct wr_ledger_run *run, int64_t now_ms)
{
    struct entry *entry = entry_for(book->file, &run->key, now_ms);
    struct wr_crash_record *record = &entry->record;
    entry->changed_ms = now_ms;
    if (run->is_interrupt) {
        record->interrupts += record->interrupts < INT32_MAX;
        return;
    }
    record->crashes += record->crashes < INT32_MAX;
    record->signal = run->signal;
    memcpy(record->trace, run->trace, sizeof record->trace);
}

void wr_crashbook_add(struct wr_crashbook *book, const struct wr_ledger_run *run, int64_t now_ms)
{
    if (wr_crashbook_lock(book)) {
        wr_crashbook_write(book, run, now_ms);
        wr_crashbook_unlock(book);
    }
}

bool wr_crashbook_lookup(struct wr_crashbook *book, const struct wr_job_key *key, int64_t now_ms,
                         struct wr_crash_record *out)
{
    uint64_t hash = wr_job_key_hash(key);
    if (!atomic_load(&book->file->used) || find(book->file, key, hash) < 0 ||
        !wr_crashbook_lock(book)) {
        return false;
    }
    int index = find(book->file, key, hash);
    bool is_known = index >= 0 && !is_old(&book->file->entries[index], now_ms);
    if (is_known) {
        *out = book->file->entries[index].record;
        out->trace[sizeof out->trace - 1] = '\0';
    }
    wr_crashbook_unlock(book);
    return is_known;
}

void wr_crashbook_forget(struct wr_crashbook *book, const struct wr_job_key *key)
{
    if (!wr_crashbook_lock(book)) {
        return; /* it grows old */
    }
    int index = find(book->file, key, wr_job_key_hash(key));
    if (index >= 0) {
        clear(book->file, index);
    }
    wr_crashbook_unlock(book);
}

/* --- the file --- */

static warren_status fail(const char *what, warren_error *err)
{
    return wr_fail(err, WARREN_FAILED, "cannot %s the crash book: %s", what, strerror(errno));
}

/* Under the lock. A fresh file is filled; what another version or a stranger wrote is no book. */
static bool is_book(struct wr_crashbook_file *file, bool is_fresh)
{
    if (is_fresh) {
        memcpy(file->magic, MAGIC, sizeof file->magic);
        file->version = VERSION;
        file->entry_size = sizeof(struct entry);
    }
    return memcmp(file->magic, MAGIC, sizeof file->magic) == 0 && file->version == VERSION &&
           file->entry_size == sizeof(struct entry);
}

static warren_status map(struct wr_crashbook *book, warren_error *err)
{
    int rc = posix_fallocate(book->fd, 0, sizeof(struct wr_crashbook_file));
    if (rc) {
        errno = rc;
        return fail("reserve room for", err);
    }
    void *memory = mmap(NULL, sizeof(struct wr_crashbook_file), PROT_READ | PROT_WRITE, MAP_SHARED,
                        book->fd, 0);
    if (memory == MAP_FAILED) {
        return fail("map", err);
    }
    book->file = memory;
    return WARREN_OK;
}

static void let_go(struct wr_crashbook *book)
{
    if (book->file) {
        (void)munmap(book->file, sizeof(struct wr_crashbook_file));
        book->file = NULL;
    }
    if (book->fd >= 0) {
        (void)close(book->fd);
        book->fd = -1;
    }
}

/* One try: OK with a mapped book; TIMEOUT when what stood there was taken away: try again. A book that others may
 * have mapped is never cut, or they would fault: it is replaced. */
static warren_status try_file(struct wr_crashbook *book, const char *name, warren_error *err)
{
    struct stat facts;
    book->fd =
        openat(book->folder_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (book->fd < 0) {
        return fail("open", err);
    }
    if (!lock_file(book->fd) || fstat(book->fd, &facts)) {
        return fail("lock", err);
    }
    bool is_there = facts.st_nlink > 0;
    bool is_whole = S_ISREG(facts.st_mode) && is_there && facts.st_uid == geteuid() &&
                    (!facts.st_size || facts.st_size == sizeof(struct wr_crashbook_file));
    if (is_whole && map(book, err)) {
        return WARREN_FAILED;
    }
    if (book->file && is_book(book->file, !facts.st_size)) {
        wr_crashbook_unlock(book);
        return WARREN_OK;
    }
    if (is_there) {
        (void)unlinkat(book->folder_fd, name, 0);
    }
    return WARREN_TIMEOUT;
}

static warren_status open_file(struct wr_crashbook *book, warren_error *err)
{
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof name, "%.80s.crashes", book->ns);
    for (int i = 0; i < OPEN_TRIES; i++) {
        warren_status rc = try_file(book, name, err);
        if (rc != WARREN_TIMEOUT) {
            return rc;
        }
        let_go(book);
    }
    return wr_fail(err, WARREN_FAILED, "%s is no crash book and can't be replaced", name);
}

warren_status wr_crashbook_open(struct wr_crashbook **out, int folder_fd, const char *ns,
                                warren_error *err)
{
    struct wr_crashbook *book = calloc(1, sizeof *book);
    if (!book) {
        return wr_no_memory(err);
    }
    book->fd = -1;
    (void)snprintf(book->ns, sizeof book->ns, "%.80s", ns);
    book->folder_fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
    warren_status rc = book->folder_fd < 0 ? fail("open", err) : open_file(book, err);
    if (rc) {
        wr_crashbook_close(book);
        return rc;
    }
    *out = book;
    return WARREN_OK;
}

void wr_crashbook_close(struct wr_crashbook *book)
{
    if (!book) {
        return;
    }
    let_go(book);
    if (book->folder_fd >= 0) {
        (void)close(book->folder_fd);
    }
    free(book);
}
