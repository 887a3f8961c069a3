// SPDX-License-Identifier: MIT
// DESIGN: `warren topology`: the difference between configuration and broker, and making it go away
// as far as that is safe. AMQP can't list bindings, so the management API is asked where the
// configuration names one; without it bindings are unknown, and everything else still works.
#include "warren/topology.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "management.h"
#include "output.h"
#include "say.h"

static const struct column columns[] = {
    { "STATE", "state", CELL_TEXT }, { "KIND", "kind", CELL_TEXT }, { "NAME", "name", CELL_TEXT },
    { NULL, "item", CELL_TEXT },     { "NOTE", "text", CELL_TEXT },
};

enum { COLUMNS = sizeof columns / sizeof columns[0], STATES = WARREN_TOPOLOGY_LEFTOVER + 1 };

enum { MANAGEMENT_TIMEOUT_MS = 30000 };

/* An open topology and what the management API told of the broker. */
struct work {
    warren_topology *topology;
    struct management management;
    enum output_format format;
};

static int open_work(const struct args *args, struct work *work)
{
    warren_error err;
    warren_management from = { 0 };
    *work = (struct work){ 0 };
    if (!output_format_of(args, &work->format)) {
        return EXIT_USAGE;
    }
    if (warren_topology_open(&work->topology, args_config(args), &err) ||
        warren_topology_management(work->topology, &from, &err)) {
        return say_failure(&err);
    }
    if (from.url) {
        (void)management_ask(&from, MANAGEMENT_TIMEOUT_MS, &work->management);
    }
    if (*work->management.problem) {
        say("management API: %s", work->management.problem);
    }
    return EXIT_DONE;
}

static void close_work(struct work *work)
{
    management_done(&work->management);
    warren_topology_close(work->topology);
}

static const warren_bindings *known_bindings(const struct work *work)
{
    return work->management.facts.bindings;
}

/* --- plan --- */

struct plan {
    struct output output;
    const struct management *management;
    bool shows_all;
    size_t counts[STATES];
    char **queues; /* the configuration's, by name */
    size_t queue_count;
    bool failed; /* no memory */
};

static void add_row(struct plan *plan, const char *state, const char *kind, const char *name,
                    const char *note)
{
    output_row(&plan->output, (struct cell[COLUMNS]){ { .text = state },
                                                      { .text = kind },
                                                      { .text = name },
                                                      { .text = "" },
                                                      { .text = note } });
}

/* A note of several lines as one; the caller frees. NULL without memory. */
static char *join_lines(const char *text)
{
    char *joined = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&joined, &size);
    while (memory && *text) {
        size_t length = strcspn(text, "\n");
        const char *next = text + length + strspn(text + length, "\n");
        fprintf(memory, "%.*s%s", (int)length, text, *next ? "; " : "");
        text = next;
    }
    return memory && fclose(memory) == 0 ? joined : NULL;
}

static void keep_queue(struct plan *plan, const char *name)
{
    char **grown = realloc(plan->queues, (plan->queue_count + 1) * sizeof *grown);
    if (!grown) {
        plan->failed = true;
        return;
    }
    plan->queues = grown;
    grown[plan->queue_count] = strdup(name);
    plan->failed = plan->failed || !grown[plan->queue_count];
    plan->queue_count += grown[plan->queue_count] ? 1 : 0;
}

