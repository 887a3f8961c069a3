// SPDX-License-Identifier: MIT
// Random histories of the whole engine, each from a seed: whatever is published, breaks, crashes
// and comes back, the ledger stays right. Without words all histories are played (their number is
// in WARREN_TEST_HISTORIES); a failing one is told step by step, with the command that replays it.
//
//     test_histories                    all of them
//     test_histories --part 1/2         every second one
//     test_histories --seed 7           only this one, with its log
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chronicle.h"
#include "config_folder.h"
#include "tally.h"
#include "world.h"

enum { COUNT_DEFAULT = 20000, ENOUGH = 500, REPLAYS = 100, STUCK_S = 60 };

static struct world world;
static volatile uint64_t current_seed;
static uint64_t first_seed = 1;
static uint64_t last_seed;
static uint64_t every = 1;

/* --- when the process itself goes down --- */

/* snprintf is not for signal handlers, but the process is at its end anyway, and a wrong line is
 * better than none. */
static void name_seed(int number)
{
    char text[100];
    // NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c)
    int size = snprintf(text, sizeof text, "\nsignal %d in: test_histories --seed %llu\n", number,
                        (unsigned long long)current_seed);
    (void)!write(STDERR_FILENO, text, (size_t)size);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* --- one history --- */

static const char *play(const struct program *program, bool prints, bool hashes)
{
    current_seed = program->seed;
    (void)alarm(STUCK_S);
    chronicle_begin(&world.clock, prints, hashes);
    const char *failure = world_play(&world, program);
    chronicle_end();
    return failure;
}

static struct program without(const struct program *program, int from, int count)
{
    struct program less = *program;
    int behind = program->length - from - count;
    memmove(&less.steps[from], &program->steps[from + count], (size_t)behind * sizeof(struct step));
    less.length = program->length - count;
    return less;
}

/* Drops steps, many at a time and then one by one, as long as it still fails. */
static struct program shrink(struct program program)
{
    for (int count = program.length / 2; count > 0; count /= 2) {
        for (int from = 0; from + count <= program.length;) {
            struct program less = without(&program, from, count);
            if (play(&less, false, false)[0]) {
                program = less;
            } else {
                from += count;
            }
        }
    }
    return program;
}

static void tell_steps(const struct program *program)
{
    for (int i = 0; i < program->length; i++) {
        char line[120];
        step_write(&program->steps[i], line, sizeof line);
        printf("  %2d. %s\n", i + 1, line);
    }
}

static void tell_failure(const struct program *program, const char *failure)
{
    printf("\nseed %llu: %s\nreplay it: test_histories --seed %llu\nits program, scene %d:\n",
           (unsigned long long)program->seed, failure, (unsigned long long)program->seed,
           program->scene);
    tell_steps(program);
    struct program less = shrink(*program);
    printf("what still fails of it:\n");
    tell_steps(&less);
    printf("how that goes:\n");
    (void)play(&less, true, false);
    (void)fflush(stdout);
}

/* --- tests --- */

static void whatever_happens_no_job_is_lost_and_none_runs_too_often(void)
{
    size_t failed = 0;
    uint64_t played = 0;
    for (uint64_t seed = first_seed; seed <= last_seed && failed < 3; seed += every) {
        struct program program;
        program_make(&program, seed);
        const char *failure = play(&program, false, false);
        played++;
        if (failure[0]) {
            char kept[600];
            (void)snprintf(kept, sizeof kept, "%s", failure);
            tell_failure(&program, kept);
            failed++;
        }
    }
    printf("%llu histories, seeds %llu to %llu, %zu failed\n", (unsigned long long)played,
           (unsigned long long)first_seed, (unsigned long long)last_seed, failed);
    tally_tell();
    CU_ASSERT_EQUAL(failed, 0);
    CU_ASSERT(failed || played < ENOUGH || tally_is_whole());
}

static uint64_t hash_of(uint64_t seed)
{
    struct program program;
    program_make(&program, seed);
    (void)play(&program, false, true);
    return chronicle_hash();
}

static void a_seed_replays_exactly(void)
{
    uint64_t before = 0;
    for (uint64_t seed = first_seed; seed < first_seed + REPLAYS; seed++) {
        uint64_t hash = hash_of(seed);
        CU_ASSERT_EQUAL(hash, hash_of(seed));
        CU_ASSERT_NOT_EQUAL(hash, before); /* and another one is another history */
        before = hash;
    }
}

static int tell_one(uint64_t seed)
{
    struct program program;
    program_make(&program, seed);
    const char *failure = play(&program, true, false);
    printf("seed %llu: %s\n", (unsigned long long)seed, failure[0] ? failure : "all is well");
    if (failure[0]) {
        char kept[600];
        (void)snprintf(kept, sizeof kept, "%s", failure);
        tell_failure(&program, kept);
    }
    return failure[0] ? 1 : 0;
}

static int run_tests(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("histories", NULL, NULL);
    CU_ADD_TEST(suite, a_seed_replays_exactly);
    CU_ADD_TEST(suite, whatever_happens_no_job_is_lost_and_none_runs_too_often);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}

/* Scenes as files of the current folder, and the settings of the producer. */
static void prepare(void)
{
    folder_make();
    for (int scene = 0; scene < SCENES; scene++) {
        char name[32];
        char text[4096];
        (void)snprintf(name, sizeof name, "scene%d.cfg", scene);
        scene_write(scene, text, sizeof text);
        folder_write(name, text);
    }
    world.settings = folder_load("scene0.cfg");
    if (!world.settings) {
        fprintf(stderr, "%s", wr_text_string(&folder_problems));
        exit(1);
    }
    free(world.settings->broker.url);
    world.settings->broker.url = strdup("memory:simulation");
}

static void read_count(void)
{
    const char *text = getenv("WARREN_TEST_HISTORIES");
    last_seed = text && *text ? strtoull(text, NULL, 10) : COUNT_DEFAULT;
}

int main(int count, char **words)
{
    const int deaths[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGALRM };
    unsigned long long seed = 0;
    read_count();
    bool is_one =
        count == 3 && strcmp(words[1], "--seed") == 0 && sscanf(words[2], "%llu", &seed) == 1;
    unsigned long long part = 1;
    unsigned long long parts = 1;
    bool is_part = count == 3 && strcmp(words[1], "--part") == 0 &&
                   sscanf(words[2], "%llu/%llu", &part, &parts) == 2;
    if (count > 1 && !is_one && !is_part) {
        fprintf(stderr, "usage: test_histories [--part I/N | --seed N]\n");
        return 2;
    }
    first_seed = part;
    every = parts;
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        (void)signal(deaths[i], name_seed);
    }
    prepare();
    int status = is_one ? tell_one(seed) : run_tests();
    wr_settings_free(world.settings);
    wr_text_done(&folder_problems);
    folder_remove();
    return status;
}
