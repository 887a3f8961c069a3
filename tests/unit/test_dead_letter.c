// SPDX-License-Identifier: MIT
// Dead letters are read whoever wrote them, and a replay is the job as it was.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "model/letter.h"
#include "model/replay.h"
#include "model/table_json.h"

static const struct wr_letter_place place = { .queue = "emails", .ns = "warren" };
static const struct wr_letter_place catch_all = { .ns = "warren" };

static struct wr_slice slice(const struct wr_text *text)
{
    return (struct wr_slice){ text->data, text->size };
}

static struct wr_table table(const struct wr_text *text)
{
    return (struct wr_table){ text->data, text->size };
}

static void add_death(struct wr_text *array, const char *queue, const char *reason,
                      const char *exchange)
{
    struct wr_text entry = { 0 }, keys = { 0 };
    wr_text_add(&keys, "S\0\0\0\5a.job", 10);
    wr_table_add_int(&entry, "count", 1);
    wr_table_add_string(&entry, "reason", wr_slice_of(reason));
    wr_table_add_string(&entry, "queue", wr_slice_of(queue));
    wr_table_add_string(&entry, "exchange", wr_slice_of(exchange));
    wr_table_add_nested(&entry, "routing-keys", 'A', slice(&keys));
    wr_array_add_table(array, slice(&entry));
    wr_text_done(&entry);
    wr_text_done(&keys);
}

static struct wr_letter read_headers(const struct wr_text *headers)
{
    struct wr_message message = { .present = WR_HEADERS, .headers = table(headers) };
    struct wr_letter letter;
    CU_ASSERT_EQUAL_FATAL(wr_letter_read(&letter, &message, &place), WARREN_OK);
    return letter;
}

static void warrens_record_is_read_with_its_history(void)
{
    struct wr_text headers = { 0 }, errors = { 0 }, entry = { 0 };
    for (int i = 1; i <= 2; i++) {
        wr_text_clear(&entry);
        wr_table_add_int(&entry, "at-ms", 1000 * i);
        wr_table_add_int(&entry, "attempt", i);
        wr_table_add_string(&entry, "worker", wr_slice_of("host:1"));
        wr_table_add_string(&entry, "text", wr_slice_of(i == 1 ? "first" : "last"));
        wr_array_add_table(&errors, slice(&entry));
    }
    wr_table_add_string(&headers, "x-warren-dead-reason", wr_slice_of("failed"));
    wr_table_add_int(&headers, "x-warren-attempt", 2);
    wr_table_add_int(&headers, "x-warren-died-ms", 2000);
    wr_table_add_nested(&headers, "x-warren-errors", 'A', slice(&errors));
    struct wr_letter letter = read_headers(&headers);
    CU_ASSERT_STRING_EQUAL(letter.data.reason, "failed");
    CU_ASSERT_STRING_EQUAL(letter.data.queue, "emails");
    CU_ASSERT_STRING_EQUAL(letter.data.error, "last");
    CU_ASSERT_EQUAL(letter.data.attempts, 2);
    CU_ASSERT_EQUAL(letter.data.died_ms, 2000);
    CU_ASSERT_EQUAL_FATAL(letter.data.error_count, 2);
    CU_ASSERT_STRING_EQUAL(letter.data.errors[0].text, "first");
    CU_ASSERT_STRING_EQUAL(letter.data.errors[1].worker, "host:1");
    CU_ASSERT_EQUAL(letter.data.errors[1].at_ms, 2000);
    wr_letter_done(&letter);
    wr_text_done(&headers);
    wr_text_done(&errors);
    wr_text_done(&entry);
}

static void the_brokers_own_dead_letter_is_told_by_the_work_queues_entry(void)
{
    struct wr_text headers = { 0 }, deaths = { 0 };
    add_death(&deaths, "warren.delay.125", "expired", "warren.delay.125");
    add_death(&deaths, "emails.a.job", "rejected", "warren.jobs");
    wr_table_add_nested(&headers, "x-death", 'A', slice(&deaths));
    struct wr_letter letter = read_headers(&headers);
    CU_ASSERT_STRING_EQUAL(letter.data.reason, "body_too_large");
    CU_ASSERT_STRING_EQUAL(letter.data.type, "a.job");
    CU_ASSERT(letter.is_brokers);
    wr_letter_done(&letter);
    wr_text_done(&headers);
    wr_text_done(&deaths);
}

