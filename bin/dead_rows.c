// SPDX-License-Identifier: MIT
// DESIGN: the columns of letters and of groups, each beside what fills it.
#include "dead_rows.h"

static const struct column columns[] = {
    { "DIED", "died_at", CELL_TIME },    { "QUEUE", "queue", CELL_TEXT },
    { "ID", "id", CELL_TEXT },           { "TYPE", "type", CELL_TEXT },
    { "REASON", "reason", CELL_TEXT },   { "RUNS", "attempts", CELL_NUMBER },
    { NULL, "replays", CELL_NUMBER },    { NULL, "first_failed_at", CELL_TIME },
    { NULL, "enqueued_at", CELL_TIME },  { NULL, "replayed_at", CELL_TIME },
    { NULL, "content_type", CELL_TEXT }, { "BYTES", "body_bytes", CELL_NUMBER },
    { "GROUP", "group", CELL_TEXT },     { "ERROR", "error", CELL_TEXT },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

void dead_rows_begin(struct output *output, enum output_format format)
{
    output_begin(output, format, columns, COLUMNS);
}

void dead_rows_add(struct output *output, const warren_dead_letter *letter)
{
    output_row(output, (struct cell[COLUMNS]){ { .number = letter->died_ms },
                                               { .text = letter->queue },
                                               { .text = letter->id },
                                               { .text = letter->type },
                                               { .text = letter->reason },
                                               { .number = letter->attempts },
                                               { .number = letter->replays },
                                               { .number = letter->first_failed_ms },
                                               { .number = letter->enqueued_ms },
                                               { .number = letter->replayed_ms },
                                               { .text = letter->content_type },
                                               { .number = (int64_t)letter->body_size },
                                               { .text = letter->group },
                                               { .text = letter->error } });
}

static const struct column group_columns[] = {
    { "GROUP", "group", CELL_TEXT },         { "COUNT", "count", CELL_NUMBER },
    { "QUEUE", "queue", CELL_TEXT },         { "TYPE", "type", CELL_TEXT },
    { "REASON", "reason", CELL_TEXT },       { "FIRST", "first_died_at", CELL_TIME },
    { "LAST", "last_died_at", CELL_TIME },   { "RUNS", "attempts", CELL_TEXT },
    { NULL, "attempts_least", CELL_NUMBER }, { NULL, "attempts_most", CELL_NUMBER },
    { NULL, "body_bytes", CELL_NUMBER },     { NULL, "sample_id", CELL_TEXT },
    { NULL, "sample_error", CELL_TEXT },     { "ERROR", "error", CELL_TEXT },
};

enum { GROUP_COLUMNS = sizeof group_columns / sizeof group_columns[0] };

void dead_rows_begin_groups(struct output *output, enum output_format format)
{
    output_begin(output, format, group_columns, GROUP_COLUMNS);
}

void dead_rows_add_group(struct output *output, const warren_dead_group *group)
{
    char runs[32];
    bool is_one = group->attempts_least == group->attempts_most;
    (void)snprintf(runs, sizeof runs, is_one ? "%d" : "%d-%d", group->attempts_least,
                   group->attempts_most);
    output_row(output, (struct cell[GROUP_COLUMNS]){ { .text = group->id },
                                                     { .number = (int64_t)group->count },
                                                     { .text = group->queue },
                                                     { .text = group->type },
                                                     { .text = group->reason },
                                                     { .number = group->first_ms },
                                                     { .number = group->last_ms },
                                                     { .text = runs },
                                                     { .number = group->attempts_least },
                                                     { .number = group->attempts_most },
                                                     { .number = (int64_t)group->body_bytes },
                                                     { .text = group->sample_id },
                                                     { .text = group->sample_error },
                                                     { .text = group->shape } });
}
