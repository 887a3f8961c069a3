// SPDX-License-Identifier: MIT
// DESIGN: without a configuration each alert is one rule, for whatever queues there are: that is
// deploy/prometheus. With one it has a rule for each of its limits, on the queues and types that have
// this limit.
#include <stdlib.h>
#include <string.h>

#include "alerts.h"

/* Without a configuration: what is no queue of jobs. */
#define ANY_INBOX "queue!~\".+[.](dead|unrouted)|.+[.](delay|migrate)[.].+\""

struct writer {
    FILE *out;
    const struct plan *plan;
    const char *runbooks;
};

/* --- a rule --- */

/* Lines of an expression as YAML takes them. */
static void write_expr(FILE *out, const char *expr, const struct selector *selector)
{
    fputs("        expr: |-\n", out);
    while (*expr) {
        char line[512];
        size_t size = strcspn(expr, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)size, expr);
        fputs("          ", out);
        selector_fill(out, line, selector);
        fputc('\n', out);
        expr += size + (expr[size] == '\n');
    }
}

/* A string of YAML whose value Prometheus takes for a template of Go's: its braces are quoted, too. */
static void write_name(FILE *out, const char *name)
{
    fputc('"', out);
    for (const char *at = name; *at; at++) {
        if (strncmp(at, "{{", 2) == 0) {
            fputs("{{ `{{` }}", out);
            at++;
        } else {
            fprintf(out, strchr("\"\\", *at) ? "\\%c" : "%c", *at);
        }
    }
    fputs("\"\n", out);
}

/* What stands between single quotes of YAML, where only they are doubled. */
static void write_quoted(FILE *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        fprintf(out, *at == '\'' ? "'%c" : "%c", *at);
    }
}

static void write_annotation(FILE *out, const char *key, const char *text)
{
    fprintf(out, "          %s: '", key);
    write_quoted(out, text);
    fputs("'\n", out);
}

/* `queue`: NULL when the rule is for more than one. Rules of one alert differ in their labels. */
static void write_rule(const struct writer *writer, const struct alert *alert,
                       const struct selector *selector, const char *queue)
{
    FILE *out = writer->out;
    fprintf(out, "      - alert: %s\n", alert->name);
    write_expr(out, alert->expr, selector);
    if (*alert->lasting) {
        fprintf(out, "        for: %s\n", alert->lasting);
    }
    fprintf(out, "        labels:\n          severity: %s\n", alert->severity);
    if (queue) {
        fputs("          queue: ", out);
        write_name(out, queue);
    }
    if (*selector->limit) {
        fprintf(out, "          limit: '%s'\n", selector->limit);
    }
    fputs("        annotations:\n", out);
    write_annotation(out, "summary", alert->summary);
    write_annotation(out, "description", alert->description);
    fputs("          runbook_url: '", out);
    write_quoted(out, writer->runbooks);
    fprintf(out, "%s.md'\n", alert->name);
}

/* --- the rules of an alert --- */

/* A name that an alert is for, with its limit. */
struct entry {
    const char *name;
    char limit[LIMIT_BYTES];
};

/* The entries of an alert, under the label that tells their names. */
struct entries {
    const char *label;
    const char *queue; /* of types: theirs; else NULL */
    struct entry *items;
    size_t count;
};

/* label="name" or label=~"name|name", for all entries with this limit. */
static void write_matcher(FILE *out, const struct entries *entries, const char *limit)
{
    const char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++) {
        bool is_one = strcmp(entries->items[i].limit, limit) == 0;
        first = is_one && !first ? entries->items[i].name : first;
        count += is_one;
    }
    fprintf(out, count > 1 ? "%s=~\"" : "%s=", entries->label);
    if (count <= 1) {
        selector_quote(out, first ? first : "", false);
        return;
    }
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->items[i];
        if (strcmp(entry->limit, limit) == 0) {
            fputs(entry->name == first ? "" : "|", out);
            selector_quote(out, entry->name, true);
        }
    }
    fputc('"', out);
}

static bool is_first(const struct entries *entries, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(entries->items[i].limit, entries->items[index].limit) == 0) {
            return false;
        }
    }
    return true;
}

/* A rule for each limit. */
static bool write_entries(const struct writer *writer, const struct alert *alert,
                          const struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        char *labels = NULL;
        size_t size = 0;
        if (!is_first(entries, i)) {
            continue;
        }
        FILE *file = open_memstream(&labels, &size);
        if (!file) {
            return false;
        }
        if (entries->queue) {
            fputs("queue=", file);
            selector_quote(file, entries->queue, false);
            fputc(',', file);
        }
        write_matcher(file, entries, entries->items[i].limit);
        bool is_whole = fclose(file) == 0;
        struct selector selector = { labels, entries->items[i].limit };
        if (is_whole) {
            write_rule(writer, alert, &selector, entries->queue);
        }
        free(labels);
        if (!is_whole) {
            return false;
        }
    }
    return true;
}

