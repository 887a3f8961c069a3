// SPDX-License-Identifier: MIT
// DESIGN: the deadline is an atomic, so that the owner pays next to nothing for being watched; what
// to cut lies under a lock, so that a cut can't come after the owner has freed it.
#include "base/watch.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/clock.h"

void wr_watch_init(struct wr_watch *watch, const char *role)
{
    watch->role = role;
    watch->cut = NULL;
    watch->what = NULL;
    atomic_init(&watch->deadline_us, INT64_MAX);
    atomic_init(&watch->begun_us, 0);
    (void)pthread_mutex_init(&watch->lock, NULL);
}

void wr_watch_done(struct wr_watch *watch)
{
    (void)pthread_mutex_destroy(&watch->lock);
}

void wr_watch_set(struct wr_watch *watch, void (*cut)(void *what), void *what)
{
    WR_SCOPED_LOCK(&watch->lock);
    watch->cut = cut;
    watch->what = what;
}

void wr_watch_clear(struct wr_watch *watch)
{
    wr_watch_set(watch, NULL, NULL);
}

void wr_watch_begin(struct wr_watch *watch, int64_t limit_us)
{
    int64_t now_us = wr_clock_mono_us(NULL);
    atomic_store_explicit(&watch->begun_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&watch->deadline_us, now_us + limit_us, memory_order_relaxed);
}

int64_t wr_watch_begun_us(const struct wr_watch *watch)
{
    return atomic_load_explicit(&watch->begun_us, memory_order_relaxed);
}

void wr_watch_end(struct wr_watch *watch)
{
    atomic_store_explicit(&watch->deadline_us, INT64_MAX, memory_order_relaxed);
}

bool wr_watch_look(struct wr_watch *watch, int64_t now_us)
{
    int64_t deadline_us = atomic_load_explicit(&watch->deadline_us, memory_order_relaxed);
    if (now_us < deadline_us ||
        !atomic_compare_exchange_strong(&watch->deadline_us, &deadline_us, INT64_MAX)) {
        return false;
    }
    wr_watch_cut(watch);
    return true;
}

void wr_watch_cut(struct wr_watch *watch)
{
    WR_SCOPED_LOCK(&watch->lock);
    if (watch->cut) {
        watch->cut(watch->what);
    }
}
