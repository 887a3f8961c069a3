// SPDX-License-Identifier: MIT
// What Warren publishes: every wrong message is refused with its reason; a job that goes on keeps
// what it had, and loses only what would send it astray.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "model/parcel.h"
#include "warren/message.h"

static const int64_t now_ms = INT64_C(1700000000000);
static const struct wr_compose how = {
    .ns = "warren", .delay_max_ms = 3600000, .body_most = 1024, .wall_ms = INT64_C(1700000000000)
};
static struct wr_parcel parcel;
static warren_error err;

/* --- a user's message --- */

static warren_status compose(warren_message message)
{
    warren_status rc = wr_parcel_compose(&parcel, &message, &how, &err);
    if (rc) {
        CU_ASSERT_EQUAL(rc, WARREN_INVALID);
    }
    return rc;
}

static bool refuses(warren_message message, const char *because)
{
    bool is_refused = compose(message) != WARREN_OK;
    if (!is_refused) {
        wr_parcel_done(&parcel);
    } else if (!strstr(err.text, because)) {
        fprintf(stderr, "want \"%s\" in \"%s\"\n", because, err.text);
        return false;
    }
    return is_refused;
}

static int64_t number_in(const char *name)
{
    struct wr_field field;
    int64_t number = -1;
    return wr_table_find(parcel.message.headers, name, &field) && wr_field_int(&field, &number)
               ? number
               : -1;
}

static bool has_header(const char *name)
{
    struct wr_field field;
    return wr_table_find(parcel.message.headers, name, &field);
}

static struct wr_slice string_in(const char *name)
{
    struct wr_field field;
    struct wr_slice value = { NULL, 0 };
    return wr_table_find(parcel.message.headers, name, &field) && wr_field_string(&field, &value)
               ? value
               : (struct wr_slice){ NULL, 0 };
}

static void a_plain_message_gets_id_persistence_and_its_route(void)
{
    CU_ASSERT_EQUAL_FATAL(compose((warren_message){ .type = "a.b", .body = "{\"x\":1}" }),
                          WARREN_OK);
    const struct wr_message *made = &parcel.message;
    CU_ASSERT(wr_slice_is(made->exchange, "warren.jobs"));
    CU_ASSERT(wr_slice_is(made->key, "a.b"));
    CU_ASSERT(wr_slice_is(made->type, "a.b"));
    CU_ASSERT(wr_slice_is(made->content_type, "application/json"));
    CU_ASSERT_EQUAL(made->message_id.size, 36);
    CU_ASSERT_EQUAL(made->delivery_mode, 2);
    CU_ASSERT_EQUAL(made->timestamp, (uint64_t)now_ms / 1000);
    CU_ASSERT_EQUAL(number_in(WR_H_ENQUEUED_MS), now_ms);
    CU_ASSERT(wr_slice_is(made->body, "{\"x\":1}"));
    CU_ASSERT_EQUAL(made->present & (WR_PRIORITY | WR_EXPIRATION | WR_REPLY_TO), 0);
    wr_parcel_done(&parcel);
}

static void no_body_is_an_empty_body_whatever_its_size_says(void)
{
    CU_ASSERT_EQUAL_FATAL(compose((warren_message){ .type = "a", .body_size = 900 }), WARREN_OK);
    CU_ASSERT_EQUAL(parcel.message.body.size, 0);
    wr_parcel_done(&parcel);
}

