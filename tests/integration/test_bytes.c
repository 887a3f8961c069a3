// SPDX-License-Identifier: MIT
/*
 * A job that goes on as a message stays what its sender made of it: id, body, properties and
 * headers byte for byte, seen by taking the retried and the dead message off the wire. (On its way
 * through the ladder the broker writes the headers anew and sorts them, so their order is asked of
 * a job that never was there; RabbitMQ 4 sorts them by name in every publish. RabbitMQ 3.10
 * delivers the kind 'L', unsigned 64 bits, as an 'l'.)
 */
#include <CUnit/Basic.h>

#include "crew.h"
#include "model/table.h"
#include "stranger.h"

static const char queue_text[] =
    "queue: { name = \"bytes\"; retry: { attempts = 2; backoff = \"fixed\"; first = \"375ms\"; "
    "jitter = 0.0; }; jobs: ( { type = \"known\"; } ); };";

/* One entry of each kind that AMQP knows, with its payload as it goes over the wire. */
static const struct {
    const char *name;
    const char *payload;
    size_t size;
} kinds[] = {
#define KIND(name, bytes)                                                                          \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1                                                             \
    }
    KIND("a-bool", "t\x01"),
    KIND("b-int8", "b\x80"),
    KIND("c-uint8", "B\xff"),
    KIND("d-int16", "s\x80\x00"),
    KIND("e-uint16", "u\xff\xff"),
    KIND("f-int32", "I\x80\x00\x00\x00"),
    KIND("g-uint32", "i\xff\xff\xff\xff"),
    KIND("h-int64", "l\x80\x00\x00\x00\x00\x00\x00\x01"),
    KIND("i-float", "f\x3d\xcc\xcc\xcd"),
    KIND("j-double", "d\x3f\xb9\x99\x99\x99\x99\x99\x9a"),
    KIND("k-decimal", "D\x02\x00\x00\x30\x39"),
    KIND("l-string", "S\x00\x00\x00\x05\x61\x00\xff\xc3\x28"),
    KIND("m-empty", "S\x00\x00\x00\x00"),
    KIND("n-bytes", "x\x00\x00\x00\x03\x00\xfe\xff"),
    KIND("o-time", "T\x00\x00\x00\x00\x65\x00\x00\x00"),
    KIND("p-void", "V"),
    KIND("q-table", "F\x00\x00\x00\x0e\x01zV\x01"
                    "aF\x00\x00\x00\x04\x01nt\x00"),
    KIND("r-array", "A\x00\x00\x00\x0bVt\x01S\x00\x00\x00\x03"
                    "abc"),
    KIND("s-empty-table", "F\x00\x00\x00\x00"),
    KIND("t-empty-array", "A\x00\x00\x00\x00"),
    KIND("traceparent", "S\x00\x00\x00\x04"
                        "00-a"),
    KIND("UPPER and space", "S\x00\x00\x00\x01"
                            "x"),
#undef KIND
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void write_kinds(struct wr_text *out)
{
    for (size_t i = 0; i < KINDS; i++) {
        char size = (char)strlen(kinds[i].name);
        wr_text_add(out, &size, 1);
        wr_text_add_string(out, kinds[i].name);
        wr_text_add(out, kinds[i].payload, kinds[i].size);
    }
}

static const char body[] = "\x00\xff{not json\r\n\x00";

/* All properties but `type`, and those that Warren moves. */
static struct wr_message full_message(const struct wr_text *headers)
{
    return (struct wr_message){
        .exchange = wr_slice_of("warren.jobs"),
        .key = wr_slice_of("known"),
        .present = WR_CONTENT_TYPE | WR_CONTENT_ENCODING | WR_HEADERS | WR_DELIVERY_MODE |
                   WR_PRIORITY | WR_CORRELATION_ID | WR_REPLY_TO | WR_EXPIRATION | WR_MESSAGE_ID |
                   WR_TIMESTAMP | WR_USER_ID | WR_APP_ID,
        .content_type = wr_slice_of("application/x-stranger"),
        .content_encoding = wr_slice_of("x-odd"),
        .headers = { headers->data, headers->size },
        .delivery_mode = 2,
        .priority = 7,
        .correlation_id = wr_slice_of("corr *.#"),
        .reply_to = wr_slice_of("amq.rabbitmq.reply-to.x"),
        .expiration = wr_slice_of("60000"),
        .message_id = wr_slice_of("an id of its own / \xc3\xa9"),
        .timestamp = 1700000000,
        .user_id = wr_slice_of("warren"),
        .app_id = wr_slice_of("stranger"),
        .body = { body, sizeof body - 1 },
    };
}

