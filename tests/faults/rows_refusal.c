// SPDX-License-Identifier: MIT
// DESIGN: rows in which the broker refuses messages: no queue for them, or a queue that is full by
// somebody's policy. A publisher is told, and never that it was taken; what must go on (a retry, a
// dead letter) is tried again until it is taken, and its job stays with the broker meanwhile.
#include <inttypes.h>

#include "field_operator.h"
#include "rows.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, AT_ONCE = 4, OVER_SHIELD = 1000001 };

static struct field_process *ready_worker(struct field *field)
{
    struct field_process *worker = field_worker(field, NULL);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    return worker;
}

/* --- 33: no way ----------------------------------------------------------------------------------- */

static void unbind_work(struct field *field)
{
    operator_declare(field, &(struct wr_item){ .kind = WR_ITEM_UNBIND,
                                               .name = "warren.jobs",
                                               .destination = "work",
                                               .to_queue = true,
                                               .key = "work" });
}

/* All of them come back, whichever way they were published. */
static void all_refused(struct field *field, int window)
{
    enum { COUNT = 50 };
    uint64_t before = book_count(field->book, BOOK_REFUSED);
    struct field_source jobs = { .count = COUNT, .window = window };
    field_expect_exit(field, field_source(field, &jobs), 3, READY_MS);
    field_read(field);
    (void)field_expect(field, book_count(field->book, BOOK_REFUSED) == before + COUNT,
                       "%" PRIu64 " of %d were refused with a window of %d",
                       book_count(field->book, BOOK_REFUSED) - before, COUNT, window);
    (void)field_expect(field, !book_count(field->book, BOOK_CONFIRMED),
                       "jobs were confirmed that no queue has");
}

static void unroutable(struct field *field)
{
    operator_apply(field, field_config(field, NULL));
    unbind_work(field);
    all_refused(field, 20);
    all_refused(field, 1);
    struct field_source nobodys = { .type = "nobodys", .delay_ms = 500, .count = 10 };
    (void)field_source(field, &nobodys); /* the ladder takes them, and nobody at its end */
    uint64_t before = book_count(field->book, BOOK_REFUSED);
    (void)field_source(field, &(struct field_source){ .republish_ms = 60000 });
    (void)field_wait_count(field, BOOK_REFUSED, before + 50, READY_MS);
    (void)ready_worker(field); /* binds again */
    (void)field_drain(field, DRAIN_MS);
    (void)field_expect(field, book_count(field->book, BOOK_DONE) == (uint64_t)field->jobs,
                       "%" PRIu64 " are done", book_count(field->book, BOOK_DONE));
    field_note(field, "refused=%" PRIu64, book_count(field->book, BOOK_REFUSED));
    field_check(field, &(struct field_bounds){
                           .dead = 10, .dead_reason = "unrouted", .may_be_unconfirmed = true });
}

/* --- 34: no room ---------------------------------------------------------------------------------- */

static void limit(struct field *field, const char *pattern, const char *definition)
{
    operator_policy(field, &(struct operator_policy){ .name = "limit",
                                                      .pattern = pattern,
                                                      .definition = definition,
                                                      .priority = OVER_SHIELD });
}

static bool is_full(void *user)
{
    struct field *field = user;
    field_read(field);
    uint64_t confirmed = book_count(field->book, BOOK_CONFIRMED);
    return confirmed && (uint64_t)field_depth(field, "work") == confirmed;
}

/* The work queue is full: what was confirmed is in it, the rest is refused until there is room. Retries
 * that come home from the ladder wait there. */
static struct field_process *work_queue_full(struct field *field)
{
    operator_apply(field, field_config(field, NULL));
    limit(field, "^work$", "{\"max-length\":10,\"overflow\":\"reject-publish\"}");
    struct field_source jobs = { .window = 20,
                                 .republish_ms = 60000,
                                 .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                 .odd_every = 10 };
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_REFUSED, 100, READY_MS);
    (void)field_expect(field, field_wait(field, is_full, field, 5000),
                       "%" PRIu64 " are confirmed, %" PRId64 " are in the queue",
                       book_count(field->book, BOOK_CONFIRMED), field_depth(field, "work"));
    (void)field_expect(field, book_count(field->book, BOOK_CONFIRMED) <= 50,
                       "a queue of 10 took %" PRIu64, book_count(field->book, BOOK_CONFIRMED));
    struct field_process *worker = ready_worker(field);
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs, READY_MS);
    return worker;
}

/* A level, then the dead queue is full: the worker tries again and again, ever more slowly. */
static void way_on_full(struct field *field, struct field_process *worker)
{
    enum { COUNT = 40 };
    limit(field, "^warren.delay.1000$", "{\"max-length\":10}");
    (void)field_source(
        field, &(struct field_source){ .body = "{\"do\":\"fail\",\"times\":1}", .count = COUNT });
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs + COUNT, READY_MS);
    int64_t retries = field_gauge(worker, "forward_retries");
    (void)field_expect(field, retries > 0, "no retry met a full level");
    (void)field_expect(field, retries <= COUNT * 10, "%" PRId64 " tries for %d retries", retries,
                       COUNT);
    limit(field, "^work.dead$", "{\"max-length\":5,\"overflow\":\"reject-publish\"}");
    (void)field_source(field,
                       &(struct field_source){ .body = "{\"do\":\"dead\"}", .count = COUNT });
    (void)field_wait_gauge(field, worker, "forward_retries", retries + COUNT, INT64_MAX, READY_MS);
    /* Raised, not taken away: a 3.10 quorum queue without any limit tells nobody that it has room. */
    limit(field, "^work.dead$", "{\"max-length\":1000,\"overflow\":\"reject-publish\"}");
    field_note(field, "repeats=%" PRId64, field_gauge(worker, "forward_retries"));
}

static void no_room(struct field *field)
{
    struct field_process *worker = work_queue_full(field);
    way_on_full(field, worker);
    (void)field_drain(field, DRAIN_MS);
    field_note(field, "refused=%" PRIu64, book_count(field->book, BOOK_REFUSED));
    field_check(field,
                &(struct field_bounds){
                    .dead = 40,
                    .dead_reason = "dead",
                    .limits = { .at_once = AT_ONCE, .attempts = 2, .retry_least_us = 1000000 } });
}

const struct row rows_refusal[] = {
    ROW(33, ROW_SHORT, 300, 12, unroutable,
        "no queue for a job: the publisher is told each time, and never that it was taken"),
    ROW(34, ROW_PLAIN, 200, 25, no_room,
        "queues full by a policy: publishers are told, retries and dead letters are tried again"),
    ROWS_END,
};
