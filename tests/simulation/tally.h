/* SPDX-License-Identifier: MIT */
/*
 * What all histories together have seen of the engine: that nothing failed means little where
 * nothing happened. Threads: one.
 */
#ifndef TESTS_SIMULATION_TALLY_H
#define TESTS_SIMULATION_TALLY_H

#include <stdbool.h>

#include "warren/worker.h"

/** Adds what a worker counted. */
void tally_add(const warren *w);

/** Prints all sums in one line. */
void tally_tell(void);

/** Whether each thing happened at least once. */
bool tally_is_whole(void);

#endif
