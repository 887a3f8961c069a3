// SPDX-License-Identifier: MIT
// DESIGN: a splitmix64 sequence a thread (Steele, Lea, Flood 2014: "Fast splittable pseudorandom
// number generators"), seeded from the kernel at first use. After a fork parent and child would go
// on alike, so a child's threads begin anew: forks are counted, since to ask for the pid is a system
// call, and a job without an id needs two numbers.
#include "base/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/random.h>

static _Atomic unsigned forks = 1; /* from 1: a sequence that has not begun has 0 */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static _Thread_local struct {
    uint64_t state;
    unsigned forks;
    bool is_fixed;
} sequence;

static void note_fork(void)
{
    (void)atomic_fetch_add(&forks, 1);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, note_fork);
}

static void start_sequence(void)
{
    uint64_t seed = 0;
    (void)pthread_once(&once, watch_forks);
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        seed = (uint64_t)(uintptr_t)&sequence; /* an early boot without entropy: ids still differ by
                                              time */
    }
    sequence.state = seed;
    sequence.forks = atomic_load(&forks);
}

uint64_t wr_random(void)
{
    if (!sequence.is_fixed &&
        sequence.forks != atomic_load_explicit(&forks, memory_order_relaxed)) {
        start_sequence();
    }
    sequence.state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = sequence.state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

void wr_random_seed(uint64_t seed)
{
    sequence.state = seed;
    sequence.is_fixed = true;
}
