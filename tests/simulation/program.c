// SPDX-License-Identifier: MIT
// DESIGN: every program has a mood of its own: some kinds of faults, and none of the others, so
// that each fault also comes alone and some histories have none at all (there the checks are
// strictest).
#include "program.h"

#include <stdio.h>

#include "scene.h"

enum {
    MOOD_CUT = 1,
    MOOD_CRASH = 2,
    MOOD_DRAIN = 4,
    MOOD_REFUSE = 8,
    MOOD_PUBLISH = 16,
    MOOD_BLOCK = 32,
    MOOD_STALL = 64,
    MOOD_CLOSE = 128
};

static const struct kind {
    const char *name;
    int weight;
    int mood;        /* 0: in all programs */
    int amount_most; /* ms or a count; 0: has none */
} kinds[STEP_KINDS] = {
    [STEP_PUBLISH] = { "publish", 24, 0, 0 },
    [STEP_CONSUME] = { "consume", 10, 0, 0 },
    [STEP_RUN] = { "run", 12, 0, 0 },
    [STEP_SEND] = { "send", 8, 0, 0 },
    [STEP_PRODUCE] = { "produce", 8, 0, 0 },
    [STEP_ROUNDS] = { "rounds", 6, 0, 0 },
    [STEP_PASS] = { "pass", 8, 0, 1500 },
    [STEP_STALL] = { "stall", 3, MOOD_STALL, 7000 },
    [STEP_START] = { "start", 4, 0, 0 },
    [STEP_DRAIN] = { "drain", 4, MOOD_DRAIN, 0 },
    [STEP_CRASH] = { "crash", 4, MOOD_CRASH, 0 },
    [STEP_CUT_ALL] = { "cut all", 2, MOOD_CUT, 0 },
    [STEP_CUT_ONE] = { "cut one", 4, MOOD_CUT, 0 },
    [STEP_CLOSE] = { "close channel", 4, MOOD_CLOSE, 0 },
    [STEP_CANCEL] = { "cancel", 4, MOOD_CLOSE, 0 },
    [STEP_REFUSE] = { "refuse", 2, MOOD_REFUSE, 0 },
    [STEP_ACCEPT] = { "accept", 2, MOOD_REFUSE, 0 },
    [STEP_NACK] = { "nack", 3, MOOD_PUBLISH, 3 },
    [STEP_DROP] = { "drop confirms", 3, MOOD_PUBLISH, 2 },
    [STEP_BLOCK] = { "block", 3, MOOD_BLOCK, 0 },
    [STEP_UNBLOCK] = { "unblock", 3, MOOD_BLOCK, 0 },
};

uint64_t draw(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = *state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t state = a ^ (b * UINT64_C(0xD6E8FEB86659FD93));
    return draw(&state);
}

int pick(uint64_t *random, int limit)
{
    return (int)((draw(random) >> 33) % (uint64_t)limit);
}

static bool is_in_mood(const struct kind *kind, int mood)
{
    return !kind->mood || (kind->mood & mood);
}

static enum step_kind pick_kind(uint64_t *random, int mood)
{
    int sum = 0;
    for (int i = 0; i < STEP_KINDS; i++) {
        sum += is_in_mood(&kinds[i], mood) ? kinds[i].weight : 0;
    }
    int left = pick(random, sum);
    for (int i = 0; i < STEP_KINDS; i++) {
        left -= is_in_mood(&kinds[i], mood) ? kinds[i].weight : 0;
        if (left < 0) {
            return (enum step_kind)i;
        }
    }
    return STEP_ROUNDS;
}

void program_make(struct program *program, uint64_t seed)
{
    enum { SHORTEST = 6, SCENES_ALL = 8 };
    uint64_t random = mix(seed, 1);
    int mood = 0;
    *program = (struct program){ .seed = seed, .scene = pick(&random, SCENES_ALL) };
    for (int bit = MOOD_CUT; bit <= MOOD_CLOSE; bit *= 2) {
        mood |= pick(&random, 3) == 0 ? bit : 0;
    }
    program->length = SHORTEST + pick(&random, PROGRAM_STEPS_MOST - SHORTEST + 1);
    for (int i = 0; i < program->length; i++) {
        enum step_kind kind = pick_kind(&random, mood);
        int most = kinds[kind].amount_most;
        program->steps[i] = (struct step){ .kind = kind,
                                           .slot = pick(&random, PROGRAM_SLOTS),
                                           .amount = most ? 1 + pick(&random, most) : 0,
                                           .random = draw(&random) };
    }
}

const char *step_queue(const struct step *step)
{
    return scene_type((int)(step->random >> 8) & (SCENE_TYPES - 1))->home;
}

void step_write(const struct step *step, char *out, size_t size)
{
    const struct kind *kind = &kinds[step->kind];
    if (kind->amount_most) {
        (void)snprintf(out, size, "%s %d", kind->name, step->amount);
    } else if (step->kind == STEP_PUBLISH) {
        (void)snprintf(out, size, "%s slot=%d random=%llx", kind->name, step->slot,
                       (unsigned long long)step->random);
    } else if (step->kind == STEP_CANCEL) {
        (void)snprintf(out, size, "%s queue=%s", kind->name, step_queue(step));
    } else if (step->kind == STEP_CLOSE) {
        (void)snprintf(out, size, "%s slot=%d of=%s", kind->name, step->slot,
                       step->random & 1 ? step_queue(step) : "publisher");
    } else if (step->kind == STEP_CUT_ONE) {
        (void)snprintf(out, size, "%s slot=%d %s", kind->name, step->slot,
                       step->random & 1 ? "consumer" : "publisher");
    } else {
        (void)snprintf(out, size, "%s slot=%d", kind->name, step->slot);
    }
}
