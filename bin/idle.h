/* SPDX-License-Identifier: MIT */
/*
 * Ends a worker that has had nothing to do for a while: for one that somebody starts when there is work,
 * such as a Job of Kubernetes.
 *
 * Threads: one of its own between start and stop.
 */
#ifndef IDLE_H
#define IDLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "warren/worker.h"

/** Members are the watch's own. */
struct idle_watch {
    const warren *w;
    int64_t patience_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool is_stopping; /* under lock */
    bool is_running;  /* set before start and after stop */
};

/** Watches a worker that is about to run, and sends SIGTERM to this process when it was ready and had no
 * job in hand for `patience_ms`. False without a thread. */
bool idle_watch_start(struct idle_watch *watch, const warren *w, int64_t patience_ms);

/** Ends the watch. Before the worker is closed; fine for one that was not started. */
void idle_watch_stop(struct idle_watch *watch);

#endif
