// SPDX-License-Identifier: MIT
// DESIGN: the broker's eyes. Each thing that it sees must have its reason in the ledger: a publish
// in a publish call or a verdict, an acknowledgement in a verdict or in a message that went on
// before. Where an engine is free to choose (a job whose own messages failed is retried instead),
// both ways are accepted, but only where something was made to fail.
#include "ledger_watch.h"

#include <stdio.h>
#include <string.h>

#include "chronicle.h"
#include "model/delay.h"

#define DEAD_EXCHANGE "warren.dead"
#define LADDER "warren.delay."
#define RETRIES "warren.retry."

/* One message as the broker sees it, and by whom. */
struct view {
    const struct wr_memory_sight *sight;
    struct wr_message message;
    struct wr_bookkeeping books;
    struct copy *copy;
    int worker;
    bool is_dead;
    char reason[32];
};

int ledger_copy_number(const struct wr_message *message)
{
    struct wr_field field;
    int64_t number;
    bool is_there = (message->present & WR_HEADERS) &&
                    wr_table_find(message->headers, "copy", &field) &&
                    wr_field_int(&field, &number);
    return is_there && number >= 0 && number < LEDGER_COPIES ? (int)number : -1;
}

int ledger_state(struct ledger *ledger, struct copy *copy, int attempt, int snoozes)
{
    for (int i = 0; i < copy->state_count; i++) {
        if (copy->states[i].attempt == attempt && copy->states[i].snoozes == snoozes) {
            return i;
        }
    }
    if (copy->state_count == LEDGER_STATES) {
        ledger_fail(ledger, "copy %d goes round without an end", copy->number);
        return 0;
    }
    copy->states[copy->state_count] =
        (struct state){ .attempt = attempt, .snoozes = snoozes, .due_us = INT64_MAX };
    return copy->state_count++;
}

static bool read_view(struct ledger *ledger, const struct wr_memory_sight *sight, struct view *out)
{
    *out = (struct view){ .sight = sight };
    struct wr_field field;
    struct wr_slice reason;
    int number = -1;
    if (!wr_message_read(&out->message, sight->properties, NULL) &&
        !wr_bookkeeping_read(out->message.headers, &out->books, NULL)) {
        number = ledger_copy_number(&out->message);
    }
    if (number < 0 || number >= ledger->copy_count) {
        ledger_fail(ledger, "connection %s has a message that nobody published", sight->connection);
        return false;
    }
    out->copy = &ledger->copies[number];
    (void)sscanf(sight->connection, "%d", &out->worker);
    out->is_dead = wr_slice_is(sight->exchange, DEAD_EXCHANGE);
    if (wr_table_find(out->message.headers, WR_H_DEAD_REASON, &field) &&
        wr_field_string(&field, &reason)) {
        (void)snprintf(out->reason, sizeof out->reason, "%.*s", WR_SLICE(reason));
    }
    return true;
}

static bool begins(struct wr_slice slice, const char *with)
{
    size_t size = strlen(with);
    return slice.size >= size && memcmp(slice.data, with, size) == 0;
}

/* The delay that exchange and key stand for, in ms; 0 when the message goes to no ladder. Without
 * digits it is the level's own. */
static int64_t delay_of(const struct wr_memory_sight *sight)
{
    int64_t units = 0;
    int64_t level_ms = 0;
    const struct wr_slice level = { sight->exchange.data + strlen(RETRIES),
                                    sight->exchange.size - strlen(RETRIES) };
    if (!begins(sight->exchange, LADDER) && !begins(sight->exchange, RETRIES)) {
        return 0;
    }
    for (size_t at = 0; at + 1 < sight->key.size && sight->key.data[at + 1] == '.'; at += 2) {
        char c = sight->key.data[at];
        units |= (int64_t)(c >= 'a' ? c - 'a' + 10 : c - '0') << (2 * at);
    }
    (void)wr_slice_to_int(level, &level_ms);
    return units ? units * 125 : level_ms;
}

static void note_due(struct ledger *ledger, struct view *view)
{
    int at = ledger_state(ledger, view->copy, (int)view->books.attempt, (int)view->books.snoozes);
    struct state *state = &view->copy->states[at];
    int64_t due_us = wr_clock_mono_us(ledger->clock) + delay_of(view->sight) * WR_US_PER_MS;
    state->taken++;
    state->due_us = due_us < state->due_us ? due_us : state->due_us;
}

