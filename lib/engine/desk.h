/* SPDX-License-Identifier: MIT */
/*
 * A desk: which job a worker thread is running, for whoever wants to look while it runs. The job itself
 * may be settled and freed at any moment, so what is told of it lies here as a copy.
 *
 * Writing is a few stores and no lock. A reader who meets a writer sees that the turn has changed, and
 * looks again. Threads: one writes, any may read.
 */
#ifndef WR_ENGINE_DESK_H
#define WR_ENGINE_DESK_H

#include <stdatomic.h>

#include "engine/lane.h"
#include "model/job.h"

enum { WR_DESK_WORDS = 8, WR_DESK_ID_SIZE = WR_DESK_WORDS * 8 };

struct wr_desk {
    _Atomic uint32_t turn;                /* odd: it is being written */
    _Atomic int tid;                      /* of the thread; 0: none yet */
    _Atomic(const struct wr_lane *) lane; /* NULL: no job */
    _Atomic int64_t started_us;
    _Atomic uint64_t id[WR_DESK_WORDS];
};

/** What lies on it. */
struct wr_desk_view {
    int tid;
    const struct wr_lane *lane;
    int64_t started_us;
    char id[WR_DESK_ID_SIZE]; /* cut, if it is longer */
};

/* Each store is a release, so who has seen one of them sees the odd turn before it, too. */
static inline void wr_desk_begin(struct wr_desk *desk, const struct warren_job *job)
{
    uint64_t words[WR_DESK_WORDS] = { 0 };
    size_t most = sizeof words - 1;
    size_t size = job->id.size < most ? job->id.size : most;
    uint32_t turn = atomic_load_explicit(&desk->turn, memory_order_relaxed);
    memcpy(words, job->id.data, size);
    atomic_store_explicit(&desk->turn, turn + 1, memory_order_relaxed);
    atomic_store_explicit(&desk->lane, job->lane, memory_order_release);
    atomic_store_explicit(&desk->started_us, job->started_us, memory_order_release);
    for (size_t i = 0; i <= size / sizeof words[0]; i++) {
        atomic_store_explicit(&desk->id[i], words[i], memory_order_release);
    }
    atomic_store_explicit(&desk->turn, turn + 2, memory_order_release);
}

static inline void wr_desk_end(struct wr_desk *desk)
{
    atomic_store_explicit(&desk->lane, NULL, memory_order_release);
}

/** Copies what lies on the desk. False: nothing, or another job each time. */
static inline bool wr_desk_look(struct wr_desk *desk, struct wr_desk_view *out)
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES; i++) {
        uint64_t words[WR_DESK_WORDS];
        uint32_t turn = atomic_load_explicit(&desk->turn, memory_order_acquire);
        out->lane = atomic_load_explicit(&desk->lane, memory_order_acquire);
        out->started_us = atomic_load_explicit(&desk->started_us, memory_order_acquire);
        for (size_t k = 0; k < WR_DESK_WORDS; k++) {
            words[k] = atomic_load_explicit(&desk->id[k], memory_order_acquire);
        }
        bool is_whole =
            turn % 2 == 0 && turn == atomic_load_explicit(&desk->turn, memory_order_relaxed);
        if (is_whole) {
            memcpy(out->id, words, sizeof words);
            out->id[sizeof words - 1] = '\0';
            out->tid = atomic_load(&desk->tid);
            return out->lane != NULL;
        }
    }
    return false;
}

#endif
