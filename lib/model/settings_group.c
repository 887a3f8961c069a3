// SPDX-License-Identifier: MIT
// DESIGN: reads a group of libconfig by the table: the path of a key finds its row, the row says
// what the value must be and where it goes. libconfig's own look-ups are never used, since they
// turn a value of the wrong type into 0 without a word; the type of each setting is looked at
// instead. A value that is wrong is reported and the default stays, so that the rest can be checked
// as well.
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/settings_read.h"
#include "model/settings_value.h"

const char *wr_settings_join(char out[WR_CONFIG_PATH_SIZE], const char *prefix, const char *name)
{
    (void)snprintf(out, WR_CONFIG_PATH_SIZE, "%.120s%s%.120s", prefix, prefix[0] ? "." : "", name);
    return out;
}

/* The name of the option or group directly below `prefix` that the row belongs to; empty: none. */
static struct wr_slice member_of(const struct wr_option *option, const char *prefix)
{
    size_t length = strlen(prefix);
    const char *rest = option->path;
    if (length) {
        if (strncmp(rest, prefix, length) != 0 || rest[length] != '.') {
            return (struct wr_slice){ NULL, 0 };
        }
        rest += length + 1;
    }
    return (struct wr_slice){ rest, strcspn(rest, ".") };
}

/* The word that the user may have meant by `name` below `prefix`; false when none is near. */
static bool find_near(const char *prefix, const char *name, struct wr_slice *out)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    size_t best = 2 + strlen(name) / 4;
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        char candidate[64];
        struct wr_slice member = member_of(&table[i], prefix);
        (void)snprintf(candidate, sizeof candidate, "%.*s", WR_SLICE(member));
        size_t distance = wr_text_distance(name, candidate);
        if (member.size && distance < best && distance < member.size) {
            best = distance;
            *out = member;
            found = true;
        }
    }
    return found;
}

/* The row elsewhere whose last word is `name`; the one nearest to `prefix` when there are several.
 */
static const struct wr_option *find_elsewhere(const char *prefix, const char *name)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    const struct wr_option *found = NULL;
    size_t best = 0;
    for (size_t i = 0; i < count; i++) {
        const char *dot = strrchr(table[i].path, '.');
        size_t shared = 0;
        while (prefix[shared] && prefix[shared] == table[i].path[shared]) {
            shared++;
        }
        if (strcmp(dot ? dot + 1 : table[i].path, name) == 0 && (!found || shared > best)) {
            found = &table[i];
            best = shared;
        }
    }
    return found;
}

static void report_unknown(struct wr_reader *reader, const struct wr_place *place,
                           const char *prefix, const char *name)
{
    struct wr_slice near;
    const struct wr_option *elsewhere = find_elsewhere(prefix, name);
    if (elsewhere) {
        wr_problem_error(reader->problems, place, "unknown key here, did you mean %s?",
                         elsewhere->path);
    } else if (find_near(prefix, name, &near)) {
        wr_problem_error(reader->problems, place, "unknown key, did you mean '%.*s'?",
                         WR_SLICE(near));
    } else {
        wr_problem_error(reader->problems, place, "unknown key; see `warren config explain%s%s`",
                         prefix[0] ? " " : "", prefix);
    }
}

static void report_wrong(struct wr_reader *reader, const struct wr_option *option,
                         const struct wr_place *place, const char *got)
{
    struct wr_text want = { 0 };
    struct wr_option wanted = *option;
    if (place->path[0] && place->path[strlen(place->path) - 1] == ']') { /* one of a list */
        wanted.kind = option->kind == WR_OPTION_PATHS ? WR_OPTION_PATH : WR_OPTION_DURATION;
    }
    wr_option_want(&wanted, &want);
    if (option->choices) {
        wr_option_range(option, &want);
    }
    wr_problem_error(reader->problems, place, "got %s, want %s", got, wr_text_string(&want));
    wr_text_done(&want);
}

/* What was written, for messages: quoted and cut; a secret, or what came from outside, is not
 * shown. */
