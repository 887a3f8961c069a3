// SPDX-License-Identifier: MIT
// DESIGN: a dashboard in the form that Grafana imports and exports since version 7 ("classic"), for any
// Prometheus: its data source is a variable. Queues and types are variables, too; without a configuration
// Grafana asks for them, with one they are those that it names.
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard.h"

enum { COLUMNS = 24, STAT_HEIGHT = 4, CHART_HEIGHT = 8, SCHEMA = 36 };

#define OTHER "(other)"

static json_object *text(const char *value)
{
    return json_object_new_string(value);
}

static void add(json_object *object, const char *key, json_object *value)
{
    (void)json_object_object_add(object, key, value);
}

static void add_text(json_object *object, const char *key, const char *value)
{
    add(object, key, text(value));
}

static void add_number(json_object *object, const char *key, int value)
{
    add(object, key, json_object_new_int(value));
}

static void add_bool(json_object *object, const char *key, bool value)
{
    add(object, key, json_object_new_boolean(value));
}

static json_object *make_source(void)
{
    json_object *source = json_object_new_object();
    add_text(source, "type", "prometheus");
    add_text(source, "uid", "${datasource}");
    return source;
}

/* --- panels --- */

struct place {
    int x, y, row_height;
};

static json_object *make_place(struct place *place, int width, int height)
{
    json_object *grid = json_object_new_object();
    if (place->x + width > COLUMNS) {
        place->x = 0;
        place->y += place->row_height;
        place->row_height = 0;
    }
    add_number(grid, "x", place->x);
    add_number(grid, "y", place->y);
    add_number(grid, "w", width);
    add_number(grid, "h", height);
    place->x += width;
    place->row_height = height > place->row_height ? height : place->row_height;
    return grid;
}

static json_object *make_targets(const struct panel *panel)
{
    json_object *targets = json_object_new_array();
    bool is_table = strcmp(panel->kind, "table") == 0;
    for (int i = 0; i < TARGETS && panel->targets[i].expr; i++) {
        json_object *target = json_object_new_object();
        char id[2] = { (char)('A' + i), '\0' };
        add_text(target, "refId", id);
        add(target, "datasource", make_source());
        add_text(target, "expr", panel->targets[i].expr);
        if (*panel->targets[i].legend) {
            add_text(target, "legendFormat", panel->targets[i].legend);
        }
        add_bool(target, "instant", is_table);
        if (is_table) {
            add_text(target, "format", "table");
        }
        (void)json_object_array_add(targets, target);
    }
    return targets;
}

static json_object *make_field(const struct panel *panel)
{
    json_object *field = json_object_new_object();
    json_object *defaults = json_object_new_object();
    add_text(defaults, "unit", panel->unit);
    add_number(defaults, "min", 0);
    add(field, "defaults", defaults);
    add(field, "overrides", json_object_new_array());
    return field;
}

static json_object *make_panel(const struct panel *panel, int id, struct place *place)
{
    json_object *object = json_object_new_object();
    bool is_row = !panel->targets[0].expr;
    bool is_stat = strcmp(panel->kind, "stat") == 0;
    add_number(object, "id", id);
    add_text(object, "type", panel->kind);
    add_text(object, "title", panel->title);
    add(object, "gridPos",
        make_place(place, panel->width,
                   is_row    ? 1
                   : is_stat ? STAT_HEIGHT
                             : CHART_HEIGHT));
    if (is_row) {
        add_bool(object, "collapsed", false);
        add(object, "panels", json_object_new_array());
        return object;
    }
    add_text(object, "description", panel->sentence);
    add(object, "datasource", make_source());
    add(object, "fieldConfig", make_field(panel));
    add(object, "targets", make_targets(panel));
    return object;
}

static json_object *make_panels(void)
{
    json_object *list = json_object_new_array();
    struct place place = { 0 };
    size_t count;
    const struct panel *panels = dashboard_panels(&count);
    for (size_t i = 0; i < count; i++) {
        (void)json_object_array_add(list, make_panel(&panels[i], (int)i + 1, &place));
    }
    return list;
}

/* --- variables --- */

/* All and several may be chosen; all is any value, also none, as where no label namespace is. */
static json_object *make_variable(const char *name, const char *label)
{
    json_object *variable = json_object_new_object();
    json_object *current = json_object_new_object();
    add_text(variable, "name", name);
    add_text(variable, "label", label);
    add_bool(variable, "includeAll", true);
    add_bool(variable, "multi", true);
    add_text(variable, "allValue", ".*");
    add_bool(current, "selected", true);
    add_text(current, "text", "All");
    add_text(current, "value", "$__all");
    add(variable, "current", current);
    return variable;
}

static json_object *make_query(const char *name, const char *label, const char *query)
{
    json_object *variable = make_variable(name, label);
    add_text(variable, "type", "query");
    add(variable, "datasource", make_source());
    add_text(variable, "definition", query);
    add_text(variable, "query", query);
    add_number(variable, "refresh", 2); /* whenever the time range changes */
    add_number(variable, "sort", 1);
    return variable;
}

static json_object *make_source_variable(void)
{
    json_object *variable = json_object_new_object();
    add_text(variable, "name", "datasource");
    add_text(variable, "label", "Data source");
    add_text(variable, "type", "datasource");
    add_text(variable, "query", "prometheus");
    return variable;
}

/* Names that are known beforehand. In their list a comma is quoted. */
struct choices {
    json_object *options;
    FILE *file;
    char *list;
    size_t size;
};