static bool is_configured(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->queue_count; i++) {
        if (strcmp(plan->queues[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool plan_row(const warren_topology_row *row, void *user)
{
    struct plan *plan = user;
    if ((size_t)row->state < STATES) {
        plan->counts[row->state]++;
    }
    if (strcmp(row->kind, "queue") == 0) {
        keep_queue(plan, row->name);
    }
    bool is_quiet = row->state == WARREN_TOPOLOGY_EXISTS || row->state == WARREN_TOPOLOGY_UNKNOWN;
    if (plan->shows_all || !is_quiet) {
        char *text = join_lines(row->text);
        output_row(&plan->output,
                   (struct cell[COLUMNS]){ { .text = warren_topology_state_name(row->state) },
                                           { .text = row->kind },
                                           { .text = row->name },
                                           { .text = row->item },
                                           { .text = text } });
        free(text);
    }
    return true;
}

/* --- what the management API knows beyond the topology --- */

static void write_rule(char *out, size_t size, const char *name, int64_t value)
{
    size_t used = strlen(out);
    if (value >= 0 && used < size) {
        (void)snprintf(out + used, size - used, "%s%s %" PRId64, used ? ", " : "", name, value);
    }
}

/* A policy that a queue of ours is under. A shield's delivery-limit is no news. */
static void add_policy(struct plan *plan, const warren_queue_facts *queue)
{
    char rules[256] = "";
    char note[512];
    write_rule(rules, sizeof rules, "max-length", queue->max_length);
    write_rule(rules, sizeof rules, "max-length-bytes", queue->max_bytes);
    write_rule(rules, sizeof rules, "message-ttl", queue->message_ttl_ms);
    write_rule(rules, sizeof rules, "expires", queue->expires_ms);
    if (*rules || plan->shows_all) {
        write_rule(rules, sizeof rules, "delivery-limit", queue->policy_delivery_limit);
    }
    if (*rules) {
        (void)snprintf(note, sizeof note, "%s%s%s takes effect on it: %s",
                       queue->policy ? queue->policy : "",
                       queue->policy && queue->operator_policy ? " and operator policy " : "",
                       queue->operator_policy ? queue->operator_policy : "", rules);
        add_row(plan, "in effect", "policy", queue->name, note);
    }
}

/* A queue that jobs or dead letters of the namespace reach, but that isn't configured. */
static const char *find_source(const struct plan *plan, const char *ns, const char *queue)
{
    const warren_bindings *bindings = plan->management->facts.bindings;
    size_t length = strlen(ns);
    for (size_t i = 0; bindings && i < bindings->length; i++) {
        const warren_binding *binding = &bindings->items[i];
        if (binding->to_queue && strcmp(binding->destination, queue) == 0 &&
            strncmp(binding->source, ns, length) == 0 && binding->source[length] == '.') {
            return binding->source;
        }
    }
    return NULL;
}

static void add_unlisted(struct plan *plan, const char *ns, const char *queue)
{
    char note[512];
    char stand_in[300];
    static const char lock[] = "lock/";
    size_t length = strlen(ns);
    const char *source = find_source(plan, ns, queue);
    bool is_inside = strncmp(queue, ns, length) == 0 && queue[length] == '.';
    (void)snprintf(stand_in, sizeof stand_in, "%s.migrate.", ns);
    if (strncmp(queue, stand_in, strlen(stand_in)) == 0) {
        const char *of = queue + strlen(stand_in);
        bool is_lock = strncmp(of, lock, strlen(lock)) == 0;
        (void)snprintf(note, sizeof note,
                       is_lock ? "a migration of %s is under way"
                               : "a migration has begun: `warren topology migrate %s`",
                       is_lock ? of + strlen(lock) : of);
    } else if (source) {
        (void)snprintf(note, sizeof note,
                       "bound to %s, but in no queue file here: another service's, or left behind",
                       source);
    } else {
        (void)snprintf(note, sizeof note, "in the namespace, but not of this configuration");
    }
    if (is_inside || source) {
        add_row(plan, "unlisted", "queue", queue, note);
    }
}

static void add_beyond(struct plan *plan, const char *ns)
{
    const warren_broker_facts *facts = &plan->management->facts;
    for (size_t i = 0; facts->queues && i < facts->queue_count; i++) {
        if (is_configured(plan, facts->queues[i].name)) {
            add_policy(plan, &facts->queues[i]);
        } else {
            add_unlisted(plan, ns, facts->queues[i].name);
        }
    }
}

static void free_names(struct plan *plan)
{
    for (size_t i = 0; i < plan->queue_count; i++) {
        free(plan->queues[i]);
    }
    free(plan->queues);
}

static void say_source(const struct work *work)
{
    const warren_broker_facts *facts = &work->management.facts;
    if (facts->source && facts->bindings) {
        say("looked by AMQP, and for bindings, policies and other queues by %s", facts->source);
    } else {
        say("looked by AMQP only: bindings, policies and other queues are unknown without "
            "broker.management_url");
    }
}

static void say_counts(const size_t *counts)
{
    char line[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < STATES; i++) {
        if (counts[i] && used < sizeof line) {
            int wanted = snprintf(line + used, sizeof line - used, "%s%zu %s", used ? ", " : "",
                                  counts[i], warren_topology_state_name((warren_topology_state)i));
            used += wanted > 0 ? (size_t)wanted : 0;
        }
    }
    say("%s", line);
}

static void say_lines(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length) {
            say("%.*s", (int)length, text);
        }
        text += length + (text[length] == '\n');
    }
}

static void say_notes(const warren_topology *topology)
{
    say_lines(warren_topology_notes(topology));
}

static int run_plan(struct work *work, bool shows_all)
{
    struct plan plan = { .management = &work->management, .shows_all = shows_all };
    warren_error err;
    output_begin(&plan.output, work->format, columns, COLUMNS);
    warren_status rc =
        warren_topology_plan(work->topology, known_bindings(work), plan_row, &plan, &err);
    if (!rc) {
        add_beyond(&plan, warren_topology_namespace(work->topology));
    }
    plan.output.failed = plan.output.failed || plan.failed;
    int code = output_end(&plan.output);
    free_names(&plan);
    if (rc) {
        return say_failure(&err);
    }
    say_notes(work->topology);
    say_counts(plan.counts);
    say_source(work);
    if (plan.counts[WARREN_TOPOLOGY_DIFFERS]) {
        say("ways on: make the configuration say what stands there; or choose another name; or "
            "move the queue (warren topology migrate QUEUE); or, once it is empty, delete it by "
            "hand (rabbitmqctl delete_queue NAME)");
        code = EXIT_CONFIG;
    }
    return code;
}

int cmd_topology_plan(const struct args *args)
{
    struct work work;
    int code = open_work(args, &work);
    if (!code) {
        code = run_plan(&work, args_has(args, "all"));
    }
    close_work(&work);
    return code;
}

/* --- apply --- */

static int report_applied(const struct work *work)
{
    static const struct column report[] = { { "APPLIED", "applied", CELL_BOOL } };
    struct output output;
    if (work->format == OUTPUT_TABLE) {
        say("applied");
        return EXIT_DONE;
    }
    output_begin(&output, work->format, report, 1);
    output_row(&output, &(struct cell){ .number = true });
    return output_end(&output);
}

static int run_apply(struct work *work, bool prune)
{
    warren_topology_options options = { .prune = prune, .bindings = known_bindings(work) };
    warren_error err;
    warren_status rc = warren_topology_apply(work->topology, &options, &err);
    if (rc != WARREN_MISMATCH) {
        if (rc) {
            return say_failure(&err);
        }
        say_notes(work->topology);
        return report_applied(work);
    }
    const char *notes = warren_topology_notes(work->topology); /* every difference in full */
    size_t ways_on = strcspn(err.text, "\n");                  /* before some of them */
    say("%.*s", (int)ways_on, err.text);
    say_lines(*notes ? notes : err.text + ways_on);
    return EXIT_CONFIG;
}

int cmd_topology_apply(const struct args *args)
{
    struct work work;
    int code = open_work(args, &work);
    if (!code && args_has(args, "dry-run")) {
        code = run_plan(&work, false);
    } else if (!code) {
        code = run_apply(&work, args_has(args, "prune"));
    }
    close_work(&work);
    return code;
}

/* --- export --- */

int cmd_topology_export(const struct args *args)
{
    warren_topology *topology = NULL;
    warren_error err;
    enum output_format format;
    char *text = NULL;
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    warren_status rc = warren_topology_open(&topology, args_config(args), &err);
    if (!rc) {
        rc = warren_topology_export(
            topology, format == OUTPUT_TABLE ? WARREN_TOPOLOGY_TEXT : WARREN_TOPOLOGY_JSON, &text,
            &err);
    }
    warren_topology_close(topology);
    if (rc) {
        return say_failure(&err);
    }
    size_t size = strlen(text);
    printf("%s%s", text, size && text[size - 1] == '\n' ? "" : "\n");
    free(text);
    return EXIT_DONE;
}