static void a_routing_key_is_a_type_only_when_it_came_through_a_jobs_exchange(void)
{
    struct wr_text headers = { 0 }, deaths = { 0 };
    add_death(&deaths, "emails", "delivery_limit", "");
    wr_table_add_nested(&headers, "x-death", 'A', slice(&deaths));
    struct wr_letter letter = read_headers(&headers);
    CU_ASSERT_STRING_EQUAL(letter.data.reason, "delivery_limit");
    CU_ASSERT_STRING_EQUAL(letter.data.type, "");
    wr_letter_done(&letter);
    wr_text_done(&headers);
    wr_text_done(&deaths);
}

/* Every header that Warren reads, with every kind that AMQP knows, and cut at every byte. */
static void no_header_is_trusted_to_have_its_kind(void)
{
    static const char *const names[] = { "x-warren-dead-reason",
                                         "x-warren-errors",
                                         "x-warren-attempt",
                                         "x-warren-died-ms",
                                         "x-death",
                                         "x-warren-type",
                                         "x-warren-replays",
                                         "x-warren-enqueued-ms" };
    static const char kinds[] = "tbBsuIilLfdDTSxAFV?";
    static const char payload[] = "\0\0\0\4S\0\0\0\377\377\377\377";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (const char *kind = kinds; *kind; kind++) {
            struct wr_text headers = { 0 };
            char length = (char)strlen(names[i]);
            wr_text_add(&headers, &length, 1);
            wr_text_add_string(&headers, names[i]);
            wr_text_add(&headers, kind, 1);
            wr_text_add(&headers, payload, sizeof payload);
            size_t whole = headers.size;
            for (headers.size = 0; headers.size <= whole; headers.size++) {
                struct wr_letter letter = read_headers(&headers);
                CU_ASSERT_PTR_NOT_NULL(letter.data.reason);
                CU_ASSERT(letter.data.attempts >= 0);
                wr_letter_done(&letter);
            }
            wr_text_done(&headers);
        }
    }
}

