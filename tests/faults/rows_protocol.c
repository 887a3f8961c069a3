// SPDX-License-Identifier: MIT
// DESIGN: rows about a broker that says what no real one says: confirms withheld or in any order, frames
// that are no protocol, a consumer that is told nothing. The broker is a script in this process. The
// publisher is in this process, too, so that every answer can be counted; the worker is a process of its
// own, so that a crash is seen as one.
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_broker.h"
#include "rows.h"
#include "warren/warren.h"

enum {
    STEP_MS = 20000,
    STUCK_MS = 90000,
    WINDOW = 32,
    PUBLISH_MS = 1000, /* publish.timeout */
    LATE_MS = 1000,    /* of an answer, on a busy machine */
    ANSWERS_MOST = 20000,
};

static const char publisher_main[] = "publish: { window = 32; timeout = \"1s\"; };";

/* The answers to publishes, by their number. */
static struct {
    atomic_int count[ANSWERS_MOST];
    atomic_int status[ANSWERS_MOST];
    _Atomic int64_t at_us[ANSWERS_MOST];
    atomic_int total;
} answers;

struct talk {
    struct field *field;
    struct fake *fake;
    warren_publisher *publisher;
    int published;
};

static void note_answer(void *user, warren_status status, const warren_error *error)
{
    size_t number = (size_t)(uintptr_t)user;
    (void)error;
    atomic_store(&answers.status[number], (int)status);
    atomic_store(&answers.at_us[number], field_now_us());
    atomic_fetch_add(&answers.count[number], 1);
    atomic_fetch_add(&answers.total, 1);
}

static bool open_talk(struct talk *talk, struct field *field)
{
    warren_error err = { .status = WARREN_OK };
    *talk = (struct talk){ .field = field, .fake = fake_open() };
    const char *config = field_config(
        field, &(struct field_config){ .url = fake_url(talk->fake), .main = publisher_main });
    warren_status rc = warren_publisher_open(&talk->publisher, config, &err);
    return field_expect(field, !rc, "cannot open: %s", err.text);
}

static void close_talk(struct talk *talk)
{
    warren_publisher_close(talk->publisher);
    fake_close(talk->fake);
}

/* So many more, without waiting for their answers. */
static void publish(struct talk *talk, int count)
{
    warren_error err = { .status = WARREN_OK };
    for (int i = 0; i < count; i++) {
        warren_message message = { .type = "work", .body = "1" };
        void *user = (void *)(uintptr_t)talk->published++;
        warren_status rc = warren_publish_async(talk->publisher, &message, note_answer, user, &err);
        field_expect(talk->field, !rc, "publish %d: %s", talk->published, err.text);
    }
}

static bool all_answered(void *user)
{
    const struct talk *talk = user;
    return atomic_load(&answers.total) >= talk->published;
}

/* Those of numbers from `first` on; each exactly once. */
static int answered_with(const struct talk *talk, int first, warren_status status)
{
    int found = 0;
    for (int i = first; i < talk->published; i++) {
        field_expect(talk->field, atomic_load(&answers.count[i]) == 1,
                     "publish %d was answered %d times", i, atomic_load(&answers.count[i]));
        found += atomic_load(&answers.status[i]) == (int)status;
    }
    return found;
}

/* A window full of publishes that are never confirmed: each is told so in time. */
static void publish_in_vain(struct talk *talk)
{
    int first = talk->published;
    int64_t began_us = field_now_us();
    publish(talk, WINDOW);
    field_expect(talk->field, field_wait(talk->field, all_answered, talk, STEP_MS),
                 "%d of %d publishes were answered", atomic_load(&answers.total), talk->published);
    int told =
        answered_with(talk, first, WARREN_UNKNOWN) + answered_with(talk, first, WARREN_TIMEOUT);
    field_expect(talk->field, told == WINDOW, "%d of %d were told that nothing is known", told,
                 WINDOW);
    int64_t last_us = field_now_us() - began_us;
    field_expect(talk->field, last_us < (PUBLISH_MS + LATE_MS) * 1000LL,
                 "the last answer came after %lld ms", (long long)(last_us / 1000));
}

