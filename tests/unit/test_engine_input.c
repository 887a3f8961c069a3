// SPDX-License-Identifier: MIT
// What anybody may put into a queue: bad input dies at once with its reason, whole; a stranger's
// message is retried with everything that it had.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "base/text.h"
#include "story.h"

static struct story story;

static void open_story(const char *options)
{
    story_open_queue(&story, options, "{ type = \"a\"; }");
    story_handle(&story, "a");
}

/* A message straight to the jobs exchange. */
static struct wr_message foreign(const char *key, const char *body)
{
    return (struct wr_message){ .exchange = wr_slice_of("warren.jobs"),
                                .key = wr_slice_of(key),
                                .body = wr_slice_of(body) };
}

/* The same into the default exchange: its key is a queue and no type. */
static struct wr_message straight(const char *body)
{
    return (struct wr_message){ .exchange = wr_slice_of(""),
                                .key = wr_slice_of("q"),
                                .body = wr_slice_of(body) };
}

static const char *reason(void)
{
    const char *text = warren_test_dead_reason(story.test, "q", 0);
    return text ? text : "(alive)";
}

static void a_message_without_any_type_is_dead_as_unknown_type(void)
{
    open_story("");
    struct wr_message message = straight("x");
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 0);
    CU_ASSERT_STRING_EQUAL(reason(), "unknown_type");
    CU_ASSERT_EQUAL(story.test->letter.data.body_size, 1);
    CU_ASSERT_EQUAL(story_stats(&story).in_flight, 0);
    story_close(&story);
}

static void a_type_that_the_queue_does_not_list_is_dead_as_unknown_type(void)
{
    open_story("");
    struct wr_message message = straight("x");
    message.present = WR_TYPE | WR_MESSAGE_ID;
    message.type = wr_slice_of("b");
    message.message_id = wr_slice_of("id-7");
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_run(&story), 0);
    CU_ASSERT_STRING_EQUAL(reason(), "unknown_type");
    CU_ASSERT_STRING_EQUAL(story.test->letter.data.type, "b");
    CU_ASSERT_STRING_EQUAL(story.test->letter.data.id, "id-7");
    story_close(&story);
}

static void the_queues_default_type_takes_what_says_none(void)
{
    open_story("default_type = \"a\";");
    struct wr_message message = straight("x");
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_STRING_EQUAL(story.runs[0].type, "a");
    story_close(&story);
}

static void what_calls_itself_json_and_is_none_dies_before_its_handler(void)
{
    open_story("");
    struct wr_message message = foreign("a", "{\"to\": nobody}");
    message.present = WR_CONTENT_TYPE;
    message.content_type = wr_slice_of("application/json; charset=utf-8");
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_run(&story), 0);
    CU_ASSERT_STRING_EQUAL(reason(), "bad_message");
    CU_ASSERT_PTR_NOT_NULL(strstr(story.test->letter.data.error, "not JSON"));
    CU_ASSERT_EQUAL(story.test->letter.data.body_size, message.body.size);
    CU_ASSERT_EQUAL(memcmp(story.test->letter.data.body, message.body.data, message.body.size), 0);
    story_close(&story);
}

static void a_raw_queue_looks_at_no_body(void)
{
    open_story("json = \"raw\";");
    struct wr_message message = foreign("a", "{\"to\": nobody}");
    message.present = WR_CONTENT_TYPE;
    message.content_type = wr_slice_of("application/json");
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_run(&story), 1);
    story_close(&story);
}

static void a_job_that_expired_while_it_waited_is_dead_unrun(void)
{
    const warren_message message = { .type = "a", .delay_ms = 60000, .expires_ms = 59999 };
    const warren_message in_time = { .type = "a", .delay_ms = 60000, .expires_ms = 60000 };
    open_story("");
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &in_time, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(story_advance(&story, 60000), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 1);
    CU_ASSERT_STRING_EQUAL(reason(), "expired");
    story_close(&story);
}