static void everything_that_a_message_says_is_in_it(void)
{
    const warren_header headers[] = { { .name = "tenant", .value = "x" },
                                      { .name = "n", .number = -4 } };
    const warren_message message = { .type = "a",
                                     .body = "\0\1\2",
                                     .body_size = 3,
                                     .id = "id",
                                     .content_type = "x/y",
                                     .correlation_id = "c",
                                     .reply_to = "r",
                                     .app_id = "app",
                                     .exchange = "own",
                                     .expires_ms = 5000,
                                     .max_attempts = 7,
                                     .backoff = "fixed 30s",
                                     .priority = 255,
                                     .headers = headers,
                                     .header_count = 2 };
    CU_ASSERT_EQUAL_FATAL(compose(message), WARREN_OK);
    const struct wr_message *made = &parcel.message;
    CU_ASSERT(wr_slice_is(made->exchange, "own"));
    CU_ASSERT(wr_slice_is(made->message_id, "id"));
    CU_ASSERT(wr_slice_is(made->content_type, "x/y"));
    CU_ASSERT(wr_slice_is(made->correlation_id, "c"));
    CU_ASSERT(wr_slice_is(made->reply_to, "r"));
    CU_ASSERT(wr_slice_is(made->app_id, "app"));
    CU_ASSERT_EQUAL(made->priority, 255);
    CU_ASSERT_EQUAL(made->body.size, 3);
    CU_ASSERT(wr_slice_is(string_in("tenant"), "x"));
    CU_ASSERT_EQUAL(number_in(WR_H_EXPIRES_MS), now_ms + 5000);
    CU_ASSERT_EQUAL(number_in(WR_H_MAX_ATTEMPTS), 7);
    CU_ASSERT(wr_slice_is(string_in(WR_H_BACKOFF), "fixed 30s"));
    wr_parcel_done(&parcel);
}

static void a_delay_enters_the_ladder_and_is_written_down(void)
{
    CU_ASSERT_EQUAL_FATAL(compose((warren_message){ .type = "a", .delay_ms = 1100 }), WARREN_OK);
    CU_ASSERT(wr_slice_is(parcel.message.exchange, "warren.delay.1000"));
    CU_ASSERT(wr_slice_is(parcel.message.key, "9.type/a"));
    CU_ASSERT_EQUAL(number_in(WR_H_DELAY_MS), 1125);
    CU_ASSERT_EQUAL(number_in(WR_H_RUN_AT_MS), now_ms + 1125);
    wr_parcel_done(&parcel);
    CU_ASSERT_EQUAL(compose((warren_message){ .type = "a", .at_ms = now_ms + 1000 }), WARREN_OK);
    CU_ASSERT(wr_slice_is(parcel.message.key, "8.type/a"));
    wr_parcel_done(&parcel);
    CU_ASSERT_EQUAL(compose((warren_message){ .type = "a", .at_ms = 1 }), WARREN_OK);
    CU_ASSERT(wr_slice_is(parcel.message.exchange, "warren.jobs"));
    CU_ASSERT_FALSE(has_header(WR_H_DELAY_MS));
    wr_parcel_done(&parcel);
}

static void wrong_messages_are_refused_one_by_one(void)
{
    static char longest[300];
    static char body[1025];
    memset(longest, 'x', sizeof longest - 1);
    memset(body, 'x', sizeof body);
    CU_ASSERT(refuses((warren_message){ .body = "" }, "no type"));
    CU_ASSERT(refuses((warren_message){ .type = "" }, "no type"));
    CU_ASSERT(refuses((warren_message){ .type = longest }, "type has 299"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .id = longest }, "id"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .content_type = longest }, "content_type"));
    CU_ASSERT(
        refuses((warren_message){ .type = "a", .correlation_id = longest }, "correlation_id"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .reply_to = longest }, "reply_to"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .app_id = longest }, "app_id"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .exchange = longest }, "exchange"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .delay_ms = 1, .at_ms = 1 }, "both"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .delay_ms = -1 }, "negative"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .at_ms = INT64_MIN }, "negative"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .expires_ms = -1 }, "negative"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .expires_ms = INT64_MAX }, "expires_ms"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .delay_ms = 3600001 }, "delay.max"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .delay_ms = INT64_MAX }, "delay.max"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .at_ms = INT64_MAX }, "delay.max"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .delay_ms = 1, .exchange = "x" }, "exchange"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .max_attempts = -1 }, "attempts"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .max_attempts = 1001 }, "attempts"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .backoff = "soon" }, "backoff"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .backoff = "fixed 2h" }, "delay.max"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .priority = -1 }, "priority"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .priority = 256 }, "priority"));
    CU_ASSERT(refuses((warren_message){ .type = "a", .backoff = "list 5s 2h" }, "delay.max"));
    CU_ASSERT(
        refuses((warren_message){ .type = "a", .backoff = "exponential 1s 2.0 2h" }, "delay.max"));
    CU_ASSERT(
        refuses((warren_message){ .type = "a", .body = body, .body_size = 1025 }, "limits.body"));
}

