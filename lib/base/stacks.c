// SPDX-License-Identifier: MIT
// DESIGN: one question at a time, in one buffer that is there from the beginning:
//
//     walk: ASKED ──signal──▶ thread's handler: WRITING ──▶ DONE ──semaphore──▶ walk: told, FREE
//              └─ no answer in time: FREE again; a handler that comes later finds that nobody asks
//
// Walks take turns, since there is one buffer: a signal and an order may both ask for a dump.
// A handler may run in the middle of anything, so it only unwinds, and the unwinder was loaded before.
// Since gcc 12 and glibc 2.35 that takes no lock; with older ones a lock that a thread may take twice.
#include "base/stacks.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"

enum { OWN_FRAMES = 8, ANSWER_NS = 200000000, NS_PER_S = 1000000000, LATE_TURNS = 5 };
enum { BLOCKED_LOOKS = 5 };
enum { FIRST_TRIED = 8 }; /* from SIGRTMIN on: those before are the ones that others take first */

enum state { FREE, ASKED, WRITING, DONE };

static struct {
    _Atomic int state;
    _Atomic int tid;
    sem_t answered;
    uint64_t address; /* where the thread was */
    int count;
    void *frames[WR_STACK_FRAMES + OWN_FRAMES];
} question;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int installed;                                    /* under lock */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* held over a walk; above the lock */
static struct sigaction before;
static _Atomic int number; /* of the signal; 0: not installed */

static void answer(int signal, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    int asked = ASKED;
    (void)signal;
    (void)info;
    if (atomic_load(&question.tid) == (int)syscall(SYS_gettid) &&
        atomic_compare_exchange_strong(&question.state, &asked, WRITING)) {
        question.address = wr_crash_address(context);
        question.count = backtrace(question.frames, WR_STACK_FRAMES + OWN_FRAMES);
        atomic_store(&question.state, DONE);
        (void)sem_post(&question.answered);
    }
    errno = saved_errno;
}

static int find_free_signal(void)
{
    for (int i = SIGRTMIN + FIRST_TRIED; i <= SIGRTMAX; i++) {
        struct sigaction now;
        bool is_free =
            !sigaction(i, NULL, &now) && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
        if (is_free) {
            return i;
        }
    }
    return 0;
}

bool wr_stacks_install(void)
{
    WR_SCOPED_LOCK(&lock);
    if (installed) {
        installed++;
        return true;
    }
    struct sigaction ours = { .sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_RESTART };
    void *one[1];
    (void)backtrace(one, 1); /* loads the unwinder now: the handler must not */
    (void)sigfillset(&ours.sa_mask);
    int found = find_free_signal();
    if (!found || sem_init(&question.answered, 0, 0) || sigaction(found, &ours, &before)) {
        return false;
    }
    atomic_store(&number, found);
    installed = 1;
    return true;
}

void wr_stacks_uninstall(void)
{
    WR_SCOPED_LOCK(&lock);
    if (!installed || --installed) {
        return;
    }
    struct sigaction ignored = { .sa_handler = SIG_IGN }; /* drops what is still on its way */
    int found = atomic_exchange(&number, 0);
    (void)sigaction(found, &ignored, NULL);
    (void)sigaction(found, &before, NULL);
}

void wr_stacks_admit(sigset_t *blocked)
{
    int found = atomic_load(&number);
    if (found) {
        (void)sigdelset(blocked, found);
    }
}

/* --- asking one thread --- */

/* Reads "Name:" and "SigBlk:" of its status. False: it is gone. */
static bool read_status(struct wr_stack *stack, uint64_t *out_blocked)
{
    char path[64];
    char line[256];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/status", stack->tid);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    *out_blocked = 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "Name:\t", 6) == 0) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(stack->name, sizeof stack->name, "%.15s", line + 6);
        } else if (strncmp(line, "SigBlk:\t", 8) == 0) {
            *out_blocked = strtoull(line + 8, NULL, 16);
        }
    }
    (void)fclose(file);
    return true;
}

