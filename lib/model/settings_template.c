// SPDX-License-Identifier: MIT
// DESIGN: the files that `warren config init` writes, and that lie in config/, are printed from the
// table, so they can't name an option that is gone or a default that has changed. In the manner of
// redis.conf: above each option what it does, what it takes, and then the option at its default.
#include <stdio.h>

#include "model/settings_value.h"

#define COLUMNS 98

struct printer {
    struct wr_text *out;
    int depth;
};

static void indent(struct printer *printer)
{
    for (int i = 0; i < printer->depth; i++) {
        wr_text_add_string(printer->out, "    ");
    }
}

/* Writes `text` as comment lines, broken at spaces. */
static void add_comment(struct printer *printer, const char *text)
{
    size_t room = COLUMNS - (size_t)printer->depth * 4;
    for (const char *at = text; *at;) {
        size_t length = strlen(at);
        if (length > room) {
            length = room;
            while (length > 0 && at[length] != ' ') {
                length--;
            }
        }
        indent(printer);
        wr_text_add_format(printer->out, "# %.*s\n", (int)length, at);
        at += length + (at[length] ? 1 : 0);
    }
}

static void add_explanation(struct printer *printer, const struct wr_option *option)
{
    struct wr_text takes = { 0 };
    wr_option_want(option, &takes);
    wr_option_range(option, &takes);
    wr_text_add_string(&takes, option->required ? "; required." : ".");
    if (takes.size && takes.data[0] >= 'a' && takes.data[0] <= 'z') {
        takes.data[0] = (char)(takes.data[0] - 'a' + 'A');
    }
    add_comment(printer, option->sentence);
    add_comment(printer, wr_text_string(&takes));
    wr_text_done(&takes);
}

static void add_option(struct printer *printer, const struct wr_option *option)
{
    const char *dot = strrchr(option->path, '.');
    const char *name = dot ? dot + 1 : option->path;
    const char *value = option->fallback ? option->fallback : wr_option_example(option);
    bool is_list = option->kind == WR_OPTION_PATHS || option->kind == WR_OPTION_DURATIONS;
    const char *quote = !is_list && wr_value_is_quoted(option, value) ? "\"" : "";
    const char *shown = is_list ? "[]" : value; /* none of them has a default */
    add_explanation(printer, option);
    indent(printer);
    wr_text_add_format(printer->out, "%s = %s%s%s;\n", name, quote, shown, quote);
}

static void open_block(struct printer *printer, struct wr_slice name, const char *bracket)
{
    indent(printer);
    wr_text_add_format(printer->out, "%.*s%s%s\n", WR_SLICE(name), name.size ? ": " : "", bracket);
    printer->depth++;
}

static void close_block(struct printer *printer, const char *bracket)
{
    printer->depth--;
    indent(printer);
    wr_text_add_format(printer->out, "%s\n", bracket);
}

/* A group begins, whose name ends the path; a job type's stands in a list. */
static void enter(struct printer *printer, struct wr_slice path, struct wr_slice name)
{
    const char *sentence = wr_settings_group(path);
    if (sentence && !wr_slice_is(path, "queue")) {
        add_comment(printer, sentence);
    }
    if (!wr_slice_is(name, "jobs")) {
        open_block(printer, name, "{");
        return;
    }
    open_block(printer, name, "(");
    open_block(printer, (struct wr_slice){ NULL, 0 }, "{");
}

static void leave(struct printer *printer, struct wr_slice name)
{
    close_block(printer, wr_slice_is(name, "jobs") ? "}" : "};");
    if (wr_slice_is(name, "jobs")) {
        close_block(printer, ");");
    }
}

static struct wr_slice segment(const char *path, int index)
{
    for (; index > 0; index--) {
        path += strcspn(path, ".") + 1;
    }
    return (struct wr_slice){ path, strcspn(path, ".") };
}

static int depth_of(const char *path)
{
    int depth = 0;
    for (; *path; path++) {
        depth += *path == '.' ? 1 : 0;
    }
    return depth;
}

