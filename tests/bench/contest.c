// SPDX-License-Identifier: MIT
// DESIGN: A B, B A, A B …, because the machine drifts, and whoever comes behind another may find it in
// another state: a goal compares the sides of the same round, and its median over the rounds is what
// counts. One run of a side is: fill its queues, let the broker come to rest, run the program, look
// whether the queue is empty. A run from which the host took too much is played again, since what it
// measured is the host; the least disturbed one counts, and how often that was is told. No bench has
// more of these than runs, and they are spent as they come: on a busy host none are left for the last
// rounds. A shorter round before the first one warms up the broker.
#include "contest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "child.h"
#include "host.h"
#include "side.h"
#include "stage.h"

enum {
    REST_MS = 250,
    REPEATS_MOST = 50,
    WARM_UP_PART = 8,
    JOBS_LEAST = 20,
    LEFT_MOST = 500,
    TRIES_MOST = 5
};

static const double play_most = 0.1;
static const double taken_most = 3; /* percent */

static void pass_ms(long ms)
{
    const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    (void)nanosleep(&time, NULL);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static struct spread spread_of(const double *values, int count)
{
    double sorted[ROUNDS_MOST];
    int length = 0;
    for (int i = 0; i < count; i++) {
        if (!isnan(values[i])) {
            sorted[length++] = values[i];
        }
    }
    if (!length) {
        return (struct spread){ NAN, NAN, NAN };
    }
    qsort(sorted, (size_t)length, sizeof *sorted, compare);
    return (struct spread){ .least = sorted[0],
                            .median = (sorted[(length - 1) / 2] + sorted[length / 2]) / 2,
                            .most = sorted[length - 1] };
}

/* --- one run -------------------------------------------------------------------------------------- */

static void fill(const struct side *side, const struct child_words *words)
{
    struct child child;
    struct child_words fill_words = *words;
    char *rest = NULL;
    char *copy = strdup(side->fill);
    if (side->kept) {
        fill_words.count = side->backlog - stage_depth(side->kept);
    }
    for (char *command = copy ? strtok_r(copy, ";", &rest) : NULL; command && fill_words.count > 0;
         command = strtok_r(NULL, ";", &rest)) {
        child_start(&child, command, &fill_words);
        child_finish(&child, NULL);
    }
    free(copy);
}

/* A quorum queue forgets the last acknowledgements of a connection that closes while it is behind,
 * and has their jobs again: some may be left, but not many. */
static void check_drained(const struct side *side)
{
    if (stage_purge(side->drained) > LEFT_MOST) {
        side_give_up(side->command, "left jobs in the queue");
    }
}

static void check_filled(const struct side *side, long count)
{
    if (stage_purge(side->filled) != count && !side->may_lose) {
        side_give_up(side->command, "the queue doesn't hold what was published");
    }
}

static void measure(const struct side *side, const struct child_words *words, double *values)
{
    struct child child;
    struct child feed;
    struct host_mark before = host_mark();
    child_start(&child, side->command, words);
    if (side->feed) {
        child_ready(&child);
        child_start(&feed, side->feed, &(struct child_words){ .count = words->count });
    }
    child_finish(&child, values);
    values[MEASURE_TAKEN] = host_took(&before);
    if (side->feed) {
        child_finish(&feed, NULL);
    }
}

static void run_once(const struct side *side, const struct child_words *words, bool is_short,
                     double values[MEASURE_COUNT])
{
    struct child beside;
    if (side->fill) {
        fill(side, words);
    }
    if (side->beside) {
        child_start(&beside, side->beside,
                    &(struct child_words){ .config = stage_config(side->beside_queues, 0) });
        child_ready(&beside);
    }
    pass_ms(is_short ? 0 : REST_MS);
    measure(side, words, values);
    if (side->beside) {
        child_stop(&beside, NULL);
    }
    if (side->drained) {
        check_drained(side);
    }
    if (side->filled) {
        check_filled(side, words->count);
    }
}

static void run_fresh(const struct side *side, const struct child_words *words, bool is_short,
                      double values[MEASURE_COUNT])
{
    for (int m = 0; m < MEASURE_COUNT; m++) {
        values[m] = NAN;
    }
    run_once(side, words, is_short, values);
}

/* `spare`: how many runs of this bench may still be played again. */
static void run_undisturbed(const struct side *side, const struct child_words *words, bool is_short,
                            int *spare, double values[MEASURE_COUNT])
{
    run_fresh(side, words, is_short, values);
    int left = *spare < TRIES_MOST - 1 ? *spare : TRIES_MOST - 1;
    for (; left > 0 && values[MEASURE_TAKEN] > taken_most; left--) {
        double again[MEASURE_COUNT];
        (*spare)--;
        run_fresh(side, words, is_short, again);
        if (again[MEASURE_TAKEN] < values[MEASURE_TAKEN]) {
            memcpy(values, again, sizeof again);
        }
    }
}

static long count_of(const struct bench *bench, const struct side *side,
                     const struct contest_options *options)
{
    double count = (double)(side->count ? side->count : bench->count);
    count *= options->jobs ? (double)options->jobs / (double)bench->count : 1;
    return count < JOBS_LEAST ? JOBS_LEAST : (long)count;
}

static void run_side(const struct bench *bench, const struct side *side,
                     const struct contest_options *options, int *spare,
                     double values[MEASURE_COUNT])
{
    double all[MEASURE_COUNT][REPEATS_MOST];
    int repeats = side->repeats && !options->is_short ? side->repeats : 1;
    const struct child_words words = { .config = side->queues
                                                     ? stage_config(side->queues, side->threads)
                                                     : NULL,
                                       .count = count_of(bench, side, options),
                                       .preload = side->preload };
    for (int i = 0; i < repeats; i++) {
        double once[MEASURE_COUNT];
        run_undisturbed(side, &words, options->is_short, spare, once);
        for (int m = 0; m < MEASURE_COUNT; m++) {
            all[m][i] = once[m];
        }
    }
    for (int m = 0; m < MEASURE_COUNT; m++) {
        values[m] = spread_of(all[m], repeats).median;
    }
}

static void warm_up(const struct bench *bench, const struct contest_options *options)
{
    double unwanted[MEASURE_COUNT];
    int spare = 0;
    struct contest_options smaller = *options;
    smaller.is_short = true;
    smaller.jobs = (options->jobs ? options->jobs : bench->count) / WARM_UP_PART;
    for (size_t i = 0; i < bench->side_count; i++) {
        run_side(bench, &bench->sides[i], &smaller, &spare, unwanted);
    }
}

/* --- goals ---------------------------------------------------------------------------------------- */

static double quotient(const struct outcome *outcome, enum measure measure, int a, int b, int round)
{
    return outcome->values[a][measure][round] / outcome->values[b][measure][round];
}

static double value_of(const struct outcome *outcome, const struct goal *goal, int round)
{
    double a = outcome->values[goal->a][goal->measure][round];
    double b = outcome->values[goal->b][goal->measure][round];
    switch (goal->kind) {
    case GOAL_RATIO:
        return a / b;
    case GOAL_DIFFERENCE:
        return a - b;
    case GOAL_RELATIVE:
        return a / b / quotient(outcome, goal->measure, goal->first_a, goal->first_b, round);
    case GOAL_VALUE:
        break;
    }
    return a;
}

/* How far a side is from its twin: the median over the rounds, as a share. More than a tenth is a
 * restless machine, and no excuse. */
static double play_between(const struct outcome *outcome, const struct goal *goal)
{
    double apart[ROUNDS_MOST];
    for (int r = 0; r < outcome->rounds; r++) {
        apart[r] = fabs(quotient(outcome, goal->measure, goal->twin, goal->b, r) - 1);
    }
    double median = spread_of(apart, outcome->rounds).median;
    return median < play_most ? median : play_most;
}

static void judge(struct outcome *outcome, size_t index)
{
    const struct goal *goal = &outcome->bench->goals[index];
    double values[ROUNDS_MOST];
    for (int r = 0; r < outcome->rounds; r++) {
        values[r] = value_of(outcome, goal, r);
    }
    outcome->goals[index] = spread_of(values, outcome->rounds);
    double play = goal->twin ? play_between(outcome, goal) : 0;
    double limit = goal->limit * (goal->is_at_most ? 1 + play : 1 - play);
    double median = outcome->goals[index].median;
    outcome->limits[index] = limit;
    outcome->is_met[index] =
        goal->limit == 0 || (goal->is_at_most ? median <= limit : median >= limit);
}

/* --- the whole ------------------------------------------------------------------------------------ */

static void play_round(struct outcome *out, const struct contest_options *options, int *spare,
                       int round)
{
    size_t count = out->bench->side_count;
    bool is_backward = round % 2;
    for (size_t i = 0; i < count; i++) {
        size_t at = is_backward ? count - 1 - i : i;
        double values[MEASURE_COUNT];
        run_side(out->bench, &out->bench->sides[at], options, spare, values);
        for (int m = 0; m < MEASURE_COUNT; m++) {
            out->values[at][m][round] = values[m];
        }
    }
}

static int rounds_of(const struct bench *bench, const struct contest_options *options)
{
    int rounds = options->rounds;
    rounds *= bench->rounds && !options->is_short ? bench->rounds : 1;
    return rounds < ROUNDS_MOST ? rounds : ROUNDS_MOST;
}

void contest_play(struct bench *bench, const struct contest_options *options, struct outcome *out)
{
    out->bench = bench;
    out->rounds = rounds_of(bench, options);
    int spare_most = options->is_short ? 0 : out->rounds * (int)bench->side_count;
    int spare = spare_most;
    if (bench->prepare) {
        bench->prepare();
    }
    if (!options->is_short) {
        warm_up(bench, options);
    }
    for (int round = 0; round < out->rounds; round++) {
        play_round(out, options, &spare, round);
    }
    out->again = spare_most - spare;
    for (size_t i = 0; i < bench->side_count; i++) {
        for (int m = 0; m < MEASURE_COUNT; m++) {
            out->sides[i][m] = spread_of(out->values[i][m], out->rounds);
        }
    }
    for (size_t i = 0; i < bench->goal_count; i++) {
        judge(out, i);
    }
    stage_clear();
}

bool contest_is_met(const struct outcome *outcome)
{
    bool is_met = true;
    for (size_t i = 0; i < outcome->bench->goal_count; i++) {
        is_met = is_met && outcome->is_met[i];
    }
    return is_met;
}
