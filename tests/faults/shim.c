// SPDX-License-Identifier: MIT
/*
 * DESIGN: a shared object for LD_PRELOAD that makes the n-th call of a kind fail, so that a sweep
 * over n tries every place where memory, a write or an fsync can be refused. Told by environment:
 *
 *     WARREN_SHIM=malloc:123,fsync:%10   the 123rd malloc fails, and every 10th fsync
 *     WARREN_SHIM_AFTER=/path            only calls count that are made once this file exists
 *     WARREN_SHIM_COUNTS=/path           at exit a line is added: pid=… malloc=… write=… … failed=…
 *
 * Kinds: malloc (with calloc and realloc; ENOMEM), write (ENOSPC, ECONNRESET on a socket), send
 * (ECONNRESET), fsync (with fdatasync; EIO). Calls count from the start of main on, since what the
 * loader does is not ours. It must not allocate, so the real functions are glibc's own names or the
 * system calls; it cannot be used together with a sanitizer, which has a malloc of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <dlfcn.h>
#include <unistd.h>

/* glibc's, for those who stand before malloc. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

enum kind { MALLOC, WRITE, SEND, FSYNC, KINDS };

static const char *const names[KINDS] = { "malloc", "write", "send", "fsync" };

static struct {
    long nth[KINDS]; /* 0: never; below 0: every so many */
    const char *after;
    const char *counts;
    atomic_bool is_counting;
    atomic_long seen[KINDS];
    atomic_long failed;
} shim;

/* Whether this call is one of those that fail. */
static bool fails(enum kind kind)
{
    if (!atomic_load_explicit(&shim.is_counting, memory_order_relaxed)) {
        int kept = errno;
        bool is_time = shim.after && syscall(SYS_access, shim.after, F_OK) == 0;
        errno = kept;
        if (!is_time)
            return false;
        atomic_store(&shim.is_counting, true);
    }
    long seen = atomic_fetch_add(&shim.seen[kind], 1) + 1, nth = shim.nth[kind];
    bool is_hit = nth > 0 ? seen == nth : nth < 0 && seen % -nth == 0;
    if (is_hit)
        atomic_fetch_add(&shim.failed, 1);
    return is_hit;
}

/* --- what is failed --- */

void *malloc(size_t size)
{
    if (!fails(MALLOC))
        return __libc_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    if (!fails(MALLOC))
        return __libc_calloc(count, size);
    errno = ENOMEM;
    return NULL;
}

void *realloc(void *old, size_t size)
{
    if (!fails(MALLOC))
        return __libc_realloc(old, size);
    errno = ENOMEM;
    return NULL;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    struct stat facts;
    if (!fails(WRITE))
        return syscall(SYS_write, fd, bytes, size);
    errno = fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode) ? ECONNRESET : ENOSPC;
    return -1;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    if (!fails(SEND))
        return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
    errno = ECONNRESET;
    return -1;
}

int fsync(int fd)
{
    if (!fails(FSYNC))
        return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}

int fdatasync(int fd)
{
    if (!fails(FSYNC))
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

/* --- settings and counts --- */

__attribute__((noreturn)) static void refuse(const char *wish)
{
    char text[200];
    int length = snprintf(text, sizeof text, "shim: WARREN_SHIM: '%.100s' is no KIND:N\n", wish);
    (void)!syscall(SYS_write, STDERR_FILENO, text, (size_t)length);
    _exit(99);
}

/* One KIND:N or KIND:%N; returns where the next one begins. */
static const char *read_wish(const char *wish)
{
    for (int kind = 0; kind < KINDS; kind++) {
        size_t length = strlen(names[kind]);
        if (strncmp(wish, names[kind], length) != 0 || wish[length] != ':')
            continue;
        bool is_every = wish[length + 1] == '%';
        char *end = NULL;
        long number = strtol(wish + length + 1 + is_every, &end, 10);
        if (number <= 0 || (*end && *end != ','))
            break;
        shim.nth[kind] = is_every ? -number : number;
        return *end ? end + 1 : end;
    }
    refuse(wish);
}

static void begin(void)
{
    const char *wishes = getenv("WARREN_SHIM");
    shim.after = getenv("WARREN_SHIM_AFTER");
    shim.counts = getenv("WARREN_SHIM_COUNTS");
    while (wishes && *wishes)
        wishes = read_wish(wishes);
    atomic_store(&shim.is_counting, !shim.after);
}

__attribute__((destructor)) static void end(void)
{
    char line[256];
    atomic_store(&shim.is_counting, false);
    shim.after = NULL;
    if (!shim.counts)
        return;
    int length = snprintf(line, sizeof line, "pid=%ld", (long)getpid());
    for (int kind = 0; kind < KINDS; kind++)
        length += snprintf(line + length, sizeof line - (size_t)length, " %s=%ld", names[kind],
                           atomic_load(&shim.seen[kind]));
    length += snprintf(line + length, sizeof line - (size_t)length, " failed=%ld\n",
                       atomic_load(&shim.failed));
    int fd = open(shim.counts, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_write, fd, line, (size_t)length) != length)
        _exit(99);
    (void)close(fd);
}

/* --- the start of main --- */

typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);

static main_function *real_main;

static int counted_main(int count, char **words, char **environment)
{
    begin();
    return real_main(count, words, environment);
}

int __libc_start_main(main_function *program, int count, char **words, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end);

int __libc_start_main(main_function *program, int count, char **words, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
    start_function *start = NULL;
    void *found = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&start, &found, sizeof start);
    real_main = program;
    return start(counted_main, count, words, init, fini, loader_fini, stack_end);
}
