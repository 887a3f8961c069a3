/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told of a worker (sd_notify(3)), while warren_run runs and the environment
 * has a NOTIFY_SOCKET: READY=1 when jobs are taken, RELOADING=1 around a reload, STOPPING=1 when the
 * drain begins, WATCHDOG=1 as long as /livez would say that it is alive, and in STATUS= what it is at.
 *
 * Threads: the main thread's.
 */
#ifndef WR_FRONT_SERVICE_H
#define WR_FRONT_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "io/notify.h"

struct wr_clock;
struct wr_view;

struct wr_service_options {
    const char *address; /* of the manager's socket; NULL: nobody wants to know */
    int64_t watchdog_us; /* after so long without WATCHDOG=1 it takes us for dead; 0: it doesn't */
    int64_t start_most_ms; /* how long a start may take, and an end: the manager waits as long */
    const struct wr_clock *clock;
    /** Fills a view, which the caller ends with wr_view_done. */
    void (*look)(void *user, struct wr_view *out);
    void *user;
};

struct wr_service {
    struct wr_service_options options;
    struct wr_notify notify;
    bool is_open;
    bool is_ready;       /* READY=1 was sent, and STOPPING=1 was not */
    bool is_stopping;    /* STOPPING=1 was sent */
    bool is_unreachable; /* the last send failed, and the log has that */
    bool is_unwell;      /* the log has that WATCHDOG=1 isn't sent */
    int64_t look_us;     /* when to look next */
    struct wr_text told; /* the last status */
};

/** Opens the way to the manager, tells it that the worker starts, and asks for the time that this may
 * take. Without an address everything here does nothing. */
void wr_service_open(struct wr_service *service, const struct wr_service_options *options);

/** It takes jobs. */
void wr_service_ready(struct wr_service *service);

/** A reload begins, and has ended. In a drain that isn't told. */
void wr_service_reloading(struct wr_service *service);
void wr_service_reloaded(struct wr_service *service);

/** A drain begins that may take so long. */
void wr_service_stopping(struct wr_service *service, int64_t most_ms);

/** Tells what has to be told now. Gives how long to wait until the next time, in microseconds; < 0: for
 * ever. */
int64_t wr_service_tick(struct wr_service *service);

/** It ends, drained or not. */
void wr_service_close(struct wr_service *service);

/** Writes what the worker is at as one line for people. */
void wr_service_describe(struct wr_text *out, const struct wr_view *view);

#endif
