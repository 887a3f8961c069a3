/* SPDX-License-Identifier: MIT */
/*
 * A program: the steps of one history, drawn from a seed. A step carries its own random number, so
 * that a program from which steps were dropped does the rest as before. Threads: plain data.
 */
#ifndef TESTS_SIMULATION_PROGRAM_H
#define TESTS_SIMULATION_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRAM_STEPS_MOST = 160, PROGRAM_SLOTS = 3 };

enum step_kind {
    STEP_PUBLISH, /* the producer, or the worker in the slot, publishes */
    STEP_CONSUME, /* one round of a worker's consumer */
    STEP_RUN,     /* one job of a worker */
    STEP_SEND,    /* one round of a worker's publisher */
    STEP_PRODUCE, /* one round of the producer */
    STEP_ROUNDS,  /* all parts until nothing moves */
    STEP_PASS,    /* time passes, all parts running */
    STEP_STALL,   /* time passes, and nobody does anything */
    STEP_START,   /* a worker in the slot, when it is free */
    STEP_DRAIN,   /* an orderly stop begins */
    STEP_CRASH,   /* a worker ends as by kill -9 */
    STEP_CUT_ALL, /* every connection */
    STEP_CUT_ONE, /* one connection of a worker */
    STEP_CLOSE,   /* one channel of a worker, by the server */
    STEP_CANCEL,  /* the consumers of one queue, by the server */
    STEP_REFUSE,  /* connects are refused, until accepted */
    STEP_ACCEPT,
    STEP_NACK,  /* the next publishes are not taken */
    STEP_DROP,  /* the next publishes are taken, and their connections cut before the confirm */
    STEP_BLOCK, /* the broker takes no publishes, until unblocked */
    STEP_UNBLOCK,
    STEP_KINDS
};

struct step {
    enum step_kind kind;
    int slot;
    int amount; /* ms, or a count */
    uint64_t random;
};

struct program {
    uint64_t seed;
    int scene;
    struct step steps[PROGRAM_STEPS_MOST];
    int length;
};

/** The next number of a sequence (splitmix64); `state` is changed. */
uint64_t draw(uint64_t *state);

/** A number that follows from both. */
uint64_t mix(uint64_t a, uint64_t b);

/** From 0 to `limit` - 1, taken off `random`, which is changed. */
int pick(uint64_t *random, int limit);

void program_make(struct program *program, uint64_t seed);

/** The queue at the broker that a step is about. */
const char *step_queue(const struct step *step);

/** One step as a line without its end. */
void step_write(const struct step *step, char *out, size_t size);

#endif
