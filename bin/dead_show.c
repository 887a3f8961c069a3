// SPDX-License-Identifier: MIT
// DESIGN: for people a page: what it was, its errors, its headers, its body. For programs one
// object that holds everything, the body as a string when it is text, else as hex digits.
#include "dead_show.h"

#include "escape.h"

#include <json-c/json.h>
#include <string.h>

static void print_line(const char *label, const char *value)
{
    printf("%-14s ", label);
    escape_text(stdout, *value ? value : "-", false);
    fputc('\n', stdout);
}

static void print_time(const char *label, int64_t at_ms)
{
    char text[32];
    output_time(text, at_ms);
    print_line(label, text);
}

static void print_headers(const char *json)
{
    struct json_object *headers = json_tokener_parse(json);
    const char *pretty = headers ? json_object_to_json_string_ext(
                                       headers, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                    JSON_C_TO_STRING_NOSLASHESCAPE)
                                 : json;
    printf("\nHeaders:\n");
    escape_json(stdout, pretty);
    fputc('\n', stdout);
    json_object_put(headers);
}

static void print_hex(const unsigned char *data, size_t size, bool in_lines)
{
    enum { LINE = 32 };
    for (size_t i = 0; i < size; i++) {
        printf("%02x%s", data[i], in_lines && i % LINE == LINE - 1 ? "\n" : "");
    }
    if (in_lines && size % LINE) {
        fputc('\n', stdout);
    }
}

/* As text with everything escaped that could steer a terminal; the body has no NUL then. */
static void print_body(const warren_dead_letter *letter)
{
    printf("\nBody (%zu bytes):\n", letter->body_size);
    if (!escape_is_text(letter->body, letter->body_size)) {
        print_hex(letter->body, letter->body_size, true);
        return;
    }
    char *text = strndup(letter->body ? letter->body : "", letter->body_size);
    if (text) {
        escape_text(stdout, text, true);
        fputc('\n', stdout);
        free(text);
    }
}

static void print_page(const warren_dead_letter *letter)
{
    print_line("Id", letter->id);
    print_line("Type", letter->type);
    print_line("Queue", letter->queue);
    print_line("Reason", letter->reason);
    print_line("Error", letter->error);
    print_line("Group", letter->group);
    printf("%-14s %d\n%-14s %d\n", "Runs", letter->attempts, "Replays", letter->replays);
    print_time("Enqueued", letter->enqueued_ms);
    print_time("First failed", letter->first_failed_ms);
    print_time("Died", letter->died_ms);
    print_line("Content type", letter->content_type);
    if (letter->error_count) {
        printf("\nErrors:\n");
    }
    for (size_t i = 0; i < letter->error_count; i++) {
        char time_text[32];
        output_time(time_text, letter->errors[i].at_ms);
        printf("%3d  %s  ", letter->errors[i].attempt, time_text);
        escape_text(stdout, letter->errors[i].worker, false);
        fputs("  ", stdout);
        escape_text(stdout, letter->errors[i].text, false);
        fputc('\n', stdout);
    }
    print_headers(letter->headers_json);
    print_body(letter);
}

static const struct column columns[] = {
    { NULL, "id", CELL_TEXT },           { NULL, "type", CELL_TEXT },
    { NULL, "queue", CELL_TEXT },        { NULL, "reason", CELL_TEXT },
    { NULL, "error", CELL_TEXT },        { NULL, "group", CELL_TEXT },
    { NULL, "attempts", CELL_NUMBER },   { NULL, "replays", CELL_NUMBER },
    { NULL, "enqueued_at", CELL_TIME },  { NULL, "first_failed_at", CELL_TIME },
    { NULL, "died_at", CELL_TIME },      { NULL, "replayed_at", CELL_TIME },
    { NULL, "content_type", CELL_TEXT },
};

static const struct column error_columns[] = {
    { NULL, "at", CELL_TIME },
    { NULL, "attempt", CELL_NUMBER },
    { NULL, "worker", CELL_TEXT },
    { NULL, "text", CELL_TEXT },
};

/* The members that are no plain cells. */
static void write_rest(const warren_dead_letter *letter)
{
    fputs(",\"errors\":[", stdout);
    for (size_t i = 0; i < letter->error_count; i++) {
        const warren_dead_error *error = &letter->errors[i];
        fputs(i ? ",{" : "{", stdout);
        output_members(error_columns, 4,
                       (struct cell[]){ { .number = error->at_ms },
                                        { .number = error->attempt },
                                        { .text = error->worker },
                                        { .text = error->text } });
        fputc('}', stdout);
    }
    fputs("],\"headers\":", stdout);
    escape_json(stdout, letter->headers_json);
    if (escape_is_text(letter->body, letter->body_size)) {
        fputs(",\"body\":", stdout);
        escape_json_string(stdout, letter->body, letter->body_size);
    } else {
        fputs(",\"body_hex\":\"", stdout);
        print_hex(letter->body, letter->body_size, false);
        fputc('"', stdout);
    }
}

static void write_object(const warren_dead_letter *letter)
{
    fputc('{', stdout);
    output_members(columns, sizeof columns / sizeof columns[0],
                   (struct cell[]){ { .text = letter->id },
                                    { .text = letter->type },
                                    { .text = letter->queue },
                                    { .text = letter->reason },
                                    { .text = letter->error },
                                    { .text = letter->group },
                                    { .number = letter->attempts },
                                    { .number = letter->replays },
                                    { .number = letter->enqueued_ms },
                                    { .number = letter->first_failed_ms },
                                    { .number = letter->died_ms },
                                    { .number = letter->replayed_ms },
                                    { .text = letter->content_type } });
    write_rest(letter);
    fputs("}\n", stdout);
}

bool dead_show_letter(const warren_dead_letter *letter, void *user)
{
    struct dead_show *show = user;
    show->found = true;
    if (show->format == OUTPUT_TABLE) {
        print_page(letter);
    } else {
        write_object(letter);
    }
    return false;
}
