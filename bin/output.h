/* SPDX-License-Identifier: MIT */
/*
 * Data on standard output: as a table for people, or as JSON (one array, or one object a line) for
 * programs. Rows are given cell by cell; both forms follow from the same column table.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "command.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_JSONL };

/** What a cell holds. */
enum cell_kind {
    CELL_TEXT,
    CELL_NUMBER,
    CELL_TENTH, /* tenths */
    CELL_BOOL,
    CELL_TIME /* ms since 1970; 0: unknown */
};

struct column {
    const char *title; /* of the table; NULL: only in JSON */
    const char *key;   /* of the JSON object */
    enum cell_kind kind;
};

struct cell {
    const char *text; /* CELL_TEXT */
    int64_t number;   /* the others */
};

enum { OUTPUT_COLUMNS_MOST = 20 };

struct output {
    enum output_format format;
    const struct column *columns;
    size_t column_count;
    size_t row_count;
    char **cells; /* a table's, kept until its widths are known */
    size_t kept;  /* rows of them */
    size_t widths[OUTPUT_COLUMNS_MOST];
    size_t last; /* column that is shown */
    bool has_begun;
    size_t capacity;
    bool failed;
};

/** Reads --output. False, with a message, when it is no format. */
bool output_format_of(const struct args *args, enum output_format *out);

/** Begins a list of rows. */
void output_begin(struct output *output, enum output_format format, const struct column *columns,
                  size_t column_count);

/** Adds one row: a cell for each column. */
void output_row(struct output *output, const struct cell *cells);

/** Ends the list. Gives EXIT_DONE, or EXIT_FAILED with a message (no memory, or nowhere to write).
 */
int output_end(struct output *output);

/** Writes a row as the members of a JSON object, without its braces. */
void output_members(const struct column *columns, size_t column_count, const struct cell *cells);

/** Writes a time as RFC 3339 with milliseconds, UTC; "" for 0. `out` has 32 bytes. */
void output_time(char *out, int64_t at_ms);

/** Makes sure that everything has reached standard output. Gives EXIT_DONE or EXIT_FAILED. */
int output_flush(void);

#endif