static const char *shown_text(char *out, size_t size, const struct wr_option *option,
                              const char *text, bool from_outside)
{
    if (option->kind == WR_OPTION_SECRET) {
        (void)snprintf(out, size, "a text that is not shown");
    } else if (from_outside) {
        (void)snprintf(out, size, "what %.60s stands for", text);
    } else {
        (void)snprintf(out, size, "\"%.60s\"", text);
    }
    return out;
}

static void store(struct wr_reader *reader, const struct wr_option *option,
                  const struct wr_place *place, const struct wr_value *value, const char *got,
                  void *base)
{
    if (!wr_value_fits(option, value)) {
        struct wr_text range = { 0 };
        wr_option_range(option, &range);
        const char *want = wr_text_string(&range);
        wr_problem_error(reader->problems, place, "got %s, want %s", got,
                         want + strspn(want, ", "));
        wr_text_done(&range);
        return;
    }
    if (option->kind == WR_OPTION_DURATIONS) {
        struct wr_retry_policy *policy =
            (struct wr_retry_policy *)(void *)((char *)base + option->offset);
        policy->delays_ms[policy->delay_count++] = value->number;
    } else if (!wr_value_store(option, base, value)) {
        reader->no_memory = true;
    }
}

/* Makes a path absolute, so that it holds wherever it is used later. False without memory. */
static bool resolve_path(const struct wr_reader *reader, struct wr_text *text)
{
    if (!text->size || text->data[0] == '/') {
        return true;
    }
    char *folder = realpath(reader->folder, NULL);
    struct wr_text full = { 0 };
    wr_text_add_format(&full, "%s/%s", folder ? folder : reader->folder, text->data);
    free(folder);
    wr_text_done(text);
    *text = full;
    return !full.failed;
}

static bool is_text_kind(const struct wr_option *option)
{
    return option->kind == WR_OPTION_STRING || option->kind == WR_OPTION_SECRET ||
           option->kind == WR_OPTION_PATH || option->kind == WR_OPTION_PATHS;
}

/* What can be said against a string that stands for a text. */
static const char *text_problem(const struct wr_option *option, struct wr_slice text)
{
    bool is_needed = option->required || (option->fallback && option->fallback[0]);
    if (!text.size && (is_needed || option->kind == WR_OPTION_PATHS)) {
        return "must not be empty";
    }
    if (option->kind != WR_OPTION_SECRET && !wr_text_is_utf8(text)) {
        return "not UTF-8";
    }
    return NULL;
}

static void store_expanded(struct wr_reader *reader, const struct wr_option *option,
                           const struct wr_place *place, const char *text,
                           struct wr_expansion *expansion, void *base)
{
    char got[128];
    (void)shown_text(got, sizeof got, option, text, expansion->secret);
    int64_t word;
    bool is_word =
        expansion->text.size && wr_choice_find(option->choices, expansion->text.data, &word);
    bool is_path = option->kind == WR_OPTION_PATH || option->kind == WR_OPTION_PATHS;
    if (is_path && !is_word) {
        reader->no_memory |= !resolve_path(reader, &expansion->text);
    }
    struct wr_slice expanded = { expansion->text.data, expansion->text.size };
    const char *problem = is_text_kind(option) ? text_problem(option, expanded) : NULL;
    struct wr_value value;
    bool is_unquoted = !is_text_kind(option) && !wr_value_is_quoted(option, expanded.data);
    if (problem) {
        wr_problem_error(reader->problems, place, "%s", problem);
    } else if (!wr_value_parse(option, expanded.data, &value) ||
               (is_unquoted && !expansion->any && place->line > 0)) {
        report_wrong(reader, option, place, got);
    } else if (option->kind == WR_OPTION_PATHS) {
        reader->settings->plugins[reader->settings->plugin_count++] =
            wr_text_take(&expansion->text);
    } else {
        store(reader, option, place, &value, got, base);
    }
}

