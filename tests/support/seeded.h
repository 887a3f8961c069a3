/* SPDX-License-Identifier: MIT */
/*
 * Random programs against a model: the numbers they are made of, the loop over all seeds, and a main
 * that replays one of them (--seed 7). The including test has one suite, of one test. Threads: one.
 */
#ifndef TESTS_SUPPORT_SEEDED_H
#define TESTS_SUPPORT_SEEDED_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Plays one program and returns what failed, or "". Tells every step if asked to. */
typedef const char *seeded_play(uint64_t seed, bool tells);

static uint64_t seeded_state; /* xorshift64, never zero */

static void seeded_start(uint64_t seed)
{
    seeded_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static unsigned below(unsigned limit)
{
    seeded_state ^= seeded_state << 13;
    seeded_state ^= seeded_state >> 7;
    seeded_state ^= seeded_state << 17;
    return (unsigned)(seeded_state >> 33) % limit;
}

/* All seeds from 1 to `last`; the first that fails is told step by step. */
static void seeded_play_all(const char *test, seeded_play *play, uint64_t last)
{
    for (uint64_t seed = 1; seed <= last; seed++) {
        const char *failure = play(seed, false);
        if (failure[0]) {
            printf("\nseed %llu: %s\nreplay it: %s --seed %llu\n", (unsigned long long)seed,
                   failure, test, (unsigned long long)seed);
            (void)play(seed, true);
            CU_FAIL("a program failed");
            return;
        }
    }
}

static int seeded_main(int count, char **words, seeded_play *play, const char *suite,
                       CU_TestInfo *tests)
{
    if (count == 3 && strcmp(words[1], "--seed") == 0) {
        const char *failure = play(strtoull(words[2], NULL, 10), true);
        printf("%s\n", failure[0] ? failure : "all is well");
        return failure[0] ? 1 : 0;
    }
    CU_SuiteInfo suites[] = { { suite, NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };
    CU_initialize_registry();
    (void)CU_register_suites(suites);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}

#endif
