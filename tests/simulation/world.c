// SPDX-License-Identifier: MIT
// DESIGN: the order of everything is the program's: it says which part moves next, when time
// passes, and what breaks. When it is over, all faults are mended, somebody works, and the world
// runs until every message has ended; then the ledger is closed.
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "chronicle.h"
#include "handler.h"
#include "io/memory_server.h"

enum { ROUNDS_MOST = 5000, END_MOST_S = 1800 };

static int64_t now_us(const struct world *world)
{
    return wr_clock_mono_us(&world->clock);
}

static bool has_failed(const struct world *world)
{
    return world->ledger.failure[0];
}

/* --- the producer --- */

static void produce(struct world *world)
{
    world->producer_due_us = wr_publisher_step(world->producer, now_us(world));
}

static void pump(void *user)
{
    struct world *world = user;
    if (!wr_publisher_has_work(world->producer)) {
        int64_t wait_us = world->producer_due_us - now_us(world);
        wr_clock_advance(&world->clock, wait_us > WR_US_PER_MS ? wait_us : WR_US_PER_MS);
    }
    produce(world);
}

static void open_producer(struct world *world)
{
    struct wr_publisher_options options = {
        .settings = world->settings, .clock = &world->clock, .name = "0p", .watch = &world->watch
    };
    wr_watch_init(&world->watch, "producer");
    if (wr_publisher_new(&world->producer, &options, NULL, NULL) ||
        wr_front_publisher_new(&world->front, world->producer, world->settings, &world->clock,
                               NULL)) {
        ledger_fail(&world->ledger, "no producer");
        return;
    }
    wr_front_publisher_pump(world->front, pump, world);
}

/* --- moving --- */

/* One round of all parts; whether anything ran or has something to do. */
static bool move_all(struct world *world)
{
    bool moved = false;
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        struct slot *slot = &world->slots[i];
        slot_consume(slot);
        while (!has_failed(world) && slot_run(slot)) {
            moved = true;
        }
        slot_send(slot);
    }
    produce(world);
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        slot_reap(&world->slots[i]);
        moved = moved || slot_has_work(&world->slots[i]);
    }
    return moved || wr_publisher_has_work(world->producer);
}

void world_settle(struct world *world)
{
    int rounds = 0;
    while (!has_failed(world) && move_all(world)) {
        if (++rounds == ROUNDS_MOST) {
            ledger_fail(&world->ledger, "the parts move without an end");
        }
    }
}

/* When somebody has something to do again. */
static int64_t next_due_us(struct world *world)
{
    int64_t due_us = wr_memory_deadline_us(world->server);
    due_us = world->producer_due_us < due_us ? world->producer_due_us : due_us;
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        const struct slot *slot = &world->slots[i];
        due_us = slot_moves(slot) && slot->due_us < due_us ? slot->due_us : due_us;
    }
    return due_us;
}

static void pass_until(struct world *world, int64_t until_us)
{
    int64_t by_us = until_us - now_us(world);
    wr_clock_advance(&world->clock, by_us > WR_US_PER_MS ? by_us : WR_US_PER_MS);
}

void world_pass(struct world *world, int64_t by_ms)
{
    int64_t target_us = now_us(world) + by_ms * WR_US_PER_MS;
    world_settle(world);
    while (!has_failed(world) && now_us(world) < target_us) {
        int64_t due_us = next_due_us(world);
        pass_until(world, due_us < target_us ? due_us : target_us);
        world_settle(world);
    }
}

/* --- steps --- */

static void cut_one(struct world *world, const struct step *step)
{
    const struct slot *slot = &world->slots[step->slot];
    if (slot_moves(slot)) {
        bool is_consumer = step->random & 1;
        wr_memory_cut(world->server,
                      is_consumer ? slot->worker->consumer_name : slot->worker->publisher_name);
    }
}

static uint16_t find_channel(const struct slot *slot, const char *queue)
{
    const struct wr_roster *roster = &slot->worker->roster;
    for (size_t i = 0; i < roster->source_count; i++) {
        if (strcmp(roster->sources[i].name, queue) == 0) {
            return roster->sources[i].channel;
        }
    }
    return 0;
}

static void close_channel(struct world *world, const struct step *step)
{
    const struct slot *slot = &world->slots[step->slot];
    if (!slot_moves(slot)) {
        return;
    }
    world->ledger.closes = true;
    if (step->random & 1) {
        wr_memory_close_channel(world->server, slot->worker->consumer_name,
                                find_channel(slot, step_queue(step)));
    } else {
        wr_memory_close_channel(world->server, slot->worker->publisher_name, 1);
    }
    world->ledger.closes = false;
}

/* What breaks, and what is mended again. */
static void break_something(struct world *world, const struct step *step)
{
    struct wr_memory *server = world->server;
    world->ledger.has_faults = true;
    switch (step->kind) {
    case STEP_CUT_ALL:
        wr_memory_cut_all(server);
        return;
    case STEP_CUT_ONE:
        cut_one(world, step);
        return;
    case STEP_CLOSE:
        close_channel(world, step);
        return;
    case STEP_CANCEL:
        wr_memory_cancel(server, step_queue(step));
        return;
    case STEP_REFUSE:
    case STEP_ACCEPT:
        world->refuses = step->kind == STEP_REFUSE;
        wr_memory_refuse_connects(server, world->refuses);
        return;
    case STEP_NACK:
        wr_memory_nack_publishes(server, (unsigned)step->amount);
        return;
    case STEP_DROP:
        wr_memory_drop_confirms(server, (unsigned)step->amount);
        return;
    case STEP_BLOCK:
    case STEP_UNBLOCK:
        wr_memory_block(server, step->kind == STEP_BLOCK);
        return;
    case STEP_STALL:
        wr_clock_advance(&world->clock, step->amount * WR_US_PER_MS);
        return;
    default:
        return;
    }
}