static void add_choice(struct choices *choices, const char *name)
{
    json_object *option = json_object_new_object();
    size_t count = json_object_array_length(choices->options);
    for (size_t i = 0; i < count; i++) {
        json_object *other = json_object_array_get_idx(choices->options, i);
        if (strcmp(json_object_get_string(json_object_object_get(other, "value")), name) == 0) {
            (void)json_object_put(option);
            return;
        }
    }
    add_text(option, "text", name);
    add_text(option, "value", name);
    add_bool(option, "selected", false);
    (void)json_object_array_add(choices->options, option);
    fputs(count ? "," : "", choices->file);
    for (const char *at = name; *at; at++) {
        fprintf(choices->file, strchr(",\\", *at) ? "\\%c" : "%c", *at);
    }
}

/* NULL without memory. */
static json_object *make_choice(const char *name, const char *label, const struct plan *plan,
                                bool is_type)
{
    struct choices choices = { .options = json_object_new_array() };
    choices.file = open_memstream(&choices.list, &choices.size);
    if (!choices.file) {
        (void)json_object_put(choices.options);
        return NULL;
    }
    size_t count = is_type ? plan->type_count : plan->queue_count;
    for (size_t i = 0; i < count; i++) {
        add_choice(&choices, is_type ? plan->types[i].type : plan->queues[i].name);
    }
    if (is_type) {
        add_choice(&choices, OTHER);
    }
    json_object *variable = make_variable(name, label);
    add_text(variable, "type", "custom");
    (void)fclose(choices.file);
    add_text(variable, "query", choices.list ? choices.list : "");
    add(variable, "options", choices.options);
    free(choices.list);
    return variable;
}

static json_object *make_variables(const struct plan *plan)
{
    json_object *templating = json_object_new_object();
    json_object *list = json_object_new_array();
    (void)json_object_array_add(list, make_source_variable());
    (void)json_object_array_add(
        list, make_query("namespace", "Namespace", "label_values(warren_ready, namespace)"));
    (void)json_object_array_add(
        list,
        make_query("job", "Job", "label_values(warren_ready{namespace=~\"$namespace\"}, job)"));
    if (plan->is_generic) {
        (void)json_object_array_add(list, make_query("queue", "Queue",
                                                     "label_values(warren_queue_consumed{" OF_WORKER
                                                     "}, queue)"));
        (void)json_object_array_add(
            list,
            make_query("type", "Type", "label_values(warren_jobs_running{" OF_QUEUE "}, type)"));
    } else {
        (void)json_object_array_add(list, make_choice("queue", "Queue", plan, false));
        (void)json_object_array_add(list, make_choice("type", "Type", plan, true));
    }
    add(templating, "list", list);
    return templating;
}

/* --- the page --- */

static json_object *make_mark(const char *name, const char *colour, const char *expr,
                              const char *title)
{
    json_object *mark = json_object_new_object();
    add_text(mark, "name", name);
    add(mark, "datasource", make_source());
    add_bool(mark, "enable", true);
    add_text(mark, "iconColor", colour);
    add_text(mark, "expr", expr);
    add_text(mark, "titleFormat", title);
    return mark;
}

/* Marks where a worker began, or took a new configuration. */
static json_object *make_annotations(void)
{
    json_object *annotations = json_object_new_object();
    json_object *list = json_object_new_array();
    (void)json_object_array_add(list,
                                make_mark("Workers started", "blue",
                                          "warren_build_info{" OF_WORKER
                                          "} unless warren_build_info{" OF_WORKER "} offset 1m",
                                          "{{instance}} started, version {{version}}"));
    (void)json_object_array_add(
        list, make_mark("Configuration reloaded", "purple",
                        "changes(warren_config_last_reload_success_timestamp_seconds{" OF_WORKER
                        "}[1m]) > 0",
                        "{{instance}} reloaded its configuration"));
    add(annotations, "list", list);
    return annotations;
}

static json_object *make_range(void)
{
    json_object *range = json_object_new_object();
    add_text(range, "from", "now-1h");
    add_text(range, "to", "now");
    return range;
}

/* Grafana's ids are unique in an organisation, and have 40 bytes at most. */
static void name_dashboard(json_object *page, const struct plan *plan)
{
    char title[300] = "Warren";
    char uid[41] = "warren";
    if (!plan->is_generic && strcmp(plan->ns, "warren") != 0) {
        (void)snprintf(title, sizeof title, "Warren: %.250s", plan->ns);
        (void)snprintf(uid, sizeof uid, "warren-%.33s", plan->ns);
    }
    for (char *at = uid; *at; at++) {
        *at = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *at) ? *at
                                                                                              : '-';
    }
    add_text(page, "uid", uid);
    add_text(page, "title", title);
}

bool dashboard_write(FILE *out, const struct plan *plan)
{
    json_object *page = json_object_new_object();
    name_dashboard(page, plan);
    add_text(page, "description",
             "Workers of Warren. Written by `warren generate dashboard`: change bin/dashboard.c.");
    json_object *tags = json_object_new_array();
    (void)json_object_array_add(tags, text("warren"));
    add(page, "tags", tags);
    add_number(page, "schemaVersion", SCHEMA);
    add_bool(page, "editable", true);
    add_number(page, "graphTooltip", 1); /* one cursor for all panels */
    add_text(page, "refresh", "30s");
    add(page, "time", make_range());
    add(page, "templating", make_variables(plan));
    add(page, "annotations", make_annotations());
    add(page, "panels", make_panels());
    const char *written = json_object_to_json_string_ext(
        page, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
    bool is_whole = written && fprintf(out, "%s\n", written) > 0;
    (void)json_object_put(page);
    return is_whole;
}
