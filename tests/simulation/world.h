/* SPDX-License-Identifier: MIT */
/*
 * The world of one history: a memory broker, a virtual clock, a producer, and up to three workers
 * of the real engine without threads, all in the hands of a program. Handlers may let the program
 * go on while they run, so that several of them run at once and anything may happen meanwhile.
 * Threads: one.
 */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "front/worker.h"
#include "ledger.h"
#include "program.h"

enum { WORLD_DEPTH_MOST = 3 };

enum slot_mode { SLOT_FREE, SLOT_UP, SLOT_DRAINS, SLOT_CRASHED };

struct world;

/** A place for a worker. */
struct slot {
    struct world *world;
    warren *worker;
    enum slot_mode mode;
    int number; /* of the worker in it: each has its own */
    int64_t due_us;
    int64_t patience_us; /* a drain that takes longer is ended */
    int unanswered;      /* publishes of the program through this worker */
    int running[SCENE_TYPES];
};

struct world {
    const struct program *program;
    int cursor; /* the next step */
    int depth;  /* handlers on the stack */
    struct wr_clock clock;
    struct wr_memory *server;
    struct ledger ledger;
    struct slot slots[PROGRAM_SLOTS];
    int workers_made;
    bool refuses;
    int unanswered; /* publishes of the program, by anybody */
    /* The producer: a publisher without a worker. */
    struct wr_settings *settings;
    struct wr_publisher *producer;
    struct wr_watch watch; /* over it */
    struct warren_publisher *front;
    int64_t producer_due_us;
};

/** Plays a program to its end. Returns what was wrong, "" for nothing; valid until the next one. */
const char *world_play(struct world *world, const struct program *program);

/** One step of the program, when there is one left. */
void world_step(struct world *world);

/** Lets all parts move until none has anything to do. */
void world_settle(struct world *world);

/** Lets time pass, all parts running. */
void world_pass(struct world *world, int64_t by_ms);

#endif
