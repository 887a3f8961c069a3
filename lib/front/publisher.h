/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a warren_publisher: an engine publisher, and how many of its messages are
 * unconfirmed. Threads: any, but for making and freeing it.
 */
#ifndef WR_FRONT_PUBLISHER_H
#define WR_FRONT_PUBLISHER_H

#include "engine/publisher.h"
#include "model/settings.h"
#include "warren/publisher.h"

/** Wraps an engine publisher (borrowed, as the settings are). */
warren_status wr_front_publisher_new(warren_publisher **out, struct wr_publisher *publisher,
                                     const struct wr_settings *settings,
                                     const struct wr_clock *clock, warren_error *err);

/** Whoever waits calls `pump` again and again instead of sleeping: for a publisher that has no
 * thread. */
void wr_front_publisher_pump(warren_publisher *publisher, void (*pump)(void *user), void *user);

/** How many messages may be unconfirmed at once. */
size_t wr_front_publisher_window(const warren_publisher *publisher);

/** Frees the wrapping only. NULL is fine. */
void wr_front_publisher_free(warren_publisher *publisher);

#endif
