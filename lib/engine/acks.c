// SPDX-License-Identifier: MIT
// DESIGN: a ring of states by tag. `first` moves over everything that is settled or gone; the last
// settled tag on the way is acknowledged with `multiple`, which covers all before it. That tag is
// always one that the broker still counts as unacknowledged: an unknown tag would close the
// channel.
//
//       first                        next
//         ▼                            ▼
//     … [S][S][G][S] [O][S][O][S][S]        S settled, G gone, O open
//        └─ ack 4, multiple ─┘  └ stragglers: singly, after 50 ms
#include "engine/acks.h"

#include <stdlib.h>

enum state { OPEN = 0, SETTLED, GONE };

static uint8_t *state_of(const struct wr_acks *acks, uint64_t tag)
{
    return &acks->states[tag & (acks->capacity - 1)];
}

warren_status wr_acks_init(struct wr_acks *acks, size_t window)
{
    size_t capacity = 64;
    while (capacity < 2 * window) {
        capacity *= 2;
    }
    *acks = (struct wr_acks){ .capacity = capacity, .first = 1, .next = 1, .window = window };
    acks->states = calloc(capacity, 1);
    return acks->states ? WARREN_OK : WARREN_NO_MEMORY;
}

void wr_acks_done(struct wr_acks *acks)
{
    free(acks->states);
    acks->states = NULL;
}

/* An old delivery that stays open while many later ones come and go stretches the window beyond the
 * prefetch. */
static warren_status grow(struct wr_acks *acks)
{
    struct wr_acks larger = *acks;
    larger.capacity = acks->capacity * 2;
    larger.states = calloc(larger.capacity, 1);
    if (!larger.states) {
        return WARREN_NO_MEMORY;
    }
    for (uint64_t tag = acks->first; tag < acks->next; tag++) {
        *state_of(&larger, tag) = *state_of(acks, tag);
    }
    free(acks->states);
    *acks = larger;
    return WARREN_OK;
}

warren_status wr_acks_deliver(struct wr_acks *acks, uint64_t tag)
{
    if (tag != acks->next) {
        return WARREN_INVALID;
    }
    if (acks->next - acks->first == acks->capacity && grow(acks)) {
        return WARREN_NO_MEMORY;
    }
    *state_of(acks, tag) = OPEN;
    acks->next++;
    acks->open++;
    return WARREN_OK;
}

static bool is_open(const struct wr_acks *acks, uint64_t tag)
{
    return tag >= acks->first && tag < acks->next && *state_of(acks, tag) == OPEN;
}

void wr_acks_settle(struct wr_acks *acks, uint64_t tag, int64_t now_us)
{
    if (!is_open(acks, tag)) {
        return;
    }
    *state_of(acks, tag) = SETTLED;
    if (!acks->settled++) {
        acks->since_us = now_us;
    }
}

void wr_acks_forget(struct wr_acks *acks, uint64_t tag)
{
    if (!is_open(acks, tag)) {
        return;
    }
    *state_of(acks, tag) = GONE;
    acks->open--;
    while (acks->first < acks->next && *state_of(acks, acks->first) == GONE) {
        acks->first++; /* here too, or a flood of rejects alone would make the ring grow */
    }
}

static void send_prefix(struct wr_acks *acks, wr_acks_send *send, void *user)
{
    uint64_t last = 0;
    size_t count = 0;
    while (acks->first < acks->next && *state_of(acks, acks->first) != OPEN) {
        if (*state_of(acks, acks->first) == SETTLED) {
            last = acks->first;
            count++;
        }
        acks->first++;
    }
    if (last) {
        acks->settled -= count;
        acks->open -= count;
        send(user, last, count > 1);
    }
}

static void send_stragglers(struct wr_acks *acks, wr_acks_send *send, void *user)
{
    for (uint64_t tag = acks->first; tag < acks->next && acks->settled; tag++) {
        if (*state_of(acks, tag) == SETTLED) {
            *state_of(acks, tag) = GONE;
            acks->settled--;
            acks->open--;
            send(user, tag, false);
        }
    }
}

void wr_acks_flush(struct wr_acks *acks, int64_t now_us, wr_acks_send *send, void *user)
{
    if (!acks->settled) {
        return;
    }
    send_prefix(acks, send, user);
    bool is_full = wr_acks_open(acks) * 4 >= acks->window * 3;
    if (acks->settled && (is_full || now_us - acks->since_us >= WR_ACKS_STRAGGLER_US)) {
        send_stragglers(acks, send, user);
    }
}

int64_t wr_acks_deadline_us(const struct wr_acks *acks)
{
    return acks->settled ? acks->since_us + WR_ACKS_STRAGGLER_US : INT64_MAX;
}

size_t wr_acks_open(const struct wr_acks *acks)
{
    return acks->open;
}
