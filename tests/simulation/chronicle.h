/* SPDX-License-Identifier: MIT */
/*
 * What happened in a history, line by line: hashed, printed, or neither. Lines of the engine's own
 * log belong to it. Threads: one.
 */
#ifndef TESTS_SIMULATION_CHRONICLE_H
#define TESTS_SIMULATION_CHRONICLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/** Starts anew; lines carry the clock's time. `prints`: to stdout; `hashes`: for chronicle_hash. */
void chronicle_begin(const struct wr_clock *clock, bool prints, bool hashes);

/** A line; formats nothing when nobody wants it. */
void chronicle_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The same for equal histories. */
uint64_t chronicle_hash(void);

/** No more lines. */
void chronicle_end(void);

#endif
