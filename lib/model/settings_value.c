// SPDX-License-Identifier: MIT
// DESIGN: the one place that knows how each kind of option is written, and how it lies in memory.
// The row of the table says kind, offset and width; a CHOICE is kept as its word, as an enum or as
// a bool, whichever the field's width says. Numbers are read and written without the C locale,
// which belongs to the program that links us.
#include "model/settings_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct size_unit {
    const char *name;
    int64_t bytes;
} size_units[] = {
    { "GiB", INT64_C(1) << 30 },
    { "MiB", INT64_C(1) << 20 },
    { "KiB", INT64_C(1) << 10 },
    { "GB", 1000000000 },
    { "MB", 1000000 },
    { "kB", 1000 },
    { "B", 1 },
};

bool wr_size_parse(struct wr_slice text, int64_t *out_bytes)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    struct wr_slice unit = { text.data + digits, text.size - digits };
    int64_t number = 0;
    if (!digits || !wr_slice_to_int((struct wr_slice){ text.data, digits }, &number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof size_units / sizeof size_units[0]; i++) {
        if (wr_slice_is(unit, size_units[i].name)) {
            return !__builtin_mul_overflow(number, size_units[i].bytes, out_bytes);
        }
    }
    return false;
}

void wr_size_write(int64_t bytes, struct wr_text *out)
{
    for (size_t i = 0; i < sizeof size_units / sizeof size_units[0]; i++) {
        bool is_binary = strlen(size_units[i].name) != 2;
        if (is_binary && bytes % size_units[i].bytes == 0 && (bytes || size_units[i].bytes == 1)) {
            wr_text_add_format(out, "%lld%s", (long long)(bytes / size_units[i].bytes),
                               size_units[i].name);
            return;
        }
    }
}

/* Reads "2", "2.5" or "-0.1", whatever the locale says. */
static bool parse_real(const char *text, double *out)
{
    bool negative = text[0] == '-';
    const char *at = text + (negative ? 1 : 0);
    double value = 0;
    double scale = 1;
    bool any = false;
    bool fraction = false;
    for (; *at; at++) {
        if (*at == '.' && !fraction && any) {
            fraction = true;
            continue;
        }
        if (*at < '0' || *at > '9') {
            return false;
        }
        value = value * 10 + (*at - '0');
        scale *= fraction ? 10 : 1;
        any = true;
    }
    value /= scale;
    *out = negative ? -value : value;
    return any && isfinite(*out);
}

static void write_real(double real, struct wr_text *out)
{
    char digits[64];
    (void)snprintf(digits, sizeof digits, "%.15g", real);
    if (real < 1 && strchr(digits, 'e')) { /* an exponent, which is not read again */
        (void)snprintf(digits, sizeof digits, "%.15f", real);
    }
    bool is_whole = true;
    for (char *at = digits; *at; at++) {
        if (*at == ',') {
            *at = '.'; /* the program's locale */
        }
        is_whole &= *at != '.' && *at != 'e';
    }
    wr_text_add_format(out, "%s%s", digits, is_whole ? ".0" : "");
}