static void confirms_never_come(struct field *field)
{
    struct talk talk;
    if (!open_talk(&talk, field)) {
        return;
    }
    fake_withhold(talk.fake, true);
    publish_in_vain(&talk);
    publish_in_vain(&talk);
    fake_withhold(talk.fake, false);
    int first = talk.published;
    publish(&talk, 2 * WINDOW);
    field_expect(field, field_wait(field, all_answered, &talk, STEP_MS), "not all were answered");
    int confirmed = answered_with(&talk, first, WARREN_OK);
    field_expect(field, confirmed == 2 * WINDOW, "afterwards %d of %d were confirmed", confirmed,
                 2 * WINDOW);
    struct fake_publish early = fake_publish(talk.fake, 0);
    fake_confirm(talk.fake, early.place, early.tag + 1, FAKE_ACK_MULTIPLE);
    publish(&talk, 1);
    (void)field_wait(field, all_answered, &talk, STEP_MS);
    (void)answered_with(&talk, 0, WARREN_OK);
    field_note(field, "publishes=%d confirmed=%d connections=%zu", talk.published, confirmed,
               fake_counted(talk.fake, FAKE_LOGINS));
    field_check(field, &(struct field_bounds){ .may_be_unconfirmed = true });
    close_talk(&talk);
}

/* --- confirms in any order --- */

/* What the script has said of the publishes of a round, by their place in it; 0: nothing yet. */
struct said {
    int count, open;
    enum fake_answer answer[WINDOW];
    bool is_said[WINDOW];
};

static void say(struct said *said, int first, int last, enum fake_answer answer)
{
    for (int i = first; i <= last && i < said->count; i++) {
        if (said->is_said[i]) {
            continue;
        }
        said->is_said[i] = true;
        said->answer[i] = answer;
        said->open--;
    }
}

/* A confirm of any kind, of any tag around those of the round: also of one that was settled, or of one
 * that was never sent. */
static void say_anything(struct talk *talk, struct said *said, uint64_t base)
{
    struct fake_place place = fake_publish(talk->fake, (size_t)talk->published - 1).place;
    enum fake_answer answer = (enum fake_answer)field_random(talk->field, FAKE_NACK_MULTIPLE + 1);
    bool is_multiple = answer == FAKE_ACK_MULTIPLE || answer == FAKE_NACK_MULTIPLE;
    int at = (int)field_random(talk->field, (uint64_t)said->count + 4) - 2;
    if ((int64_t)base + at < 1) {
        return; /* tag 0 means all of them: not today */
    }
    fake_confirm(talk->fake, place, base + (uint64_t)(int64_t)at, answer);
    if (at >= said->count) {
        return; /* never sent: it must not mean anything */
    }
    say(said, is_multiple || at < 0 ? 0 : at, at, answer);
}

static void play_round(struct talk *talk)
{
    int first = talk->published;
    struct said said = { .count = 1 + (int)field_random(talk->field, WINDOW) };
    said.open = said.count;
    publish(talk, said.count);
    field_expect(talk->field,
                 fake_wait(talk->fake, FAKE_PUBLISHES, (size_t)talk->published, STEP_MS),
                 "the broker never saw publish %d", talk->published);
    uint64_t base = fake_publish(talk->fake, (size_t)first).tag;
    while (said.open > 0) {
        say_anything(talk, &said, base);
    }
    field_expect(talk->field, field_wait(talk->field, all_answered, talk, STEP_MS),
                 "%d of %d publishes were answered", atomic_load(&answers.total), talk->published);
    for (int i = 0; i < said.count; i++) {
        bool is_ack = said.answer[i] == FAKE_ACK || said.answer[i] == FAKE_ACK_MULTIPLE;
        int want = is_ack ? WARREN_OK : WARREN_NACKED;
        int got = atomic_load(&answers.status[first + i]);
        field_expect(talk->field, got == want, "publish %d: answer %d, not %d", first + i, got,
                     want);
    }
}