static void the_catch_all_tells_the_way_home_by_the_key(void)
{
    struct wr_message message = { .key = wr_slice_of("1.f.queue/my/queue"),
                                  .exchange = wr_slice_of("warren.deliver") };
    struct wr_letter letter;
    CU_ASSERT_EQUAL_FATAL(wr_letter_read(&letter, &message, &catch_all), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(letter.data.queue, "my.queue");
    CU_ASSERT_STRING_EQUAL(letter.data.reason, "unrouted");
    CU_ASSERT(letter.is_on_ladder);
    wr_letter_done(&letter);
    message.key = wr_slice_of("emails");
    message.exchange = wr_slice_of("warren.dead");
    CU_ASSERT_EQUAL_FATAL(wr_letter_read(&letter, &message, &catch_all), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(letter.data.queue, "emails");
    CU_ASSERT_FALSE(letter.is_on_ladder);
    wr_letter_done(&letter);
}

static void a_replay_begins_anew_and_keeps_what_was_the_producers(void)
{
    struct wr_text headers = { 0 }, written = { 0 };
    struct wr_field field;
    int64_t number = 0;
    wr_table_add_string(&headers, "traceparent", wr_slice_of("00-1"));
    wr_table_add_int(&headers, "x-warren-attempt", 5);
    wr_table_add_int(&headers, "x-warren-replays", 1);
    wr_table_add_int(&headers, "x-warren-expires-ms", 10);
    wr_table_add_string(&headers, "x-warren-dead-reason", wr_slice_of("failed"));
    wr_table_add_nested(&headers, "x-warren-errors", 'A', (struct wr_slice){ 0 });
    wr_table_add_string(&headers, "CC", wr_slice_of("elsewhere"));
    struct wr_message dead = { .present = WR_HEADERS | WR_EXPIRATION | WR_USER_ID | WR_MESSAGE_ID,
                               .headers = table(&headers),
                               .expiration = wr_slice_of("60000"),
                               .user_id = wr_slice_of("alice"),
                               .message_id = wr_slice_of("id-1") };
    struct wr_letter letter = read_headers(&headers);
    struct wr_replay how = { "warren.deliver", "queue/emails", 99 };
    struct wr_message out;
    CU_ASSERT_EQUAL_FATAL(wr_replay_write(&dead, &letter, &how, &written, &out), WARREN_OK);
    CU_ASSERT_FALSE(wr_table_find(out.headers, "x-warren-attempt", &field));
    CU_ASSERT_FALSE(wr_table_find(out.headers, "x-warren-dead-reason", &field));
    CU_ASSERT_FALSE(wr_table_find(out.headers, "x-warren-expires-ms", &field));
    CU_ASSERT_FALSE(wr_table_find(out.headers, "CC", &field));
    CU_ASSERT(wr_table_find(out.headers, "x-warren-errors", &field));
    CU_ASSERT(wr_table_find(out.headers, "traceparent", &field));
    CU_ASSERT(wr_table_find(out.headers, "x-warren-expiration", &field));
    CU_ASSERT(wr_table_find(out.headers, "x-warren-user-id", &field));
    CU_ASSERT(wr_table_find(out.headers, "x-warren-replays", &field));
    CU_ASSERT(wr_field_int(&field, &number) && number == 2);
    CU_ASSERT_FALSE(out.present & (WR_EXPIRATION | WR_USER_ID));
    CU_ASSERT_EQUAL(out.delivery_mode, 2);
    CU_ASSERT(wr_slice_is(out.message_id, "id-1"));
    wr_letter_done(&letter);
    wr_text_done(&headers);
    wr_text_done(&written);
}

/* A letter that the broker dead-lettered by itself: what it noted names a queue that the new one isn't. */
static void a_letter_that_is_moved_stays_what_it_was(void)
{
    struct wr_text headers = { 0 }, deaths = { 0 }, written = { 0 };
    struct wr_letter_place elsewhere = { .queue = "letters", .ns = "warren" };
    struct wr_field field;
    struct wr_message out;
    struct wr_letter moved;
    add_death(&deaths, "emails", "rejected", "warren.jobs");
    wr_table_add_nested(&headers, "x-death", 'A', slice(&deaths));
    wr_table_add_int(&headers, "x-warren-attempt", 3);
    struct wr_message dead = { .present = WR_HEADERS | WR_EXPIRATION,
                               .headers = table(&headers),
                               .expiration = wr_slice_of("60000"),
                               .body = wr_slice_of("body") };
    struct wr_letter letter;
    CU_ASSERT_EQUAL_FATAL(wr_letter_read(&letter, &dead, &place), WARREN_OK);
    struct wr_replay how = { "warren.dead", "letters", 99 };
    CU_ASSERT_EQUAL_FATAL(wr_replay_write_move(&dead, &letter, &how, &written, &out), WARREN_OK);
    CU_ASSERT_FALSE(wr_table_find(out.headers, "x-death", &field));
    CU_ASSERT_FALSE(out.present & WR_EXPIRATION); /* or it would die there, this time for good */
    CU_ASSERT(wr_slice_is(out.exchange, "warren.dead") && wr_slice_is(out.key, "letters"));
    CU_ASSERT(wr_table_find(out.headers, "x-warren-moved-from", &field) &&
              wr_slice_is(field.value, "emails"));
    CU_ASSERT_EQUAL_FATAL(wr_letter_read(&moved, &out, &elsewhere), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(moved.data.reason, "body_too_large");
    CU_ASSERT_STRING_EQUAL(moved.data.type, "a.job");
    CU_ASSERT_STRING_EQUAL(moved.data.queue, "letters");
    CU_ASSERT_EQUAL(moved.data.attempts, 3);
    CU_ASSERT_EQUAL(moved.data.replays, 0);
    wr_letter_done(&letter);
    wr_letter_done(&moved);
    wr_text_done(&headers);
    wr_text_done(&deaths);
    wr_text_done(&written);
}

static bool matches(const struct wr_letter *letter, warren_dead_filter filter)
{
    return wr_letter_matches(letter, &filter);
}

static void a_filter_takes_only_what_agrees_in_all(void)
{
    struct wr_text headers = { 0 }, errors = { 0 }, entry = { 0 };
    wr_table_add_string(&entry, "text", wr_slice_of("no user 7 at 10.0.0.1"));
    wr_array_add_table(&errors, slice(&entry));
    wr_table_add_string(&headers, "x-warren-dead-reason", wr_slice_of("failed"));
    wr_table_add_int(&headers, "x-warren-died-ms", 2000);
    wr_table_add_int(&headers, "x-warren-replayed-at-ms", 1500);
    wr_table_add_nested(&headers, "x-warren-errors", 'A', slice(&errors));
    struct wr_letter letter = read_headers(&headers);
    const char *group = letter.data.group;
    CU_ASSERT_STRING_EQUAL(letter.data.shape, "no user <n> at <n>");
    CU_ASSERT_EQUAL(strlen(group), 12);
    CU_ASSERT(matches(&letter, (warren_dead_filter){ 0 }));
    CU_ASSERT(matches(&letter, (warren_dead_filter){ .group = group, .error = "user 7" }));
    CU_ASSERT_FALSE(matches(&letter, (warren_dead_filter){ .group = group, .error = "user 8" }));
    CU_ASSERT_FALSE(matches(&letter, (warren_dead_filter){ .group = "000000000000" }));
    CU_ASSERT(matches(&letter, (warren_dead_filter){ .since_ms = 2000, .until_ms = 2001 }));
    CU_ASSERT_FALSE(matches(&letter, (warren_dead_filter){ .since_ms = 2001 }));
    CU_ASSERT_FALSE(matches(&letter, (warren_dead_filter){ .until_ms = 2000 }));
    CU_ASSERT(matches(&letter, (warren_dead_filter){ .replayed_ms = 1500 }));
    CU_ASSERT_FALSE(matches(&letter, (warren_dead_filter){ .replayed_ms = 1501 }));
    wr_letter_done(&letter);
    wr_text_clear(&headers);
    letter = read_headers(&headers); /* nobody knows when it died */
    CU_ASSERT_FALSE(matches(&letter, (warren_dead_filter){ .since_ms = 1 }));
    CU_ASSERT_FALSE(matches(&letter, (warren_dead_filter){ .until_ms = INT64_MAX }));
    wr_letter_done(&letter);
    wr_text_done(&headers);
    wr_text_done(&errors);
    wr_text_done(&entry);
}

static void headers_of_every_kind_are_json(void)
{
    struct wr_text headers = { 0 }, json = { 0 };
    wr_table_add_string(&headers, "a\"b", wr_slice_of("x\x1b[2J\n"));
    wr_table_add_string(&headers, "raw", (struct wr_slice){ "\xff\x01", 2 });
    wr_table_add_int(&headers, "n", INT64_MIN);
    wr_table_add_bool(&headers, "t", true);
    wr_text_add(&headers, "\1dD\2\0\0\1\x3a", 8);
    wr_text_add(&headers, "\1fd\x7f\xf8\0\0\0\0\0\0", 11);
    wr_text_add(&headers, "\1vV", 3);
    wr_text_add(&headers, "\1uB\xff", 4);
    wr_table_write_json(table(&headers), &json);
    CU_ASSERT_STRING_EQUAL(wr_text_string(&json),
                           "{\"a\\\"b\":\"x\\u001b[2J\\u000a\",\"raw\":{\"hex\":\"ff01\"},"
                           "\"n\":-9223372036854775808,\"t\":true,\"d\":314e-2,\"f\":\"nan\","
                           "\"v\":null,\"u\":255}");
    wr_text_done(&headers);
    wr_text_done(&json);
}

static void deep_nesting_ends(void)
{
    struct wr_text inner = { 0 }, outer = { 0 }, json = { 0 };
    for (int i = 0; i < 5000; i++) {
        wr_text_clear(&outer);
        wr_table_add_nested(&outer, "f", 'F', slice(&inner));
        struct wr_text swap = inner;
        inner = outer;
        outer = swap;
    }
    wr_table_write_json(table(&inner), &json);
    CU_ASSERT(json.size < 1000);
    wr_text_done(&inner);
    wr_text_done(&outer);
    wr_text_done(&json);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("dead_letter", NULL, NULL);
    CU_ADD_TEST(suite, warrens_record_is_read_with_its_history);
    CU_ADD_TEST(suite, the_brokers_own_dead_letter_is_told_by_the_work_queues_entry);
    CU_ADD_TEST(suite, a_routing_key_is_a_type_only_when_it_came_through_a_jobs_exchange);
    CU_ADD_TEST(suite, no_header_is_trusted_to_have_its_kind);
    CU_ADD_TEST(suite, the_catch_all_tells_the_way_home_by_the_key);
    CU_ADD_TEST(suite, a_replay_begins_anew_and_keeps_what_was_the_producers);
    CU_ADD_TEST(suite, headers_of_every_kind_are_json);
    CU_ADD_TEST(suite, deep_nesting_ends);
    CU_ADD_TEST(suite, a_letter_that_is_moved_stays_what_it_was);
    CU_ADD_TEST(suite, a_filter_takes_only_what_agrees_in_all);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