/* --- publishes --- */

/* Counted from the moment at which the engine took the message: not before the publish call. */
static void check_expiry(struct ledger *ledger, struct view *view)
{
    struct copy *copy = view->copy;
    int64_t said_ms = view->books.expires_ms;
    if (!said_ms != !copy->expires_ms || said_ms < copy->expires_ms) {
        ledger_fail(ledger, "copy %d expires at %lld, not at %lld", copy->number,
                    (long long)said_ms, (long long)copy->expires_ms);
    }
    copy->expires_ms = said_ms;
}

static void take_first(struct ledger *ledger, struct view *view)
{
    struct copy *copy = view->copy;
    int breaks = ledger->workers[copy->sender].ends - copy->sender_ends;
    int64_t delay_ms = copy->delay_ms ? scene_round_up(copy->delay_ms) : 0;
    copy->taken++;
    note_due(ledger, view);
    check_expiry(ledger, view);
    if (copy->sender != view->worker) {
        ledger_fail(ledger, "copy %d was published by %d, not by %d", copy->number, view->worker,
                    copy->sender);
    }
    if (copy->taken > 1 + breaks) {
        ledger_fail(ledger, "copy %d was published %d times over %d broken connections",
                    copy->number, copy->taken, breaks);
    }
    if (delay_of(view->sight) != delay_ms) {
        ledger_fail(ledger, "copy %d is delayed by %lld ms, %lld are asked for", copy->number,
                    (long long)delay_of(view->sight), (long long)delay_ms);
    }
}

/* How a verdict goes on. */
struct way {
    const char *reason; /* of a dead letter; NULL: into the ladder */
    int attempt;
    int snoozes;
    int64_t least_ms;
    int64_t most_ms;
};

static struct way way_of(const struct run *run, enum outcome outcome)
{
    const struct copy *copy = run->copy;
    const struct state *state = &copy->states[run->state];
    struct scene_policy policy = scene_policy(copy->type, copy->own_attempts, copy->own_backoff);
    struct way way = { .attempt = state->attempt + 1, .snoozes = state->snoozes };
    way.least_ms = way.most_ms = scene_round_up(run->asked_ms);
    if (outcome == SNOOZE) {
        way.attempt--;
        way.snoozes++;
    } else if (outcome == DEAD) {
        way.reason = "dead";
    } else if (outcome == BAD_VERDICT) {
        way.reason = "bad_verdict";
    } else if (way.attempt >= policy.attempts) {
        way.reason = "failed";
    } else if (outcome == RETRY) {
        scene_wait(&policy, way.attempt, &way.least_ms, &way.most_ms);
    }
    return way;
}

static bool goes_home(const struct view *view)
{
    char home[WR_DELAY_KEY_SIZE];
    return wr_delay_key_home(home, sizeof home, view->sight->key, "queue") &&
           strcmp(home, scene_type(view->copy->type)->home) == 0;
}

static bool is_way(const struct view *view, const struct way *way)
{
    if (view->books.attempt != way->attempt || view->books.snoozes != way->snoozes) {
        return false;
    }
    if (way->reason) {
        return view->is_dead && strcmp(view->reason, way->reason) == 0 &&
               wr_slice_is(view->sight->key, scene_type(view->copy->type)->queue);
    }
    int64_t delay_ms = delay_of(view->sight);
    return delay_ms >= way->least_ms && delay_ms <= way->most_ms && goes_home(view);
}

static bool has_own(const struct run *run, bool taken)
{
    for (int i = 0; i < run->own_count; i++) {
        if ((run->own[i]->taken > 0) == taken) {
            return true;
        }
    }
    return false;
}

/* How well a run explains a message; 0: not at all. */
enum { NO_WAY, MAYBE, PROBABLY, SURELY };

static int explains(const struct ledger *ledger, const struct run *run, const struct view *view)
{
    bool ends = run->outcome == DONE || run->outcome == DISCARD;
    bool has_failed = has_own(run, false) && run->outcome != DEAD; /* then it is a retry */
    bool may_have_failed = run->own_count && ledger->has_faults && run->outcome != DEAD;
    struct way way = way_of(run, run->outcome);
    if (run->outcome == IN_HAND || run->is_stale) {
        return NO_WAY;
    }
    if (!ends && !has_failed && is_way(view, &way)) {
        return SURELY;
    }
    way = way_of(run, RETRY);
    if (!(has_failed || may_have_failed) || !is_way(view, &way)) {
        return NO_WAY;
    }
    return has_failed ? PROBABLY : MAYBE;
}

