/* SPDX-License-Identifier: MIT */
/*
 * The news of a worker: what it does, as one JSON object for the control plane. Threads: one; the
 * worker may be in any state between start and close.
 */
#ifndef WR_FRONT_NEWS_H
#define WR_FRONT_NEWS_H

#include "front/worker.h"

/** What was told before, so that times are those of the while in between. Zero-initialised. */
struct wr_news {
    struct wr_histogram_sum *waits; /* by row of the view; owned */
    size_t count;
    const struct wr_settings *settings; /* of which the hash is */
    uint64_t hash;
};

/** Appends the object. `pauses` is what is paused (engine/pauses.h). */
void wr_news_write(struct wr_news *news, warren *w, const char *id, const struct wr_list *pauses,
                   struct wr_text *out);

void wr_news_done(struct wr_news *news);

#endif
