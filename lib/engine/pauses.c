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
    return found ? &found->pause : NULL;
}

static void drop(struct wr_list *pauses, struct wr_paused *gone)
{
    struct wr_list kept = { 0 };
    for (struct wr_link *link; (link = wr_list_take(pauses));) {
        if (link != &gone->link) {
            wr_list_push(&kept, link);
        }
    }
    *pauses = kept;
    free(gone);
}

void wr_pauses_note(struct wr_list *pauses, const struct wr_pause *pause)
{
    struct wr_paused *found = find(pauses, pause);
    if (found && !pause->is_paused) {
        drop(pauses, found);
    } else if (found) {
        found->pause = *pause;
    } else if (pause->is_paused && pauses->length < PAUSES_MOST) {
        struct wr_paused *made = malloc(sizeof *made);
        if (made) {
            made->pause = *pause;
            wr_list_push(pauses, &made->link);
        }
    }
}

void wr_pauses_done(struct wr_list *pauses)
{
    for (struct wr_link *link; (link = wr_list_take(pauses));) {
        free(WR_OF(link, struct wr_paused, link));
    }
}
