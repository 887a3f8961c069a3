/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: a thread that looks at watches, four times a second, and cuts whatever is stuck in
 * a library's call.
 *
 * Threads: new and free by the owner of what is watched.
 */
#ifndef WR_ENGINE_WATCHDOG_H
#define WR_ENGINE_WATCHDOG_H

#include <stddef.h>

#include "base/watch.h"
#include "warren/error.h"

#define WR_WATCHES_MOST 4

struct wr_watchdog;

/** Starts it over these watches, which are borrowed until it is freed. At most WR_WATCHES_MOST. */
warren_status wr_watchdog_new(struct wr_watchdog **out, struct wr_watch *const *watches,
                              size_t count, warren_error *err);

/** Ends its thread. NULL is fine. */
void wr_watchdog_free(struct wr_watchdog *dog);

#endif
