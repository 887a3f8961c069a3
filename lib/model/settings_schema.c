// SPDX-License-Identifier: MIT
// DESIGN: the table of settings once more, as a JSON Schema of what wr_settings_write writes as JSON:
// an editor that knows it explains each option and underlines a wrong one, and so can any program that
// makes or reads configurations. Draft 07, since that is what editors speak. The same walk as there:
// rows of one group stand together, queues and their job types are lists. Everything is written
// always, so everything is required, and nothing else is allowed.
#include <stdio.h>

#include "model/settings_name.h"
#include "model/settings_value.h"

struct writer {
    struct wr_text *out;
    int depth;
    bool first; /* nothing yet in this object */
};

static void begin(struct writer *writer, struct wr_slice name)
{
    wr_text_add_string(writer->out, writer->first ? "\n" : ",\n");
    wr_text_add_format(writer->out, "%*s\"%.*s\": ", writer->depth * 2, "", WR_SLICE(name));
    writer->first = false;
}

static void open_object(struct writer *writer, struct wr_slice name)
{
    begin(writer, name);
    wr_text_add_string(writer->out, "{");
    writer->depth++;
    writer->first = true;
}

static void close_object(struct writer *writer)
{
    writer->depth--;
    writer->first = false;
    wr_text_add_format(writer->out, "\n%*s}", writer->depth * 2, "");
}

static void add_quoted(struct wr_text *out, const char *text)
{
    wr_text_add_string(out, "\"");
    wr_text_add_json(out, wr_slice_of(text));
    wr_text_add_string(out, "\"");
}

/* A member that is JSON already. */
static void add_raw(struct writer *writer, const char *name, const char *json)
{
    begin(writer, wr_slice_of(name));
    wr_text_add_string(writer->out, json);
}

static void add_string(struct writer *writer, const char *name, const char *text)
{
    begin(writer, wr_slice_of(name));
    add_quoted(writer->out, text);
}

static void add_count(struct writer *writer, const char *name, size_t count)
{
    begin(writer, wr_slice_of(name));
    wr_text_add_format(writer->out, "%zu", count);
}

/* --- one option --- */

/* An option that isn't set is null; a list is empty then. */
static bool may_be_null(const struct wr_option *option)
{
    return option->fallback && !option->fallback[0] && !wr_option_is_list(option);
}

static void add_description(struct writer *writer, const struct wr_option *option)
{
    struct wr_text text = { 0 };
    wr_text_add_format(&text, "%s Takes ", option->sentence);
    wr_option_takes(option, &text);
    wr_text_add_format(&text, ". %s", wr_option_change(option));
    add_string(writer, "description", wr_text_string(&text));
    writer->out->failed |= text.failed;
    wr_text_done(&text);
}

static void add_default(struct writer *writer, const struct wr_option *option)
{
    if (!option->fallback) {
        return;
    }
    if (wr_option_is_list(option)) {
        add_raw(writer, "default", "[]");
    } else if (may_be_null(option)) {
        add_raw(writer, "default", "null");
    } else if (wr_value_is_quoted(option, option->fallback)) {
        add_string(writer, "default", option->fallback);
    } else {
        add_raw(writer, "default", option->fallback);
    }
}

/* How long a name may be: bytes there, characters here, so this is never stricter. */
static void add_string_limits(struct writer *writer, const struct wr_option *option)
{
    static const struct limit_row {
        const char *path;
        size_t least;
        size_t most;
    } limits[] = {
        { "namespace", 1, WR_NAMESPACE_MOST },
        { "queue.name", 1, WR_QUEUE_NAME_MOST },
        { "queue.exchange", 1, 255 },
        { "queue.default_type", 1, WR_TYPE_NAME_MOST },
        { "queue.jobs.type", 1, WR_TYPE_NAME_MOST },
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strcmp(limits[i].path, option->path) == 0) {
            add_count(writer, "minLength", limits[i].least);
            add_count(writer, "maxLength", limits[i].most);
        }
    }
    if (strcmp(option->path, "namespace") == 0) {
        add_string(writer, "pattern", "^[A-Za-z0-9._-]+$");
    }
}

