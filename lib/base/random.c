// SPDX-License-Identifier: MIT
// DESIGN: a splitmix64 sequence a thread (Steele, Lea, Flood 2014: "Fast splittable pseudorandom
// number generators"), seeded from the kernel at first use. After a fork parent and child would go
// on alike, so the pid is mixed in.
#include "base/random.h"

#include <stdbool.h>
#include <sys/random.h>
#include <unistd.h>

static _Thread_local struct {
    uint64_t state;
    pid_t pid;
    bool is_fixed;
} sequence;

static void start_sequence(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        seed = (uint64_t)(uintptr_t)&sequence; /* an early boot without entropy: ids still differ by
                                              time */
    }
    sequence.state = seed;
    sequence.pid = getpid();
}

uint64_t wr_random(void)
{
    if (!sequence.is_fixed && sequence.pid != getpid()) {
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
