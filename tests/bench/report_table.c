// SPDX-License-Identifier: MIT
// DESIGN: two markdown tables a bench: what each side did, with a column for each measure that any of
// them has, and what the goals say. A cell is least / median / most of the rounds.
#include <math.h>
#include <string.h>

#include "report.h"

const char *report_unit(const struct goal *goal)
{
    static const char *const units[MEASURE_COUNT] = {
        [MEASURE_RATE] = "/s",     [MEASURE_CPU] = "µs",     [MEASURE_RSS] = "MiB",
        [MEASURE_FIRST] = "ms",    [MEASURE_P50] = "µs",     [MEASURE_P99] = "µs",
        [MEASURE_P999] = "µs",     [MEASURE_ACK_P50] = "µs", [MEASURE_ACK_P99] = "µs",
        [MEASURE_ACK_P999] = "µs", [MEASURE_AT_LIMIT] = "",  [MEASURE_TOGETHER] = "",
        [MEASURE_SLEEPS] = "",     [MEASURE_TAKEN] = "%",
    };
    bool is_ratio = goal->kind == GOAL_RATIO || goal->kind == GOAL_RELATIVE;
    return is_ratio ? "×" : units[goal->measure];
}

void report_place(const struct report_place *place)
{
    printf("Warren %s, RabbitMQ %s, %ld cores, load %.1f at the beginning, %s. Each cell: least / "
           "median / most.\n",
           place->library, place->broker, place->cores, place->load, place->date);
}

static bool has_measure(const struct outcome *outcome, int measure)
{
    for (size_t i = 0; i < outcome->bench->side_count; i++) {
        if (!isnan(outcome->sides[i][measure].median)) {
            return true;
        }
    }
    return false;
}

static void print_spread(const struct spread *spread, int decimals)
{
    if (isnan(spread->median)) {
        printf(" – |");
        return;
    }
    printf(" %.*f / %.*f / %.*f |", decimals, spread->least, decimals, spread->median, decimals,
           spread->most);
}

static void print_sides(const struct outcome *outcome)
{
    const struct bench *bench = outcome->bench;
    printf("| side |");
    for (int m = 0; m < MEASURE_COUNT; m++) {
        if (has_measure(outcome, m)) {
            printf(" %s |", measure_kinds[m].title);
        }
    }
    printf("\n|---|");
    for (int m = 0; m < MEASURE_COUNT; m++) {
        printf("%s", has_measure(outcome, m) ? "---|" : "");
    }
    for (size_t i = 0; i < bench->side_count; i++) {
        printf("\n| %s |", bench->sides[i].name);
        for (int m = 0; m < MEASURE_COUNT; m++) {
            if (has_measure(outcome, m)) {
                print_spread(&outcome->sides[i][m], measure_kinds[m].decimals);
            }
        }
    }
    printf("\n");
}

static void print_goal(const struct outcome *outcome, size_t index)
{
    const struct goal *goal = &outcome->bench->goals[index];
    const struct spread *spread = &outcome->goals[index];
    bool is_ratio = strcmp(report_unit(goal), "×") == 0;
    int decimals = is_ratio ? 2 : measure_kinds[goal->measure].decimals;
    printf("| %s |", goal->text);
    print_spread(spread, decimals);
    if (goal->limit == 0) {
        printf(" – | |\n");
        return;
    }
    printf(" %s %.*f %s | %s |\n", goal->is_at_most ? "≤" : "≥", decimals, outcome->limits[index],
           report_unit(goal), outcome->is_met[index] ? "met" : "**missed**");
}

void report_table(const struct outcome *outcome)
{
    printf("\n### %s\n\n%s %d rounds", outcome->bench->name, outcome->bench->about,
           outcome->rounds);
    if (outcome->again) {
        printf("; %d runs were played again, because the host took too much", outcome->again);
    }
    printf(".\n\n");
    print_sides(outcome);
    printf("\n| goal | measured | target | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < outcome->bench->goal_count; i++) {
        print_goal(outcome, i);
    }
    (void)fflush(stdout);
}

void report_short(const struct outcome *outcome)
{
    printf("%s: %zu sides work\n", outcome->bench->name, outcome->bench->side_count);
    (void)fflush(stdout);
}
