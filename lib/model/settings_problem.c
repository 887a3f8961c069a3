// SPDX-License-Identifier: MIT
// DESIGN: a person who mends a configuration wants to see everything that is wrong in one go, in
// the form that editors jump to: "file:line: path: text". So reading never stops at a problem; it
// adds one here and goes on with the default.
#include "model/settings_problem.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

static char *copy(const char *text)
{
    return wr_slice_copy(wr_slice_of(text ? text : ""));
}

static bool make_room(struct wr_problems *problems)
{
    size_t length = problems->length;
    if (length & (length - 1)) {
        return true; /* the capacity is the next power of two */
    }
    size_t capacity = length ? length * 2 : 1;
    struct wr_problem *items = realloc(problems->items, capacity * sizeof *items);
    if (items) {
        problems->items = items;
    }
    return items != NULL;
}

static void add(struct wr_problems *problems, const struct wr_place *place, char *text,
                bool is_note)
{
    problems->errors += is_note ? 0 : 1;
    if (problems->length >= WR_PROBLEMS_MOST) {
        problems->dropped++;
        free(text);
        return;
    }
    if (!text || !make_room(problems)) {
        problems->failed = true;
        free(text);
        return;
    }
    struct wr_problem *problem = &problems->items[problems->length++];
    *problem = (struct wr_problem){ .file = copy(place->file),
                                    .line = place->line,
                                    .path = copy(place->path),
                                    .text = text,
                                    .is_note = is_note };
    problems->failed |= !problem->file || !problem->path;
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
    char *raw = NULL;
    if (vasprintf(&raw, format, args) < 0) {
        return NULL;
    }
    size_t size = 4 * strlen(raw) + 8; /* a byte may become \xNN */
    char *text = malloc(size);
    if (text) {
        (void)wr_text_show(text, size, wr_slice_of(raw), false);
    }
    free(raw);
    return text;
}

void wr_problem_error(struct wr_problems *problems, const struct wr_place *place,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, place, format_text(format, args), false);
    va_end(args);
}

bool wr_problem_is_told(const struct wr_problems *problems, const struct wr_place *place)
{
    for (size_t i = 0; i < problems->length; i++) {
        const struct wr_problem *told = &problems->items[i];
        if (!told->is_note && told->line == place->line && told->file && told->path &&
            strcmp(told->path, place->path ? place->path : "") == 0 &&
            strcmp(told->file, place->file ? place->file : "") == 0) {
            return true;
        }
    }
    return false;
}

void wr_problem_note(struct wr_problems *problems, const struct wr_place *place, const char *format,
                     ...)
{
    va_list args;
    va_start(args, format);
    add(problems, place, format_text(format, args), true);
    va_end(args);
}

void wr_problem_write(const struct wr_problem *problem, struct wr_text *out)
{
    const char *file = problem->file && problem->file[0] ? problem->file : "defaults";
    wr_text_add_string(out, file);
    if (problem->line > 0) {
        wr_text_add_format(out, ":%d", problem->line);
    }
    wr_text_add_string(out, problem->is_note ? ": note: " : ": ");
    if (problem->path && problem->path[0]) {
        wr_text_add_format(out, "%s: ", problem->path);
    }
    wr_text_add_string(out, problem->text ? problem->text : "");
}

warren_status wr_problems_fail(const struct wr_problems *problems, warren_error *err)
{
    enum { ROOM_FOR_MORE = 40 };
    struct wr_text text = { 0 };
    size_t told = 0;
    for (size_t i = 0; i < problems->length; i++) {
        size_t before = text.size;
        if (problems->items[i].is_note) {
            continue;
        }
        wr_text_add_string(&text, told ? "\n" : "");
        wr_problem_write(&problems->items[i], &text);
        if (told && text.size + ROOM_FOR_MORE > sizeof err->text) {
            text.size = before;
            text.data[before] = '\0';
            break;
        }
        told++;
    }
    if (told < problems->errors) {
        size_t more = problems->errors - told;
        wr_text_add_format(&text, "\nand %zu more error%s", more, more == 1 ? "" : "s");
    }
    warren_status status = wr_fail(err, WARREN_CONFIG, "%s", wr_text_string(&text));
    wr_text_done(&text);
    return status;
}

void wr_problems_done(struct wr_problems *problems)
{
    for (size_t i = 0; i < problems->length; i++) {
        free(problems->items[i].file);
        free(problems->items[i].path);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct wr_problems){ 0 };
}
