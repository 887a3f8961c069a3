// SPDX-License-Identifier: MIT
// DESIGN: row 18: the connection ends after each single byte of a delivery, and of a publish. A worker and
// a publisher of this process go through a proxy each, so that a cut counts from the moment when its
// connection is at rest: the next bytes are the delivery, or the publish, and nothing else. The handler
// compares every body with what its job's id says.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"
#include "rows.h"
#include "warren/warren.h"

enum { OFFSETS_MOST = 1000, BODY_BYTES = 40, STEP_MS = 20000 };

/* What the handler saw. */
static struct {
    atomic_int runs[OFFSETS_MOST];
    atomic_int wrong;
} seen;

struct cuts {
    struct field *field;
    struct proxy *deliveries, *publishes;
    warren *w;
    warren_publisher *publisher;
    int offset;
    int unknown;
};

static void make_body(int offset, char body[BODY_BYTES + 1])
{
    (void)snprintf(body, BODY_BYTES + 1, "\"%0*d\"", BODY_BYTES - 2, offset * 7919);
}

static warren_verdict compare(warren_job *job, void *user)
{
    char want[BODY_BYTES + 1];
    size_t size = 0;
    const char *body = warren_job_body(job, &size);
    int offset = (int)strtol(warren_job_id(job), NULL, 10);
    (void)user;
    make_body(offset, want);
    if (size != BODY_BYTES || memcmp(body, want, size) != 0) {
        atomic_fetch_add(&seen.wrong, 1);
    }
    atomic_fetch_add(&seen.runs[offset], 1);
    return WARREN_DONE;
}

static warren_stats_data stats_of(const warren *w)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    return stats;
}

static bool is_at_rest(void *user)
{
    struct cuts *cuts = user;
    warren_stats_data stats = stats_of(cuts->w);
    return stats.ready && stats.in_flight == 0;
}

static bool has_run(void *user)
{
    struct cuts *cuts = user;
    return atomic_load(&seen.runs[cuts->offset]) > 0 && is_at_rest(user);
}

static bool open_both(struct cuts *cuts)
{
    struct field *field = cuts->field;
    warren_error err = { .status = WARREN_OK };
    int port = field_broker_port(field);
    cuts->deliveries = proxy_open(port);
    cuts->publishes = proxy_open(port);
    const char *worker =
        field_config(field, &(struct field_config){ .port = proxy_port(cuts->deliveries) });
    const char *publisher =
        field_config(field, &(struct field_config){ .port = proxy_port(cuts->publishes) });
    warren_status rc = warren_open(&cuts->w, worker, &err);
    rc = rc ? rc : warren_handle(cuts->w, "work", compare, NULL, &err);
    rc = rc ? rc : warren_start(cuts->w, &err);
    rc = rc ? rc : warren_publisher_open(&cuts->publisher, publisher, &err);
    return field_expect(field, !rc, "cannot start: %s", err.text) &&
           field_expect(field, field_wait(field, is_at_rest, cuts, STEP_MS), "never ready");
}

/* Until the broker has it: the same id each time. */
static void publish(struct cuts *cuts)
{
    char id[16], body[BODY_BYTES + 1], line[128];
    warren_error err = { .status = WARREN_OK };
    warren_status rc = WARREN_UNKNOWN;
    (void)snprintf(id, sizeof id, "%d", cuts->offset);
    make_body(cuts->offset, body);
    warren_message message = { .type = "work", .id = id, .body = body };
    (void)snprintf(line, sizeof line, "A %s work %lld 0", id, (long long)field_now_us());
    book_line(cuts->field->book, line);
    int64_t until_us = field_now_us() + STEP_MS * 1000LL;
    while (rc && field_now_us() < until_us) {
        rc = warren_publish(cuts->publisher, &message, &err);
        cuts->unknown += rc != WARREN_OK;
    }
    if (field_expect(cuts->field, !rc, "offset %d is not published: %s", cuts->offset, err.text)) {
        (void)snprintf(line, sizeof line, "C %s %lld", id, (long long)field_now_us());
        book_line(cuts->field->book, line);
    }
}

/* Ends both connections after so many bytes. False: neither was so long any more. */
static bool cut_at(struct cuts *cuts, int offset)
{
    struct proxy_point point = { PROXY_ALL, PROXY_TO_CLIENT, (uint64_t)offset };
    size_t before = proxy_counts(cuts->deliveries).cuts + proxy_counts(cuts->publishes).cuts;
    cuts->offset = offset;
    proxy_cut(cuts->deliveries, point);
    point.way = PROXY_TO_BROKER;
    proxy_cut(cuts->publishes, point);
    publish(cuts);
    field_expect(cuts->field, field_wait(cuts->field, has_run, cuts, STEP_MS),
                 "offset %d never ran", offset);
    return proxy_counts(cuts->deliveries).cuts + proxy_counts(cuts->publishes).cuts > before;
}

static void note_runs(const struct cuts *cuts)
{
    char line[128];
    for (int offset = 0; offset <= cuts->offset; offset++) {
        for (int run = 0; run < atomic_load(&seen.runs[offset]); run++) {
            (void)snprintf(line, sizeof line, "S %d work 1 1 1", offset);
            book_line(cuts->field->book, line);
            (void)snprintf(line, sizeof line, "D %d work 1 1", offset);
            book_line(cuts->field->book, line);
        }
    }
}

static void cut_at_every_byte(struct field *field)
{
    struct cuts cuts = { .field = field };
    warren_error err;
    bool goes_on = open_both(&cuts);
    for (int offset = 0; goes_on && offset < OFFSETS_MOST; offset++) {
        goes_on = cut_at(&cuts, offset);
    }
    (void)warren_stop(cuts.w, STEP_MS, &err);
    note_runs(&cuts);
    field_expect(field, cuts.offset > 100 && cuts.offset < OFFSETS_MOST - 1, "ended at byte %d",
                 cuts.offset);
    field_expect(field, !atomic_load(&seen.wrong), "%d handlers saw another body",
                 atomic_load(&seen.wrong));
    field_note(field, "bytes=%d delivery_cuts=%zu publish_cuts=%zu publish_errors=%d", cuts.offset,
               proxy_counts(cuts.deliveries).cuts, proxy_counts(cuts.publishes).cuts, cuts.unknown);
    (void)field_drain(field, STEP_MS);
    /* A publish whose last byte came through, and of which only the confirm was lost. */
    field_check(field, &(struct field_bounds){ .duplicates_most = 2 });
    warren_publisher_close(cuts.publisher);
    warren_close(cuts.w);
    proxy_close(cuts.deliveries);
    proxy_close(cuts.publishes);
}

const struct row rows_cut[] = {
    ROW(18, ROW_ONCE, 1, 60, cut_at_every_byte,
        "the connection is cut after every byte of a delivery and of a publish"),
    ROWS_END,
};
