/* SPDX-License-Identifier: MIT */
/*
 * Counts letters by their groups, in bounded memory: so many groups at most, the first that come.
 *
 * Threads: plain data. Ownership: a grouping owns its groups and their strings.
 */
#ifndef WR_MODEL_GROUPING_H
#define WR_MODEL_GROUPING_H

#include "warren/dead.h"

struct wr_grouping {
    size_t most;            /* groups; set before the first letter */
    struct wr_group *slots; /* open addressing, a power of two */
    size_t capacity;
    size_t length;
    uint64_t beyond; /* letters that found no room */
};

/** Counts a letter. NO_MEMORY is its only error. */
warren_status wr_grouping_add(struct wr_grouping *grouping, const warren_dead_letter *letter);

/** Shows all groups, the largest first, `queue` in each of them; the grouping takes no letters
 * afterwards. NO_MEMORY is its only error. */
warren_status wr_grouping_each(struct wr_grouping *grouping, const char *queue,
                               warren_dead_group_visitor *visit, void *user);

/** Frees; a zeroed one is fine. */
void wr_grouping_done(struct wr_grouping *grouping);

#endif
