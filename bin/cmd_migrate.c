// SPDX-License-Identifier: MIT
// DESIGN: `warren topology migrate`: what would be done, the question, and the way through. The
// library does the safe part and knows where a migration stands; here is what a person reads.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "management.h"
#include "output.h"
#include "say.h"
#include "when.h"
#include "warren/topology.h"

enum {
    MANAGEMENT_TIMEOUT_MS = 30000,
    QUEUE_TIMEOUT_MS = 5000,
    STILL_MS = 3000,
    SETTLE_MOST_MS = 86400000,
    FACTS_MS = 10000
};

static const struct column columns[] = {
    { "QUEUE", "queue", CELL_TEXT },         { "STATE", "state", CELL_TEXT },
    { "MESSAGES", "messages", CELL_NUMBER }, { "CONSUMERS", "consumers", CELL_NUMBER },
    { "STAND-IN", "stand_in", CELL_TEXT },   { "THERE", "in_stand_in", CELL_NUMBER },
    { "MOVED", "moved", CELL_NUMBER },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

struct migrating {
    warren_topology *topology;
    struct management management;
    warren_management from; /* its url is NULL: there is no management API */
    int64_t settle_ms;      /* 0: not said */
    enum output_format format;
    const char *queue;
    warren_migration_step step; /* that was said last */
    bool has_begun;
};

static const char *name_phase(warren_migration_phase phase)
{
    switch (phase) {
    case WARREN_MIGRATION_NOTHING:
        return "as wanted";
    case WARREN_MIGRATION_NEEDED:
        return "differs";
    case WARREN_MIGRATION_LEAVING:
        return "begun: on the way out";
    case WARREN_MIGRATION_RETURNING:
        return "begun: on the way back";
    case WARREN_MIGRATION_ABSENT:
        break;
    }
    return "not there";
}

static int report(const struct migrating *migrating, const warren_migration *state, uint64_t moved)
{
    struct output output;
    output_begin(&output, migrating->format, columns, COLUMNS);
    output_row(&output, (struct cell[COLUMNS]){ { .text = state->queue },
                                                { .text = name_phase(state->phase) },
                                                { .number = (int64_t)state->messages },
                                                { .number = (int64_t)state->consumers },
                                                { .text = state->stand_in },
                                                { .number = (int64_t)state->moved },
                                                { .number = (int64_t)moved } });
    return output_end(&output);
}

/* --- what would be done --- */

static void say_differences(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length) {
            say("%.*s", (int)length, text);
        }
        text += length + (text[length] == '\n');
    }
}

static int64_t still_ms(const struct migrating *migrating, const warren_migration *state)
{
    int64_t wanted_ms = migrating->settle_ms ? migrating->settle_ms : state->rest_ms;
    int64_t least_ms = migrating->from.url ? FACTS_MS : STILL_MS; /* its counts come late */
    return wanted_ms > least_ms ? wanted_ms : least_ms;
}

static void say_unseen(const warren_migration *state)
{
    say("what a queue holds beside its ready messages is unknown without broker.management_url, "
        "and "
        "lost if it is still there after that time: stop the workers first, and let them end%s",
        state->is_from_4
            ? "; and as this broker is 4.0 or later, see that no dead letter of the "
              "queue waits for its confirm (rabbitmqctl list_queues name messages_dlx), "
              "or wait for longer (--settle 4m)"
            : "");
}

static void say_steps(const struct migrating *migrating, const warren_migration *state)
{
    bool is_back = state->phase == WARREN_MIGRATION_RETURNING;
    if (!is_back) {
        say("1. its messages move to %s, by publish, confirm, then acknowledge", state->stand_in);
        say("2. its bindings turn to %s, the new one before the old one is gone", state->stand_in);
        say("3. once it has been empty and without a consumer for %" PRId64
            " ms (%s), %sit is deleted",
            still_ms(migrating, state),
            migrating->settle_ms ? "--settle" : "drain_timeout; 3 s at least",
            migrating->from.url ? "and holds nothing back, " : "");
    }
    say("4. %s is declared as the configuration wants it", state->queue);
    say("5. the messages move back, the bindings turn back, and %s is deleted", state->stand_in);
    say("what is published in the moment of 2 and 5 may come twice; who publishes straight to the "
        "queue's name, past the exchanges, has to pause");
    if (!migrating->from.url) {
        say_unseen(state);
        say("bindings that the configuration doesn't ask for are unknown without "
            "broker.management_url, and lost");
    }
}

