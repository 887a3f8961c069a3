// SPDX-License-Identifier: MIT
// DESIGN: no handler functions and so no async-signal-safety to think of: a signal is a number that
// is read where the program waits anyway.
#include "base/signals.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"

warren_status wr_signals_open(struct wr_signals *signals, warren_error *err)
{
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &wanted, &signals->before);
    signals->fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0) {
        (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
        return wr_fail(err, WARREN_FAILED, "cannot make a signalfd: %s", strerror(errno));
    }
    return WARREN_OK;
}

int wr_signals_wait(const struct wr_signals *signals, int64_t timeout_us)
{
    struct pollfd fd = { .fd = signals->fd, .events = POLLIN };
    int64_t timeout_ms = timeout_us < 0 ? -1 : (timeout_us + 999) / 1000;
    (void)poll(&fd, 1, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms);
    struct signalfd_siginfo info;
    return read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void wr_signals_close(struct wr_signals *signals)
{
    (void)close(signals->fd);
    (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}