static void confirms_in_any_order(struct field *field)
{
    struct talk talk;
    if (!open_talk(&talk, field)) {
        return;
    }
    fake_withhold(talk.fake, true);
    while (talk.published < field->jobs) {
        play_round(&talk);
    }
    int confirmed = answered_with(&talk, 0, WARREN_OK);
    int nacked = answered_with(&talk, 0, WARREN_NACKED);
    field_expect(field, confirmed + nacked == talk.published, "some had another answer");
    field_expect(field, fake_counted(talk.fake, FAKE_LOGINS) == 1, "a connection was lost");
    field_note(field, "publishes=%d confirmed=%d nacked=%d", talk.published, confirmed, nacked);
    field_check(field, &(struct field_bounds){ .may_be_unconfirmed = true });
    close_talk(&talk);
}

/* --- a worker and frames that are no protocol --- */

struct visit {
    struct field *field;
    struct fake *fake;
    struct field_process *worker;
    uint64_t good; /* deliveries that must run */
};

static void open_visit(struct visit *visit, struct field *field, const char *broker)
{
    *visit = (struct visit){ .field = field, .fake = fake_open() };
    const char *config =
        field_config(field, &(struct field_config){ .url = fake_url(visit->fake),
                                                    .broker = broker,
                                                    .main = "drain_timeout = \"3s\";" });
    visit->worker = field_worker(field, &(struct field_worker){ .config = config });
    field_expect(field, fake_wait(visit->fake, FAKE_CONSUMES, 1, STEP_MS), "no consumer came");
}

/* A good job runs, on whatever connection there is now. */
static void expect_good_job(struct visit *visit)
{
    char id[32], line[64];
    struct fake_consumer consumer = fake_consumer(visit->fake);
    (void)snprintf(id, sizeof id, "good-%llu", (unsigned long long)++visit->good);
    (void)snprintf(line, sizeof line, "A %s work 1 0", id);
    book_line(visit->field->book, line);
    fake_deliver(visit->fake, &consumer, fake_next_tag(visit->fake, consumer.place),
                 &(struct fake_message){ id, "work", "{\"do\":\"done\"}" });
    (void)field_wait_count(visit->field, BOOK_DONE, visit->good, STEP_MS);
}

/* The worker ends as told, and only good jobs ever ran. */
static void close_visit(struct visit *visit)
{
    struct field *field = visit->field;
    field_signal(visit->worker, SIGTERM);
    field_expect_exit(field, visit->worker, 0, 8000);
    field_read(field);
    uint64_t started = book_count(field->book, BOOK_STARTED);
    field_expect(field, started == visit->good, "%llu jobs ran, %llu were good",
                 (unsigned long long)started, (unsigned long long)visit->good);
    field_note(field, "logins=%zu jobs=%llu", fake_counted(visit->fake, FAKE_LOGINS),
               (unsigned long long)started);
    field_check(field, &(struct field_bounds){ .may_be_unconfirmed = true });
    fake_close(visit->fake);
}

/* Something that a broker never sends, on the consumer's channel. */
typedef void nonsense(struct visit *visit, const struct fake_consumer *consumer);

static void begin_delivery(struct visit *visit, const struct fake_consumer *consumer, uint64_t size)
{
    struct wire method = { 0 }, header = { 0 };
    wire_deliver(&method, consumer->tag, fake_next_tag(visit->fake, consumer->place),
                 consumer->queue);
    wire_header(&header, size, "partial", "work");
    fake_method(visit->fake, consumer->place, &method);
    fake_frame(visit->fake, consumer->place, WIRE_HEADER, header.bytes, header.size);
}

static void header_alone(struct visit *visit, const struct fake_consumer *consumer)
{
    struct wire header = { 0 };
    wire_header(&header, 4, "partial", "work");
    fake_frame(visit->fake, consumer->place, WIRE_HEADER, header.bytes, header.size);
}