static int breaks_since(const struct ledger *ledger, const struct run *run)
{
    return ledger->workers[run->worker].ends - run->sender_ends;
}

/* Another run of the same attempt in the same worker: the broker has that attempt twice. */
static bool is_twin(const struct run *run, const struct run *other)
{
    return other != run && other->copy == run->copy && other->state == run->state &&
           other->worker == run->worker;
}

static bool has_room(const struct ledger *ledger, const struct run *run)
{
    return run->forwards < 1 + breaks_since(ledger, run);
}

/* Which of two twins a message is for can't always be told: together they have their number. */
static struct run *find_room(struct ledger *ledger, struct run *run)
{
    for (int i = 0; i < ledger->run_count; i++) {
        if (is_twin(run, &ledger->runs[i]) && has_room(ledger, &ledger->runs[i])) {
            return &ledger->runs[i];
        }
    }
    return run;
}

/* What was written to its twin may be its own. */
static void borrow_forward(struct ledger *ledger, struct run *run)
{
    for (int i = 0; i < ledger->run_count; i++) {
        struct run *other = &ledger->runs[i];
        if (is_twin(run, other) && other->forwards && !other->is_acked) {
            run->forwards = other->forwards;
            other->forwards = 0;
            return;
        }
    }
}

/* The run that a message goes on for: better one that has none yet. */
static struct run *find_run(struct ledger *ledger, const struct view *view)
{
    struct run *found = NULL;
    int best = 0;
    for (int i = 0; i < ledger->run_count; i++) {
        struct run *run = &ledger->runs[i];
        if (run->copy != view->copy || run->worker != view->worker || run->is_acked) {
            continue;
        }
        int fit = explains(ledger, run, view);
        int rank = fit ? 2 * fit + (run->forwards ? 0 : 8) + (run->is_returned ? 0 : 1) : 0;
        if (rank > best) {
            best = rank;
            found = run;
        }
    }
    return found;
}

static void take_forward(struct ledger *ledger, struct view *view)
{
    struct copy *copy = view->copy;
    struct run *run = find_run(ledger, view);
    bool has_expired = copy->expires_ms && wr_clock_wall_ms(ledger->clock) > copy->expires_ms;
    copy->dead += view->is_dead;
    if (!run && view->is_dead && has_expired && strcmp(view->reason, "expired") == 0) {
        copy->condemned[view->worker]++;
        return;
    }
    if (!run) {
        ledger_fail(ledger,
                    "copy %d goes on to %.*s (attempt %d, snoozes %d, delay %lld, reason %s), but "
                    "no verdict of worker %d asks for that",
                    copy->number, WR_SLICE(view->sight->exchange), (int)view->books.attempt,
                    (int)view->books.snoozes, (long long)delay_of(view->sight), view->reason,
                    view->worker);
        return;
    }
    if (!has_room(ledger, run)) {
        run = find_room(ledger, run);
    }
    if (++run->forwards > 1 + breaks_since(ledger, run)) {
        ledger_fail(ledger, "copy %d goes on %d times over %d broken connections", copy->number,
                    run->forwards, breaks_since(ledger, run));
    }
    if (!view->is_dead) {
        note_due(ledger, view);
    }
}

static void take_publish(struct ledger *ledger, const struct wr_memory_sight *sight)
{
    struct view view;
    if (!read_view(ledger, sight, &view)) {
        return;
    }
    chronicle_note("broker takes copy=%d from=%s exchange=%.*s key=%.*s attempt=%d reason=%s",
                   view.copy->number, sight->connection, WR_SLICE(sight->exchange),
                   WR_SLICE(sight->key), (int)view.books.attempt, view.reason);
    if (!view.is_dead && !view.books.attempt && !view.books.snoozes) {
        take_first(ledger, &view);
    } else {
        take_forward(ledger, &view);
    }
}

/* --- what was out --- */

