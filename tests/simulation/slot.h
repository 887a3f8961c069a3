/* SPDX-License-Identifier: MIT */
/* A worker in its slot: its life, its handlers, its steps. Threads: one. */
#ifndef TESTS_SIMULATION_SLOT_H
#define TESTS_SIMULATION_SLOT_H

#include "world.h"

/** Starts a worker in a free slot. */
void slot_start(struct slot *slot);

/** Begins an orderly stop. */
void slot_drain(struct slot *slot);

/** It ends as by kill -9: its connections are gone, and nothing of it moves any more. */
void slot_crash(struct slot *slot);

/** Frees what has ended; never while a handler is on the stack. */
void slot_reap(struct slot *slot);

/** Whether its parts move. */
bool slot_moves(const struct slot *slot);

void slot_consume(struct slot *slot);
bool slot_run(struct slot *slot);
void slot_send(struct slot *slot);

/** Whether consumer or publisher have something to do now. */
bool slot_has_work(const struct slot *slot);

/** Whether nothing is in it that a moving worker would still have to end. */
bool slot_is_idle(const struct slot *slot);

#endif
