/* SPDX-License-Identifier: MIT */
/*
 * A thread that starts jobs which another one takes: the least that a program pays whose handlers are
 * not to hold up its connection. Threads: hand_pass and hand_join from the one that takes.
 */
#ifndef TESTS_BENCH_HAND_H
#define TESTS_BENCH_HAND_H

#include "side.h"

struct hand;

/** Starts the thread; it notes the starts in `gauge`. Freed by hand_join. */
struct hand *hand_start(struct side_gauge *gauge);

/** Hands over a job; copies what is needed of `body`. */
void hand_pass(struct hand *hand, const void *body);

/** Returns when the last job of the gauge has started. */
void hand_join(struct hand *hand);

#endif
