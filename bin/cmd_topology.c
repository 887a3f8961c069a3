// SPDX-License-Identifier: MIT
// DESIGN: `warren topology`: the difference between configuration and broker, and making it go away
// as far as that is safe. AMQP can't list bindings, so the management API is asked where the
// configuration names one; without it bindings are unknown, and everything else still works.
#include "warren/topology.h"

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
    bool shows_all;
    size_t counts[STATES];
};

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

static bool plan_row(const warren_topology_row *row, void *user)
{
    struct plan *plan = user;
    if ((size_t)row->state < STATES) {
        plan->counts[row->state]++;
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
    struct plan plan = { .shows_all = shows_all };
    warren_error err;
    output_begin(&plan.output, work->format, columns, COLUMNS);
    warren_status rc =
        warren_topology_plan(work->topology, known_bindings(work), plan_row, &plan, &err);
    int code = output_end(&plan.output);
    if (rc) {
        return say_failure(&err);
    }
    say_notes(work->topology);
    say_counts(plan.counts);
    if (plan.counts[WARREN_TOPOLOGY_UNKNOWN] && !known_bindings(work)) {
        say("bindings are unknown without broker.management_url; --all lists them");
    }
    if (plan.counts[WARREN_TOPOLOGY_DIFFERS]) {
        say("ways on: make the configuration say what stands there; or choose another name; or, "
            "once the queue is empty, delete it by hand (rabbitmqctl delete_queue NAME)");
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
