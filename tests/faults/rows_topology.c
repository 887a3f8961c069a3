// SPDX-License-Identifier: MIT
// DESIGN: rows in which an operator takes pieces of the topology away under those who use them, or
// put others there before. What stood in a queue that is deleted is the operator's deed: it is
// counted exactly and shown as taken; everything else must end as if nothing had happened.
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "field_inside.h"
#include "field_operator.h"
#include "proxy.h"
#include "rows.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, AT_ONCE = 4 };

#define QUEUE_BACKOFF "retry: { attempts = 5; backoff = \"fixed\"; first = \"1s\"; jitter = 0.0; };"
#define QUEUE_JOBS "jobs: ( { type = \"work\"; concurrency = 4; } );"

/* A configuration with a second queue, `other`, whose jobs show that all else goes on. */
static const char *two_queues(struct field *field, struct field_config how)
{
    char *other =
        field_print("queue: { name = \"other\"; type = \"%s\"; jobs: ( { type = \"other\"; "
                    "concurrency = 4; } ); };",
                    field->queue_type);
    how.queue = "prefetch = 8; " QUEUE_BACKOFF QUEUE_JOBS;
    how.more = other;
    const char *config = field_config(field, &how);
    free(other);
    return config;
}

static struct field_process *ready_worker(struct field *field, const char *config)
{
    struct field_worker how = { .config = config, .types = "work,other" };
    struct field_process *worker = field_worker(field, &how);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    return worker;
}

static void expect_gauge(struct field *field, struct field_process *worker, const char *name,
                         int64_t value)
{
    int64_t seen = field_gauge(worker, name);
    (void)field_expect(field, seen == value, "%s: gauge %s is %" PRId64 ", not %" PRId64,
                       worker->name, name, seen, value);
}

/* Jobs of a type that are done. */
struct wanted_done {
    struct field *field;
    const char *type;
    uint64_t least;
};

static bool has_done(void *user)
{
    const struct wanted_done *wanted = user;
    field_read(wanted->field);
    return book_done_of(wanted->field->book, wanted->type) >= wanted->least;
}

static void wait_done(struct field *field, const char *type, uint64_t more)
{
    struct wanted_done wanted = { field, type, book_done_of(field->book, type) + more };
    (void)field_expect(field, field_wait(field, has_done, &wanted, READY_MS),
                       "%" PRIu64 " jobs of type %s are not done", wanted.least, type);
}

/* Others are worked on meanwhile. */
static void expect_flow(struct field *field)
{
    struct wanted_done wanted = { field, "other", book_done_of(field->book, "other") + 50 };
    (void)field_expect(field, field_wait(field, has_done, &wanted, 5000),
                       "the other queue stands still");
}

/* --- 26: the queue goes under its consumer -------------------------------------------------------- */

/* A worker that may declare nothing says what is missing, and goes on once it is there again. */
static void miss_until_declared(struct field *field, const char *config, const char *check)
{
    operator_apply(field, config);
    (void)field_source(field, &(struct field_source){ .type = "other", .rate = 100 });
    struct field_process *worker = ready_worker(field, check);
    (void)operator_delete_queue(field, "work");
    (void)field_wait_gauge(field, worker, "ready", 0, 0, 5000);
    (void)field_wait_log(field, worker, "missing: queue work", 1, 20000);
    expect_flow(field);
    field_pass(field, 2000);
    expect_gauge(field, worker, "ready", 0);
    int tries = field_log_count(worker, "source.failed");
    (void)field_expect(field, tries >= 1 && tries <= 15, "it was tried %d times in 2 s", tries);
    operator_apply(field, config);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, 15000);
    (void)field_source(field, &(struct field_source){ .count = 50 });
    wait_done(field, "work", 50);
    expect_gauge(field, worker, "connections", 1);
    expect_gauge(field, worker, "cancels", 1);
    field_signal(worker, SIGTERM);
    field_expect_exit(field, worker, 0, 5000);
}

