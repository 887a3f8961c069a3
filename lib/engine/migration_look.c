// SPDX-License-Identifier: MIT
// DESIGN: where a migration stands, read from what stands at the broker: whether there is a queue and
// a stand-in, how the queue differs, and of what kind it is. Nothing is changed here.
#include <stdio.h>

#include "base/error.h"
#include "engine/migration.h"
#include "engine/topologist_session.h"

enum { CHANNEL = 1 };

void wr_migration_stand_in(char *out, size_t size, const char *ns, const char *queue)
{
    (void)snprintf(out, size, "%s.migrate.%s", ns, queue);
}

void wr_migration_state_done(struct wr_migration_state *state)
{
    wr_text_done(&state->differences);
    *state = (struct wr_migration_state){ 0 };
}

/* --- which queue --- */

static const struct wr_queue_settings *find_owner(const struct wr_settings *settings,
                                                  const char *name)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        if (strcmp(queue->name, name) == 0) {
            return queue;
        }
        for (size_t j = 0; j < queue->job_count; j++) {
            char isolated[WR_NAME_SIZE];
            wr_topology_isolated_queue(isolated, sizeof isolated, queue->name, queue->jobs[j].type);
            if (queue->jobs[j].isolate && strcmp(isolated, name) == 0) {
                return queue;
            }
        }
    }
    return NULL;
}

static const struct wr_item *find_item(const struct wr_topology *topology, const char *name)
{
    for (size_t i = 0; i < topology->length; i++) {
        if (topology->items[i].kind == WR_ITEM_QUEUE &&
            strcmp(topology->items[i].name, name) == 0) {
            return &topology->items[i];
        }
    }
    return NULL;
}

warren_status wr_migration_find(struct wr_migration *migration, const char *queue,
                                warren_error *err)
{
    migration->item = find_item(migration->topology, queue);
    migration->queue = find_owner(migration->settings, queue);
    if (!migration->item) {
        return wr_fail(err, WARREN_NOT_FOUND,
                       "queue %s is not in this configuration: `warren queue list` shows them",
                       queue);
    }
    if (!migration->queue) {
        return wr_fail(
            err, WARREN_STATE,
            "queue %s can't be migrated, only work queues and those of isolated types: a "
            "dead queue, the catch-all and the ladder are the same in every "
            "configuration. Replay or drop what is in it (`warren dead`), then delete it",
            queue);
    }
    wr_migration_stand_in(migration->stand_in, sizeof migration->stand_in, migration->settings->ns,
                          queue);
    (void)snprintf(migration->lock, sizeof migration->lock, "%s.migrate.lock/%s",
                   migration->settings->ns, queue);
    if (strlen(migration->lock) > 255) {
        return wr_fail(err, WARREN_INVALID,
                       "queue %s: its lock would be called %s, which is longer than the 255 "
                       "bytes that AMQP allows",
                       queue, migration->lock);
    }
    return WARREN_OK;
}

/* --- what stands there --- */

/* How much is in it; `*out_exists` false when it isn't there. */
static warren_status ask_depth(const struct wr_migration *migration, const char *name,
                               struct wr_depth *out, bool *out_exists, warren_error *err)
{
    warren_error said = { 0 };
    warren_status rc = wr_broker_channel_open(migration->broker, CHANNEL, false, err);
    if (rc) {
        return rc;
    }
    rc = wr_broker_depth(migration->broker, CHANNEL, name, out, &said);
    *out_exists = !rc;
    if (!rc) {
        (void)wr_broker_channel_close(migration->broker, CHANNEL, NULL);
    }
    return rc && rc != WARREN_NOT_FOUND ? wr_fail(err, rc, "%s", said.text) : WARREN_OK;
}

enum wr_migration_kind wr_migration_kind(const char *differences, bool agrees,
                                         enum wr_queue_type wanted, const char *said)
{
    static const char before[] = ": x-queue-type is ";
    const char *found = strstr(differences, before);
    if (!found && agrees) {
        return wanted == WR_CLASSIC ? WR_KIND_CLASSIC : WR_KIND_QUORUM;
    }
    if (!found && !said) {
        return WR_KIND_UNKNOWN;
    }
    const char *type = found ? found + strlen(before) : said;
    return strncmp(type, "quorum", 6) == 0                                        ? WR_KIND_QUORUM
           : strncmp(type, "classic", 7) == 0 || strncmp(type, "not set", 7) == 0 ? WR_KIND_CLASSIC
                                                                                  : WR_KIND_FOREIGN;
}

static warren_status compare(const struct wr_migration *migration, struct wr_migration_state *out,
                             warren_error *err)
{
    struct wr_session session = { .broker = migration->broker, .channel = CHANNEL };
    warren_error said = { 0 };
    warren_status rc = wr_session_compare(&session, migration->item, &out->differences, &said);
    wr_session_done(&session);
    if (rc && rc != WARREN_MISMATCH) {
        return wr_fail(err, rc, "comparing queue %s: %s", migration->item->name, said.text);
    }
    out->kind = wr_migration_kind(wr_text_string(&out->differences), session.agrees,
                                  migration->item->arguments.type, migration->type);
    return WARREN_OK;
}

warren_status wr_migration_look(const struct wr_migration *migration,
                                struct wr_migration_state *out, warren_error *err)
{
    bool has_stand_in = false;
    warren_status rc =
        ask_depth(migration, migration->item->name, &out->depth, &out->has_queue, err);
    rc = rc ? rc : ask_depth(migration, migration->stand_in, &out->moved, &has_stand_in, err);
    if (!rc && out->has_queue) {
        rc = compare(migration, out, err);
    }
    if (rc) {
        return rc;
    }
    bool differs = out->differences.size > 0;
    if (!out->has_queue) {
        out->phase = has_stand_in ? WARREN_MIGRATION_RETURNING : WARREN_MIGRATION_ABSENT;
    } else if (differs) {
        out->phase = has_stand_in ? WARREN_MIGRATION_LEAVING : WARREN_MIGRATION_NEEDED;
    } else {
        out->phase = has_stand_in ? WARREN_MIGRATION_RETURNING : WARREN_MIGRATION_NOTHING;
    }
    return WARREN_OK;
}