void wr_settings_read_text(struct wr_reader *reader, const struct wr_option *option,
                           const struct wr_place *place, const char *text, void *base)
{
    struct wr_expansion expansion;
    wr_settings_expand(text, reader->folder, &expansion);
    if (expansion.text.failed) {
        reader->no_memory = true;
    } else if (expansion.problem[0]) {
        wr_problem_error(reader->problems, place, "%s", expansion.problem);
    } else {
        store_expanded(reader, option, place, text, &expansion, base);
    }
    wr_expansion_done(&expansion);
}

/* --- settings that are no strings --- */

/* Writes a number or truth value as text; false for groups and lists. */
static bool scalar_text(char *out, size_t size, config_setting_t *node)
{
    switch (config_setting_type(node)) {
    case CONFIG_TYPE_INT:
        (void)snprintf(out, size, "%d", config_setting_get_int(node));
        return true;
    case CONFIG_TYPE_INT64:
        (void)snprintf(out, size, "%lld", config_setting_get_int64(node));
        return true;
    case CONFIG_TYPE_FLOAT:
        (void)snprintf(out, size, "%.15g", config_setting_get_float(node));
        return true;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(out, size, "%s", config_setting_get_bool(node) ? "true" : "false");
        return true;
    default:
        (void)snprintf(out, size, "%s", config_setting_is_group(node) ? "a group" : "a list");
        return false;
    }
}

/* Whether a setting of this type may stand for the option without quotes. */
static bool type_suits(const struct wr_option *option, int type)
{
    switch (option->kind) {
    case WR_OPTION_BOOL:
        return type == CONFIG_TYPE_BOOL;
    case WR_OPTION_INT:
        return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
    case WR_OPTION_FLOAT:
        return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64 || type == CONFIG_TYPE_FLOAT;
    default:
        return false;
    }
}

/* A number that is too large was told by the lexer: what became of it is no news. */
static void read_scalar(struct wr_reader *reader, const struct wr_option *option,
                        const struct wr_place *place, config_setting_t *node, void *base)
{
    if (wr_problem_is_told(reader->problems, place)) {
        return;
    }
    char text[64];
    struct wr_value value = { 0 };
    int type = config_setting_type(node);
    bool is_scalar = scalar_text(text, sizeof text, node);
    if (!is_scalar || !type_suits(option, type)) {
        report_wrong(reader, option, place, text);
        return;
    }
    if (type == CONFIG_TYPE_FLOAT) {
        value.real = config_setting_get_float(node);
    } else if (type == CONFIG_TYPE_BOOL) {
        value.number = config_setting_get_bool(node);
    } else {
        value.number =
            type == CONFIG_TYPE_INT ? config_setting_get_int(node) : config_setting_get_int64(node);
        value.real = (double)value.number;
    }
    /* 0 stands for the word of `choices` and is then said by the word only */
    if (option->kind == WR_OPTION_INT && option->choices && value.number == 0) {
        report_wrong(reader, option, place, text);
        return;
    }
    store(reader, option, place, &value, text, base);
}

static bool prepare_list(struct wr_reader *reader, const struct wr_option *option, int length,
                         void *base)
{
    if (option->kind == WR_OPTION_DURATIONS) {
        ((struct wr_retry_policy *)(void *)((char *)base + option->offset))->delay_count = 0;
        return true;
    }
    reader->settings->plugins = calloc((size_t)length + 1, sizeof(char *));
    reader->no_memory |= !reader->settings->plugins;
    return reader->settings->plugins != NULL;
}

