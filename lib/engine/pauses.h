/* SPDX-License-Identifier: MIT */
/*
 * What is paused: one entry a queue, or a type of it. What is not paused is not in it.
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
};

/** The pause of the same queue and type; NULL: it isn't paused. */
const struct wr_pause *wr_pauses_find(const struct wr_list *pauses, const struct wr_pause *pause);

/** Takes up a pause, or its end. At most 1,000 are kept. */
void wr_pauses_note(struct wr_list *pauses, const struct wr_pause *pause);

void wr_pauses_done(struct wr_list *pauses);

#endif
