/* SPDX-License-Identifier: MIT */
/*
 * All workers of a namespace, as their news tell: what each does, and what that is together, by queue
 * and by job type. Rates are between a worker's last two news. Threads: one.
 */
#ifndef FLEET_H
#define FLEET_H

#include "news.h"

enum { FLEET_HISTORY = 60 };

struct fleet_worker {
    struct news now;
    struct news before; /* its tree is NULL before the second one */
    int64_t heard_ms;   /* on our clock */
};

/** What a queue, or a job type, amounts to. */
struct fleet_row {
    char queue[256];
    char type[256]; /* "" of a queue */
    int workers;
    int64_t running;
    int64_t concurrency;
    int64_t in_flight;
    double done_rate; /* a second, as those that follow */
    double retry_rate;
    double dead_rate;
    int64_t done;        /* since the starts of those workers */
    int64_t wait_p50_us; /* of the worker where it is longest */
    int64_t wait_p95_us;
    int64_t oldest_ms; /* 0: none runs */
    int64_t ready;     /* messages that wait at the broker; -1: not known */
    int64_t dead;      /* dead letters there; -1: not known */
    bool is_paused;
    double history[FLEET_HISTORY]; /* of done_rate, the newest last */
};

struct fleet_rows {
    struct fleet_row *items;
    size_t length;
};

struct fleet {
    struct fleet_worker *workers;
    size_t worker_count;
    struct fleet_rows queues;
    struct fleet_rows types;
};

/** Takes up what a worker tells. */
void fleet_hear(struct fleet *fleet, const char *json, int64_t now_ms);

/** Forgets workers that were silent for a minute, and adds everything up anew. */
void fleet_sum(struct fleet *fleet, int64_t now_ms);

/** Moves the histories on by one; every second. */
void fleet_tick(struct fleet *fleet);

/** Whether nothing was heard of it for three heartbeats. */
bool fleet_is_silent(const struct fleet_worker *worker, int64_t now_ms);

/** Jobs that a worker did a second, of late. */
double fleet_worker_rate(const struct fleet_worker *worker);

/** Notes what waits in a queue at the broker: ready jobs, or dead letters. */
void fleet_note_depth(struct fleet *fleet, const char *queue, bool is_dead, int64_t messages);

void fleet_done(struct fleet *fleet);

#endif
