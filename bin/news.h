/* SPDX-License-Identifier: MIT */
/*
 * What a worker tells of itself, read from its JSON. Threads: one.
 */
#ifndef NEWS_H
#define NEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct news_queue {
    const char *queue;
    int64_t in_flight;
    int64_t prefetch;
    int64_t deliveries; /* since the worker's start */
    int64_t dead;
    bool is_consumed;
    bool is_paused;
};

struct news_type {
    const char *queue;
    const char *type;
    int64_t running;
    int64_t concurrency;
    int64_t done; /* since the worker's start, as all that follow */
    int64_t retried;
    int64_t dead;
    int64_t oldest_ms;   /* when its oldest running job began; 0: none */
    int64_t wait_p50_us; /* of the last while */
    int64_t wait_p95_us;
    bool is_paused;
};

/** A job that runs. */
struct news_job {
    const char *queue;
    const char *type;
    const char *id;
    int64_t since_ms; /* Unix time */
};

struct news {
    const char *worker;
    const char *host;
    const char *version;
    const char *config;
    const char *state; /* "running", "quiet", "draining" */
    int64_t started_ms;
    int64_t at_ms;
    int64_t heartbeat_ms;
    int64_t threads;
    int64_t busy;
    bool is_ready;
    struct news_queue *queues;
    size_t queue_count;
    struct news_type *types;
    size_t type_count;
    struct news_job *jobs; /* those that run longest */
    size_t job_count;
    void *tree; /* what its strings belong to */
};

/** Reads it; false when it is none, or without memory. Done with news_done. */
bool news_read(const char *json, struct news *out);

void news_done(struct news *news);

#endif