static bool write_for_queues(const struct writer *writer, const struct alert *alert,
                             struct entries *entries)
{
    const struct plan *plan = writer->plan;
    entries->label = "queue";
    for (size_t i = 0; i < plan->queue_count; i++) {
        struct entry *entry = &entries->items[entries->count++];
        entry->name = plan->queues[i].name;
        limit_of_queue(entry->limit, alert->limit, &plan->queues[i]);
    }
    return write_entries(writer, alert, entries);
}

static bool write_for_types(const struct writer *writer, const struct alert *alert,
                            struct entries *entries)
{
    const struct plan *plan = writer->plan;
    entries->label = "type";
    for (size_t i = 0; i < plan->type_count; i++) {
        const struct plan_type *type = &plan->types[i];
        struct entry *entry = &entries->items[entries->count++];
        entry->name = type->type;
        limit_of_type(entry->limit, alert->limit, type);
        entries->queue = plan->queues[type->queue].name;
        if (i + 1 == plan->type_count || plan->types[i + 1].queue != type->queue) {
            if (!write_entries(writer, alert, entries)) {
                return false;
            }
            entries->count = 0;
        }
    }
    return true;
}

static bool write_for_inboxes(const struct writer *writer, const struct alert *alert,
                              struct entries *entries)
{
    const struct plan *plan = writer->plan;
    entries->label = "queue";
    for (size_t i = 0; i < plan->inbox_count; i++) {
        struct entry *entry = &entries->items[entries->count++];
        entry->name = plan->inboxes[i].name;
        limit_of_inbox(entry->limit, alert->limit, &plan->inboxes[i]);
    }
    return write_entries(writer, alert, entries);
}

/* One rule, for whatever there is. */
static bool write_for_all(const struct writer *writer, const struct alert *alert)
{
    char limit[LIMIT_BYTES] = "";
    struct selector selector = { alert->scope == OF_INBOXES ? ANY_INBOX : "", limit };
    switch (alert->scope) {
    case OF_TYPES:
        limit_of_type(limit, alert->limit, NULL);
        break;
    case OF_QUEUES:
        limit_of_queue(limit, alert->limit, NULL);
        break;
    case OF_INBOXES:
        limit_of_inbox(limit, alert->limit, NULL);
        break;
    case OF_WORKERS:
        break;
    }
    write_rule(writer, alert, &selector, NULL);
    return true;
}

/* What the types have no limit for is told by their queues. */
static bool write_alert(const struct writer *writer, const struct alert *alert)
{
    const struct plan *plan = writer->plan;
    if (plan->is_generic || alert->scope == OF_WORKERS) {
        return write_for_all(writer, alert);
    }
    size_t most = plan->queue_count + plan->type_count + plan->inbox_count;
    struct entries entries = { .items = calloc(most + 1, sizeof *entries.items) };
    bool is_whole = entries.items != NULL;
    if (is_whole && alert->scope == OF_INBOXES) {
        is_whole = write_for_inboxes(writer, alert, &entries);
    } else if (is_whole && alert->scope == OF_TYPES && alert->limit != NO_LIMIT) {
        is_whole = write_for_types(writer, alert, &entries);
    } else if (is_whole) {
        is_whole = write_for_queues(writer, alert, &entries);
    }
    free(entries.items);
    return is_whole;
}

bool alerts_write(FILE *out, const struct plan *plan, bool is_rabbitmq, const char *runbooks)
{
    struct writer writer = { out, plan, runbooks };
    const char *group = "";
    size_t count;
    const struct alert *alerts = alerts_table(is_rabbitmq, &count);
    fprintf(out,
            "# Written by `warren generate alerts%s`: change bin/alerts.c or the queue files.\n",
            is_rabbitmq ? " --rabbitmq" : "");
    if (is_rabbitmq) {
        fputs("# These need RabbitMQ's plugin rabbitmq_prometheus, scraped at\n"
              "# /metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count\n"
              "# and, for WarrenDeadLettersHeld, at /metrics\n",
              out);
    }
    fputs("groups:\n", out);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(group, alerts[i].group) != 0) {
            group = alerts[i].group;
            fprintf(out, "  - name: %s\n    rules:\n", group);
        }
        if (!write_alert(&writer, &alerts[i])) {
            return false;
        }
    }
    return true;
}
