// SPDX-License-Identifier: MIT
// DESIGN: rows about somebody's policies on `.*`, set while jobs wait in the ladder, in a work queue
// and in its dead queue. With the shields of deploy/rabbitmq/definitions.json nothing may be early,
// late or lost. Without them a row shows what each definition does, so that the README beside the
// shields can say it; it fails when the harm is no longer seen, since the README is wrong then.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "field_inside.h"
#include "field_operator.h"
#include "rows.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, AT_ONCE = 4, DEAD = 20, LOOKS = 6 };
enum { DELAY_MS = 6000, SPREAD_MS = 1000, LATE_MOST_US = 3000000 };

static struct field_process *ready_worker(struct field *field)
{
    struct field_process *worker = field_worker(field, NULL);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    return worker;
}

static void set_everywhere(struct field *field, bool is_operator, const char *definition)
{
    operator_policy(field, &(struct operator_policy){ .is_operator = is_operator,
                                                      .name = "somebodys",
                                                      .pattern = ".*",
                                                      .definition = definition,
                                                      .priority = 100 });
}

/* Jobs in the ladder, and dead letters. */
static void fill(struct field *field)
{
    uint64_t confirmed = book_count(field->book, BOOK_CONFIRMED);
    struct field_source delayed = { .delay_ms = DELAY_MS, .delay_spread_ms = SPREAD_MS };
    (void)field_source(field, &(struct field_source){ .body = "{\"do\":\"dead\"}", .count = DEAD });
    (void)field_source(field, &delayed);
    (void)field_wait_count(field, BOOK_CONFIRMED, confirmed + DEAD + (uint64_t)field->jobs,
                           READY_MS);
}

static void look_often(struct field *field)
{
    for (int i = 0; i < LOOKS; i++) {
        field_walk_dead(field);
    }
}

/* --- with the shields ----------------------------------------------------------------------------- */

/* The work queue has no shield, since its limits are its owner's business: with a consumer it is not
 * deleted, and what it drops stands in the dead queue with the broker's reason. */
static void shielded(struct field *field)
{
    static const char worst[] = "{\"max-length\":5,\"message-ttl\":300,\"expires\":2000,"
                                "\"delivery-limit\":2,\"overflow\":\"drop-head\"}";
    static const char operators[] = "{\"max-length\":5,\"message-ttl\":300,\"expires\":2000,"
                                    "\"delivery-limit\":2}"; /* these know no overflow */
    struct book_sum sum;
    (void)ready_worker(field);
    fill(field);
    struct field_source slow = { .body = "{\"do\":\"sleep\",\"ms\":400}", .count = 60 };
    (void)field_source(field, &slow); /* most of them wait in the work queue */
    set_everywhere(field, false, worst);
    set_everywhere(field, true, operators);
    look_often(field);
    (void)field_drain(field, DRAIN_MS);
    book_close(field->book, &(struct book_limits){ 0 }, &sum);
    (void)field_expect(field, sum.late_most_us <= LATE_MOST_US, "a job came %" PRId64 " ms late",
                       sum.late_most_us / 1000);
    (void)field_expect(field, book_dead_by(field->book, "dead") == DEAD,
                       "%" PRIu64 " dead letters are left", book_dead_by(field->book, "dead"));
    field_note(field, "late_ms=%" PRId64 " dropped_from_work=%" PRIu64 " expired_in_work=%" PRIu64,
               sum.late_most_us / 1000, book_dead_by(field->book, "maxlen"),
               book_dead_by(field->book, "expired"));
    field_check(field, &(struct field_bounds){ .dead = -1, .limits = { .at_once = AT_ONCE } });
}

/* --- without ---------------------------------------------------------------------------------------*/

struct harm {
    uint64_t early;
    uint64_t lost; /* delayed ones and dead letters */
    uint64_t dead; /* dead letters of the worker that are left */
    int64_t late_ms;
};

static bool has_nothing_open(void *user)
{
    struct field *field = user;
    field_read(field);
    return book_count(field->book, BOOK_OPEN) == 0;
}

/* One kind of policy with that definition. Counts grow over both kinds. */
static struct harm suffer(struct field *field, bool is_operator, const char *definition)
{
    struct book_sum sum;
    fill(field);
    set_everywhere(field, is_operator, definition);
    look_often(field);
    (void)field_wait(field, has_nothing_open, field, DELAY_MS + SPREAD_MS + 2000);
    set_everywhere(field, is_operator, NULL);
    (void)field_wait(field, has_nothing_open, field, 1000);
    operator_apply(field, field->inside->configs[0]);
    field_walk_dead(field);
    book_close(field->book, &(struct book_limits){ 0 }, &sum);
    struct harm harm = { .early = sum.early,
                         .lost = book_count(field->book, BOOK_OPEN),
                         .dead = book_dead_by(field->book, "dead"),
                         .late_ms = sum.late_most_us / 1000 };
    return harm;
}

static void note(struct field *field, const char *kind, struct harm harm)
{
    field_note(field, "%s: early=%" PRIu64 " lost=%" PRIu64 " dead=%" PRIu64 " late_ms=%" PRId64,
               kind, harm.early, harm.lost, harm.dead, harm.late_ms);
}

static struct harm unshielded(struct field *field, const char *definition)
{
    (void)ready_worker(field);
    operator_unshield(field);
    struct harm harm = suffer(field, false, definition);
    note(field, "policy", harm);
    return harm;
}

/* The same by an operator policy; harm adds up. */
static void by_operator(struct field *field, const char *definition)
{
    note(field, "and then operator policy", suffer(field, true, definition));
}

