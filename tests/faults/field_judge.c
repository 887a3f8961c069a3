// SPDX-License-Identifier: MIT
// DESIGN: at the end nothing is believed but the ledger and what stands in the broker's queues. A drain
// asks the ledger first, which is cheap; the broker is asked once the ledger is content. Dead letters
// are walked as an operator would, and depths are exact ones (field_broker.c).
#include "field_inside.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warren/dead.h"
#include "warren/queue.h"

enum {
    WALK_EVERY_US = 500000,
    WORKER_END_MS = 30000,
    FIND_MS = 5000,
    LEVELS_MOST = 32,
    NAMES_MOST = 64
};

/* --- looking into the broker ---------------------------------------------------------------------- */

/* One look at all queues of all configurations. */
struct look {
    struct field *field;
    warren_admin *admin;
    char names[NAMES_MOST][256]; /* seen already, in another configuration */
    size_t name_count;
    uint64_t waiting;  /* in work queues */
    uint64_t dead;     /* in dead queues and the catch-all */
    char example[256]; /* a work queue that isn't empty */
    bool walks;
};

static bool is_new(struct look *look, const char *name)
{
    for (size_t i = 0; i < look->name_count; i++) {
        if (strcmp(look->names[i], name) == 0) {
            return false;
        }
    }
    if (look->name_count == NAMES_MOST) {
        field_give_up("too many queues", name);
    }
    (void)snprintf(look->names[look->name_count++], sizeof look->names[0], "%s", name);
    return true;
}

static bool note_letter(const warren_dead_letter *letter, void *user)
{
    const struct look *look = user;
    book_dead(look->field->book, letter->id, letter->reason);
    return true;
}

static bool look_at_queue(const warren_queue_info *info, void *user)
{
    struct look *look = user;
    bool is_dead = strcmp(info->kind, "dead") == 0;
    bool is_unrouted = strcmp(info->kind, "unrouted") == 0;
    if (!is_new(look, info->name) || !info->messages) {
        return true;
    }
    if (!is_dead && !is_unrouted) {
        look->waiting += info->messages;
        (void)snprintf(look->example, sizeof look->example, "%s has %" PRIu64, info->name,
                       info->messages);
        return true;
    }
    look->dead += info->messages;
    return true;
}

static void walk(struct look *look, const char *queue)
{
    warren_error err;
    warren_dead_filter filter = { .queue = queue };
    warren_status rc = warren_dead_each(look->admin, &filter, note_letter, look, &err);
    if (rc && rc != WARREN_NOT_FOUND) {
        field_give_up("cannot walk the dead letters", err.text);
    }
}

static bool walk_queue(const warren_queue_info *info, void *user)
{
    struct look *look = user;
    char name[300];
    (void)snprintf(name, sizeof name, "walk %s", info->name);
    if (is_new(look, name) && info->messages) {
        if (strcmp(info->kind, "unrouted") == 0) {
            walk(look, "unrouted");
        } else if (strcmp(info->kind, "dead") == 0) {
            walk(look, info->name);
        }
    }
    return true;
}

static warren_admin *open_judge(struct field *field, const char *config)
{
    char *path = field_print("%.*s/judge.cfg", (int)(strrchr(config, '/') - config), config);
    warren_admin *admin = NULL;
    warren_error err = { .status = WARREN_OK };
    int64_t until_us = field_now_us() + 30 * 1000000LL;
    while (warren_admin_open(&admin, path, &err) && field_now_us() < until_us) {
        field_pass(field, 200); /* a broker that comes up refuses for a moment */
    }
    if (!admin) {
        field_give_up("the judge cannot connect", err.text);
    }
    free(path);
    return admin;
}

static void for_all_queues(struct look *look, warren_queue_visitor *visit)
{
    const struct field_inside *inside = look->field->inside;
    warren_error err;
    for (size_t i = 0; i < inside->config_count; i++) {
        look->admin = open_judge(look->field, inside->configs[i]);
        if (warren_queue_each(look->admin, visit, look, &err)) {
            field_give_up("cannot list the queues", err.text);
        }
        warren_admin_close(look->admin);
    }
}

