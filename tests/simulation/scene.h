/* SPDX-License-Identifier: MIT */
/*
 * What histories play on: queues, job types and their policies, said once as data. The text of a
 * configuration follows from it, and so does what the engine should do, by arithmetic of its own
 * (nothing here comes from lib/model). Times in ms of virtual time. Threads: any, all is constant.
 */
#ifndef TESTS_SIMULATION_SCENE_H
#define TESTS_SIMULATION_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCENES = 8,        /* variants of the same two queues */
    SCENE_TYPES = 4,   /* those that have a handler */
    SCENE_NOBODY = 4,  /* a type that no queue is bound to */
    SCENE_BACKOFFS = 4 /* what a message may say itself; 0: nothing */
};

#define SCENE_DELAY_MOST_MS 4000
#define SCENE_PUBLISH_TIMEOUT_MS 5000

/** When a failed job runs again. */
struct scene_policy {
    char kind;    /* 'e'xponential, 'f'ixed, 'l'ist */
    int attempts; /* in all */
    int64_t first_ms;
    int64_t factor;
    int64_t max_ms;
    int64_t list_ms[2];
    int jitter_percent;
};

struct scene_type {
    const char *name;
    const char *queue; /* as configured */
    const char *home;  /* the queue at the broker */
    int concurrency;
    bool isolate;
    struct scene_policy policy;
};

/** The i-th type; SCENE_NOBODY has a name and nothing else. */
const struct scene_type *scene_type(int index);

/** The type of that name; -1: none. */
int scene_type_of(const char *name);

/** The words of a message's own backoff; NULL for 0. */
const char *scene_backoff(int index);

/** The policy of a message of that type, with what it says itself (0: nothing). */
struct scene_policy scene_policy(int type, int own_attempts, int own_backoff);

/** The shortest and longest wait after the failure of run `attempt` (from 1 on), as the ladder
 * can hold it. */
void scene_wait(const struct scene_policy *policy, int attempt, int64_t *out_least_ms,
                int64_t *out_most_ms);

/** A wait that a handler asks for, as the ladder can hold it. */
int64_t scene_round_up(int64_t delay_ms);

/** How many jobs of types that aren't isolated may run at once in a worker of that scene. */
int scene_shared_limit(int scene);

/** Writes the configuration of a scene. */
void scene_write(int scene, char *out, size_t size);

#endif