static void hostile_counters_die_as_bad_message(void)
{
    const int64_t numbers[] = { -1, INT64_C(1) << 31, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < 4; i++) {
        struct wr_text headers = { 0 };
        open_story("");
        wr_table_add_int(&headers, "x-warren-attempt", numbers[i]);
        struct wr_message message = foreign("a", "x");
        message.present = WR_HEADERS;
        message.headers = (struct wr_table){ headers.data, headers.size };
        CU_ASSERT(story_send(&story, &message));
        CU_ASSERT_EQUAL(story_advance(&story, 1000), 0);
        CU_ASSERT_STRING_EQUAL(reason(), "bad_message");
        wr_text_done(&headers);
        story_close(&story);
    }
}

static void more_attempts_than_can_be_are_bad_message(void)
{
    struct wr_text headers = { 0 };
    open_story("");
    wr_table_add_int(&headers, "x-warren-max-attempts", 1001);
    struct wr_message message = foreign("a", "x");
    message.present = WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_run(&story), 0);
    CU_ASSERT_STRING_EQUAL(reason(), "bad_message");
    wr_text_done(&headers);
    story_close(&story);
}

static void too_many_headers_die_with_their_reason(void)
{
    struct wr_text headers = { 0 };
    open_story("");
    for (int i = 0; i < 65; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "h-%d", i);
        wr_table_add_int(&headers, name, i);
    }
    struct wr_message message = foreign("a", "x");
    message.present = WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_run(&story), 0);
    CU_ASSERT_STRING_EQUAL(reason(), "headers_too_large");
    CU_ASSERT_PTR_NOT_NULL(strstr(story.test->letter.data.headers_json, "\"h-64\":64"));
    wr_text_done(&headers);
    story_close(&story);
}

static void an_oversized_body_goes_to_the_dead_queue_unread_and_work_goes_on(void)
{
    const char *const queues[] = { "queue: { name = \"q\"; jobs = ({ type = \"a\"; }); };", NULL };
    story_open(&story, "limits: { body = \"1KiB\"; };", queues);
    story_handle(&story, "a");
    static char large[1025];
    memset(large, 'x', sizeof large);
    struct wr_message message = foreign("a", "");
    message.body = (struct wr_slice){ large, sizeof large };
    for (int i = 0; i < 200; i++) {
        CU_ASSERT_FATAL(story_send(&story, &message));
    }
    CU_ASSERT_EQUAL(story_publish(&story, "a", NULL), WARREN_OK);
    CU_ASSERT_EQUAL(story_run(&story), 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 200);
    CU_ASSERT_STRING_EQUAL(reason(), "body_too_large");
    CU_ASSERT(story.test->worker->roster.sources[0].acks.capacity <= 64);
    story_close(&story);
}

/* A stranger's retry: everything that it had, in the dead letter. */
static void a_strangers_message_is_retried_with_all_that_it_had(void)
{
    static const char body[] = "\x00\xff not text";
    struct wr_text headers = { 0 };
    struct wr_field field;
    open_story("retry: { attempts = 3; };");
    story.act = story_retry;
    wr_table_add_string(&headers, "tenant", wr_slice_of("4711"));
    wr_table_add_bool(&headers, "urgent", true);
    struct wr_message message = foreign("a", "");
    message.body = (struct wr_slice){ body, sizeof body };
    message.headers = (struct wr_table){ headers.data, headers.size };
    message.present = WR_HEADERS | WR_APP_ID | WR_PRIORITY;
    message.app_id = wr_slice_of("billing");
    message.priority = 3;
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_advance(&story, 3600000), 3);
    CU_ASSERT_STRING_EQUAL(story.runs[0].id, story.runs[2].id); /* made once, kept */
    CU_ASSERT_STRING_EQUAL(story.runs[2].type, "a");
    CU_ASSERT_STRING_EQUAL(reason(), "failed");
    const struct wr_message *dead = &story.test->delivery->message;
    CU_ASSERT(wr_slice_equals(dead->body, message.body));
    CU_ASSERT(wr_slice_is(dead->app_id, "billing"));
    CU_ASSERT_EQUAL(dead->priority, 3);
    CU_ASSERT_EQUAL(memcmp(dead->headers.data, headers.data, headers.size), 0);
    CU_ASSERT(!wr_table_find(dead->headers, "x-death", &field));
    wr_text_done(&headers);
    story_close(&story);
}

