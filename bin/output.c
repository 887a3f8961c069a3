// SPDX-License-Identifier: MIT
// DESIGN: one row, three forms. A table's widths follow from its first thousand rows, which are kept until
// then; later ones go out as they come, so that a long list needs no memory. JSON goes out row by row.
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "escape.h"
#include "say.h"

enum { ROWS_AHEAD = 1000 };

void output_time(char *out, int64_t at_ms)
{
    enum { SIZE = 32 };
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm parts;
    out[0] = '\0';
    if (at_ms > 0 && gmtime_r(&seconds, &parts) && parts.tm_year < 8100) {
        size_t used = strftime(out, SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
        (void)snprintf(out + used, SIZE - used, ".%03dZ", (int)(at_ms % 1000));
    }
}

bool output_format_of(const struct args *args, enum output_format *out)
{
    static const char *const names[] = { "table", "json", "jsonl" };
    const char *wanted = args_value(args, "output");
    *out = OUTPUT_TABLE;
    if (!wanted) {
        return true;
    }
    for (int i = 0; i < 3; i++) {
        if (strcmp(wanted, names[i]) == 0) {
            *out = (enum output_format)i;
            return true;
        }
    }
    (void)say_usage("--output: got \"%s\", want table, json or jsonl", wanted);
    return false;
}

void output_begin(struct output *output, enum output_format format, const struct column *columns,
                  size_t column_count)
{
    *output = (struct output){ .format = format, .columns = columns, .column_count = column_count };
}

static void write_cell_json(const struct column *column, const struct cell *cell)
{
    char time_text[32];
    switch (column->kind) {
    case CELL_TEXT:
        escape_json_string(stdout, cell->text ? cell->text : "",
                           cell->text ? strlen(cell->text) : 0);
        break;
    case CELL_NUMBER:
        printf("%lld", (long long)cell->number);
        break;
    case CELL_TENTH:
        printf("%lld.%lld", (long long)cell->number / 10, (long long)cell->number % 10);
        break;
    case CELL_BOOL:
        fputs(cell->number ? "true" : "false", stdout);
        break;
    case CELL_TIME:
        output_time(time_text, cell->number);
        printf(*time_text ? "\"%s\"" : "null", time_text);
        break;
    }
}

void output_members(const struct column *columns, size_t column_count, const struct cell *cells)
{
    for (size_t i = 0; i < column_count; i++) {
        printf("%s\"%s\":", i ? "," : "", columns[i].key);
        write_cell_json(&columns[i], &cells[i]);
    }
}

/* A cell as it stands in a table; the caller frees. NULL without memory. */
static char *format_cell(const struct column *column, const struct cell *cell)
{
    char *text = NULL;
    size_t size = 0;
    char time_text[32];
    FILE *memory = open_memstream(&text, &size);
    if (!memory) {
        return NULL;
    }
    switch (column->kind) {
    case CELL_TEXT:
        escape_text(memory, cell->text && *cell->text ? cell->text : "-", false);
        break;
    case CELL_NUMBER:
        fprintf(memory, "%lld", (long long)cell->number);
        break;
    case CELL_TENTH:
        fprintf(memory, "%lld.%lld", (long long)cell->number / 10, (long long)cell->number % 10);
        break;
    case CELL_BOOL:
        fputs(cell->number ? "yes" : "no", memory);
        break;
    case CELL_TIME:
        output_time(time_text, cell->number);
        fputs(*time_text ? time_text : "-", memory);
        break;
    }
    return fclose(memory) ? NULL : text;
}

static void keep_row(struct output *output, const struct cell *cells)
{
    size_t first = output->kept * output->column_count;
    if (first + output->column_count > output->capacity) {
        size_t capacity = 2 * output->capacity + 8 * output->column_count;
        char **grown = realloc(output->cells, capacity * sizeof *grown);
        if (!grown) {
            output->failed = true;
            return;
        }
        output->cells = grown;
        output->capacity = capacity;
    }
    for (size_t i = 0; i < output->column_count; i++) {
        output->cells[first + i] =
            output->columns[i].title ? format_cell(&output->columns[i], &cells[i]) : NULL;
    }
    output->kept++;
    output->row_count++;
}

/* How many columns of a terminal the text takes, near enough: one for each code point. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static const char *cell_text(const struct output *output, size_t row, size_t column)
{
    const char *text = output->cells[row * output->column_count + column];
    return text ? text : "-";
}

static void write_padded(const struct column *column, const char *text, size_t width, bool is_last)
{
    size_t used = width_of(text);
    int padding = used < width ? (int)(width - used) : 0;
    if (column->kind == CELL_NUMBER || column->kind == CELL_TENTH) {
        printf("%*s%s%s", padding, "", text, is_last ? "\n" : "  ");
    } else if (is_last) {
        printf("%s\n", text);
    } else {
        printf("%s%*s", text, padding + 2, "");
    }
}

static size_t column_width(const struct output *output, size_t column)
{
    size_t width = strlen(output->columns[column].title);
    for (size_t row = 0; row < output->kept; row++) {
        size_t used = width_of(cell_text(output, row, column));
        width = used > width ? used : width;
    }
    return width;
}

/* Finds the widths from the rows that are kept, and writes the titles. */
static void begin_table(struct output *output)
{
    for (size_t i = 0; i < output->column_count; i++) {
        if (output->columns[i].title) {
            output->widths[i] = column_width(output, i);
            output->last = i;
        }
    }
    for (size_t i = 0; i < output->column_count; i++) {
        if (output->columns[i].title) {
            write_padded(&output->columns[i], output->columns[i].title, output->widths[i],
                         i == output->last);
        }
    }
    output->has_begun = true;
}

/* Writes the rows that are kept, and forgets them. */
static void write_rows(struct output *output)
{
    if (!output->has_begun) {
        begin_table(output);
    }
    for (size_t row = 0; row < output->kept; row++) {
        for (size_t i = 0; i < output->column_count; i++) {
            if (output->columns[i].title) {
                write_padded(&output->columns[i], cell_text(output, row, i), output->widths[i],
                             i == output->last);
            }
        }
    }
    for (size_t i = 0; output->cells && i < output->kept * output->column_count; i++) {
        free(output->cells[i]);
    }
    output->kept = 0;
}

void output_row(struct output *output, const struct cell *cells)
{
    if (output->failed) {
        return;
    }
    if (output->format == OUTPUT_TABLE) {
        keep_row(output, cells);
        if (output->has_begun || output->kept >= ROWS_AHEAD) {
            write_rows(output);
        }
        return;
    }
    if (output->format == OUTPUT_JSON) {
        fputs(output->row_count ? ",\n " : "[", stdout);
    }
    fputc('{', stdout);
    output_members(output->columns, output->column_count, cells);
    fputs(output->format == OUTPUT_JSONL ? "}\n" : "}", stdout);
    output->row_count++;
}

int output_flush(void)
{
    if (fflush(stdout) || ferror(stdout)) {
        say("standard output: can't be written");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

int output_end(struct output *output)
{
    bool failed = output->failed;
    if (output->format == OUTPUT_JSON) {
        fputs(output->row_count ? "]\n" : "[]\n", stdout);
    } else if (output->format == OUTPUT_TABLE && output->row_count) {
        write_rows(output);
    }
    free(output->cells);
    *output = (struct output){ 0 };
    if (failed) {
        say("out of memory");
        return EXIT_FAILED;
    }
    return output_flush();
}
