// SPDX-License-Identifier: MIT
// DESIGN: everything that was measured, round by round, so that runs can be compared later. Texts are
// our own and hold nothing that JSON would escape, but quotes and backslashes are looked after.
#include <math.h>

#include "report.h"
#include "side.h"

static void put_text(FILE *file, const char *text)
{
    (void)fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', file);
        }
        (void)fputc(*text, file);
    }
    (void)fputc('"', file);
}

/* JSON has no infinity. */
static void put_number(FILE *file, double value)
{
    if (isfinite(value)) {
        (void)fprintf(file, "%.6g", value);
    } else {
        (void)fputs("null", file);
    }
}

static void put_member(FILE *file, const char *name, double value)
{
    (void)fprintf(file, "\"%s\": ", name);
    put_number(file, value);
}

static void put_spread(FILE *file, const struct spread *spread)
{
    put_member(file, "min", spread->least);
    (void)fputs(", ", file);
    put_member(file, "median", spread->median);
    (void)fputs(", ", file);
    put_member(file, "max", spread->most);
}

static void put_measure(FILE *file, const struct outcome *outcome, size_t side, int measure)
{
    (void)fprintf(file, ", \"%s\": {", measure_kinds[measure].word);
    put_spread(file, &outcome->sides[side][measure]);
    (void)fputs(", \"rounds\": [", file);
    for (int r = 0; r < outcome->rounds; r++) {
        (void)fputs(r ? ", " : "", file);
        put_number(file, outcome->values[side][measure][r]);
    }
    (void)fputs("]}", file);
}

static void put_sides(FILE *file, const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->bench->side_count; i++) {
        (void)fputs(i ? ",\n      {\"name\": " : "\n      {\"name\": ", file);
        put_text(file, outcome->bench->sides[i].name);
        for (int m = 0; m < MEASURE_COUNT; m++) {
            if (!isnan(outcome->sides[i][m].median)) {
                put_measure(file, outcome, i, m);
            }
        }
        (void)fputc('}', file);
    }
}

static void put_goals(FILE *file, const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->bench->goal_count; i++) {
        const struct goal *goal = &outcome->bench->goals[i];
        (void)fputs(i ? ",\n      {\"text\": " : "\n      {\"text\": ", file);
        put_text(file, goal->text);
        (void)fprintf(file, ", \"unit\": \"%s\", ", report_unit(goal));
        put_spread(file, &outcome->goals[i]);
        if (goal->limit != 0) {
            (void)fprintf(file, ", \"%s\": ", goal->is_at_most ? "at_most" : "at_least");
            put_number(file, outcome->limits[i]);
            (void)fprintf(file, ", \"met\": %s", outcome->is_met[i] ? "true" : "false");
        }
        (void)fputc('}', file);
    }
}

static void put_outcome(FILE *file, const struct outcome *outcome)
{
    (void)fprintf(file, "\n    {\"name\": \"%s\", \"about\": ", outcome->bench->name);
    put_text(file, outcome->bench->about);
    (void)fprintf(file, ", \"rounds\": %d, \"again\": %d, \"sides\": [", outcome->rounds,
                  outcome->again);
    put_sides(file, outcome);
    (void)fputs("],\n     \"goals\": [", file);
    put_goals(file, outcome);
    (void)fputs("]}", file);
}

void report_json(const char *path, const struct report_place *place,
                 struct outcome *const *outcomes, size_t count)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        side_give_up("cannot write", path);
    }
    (void)fprintf(file,
                  "{\"date\": \"%s\", \"warren\": \"%s\", \"rabbitmq\": \"%s\", \"cores\": %ld, "
                  "\"load\": %.2f,\n  \"benches\": [",
                  place->date, place->library, place->broker, place->cores, place->load);
    for (size_t i = 0; i < count; i++) {
        (void)fputs(i ? "," : "", file);
        put_outcome(file, outcomes[i]);
    }
    (void)fputs("]}\n", file);
    if (fclose(file)) {
        side_give_up("cannot write", path);
    }
}