static void body_alone(struct visit *visit, const struct fake_consumer *consumer)
{
    fake_frame(visit->fake, consumer->place, WIRE_BODY, "null", 4);
}

static void body_too_long(struct visit *visit, const struct fake_consumer *consumer)
{
    begin_delivery(visit, consumer, 4);
    fake_frame(visit->fake, consumer->place, WIRE_BODY, "null!", 5);
}

static void body_cut_short(struct visit *visit, const struct fake_consumer *consumer)
{
    begin_delivery(visit, consumer, 8);
    fake_frame(visit->fake, consumer->place, WIRE_BODY, "null", 4);
    begin_delivery(visit, consumer, 4);
}

static void body_then_end(struct visit *visit, const struct fake_consumer *consumer)
{
    begin_delivery(visit, consumer, 8);
    fake_frame(visit->fake, consumer->place, WIRE_BODY, "null", 4);
    fake_hang_up(visit->fake, consumer->place.connection);
}

static void unknown_method(struct visit *visit, const struct fake_consumer *consumer)
{
    struct wire method = { 0 };
    wire_method(&method, WIRE_BASIC, 9999);
    fake_method(visit->fake, consumer->place, &method);
}

static void method_of_no_size(struct visit *visit, const struct fake_consumer *consumer)
{
    fake_frame(visit->fake, consumer->place, WIRE_METHOD, NULL, 0);
}

static void header_of_no_size(struct visit *visit, const struct fake_consumer *consumer)
{
    fake_frame(visit->fake, consumer->place, WIRE_HEADER, NULL, 0);
}

static void frame_too_large(struct visit *visit, const struct fake_consumer *consumer)
{
    unsigned char head[] = { WIRE_BODY, 0, (unsigned char)consumer->place.channel, 0x7f, 0, 0, 0 };
    fake_send(visit->fake, consumer->place.connection, head, sizeof head);
}

static void frame_without_end(struct visit *visit, const struct fake_consumer *consumer)
{
    static const unsigned char frame[] = { WIRE_BODY, 0, 1, 0, 0, 0, 1, 'x', 'y' };
    fake_send(visit->fake, consumer->place.connection, frame, sizeof frame);
}

static void close_of_connection(struct visit *visit, const struct fake_consumer *consumer)
{
    fake_connection_close(visit->fake, consumer->place.connection, 541, "INTERNAL_ERROR");
}

static void close_of_channel(struct visit *visit, const struct fake_consumer *consumer)
{
    fake_channel_close(visit->fake, consumer->place, 406, "PRECONDITION_FAILED - at will");
}

static void cancel_of_consumer(struct visit *visit, const struct fake_consumer *consumer)
{
    fake_cancel(visit->fake, consumer);
}

struct trick {
    const char *name;
    nonsense *play;
};

/* After each of them the worker has to consume anew. */
static const struct trick tricks[] = {
    { "a header without its method", header_alone },
    { "a body without its header", body_alone },
    { "a body longer than announced", body_too_long },
    { "a delivery inside a body", body_cut_short },
    { "half a body and an end", body_then_end },
    { "an unknown method", unknown_method },
    { "a method of no size", method_of_no_size },
    { "a header of no size", header_of_no_size },
    { "a frame above the agreed size", frame_too_large },
    { "a frame without its end", frame_without_end },
    { "an error of the broker", close_of_connection },
    { "a channel closed at will", close_of_channel },
    { "a consumer cancelled at will", cancel_of_consumer },
};

static void play(struct visit *visit, const struct trick *trick)
{
    struct fake_consumer consumer = fake_consumer(visit->fake);
    size_t before = fake_counted(visit->fake, FAKE_CONSUMES);
    trick->play(visit, &consumer);
    field_expect(visit->field, fake_wait(visit->fake, FAKE_CONSUMES, before + 1, STEP_MS),
                 "no consumer again after %s", trick->name);
    field_expect(visit->field, visit->worker->pid != 0, "the worker ended after %s", trick->name);
    expect_good_job(visit);
}

