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
//
// An acknowledgement is a frame, a system call and work for the broker. So they are gathered: until
// what is settled is a quarter of the window, or for 0.5 to 1 ms since the last one. After a lull
// the first one goes at once. While the window is full the broker sends nothing more, so what is
// settled behind an open one is gathered no longer than the rest.
#include "engine/acks.h"

#include <stdlib.h>

#include "engine/pace.h"

enum state { OPEN = 0, SETTLED, GONE };

static uint8_t *state_of(const struct wr_acks *acks, uint64_t tag)
{
    return &acks->states[tag & (acks->capacity - 1)];
}

static int64_t *settled_us_of(const struct wr_acks *acks, uint64_t tag)
{
    return &acks->settled_us[tag & (acks->capacity - 1)];
}

static warren_status make_ring(struct wr_acks *acks, size_t capacity)
{
    acks->capacity = capacity;
    acks->states = calloc(capacity, 1);
    acks->settled_us = calloc(capacity, sizeof *acks->settled_us);
    if (!acks->states || !acks->settled_us) {
        wr_acks_done(acks);
        return WARREN_NO_MEMORY;
    }
    return WARREN_OK;
}

warren_status wr_acks_init(struct wr_acks *acks, size_t window, int64_t gather_us)
{
    size_t capacity = 64;
    while (capacity < 2 * window) {
        capacity *= 2;
    }
    *acks = (struct wr_acks){
        .first = 1, .next = 1, .window = window, .gather_us = gather_us, .due_us = INT64_MIN / 2
    };
    return make_ring(acks, capacity);
}

void wr_acks_done(struct wr_acks *acks)
{
    free(acks->states);
    free(acks->settled_us);
    acks->states = NULL;
    acks->settled_us = NULL;
}

/* An old delivery that stays open while many later ones come and go stretches the window beyond the
 * prefetch. */
static warren_status grow(struct wr_acks *acks)
{
    struct wr_acks larger = *acks;
    if (make_ring(&larger, acks->capacity * 2)) {
        return WARREN_NO_MEMORY;
    }
    for (uint64_t tag = acks->first; tag < acks->next; tag++) {
        *state_of(&larger, tag) = *state_of(acks, tag);
        *settled_us_of(&larger, tag) = *settled_us_of(acks, tag);
    }
    wr_acks_done(acks);
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
    *settled_us_of(acks, tag) = now_us;
    if (!acks->settled++) {
        acks->since_us = now_us;
    }
}

bool wr_acks_forget(struct wr_acks *acks, uint64_t tag)
{
    if (!is_open(acks, tag)) {
        return false;
    }
    *state_of(acks, tag) = GONE;
    acks->open--;
    while (acks->first < acks->next && *state_of(acks, acks->first) == GONE) {
        acks->first++; /* here too, or a flood of rejects alone would make the ring grow */
    }
    return true;
}

uint64_t wr_acks_abandon(struct wr_acks *acks)
{
    uint64_t last = acks->next - 1;
    while (last >= acks->first && *state_of(acks, last) == GONE) {
        last--;
    }
    bool has_any = last >= acks->first;
    acks->first = acks->next;
    acks->open = 0;
    acks->settled = 0;
    return has_any ? last : 0;
}

/* Since when the oldest of those is settled that the prefix left behind. */
static void note_oldest(struct wr_acks *acks)
{
    acks->since_us = INT64_MAX;
    size_t left = acks->settled;
    for (uint64_t tag = acks->first; left && tag < acks->next; tag++) {
        if (*state_of(acks, tag) == SETTLED) {
            int64_t settled_us = *settled_us_of(acks, tag);
            acks->since_us = settled_us < acks->since_us ? settled_us : acks->since_us;
            left--;
        }
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
        note_oldest(acks);
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

static bool are_many(const struct wr_acks *acks)
{
    return acks->settled * 4 >= acks->window;
}

void wr_acks_flush(struct wr_acks *acks, int64_t now_us, wr_acks_send *send, void *user)
{
    if (!acks->settled) {
        return;
    }
    size_t before = acks->open;
    bool is_late = now_us >= acks->due_us;
    bool is_full = acks->open >= acks->window;
    if ((are_many(acks) || is_late) && !is_open(acks, acks->first)) {
        send_prefix(acks, send, user);
    }
    if (acks->settled && (are_many(acks) || (is_full && is_late) ||
                          now_us >= acks->since_us + WR_ACKS_STRAGGLER_US)) {
        send_stragglers(acks, send, user);
    }
    if (acks->open != before) {
        acks->due_us = wr_pace_next_us(acks->due_us, now_us, acks->gather_us);
    }
}

int64_t wr_acks_deadline_us(const struct wr_acks *acks)
{
    if (!acks->settled) {
        return INT64_MAX;
    }
    int64_t straggler_us = acks->since_us + WR_ACKS_STRAGGLER_US;
    bool is_next = !is_open(acks, acks->first) || acks->open >= acks->window;
    return is_next && acks->due_us < straggler_us ? acks->due_us : straggler_us;
}

size_t wr_acks_open(const struct wr_acks *acks)
{
    return acks->open;
}

void wr_acks_resize(struct wr_acks *acks, size_t window)
{
    acks->window = window;
}
