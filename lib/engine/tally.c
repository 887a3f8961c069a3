// SPDX-License-Identifier: MIT
// DESIGN: an addition to memory that only one core writes costs a few nanoseconds, to shared memory
// ten times that. A type that never ran costs eight pointers: a configuration may list a thousand.
#include "engine/tally.h"

#include <stdlib.h>

#include "base/clock.h"

static struct wr_tally_shard *load(const struct wr_tally *tally, size_t i)
{
    return atomic_load_explicit(&tally->shards[i], memory_order_acquire);
}

/* Two threads of one shard may both find it missing; one of them takes the other's. */
static struct wr_tally_shard *make(struct wr_tally *tally, size_t i)
{
    enum { CACHE_LINE = 64 };
    size_t size = (sizeof(struct wr_tally_shard) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct wr_tally_shard *made = aligned_alloc(CACHE_LINE, size);
    struct wr_tally_shard *there = NULL;
    if (made) {
        *made = (struct wr_tally_shard){ .last_done_ms = 0 };
        if (atomic_compare_exchange_strong(&tally->shards[i], &there, made)) {
            return made;
        }
        free(made);
    }
    return there;
}

struct wr_tally_shard *wr_tally_shard(struct wr_tally *tally, int slot)
{
    size_t i = (size_t)slot % WR_TALLY_SHARDS;
    struct wr_tally_shard *shard = load(tally, i);
    return shard ? shard : make(tally, i);
}

bool wr_tally_wants_exemplar(struct wr_tally *tally, int64_t now_us)
{
    int64_t due_us = atomic_load_explicit(&tally->next_exemplar_us, memory_order_relaxed);
    return now_us >= due_us &&
           atomic_compare_exchange_strong(&tally->next_exemplar_us, &due_us, now_us + WR_US_PER_S);
}

void wr_tally_give_exemplar(struct wr_tally *tally, const struct wr_exemplar *exemplar)
{
    if (!atomic_exchange(&tally->is_busy, true)) {
        tally->exemplar = *exemplar;
        atomic_store(&tally->is_busy, false);
    }
}

struct wr_exemplar wr_tally_exemplar(struct wr_tally *tally)
{
    struct wr_exemplar exemplar = { .run_us = 0 };
    if (!atomic_exchange(&tally->is_busy, true)) {
        exemplar = tally->exemplar;
        atomic_store(&tally->is_busy, false);
    }
    return exemplar;
}

void wr_tally_gather(const struct wr_tally *tally, struct wr_tally_sum *sum)
{
    for (size_t i = 0; i < WR_TALLY_SHARDS; i++) {
        const struct wr_tally_shard *shard = load(tally, i);
        if (!shard) {
            continue;
        }
        for (int k = 0; k < WR_OUTCOMES; k++) {
            sum->outcomes[k] += atomic_load_explicit(&shard->outcomes[k], memory_order_relaxed);
        }
        int64_t last_ms = atomic_load_explicit(&shard->last_done_ms, memory_order_relaxed);
        sum->last_done_ms = last_ms > sum->last_done_ms ? last_ms : sum->last_done_ms;
        wr_histogram_gather(&shard->run, &sum->run);
        wr_histogram_gather(&shard->wait, &sum->wait);
        wr_histogram_gather(&shard->total, &sum->total);
    }
}

void wr_tally_done(struct wr_tally *tally)
{
    for (size_t i = 0; i < WR_TALLY_SHARDS; i++) {
        free(load(tally, i));
        atomic_store(&tally->shards[i], NULL);
    }
}