/* How many groups two paths have in common. */
static int shared_groups(const char *a, const char *b)
{
    int most = depth_of(a) < depth_of(b) ? depth_of(a) : depth_of(b);
    int shared = 0;
    while (shared < most && wr_slice_equals(segment(a, shared), segment(b, shared))) {
        shared++;
    }
    return shared;
}

/* The options of warren.cfg that most services change. */
static bool is_common(const struct wr_option *option)
{
    static const char *const paths[] = { "drain_timeout", "broker.url",      "broker.password_file",
                                         "http.listen",   "control.enabled", "log.level" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (strcmp(paths[i], option->path) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_in_template(const struct wr_option *option, enum wr_template which)
{
    bool is_queue = wr_option_home(option) != WR_IN_SETTINGS;
    if (option->kind == WR_OPTION_GROUPS || is_queue != (which == WR_TEMPLATE_QUEUE_FULL)) {
        return false;
    }
    return which != WR_TEMPLATE_MAIN_SMALL || is_common(option);
}

/* Prints the rows that belong into the file. */
static void add_rows(struct wr_text *out, enum wr_template which)
{
    struct printer printer = { out, 0 };
    int printed = 0;
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    const char *before = "";
    for (size_t i = 0; i < count; i++) {
        const char *path = table[i].path;
        if (!is_in_template(&table[i], which)) {
            continue;
        }
        int shared = shared_groups(before, path);
        for (int depth = depth_of(before); depth > shared; depth--) {
            leave(&printer, segment(before, depth - 1));
        }
        wr_text_add_string(out, printed++ ? "\n" : "");
        for (int depth = shared; depth < depth_of(path); depth++) {
            struct wr_slice name = segment(path, depth);
            enter(&printer, (struct wr_slice){ path, (size_t)(name.data + name.size - path) },
                  name);
        }
        add_option(&printer, &table[i]);
        before = path;
    }
    for (int depth = depth_of(before); depth > 0; depth--) {
        leave(&printer, segment(before, depth - 1));
    }
}

void wr_settings_template(enum wr_template which, struct wr_text *out)
{
    switch (which) {
    case WR_TEMPLATE_MAIN:
        wr_text_add_string(
            out,
            "# Warren's settings. Every option is here, explained, at its default; what you\n"
            "# delete keeps its default. `warren config check` finds mistakes, `warren config\n"
            "# show` prints what is in effect. Durations (\"500ms\", \"90s\", \"10m\", \"36h\", "
            "\"7d\") and\n"
            "# sizes (\"512B\", \"64KiB\", \"1MiB\") are texts with a unit. In every text, "
            "${env:NAME},\n"
            "# ${env:NAME:-default} and ${file:PATH} stand for what they name; $$ is a plain $.\n"
            "# An empty text means that the option isn't set.\n\n");
        add_rows(out, which);
        break;
    case WR_TEMPLATE_MAIN_SMALL:
        wr_text_add_string(
            out, "# Warren's settings: those that most services change, at their defaults. `warren "
                 "config\n"
                 "# explain` knows all others, `warren config check` finds mistakes. An empty "
                 "text\n# means that the option isn't set.\n\n");
        add_rows(out, which);
        break;
    case WR_TEMPLATE_QUEUE_FULL:
        wr_text_add_string(out,
                           "# A queue file with every option explained, at its default where it "
                           "has one. What\n"
                           "# you delete keeps its default.\n\n");
        add_rows(out, which);
        break;
    case WR_TEMPLATE_QUEUE:
        wr_text_add_string(
            out,
            "# A queue and the job types that are taken from it. All other options have their\n"
            "# defaults: see `warren config explain queue`.\n"
            "queue: {\n"
            "    name = \"emails\";\n"
            "    jobs: (\n"
            "        { type = \"email.welcome\"; concurrency = 8; timeout = \"30s\"; },\n"
            "        { type = \"email.digest\"; concurrency = 2; }\n"
            "    );\n"
            "};\n");
        break;
    }
}
