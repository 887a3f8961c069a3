// SPDX-License-Identifier: MIT
// DESIGN: a list, since few things are ever paused at once.
#include "engine/pauses.h"

#include <stdlib.h>

enum { PAUSES_MOST = 1000 };

static struct wr_paused *find(const struct wr_list *pauses, const struct wr_pause *pause)
{
    for (struct wr_link *link = pauses->first; link; link = link->next) {
        struct wr_paused *at = WR_OF(link, struct wr_paused, link);
        if (strcmp(at->pause.queue, pause->queue) == 0 &&
            strcmp(at->pause.type, pause->type) == 0) {
            return at;
        }
    }
    return NULL;
}

const struct wr_pause *wr_pauses_find(const struct wr_list *pauses, const struct wr_pause *pause)
{
    const struct wr_paused *found = find(pauses, pause);
    return found && found->pause.is_paused ? &found->pause : NULL;
}

int64_t wr_pauses_said_ms(const struct wr_list *pauses, const struct wr_pause *pause)
{
    const struct wr_paused *found = find(pauses, pause);
    return found ? found->pause.wish.at_ms : 0;
}

/* Makes room by forgetting one that is over; false when all are needed. */
static bool make_room(struct wr_list *pauses)
{
    struct wr_list kept = { 0 };
    struct wr_paused *gone = NULL;
    for (struct wr_link *link; (link = wr_list_take(pauses));) {
        struct wr_paused *at = WR_OF(link, struct wr_paused, link);
        if (!gone && !at->pause.is_paused) {
            gone = at;
        } else {
            wr_list_push(&kept, link);
        }
    }
    *pauses = kept;
    bool has_room = gone != NULL;
    free(gone);
    return has_room;
}

void wr_pauses_note(struct wr_list *pauses, const struct wr_pause *pause, uint64_t place)
{
    struct wr_paused *entry = find(pauses, pause);
    if (entry && entry->pause.wish.at_ms > pause->wish.at_ms) {
        return;
    }
    if (!entry && (pauses->length < PAUSES_MOST || make_room(pauses))) {
        entry = malloc(sizeof *entry);
        if (entry) {
            *entry = (struct wr_paused){ .place = place };
            wr_list_push(pauses, &entry->link);
        }
    }
    if (entry) {
        entry->pause = *pause;
        entry->place = place;
    }
}

void wr_pauses_done(struct wr_list *pauses)
{
    for (struct wr_link *link; (link = wr_list_take(pauses));) {
        free(WR_OF(link, struct wr_paused, link));
    }
}