/* "a|b" as ["a", "b"]; `with_null`: null is another. */
static void add_words(struct writer *writer, const char *words, bool with_null)
{
    begin(writer, wr_slice_of("enum"));
    wr_text_add_string(writer->out, "[");
    for (const char *at = words; *at;) {
        size_t length = strcspn(at, "|");
        wr_text_add_format(writer->out, "%s\"%.*s\"", at == words ? "" : ", ", (int)length, at);
        at += length + (at[length] ? 1 : 0);
    }
    wr_text_add_string(writer->out, with_null ? ", null]" : "]");
}

/* What wr_duration_write and wr_size_write write; JSON Schema knows no range of them. */
static void add_pattern(struct writer *writer, const struct wr_option *option)
{
    bool is_size = option->kind == WR_OPTION_SIZE;
    bool has_zero = option->least && option->least[0] == '0' && !option->choices;
    const char *units = is_size ? "B|KiB|MiB|GiB" : "ms|s|m|h|d";
    char text[96];
    (void)snprintf(text, sizeof text, "^(%s%s%s[1-9][0-9]*(%s))$",
                   option->choices ? option->choices : "", option->choices ? "|" : "",
                   !has_zero ? ""
                   : is_size ? "0B|"
                             : "0s|",
                   units);
    add_string(writer, "pattern", text);
}

static void add_range(struct writer *writer, const struct wr_option *option)
{
    add_raw(writer, "minimum", option->least);
    add_raw(writer, "maximum", option->most);
}

/* A whole number, or the word that stands for 0. */
static void add_integer(struct writer *writer, const struct wr_option *option)
{
    if (!option->choices) {
        add_raw(writer, "type", "\"integer\"");
        add_range(writer, option);
        return;
    }
    begin(writer, wr_slice_of("anyOf"));
    wr_text_add_format(writer->out,
                       "[{ \"const\": \"%s\" }, { \"type\": \"integer\", \"minimum\": %s, "
                       "\"maximum\": %s }]",
                       option->choices, option->least, option->most);
}

static void add_items(struct writer *writer, const struct wr_option *option)
{
    add_raw(writer, "type", "\"array\"");
    if (option->kind == WR_OPTION_DURATIONS) {
        add_count(writer, "maxItems", WR_RETRY_DELAYS);
    }
    open_object(writer, wr_slice_of("items"));
    add_raw(writer, "type", "\"string\"");
    if (option->kind == WR_OPTION_DURATIONS) {
        add_pattern(writer, option);
    } else {
        add_count(writer, "minLength", 1);
    }
    close_object(writer);
}

static void add_type(struct writer *writer, const struct wr_option *option)
{
    switch (option->kind) {
    case WR_OPTION_BOOL:
        add_raw(writer, "type", "\"boolean\"");
        break;
    case WR_OPTION_INT:
        add_integer(writer, option);
        break;
    case WR_OPTION_FLOAT:
        add_raw(writer, "type", "\"number\"");
        add_range(writer, option);
        break;
    case WR_OPTION_PATHS:
    case WR_OPTION_DURATIONS:
        add_items(writer, option);
        break;
    default:
        add_raw(writer, "type", may_be_null(option) ? "[\"string\", \"null\"]" : "\"string\"");
        break;
    }
    switch (option->kind) {
    case WR_OPTION_STRING:
        add_string_limits(writer, option);
        break;
    case WR_OPTION_SECRET:
        add_words(writer, "***", may_be_null(option));
        break;
    case WR_OPTION_CHOICE:
        add_words(writer, option->choices, false);
        break;
    case WR_OPTION_DURATION:
    case WR_OPTION_SIZE:
        add_pattern(writer, option);
        break;
    default:
        break;
    }
}

static void add_option(struct writer *writer, const struct wr_option *option, struct wr_slice name)
{
    open_object(writer, name);
    add_description(writer, option);
    add_type(writer, option);
    add_default(writer, option);
    close_object(writer);
}

/* --- groups --- */

static void add_group(struct writer *writer, const char *prefix);

