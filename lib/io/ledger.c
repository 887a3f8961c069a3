// SPDX-License-Identifier: MIT
// DESIGN: writing the ledger. The file is made under a name that nobody reads, locked, filled, and
// only then given its own: a ledger that can be seen is locked or its process is dead. Its blocks
// are reserved at once, since a full disk would end the process at a store into the mapping.
//
// The kernel closes a dead process's files in the reverse order of their numbers. Its lock should be
// gone before the broker learns of the death from its socket, or the next worker would get the job
// before it can see the crash. So the descriptor is moved to a high number.
//
// A child that a handler forks has the lock, too, until it executes another program or ends.
#include "io/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/random.h"
#include "io/ledger_layout.h"

enum { NAME_SIZE = 160, DESCRIPTOR_MOST = 4096, DESCRIPTOR_SPARE = 16, LOCK_TRIES = 50 };

struct wr_ledger {
    struct wr_ledger_header *header;
    char *slots;
    size_t size; /* of the mapping */
    int slot_count;
    int fd; /* holds the lock */
    int folder_fd;
    char name[NAME_SIZE];
};

static struct wr_ledger_slot *slot_at(const struct wr_ledger *ledger, int slot)
{
    return (struct wr_ledger_slot *)(void *)(ledger->slots + (size_t)slot * WR_LEDGER_SLOT_SIZE);
}

/* --- the table of modules --- */

/* The program itself has no name in the list, and argv[0] may be anything. */
static void write_name(struct wr_ledger_module *module, const char *path)
{
    char program[1024] = "";
    if (!path[0] && readlink("/proc/self/exe", program, sizeof program - 1) > 0) {
        path = program;
    }
    const char *slash = strrchr(path, '/');
    path = path[0] ? path : program_invocation_short_name;
    (void)snprintf(module->name, sizeof module->name, "%.100s", slash ? slash + 1 : path);
}

static int add_module(struct dl_phdr_info *info, size_t size, void *user)
{
    struct wr_ledger_header *header = user;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum && header->module_count < WR_LEDGER_MODULES; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) {
            continue;
        }
        struct wr_ledger_module *module = &header->modules[header->module_count++];
        module->base = info->dlpi_addr;
        module->start = info->dlpi_addr + part->p_vaddr;
        module->end = module->start + part->p_memsz;
        write_name(module, info->dlpi_name);
    }
    return 0;
}

/* --- making the file --- */

static void move_high(int *fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) {
        return;
    }
    rlim_t most = limit.rlim_cur < DESCRIPTOR_MOST ? limit.rlim_cur : DESCRIPTOR_MOST;
    int high = most > 2 * DESCRIPTOR_SPARE
                   ? fcntl(*fd, F_DUPFD_CLOEXEC, (int)most - DESCRIPTOR_SPARE)
                   : -1;
    if (high >= 0) {
        (void)close(*fd);
        *fd = high;
    }
}

/* Whoever harvests the folder at this moment holds it, too, until he has seen that it is unfinished. */
static bool lock(int fd)
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

static warren_status fail(const char *what, warren_error *err)
{
    return wr_fail(err, WARREN_FAILED, "cannot %s the ledger: %s", what, strerror(errno));
}

static warren_status map(struct wr_ledger *ledger, warren_error *err)
{
    int rc = posix_fallocate(ledger->fd, 0, (off_t)ledger->size);
    if (rc) {
        errno = rc;
        return fail("reserve room for", err);
    }
    void *memory = mmap(NULL, ledger->size, PROT_READ | PROT_WRITE, MAP_SHARED, ledger->fd, 0);
    if (memory == MAP_FAILED) {
        return fail("map", err);
    }
    ledger->header = memory;
    ledger->slots = (char *)memory + WR_LEDGER_HEADER_SIZE;
    return WARREN_OK;
}

static void fill_header(struct wr_ledger *ledger)
{
    struct wr_ledger_header *header = ledger->header;
    memcpy(header->magic, WR_LEDGER_MAGIC, sizeof header->magic);
    header->version = WR_LEDGER_VERSION;
    header->slot_count = (uint32_t)ledger->slot_count;
    header->opened_wall_ms = wr_clock_wall_ms(NULL);
    header->opened_mono_us = wr_clock_mono_us(NULL);
    (void)dl_iterate_phdr(add_module, header);
}