/* A delivery on a channel that nobody opened, and a frame of a type that there is none: nobody cares. */
static void expect_ignored(struct visit *visit)
{
    size_t before = fake_counted(visit->fake, FAKE_CONSUMES);
    struct fake_consumer consumer = fake_consumer(visit->fake), stray = consumer;
    stray.place.channel = 40;
    fake_deliver(visit->fake, &stray, 1, &(struct fake_message){ "stray", "work", "null" });
    fake_frame(visit->fake, consumer.place, 99, "null", 4);
    expect_good_job(visit);
    field_expect(visit->field, fake_counted(visit->fake, FAKE_CONSUMES) == before,
                 "what means nothing cost a connection");
}

static void no_protocol(struct field *field)
{
    struct visit visit;
    open_visit(&visit, field, NULL);
    expect_good_job(&visit);
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks && visit.worker->pid; i++) {
        play(&visit, &tricks[i]);
    }
    expect_ignored(&visit);
    close_visit(&visit);
}

/* --- silence --- */

static void nothing_is_delivered(struct field *field)
{
    struct visit visit;
    open_visit(&visit, field, NULL);
    expect_good_job(&visit);
    size_t logins = fake_counted(visit.fake, FAKE_LOGINS);
    size_t consumes = fake_counted(visit.fake, FAKE_CONSUMES);
    fake_ready(visit.fake, 5);
    int64_t began_us = field_now_us();
    (void)field_wait_log(field, visit.worker, "source.silent", 1, 90000);
    field_note(field, "noticed_ms=%lld", (long long)((field_now_us() - began_us) / 1000));
    field_expect(field, fake_wait(visit.fake, FAKE_CONSUMES, consumes + 1, STEP_MS),
                 "it does not consume again");
    fake_ready(visit.fake, 0);
    field_expect(field, fake_counted(visit.fake, FAKE_LOGINS) > logins, "no new connection");
    expect_good_job(&visit);
    close_visit(&visit);
}

/* The peer's process hangs, its heartbeats go on. First the consumer has to notice, then, when a retry is
 * to be sent, the publisher. */
static void stuck_connections(struct field *field)
{
    struct visit visit;
    open_visit(&visit, field, "rpc_timeout = \"3s\";");
    expect_good_job(&visit);
    size_t consumes = fake_counted(visit.fake, FAKE_CONSUMES);
    fake_stick(visit.fake);
    field_expect(field, fake_wait(visit.fake, FAKE_CONSUMES, consumes + 1, STUCK_MS),
                 "the consumer still trusts a connection that answers nothing");
    expect_good_job(&visit);
    struct fake_consumer consumer = fake_consumer(visit.fake);
    size_t publishes = fake_counted(visit.fake, FAKE_PUBLISHES);
    fake_deliver(visit.fake, &consumer, fake_next_tag(visit.fake, consumer.place),
                 &(struct fake_message){ "good-retried", "work", "{\"do\":\"fail\"}" });
    book_line(field->book, "A good-retried work 1 0");
    visit.good++;
    field_expect(field, fake_wait(visit.fake, FAKE_PUBLISHES, publishes + 1, STUCK_MS),
                 "the publisher still trusts a connection that answers nothing");
    close_visit(&visit);
}

const struct row rows_protocol[] = {
    ROW(35, ROW_ONCE, 128, 6, confirms_never_come,
        "confirms never come: each publish is answered in time, the window is free again"),
    ROW(36, ROW_ONCE, 4000, 10, confirms_in_any_order,
        "confirms in any order, twice, of many, of nobody: each publish is answered once"),
    ROW(37, ROW_ONCE, 1, 15, no_protocol,
        "frames that are no protocol: a new connection, and no partial job"),
    ROW(61, ROW_ONCE, 1, 60, nothing_is_delivered,
        "messages wait and none is delivered: the worker notices and connects anew"),
    ROW(67, ROW_ONCE, 1, 60, stuck_connections,
        "a connection has heartbeats and nothing else: both sides connect anew"),
    ROWS_END,
};