static void an_expiration_neither_hurries_a_retry_nor_is_lost(void)
{
    open_story("retry: { attempts = 2; first = \"10s\"; jitter = 0.0; };");
    story.act = story_retry;
    struct wr_message message = foreign("a", "x");
    message.present = WR_EXPIRATION;
    message.expiration = wr_slice_of("2000");
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_advance(&story, 9999), 1);
    CU_ASSERT_EQUAL(story_advance(&story, 1), 1);
    CU_ASSERT_STRING_EQUAL(reason(), "failed");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(story.test->letter.data.headers_json, "\"x-warren-expiration\":\"2000\""));
    story_close(&story);
}

static void a_long_list_of_copies_survives_all_retries(void)
{
    static char names[12000];
    struct wr_text headers = { 0 };
    open_story("retry: { attempts = 3; jitter = 0.0; };");
    story.act = story_retry;
    memset(names, 'x', sizeof names);
    wr_table_add_string(&headers, "CC", (struct wr_slice){ names, sizeof names });
    struct wr_message message = foreign("a", "x");
    message.present = WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_advance(&story, 3000), 3);
    CU_ASSERT_STRING_EQUAL(reason(), "failed");
    CU_ASSERT_PTR_NOT_NULL(strstr(story.test->letter.data.headers_json, "\"x-warren-cc\":\"xxx"));
    wr_text_done(&headers);
    story_close(&story);
}

static void a_copied_x_death_and_cc_send_a_retry_nowhere_else(void)
{
    struct wr_text headers = { 0 };
    struct wr_text members = { 0 };
    struct wr_text entry = { 0 };
    open_story("retry: { attempts = 3; jitter = 0.0; };");
    story.act = story_retry;
    wr_table_add_string(&entry, "queue", wr_slice_of("warren.delay.1000"));
    wr_table_add_string(&entry, "reason", wr_slice_of("expired"));
    wr_table_add_int(&entry, "count", 1000000);
    wr_array_add_table(&members, (struct wr_slice){ entry.data, entry.size });
    wr_table_add_nested(&headers, "x-death", 'A', (struct wr_slice){ members.data, members.size });
    wr_table_add_string(&headers, "x-first-death-queue", wr_slice_of("warren.delay.1000"));
    wr_table_add_string(&headers, "BCC", wr_slice_of("not-a-list"));
    struct wr_message message = foreign("a", "x");
    message.present = WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT(story_send(&story, &message));
    CU_ASSERT_EQUAL(story_advance(&story, 3000), 3);
    CU_ASSERT_STRING_EQUAL(reason(), "failed");
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "warren.unrouted"), 0);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 1);
    wr_text_done(&entry);
    wr_text_done(&members);
    wr_text_done(&headers);
    story_close(&story);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("engine: input", NULL, NULL);
    CU_ADD_TEST(suite, a_message_without_any_type_is_dead_as_unknown_type);
    CU_ADD_TEST(suite, a_type_that_the_queue_does_not_list_is_dead_as_unknown_type);
    CU_ADD_TEST(suite, the_queues_default_type_takes_what_says_none);
    CU_ADD_TEST(suite, what_calls_itself_json_and_is_none_dies_before_its_handler);
    CU_ADD_TEST(suite, a_raw_queue_looks_at_no_body);
    CU_ADD_TEST(suite, a_job_that_expired_while_it_waited_is_dead_unrun);
    CU_ADD_TEST(suite, hostile_counters_die_as_bad_message);
    CU_ADD_TEST(suite, more_attempts_than_can_be_are_bad_message);
    CU_ADD_TEST(suite, too_many_headers_die_with_their_reason);
    CU_ADD_TEST(suite, an_oversized_body_goes_to_the_dead_queue_unread_and_work_goes_on);
    CU_ADD_TEST(suite, a_strangers_message_is_retried_with_all_that_it_had);
    CU_ADD_TEST(suite, an_expiration_neither_hurries_a_retry_nor_is_lost);
    CU_ADD_TEST(suite, a_long_list_of_copies_survives_all_retries);
    CU_ADD_TEST(suite, a_copied_x_death_and_cc_send_a_retry_nowhere_else);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