static void queue_deleted_under_consumer(struct field *field)
{
    const char *config = two_queues(field, (struct field_config){ .port = 0 });
    const char *check = two_queues(field, (struct field_config){ .main = "topology = \"check\";" });
    miss_until_declared(field, config, check);
    struct field_process *worker = ready_worker(field, config);
    struct field_source slow = { .body = "{\"do\":\"sleep\",\"ms\":3000}", .count = 24 };
    uint64_t before = book_count(field->book, BOOK_CONFIRMED);
    (void)field_source(field, &slow);
    (void)field_wait_count(field, BOOK_CONFIRMED, before + 24, READY_MS);
    field->taken = (uint64_t)operator_delete_queue(field, "work");
    (void)field_wait_gauge(field, worker, "cancels", 1, 1, 5000);
    (void)field_wait_log(field, worker, "consumer.ready", 2, 10000);
    expect_flow(field);
    (void)field_source(field, &(struct field_source){ .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                                      .odd_every = 10,
                                                      .count = 100 });
    (void)field_drain(field, DRAIN_MS);
    expect_gauge(field, worker, "connections", 1);
    expect_gauge(field, worker, "channel_losses", 0);
    uint64_t lost = book_count(field->book, BOOK_OPEN);
    (void)field_expect(field, field->taken >= 8 && lost == field->taken,
                       "%" PRIu64 " ready ones were deleted, %" PRIu64 " are lost", field->taken,
                       lost);
    field_note(field, "taken=%" PRIu64, field->taken);
    field_check(field, &(struct field_bounds){ .lost_most = (int64_t)field->taken,
                                               .limits = { .type = "work", .at_once = AT_ONCE } });
}

/* --- 27: the queue goes under a publisher --------------------------------------------------------- */

/* What a deleted queue had not confirmed yet it confirms when it goes: the window is lost, too. */
static void queue_deleted_under_publisher(struct field *field)
{
    enum { WINDOW = 100 };
    const char *config = two_queues(field, (struct field_config){ .port = 0 });
    operator_apply(field, config);
    struct field_source jobs = { .rate = 500, .window = WINDOW, .republish_ms = 60000 };
    (void)field_source(field, &jobs);
    (void)field_wait_count(field, BOOK_CONFIRMED, 300, READY_MS);
    uint64_t deleted = (uint64_t)operator_delete_queue(field, "work");
    (void)field_wait_count(field, BOOK_REFUSED, 200, READY_MS);
    field_read(field);
    uint64_t confirmed = book_count(field->book, BOOK_CONFIRMED);
    field_pass(field, 500);
    field_read(field);
    (void)field_expect(field, book_count(field->book, BOOK_CONFIRMED) == confirmed,
                       "jobs were confirmed that no queue has");
    field->taken = deleted + WINDOW;
    (void)ready_worker(field, config);
    (void)field_drain(field, DRAIN_MS);
    uint64_t lost = book_count(field->book, BOOK_OPEN);
    (void)field_expect(field, lost + WINDOW >= deleted && lost <= deleted + WINDOW,
                       "%" PRIu64 " were deleted, %" PRIu64 " are lost", deleted, lost);
    field_note(field, "deleted=%" PRIu64 " confirmed_by_deletion=%" PRId64 " refused=%" PRIu64,
               deleted, (int64_t)(lost - deleted), book_count(field->book, BOOK_REFUSED));
    field_check(field, &(struct field_bounds){ .lost_most = (int64_t)(deleted + WINDOW) });
}

/* --- 28: exchanges go ----------------------------------------------------------------------------- */

static void level_deleted(struct field *field, struct field_process *worker)
{
    (void)field_source(field, &(struct field_source){ .delay_ms = 3000, .count = 50 });
    (void)field_wait_count(field, BOOK_CONFIRMED, 50, READY_MS);
    operator_delete_exchange(field, "warren.delay.1000");
    operator_delete_exchange(field, "warren.retry.1000");
    (void)field_source(
        field, &(struct field_source){ .body = "{\"do\":\"fail\",\"times\":1}", .count = 50 });
    wait_done(field, "work", 90);
    (void)field_expect(field, field_gauge(worker, "forward_retries") > 0,
                       "no retry met the missing level");
}

static void dead_exchange_deleted(struct field *field, struct field_process *worker)
{
    int64_t before = field_gauge(worker, "forward_retries");
    operator_delete_exchange(field, "warren.dead");
    (void)field_source(field, &(struct field_source){ .body = "{\"do\":\"dead\"}", .count = 20 });
    (void)field_wait_gauge(field, worker, "dead", 20, 20, READY_MS);
    (void)field_expect(field, field_gauge(worker, "forward_retries") > before,
                       "no dead letter met the missing exchange");
}

enum { PARENTS = 8 };

/* The source can't mend it; jobs that publish from the worker have it mended. They run once more when
 * what they published had no exchange. */
static void jobs_exchange_deleted(struct field *field)
{
    struct field_source parents = { .body = "{\"do\":\"publish\",\"before_ms\":2500}",
                                    .count = PARENTS };
    uint64_t before = book_count(field->book, BOOK_CONFIRMED);
    (void)field_source(field, &parents);
    (void)field_wait_count(field, BOOK_CONFIRMED, before + PARENTS, READY_MS);
    operator_delete_exchange(field, "warren.jobs");
    struct field_source alone = { .count = 200, .rate = 100, .republish_ms = 30000 };
    struct field_process *source = field_source(field, &alone);
    (void)field_wait_count(field, BOOK_REFUSED, 20, 5000);
    (void)field_expect(field, field_wait_exit(field, source, READY_MS) == 0,
                       "the source was not served after the repair");
}