/* --- the way through --- */

static bool show_step(warren_migration_step step, uint64_t moved, void *user)
{
    struct migrating *migrating = user;
    if (step != migrating->step || !migrating->has_begun) {
        migrating->step = step;
        migrating->has_begun = true;
        say("%s", warren_migration_step_name(step));
    }
    say_progress("%" PRIu64 " messages moved", moved);
    return !say_is_interrupted();
}

static bool ask_held(const char *queue, warren_migration_held *out, void *user)
{
    const struct migrating *migrating = user;
    warren_queue_facts facts;
    char problem[1024] = "";
    if (!management_ask_queue(&migrating->from, QUEUE_TIMEOUT_MS, queue, &facts, problem,
                              sizeof problem)) {
        say("management API: %s", problem);
        return false;
    }
    *out = (warren_migration_held){ facts.unacked, facts.dead_lettering };
    return true;
}

static int migrate(struct migrating *migrating)
{
    const warren_queue_facts *facts = management_queue(&migrating->management, migrating->queue);
    const warren_migration_options options = { .bindings = migrating->management.facts.bindings,
                                               .type = facts ? facts->type : NULL,
                                               .settle_ms = migrating->settle_ms,
                                               .held = migrating->from.url ? ask_held : NULL };
    warren_error err;
    warren_migration state;
    uint64_t moved = 0;
    say_catch_interrupt();
    warren_status rc = warren_topology_migrate(migrating->topology, migrating->queue, &options,
                                               show_step, migrating, &moved, &err);
    say_progress_done();
    if (rc) {
        int failed = say_failure(&err);
        return migrating->has_begun ? EXIT_PARTLY : failed;
    }
    if (warren_topology_look_at_migration(migrating->topology, migrating->queue, &state, &err)) {
        return say_failure(&err);
    }
    return report(migrating, &state, moved);
}

static int look_and_migrate(struct migrating *migrating, const struct args *args)
{
    warren_error err;
    warren_migration state;
    if (warren_topology_look_at_migration(migrating->topology, migrating->queue, &state, &err)) {
        return say_failure(&err);
    }
    say_differences(state.differences);
    if (state.phase == WARREN_MIGRATION_NOTHING) {
        say("queue %s stands as the configuration wants it: nothing to do", state.queue);
        return report(migrating, &state, 0);
    }
    if (state.phase != WARREN_MIGRATION_ABSENT) {
        say_steps(migrating, &state);
    }
    if (args_has(args, "dry-run")) {
        int code = report(migrating, &state, 0);
        return code ? code : state.phase == WARREN_MIGRATION_ABSENT ? EXIT_NOT_FOUND : EXIT_DONE;
    }
    if (migrating->from.url && !migrating->management.facts.bindings) {
        say("refused: broker.management_url is set, but the bindings could not be asked, and those "
            "that the configuration doesn't ask for would be lost: mend it, or take it out of the "
            "configuration");
        return EXIT_REFUSED;
    }
    if (!args_has(args, "yes") && !say_confirm("migrate queue", migrating->queue)) {
        return EXIT_REFUSED;
    }
    return migrate(migrating);
}

int cmd_topology_migrate(const struct args *args)
{
    struct migrating migrating = { .queue = args_operand(args, 0) };
    const char *settle = args_value(args, "settle");
    warren_error err;
    int code;
    if (!output_format_of(args, &migrating.format)) {
        return EXIT_USAGE;
    }
    if (settle && (!when_duration(settle, &migrating.settle_ms) || migrating.settle_ms < STILL_MS ||
                   migrating.settle_ms > SETTLE_MOST_MS)) {
        return say_usage("--settle takes a duration from 3s to 1d, not %s", settle);
    }
    if (warren_topology_open(&migrating.topology, args_config(args), &err) ||
        warren_topology_management(migrating.topology, &migrating.from, &err)) {
        code = say_failure(&err);
    } else {
        if (migrating.from.url &&
            !management_ask(&migrating.from, MANAGEMENT_TIMEOUT_MS, &migrating.management)) {
            say("management API: %s", migrating.management.problem);
        }
        code = look_and_migrate(&migrating, args);
    }
    management_done(&migrating.management);
    warren_topology_close(migrating.topology);
    return code;
}
