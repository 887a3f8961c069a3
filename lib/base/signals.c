// SPDX-License-Identifier: MIT
// DESIGN: no handler functions and so no async-signal-safety to think of: a signal is a number that
// is read where the program waits anyway. There are two descriptors, since a start that waits for its
// broker is to be left at a SIGTERM, while what else was asked for can wait until it runs.
#include "base/signals.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"

static const int ending[] = { SIGTERM, SIGINT };
static const int asking[] = { SIGHUP, SIGTSTP, SIGCONT, SIGUSR1 };

enum { ENDING = sizeof ending / sizeof ending[0], ASKING = sizeof asking / sizeof asking[0] };

static int open_fd(const int *numbers, size_t count)
{
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    for (size_t i = 0; i < count; i++) {
        (void)sigaddset(&wanted, numbers[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    return signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* As nohup leaves it. */
static bool is_ignored(int number)
{
    struct sigaction now;
    return !sigaction(number, NULL, &now) && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == SIG_IGN;
}

warren_status wr_signals_open(struct wr_signals *signals, warren_error *err)
{
    signals->outlives_terminal = is_ignored(SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &signals->before);
    signals->end_fd = open_fd(ending, ENDING);
    signals->ask_fd = signals->end_fd < 0 ? -1 : open_fd(asking, ASKING);
    if (signals->ask_fd < 0) {
        int saved_errno = errno;
        if (signals->end_fd >= 0) {
            (void)close(signals->end_fd);
        }
        (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
        return wr_fail(err, WARREN_FAILED, "cannot make a signalfd: %s", strerror(saved_errno));
    }
    return WARREN_OK;
}

static bool take(int fd, struct signalfd_siginfo *out)
{
    return read(fd, out, sizeof *out) == (ssize_t)sizeof *out;
}

static int meaning_of(const struct wr_signals *signals, const struct signalfd_siginfo *info)
{
    if (info->ssi_signo == SIGHUP && info->ssi_code == SI_KERNEL) {
        return signals->outlives_terminal ? 0 : SIGTERM;
    }
    return (int)info->ssi_signo;
}

int wr_signals_wait(const struct wr_signals *signals, int64_t timeout_us)
{
    struct pollfd fds[] = { { .fd = signals->end_fd, .events = POLLIN },
                            { .fd = signals->ask_fd, .events = POLLIN } };
    int64_t timeout_ms = timeout_us < 0 ? -1 : (timeout_us + 999) / 1000;
    (void)poll(fds, 2, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms);
    struct signalfd_siginfo info;
    bool is_there = take(signals->end_fd, &info) || take(signals->ask_fd, &info);
    return is_there ? meaning_of(signals, &info) : 0;
}

void wr_signals_take_end(const struct wr_signals *signals)
{
    struct signalfd_siginfo info;
    (void)take(signals->end_fd, &info);
}

bool wr_signal_ends(int number)
{
    return number == SIGTERM || number == SIGINT;
}

/* What nobody came to read would end the process once it is let in. */
void wr_signals_close(struct wr_signals *signals)
{
    struct signalfd_siginfo info;
    while (take(signals->ask_fd, &info)) {
    }
    (void)close(signals->end_fd);
    (void)close(signals->ask_fd);
    (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}
