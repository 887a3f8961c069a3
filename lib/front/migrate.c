// SPDX-License-Identifier: MIT
// DESIGN: migrations for tools: the topology's connection, and the engine's steps on it.
#include "base/cleanup.h"
#include "base/error.h"
#include "engine/migration.h"
#include "front/topology.h"

const char *warren_migration_step_name(warren_migration_step step)
{
    switch (step) {
    case WARREN_MIGRATION_MOVING_OUT:
        return "moving messages to the stand-in";
    case WARREN_MIGRATION_TURNED_AWAY:
        return "new messages go to the stand-in, waiting for the old queue to be still";
    case WARREN_MIGRATION_DELETED:
        return "the old queue is deleted";
    case WARREN_MIGRATION_MOVING_BACK:
        return "the new queue is declared, moving messages back";
    case WARREN_MIGRATION_TURNED_BACK:
        return "new messages go to the new queue, waiting for the stand-in to be still";
    case WARREN_MIGRATION_DONE:
        break;
    }
    return "done";
}

static warren_status begin(warren_topology *topology, const char *queue,
                           struct wr_migration *migration, warren_error *err)
{
    warren_status rc = wr_topology_connect(topology, err);
    if (rc) {
        return rc;
    }
    *migration =
        (struct wr_migration){ .broker = topology->broker,
                               .settings = topology->settings,
                               .topology = topology->list,
                               .still_us = topology->settings->drain_timeout_ms * WR_US_PER_MS };
    return wr_migration_find(migration, queue, err);
}

warren_status warren_topology_look_at_migration(warren_topology *topology, const char *queue,
                                                warren_migration *out, warren_error *err)
{
    struct wr_migration migration;
    struct wr_migration_state state = { 0 };
    warren_status rc = begin(topology, queue, &migration, err);
    rc = rc ? rc : wr_migration_look(&migration, &state, err);
    if (!rc) {
        wr_text_clear(&topology->text);
        wr_text_add_string(&topology->text, wr_text_string(&state.differences));
        memcpy(topology->stand_in, migration.stand_in, sizeof topology->stand_in);
        *out =
            (warren_migration){ .phase = state.phase,
                                .queue = migration.item->name,
                                .stand_in = topology->stand_in,
                                .differences =
                                    state.differences.size ? wr_text_string(&topology->text) : "",
                                .messages = state.depth.messages,
                                .consumers = state.depth.consumers,
                                .moved = state.moved.messages,
                                .rest_ms = topology->settings->drain_timeout_ms,
                                .is_from_4 = wr_broker_server(topology->broker)->major >= 4 };
    }
    wr_migration_state_done(&state);
    return rc;
}

/* The public functions in the engine's form. */
struct visiting {
    warren_migration_visitor *visit;
    warren_migration_asker *ask;
    void *user;
};

static bool visit_step(void *user, warren_migration_step step, uint64_t moved)
{
    const struct visiting *visiting = user;
    return !visiting->visit || visiting->visit(step, moved, visiting->user);
}

static bool ask_held(void *user, const char *queue, struct wr_migration_held *out)
{
    const struct visiting *visiting = user;
    warren_migration_held held = { -1, -1 };
    bool was_asked = visiting->ask(queue, &held, visiting->user);
    *out = (struct wr_migration_held){ held.unacked, held.dead_lettering };
    return was_asked;
}

static void take_options(struct wr_migration *migration, const warren_migration_options *options)
{
    migration->type = options->type;
    migration->held = options->held ? ask_held : NULL;
    if (options->settle_ms > 0) {
        migration->still_us = options->settle_ms * WR_US_PER_MS;
        migration->still_back_us = migration->still_us;
    }
}

warren_status warren_topology_migrate(warren_topology *topology, const char *queue,
                                      const warren_migration_options *options,
                                      warren_migration_visitor *visit, void *user,
                                      uint64_t *out_moved, warren_error *err)
{
    static const warren_migration_options none;
    options = options ? options : &none;
    const warren_bindings *bindings = options->bindings;
    struct visiting visiting = { visit, options->held, user };
    struct wr_migration migration;
    struct wr_bindings known;
    AUTO_FREE struct wr_binding *items = NULL;
    uint64_t moved = 0;
    warren_status rc = bindings ? wr_topology_translate(bindings, &known, &items, err) : WARREN_OK;
    rc = rc ? rc : begin(topology, queue, &migration, err);
    if (!rc) {
        take_options(&migration, options);
        migration.bindings = bindings ? &known : NULL;
        migration.visit = visit_step;
        migration.user = &visiting;
        rc = wr_migration_run(&migration, &moved, err);
    }
    if (out_moved) {
        *out_moved = moved;
    }
    return rc;
}
