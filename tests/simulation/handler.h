/* SPDX-License-Identifier: MIT */
/*
 * What handlers do: publish messages of their own, let the program go on meanwhile, and give some
 * verdict, all of it drawn from the job's copy and how often it ran. Threads: one.
 */
#ifndef TESTS_SIMULATION_HANDLER_H
#define TESTS_SIMULATION_HANDLER_H

#include "slot.h"

/** The handler of every type; `user` is the slot. */
warren_verdict handler_run(warren_job *job, void *user);

/** A publish of the program: by the producer, or by the worker in a slot. */
void handler_publish(struct world *world, const struct step *step);

#endif
