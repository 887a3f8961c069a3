// SPDX-License-Identifier: MIT
// DESIGN: one thread a dial, which lives as long as the opening takes. Its owner polls a descriptor
// and does its other work meanwhile: publishes meet their deadlines and a stop is quick, even while
// a name server is silent or a host swallows packets. A dial that nobody wants any more is cut; if
// it hangs in a call that can't be cut (a name lookup), it frees itself at its end.
#include "engine/dial.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include "engine/backoff.h"

struct wr_dial {
    struct wr_dial_options options;
    struct wr_thread thread;
    int fd; /* an eventfd */
    pthread_mutex_t lock;
    /* Under lock. */
    bool has_ended;
    bool is_unwanted; /* its owner has left */
    struct wr_broker *broker;
    warren_status status;
    warren_error error;
};

warren_status wr_dial_now(struct wr_broker **out, const struct wr_dial_options *options,
                          warren_error *err)
{
    struct wr_broker *broker = NULL;
    warren_status rc = wr_broker_open(&broker, &options->broker, err);
    if (!rc && options->ready) {
        rc = options->ready(options->user, broker, err);
    }
    if (options->broker.watch) {
        wr_watch_end(options->broker.watch);
    }
    if (rc) {
        wr_broker_close(broker);
        return rc;
    }
    *out = broker;
    return WARREN_OK;
}

static void free_dial(struct wr_dial *dial)
{
    wr_broker_close(dial->broker);
    (void)close(dial->fd);
    (void)pthread_mutex_destroy(&dial->lock);
    free(dial);
}

static void *run(void *user)
{
    struct wr_dial *dial = user;
    struct wr_broker *broker = NULL;
    warren_error error = { .status = WARREN_OK };
    warren_status status = wr_dial_now(&broker, &dial->options, &error);
    bool is_unwanted;
    {
        WR_SCOPED_LOCK(&dial->lock);
        dial->has_ended = true;
        dial->broker = broker;
        dial->status = status;
        dial->error = error;
        is_unwanted = dial->is_unwanted;
        uint64_t one = 1;
        ssize_t written = write(dial->fd, &one, sizeof one); /* the only one: it can't be full */
        (void)written;
    }
    if (is_unwanted) {
        free_dial(dial);
    }
    return NULL;
}

warren_status wr_dial_start(struct wr_dial **out, const struct wr_dial_options *options,
                            warren_error *err)
{
    struct wr_dial *dial = calloc(1, sizeof *dial);
    if (!dial) {
        return wr_no_memory(err);
    }
    dial->options = *options;
    dial->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&dial->lock, NULL);
    warren_status rc =
        dial->fd < 0 ? wr_fail(err, WARREN_FAILED, "cannot make an eventfd: %m")
                     : wr_thread_start(&dial->thread, "warren-dial", WR_STACK_IO, run, dial, err);
    if (rc) {
        free_dial(dial);
        return rc;
    }
    *out = dial;
    return WARREN_OK;
}

int wr_dial_fd(const struct wr_dial *dial)
{
    return dial->fd;
}

static bool has_ended(struct wr_dial *dial)
{
    WR_SCOPED_LOCK(&dial->lock);
    return dial->has_ended;
}

bool wr_dial_take(struct wr_dial *dial, struct wr_broker **out, warren_status *status,
                  warren_error *err)
{
    if (!has_ended(dial)) {
        return false;
    }
    wr_thread_join(&dial->thread);
    *out = TAKE(dial->broker);
    *status = dial->status;
    if (dial->status && err) {
        *err = dial->error;
    }
    free_dial(dial);
    return true;
}

/* Polls for the dial's end and, unless it is -1, for another descriptor; true: the dial's end. */
static bool wait_for_end(const struct wr_dial *dial, int other_fd, int64_t timeout_us)
{
    int64_t timeout_ms = timeout_us <= 0 ? 0 : (timeout_us + 999) / 1000;
    struct pollfd fds[2] = { { .fd = dial->fd, .events = POLLIN },
                             { .fd = other_fd, .events = POLLIN } };
    (void)poll(fds, 2, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms);
    return fds[0].revents != 0;
}

bool wr_dial_give_up(struct wr_dial *dial, int64_t grace_us)
{
    if (dial->options.broker.watch) {
        wr_watch_cut(dial->options.broker.watch);
    }
    bool has_gone = wait_for_end(dial, -1, grace_us);
    pthread_t thread = dial->thread.id;
    {
        WR_SCOPED_LOCK(&dial->lock);
        dial->is_unwanted = !dial->has_ended;
        has_gone = dial->has_ended;
    }
    if (!has_gone) {
        (void)pthread_detach(thread);
        return false;
    }
    wr_thread_join(&dial->thread);
    free_dial(dial);
    return true;
}

/* One try; STATE: `cancel_fd` became readable. */
static warren_status try_once(struct wr_broker **out, const struct wr_dial_options *options,
                              int cancel_fd, bool *out_is_free, warren_error *err)
{
    enum { GRACE_US = 500000, LOOK_US = 60000000 };
    struct wr_dial *dial = NULL;
    warren_status rc = wr_dial_start(&dial, options, err);
    if (rc) {
        return rc;
    }
    for (;;) {
        bool has_end = wait_for_end(dial, cancel_fd, LOOK_US);
        if (has_end && wr_dial_take(dial, out, &rc, err)) {
            return rc;
        }
        struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };
        if (poll(&cancel, 1, 0) == 1) {
            *out_is_free = wr_dial_give_up(dial, GRACE_US);
            return WARREN_STATE;
        }
    }
}

static bool is_worth_another_try(warren_status rc)
{
    return rc == WARREN_UNREACHABLE || rc == WARREN_CLOSED || rc == WARREN_TIMEOUT;
}

warren_status wr_dial_until(struct wr_broker **out, const struct wr_dial_options *options,
                            int64_t until_us, int cancel_fd, bool *out_is_free, warren_error *err)
{
    enum { LONGEST_US = 5000000 };
    *out_is_free = true;
    for (int failures = 0;; failures++) {
        warren_error failure = { .status = WARREN_OK };
        warren_status rc = try_once(out, options, cancel_fd, out_is_free, &failure);
        int64_t left_us = until_us - wr_clock_mono_us(NULL);
        if (!is_worth_another_try(rc) || left_us <= 0) {
            return rc && failure.status ? wr_fail(err, rc, "%s", failure.text) : rc;
        }
        int64_t wait_us = wr_backoff_us(failures, rc);
        wait_us = wait_us < LONGEST_US ? wait_us : LONGEST_US;
        wait_us = wait_us < left_us ? wait_us : left_us; /* the last try is at the very end */
        char why[512];
        wr_log(WR_WARN, "connect.failed", "next_try_ms=%lld error=%s",
               (long long)(wait_us / WR_US_PER_MS), wr_log_quote(why, sizeof why, failure.text));
        struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };
        if (poll(&cancel, 1, (int)(wait_us / 1000) + 1) == 1) {
            return WARREN_STATE;
        }
    }
}