static void wrong_headers_are_refused_one_by_one(void)
{
    static char large[16400];
    warren_header header = { .name = "" };
    warren_message message = { .type = "a", .headers = &header, .header_count = 1 };
    memset(large, 'x', sizeof large - 1);
    CU_ASSERT(refuses(message, "no name"));
    header.name = NULL;
    CU_ASSERT(refuses(message, "no name"));
    header.name = large;
    CU_ASSERT(refuses(message, "no name"));
    header.name = "x-warren-attempt";
    CU_ASSERT(refuses(message, "reserved"));
    header.name = "x-death";
    CU_ASSERT(refuses(message, "reserved"));
    header.name = "CC"; /* the broker wants a list in it, and closes the channel over a string */
    CU_ASSERT(refuses(message, "list"));
    header.name = "BCC";
    CU_ASSERT(refuses(message, "list"));
    header = (warren_header){ .name = "large", .value = large };
    CU_ASSERT(refuses(message, "16384"));
    message.header_count = 65;
    CU_ASSERT(refuses(message, "65 headers"));
}

static void a_kept_parcel_survives_its_source(void)
{
    char type[] = "a.b";
    char id[] = "id-1";
    char body[] = "body";
    CU_ASSERT_EQUAL_FATAL(compose((warren_message){ .type = type, .id = id, .body = body }),
                          WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_parcel_keep(&parcel), WARREN_OK);
    memset(type, '!', sizeof type);
    memset(id, '!', sizeof id);
    memset(body, '!', sizeof body);
    CU_ASSERT(wr_slice_is(parcel.message.type, "a.b"));
    CU_ASSERT(wr_slice_is(parcel.message.key, "a.b"));
    CU_ASSERT(wr_slice_is(parcel.message.message_id, "id-1"));
    CU_ASSERT(wr_slice_is(parcel.message.body, "body"));
    wr_parcel_done(&parcel);
}

/* --- a job that goes on --- */

static struct wr_queue_settings queue = { .name = (char *)"q" };
static const struct wr_settings settings = { .headers_most = 64,
                                             .headers_bytes = 16384,
                                             .body_most = 1 << 20 };
static const struct wr_job_rules rules = { &settings, &queue, { "warren.jobs", 11 } };
static struct wr_text headers;
static struct wr_message message;
static struct warren_job *job;

static void receive(void)
{
    message.headers = (struct wr_table){ headers.data, headers.size };
    message.present |= WR_HEADERS;
    message.exchange = wr_slice_of("warren.jobs");
    message.key = wr_slice_of("a");
    job = wr_job_decode(&message, &rules, now_ms);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
}

static struct wr_forward on(enum wr_forward_kind kind, const char *text)
{
    return (struct wr_forward){ .kind = kind,
                                .ns = "warren",
                                .home = "q",
                                .is_charged = kind == WR_FORWARD_RETRY,
                                .delay_ms = 1000,
                                .reason = "failed",
                                .text = text,
                                .worker = "host-1",
                                .wall_ms = now_ms };
}

static void forward(enum wr_forward_kind kind, const char *text)
{
    struct wr_forward way = on(kind, text);
    CU_ASSERT_EQUAL_FATAL(wr_parcel_forward(&parcel, job, &way), WARREN_OK);
}