/* Nobody is there to mend it. */
static void source_alone(struct field *field)
{
    field_read(field);
    uint64_t confirmed = book_count(field->book, BOOK_CONFIRMED);
    uint64_t refused = book_count(field->book, BOOK_REFUSED);
    operator_delete_exchange(field, "warren.jobs");
    struct field_process *source = field_source(field, &(struct field_source){ .count = 20 });
    (void)field_expect(field, field_wait_exit(field, source, READY_MS) == 3,
                       "a source without its exchange ends with %d, not with 3", source->exit_code);
    field_read(field);
    (void)field_expect(field, book_count(field->book, BOOK_CONFIRMED) == confirmed,
                       "jobs were confirmed that no exchange took");
    (void)field_expect(field, book_count(field->book, BOOK_REFUSED) == refused + 20,
                       "not all of them were refused");
}

/* An exchange is back a moment before its bindings: what meets it then is parked in the catch-all. */
static void exchanges_deleted(struct field *field)
{
    const char *config = two_queues(field, (struct field_config){ .port = 0 });
    struct field_process *worker = ready_worker(field, config);
    (void)field_source(field, &(struct field_source){ .type = "other", .count = 400, .rate = 100 });
    level_deleted(field, worker);
    dead_exchange_deleted(field, worker);
    jobs_exchange_deleted(field);
    (void)field_drain(field, DRAIN_MS);
    expect_gauge(field, worker, "connections", 1);
    expect_gauge(field, worker, "channel_losses", 0);
    uint64_t parked = book_dead_by(field->book, "unrouted");
    (void)field_expect(field, book_dead_by(field->book, "dead") == 20,
                       "the dead letters are not 20");
    (void)field_expect(field, parked <= 20, "%" PRIu64 " jobs are parked in the catch-all", parked);
    field_note(field, "repeats=%" PRId64 " publish_connections=%" PRId64 " parked=%" PRIu64,
               field_gauge(worker, "forward_retries"), field_gauge(worker, "publish_connections"),
               parked);
    source_alone(field);
    field_check(field, &(struct field_bounds){ .duplicates_most = PARENTS,
                                               .dead = -1,
                                               .may_be_unconfirmed = true,
                                               .limits = { .attempts = 5 } });
}

/* --- 29: something else stands there -------------------------------------------------------------- */

static void declare_otherwise(struct field *field)
{
    bool is_quorum = field->queue_type[0] == 'q';
    struct wr_item work = { .kind = WR_ITEM_QUEUE, .name = "work" };
    work.arguments = (struct wr_queue_arguments){ .type = is_quorum ? WR_QUORUM : WR_CLASSIC,
                                                  .dead_exchange = "warren.dead",
                                                  .dead_key = "elsewhere",
                                                  .delivery_limit = is_quorum ? 1000 : 0 };
    struct wr_item level = { .kind = WR_ITEM_QUEUE, .name = "warren.delay.1000" };
    level.arguments = (struct wr_queue_arguments){ .type = WR_QUORUM, .ttl_ms = 777 };
    operator_declare(field, &work);
    operator_declare(field, &level);
}

static void mismatch_at_start(struct field *field)
{
    const char *config = two_queues(field, (struct field_config){ .port = 0 });
    declare_otherwise(field);
    struct field_process *refused =
        field_worker(field, &(struct field_worker){ .config = config, .types = "work,other" });
    field_expect_exit(field, refused, 7, 10000);
    static const char *const said[] = {
        "queue work: x-dead-letter-routing-key is elsewhere at the broker, the config wants work",
        "queue warren.delay.1000: x-message-ttl is 777 at the broker, the config wants 1000",
        "Nothing is deleted or changed by itself",
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        (void)field_expect(field, field_log_count(refused, said[i]) > 0, "the message lacks %s",
                           said[i]);
    }
    (void)operator_delete_queue(field, "work");
    (void)operator_delete_queue(field, "warren.delay.1000");
    (void)ready_worker(field, config);
    (void)field_source(field, &(struct field_source){ .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                                      .odd_every = 10 });
    (void)field_drain(field, DRAIN_MS);
    field_check(field, &(struct field_bounds){ .limits = { .retry_least_us = 1000000 } });
}

/* --- 30: a channel's own mistake ------------------------------------------------------------------ */

/* An ack is one frame of 21 bytes: type 1, channel 2, length 4, method 4, tag 8, multiple 1, end 1.
 * On a connection that is otherwise silent the next 21 bytes to the broker are the next ack. */
