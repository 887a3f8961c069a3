// SPDX-License-Identifier: MIT
// DESIGN: a table of the engine's counters; what isn't in it can't happen here (no other process,
// no queue that a consumer is deaf to).
#include "tally.h"

#include <stddef.h>
#include <stdio.h>

static struct row {
    const char *name;
    size_t offset;
    uint64_t sum;
} rows[] = {
    { "started", offsetof(struct wr_counters, started), 0 },
    { "done", offsetof(struct wr_counters, done), 0 },
    { "retried", offsetof(struct wr_counters, retried), 0 },
    { "snoozed", offsetof(struct wr_counters, snoozed), 0 },
    { "discarded", offsetof(struct wr_counters, discarded), 0 },
    { "dead", offsetof(struct wr_counters, dead), 0 },
    { "redelivered", offsetof(struct wr_counters, redelivered), 0 },
    { "given back", offsetof(struct wr_counters, given_back), 0 },
    { "stale", offsetof(struct wr_counters, stale), 0 },
    { "connections", offsetof(struct wr_counters, connections), 0 },
    { "cancels", offsetof(struct wr_counters, cancels), 0 },
    { "channel losses", offsetof(struct wr_counters, channel_losses), 0 },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

void tally_add(const struct wr_counters *counters)
{
    for (int i = 0; i < ROWS; i++) {
        const void *counter = (const char *)counters + rows[i].offset;
        rows[i].sum += wr_counted(counter);
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
