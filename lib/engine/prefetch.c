// SPDX-License-Identifier: MIT
// DESIGN: a thread that is done should find the next job here. So what lies ahead should last for
// AHEAD_NS, some times what an acknowledgement and the deliveries after it need to cross the network:
//
//     prefetch = slots + slots * AHEAD_NS / run        microseconds: hundreds; 100 ms and more: slots
//
// Jobs of long types take none ahead. A queue of several types is handed over twice its slots at
// least, or the jobs of one type that is at its limit would keep those of all others at the broker.
//
// To tell the broker costs some round trips (a consumer's prefetch is fixed: another one takes its
// place), so it is done only when the number is wrong by half, and seldom.
#include "engine/prefetch.h"

enum {
    AHEAD_NS = 20000000,
    LONG_NS = 100000000,    /* from here on none ahead */
    BYTES_MOST = 16 << 20,  /* that lie ahead */
    SETTLED_LEAST = 8,      /* before it is looked at */
    FIRST_LOOK_US = 20000,  /* after the start and after each look that changed nothing */
    LOOK_EVERY_US = 500000, /* after a change */
    SIXTEENTHS = 16,
    SHRINK_LOOKS = 3, /* in a row that want it: one long run among many short ones does */
};

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

void wr_prefetch_init(struct wr_prefetch *prefetch, int configured, int slots, size_t types)
{
    int64_t least = clamp(types > 1 ? 2 * (int64_t)slots : slots, 1, WR_PREFETCH_AUTO_MOST);
    *prefetch = (struct wr_prefetch){ .is_auto = configured == 0,
                                      .least = (uint16_t)least,
                                      .slots_most = slots,
                                      .now = (uint16_t)(configured ? configured : least),
                                      .slots_16 = (int64_t)slots * SIXTEENTHS };
}

uint16_t wr_prefetch_refit(struct wr_prefetch *prefetch, int configured, int slots, size_t types)
{
    struct wr_prefetch fresh;
    wr_prefetch_init(&fresh, configured, slots, types);
    bool is_same = fresh.is_auto == prefetch->is_auto && fresh.least == prefetch->least &&
                   fresh.slots_most == prefetch->slots_most;
    if (is_same && fresh.is_auto) {
        return prefetch->now;
    }
    bool may_stay = fresh.is_auto && prefetch->is_auto && prefetch->now > fresh.now;
    uint16_t wanted = may_stay ? prefetch->now : fresh.now; /* the next look makes it smaller */
    fresh.now = prefetch->now;
    fresh.run_ns = prefetch->run_ns;
    fresh.bytes = prefetch->bytes;
    *prefetch = fresh;
    return wanted;
}

void wr_prefetch_note(struct wr_prefetch *prefetch, int64_t run_ns, size_t bytes)
{
    int64_t size = (int64_t)bytes;
    if (!run_ns) {
        return;
    }
    prefetch->settled++;
    if (!prefetch->run_ns) {
        prefetch->run_ns = run_ns;
        prefetch->bytes = size;
    }
    bool is_longer = run_ns > prefetch->run_ns; /* that work may lie here which others could do */
    prefetch->run_ns += (run_ns - prefetch->run_ns) / (is_longer ? 4 : SIXTEENTHS);
    prefetch->bytes += (size - prefetch->bytes) / SIXTEENTHS;
}

bool wr_prefetch_is_due(const struct wr_prefetch *prefetch, int64_t now_us)
{
    bool says_much =
        prefetch->settled >= SETTLED_LEAST || (prefetch->settled && prefetch->run_ns >= LONG_NS);
    return prefetch->is_auto && says_much && now_us >= prefetch->next_look_us;
}

static int64_t aim(const struct wr_prefetch *prefetch)
{
    int64_t slots = (prefetch->slots_16 + SIXTEENTHS - 1) / SIXTEENTHS;
    int64_t ahead = slots * AHEAD_NS / (prefetch->run_ns + 1);
    ahead = prefetch->run_ns >= LONG_NS ? 0 : clamp(ahead, 1, WR_PREFETCH_AUTO_MOST);
    int64_t most =
        clamp(BYTES_MOST / (prefetch->bytes + 1), prefetch->least, WR_PREFETCH_AUTO_MOST);
    return clamp(slots + ahead, prefetch->least, most > prefetch->least ? most : prefetch->least);
}

uint16_t wr_prefetch_wanted(struct wr_prefetch *prefetch, int slots, int64_t now_us)
{
    prefetch->slots_16 += ((int64_t)slots * SIXTEENTHS - prefetch->slots_16) / 4;
    prefetch->settled = 0;
    int64_t wanted = aim(prefetch);
    bool is_far = wanted >= 2 * prefetch->now || 2 * wanted <= prefetch->now ||
                  (wanted == prefetch->least && prefetch->run_ns >= LONG_NS);
    prefetch->shrinks = is_far && wanted < prefetch->now ? prefetch->shrinks + 1 : 0;
    bool changes = is_far && (wanted > prefetch->now || prefetch->shrinks >= SHRINK_LOOKS);
    prefetch->shrinks = changes ? 0 : prefetch->shrinks;
    prefetch->next_look_us = now_us + (changes ? LOOK_EVERY_US : FIRST_LOOK_US);
    return changes ? (uint16_t)wanted : prefetch->now;
}