bool wr_choice_find(const char *choices, const char *text, int64_t *out_index)
{
    int64_t index = 0;
    for (const char *at = choices; at; index++) {
        size_t length = strcspn(at, "|");
        if (wr_slice_is((struct wr_slice){ at, length }, text)) {
            *out_index = index;
            return true;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return false;
}

static struct wr_slice choice_at(const char *choices, int64_t index)
{
    const char *at = choices;
    for (; index > 0; index--) {
        at += strcspn(at, "|") + 1;
    }
    return (struct wr_slice){ at, strcspn(at, "|") };
}

static bool parse_number(const struct wr_option *option, const char *text, int64_t *out)
{
    struct wr_slice slice = wr_slice_of(text);
    if (option->choices && strcmp(text, option->choices) == 0) {
        *out = 0;
        return true;
    }
    switch (option->kind) {
    case WR_OPTION_DURATION:
    case WR_OPTION_DURATIONS:
        return wr_duration_parse(slice, out);
    case WR_OPTION_SIZE:
        return wr_size_parse(slice, out);
    default:
        return wr_slice_to_int(slice, out);
    }
}

bool wr_value_parse(const struct wr_option *option, const char *text, struct wr_value *out)
{
    struct wr_value value = { .text = text };
    bool ok = true;
    switch (option->kind) {
    case WR_OPTION_BOOL:
        ok = wr_choice_find("false|true", text, &value.number);
        break;
    case WR_OPTION_CHOICE:
        ok = wr_choice_find(option->choices, text, &value.number);
        break;
    case WR_OPTION_FLOAT:
        ok = parse_real(text, &value.real);
        break;
    case WR_OPTION_INT:
    case WR_OPTION_DURATION:
    case WR_OPTION_DURATIONS:
    case WR_OPTION_SIZE:
        ok = parse_number(option, text, &value.number);
        break;
    default:
        break;
    }
    if (ok) {
        *out = value;
    }
    return ok;
}

bool wr_value_fits(const struct wr_option *option, const struct wr_value *value)
{
    struct wr_value least = { .number = INT64_MIN, .real = -INFINITY };
    struct wr_value most = { .number = INT64_MAX, .real = INFINITY };
    if (option->choices && option->kind != WR_OPTION_CHOICE && value->number == 0) {
        return true; /* its word */
    }
    if (option->least) {
        (void)wr_value_parse(option, option->least, &least);
    }
    if (option->most) {
        (void)wr_value_parse(option, option->most, &most);
    }
    if (option->kind == WR_OPTION_FLOAT) {
        return value->real >= least.real && value->real <= most.real;
    }
    return value->number >= least.number && value->number <= most.number;
}

static bool store_string(char **field, const char *text)
{
    char *copy = NULL;
    if (text && text[0]) {
        copy = wr_slice_copy(wr_slice_of(text));
        if (!copy) {
            return false;
        }
    }
    free(*field);
    *field = copy;
    return true;
}

bool wr_option_is_string(const struct wr_option *option)
{
    return option->kind == WR_OPTION_STRING || option->kind == WR_OPTION_SECRET ||
           option->kind == WR_OPTION_PATH ||
           (option->kind == WR_OPTION_CHOICE && option->width == sizeof(char *));
}

bool wr_value_store(const struct wr_option *option, void *base, const struct wr_value *value)
{
    void *field = (char *)base + option->offset;
    if (wr_option_is_string(option)) {
        return store_string(field, value->text);
    }
    if (option->kind == WR_OPTION_FLOAT) {
        *(double *)field = value->real;
    } else if (option->width == sizeof(bool)) {
        *(bool *)field = value->number != 0;
    } else if (option->width == sizeof(int)) {
        *(int *)field = (int)value->number; /* enums, too; the ranges of all fit */
    } else {
        *(int64_t *)field = value->number;
    }
    return true;
}

void wr_value_load(const struct wr_option *option, const void *base, struct wr_value *out)
{
    const void *field = (const char *)base + option->offset;
    *out = (struct wr_value){ 0 };
    if (wr_option_is_string(option)) {
        out->text = *(char *const *)field;
    } else if (option->kind == WR_OPTION_FLOAT) {
        out->real = *(const double *)field;
    } else if (option->width == sizeof(bool)) {
        out->number = *(const bool *)field;
    } else if (option->width == sizeof(int)) {
        out->number = *(const int *)field;
    } else {
        out->number = *(const int64_t *)field;
    }
}

static void write_number(const struct wr_option *option, int64_t number, struct wr_text *out)
{
    char duration[32];
    if (option->choices && number == 0) {
        wr_text_add_string(out, option->choices);
    } else if (option->kind == WR_OPTION_SIZE) {
        wr_size_write(number, out);
    } else if (option->kind == WR_OPTION_INT) {
        wr_text_add_format(out, "%lld", (long long)number);
    } else {
        wr_text_add_string(out, wr_duration_write(duration, sizeof duration, number));
    }
}

void wr_value_write(const struct wr_option *option, const struct wr_value *value,
                    struct wr_text *out)
{
    if (wr_option_is_string(option)) {
        wr_text_add_string(out, value->text ? value->text : "");
    } else if (option->kind == WR_OPTION_FLOAT) {
        write_real(value->real, out);
    } else if (option->kind == WR_OPTION_BOOL) {
        wr_text_add_string(out, value->number ? "true" : "false");
    } else if (option->kind == WR_OPTION_CHOICE) {
        struct wr_slice word = choice_at(option->choices, value->number);
        wr_text_add(out, word.data, word.size);
    } else {
        write_number(option, value->number, out);
    }
}

bool wr_value_is_quoted(const struct wr_option *option, const char *text)
{
    switch (option->kind) {
    case WR_OPTION_BOOL:
    case WR_OPTION_FLOAT:
        return false;
    case WR_OPTION_INT:
        return option->choices && strcmp(text, option->choices) == 0;
    default:
        return true;
    }
}

/* Appends "\"a\", \"b\"". */
static void add_choices(const char *choices, struct wr_text *out)
{
    for (const char *at = choices; at;) {
        size_t length = strcspn(at, "|");
        wr_text_add_format(out, "\"%.*s\"", (int)length, at);
        at = at[length] ? at + length + 1 : NULL;
        wr_text_add_string(out, at ? ", " : "");
    }
}

bool wr_option_is_list(const struct wr_option *option)
{
    return option->kind == WR_OPTION_PATHS || option->kind == WR_OPTION_DURATIONS ||
           option->kind == WR_OPTION_GROUPS;
}

const char *wr_option_kind_name(const struct wr_option *option)
{
    static const char *const names[] = {
        [WR_OPTION_STRING] = "string",
        [WR_OPTION_SECRET] = "secret",
        [WR_OPTION_BOOL] = "boolean",
        [WR_OPTION_INT] = "whole number",
        [WR_OPTION_FLOAT] = "number",
        [WR_OPTION_DURATION] = "duration",
        [WR_OPTION_SIZE] = "size",
        [WR_OPTION_CHOICE] = "choice",
        [WR_OPTION_PATH] = "path",
        [WR_OPTION_PATHS] = "list of paths",
        [WR_OPTION_DURATIONS] = "list of durations",
        [WR_OPTION_GROUPS] = "list of groups",
    };
    return names[option->kind];
}

const char *wr_option_units(const struct wr_option *option)
{
    switch (option->kind) {
    case WR_OPTION_DURATION:
    case WR_OPTION_DURATIONS:
        return "ms, s, m, h, d";
    case WR_OPTION_SIZE:
        return "B, kB, KiB, MB, MiB, GB, GiB";
    default:
        return NULL;
    }
}

void wr_option_want(const struct wr_option *option, struct wr_text *out)
{
    static const char *const wants[] = {
        [WR_OPTION_STRING] = "a string in quotes",
        [WR_OPTION_SECRET] = "a string in quotes",
        [WR_OPTION_BOOL] = "true or false",
        [WR_OPTION_INT] = "a whole number",
        [WR_OPTION_FLOAT] = "a number such as 1.5",
        [WR_OPTION_DURATION] = "a duration such as \"90s\" or \"2m\"",
        [WR_OPTION_SIZE] = "a size such as \"64KiB\" or \"1MiB\"",
        [WR_OPTION_PATH] = "a path in quotes",
        [WR_OPTION_PATHS] = "a list of paths such as [\"a.so\", \"b.so\"]",
        [WR_OPTION_DURATIONS] = "a list of durations such as [\"5s\", \"1m\"]",
        [WR_OPTION_GROUPS] = "a list of groups such as ( { type = \"email\"; } )",
    };
    if (option->kind == WR_OPTION_CHOICE) {
        wr_text_add_string(out, "one of ");
        add_choices(option->choices, out);
        return;
    }
    wr_text_add_string(out, wants[option->kind]);
}

void wr_option_range(const struct wr_option *option, struct wr_text *out)
{
    if (option->least && option->most) {
        wr_text_add_format(out, ", from %s to %s", option->least, option->most);
    }
    if (option->choices && option->kind != WR_OPTION_CHOICE) {
        wr_text_add_string(out, ", or ");
        add_choices(option->choices, out);
    }
}