static void read_list(struct wr_reader *reader, const struct wr_option *option,
                      const struct wr_place *place, config_setting_t *node, void *base)
{
    char got[64];
    int type = config_setting_type(node);
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        bool is_string = type == CONFIG_TYPE_STRING;
        (void)(is_string || scalar_text(got, sizeof got, node));
        report_wrong(reader, option, place, is_string ? "a string" : got);
        return;
    }
    int length = config_setting_length(node);
    if (length > WR_RETRY_DELAYS) {
        wr_problem_error(reader->problems, place, "got %d entries, want at most %d", length,
                         WR_RETRY_DELAYS);
        return;
    }
    if (!prepare_list(reader, option, length, base)) {
        return;
    }
    for (int i = 0; i < length; i++) {
        char path[WR_CONFIG_PATH_SIZE];
        config_setting_t *item = config_setting_get_elem(node, (unsigned)i);
        struct wr_place at = wr_reader_place(reader, item, NULL, path);
        (void)snprintf(path, sizeof path, "%.200s[%d]", place->path, i);
        if (config_setting_type(item) == CONFIG_TYPE_STRING) {
            wr_settings_read_text(reader, option, &at, config_setting_get_string(item), base);
        } else {
            (void)scalar_text(got, sizeof got, item);
            report_wrong(reader, option, &at, got);
        }
    }
}

/* --- groups --- */

static void read_option(struct wr_reader *reader, const struct wr_option *option,
                        const struct wr_place *place, config_setting_t *node, void *base)
{
    bool holds_queues = strcmp(option->path, "queues") == 0 && config_setting_is_list(node);
    if (option->kind == WR_OPTION_GROUPS || holds_queues) {
        return; /* wr_settings_read_queues sees to them */
    }
    if (option->kind == WR_OPTION_PATHS || option->kind == WR_OPTION_DURATIONS) {
        read_list(reader, option, place, node, base);
    } else if (config_setting_type(node) == CONFIG_TYPE_STRING) {
        wr_settings_read_text(reader, option, place, config_setting_get_string(node), base);
    } else {
        read_scalar(reader, option, place, node, base);
    }
}

static bool is_group_name(const char *prefix, const char *name)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (wr_slice_is(member_of(&table[i], prefix), name)) {
            return true;
        }
    }
    return false;
}

/* Nesting ends with the table's, at most four groups deep. */
static void read_member(struct wr_reader *reader, const struct wr_group *group,
                        config_setting_t *node)
{
    char path[WR_CONFIG_PATH_SIZE];
    char shown[WR_CONFIG_PATH_SIZE];
    const char *name = config_setting_name(node);
    (void)wr_settings_join(path, group->prefix, name);
    struct wr_place place =
        wr_reader_place(reader, node, NULL, wr_settings_join(shown, group->shown, name));
    const struct wr_option *option = wr_settings_option(wr_slice_of(path));
    if (option) {
        read_option(reader, option, &place, node, group->base);
        return;
    }
    if (strcmp(path, "queue") == 0) {
        return;
    }
    if (!is_group_name(group->prefix, name)) {
        report_unknown(reader, &place, group->prefix, name);
    } else if (!config_setting_is_group(node)) {
        wr_problem_error(reader->problems, &place, "want a group: %s: { … };", name);
    } else {
        wr_settings_read_group(reader, &(struct wr_group){ node, path, shown, group->base });
    }
}

void wr_settings_read_group(struct wr_reader *reader, const struct wr_group *group)
{
    int length = config_setting_length(group->node);
    for (int i = 0; i < length; i++) {
        read_member(reader, group, config_setting_get_elem(group->node, (unsigned)i));
    }
}

/* Whether the row is kept in the struct that `prefix` stands for. */
static bool is_kept_in(const struct wr_option *option, const char *prefix)
{
    static const char *const structs[] = { "queue.jobs", "queue", "" };
    for (size_t i = 0; i < sizeof structs / sizeof structs[0]; i++) {
        if (member_of(option, structs[i]).size) {
            return strcmp(structs[i], prefix) == 0;
        }
    }
    return false;
}

void wr_settings_read_defaults(struct wr_reader *reader, const char *prefix, void *base)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        struct wr_place place = { NULL, 0, table[i].path };
        if (table[i].fallback && table[i].fallback[0] && is_kept_in(&table[i], prefix)) {
            wr_settings_read_text(reader, &table[i], &place, table[i].fallback, base);
        }
    }
}
