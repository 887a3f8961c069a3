// SPDX-License-Identifier: MIT
// DESIGN: threads of the library never take a signal: the host program decides about signals, and
// `warren_run` reads them from a descriptor. So every thread starts with all of them blocked.
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/stacks.h"

static int create(struct wr_thread *thread, size_t stack_bytes, void *(*run)(void *), void *user)
{
    pthread_attr_t attributes;
    int rc = pthread_attr_init(&attributes);
    if (rc) {
        return rc;
    }
    rc = pthread_attr_setstacksize(&attributes, stack_bytes);
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    /* A fault in this very thread must still end the process. */
    (void)sigdelset(&all, SIGSEGV);
    (void)sigdelset(&all, SIGBUS);
    (void)sigdelset(&all, SIGFPE);
    (void)sigdelset(&all, SIGILL);
    (void)sigdelset(&all, SIGABRT);
    (void)sigdelset(&all, SIGTRAP);
    (void)sigdelset(&all, SIGSYS);
    wr_stacks_admit(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!rc) {
        rc = pthread_create(&thread->id, &attributes, run, user);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return rc;
}

warren_status wr_thread_start(struct wr_thread *thread, const char *name, size_t stack_bytes,
                              void *(*run)(void *), void *user, warren_error *err)
{
    int rc = create(thread, stack_bytes, run, user);
    if (rc) {
        return wr_fail(err, WARREN_FAILED, "cannot start thread %s: %s", name, strerror(rc));
    }
    thread->started = true;
    (void)pthread_setname_np(thread->id, name);
    return WARREN_OK;
}

void wr_thread_join(struct wr_thread *thread)
{
    if (thread->started) {
        (void)pthread_join(thread->id, NULL);
        thread->started = false;
    }
}

bool wr_thread_join_within(struct wr_thread *thread, int64_t timeout_us)
{
    if (!thread->started) {
        return true;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until); /* the only clock that this join knows */
    int64_t nanos = until.tv_nsec + (timeout_us % 1000000) * 1000;
    until.tv_sec += (time_t)(timeout_us / 1000000 + nanos / 1000000000);
    until.tv_nsec = (long)(nanos % 1000000000);
    if (pthread_timedjoin_np(thread->id, NULL, &until)) {
        return false;
    }
    thread->started = false;
    return true;
}

void wr_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool wr_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, long long timeout_us)
{
    if (timeout_us < 0) {
        (void)pthread_cond_wait(cond, mutex);
        return true;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    long long nanos = until.tv_nsec + (timeout_us % 1000000) * 1000;
    until.tv_sec += (time_t)(timeout_us / 1000000 + nanos / 1000000000);
    until.tv_nsec = (long)(nanos % 1000000000);
    return pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT;
}
