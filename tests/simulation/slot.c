// SPDX-License-Identifier: MIT
// DESIGN: a crash is what the broker sees of one: both connections are cut and the parts are never
// stepped again. Their memory can only be freed once no handler of theirs is on the stack; by then
// nothing they say reaches anybody.
#include "slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chronicle.h"
#include "handler.h"
#include "tally.h"

#define PATIENCE_US (20 * WR_US_PER_S)

static int64_t now_us(const struct slot *slot)
{
    return wr_clock_mono_us(&slot->world->clock);
}

bool slot_moves(const struct slot *slot)
{
    return slot->mode == SLOT_UP || slot->mode == SLOT_DRAINS;
}

/* For a publish that waits: moves this publisher, or else time. */
static void pump(void *user)
{
    struct slot *slot = user;
    struct world *world = slot->world;
    if (!wr_publisher_has_work(slot->worker->publisher)) {
        int64_t wait_us = slot->due_us - now_us(slot);
        wr_clock_advance(&world->clock, wait_us > WR_US_PER_MS ? wait_us : WR_US_PER_MS);
    }
    slot->due_us = wr_publisher_step(slot->worker->publisher, now_us(slot));
}

static warren_status open_worker(struct slot *slot, warren_error *err)
{
    char path[32];
    (void)snprintf(path, sizeof path, "scene%d.cfg", slot->world->program->scene);
    warren_status rc = warren_open(&slot->worker, path, err);
    if (rc) {
        return rc;
    }
    warren *w = slot->worker;
    free(w->settings->broker.url);
    w->settings->broker.url = strdup("memory:simulation");
    w->clock = &slot->world->clock;
    w->is_stepped = true;
    (void)snprintf(w->name, sizeof w->name, "worker-%d", slot->number);
    (void)snprintf(w->consumer_name, sizeof w->consumer_name, "%dc", slot->number);
    (void)snprintf(w->publisher_name, sizeof w->publisher_name, "%dp", slot->number);
    for (int i = 0; !rc && i < SCENE_TYPES; i++) {
        rc = warren_handle(w, scene_type(i)->name, handler_run, slot, err);
    }
    rc = rc ? rc : wr_worker_start(w, NULL, err);
    if (!rc) {
        slot->world->ledger.workers[slot->number].sources = w->roster.sources;
        slot->world->ledger.workers[slot->number].channels = w->roster.source_count;
        wr_front_publisher_pump(w->front, pump, slot);
    }
    return rc;
}

void slot_start(struct slot *slot)
{
    struct world *world = slot->world;
    warren_error err = { .status = WARREN_OK };
    if (slot->mode != SLOT_FREE || world->refuses || world->workers_made + 1 >= LEDGER_WORKERS) {
        return;
    }
    slot->number = ++world->workers_made;
    chronicle_note("worker %d starts", slot->number);
    memset(slot->running, 0, sizeof slot->running);
    slot->due_us = 0;
    slot->unanswered = 0;
    slot->mode = SLOT_UP;
    if (open_worker(slot, &err)) {
        ledger_fail(&world->ledger, "worker %d does not start: %s", slot->number, err.text);
    }
}

void slot_drain(struct slot *slot)
{
    if (slot->mode == SLOT_UP) {
        chronicle_note("worker %d drains", slot->number);
        slot->mode = SLOT_DRAINS;
        slot->patience_us = now_us(slot) + PATIENCE_US;
        wr_consumer_drain(slot->worker->consumer);
    }
}

void slot_crash(struct slot *slot)
{
    if (!slot_moves(slot)) {
        return;
    }
    chronicle_note("worker %d crashes", slot->number);
    slot->world->ledger.has_faults = true;
    slot->mode = SLOT_CRASHED;
    wr_memory_cut(slot->world->server, slot->worker->consumer_name);
    wr_memory_cut(slot->world->server, slot->worker->publisher_name);
}

static void close_worker(struct slot *slot)
{
    tally_add(slot->worker);
    warren_close(slot->worker);
    slot->world->ledger.workers[slot->number].sources = NULL;
    slot->world->ledger.workers[slot->number].channels = 0;
    slot->worker = NULL;
    slot->mode = SLOT_FREE;
}

void slot_reap(struct slot *slot)
{
    struct ledger *ledger = &slot->world->ledger;
    if (slot->world->depth) {
        return;
    }
    if (slot->mode == SLOT_CRASHED) {
        close_worker(slot);
        return;
    }
    if (slot->mode != SLOT_DRAINS) {
        return;
    }
    bool has_drained = wr_consumer_wait_drained(slot->worker->consumer, 0);
    bool has_published = slot->unanswered == 0;
    if (has_drained && has_published) {
        ledger->workers[slot->number].has_drained = true;
    } else if (now_us(slot) < slot->patience_us) {
        return;
    }
    ledger->has_faults = ledger->has_faults || !has_drained || !has_published;
    chronicle_note("worker %d ends drained=%d", slot->number, has_drained);
    close_worker(slot);
}

void slot_consume(struct slot *slot)
{
    if (slot_moves(slot)) {
        slot->due_us = wr_consumer_step(slot->worker->consumer, now_us(slot));
    }
}

bool slot_run(struct slot *slot)
{
    return slot_moves(slot) && slot->world->depth < WORLD_DEPTH_MOST &&
           wr_pool_step(slot->worker->pool);
}

void slot_send(struct slot *slot)
{
    if (slot_moves(slot)) {
        int64_t due_us = wr_publisher_step(slot->worker->publisher, now_us(slot));
        slot->due_us = due_us < slot->due_us ? due_us : slot->due_us;
    }
}

bool slot_has_work(const struct slot *slot)
{
    return slot_moves(slot) && (wr_consumer_has_work(slot->worker->consumer) ||
                                wr_publisher_has_work(slot->worker->publisher));
}

bool slot_is_idle(const struct slot *slot)
{
    return !slot_moves(slot) || (wr_counted(&slot->worker->counters.in_flight) == 0 &&
                                 wr_pool_counts(slot->worker->pool).waiting == 0);
}