static bool wait_for_answer(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until); /* the only clock that it knows */
    int64_t nanos = until.tv_nsec + (int64_t)ANSWER_NS;
    until.tv_sec += (time_t)(nanos / NS_PER_S);
    until.tv_nsec = (long)(nanos % NS_PER_S);
    while (sem_timedwait(&question.answered, &until)) {
        if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* The frames from where the thread was: what lies before it is the handler's. */
static void take_frames(struct wr_stack *stack)
{
    int first = 0;
    while (first < question.count &&
           (uint64_t)(uintptr_t)question.frames[first] != question.address) {
        first++;
    }
    first = first < question.count ? first : 0;
    int left = question.count - first;
    stack->frame_count = left < WR_STACK_FRAMES ? left : WR_STACK_FRAMES;
    memcpy(stack->frames, &question.frames[first], (size_t)stack->frame_count * sizeof(void *));
}

static void ask(struct wr_stack *stack, int signal)
{
    int asked = ASKED;
    atomic_store(&question.tid, stack->tid);
    atomic_store(&question.state, ASKED);
    if (syscall(SYS_tgkill, getpid(), stack->tid, signal)) {
        atomic_store(&question.state, FREE);
        stack->problem = "it is gone";
        return;
    }
    bool is_answered = wait_for_answer();
    if (!is_answered && atomic_compare_exchange_strong(&question.state, &asked, FREE)) {
        stack->problem = "no answer";
        return;
    }
    for (int i = 0; !is_answered && i < LATE_TURNS; i++) { /* it has begun, but isn't let run */
        is_answered = wait_for_answer();
    }
    if (!is_answered) { /* the buffer is its for ever */
        stack->problem = "no end";
        return;
    }
    take_frames(stack);
    atomic_store(&question.state, FREE);
}

/* Many block signals for a moment: one that starts a thread, or is still in our handler. False: the
 * thread is gone. */
static bool look_whether_it_blocks(struct wr_stack *stack, int signal, bool *out_blocks)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    uint64_t blocked = 0;
    for (int i = 0; i < BLOCKED_LOOKS; i++) {
        if (!read_status(stack, &blocked)) {
            return false;
        }
        *out_blocks = blocked >> (signal - 1) & 1;
        if (!*out_blocks) {
            break;
        }
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static void visit_one(int tid, int signal, wr_stack_visit *visit, void *user)
{
    struct wr_stack stack = { .tid = tid };
    bool blocks = false;
    if (!look_whether_it_blocks(&stack, signal, &blocks)) {
        return;
    }
    if (blocks) {
        stack.problem = "it blocks the signal";
    } else if (atomic_load(&question.state) != FREE) {
        stack.problem = "an earlier one hangs";
    } else {
        ask(&stack, signal);
    }
    visit(user, &stack);
}

bool wr_stacks_walk(wr_stack_visit *visit, void *user)
{
    WR_SCOPED_LOCK(&turn);
    int signal = atomic_load(&number);
    DIR *tasks = signal ? opendir("/proc/self/task") : NULL;
    if (!tasks) {
        return false;
    }
    int own = (int)syscall(SYS_gettid);
    for (const struct dirent *entry; (entry = readdir(tasks));) {
        int tid = (int)strtol(entry->d_name, NULL, 10);
        if (tid > 0 && tid != own) {
            visit_one(tid, signal, visit, user);
        }
    }
    (void)closedir(tasks);
    return true;
}

/* --- names --- */

const char *wr_stack_frame(char *out, size_t size, const void *address)
{
    Dl_info info;
    struct link_map *map = NULL;
    uintptr_t at = (uintptr_t)address;
    if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map) {
        (void)snprintf(out, size, "0x%llx", (unsigned long long)at);
        return out;
    }
    const char *path = info.dli_fname ? info.dli_fname : "";
    const char *slash = strrchr(path, '/');
    (void)snprintf(out, size, "%.60s+0x%llx%s%.80s%s", slash ? slash + 1 : path,
                   (unsigned long long)(at - map->l_addr), info.dli_sname ? "(" : "",
                   info.dli_sname ? info.dli_sname : "", info.dli_sname ? ")" : "");
    return out;
}