static struct run *find_delivery(struct ledger *ledger, const struct view *view)
{
    const struct wr_source *source = ledger->workers[view->worker].sources;
    source += source ? view->sight->channel - 1 : 0;
    for (int i = ledger->run_count - 1; i >= 0; i--) {
        struct run *run = &ledger->runs[i];
        if (run->worker == view->worker && source && run->generation == source->epoch &&
            run->channel == view->sight->channel && run->tag == view->sight->tag) {
            return run;
        }
    }
    return NULL;
}

static void take_ack(struct ledger *ledger, struct view *view)
{
    struct copy *copy = view->copy;
    struct run *run = find_delivery(ledger, view);
    if (!run) {
        if (--copy->condemned[view->worker] < 0) {
            ledger_fail(ledger, "copy %d is acknowledged, but neither run nor passed on",
                        copy->number);
        }
        return;
    }
    bool has_ended = run->outcome == DONE || run->outcome == DISCARD;
    run->is_acked = true;
    if (!run->forwards && (!has_ended || has_own(run, false))) {
        borrow_forward(ledger, run);
    }
    if (run->copy != copy) {
        ledger_fail(ledger, "copy %d is acknowledged as copy %d", copy->number, run->copy->number);
    } else if (!run->forwards && !has_ended) {
        ledger_fail(ledger, "copy %d is acknowledged before it went on", copy->number);
    } else if (!run->forwards && has_own(run, false)) {
        ledger_fail(ledger, "copy %d is acknowledged before its own messages were taken",
                    copy->number);
    } else if (!run->forwards) {
        copy->ends++;
    }
}

static void take_return(struct ledger *ledger, struct view *view)
{
    int at = ledger_state(ledger, view->copy, (int)view->books.attempt, (int)view->books.snoozes);
    struct run *run = find_delivery(ledger, view);
    view->copy->states[at].returned++;
    if (run) {
        run->is_returned = true;
    }
    if (ledger->workers[view->worker].has_drained) {
        ledger_fail(ledger, "copy %d was still out when worker %d had drained", view->copy->number,
                    view->worker);
    }
}

static void take_settle(struct ledger *ledger, const struct wr_memory_sight *sight)
{
    struct view view;
    if (!read_view(ledger, sight, &view)) {
        return;
    }
    bool is_ack = sight->kind == WR_MEMORY_ACKED;
    chronicle_note("broker %s copy=%d of=%s tag=%llu", is_ack ? "forgets" : "takes back",
                   view.copy->number, sight->connection, (unsigned long long)sight->tag);
    if (is_ack) {
        take_ack(ledger, &view);
    } else {
        take_return(ledger, &view);
    }
}

/* --- connections --- */

static void take_connection(struct ledger *ledger, const struct wr_memory_sight *sight)
{
    int worker = 0;
    char role = '\0';
    bool joins = sight->kind == WR_MEMORY_JOINED;
    (void)sscanf(sight->connection, "%d%c", &worker, &role);
    chronicle_note("broker %s %s", joins ? "greets" : "misses", sight->connection);
    if (role == 'p' && !joins) {
        ledger->workers[worker].ends++;
    }
}

/* What a publisher sent on a closed channel it sends again, as after a lost connection. Of a question
 * it is the answer: there is no such thing. */
static void take_close(struct ledger *ledger, const struct wr_memory_sight *sight)
{
    int worker = 0;
    char role = '\0';
    (void)sscanf(sight->connection, "%d%c", &worker, &role);
    chronicle_note("broker closes channel %u of %s", sight->channel, sight->connection);
    ledger->workers[worker].ends += role == 'p';
    bool only_asks = role == 'c' && sight->channel > ledger->workers[worker].channels;
    if (!only_asks && !ledger->closes) {
        ledger_fail(ledger, "the broker closed a channel of %s: %s", sight->connection,
                    sight->queue);
    }
}

void ledger_watch(void *user, const struct wr_memory_sight *sight)
{
    struct ledger *ledger = user;
    switch (sight->kind) {
    case WR_MEMORY_JOINED:
    case WR_MEMORY_LEFT:
        take_connection(ledger, sight);
        return;
    case WR_MEMORY_TAKEN:
        take_publish(ledger, sight);
        return;
    case WR_MEMORY_ACKED:
    case WR_MEMORY_RETURNED:
        take_settle(ledger, sight);
        return;
    case WR_MEMORY_REFUSED:
        take_close(ledger, sight);
        return;
    }
}