static warren_verdict fail_always(warren_job *job, void *user)
{
    (void)user;
    crew_note_end(crew_note(job));
    return warren_retry(job, "attempt %d fails", warren_job_attempt(job));
}

static void expect_slice(struct wr_slice got, struct wr_slice want)
{
    CU_ASSERT(wr_slice_equals(got, want));
}

static void expect_header(struct wr_table headers, const char *name, const char *payload,
                          size_t size)
{
    struct wr_field field;
    if (!wr_table_find(headers, name, &field)) {
        (void)fprintf(stderr, "header %s is gone\n", name);
        CU_FAIL("a header is gone");
        return;
    }
    size_t skip = 1 + strlen(name);
    bool is_same =
        field.entry.size == skip + size && memcmp(field.entry.data + skip, payload, size) == 0;
    if (!is_same) {
        (void)fprintf(stderr, "header %s changed (kind %c)\n", name, field.kind);
    }
    CU_ASSERT(is_same);
}

/* Whether there is nothing in it that neither the stranger nor Warren nor the broker's ladder
 * wrote.
 */
static void expect_no_others(struct wr_table headers)
{
    struct wr_field field;
    for (size_t offset = 0; wr_table_next(headers, &offset, &field);) {
        bool is_known = field.name.size > 9 && memcmp(field.name.data, "x-warren-", 9) == 0;
        is_known = is_known || wr_slice_is(field.name, "x-death") ||
                   (field.name.size > 8 && memcmp(field.name.data, "x-first-", 8) == 0) ||
                   (field.name.size > 7 && memcmp(field.name.data, "x-last-", 7) == 0);
        for (size_t i = 0; i < KINDS && !is_known; i++) {
            is_known = wr_slice_is(field.name, kinds[i].name);
        }
        if (!is_known) {
            (void)fprintf(stderr, "header %.*s came from nowhere\n", WR_SLICE(field.name));
        }
        CU_ASSERT(is_known);
    }
}

static void expect_untouched(const struct wr_message *got, const struct wr_message *sent)
{
    unsigned moved = WR_EXPIRATION | WR_USER_ID;
    CU_ASSERT_EQUAL(got->present, (sent->present & ~moved) | WR_TYPE);
    expect_slice(got->body, sent->body);
    expect_slice(got->message_id, sent->message_id);
    expect_slice(got->content_type, sent->content_type);
    expect_slice(got->content_encoding, sent->content_encoding);
    expect_slice(got->correlation_id, sent->correlation_id);
    expect_slice(got->reply_to, sent->reply_to);
    expect_slice(got->app_id, sent->app_id);
    CU_ASSERT_EQUAL(got->timestamp, sent->timestamp);
    CU_ASSERT_EQUAL(got->priority, sent->priority);
    CU_ASSERT_EQUAL(got->delivery_mode, 2);
    expect_slice(got->type, wr_slice_of("known")); /* it said none: what it was is pinned */
    for (size_t i = 0; i < KINDS; i++) {
        expect_header(got->headers, kinds[i].name, kinds[i].payload, kinds[i].size);
    }
#define TEXT(name, size, text)                                                                     \
    expect_header(got->headers, name, "S\x00\x00\x00" size text, sizeof(size text) - 1 + 4)
    TEXT("x-warren-expiration", "\x05", "60000");
    TEXT("x-warren-user-id", "\x06", "warren");
#undef TEXT
    expect_no_others(got->headers);
}

static bool has_retried(void *user)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(user, &stats);
    return stats.retried == 1 && stats.in_flight == 0;
}

/* Runs a worker until the message was sent on into the ladder. */
static void fail_first_attempt(const char *config, const struct wr_message *message)
{
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "known", fail_always, NULL, NULL));
    crew_start(w);
    CU_ASSERT_FATAL(stranger_publish(*message));
    CU_ASSERT_FATAL(live_wait(has_retried, w, 10000));
    crew_stop(w);
}

static void a_retried_job_is_byte_for_byte_what_it_was(void)
{
    char *config = crew_config("", queue_text);
    struct wr_text headers = { 0 };
    write_kinds(&headers);
    struct wr_message sent = full_message(&headers);
    fail_first_attempt(config, &sent);
    struct wr_delivery *delivery = stranger_take("bytes");
    expect_untouched(&delivery->message, &sent);
    struct wr_field field;
    int64_t delay_ms = 0;
    CU_ASSERT_FATAL(wr_table_find(delivery->message.headers, "x-warren-delay-ms", &field));
    CU_ASSERT(wr_field_int(&field, &delay_ms));
    CU_ASSERT_EQUAL(delay_ms, 375);
    wr_delivery_free(delivery);
    wr_text_done(&headers);
    free(config);
}

