// SPDX-License-Identifier: MIT
// DESIGN: effective settings, as text that loads again to the same settings, or as one JSON object.
// Both forms have the same tree, so one walk over the table writes either; a small writer knows the
// commas and the quotes. Secrets are "***", passwords in URLs as well.
#include <stdio.h>

#include "model/redact.h"
#include "model/settings_value.h"

struct writer {
    struct wr_text *out;
    bool json;
    bool first; /* nothing yet in this group or list */
    int depth;
};

static void indent(struct writer *writer)
{
    if (writer->json && !writer->first) {
        wr_text_add_string(writer->out, ",");
    }
    if (writer->out->size) {
        wr_text_add_string(writer->out, "\n");
    }
    for (int i = 0; i < writer->depth; i++) {
        wr_text_add_string(writer->out, "    ");
    }
    writer->first = false;
}

/* Begins an entry; `name` NULL: a member of a list. */
static void begin(struct writer *writer, struct wr_slice name, bool is_scalar)
{
    indent(writer);
    if (!name.size) {
        return;
    }
    if (writer->json) {
        wr_text_add_format(writer->out, "\"%.*s\": ", WR_SLICE(name));
    } else {
        wr_text_add_format(writer->out, "%.*s%s", WR_SLICE(name), is_scalar ? " = " : ": ");
    }
}

static void open_block(struct writer *writer, struct wr_slice name, const char *bracket)
{
    begin(writer, name, false);
    wr_text_add_string(writer->out, bracket);
    writer->depth++;
    writer->first = true;
}

static void close_block(struct writer *writer, const char *bracket, const char *end)
{
    writer->depth--;
    writer->first = true; /* no comma before a bracket */
    indent(writer);
    wr_text_add_string(writer->out, bracket);
    wr_text_add_string(writer->out, writer->json ? "" : end);
}

/* libconfig's quotes; '$' is doubled where it would be expanded. */
static void add_libconfig_string(struct wr_text *out, const char *text)
{
    wr_text_add_string(out, "\"");
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\') {
            wr_text_add_format(out, "\\%c", *at);
        } else if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            wr_text_add_format(out, "\\x%02x", (unsigned)(unsigned char)*at);
        } else if (*at == '$') {
            wr_text_add_string(out, "$$");
        } else {
            wr_text_add(out, at, 1);
        }
    }
    wr_text_add_string(out, "\"");
}

static void add_string(struct writer *writer, const char *text)
{
    if (!writer->json) {
        add_libconfig_string(writer->out, text);
        return;
    }
    wr_text_add_string(writer->out, "\"");
    wr_text_add_json(writer->out, wr_slice_of(text));
    wr_text_add_string(writer->out, "\"");
}

static bool is_url(const struct wr_option *option)
{
    return strcmp(option->path, "broker.url") == 0 ||
           strcmp(option->path, "broker.management_url") == 0;
}

void wr_value_show(const struct wr_option *option, const void *base, struct wr_text *out)
{
    struct wr_value value;
    wr_value_load(option, base, &value);
    if (option->kind == WR_OPTION_SECRET) {
        wr_text_add_string(out, value.text ? "***" : "");
    } else if (is_url(option)) {
        wr_settings_redact_url(value.text, out);
    } else {
        wr_value_write(option, &value, out);
    }
}

static void add_value(struct writer *writer, const struct wr_option *option, const void *base)
{
    struct wr_value value;
    struct wr_text text = { 0 };
    wr_value_load(option, base, &value);
    bool is_unset = option->fallback && !option->fallback[0] && !value.text;
    wr_value_show(option, base, &text);
    if (is_unset && writer->json) {
        wr_text_add_string(writer->out, "null");
    } else if (wr_value_is_quoted(option, wr_text_string(&text))) {
        add_string(writer, wr_text_string(&text));
    } else {
        wr_text_add_string(writer->out, wr_text_string(&text));
    }
    writer->out->failed |= text.failed;
    wr_text_done(&text);
}

static void add_durations(struct writer *writer, const struct wr_retry_policy *policy)
{
    char text[32];
    wr_text_add_string(writer->out, "[");
    for (int i = 0; i < policy->delay_count; i++) {
        wr_text_add_string(writer->out, i ? ", " : "");
        add_string(writer, wr_duration_write(text, sizeof text, policy->delays_ms[i]));
    }
    wr_text_add_string(writer->out, "]");
}