enum { ACK_BYTES = 21, TAG_FIRST = 11, TAG_LAST = 18 };

struct scene {
    struct field *field;
    struct proxy *proxy;
    const char *config;
    struct field_process *worker;
};

static void one_job(struct scene *scene)
{
    (void)field_source(scene->field, &(struct field_source){ .config = scene->config, .count = 1 });
    wait_done(scene->field, "work", 1);
    (void)field_wait_gauge(scene->field, scene->worker, "in_flight", 0, 0, 5000);
    field_pass(scene->field, 200); /* until the ack has passed the proxy */
}

/* The worker's connections are the proxy's first two; the one that grows by an ack consumes. */
static int find_consumer(struct scene *scene)
{
    uint64_t before[2] = { proxy_read(scene->proxy, 0, PROXY_TO_BROKER),
                           proxy_read(scene->proxy, 1, PROXY_TO_BROKER) };
    one_job(scene);
    for (int i = 0; i < 2; i++) {
        if (proxy_read(scene->proxy, i, PROXY_TO_BROKER) - before[i] == ACK_BYTES) {
            return i;
        }
    }
    field_give_up("no connection has sent an ack", scene->worker->name);
}

/* The next ack names another delivery: the channel is closed with 406, and the job comes again. */
static void spoil_ack(struct scene *scene, int connection, uint64_t byte, unsigned char mask)
{
    struct field *field = scene->field;
    int64_t losses = field_gauge(scene->worker, "channel_losses");
    struct field_source slow = { .config = scene->config,
                                 .type = "other",
                                 .body = "{\"do\":\"sleep\",\"ms\":2000}",
                                 .count = 4 };
    (void)field_source(field, &slow);
    (void)field_wait_count(field, BOOK_STARTED, book_count(field->book, BOOK_STARTED) + 4,
                           READY_MS);
    proxy_corrupt(scene->proxy, (struct proxy_point){ connection, PROXY_TO_BROKER, byte }, mask);
    (void)field_source(field, &(struct field_source){ .config = scene->config, .count = 1 });
    wait_done(field, "work", 1);
    (void)field_wait_gauge(field, scene->worker, "channel_losses", losses + 1, losses + 1, 5000);
    (void)field_wait_gauge(field, scene->worker, "ready", 1, 1, 5000);
    (void)field_wait_gauge(field, scene->worker, "in_flight", 0, 0, 5000);
    field_pass(field, 200);
}

static void channel_exception(struct field *field)
{
    struct scene scene = { .field = field, .proxy = proxy_open(field_broker_port(field)) };
    const char *straight = two_queues(field, (struct field_config){ .port = 0 });
    scene.config = straight;
    scene.worker = ready_worker(
        field, two_queues(field, (struct field_config){ .port = proxy_port(scene.proxy) }));
    int connection = find_consumer(&scene);
    spoil_ack(&scene, connection, TAG_LAST, 0x2 ^ 0x1); /* the second tag is said to be the first */
    (void)field_wait_log(field, scene.worker, "unknown delivery tag 1", 1, 1000);
    one_job(&scene); /* the first tag of the new channel was the job that came again */
    spoil_ack(&scene, connection, TAG_FIRST, 0x40); /* a tag that never was */
    (void)field_wait_log(field, scene.worker, "unknown delivery tag", 2, 1000);
    (void)field_source(field, &(struct field_source){ .config = straight, .type = "other" });
    (void)field_source(field, &(struct field_source){ .config = straight });
    (void)field_drain(field, DRAIN_MS);
    expect_gauge(field, scene.worker, "connections", 1);
    expect_gauge(field, scene.worker, "channel_losses", 2);
    expect_gauge(field, scene.worker, "redelivered", 2);
    proxy_close(scene.proxy);
    field_check(field, &(struct field_bounds){ .duplicates_least = 2, .duplicates_most = 2 });
}

const struct row rows_topology[] = {
    ROW(26, ROW_SHORT, 1500, 25, queue_deleted_under_consumer,
        "a queue is deleted under its consumer: it is declared and consumed again, others go on"),
    ROW(27, ROW_PLAIN, 2500, 15, queue_deleted_under_publisher,
        "a queue is deleted under a publisher: later publishes are returned, only its contents go"),
    ROW(28, ROW_PLAIN, 678, 30, exchanges_deleted,
        "exchanges are deleted: the worker has them declared again, a source alone is refused"),
    ROW(29, ROW_SHORT, 200, 10, mismatch_at_start,
        "other arguments at the start: exit 7 and what differs; nothing is changed by itself"),
    ROW(30, ROW_PLAIN, 200, 12, channel_exception,
        "a double ack and an ack of an unknown tag: that channel is opened again, others go on"),
    ROWS_END,
};