static void a_dead_job_is_byte_for_byte_what_it_was(void)
{
    char *config = crew_config("", queue_text);
    struct wr_text headers = { 0 };
    write_kinds(&headers);
    struct wr_message sent = full_message(&headers);
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, "known", fail_always, NULL, NULL));
    crew_start(w);
    CU_ASSERT_FATAL(stranger_publish(sent));
    CU_ASSERT_FATAL(crew_wait_ended(w, 1, 10000));
    CU_ASSERT_EQUAL(crew_runs(), 2);
    crew_stop(w);
    struct wr_delivery *delivery = stranger_take("bytes.dead");
    expect_untouched(&delivery->message, &sent);
    expect_slice(delivery->message.exchange, wr_slice_of("warren.dead"));
    wr_delivery_free(delivery);
    wr_text_done(&headers);
    free(config);
}

/* The message as the broker hands it to somebody else than Warren. */
static struct wr_delivery *past_warren(struct wr_message message)
{
    talk_queue(stranger, STRANGER_CHANNEL, "past-warren");
    message.exchange = wr_slice_of("");
    message.key = wr_slice_of("past-warren");
    CU_ASSERT_FATAL(stranger_publish(message));
    return stranger_take("past-warren");
}

/* All headers but Warren's own, in their order. */
static struct wr_text without_warrens(struct wr_table headers)
{
    struct wr_text out = { 0 };
    struct wr_field field;
    for (size_t offset = 0; wr_table_next(headers, &offset, &field);) {
        if (field.name.size <= 9 || memcmp(field.name.data, "x-warren-", 9) != 0) {
            wr_text_add(&out, field.entry.data, field.entry.size);
        }
    }
    return out;
}

static void a_job_that_dies_at_once_keeps_even_the_order_of_its_headers(void)
{
    char *config = crew_config("", queue_text);
    struct wr_text headers = { 0 };
    wr_text_add(&headers,
                "\x07zz-last"
                "l\xff\xff\xff\xff\xff\xff\xff\xff",
                17);
    write_kinds(&headers);
    struct wr_message sent = full_message(&headers);
    sent.present |= WR_TYPE;
    sent.type = wr_slice_of("nobody.*.knows.#");
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "known", fail_always, NULL, NULL));
    crew_start(w);
    CU_ASSERT_FATAL(stranger_publish(sent));
    struct wr_delivery *delivery = stranger_take("bytes.dead");
    crew_stop(w);
    CU_ASSERT(wr_slice_is(delivery->message.type, "nobody.*.knows.#"));
    expect_slice(delivery->message.body, sent.body);
    CU_ASSERT(delivery->message.headers.size > headers.size);
    struct wr_delivery *past = past_warren(sent);
    struct wr_text got = without_warrens(delivery->message.headers);
    CU_ASSERT_EQUAL(past->message.headers.size, headers.size);
    expect_slice((struct wr_slice){ got.data, got.size },
                 (struct wr_slice){ past->message.headers.data, past->message.headers.size });
    wr_text_done(&got);
    wr_delivery_free(past);
    wr_delivery_free(delivery);
    wr_text_done(&headers);
    free(config);
}

static void a_job_without_id_keeps_the_one_that_it_got(void)
{
    char *config = crew_config("", queue_text);
    crew_forget();
    struct wr_message sent = { .exchange = wr_slice_of("warren.jobs"),
                               .key = wr_slice_of("known") };
    fail_first_attempt(config, &sent);
    struct wr_delivery *delivery = stranger_take("bytes");
    CU_ASSERT_EQUAL(crew_runs(), 1);
    CU_ASSERT(wr_slice_is(delivery->message.message_id, crew_run(0).id));
    CU_ASSERT_EQUAL(delivery->message.body.size, 0);
    CU_ASSERT_EQUAL(delivery->message.present,
                    WR_MESSAGE_ID | WR_TYPE | WR_HEADERS | WR_DELIVERY_MODE);
    wr_delivery_free(delivery);
    free(config);
}

int main(void)
{
    stranger_open();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("bytes", NULL, NULL);
    CU_ADD_TEST(suite, a_retried_job_is_byte_for_byte_what_it_was);
    CU_ADD_TEST(suite, a_dead_job_is_byte_for_byte_what_it_was);
    CU_ADD_TEST(suite, a_job_that_dies_at_once_keeps_even_the_order_of_its_headers);
    CU_ADD_TEST(suite, a_job_without_id_keeps_the_one_that_it_got);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    stranger_close();
    return failures ? 1 : 0;
}