static void add_paths(struct writer *writer, const struct wr_settings *settings)
{
    wr_text_add_string(writer->out, "[");
    for (size_t i = 0; i < settings->plugin_count; i++) {
        wr_text_add_string(writer->out, i ? ", " : "");
        add_string(writer, settings->plugins[i]);
    }
    wr_text_add_string(writer->out, "]");
}

static void add_option(struct writer *writer, const struct wr_option *option, const void *base)
{
    const char *dot = strrchr(option->path, '.');
    begin(writer, wr_slice_of(dot ? dot + 1 : option->path), true);
    if (option->kind == WR_OPTION_DURATIONS) {
        add_durations(writer, (const struct wr_retry_policy *)(const void *)((const char *)base +
                                                                             option->offset));
    } else if (option->kind == WR_OPTION_PATHS) {
        add_paths(writer, base);
    } else {
        add_value(writer, option, base);
    }
    if (!writer->json) {
        wr_text_add_string(writer->out, ";");
    }
}

/* Writes the options directly below `prefix`, and the groups below it: rows of one group stand
 * together, so a group ends where the next row does not begin with its path. */
static void add_group(struct writer *writer, const char *prefix, const char *without,
                      const void *base)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    size_t length = strlen(prefix);
    for (size_t i = 0; i < count;) {
        const char *rest = table[i].path + length;
        bool is_below = strncmp(table[i].path, prefix, length) == 0;
        bool is_left = without && is_below && strncmp(rest, without, strlen(without)) == 0;
        const char *dot = is_below && !is_left ? strchr(rest, '.') : NULL;
        if (is_below && !is_left && !dot) {
            add_option(writer, &table[i], base);
        } else if (dot) {
            char inner[64];
            (void)snprintf(inner, sizeof inner, "%.*s.", (int)(dot - table[i].path), table[i].path);
            open_block(writer, (struct wr_slice){ rest, (size_t)(dot - rest) }, "{");
            add_group(writer, inner, NULL, base);
            close_block(writer, "}", ";");
            while (i < count && strncmp(table[i].path, inner, strlen(inner)) == 0) {
                i++;
            }
            continue;
        }
        i++;
    }
}

static void add_queue(struct writer *writer, const struct wr_queue_settings *queue, bool is_last)
{
    static const struct wr_slice nameless = { NULL, 0 };
    open_block(writer, nameless, "{");
    add_group(writer, "queue.", "jobs", queue);
    open_block(writer, wr_slice_of("jobs"), writer->json ? "[" : "(");
    for (size_t i = 0; i < queue->job_count; i++) {
        open_block(writer, nameless, "{");
        add_group(writer, "queue.jobs.", NULL, &queue->jobs[i]);
        close_block(writer, "}", i + 1 < queue->job_count ? "," : "");
    }
    close_block(writer, writer->json ? "]" : ")", ";");
    close_block(writer, "}", is_last ? "" : ",");
}

static void add_queues(struct writer *writer, const struct wr_settings *settings)
{
    if (settings->takes_all && !writer->json) {
        wr_text_add_string(
            writer->out, "\n# The queue 'default' takes every type that gets a handler, as long as "
                         "there is no file.\nqueues: ( );");
        return;
    }
    open_block(writer, wr_slice_of("queues"), writer->json ? "[" : "(");
    for (size_t i = 0; i < settings->queue_count; i++) {
        add_queue(writer, &settings->queues[i], i + 1 == settings->queue_count);
    }
    close_block(writer, writer->json ? "]" : ")", ";");
}

void wr_settings_write(const struct wr_settings *settings, bool as_json, struct wr_text *out)
{
    struct writer writer = { .out = out, .json = as_json, .first = true };
    if (as_json) {
        open_block(&writer, (struct wr_slice){ NULL, 0 }, "{");
    }
    add_group(&writer, "", "queue", settings);
    add_queues(&writer, settings);
    if (as_json) {
        close_block(&writer, "}", "");
    }
    wr_text_add_string(out, "\n");
}
