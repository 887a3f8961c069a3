// SPDX-License-Identifier: MIT
// DESIGN: window and count are one word, changed by compare and swap: whoever turns the window tells
// what was left out in the one before, so each refusal is told exactly once. A thread whose look at
// the clock is older than another's counts in the newer window.
#include "base/rate.h"

static uint32_t count_of(uint64_t word)
{
    return (uint32_t)word;
}

static uint32_t window_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint64_t make(uint32_t window, uint32_t count)
{
    return window * (UINT64_C(1) << 32) + count;
}

/* Windows are numbered from 1, so that a fresh rate is in none. */
static uint32_t window_at(int64_t now_us)
{
    return (uint32_t)(now_us / WR_RATE_WINDOW_US) + 1;
}

static bool has_ended(uint64_t word, uint32_t window)
{
    return (int32_t)(window - window_of(word)) > 0;
}

static uint32_t refused(uint64_t word, uint32_t most)
{
    return count_of(word) > most ? count_of(word) - most : 0;
}

bool wr_rate_take(struct wr_rate *rate, uint32_t most, int64_t now_us, uint32_t *out_left_out)
{
    uint32_t window = window_at(now_us);
    uint64_t old = atomic_load_explicit(&rate->word, memory_order_relaxed);
    uint64_t fresh;
    do {
        bool is_full = count_of(old) == UINT32_MAX;
        fresh = has_ended(old, window) ? make(window, 1) : old + (is_full ? 0 : 1);
    } while (!atomic_compare_exchange_weak(&rate->word, &old, fresh));
    *out_left_out = has_ended(old, window) ? refused(old, most) : 0;
    return count_of(fresh) <= most;
}

uint32_t wr_rate_flush(struct wr_rate *rate, uint32_t most, int64_t now_us, bool is_last)
{
    uint32_t window = window_at(now_us);
    uint64_t old = atomic_load_explicit(&rate->word, memory_order_relaxed);
    do {
        if (!refused(old, most) || !(is_last || has_ended(old, window))) {
            return 0;
        }
        /* What was admitted stays counted: a flush lets no more through. */
    } while (!atomic_compare_exchange_weak(&rate->word, &old, make(window_of(old), most)));
    return refused(old, most);
}
