// SPDX-License-Identifier: MIT
// DESIGN: the handler does three things: it stores the signal and the address (so much is safe in
// any state), then the frames (the unwinder may itself fault in a ruined process; the signal is
// blocked then, and the kernel ends the process as it would have), and then steps aside.
//
//     fault ──▶ note ──▶ somebody's handler from before us: called, and we stay installed
//                   └──▶ none: the default comes back, and the fault happens again, or the signal
//                        is sent again, so exit status and core dump are the original's
//
// A handler from before us may mend the fault and return (or jump); then the note is only history,
// and the next run on that thread clears it.
#include "base/crash.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { STACK_BYTES = 64 << 10, OWN_FRAMES = 8 };

static const struct {
    int number;
    const char *name;
} faults[] = {
    { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },   { SIGFPE, "SIGFPE" }, { SIGILL, "SIGILL" },
    { SIGABRT, "SIGABRT" }, { SIGTRAP, "SIGTRAP" }, { SIGSYS, "SIGSYS" },
};

enum { FAULTS = sizeof faults / sizeof faults[0] };

/* Set before the first handler is installed; the handlers read them. */
static struct sigaction before[FAULTS];
static struct wr_crash_note *process_note;
static pid_t owner; /* a forked child has our handler, but our notes are its parent's */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int installed; /* under lock */
static atomic_bool is_installed;

/* Initial-exec: reading it in a handler must not allocate. */
static _Thread_local struct wr_crash_note *thread_note __attribute__((tls_model("initial-exec")));
static _Thread_local void *thread_stack;

static size_t index_of(int number)
{
    size_t i = 0;
    while (i < FAULTS - 1 && faults[i].number != number) {
        i++;
    }
    return i;
}

uint64_t wr_crash_address(const void *context)
{
    const ucontext_t *registers = context;
#if defined(__x86_64__)
    return (uint64_t)registers->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return registers->uc_mcontext.pc;
#else
    (void)registers;
    return 0;
#endif
}

/* The frames from the fault on: what lies before it is this handler's. */
static void note_frames(struct wr_crash_note *note)
{
    void *found[WR_CRASH_FRAMES + OWN_FRAMES];
    int count = backtrace(found, WR_CRASH_FRAMES + OWN_FRAMES);
    int first = 0;
    while (first < count && (uint64_t)(uintptr_t)found[first] != note->address) {
        first++;
    }
    uint32_t length = 0;
    note->frames[length++] = note->address;
    for (int i = first + 1; i < count && length < WR_CRASH_FRAMES; i++) {
        note->frames[length++] = (uint64_t)(uintptr_t)found[i];
    }
    atomic_store_explicit(&note->frame_count, length, memory_order_release);
}

static void take_note(int number, const siginfo_t *info, const void *context)
{
    /* What another process sent is no thread's own doing. */
    bool is_sent = info->si_code <= 0 && info->si_pid != owner;
    struct wr_crash_note *note = thread_note && !is_sent ? thread_note : process_note;
    if (!note || getpid() != owner ||
        atomic_load_explicit(&note->signal, memory_order_relaxed) != 0) {
        return;
    }
    note->address = wr_crash_address(context);
    atomic_store_explicit(&note->signal, number, memory_order_release);
    note_frames(note);
}

/* Without a handler before us: the signal takes its course once this one has returned. */
static void step_aside(int number, siginfo_t *info, const struct sigaction *earlier)
{
    bool is_fault = info->si_code > 0 && number != SIGTRAP && number != SIGSYS;
    bool is_ignored = !(earlier->sa_flags & SA_SIGINFO) && earlier->sa_handler == SIG_IGN;
    if (is_ignored && !is_fault) {
        return;
    }
    (void)sigaction(number, earlier, NULL);
    if (!is_fault) { /* the instruction isn't repeated: send it again, blocked until we return */
        pid_t self = getpid();
        long sent = syscall(SYS_rt_tgsigqueueinfo, self, (pid_t)syscall(SYS_gettid), number, info);
        if (sent) {
            (void)raise(number);
        }
    }
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    const struct sigaction *earlier = &before[index_of(number)];
    take_note(number, info, context);
    bool is_default = !(earlier->sa_flags & SA_SIGINFO) &&
                      (earlier->sa_handler == SIG_DFL || earlier->sa_handler == SIG_IGN);
    if (is_default) {
        step_aside(number, info, earlier);
    } else if (earlier->sa_flags & SA_SIGINFO) {
        earlier->sa_sigaction(number, info, context);
    } else {
        earlier->sa_handler(number);
    }
    errno = saved_errno;
}

/* Puts back what was there, of the first `count` signals; unless somebody came after us. */
static void restore(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sigaction now;
        (void)sigaction(faults[i].number, NULL, &now);
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handle) {
            (void)sigaction(faults[i].number, &before[i], NULL);
        }
    }
}

bool wr_crash_install(struct wr_crash_note *note)
{
    WR_SCOPED_LOCK(&lock);
    if (installed++) {
        return true;
    }
    void *one[1];
    (void)backtrace(one, 1); /* loads the unwinder now: the handler must not */
    process_note = note;
    owner = getpid();
    struct sigaction ours = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    (void)sigemptyset(&ours.sa_mask);
    for (size_t i = 0; i < FAULTS; i++) {
        if (sigaction(faults[i].number, NULL, &before[i]) || /* known before the first fault */
            sigaction(faults[i].number, &ours, NULL)) {
            restore(i);
            installed = 0;
            return false;
        }
    }
    atomic_store(&is_installed, true);
    return true;
}

void wr_crash_uninstall(void)
{
    WR_SCOPED_LOCK(&lock);
    if (installed && --installed == 0) {
        atomic_store(&is_installed, false);
        restore(FAULTS);
        process_note = NULL;
    }
}

/* Sanitizers give each thread a stack for signals: theirs stays. */
static void make_stack(void)
{
    stack_t now;
    if (sigaltstack(NULL, &now) || !(now.ss_flags & SS_DISABLE)) {
        return;
    }
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        return; /* an overflow isn't noted then, all else is */
    }
    stack_t ours = { .ss_sp = stack, .ss_size = STACK_BYTES };
    if (sigaltstack(&ours, NULL)) {
        (void)munmap(stack, STACK_BYTES);
        return;
    }
    thread_stack = stack;
}

void wr_crash_enter(struct wr_crash_note *note)
{
    if (note && atomic_load(&is_installed)) {
        make_stack();
        thread_note = note;
    }
}

void wr_crash_leave(void)
{
    thread_note = NULL;
    if (!thread_stack) {
        return;
    }
    stack_t now;
    stack_t none = { .ss_flags = SS_DISABLE };
    if (!sigaltstack(NULL, &now) && now.ss_sp == thread_stack) {
        (void)sigaltstack(&none, NULL);
    }
    (void)munmap(thread_stack, STACK_BYTES);
    thread_stack = NULL;
}

const char *wr_crash_signal_name(char *out, unsigned long size, int number)
{
    for (size_t i = 0; i < FAULTS; i++) {
        if (faults[i].number == number) {
            (void)snprintf(out, size, "%s", faults[i].name);
            return out;
        }
    }
    (void)snprintf(out, size, "signal %d", number);
    return out;
}