/* The levels of the ladder, up to the first that isn't there. */
static void look_at_ladder(struct look *look)
{
    char name[64];
    int64_t ready = 0;
    for (int level = 0; level < LEVELS_MOST && ready >= 0; level++) {
        (void)snprintf(name, sizeof name, "warren.delay.%lld", 125LL << level);
        ready = field_depth(look->field, name);
        if (ready > 0) {
            look->waiting += (uint64_t)ready;
            (void)snprintf(look->example, sizeof look->example, "%s has %" PRId64, name, ready);
        }
    }
}

void field_walk_dead(struct field *field)
{
    struct look look = { .field = field };
    book_forget_dead(field->book);
    for_all_queues(&look, walk_queue);
}

/* --- the end -------------------------------------------------------------------------------------- */

void field_read(struct field *field)
{
    book_read(field->book, field->ledger);
}

static bool is_of_kind(const struct field_process *process, const char *kind)
{
    return strncmp(process->name, kind, strlen(kind)) == 0;
}

static bool sources_have_ended(void *user)
{
    const struct field *field = user;
    for (size_t i = 0; i < field->inside->process_count; i++) {
        const struct field_process *process = &field->inside->slots[i].process;
        if (process->pid && is_of_kind(process, "source")) {
            return false;
        }
    }
    return true;
}

static int64_t in_flight(const struct field *field)
{
    int64_t sum = 0;
    for (size_t i = 0; i < field->inside->process_count; i++) {
        const struct field_process *process = &field->inside->slots[i].process;
        if (process->pid && is_of_kind(process, "worker")) {
            int64_t value = field_gauge(process, "in_flight");
            sum += value > 0 ? value : 0;
        }
    }
    return sum;
}

struct drain {
    struct field *field;
    struct look look;
    int64_t walked_us;
};

/* Whether a worker runs, or is about to be started again. */
static bool has_worker(const struct field *field)
{
    for (size_t i = 0; i < field->inside->process_count; i++) {
        const struct field_slot *slot = &field->inside->slots[i];
        if (is_of_kind(&slot->process, "worker") && !field_is_over(&slot->process)) {
            return true;
        }
    }
    return false;
}

/* Cheap questions first: the broker is asked once the ledger is content, or now and then for the dead
 * letters that would make it so. */
static bool is_drained(void *user)
{
    struct drain *drain = user;
    struct field *field = drain->field;
    field_read(field);
    if (field_now_us() - drain->walked_us < WALK_EVERY_US) {
        return false;
    }
    if (book_count(field->book, BOOK_OPEN) > field->taken) {
        field_walk_dead(field);
    }
    bool is_content = book_count(field->book, BOOK_OPEN) <= field->taken && !in_flight(field);
    if (is_content) {
        drain->look = (struct look){ .field = field };
        for_all_queues(&drain->look, look_at_queue);
        look_at_ladder(&drain->look);
        is_content = !drain->look.waiting;
    }
    drain->walked_us = field_now_us();
    return is_content || !has_worker(field);
}

static void end_workers(struct field *field)
{
    for (size_t i = 0; i < field->inside->process_count; i++) {
        struct field_process *process = &field->inside->slots[i].process;
        if (process->pid && is_of_kind(process, "worker")) {
            field_signal(process, SIGTERM);
        } else if (is_of_kind(process, "worker")) { /* one that is down stays down */
            field->inside->slots[i].start.restarts_most = process->restarts;
        }
    }
    for (size_t i = 0; i < field->inside->process_count; i++) {
        struct field_process *process = &field->inside->slots[i].process;
        bool was_ended = is_of_kind(process, "worker") && process->signalled_us && process->pid;
        if (was_ended) {
            field_expect_exit(field, process, 0, WORKER_END_MS);
        }
    }
}

/* What one walk gave back may not be counted by the queue at once, and so be missed by the next. */
static bool is_all_found(void *user)
{
    struct field *field = user;
    field_walk_dead(field);
    return !book_count(field->book, BOOK_OPEN);
}