/* Under a name that ends in ".new" nobody takes the file for a dead process's. */
static warren_status make_file(struct wr_ledger *ledger, warren_error *err)
{
    char hidden[NAME_SIZE + 8];
    (void)snprintf(hidden, sizeof hidden, "%s.new", ledger->name);
    ledger->fd =
        openat(ledger->folder_fd, hidden, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (ledger->fd < 0) {
        return fail("make", err);
    }
    move_high(&ledger->fd);
    warren_status rc = lock(ledger->fd) ? map(ledger, err) : fail("lock", err);
    if (!rc) {
        fill_header(ledger);
        rc = renameat(ledger->folder_fd, hidden, ledger->folder_fd, ledger->name)
                 ? fail("name", err)
                 : WARREN_OK;
    }
    if (rc) {
        (void)unlinkat(ledger->folder_fd, hidden, 0);
    }
    return rc;
}

static void release(struct wr_ledger *ledger)
{
    if (ledger->header) {
        (void)munmap(ledger->header, ledger->size);
    }
    if (ledger->fd >= 0) {
        (void)close(ledger->fd);
    }
    if (ledger->folder_fd >= 0) {
        (void)close(ledger->folder_fd);
    }
    free(ledger);
}

warren_status wr_ledger_open(struct wr_ledger **out, const struct wr_ledger_options *options,
                             warren_error *err)
{
    struct wr_ledger *ledger = calloc(1, sizeof *ledger);
    if (!ledger) {
        return wr_no_memory(err);
    }
    int slots = options->slots < WR_LEDGER_SLOTS_MOST ? options->slots : WR_LEDGER_SLOTS_MOST;
    ledger->slot_count = slots > 0 ? slots : 1;
    ledger->size = WR_LEDGER_HEADER_SIZE + (size_t)ledger->slot_count * WR_LEDGER_SLOT_SIZE;
    ledger->fd = -1;
    (void)snprintf(ledger->name, sizeof ledger->name, "%.80s-%d-%016llx.ledger", options->ns,
                   (int)getpid(), (unsigned long long)wr_random());
    ledger->folder_fd = fcntl(options->folder_fd, F_DUPFD_CLOEXEC, 0);
    warren_status rc = ledger->folder_fd < 0 ? fail("make", err) : make_file(ledger, err);
    if (rc) {
        release(ledger);
        return rc;
    }
    *out = ledger;
    return WARREN_OK;
}

/* --- the hot path --- */

void wr_ledger_begin(struct wr_ledger *ledger, int slot, const struct warren_job *job)
{
    if (!ledger) {
        return;
    }
    struct wr_ledger_slot *mine = slot_at(ledger, slot);
    mine->started_us = job->started_us;
    wr_job_key_make(&mine->key, job);
    if (atomic_load_explicit(&mine->note.signal, memory_order_relaxed)) { /* it was mended */
        atomic_store_explicit(&mine->note.frame_count, 0, memory_order_relaxed);
        atomic_store_explicit(&mine->note.signal, 0, memory_order_relaxed);
    }
    atomic_store_explicit(&mine->state, WR_SLOT_STARTED, memory_order_release);
}

void wr_ledger_end(struct wr_ledger *ledger, int slot)
{
    if (ledger) {
        atomic_store_explicit(&slot_at(ledger, slot)->state, WR_SLOT_FREE, memory_order_release);
    }
}

/* --- the owner's --- */

struct wr_crash_note *wr_ledger_note(struct wr_ledger *ledger, int slot)
{
    if (!ledger) {
        return NULL;
    }
    return slot < 0 ? &ledger->header->note : &slot_at(ledger, slot)->note;
}

void wr_ledger_drain(struct wr_ledger *ledger)
{
    if (ledger) {
        atomic_store(&ledger->header->is_draining, 1);
    }
}

void wr_ledger_cut(struct wr_ledger *ledger)
{
    if (!ledger) {
        return;
    }
    wr_ledger_drain(ledger);
    for (int i = 0; i < ledger->slot_count; i++) {
        uint32_t started = WR_SLOT_STARTED; /* one that ends at this moment stays free */
        (void)atomic_compare_exchange_strong(&slot_at(ledger, i)->state, &started,
                                             WR_SLOT_INTERRUPTED);
    }
    if (ledger->fd >= 0) {
        (void)flock(ledger->fd, LOCK_UN); /* closing is not enough: the mapping keeps the lock */
        (void)close(ledger->fd);
        ledger->fd = -1;
    }
}

void wr_ledger_close(struct wr_ledger *ledger)
{
    if (!ledger) {
        return;
    }
    (void)unlinkat(ledger->folder_fd, ledger->name, 0);
    release(ledger);
}