static void finish(void)
{
    wr_parcel_done(&parcel);
    wr_job_free(job);
    wr_text_done(&headers);
    message = (struct wr_message){ 0 };
}

/* What was sent comes in again, as the next delivery. */
static void receive_again(void)
{
    struct wr_text kept = { 0 };
    wr_text_add(&kept, parcel.message.headers.data, parcel.message.headers.size);
    wr_parcel_done(&parcel);
    wr_job_free(job);
    wr_text_done(&headers);
    headers = kept;
    message.headers = (struct wr_table){ headers.data, headers.size };
    job = wr_job_decode(&message, &rules, now_ms);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
}

static void foreign_headers_travel_byte_for_byte_and_in_order(void)
{
    wr_table_add_string(&headers, "traceparent", wr_slice_of("00-4bf92f-00f067-01"));
    wr_table_add_bool(&headers, "urgent", true);
    wr_table_add_nested(&headers, "list", 'A', (struct wr_slice){ "V", 1 });
    message.message_id = wr_slice_of("id-1");
    message.body = (struct wr_slice){ "\0\xff", 2 };
    message.present = WR_MESSAGE_ID;
    receive();
    forward(WR_FORWARD_RETRY, "why");
    CU_ASSERT(parcel.message.headers.size > headers.size);
    CU_ASSERT_EQUAL(memcmp(parcel.message.headers.data, headers.data, headers.size), 0);
    CU_ASSERT(wr_slice_is(parcel.message.message_id, "id-1"));
    CU_ASSERT(wr_slice_equals(parcel.message.body, message.body));
    CU_ASSERT(wr_slice_is(parcel.message.type, "a"));
    CU_ASSERT(wr_slice_is(parcel.message.exchange, "warren.retry.1000"));
    CU_ASSERT(wr_slice_is(parcel.message.key, "queue/q"));
    CU_ASSERT_EQUAL(number_in(WR_H_ATTEMPT), 1);
    CU_ASSERT_EQUAL(number_in(WR_H_FIRST_FAILED_AT), now_ms);
    CU_ASSERT_EQUAL(number_in(WR_H_DELAY_MS), 1000);
    finish();
}

static void a_dead_letter_has_its_record_and_its_key(void)
{
    receive();
    forward(WR_FORWARD_DEAD, "why");
    CU_ASSERT(wr_slice_is(parcel.message.exchange, "warren.dead"));
    CU_ASSERT(wr_slice_is(parcel.message.key, "q"));
    CU_ASSERT(wr_slice_is(string_in(WR_H_DEAD_REASON), "failed"));
    CU_ASSERT(wr_slice_is(string_in(WR_H_QUEUE), "q"));
    CU_ASSERT_EQUAL(number_in(WR_H_DIED_MS), now_ms);
    CU_ASSERT_FALSE(has_header(WR_H_DELAY_MS));
    finish();
}

static void a_snooze_counts_itself_and_nothing_else(void)
{
    receive();
    forward(WR_FORWARD_SNOOZE, NULL);
    CU_ASSERT_EQUAL(number_in(WR_H_SNOOZES), 1);
    CU_ASSERT_FALSE(has_header(WR_H_ATTEMPT));
    CU_ASSERT_FALSE(has_header(WR_H_ERRORS));
    CU_ASSERT_FALSE(has_header(WR_H_FIRST_FAILED_AT));
    receive_again();
    forward(WR_FORWARD_SNOOZE, NULL);
    CU_ASSERT_EQUAL(number_in(WR_H_SNOOZES), 2);
    finish();
}