bool field_drain(struct field *field, int deadline_ms)
{
    struct drain drain = { .field = field, .look = { .field = field } };
    int64_t began_us = field_now_us();
    bool have_ended = field_wait(field, sources_have_ended, field, deadline_ms);
    field_expect(field, have_ended, "a source still publishes after %d ms", deadline_ms);
    int left_ms = deadline_ms - (int)((field_now_us() - began_us) / 1000);
    bool is_empty = field_wait(field, is_drained, &drain, left_ms > 1000 ? left_ms : 1000);
    field_expect(
        field, is_empty, "not drained after %d ms: %" PRIu64 " open, %" PRId64 " in flight; %s",
        deadline_ms, book_count(field->book, BOOK_OPEN), in_flight(field), drain.look.example);
    end_workers(field);
    struct look after = { .field = field };
    for_all_queues(&after, look_at_queue);
    look_at_ladder(&after);
    field_expect(field, !after.waiting, "left in the broker: %s", after.example);
    field_read(field);
    (void)field_wait(field, is_all_found, field, FIND_MS);
    return have_ended && is_empty && !after.waiting;
}

static void judge_dead(struct field *field, const struct field_bounds *bounds)
{
    uint64_t dead = book_count(field->book, BOOK_DEAD);
    field_expect(field, bounds->dead < 0 || dead == (uint64_t)bounds->dead,
                 "%" PRIu64 " dead letters, not %" PRId64, dead, bounds->dead);
    if (bounds->dead_reason) {
        uint64_t by_reason = book_dead_by(field->book, bounds->dead_reason);
        field_expect(field, by_reason == dead, "%" PRIu64 " of %" PRIu64 " dead letters are '%s'",
                     by_reason, dead, bounds->dead_reason);
    }
}

void field_check(struct field *field, const struct field_bounds *bounds)
{
    struct field_inside *inside = field->inside;
    struct book_sum *sum = &inside->sum;
    const struct book *book = field->book;
    inside->bounds = *bounds;
    inside->is_checked = true;
    book_close(book, &bounds->limits, sum);
    field_expect(field, sum->lost <= (uint64_t)bounds->lost_most, "%" PRIu64 " lost: %s", sum->lost,
                 sum->example);
    field_expect(field, !sum->unexpected, "%" PRIu64 " unexpected: %s", sum->unexpected,
                 sum->example);
    field_expect(field, sum->duplicates <= (uint64_t)bounds->duplicates_most,
                 "%" PRIu64 " duplicates, at most %" PRId64, sum->duplicates,
                 bounds->duplicates_most);
    field_expect(field, sum->duplicates >= (uint64_t)bounds->duplicates_least,
                 "%" PRIu64 " duplicates, at least %" PRId64, sum->duplicates,
                 bounds->duplicates_least);
    field_expect(field, !sum->early, "%" PRIu64 " runs came early", sum->early);
    field_expect(field, !sum->over_limit, "%" PRIu64 " runs over a limit of %d", sum->over_limit,
                 bounds->limits.at_once);
    field_expect(field, !sum->over_attempts, "%" PRIu64 " runs after attempt %d",
                 sum->over_attempts, bounds->limits.attempts);
    field_expect(field, !book_count(book, BOOK_BROKEN), "%" PRIu64 " broken lines in the ledger",
                 book_count(book, BOOK_BROKEN));
    field_expect(field, book_count(book, BOOK_CONFIRMED) > 0 || bounds->may_be_unconfirmed,
                 "nothing was confirmed");
    field_expect(field,
                 bounds->may_be_unconfirmed ||
                     book_count(book, BOOK_CONFIRMED) == book_count(book, BOOK_ATTEMPTED),
                 "%" PRIu64 " of %" PRIu64 " jobs confirmed", book_count(book, BOOK_CONFIRMED),
                 book_count(book, BOOK_ATTEMPTED));
    judge_dead(field, bounds);
}