static void message_ttl(struct field *field)
{
    static const char definition[] = "{\"message-ttl\":300}";
    struct harm harm = unshielded(field, definition);
    (void)field_expect(field, harm.early > 0, "nothing came early");
    by_operator(field, definition);
}

static void expires(struct field *field)
{
    static const char definition[] = "{\"expires\":1000}";
    struct harm harm = unshielded(field, definition);
    (void)field_expect(field, harm.dead == 0, "the dead letters stayed");
    by_operator(field, definition);
    (void)field_expect(field, book_count(field->book, BOOK_OPEN) > (uint64_t)field->jobs / 2,
                       "no delayed job was lost");
}

static void delivery_limit(struct field *field)
{
    static const char definition[] = "{\"delivery-limit\":2}";
    struct harm harm = unshielded(field, definition);
    (void)field_expect(field, harm.dead == 0, "dead letters outlived %d looks", LOOKS);
    by_operator(field, definition);
}

/* Full levels refuse what comes from the level above, also when the limit is taken away again: only
 * another, higher limit wakes them. */
static void max_length(struct field *field)
{
    struct harm harm = unshielded(field, "{\"max-length\":5}");
    (void)field_expect(field, harm.dead < DEAD, "all dead letters stayed");
    (void)field_wait(field, has_nothing_open, field, 8000);
    field_note(field, "open_after_clearing=%" PRIu64, book_count(field->book, BOOK_OPEN));
    set_everywhere(field, false, "{\"max-length\":1000000}");
    (void)field_wait(field, has_nothing_open, field, 15000);
    field_note(field, "open_after_raising=%" PRIu64, book_count(field->book, BOOK_OPEN));
}

static void drop_head(struct field *field)
{
    struct harm harm = unshielded(field, "{\"max-length\":5,\"overflow\":\"drop-head\"}");
    (void)field_expect(field, harm.early > 0, "nothing came early");
    (void)field_expect(field, harm.lost > DEAD, "no delayed job was lost");
}

/* --- headers as large as a frame ------------------------------------------------------------------ */

enum { HEADERS_BYTES = 131026, PAD_OVERHEAD_BYTES = 9 };

/* What a client may send, and what the broker, once it adds a header at a redelivery, sends in a frame
 * longer than it promised (frame_max). */
static void publish_big(struct field *field, const char *id)
{
    char line[64];
    struct wr_text headers = { 0 };
    char *pad = field_print("%0*d", HEADERS_BYTES - PAD_OVERHEAD_BYTES, 0);
    wr_table_add_string(&headers, "pad", wr_slice_of(pad));
    struct wr_message message = {
        .key = wr_slice_of("work"),
        .present = WR_HEADERS | WR_DELIVERY_MODE | WR_MESSAGE_ID,
        .headers = { headers.data, headers.size },
        .delivery_mode = 2,
        .message_id = wr_slice_of(id),
        .body = wr_slice_of("{}"),
    };
    (void)snprintf(line, sizeof line, "A %s work 1 0", id);
    book_line(field->book, line);
    operator_publish(field, &message);
    (void)snprintf(line, sizeof line, "C %s 1", id);
    book_line(field->book, line);
    wr_text_done(&headers);
    free(pad);
}

static bool is_removed(void *user)
{
    return operator_purge(user, "work") > 0;
}

/* Only a quorum queue adds a header. Ten tries a second are the most that is no tight loop. */
static void meet_oversized_frame(struct field *field, struct field_process *worker)
{
    (void)field_wait_log(field, worker, "frame_max", 1, READY_MS);
    field_pass(field, 6000);
    int losses = field_log_count(worker, "connection.lost role=consumer");
    (void)field_expect(field, losses <= 12, "%d connections in 6 s for one bad frame", losses);
    (void)field_expect(field, field_wait(field, is_removed, field, READY_MS),
                       "the message can't be removed");
    field->taken = 1;
    field_note(field, "connections_lost=%d", losses);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, 40000);
}

static void header_near_frame_max(struct field *field)
{
    bool is_quorum = field->queue_type[0] == 'q';
    operator_apply(field, field_config(field, NULL));
    publish_big(field, "big-again");
    operator_return(field, "work", 1);
    struct field_process *worker = field_worker(field, NULL);
    if (is_quorum) {
        meet_oversized_frame(field, worker);
    }
    publish_big(field, "big-fresh");
    (void)field_source(field, NULL);
    (void)field_drain(field, DRAIN_MS);
    (void)field_expect(field, worker->restarts == 0, "the worker crashed");
    field_check(field, &(struct field_bounds){ .dead = is_quorum ? 1 : 2,
                                               .lost_most = is_quorum ? 1 : 0,
                                               .limits = { .at_once = AT_ONCE } });
}

const struct row rows_policy[] = {
    ROW(71, ROW_PLAIN, 200, 25, shielded,
        "policies on .* with the shields: nothing is early, late or lost"),
    ROW(72, ROW_ONCE, 200, 45, message_ttl,
        "message-ttl on .* without the shields, for the README"),
    ROW(73, ROW_ONCE, 200, 45, expires, "expires on .* without the shields, for the README"),
    ROW(74, ROW_ONCE, 200, 45, delivery_limit,
        "delivery-limit on .* without the shields, for the README"),
    ROW(75, ROW_ONCE, 200, 45, max_length, "max-length on .* without the shields, for the README"),
    ROW(76, ROW_ONCE, 200, 45, drop_head, "drop-head on .* without the shields, for the README"),
    ROW(77, ROW_PLAIN, 200, 20, header_near_frame_max,
        "headers as large as a frame: no crash, the cause in the log, slow tries until it is gone"),
    ROWS_END,
};