static void take_step(struct world *world, const struct step *step)
{
    struct slot *slot = &world->slots[step->slot];
    switch (step->kind) {
    case STEP_PUBLISH:
        handler_publish(world, step);
        return;
    case STEP_CONSUME:
        slot_consume(slot);
        return;
    case STEP_RUN:
        (void)slot_run(slot);
        return;
    case STEP_SEND:
        slot_send(slot);
        return;
    case STEP_PRODUCE:
        produce(world);
        return;
    case STEP_ROUNDS:
        world_settle(world);
        return;
    case STEP_PASS:
        world_pass(world, step->amount);
        return;
    case STEP_START:
        slot_start(slot);
        return;
    case STEP_DRAIN:
        slot_drain(slot);
        return;
    case STEP_CRASH:
        slot_crash(slot);
        return;
    default:
        break_something(world, step);
    }
}

void world_step(struct world *world)
{
    if (world->cursor < world->program->length && !has_failed(world)) {
        const struct step *step = &world->program->steps[world->cursor++];
        char line[120];
        step_write(step, line, sizeof line);
        chronicle_note("step %d: %s", world->cursor, line);
        take_step(world, step);
        for (int i = 0; i < PROGRAM_SLOTS; i++) {
            slot_reap(&world->slots[i]);
        }
    }
}

/* --- the end --- */

static void mend(struct world *world)
{
    chronicle_note("all is mended");
    wr_memory_refuse_connects(world->server, false);
    wr_memory_nack_publishes(world->server, 0);
    wr_memory_drop_confirms(world->server, 0);
    wr_memory_block(world->server, false);
    world->refuses = false;
    bool somebody = false;
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        somebody = somebody || world->slots[i].mode == SLOT_UP;
    }
    for (int i = 0; i < PROGRAM_SLOTS && !somebody; i++) {
        slot_start(&world->slots[i]);
        somebody = world->slots[i].mode == SLOT_UP;
    }
    if (!somebody) {
        world_pass(world, 25000); /* all slots drain: they end first */
        slot_start(&world->slots[0]);
    }
}

/* Messages that wait for nobody. */
static size_t count_ended(struct world *world)
{
    static const char *const queues[] = { "mail.dead", "rest.dead", "warren.unrouted" };
    uint64_t ready = 0;
    uint64_t out = 0;
    size_t sum = 0;
    for (int i = 0; i < 3; i++) {
        if (wr_memory_depth(world->server, queues[i], &ready, &out)) {
            sum += ready;
        }
    }
    return sum;
}

static bool is_over(struct world *world)
{
    bool idle = !world->unanswered && world->server->messages == count_ended(world);
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        idle = idle && slot_is_idle(&world->slots[i]) && world->slots[i].mode != SLOT_DRAINS;
    }
    return idle;
}

static void finish(struct world *world)
{
    int64_t until_us = now_us(world) + END_MOST_S * WR_US_PER_S;
    mend(world);
    world_settle(world);
    while (!has_failed(world) && !is_over(world)) {
        if (now_us(world) > until_us) {
            ledger_fail(&world->ledger,
                        "half an hour later %zu messages have not ended, %d "
                        "publishes have no answer",
                        world->server->messages - count_ended(world), world->unanswered);
            return;
        }
        pass_until(world, next_due_us(world));
        world_settle(world);
    }
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        slot_drain(&world->slots[i]);
    }
    world_settle(world);
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        if (!has_failed(world) && world->slots[i].mode != SLOT_FREE) {
            ledger_fail(&world->ledger, "worker %d has nothing to do and does not drain",
                        world->slots[i].number);
        }
    }
    if (!has_failed(world)) {
        ledger_close(&world->ledger, world->server);
    }
}

static void begin(struct world *world, const struct program *program)
{
    struct wr_settings *settings = world->settings;
    world->program = program;
    world->cursor = world->depth = world->workers_made = world->unanswered = 0;
    world->refuses = false;
    world->producer_due_us = 0;
    wr_random_seed(program->seed);
    wr_clock_init(&world->clock, INT64_C(1700000000000));
    ledger_begin(&world->ledger, &world->clock);
    world->server = wr_memory_open("simulation", &world->clock);
    wr_memory_watch(world->server, ledger_watch, &world->ledger);
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        world->slots[i] = (struct slot){ .world = world };
    }
    world->settings = settings;
    slot_start(&world->slots[0]);
    open_producer(world);
}

static void close_all(struct world *world)
{
    for (int i = 0; i < PROGRAM_SLOTS; i++) {
        warren_close(world->slots[i].worker);
    }
    (void)wr_publisher_free(world->producer);
    wr_watch_done(&world->watch);
    wr_front_publisher_free(world->front);
    world->producer = NULL;
    world->front = NULL;
    wr_memory_watch(world->server, NULL, NULL);
    wr_memory_close(world->server);
}

const char *world_play(struct world *world, const struct program *program)
{
    begin(world, program);
    while (world->cursor < program->length && !has_failed(world)) {
        world_step(world);
    }
    if (!has_failed(world)) {
        finish(world);
    }
    close_all(world);
    return world->ledger.failure;
}
