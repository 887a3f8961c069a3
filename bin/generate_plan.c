// SPDX-License-Identifier: MIT
// DESIGN: the configuration is read as any program could read it, from what `warren config show -o json`
// prints. Types are named as a worker's metrics name them: those beyond http.types are "(other)".
#include "generate.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "member.h"
#include "say.h"
#include "warren/config.h"

static const char other[] = "(other)";

/* --- rows --- */

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The longer of two, where 0 is without end. */
static int64_t longer(int64_t a_ms, int64_t b_ms)
{
    return a_ms && b_ms ? most(a_ms, b_ms) : 0;
}

static void add_type(struct plan *plan, json_object *job, size_t queue, const char *type)
{
    struct plan_type row = { .queue = queue,
                             .type = type,
                             .timeout_ms = member_duration(job, "timeout"),
                             .concurrency = member_number(job, "concurrency"),
                             .attempts = member_number(member_of(job, "retry"), "attempts") };
    struct plan_type *last = plan->type_count ? &plan->types[plan->type_count - 1] : NULL;
    if (last && last->queue == queue && last->type == other && type == other) {
        last->timeout_ms = longer(last->timeout_ms, row.timeout_ms);
        last->concurrency += row.concurrency;
        last->attempts = most(last->attempts, row.attempts);
        return;
    }
    plan->types[plan->type_count++] = row;
}

/* Takes `name`. */
static bool add_inbox(struct plan *plan, char *name, int64_t concurrency)
{
    plan->inboxes[plan->inbox_count].name = name;
    plan->inboxes[plan->inbox_count++].concurrency = concurrency;
    return name != NULL;
}

static char *isolated_name(const char *queue, const char *type)
{
    char *name = NULL;
    return asprintf(&name, "%s.%s", queue, type) < 0 ? NULL : name;
}

/* `*shown`: how many types may still have a row of their own. */
static bool add_queue(struct plan *plan, json_object *queue, int64_t *shown)
{
    json_object *jobs = member_of(queue, "jobs");
    size_t number = plan->queue_count++;
    struct plan_queue *row = &plan->queues[number];
    struct plan_inbox *inbox = &plan->inboxes[plan->inbox_count];
    row->name = member_text(queue, "name");
    bool is_whole = add_inbox(plan, strdup(row->name), 0);
    for (size_t i = 0; i < member_count(jobs); i++) {
        json_object *job = json_object_array_get_idx(jobs, i);
        const char *type = member_text(job, "type");
        int64_t concurrency = member_number(job, "concurrency");
        int64_t timeout_ms = member_duration(job, "timeout");
        row->timeout_ms = i ? longer(row->timeout_ms, timeout_ms) : timeout_ms;
        add_type(plan, job, number, (*shown)-- > 0 ? type : other);
        if (json_object_get_boolean(member_of(job, "isolate"))) {
            is_whole = add_inbox(plan, isolated_name(row->name, type), concurrency) && is_whole;
        } else {
            inbox->concurrency += concurrency;
        }
    }
    return is_whole;
}

static bool add_queues(struct plan *plan)
{
    json_object *queues = member_of(plan->root, "queues");
    int64_t shown = member_number(member_of(plan->root, "http"), "types");
    size_t types = 0;
    size_t count = member_count(queues);
    for (size_t i = 0; i < count; i++) {
        types += member_count(member_of(json_object_array_get_idx(queues, i), "jobs"));
    }
    plan->queues = calloc(count + 1, sizeof *plan->queues);
    plan->types = calloc(types + 1, sizeof *plan->types);
    plan->inboxes = calloc(count + types + 1, sizeof *plan->inboxes);
    bool is_whole = plan->queues && plan->types && plan->inboxes;
    for (size_t i = 0; is_whole && i < count; i++) {
        is_whole = add_queue(plan, json_object_array_get_idx(queues, i), &shown);
    }
    return is_whole;
}

/* --- the configuration --- */

static int read_config(json_object **out, const char *path)
{
    warren_config *config = NULL;
    warren_error err;
    char *text = NULL;
    warren_status rc = warren_config_open(&config, path, &err);
    rc = rc ? rc : warren_config_write(config, true, &text, &err);
    warren_config_close(config);
    if (rc) {
        return say_failure(&err);
    }
    *out = json_tokener_parse(text);
    free(text);
    return EXIT_DONE;
}

int plan_read(struct plan *plan, const char *path)
{
    *plan = (struct plan){ .ns = "warren", .is_generic = !path };
    int code = path ? read_config(&plan->root, path) : EXIT_DONE;
    if (code || !path) {
        return code;
    }
    if (!plan->root || !add_queues(plan)) {
        say("out of memory");
        return EXIT_FAILED;
    }
    plan->ns = member_text(plan->root, "namespace");
    return EXIT_DONE;
}

void plan_done(struct plan *plan)
{
    for (size_t i = 0; i < plan->inbox_count; i++) {
        free(plan->inboxes[i].name);
    }
    free(plan->queues);
    free(plan->types);
    free(plan->inboxes);
    (void)json_object_put(plan->root);
    *plan = (struct plan){ 0 };
}

/* --- PromQL --- */

void selector_quote(FILE *out, const char *text, bool is_regex)
{
    if (!is_regex) {
        fputc('"', out);
    }
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at >=
            0x80) { /* a byte of UTF-8, and maybe of what YAML takes for a new line */
            fprintf(out, "\\x%02x", (unsigned char)*at);
        } else if (is_regex && strchr("\\.+*?()|[]{}^$", *at)) {
            fprintf(out, *at == '\\' ? "\\\\\\%c" : "\\\\%c", *at);
        } else {
            fprintf(out, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
        }
    }
    if (!is_regex) {
        fputc('"', out);
    }
}

void selector_fill(FILE *out, const char *text, const struct selector *selector)
{
    for (const char *at = text; *at; at++) {
        bool is_place = strncmp(at, "{@", 2) == 0;
        if (is_place && at[2] == '}' && !*selector->labels) {
            at += 2;
        } else if (is_place) {
            fprintf(out, "{%s", selector->labels);
            at += 1 + (at[2] == ',' && !*selector->labels);
        } else if (*at == '#') {
            fputs(selector->limit, out);
        } else {
            fputc(*at, out);
        }
    }
}