static void what_would_drop_or_refuse_it_on_its_way_becomes_a_header(void)
{
    message.expiration = wr_slice_of("60000");
    message.user_id = wr_slice_of("billing");
    message.cluster_id = wr_slice_of("c");
    message.present = WR_EXPIRATION | WR_USER_ID | WR_CLUSTER_ID;
    receive();
    forward(WR_FORWARD_RETRY, "why");
    CU_ASSERT_EQUAL(parcel.message.present & (WR_EXPIRATION | WR_USER_ID | WR_CLUSTER_ID), 0);
    CU_ASSERT(wr_slice_is(string_in(WR_H_EXPIRATION), "60000"));
    CU_ASSERT(wr_slice_is(string_in(WR_H_USER_ID), "billing"));
    message.present = 0;
    receive_again();
    forward(WR_FORWARD_DEAD, "why"); /* kept through every hop */
    CU_ASSERT(wr_slice_is(string_in(WR_H_EXPIRATION), "60000"));
    finish();
}

static void the_brokers_own_headers_are_stripped_and_copies_renamed(void)
{
    static const char *const stripped[] = { "x-death", "x-first-death-queue", "x-last-death-reason",
                                            "x-delivery-count" };
    for (size_t i = 0; i < 4; i++) {
        wr_table_add_string(&headers, stripped[i], wr_slice_of("forged"));
    }
    wr_table_add_nested(&headers, "CC", 'A', (struct wr_slice){ "S\0\0\0\1x", 6 });
    wr_table_add_string(&headers, "BCC", wr_slice_of("y"));
    receive();
    forward(WR_FORWARD_RETRY, "why");
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_FALSE(has_header(stripped[i]));
    }
    struct wr_field field;
    CU_ASSERT_FALSE(has_header("CC") || has_header("BCC"));
    CU_ASSERT(wr_table_find(parcel.message.headers, "x-warren-cc", &field));
    CU_ASSERT_EQUAL(field.kind, 'A');
    CU_ASSERT(wr_slice_equals(field.value, (struct wr_slice){ "S\0\0\0\1x", 6 }));
    CU_ASSERT(wr_slice_is(string_in("x-warren-bcc"), "y"));
    finish();
}

/* The texts of the history, oldest first; how many there are. */
static size_t read_history(int64_t *attempts, size_t most)
{
    struct wr_field field;
    struct wr_table members;
    size_t count = 0;
    if (!wr_table_find(parcel.message.headers, WR_H_ERRORS, &field) ||
        !wr_field_table(&field, 'A', &members)) {
        return 0;
    }
    CU_ASSERT(members.size <= 6144);
    for (size_t offset = 0; wr_array_next(members, &offset, &field);) {
        struct wr_table entry;
        struct wr_field attempt;
        CU_ASSERT_FATAL(wr_field_table(&field, 'F', &entry));
        CU_ASSERT_FATAL(wr_table_find(entry, "attempt", &attempt));
        CU_ASSERT_FATAL(count < most && wr_field_int(&attempt, &attempts[count]));
        count++;
    }
    return count;
}

static void the_history_keeps_the_last_ten_errors(void)
{
    int64_t attempts[16];
    receive();
    for (int i = 1; i <= 25; i++) {
        forward(WR_FORWARD_RETRY, "why");
        size_t count = read_history(attempts, 16);
        CU_ASSERT_EQUAL(count, i < 10 ? (size_t)i : 10);
        for (size_t n = 0; n < count; n++) {
            CU_ASSERT_EQUAL(attempts[n], i - (int)count + 1 + (int)n);
        }
        receive_again();
    }
    CU_ASSERT_EQUAL(job->books.first_failed_ms, now_ms);
    forward(WR_FORWARD_DEAD, NULL); /* without an error of its own it keeps all ten */
    CU_ASSERT_EQUAL(read_history(attempts, 16), 10);
    finish();
}