/* A list of groups, each with the options below `prefix`. */
static void add_list(struct writer *writer, const char *name, const char *sentence, size_t most,
                     const char *prefix)
{
    open_object(writer, wr_slice_of(name));
    add_string(writer, "description", sentence);
    add_raw(writer, "type", "\"array\"");
    add_count(writer, "maxItems", most);
    open_object(writer, wr_slice_of("items"));
    add_group(writer, prefix);
    close_object(writer);
    close_object(writer);
}

/* Whether the row stands in the JSON as a member of the group, or of a group in it. What a queue file
 * has stands in the list of queues. */
static bool is_member(const struct wr_option *option, const char *prefix)
{
    if (!prefix[0]) {
        return wr_option_home(option) == WR_IN_SETTINGS && strcmp(option->path, "queues") != 0;
    }
    return strncmp(option->path, prefix, strlen(prefix)) == 0;
}

/* The next member of the group from `*cursor` on: a row, or, with a dot behind `*out_name`, a group;
 * NULL at the end. `*out_name` is the last one, empty at first. */
static const struct wr_option *next_member(const char *prefix, size_t *cursor,
                                           struct wr_slice *out_name)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    struct wr_slice before = *out_name;
    for (size_t i = *cursor; i < count; i++) {
        if (!is_member(&table[i], prefix)) {
            continue;
        }
        const char *rest = table[i].path + strlen(prefix);
        struct wr_slice name = { rest, strcspn(rest, ".") };
        if (!wr_slice_equals(name, before)) {
            *cursor = i + 1;
            *out_name = name;
            return &table[i];
        }
    }
    return NULL;
}

static void add_required(struct writer *writer, const char *prefix)
{
    size_t cursor = 0;
    struct wr_slice name = { "", 0 };
    begin(writer, wr_slice_of("required"));
    wr_text_add_string(writer->out, "[");
    for (bool is_first = true; next_member(prefix, &cursor, &name); is_first = false) {
        wr_text_add_format(writer->out, "%s\"%.*s\"", is_first ? "" : ", ", WR_SLICE(name));
    }
    wr_text_add_string(writer->out, prefix[0] ? "]" : ", \"queues\"]");
}

static void add_members(struct writer *writer, const char *prefix)
{
    size_t cursor = 0;
    struct wr_slice name = { "", 0 };
    const struct wr_option *option;
    while ((option = next_member(prefix, &cursor, &name))) {
        char inner[64];
        (void)snprintf(inner, sizeof inner, "%s%.*s.", prefix, WR_SLICE(name));
        if (option->kind == WR_OPTION_GROUPS) {
            add_list(writer, "jobs", option->sentence, WR_TYPES_MOST, inner);
        } else if (name.data[name.size]) {
            open_object(writer, name);
            add_string(writer, "description",
                       wr_settings_group((struct wr_slice){ inner, strlen(inner) - 1 }));
            add_group(writer, inner);
            close_object(writer);
        } else {
            add_option(writer, option, name);
        }
    }
    if (!prefix[0]) {
        add_list(writer, "queues", "The queues of all queue files, in the order of the files.",
                 WR_QUEUES_MOST, "queue.");
    }
}

/* Writes what makes an object of the options below `prefix`. */
static void add_group(struct writer *writer, const char *prefix)
{
    add_raw(writer, "type", "\"object\"");
    add_raw(writer, "additionalProperties", "false");
    add_required(writer, prefix);
    open_object(writer, wr_slice_of("properties"));
    add_members(writer, prefix);
    close_object(writer);
}

void wr_settings_schema(struct wr_text *out)
{
    struct writer writer = { .out = out, .depth = 1, .first = true };
    wr_text_add_string(out, "{");
    add_string(&writer, "$schema", "http://json-schema.org/draft-07/schema#");
    add_string(&writer, "title", "Warren's configuration");
    add_string(&writer, "description",
               "A configuration as it takes effect, queues and defaults included: what `warren "
               "config show -o json` prints. Written by `warren config schema`.");
    add_group(&writer, "");
    close_object(&writer);
    wr_text_add_string(out, "\n");
}
