/* SPDX-License-Identifier: MIT */
/*
 * What is paused: one entry a queue, or a type of it, with the last word on it. What was paused and is
 * no more has one too, for as long as there is room: an older word that comes late is known by it.
 * Threads: plain data of one owner.
 */
#ifndef WR_ENGINE_PAUSES_H
#define WR_ENGINE_PAUSES_H

#include "base/list.h"
#include "model/order.h"

/** Something that is paused; its link comes first in a wr_list. */
struct wr_paused {
    struct wr_link link;
    struct wr_pause pause;
    uint64_t place; /* where it was last said; the owner's */
};

/** The pause of the same queue and type; NULL: it isn't paused now. */
const struct wr_pause *wr_pauses_find(const struct wr_list *pauses, const struct wr_pause *pause);

/** When the last word on that queue or type was said, Unix time in ms; 0: none is known. */
int64_t wr_pauses_said_ms(const struct wr_list *pauses, const struct wr_pause *pause);

/** Takes up a pause, or its end, said at that place. One that is older than what is known is left
 * alone. At most 1,000 are kept. */
void wr_pauses_note(struct wr_list *pauses, const struct wr_pause *pause, uint64_t place);

void wr_pauses_done(struct wr_list *pauses);

#endif
