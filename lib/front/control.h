/* SPDX-License-Identifier: MIT */
/*
 * What a worker does at the control plane's word. Threads: start and stop by the worker's owner; all
 * else by the control's thread.
 */
#ifndef WR_FRONT_CONTROL_H
#define WR_FRONT_CONTROL_H

#include "front/worker.h"

struct wr_front_control;

/** Starts it, if the configuration wants one, and waits for a moment until it knows what is paused.
 * `*out` is NULL without one. */
warren_status wr_front_control_start(struct wr_front_control **out, warren *w, warren_error *err);

/** Looks again at what is paused, and tells soon what the worker does. Any thread; NULL is fine. */
void wr_front_control_poke(struct wr_front_control *control);

/** False: something of it hangs, and what it uses must stay. NULL is fine. */
bool wr_front_control_stop(struct wr_front_control *control);

#endif
