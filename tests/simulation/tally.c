// SPDX-License-Identifier: MIT
// DESIGN: a table of what a worker says of itself; what isn't in it can't happen here (no other process,
// no queue that a consumer is deaf to).
#include "tally.h"

#include <stddef.h>
#include <stdio.h>

static struct row {
    const char *name;
    size_t offset;
    uint64_t sum;
} rows[] = {
    { "done", offsetof(warren_stats_data, done), 0 },
    { "retried", offsetof(warren_stats_data, retried), 0 },
    { "snoozed", offsetof(warren_stats_data, snoozed), 0 },
    { "discarded", offsetof(warren_stats_data, discarded), 0 },
    { "dead", offsetof(warren_stats_data, dead), 0 },
    { "redelivered", offsetof(warren_stats_data, redelivered), 0 },
    { "given back", offsetof(warren_stats_data, given_back), 0 },
    { "stale", offsetof(warren_stats_data, stale), 0 },
    { "connections", offsetof(warren_stats_data, connections), 0 },
    { "cancels", offsetof(warren_stats_data, cancels), 0 },
    { "channel losses", offsetof(warren_stats_data, channel_losses), 0 },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

void tally_add(const warren *w)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    for (int i = 0; i < ROWS; i++) {
        const void *cell = (const char *)&stats + rows[i].offset;
        rows[i].sum += *(const uint64_t *)cell;
    }
}

void tally_tell(void)
{
    for (int i = 0; i < ROWS; i++) {
        printf("%s%s %llu", i ? ", " : "", rows[i].name, (unsigned long long)rows[i].sum);
    }
    printf("\n");
}

bool tally_is_whole(void)
{
    for (int i = 0; i < ROWS; i++) {
        if (!rows[i].sum) {
            return false;
        }
    }
    return true;
}
