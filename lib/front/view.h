/* SPDX-License-Identifier: MIT */
/*
 * The view of a worker for its pages: everything that it counts, of one moment. Threads: any, between
 * start and close.
 */
#ifndef WR_FRONT_VIEW_H
#define WR_FRONT_VIEW_H

#include "front/worker.h"

/** Fills `out`, which the caller ends with wr_view_done. Without memory the rows of queues and types are
 * missing. `user` is the `warren`. */
void wr_view_look(void *user, struct wr_view *out);

#endif