static void long_errors_leave_room_for_fewer(void)
{
    static char text[1400];
    struct wr_text members = { 0 };
    int64_t attempts[16];
    memset(text, 'x', sizeof text);
    for (int i = 1; i <= 5; i++) {
        struct wr_text entry = { 0 };
        wr_table_add_int(&entry, "attempt", i);
        wr_table_add_string(&entry, "text", (struct wr_slice){ text, sizeof text });
        wr_array_add_table(&members, (struct wr_slice){ entry.data, entry.size });
        wr_text_done(&entry);
    }
    wr_table_add_nested(&headers, WR_H_ERRORS, 'A',
                        (struct wr_slice){ members.data, members.size });
    wr_table_add_int(&headers, WR_H_ATTEMPT, 5);
    receive();
    text[500] = '\0';
    forward(WR_FORWARD_RETRY, text);
    CU_ASSERT_EQUAL_FATAL(read_history(attempts, 16), 4);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(attempts[i], i + 3); /* the oldest go first */
    }
    wr_text_done(&members);
    finish();
}

static void a_forged_history_without_end_is_cut_to_its_room(void)
{
    struct wr_text members = { 0 };
    struct wr_text entry = { 0 };
    int64_t attempts[16];
    wr_table_add_int(&entry, "attempt", 1);
    for (int i = 0; i < 4000; i++) {
        wr_array_add_table(&members, (struct wr_slice){ entry.data, entry.size });
    }
    wr_table_add_nested(&headers, WR_H_ERRORS, 'A',
                        (struct wr_slice){ members.data, members.size });
    receive();
    CU_ASSERT_STRING_EQUAL(job->reason, "headers_too_large");
    forward(WR_FORWARD_DEAD, job->text);
    CU_ASSERT_EQUAL(read_history(attempts, 16), 10);
    CU_ASSERT_EQUAL(attempts[9], 0);
    wr_text_done(&entry);
    wr_text_done(&members);
    finish();
}

static void headers_that_leave_no_room_are_cut_and_it_is_said(void)
{
    static char large[20000];
    int64_t count = 0;
    memset(large, 'x', sizeof large);
    for (int i = 0; i < 7; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "h%d", i);
        wr_table_add_string(&headers, name, (struct wr_slice){ large, sizeof large });
    }
    receive();
    CU_ASSERT_STRING_EQUAL(job->reason, "headers_too_large");
    forward(WR_FORWARD_DEAD, job->text);
    CU_ASSERT(parcel.message.headers.size <= 131072 - 16384);
    for (int i = 0; i < 7; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "h%d", i);
        count += has_header(name);
    }
    CU_ASSERT_EQUAL(count + number_in(WR_H_HEADERS_CUT), 7);
    CU_ASSERT(count >= 4);
    CU_ASSERT(wr_slice_is(string_in(WR_H_DEAD_REASON), "failed"));
    finish();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("parcel", NULL, NULL);
    CU_ADD_TEST(suite, a_plain_message_gets_id_persistence_and_its_route);
    CU_ADD_TEST(suite, no_body_is_an_empty_body_whatever_its_size_says);
    CU_ADD_TEST(suite, everything_that_a_message_says_is_in_it);
    CU_ADD_TEST(suite, a_delay_enters_the_ladder_and_is_written_down);
    CU_ADD_TEST(suite, wrong_messages_are_refused_one_by_one);
    CU_ADD_TEST(suite, wrong_headers_are_refused_one_by_one);
    CU_ADD_TEST(suite, a_kept_parcel_survives_its_source);
    CU_ADD_TEST(suite, foreign_headers_travel_byte_for_byte_and_in_order);
    CU_ADD_TEST(suite, a_dead_letter_has_its_record_and_its_key);
    CU_ADD_TEST(suite, a_snooze_counts_itself_and_nothing_else);
    CU_ADD_TEST(suite, what_would_drop_or_refuse_it_on_its_way_becomes_a_header);
    CU_ADD_TEST(suite, the_brokers_own_headers_are_stripped_and_copies_renamed);
    CU_ADD_TEST(suite, the_history_keeps_the_last_ten_errors);
    CU_ADD_TEST(suite, long_errors_leave_room_for_fewer);
    CU_ADD_TEST(suite, a_forged_history_without_end_is_cut_to_its_room);
    CU_ADD_TEST(suite, headers_that_leave_no_room_are_cut_and_it_is_said);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
