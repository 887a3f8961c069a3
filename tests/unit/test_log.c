// SPDX-License-Identifier: MIT
// The log: lines as JSON whatever bytes are in them, the level that changes while it runs, the limit
// that leaves out and says so, and what the lines about a job hold: who it is, and never its body.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_json.h"
#include "base/random.h"
#include "story.h"

enum { LINES_MOST = 256, BYTES_MOST = 3000 };

struct line {
    int level;
    char event[64];
    char fields[2200];
};

static struct line lines[LINES_MOST];
static int line_count;

static void keep(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    CU_ASSERT_FATAL(line_count < LINES_MOST);
    struct line *line = &lines[line_count++];
    line->level = level;
    (void)snprintf(line->event, sizeof line->event, "%s", event);
    (void)snprintf(line->fields, sizeof line->fields, "%s", fields);
}

static void listen(int level)
{
    line_count = 0;
    warren_log_to(keep, NULL, level);
}

static int count_of(const char *event)
{
    int count = 0;
    for (int i = 0; i < line_count; i++) {
        count += strcmp(lines[i].event, event) == 0;
    }
    return count;
}

static const char *fields_of(const char *event)
{
    for (int i = 0; i < line_count; i++) {
        if (strcmp(lines[i].event, event) == 0) {
            return lines[i].fields;
        }
    }
    return "";
}

/* --- JSON --- */

/* The object that a line is; fails the test when it is none. The caller puts it. */
static struct json_object *parse(const char *event, const char *fields)
{
    static char text[WARREN_LOG_JSON_SIZE];
    size_t size = warren_log_json(text, sizeof text, 1, event, fields);
    CU_ASSERT_FATAL(size > 1 && size == strlen(text));
    CU_ASSERT_EQUAL(text[size - 1], '\n');
    CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + size - 1);
    struct json_tokener *tokener = json_tokener_new();
    /* The strict mode of json-c 0.18 takes bytes above 0x7f in strings for control bytes. */
    int strict = JSON_C_VERSION_NUM < (18 << 8) ? JSON_TOKENER_STRICT : 0;
    json_tokener_set_flags(tokener, strict | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(tokener, text, (int)size - 1);
    if (json_tokener_get_error(tokener) != json_tokener_success) {
        object = json_tokener_parse_ex(tokener, "", 1); /* the object is ended by what follows */
    }
    CU_ASSERT_EQUAL(json_tokener_get_error(tokener), json_tokener_success);
    CU_ASSERT(json_object_is_type(object, json_type_object));
    json_tokener_free(tokener);
    return object;
}

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = json_object_object_get(object, key);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "(none)";
}

static void a_line_becomes_an_object_with_typed_members(void)
{
    struct json_object *object =
        parse("job.retry", "queue=7 type=mail id=\"a \\\"b\\\" \\\\c\" attempt=3 delay_ms=-5 "
                           "big=1234567890123456 odd=007 flag error=\"no = way\"");
    CU_ASSERT_STRING_EQUAL(text_of(object, "level"), "warn");
    CU_ASSERT_STRING_EQUAL(text_of(object, "event"), "job.retry");
    CU_ASSERT_STRING_EQUAL(text_of(object, "msg"), "a job failed; it runs again after a wait");
    CU_ASSERT_STRING_EQUAL(text_of(object, "queue"), "7"); /* a name, not a number */
    CU_ASSERT_STRING_EQUAL(text_of(object, "id"), "a \"b\" \\c");
    CU_ASSERT_STRING_EQUAL(text_of(object, "error"), "no = way");
    CU_ASSERT_STRING_EQUAL(text_of(object, "big"), "1234567890123456");
    CU_ASSERT_STRING_EQUAL(text_of(object, "odd"), "007");
    CU_ASSERT(json_object_is_type(json_object_object_get(object, "attempt"), json_type_int));
    CU_ASSERT_EQUAL(json_object_get_int(json_object_object_get(object, "attempt")), 3);
    CU_ASSERT_EQUAL(json_object_get_int(json_object_object_get(object, "delay_ms")), -5);
    CU_ASSERT(json_object_get_boolean(json_object_object_get(object, "flag")));
    (void)json_object_put(object);
}

static void its_time_is_rfc_3339_with_milliseconds(void)
{
    struct wr_text text = { 0 };
    wr_log_json(&text, INT64_C(1700000000007), WR_INFO, "worker.start", "");
    CU_ASSERT_STRING_EQUAL(text.data, "{\"ts\":\"2023-11-14T22:13:20.007Z\",\"level\":\"info\","
                                      "\"event\":\"worker.start\",\"msg\":\"the worker takes "
                                      "jobs\"}\n");
    wr_text_done(&text);
}

static void what_steers_a_terminal_is_escaped(void)
{
    struct wr_text text = { 0 };
    wr_log_json(&text, 1, WR_INFO, "x",
                "id=\"a\xe2\x80\xae"
                "b\xc2\x9b"
                "c\xe2\x81\xa6\xe2\x80\xa8\xff\x1b\x7f\xe2\x80\x93\"");
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "\"a\\u202eb\\u009bc\\u2066\\u2028\xef\xbf\xbd"
                                             "\\u001b\\u007f\xe2\x80\x93\""));
    wr_text_done(&text);
}

/* Any bytes, as a field and as the whole of the fields: always one object on one line. */
static void any_bytes_give_valid_json(void)
{
    static char bytes[BYTES_MOST + 1];
    static char quoted[BYTES_MOST + 1];
    wr_log_limit(0, NULL);
    for (int round = 0; round < 2000; round++) {
        size_t size = wr_random() % BYTES_MOST;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (char)(wr_random() % 255 + 1);
        }
        bytes[size] = '\0';
        listen(3);
        wr_log(WR_WARN, "job.retry", "id=%s error=%s", wr_log_quote(quoted, sizeof quoted, bytes),
               bytes);
        CU_ASSERT_EQUAL_FATAL(line_count, 1);
        (void)json_object_put(parse(lines[0].event, lines[0].fields));
        bytes[size < 500 ? size : 500] = '\0'; /* an event's name is short */
        (void)json_object_put(parse(bytes, bytes));
    }
    warren_log_to(NULL, NULL, 0);
}

static void a_line_that_does_not_fit_is_none(void)
{
    char small[40] = "before";
    CU_ASSERT_EQUAL(warren_log_json(small, sizeof small, 1, "job.retry", "id=1"), 0);
    CU_ASSERT_STRING_EQUAL(small, "");
    CU_ASSERT_EQUAL(warren_log_json(NULL, 0, 1, "job.retry", "id=1"), 0);
}

/* --- level and limit --- */

static void the_level_changes_while_it_runs(void)
{
    listen(1);
    wr_log(WR_INFO, "worker.start", "n=1");
    CU_ASSERT_EQUAL(line_count, 0);
    warren_log_set_level(3);
    wr_log(WR_DEBUG, "job.done", "n=2");
    CU_ASSERT_EQUAL(line_count, 1);
    wr_log_set_level(WR_ERROR);
    wr_log(WR_WARN, "job.dead", "n=3");
    CU_ASSERT_EQUAL(line_count, 1);
    warren_log_set_level(-7); /* no level below error */
    wr_log(WR_ERROR, "source.failed", "n=4");
    CU_ASSERT_EQUAL(line_count, 2);
    warren_log_to(NULL, NULL, 0);
}

static void log_often(const char *event, int times)
{
    for (int i = 0; i < times; i++) {
        wr_log(wr_log_event_find(event)->level, event, "n=%d", i);
    }
}

static void a_storm_of_one_event_is_cut_and_told(void)
{
    struct wr_clock clock;
    wr_clock_init(&clock, 0);
    wr_log_limit(5, &clock);
    listen(2);
    log_often("job.retry", 100);
    log_often("source.failed", 7);
    log_often("job.dead", 5); /* each event has a rate of its own */
    CU_ASSERT_EQUAL(count_of("job.retry"), 5);
    CU_ASSERT_EQUAL(count_of("source.failed"), 5);
    CU_ASSERT_EQUAL(count_of("job.dead"), 5);
    CU_ASSERT_EQUAL(count_of("log.left_out"), 0);
    wr_clock_advance(&clock, 1000000);
    log_often("job.retry", 1); /* tells of the second before, then goes out itself */
    CU_ASSERT_EQUAL(count_of("log.left_out"), 1);
    CU_ASSERT_STRING_EQUAL(fields_of("log.left_out"), "of=job.retry lines=95 window_ms=1000");
    CU_ASSERT_EQUAL(count_of("job.retry"), 6);
    wr_log_flush(false); /* errors that nobody follows up are told, too, as errors */
    CU_ASSERT_EQUAL(count_of("log.left_out"), 2);
    CU_ASSERT_STRING_EQUAL(lines[line_count - 1].fields, "of=source.failed lines=2 window_ms=1000");
    CU_ASSERT_EQUAL(lines[line_count - 1].level, WR_ERROR);
    wr_log_flush(true);
    CU_ASSERT_EQUAL(count_of("log.left_out"), 2);
    wr_log_limit(0, NULL);
    log_often("job.retry", 100);
    CU_ASSERT_EQUAL(count_of("job.retry"), 106);
    warren_log_to(NULL, NULL, 0);
}

/* --- names --- */

static void check_word(const char *name, const char *want)
{
    char word[WR_LOG_WORD_SIZE];
    char fields[WR_LOG_WORD_SIZE + 20];
    CU_ASSERT_STRING_EQUAL(wr_log_word(word, sizeof word, name), want);
    (void)snprintf(fields, sizeof fields, "queue=%s type=a", wr_log_word(word, sizeof word, name));
    struct json_object *object = parse("source.open", fields);
    CU_ASSERT_STRING_EQUAL(text_of(object, "queue"), name);
    CU_ASSERT_STRING_EQUAL(text_of(object, "type"), "a");
    (void)json_object_put(object);
}

static void a_name_is_in_quotes_only_when_it_needs_them(void)
{
    char most[256];
    char quoted[WR_LOG_WORD_SIZE];
    check_word("mail.send-2", "mail.send-2");
    check_word("\xC3\xA4rger", "\xC3\xA4rger");
    check_word("", "\"\"");
    check_word("two words", "\"two words\"");
    check_word("q type=b", "\"q type=b\"");
    check_word("a=b", "\"a=b\"");
    check_word("\"a\"", "\"\\\"a\\\"\"");
    check_word("a\\b", "\"a\\\\b\"");
    memset(most, '"', sizeof most - 1);
    most[sizeof most - 1] = '\0';
    CU_ASSERT_EQUAL(strlen(wr_log_word(quoted, sizeof quoted, most)), 2 * 255 + 2);
}

/* --- lines about jobs --- */

static const char traceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
static struct story story;

static warren_verdict by_id(struct story *told, warren_job *job)
{
    (void)told;
    const char *id = warren_job_id(job);
    switch (id[0]) {
    case 'r':
        return warren_job_attempt(job) > 1 ? WARREN_DONE : warren_retry(job, "not yet");
    case 'x':
        return warren_dead(job, "never");
    case 's':
        return warren_job_snoozes(job) ? WARREN_DONE : warren_snooze(job, 1000);
    case 'p':
        return warren_discard(job, "of no use");
    default:
        return WARREN_DONE;
    }
}

static void publish_marked(const char *id)
{
    const warren_header header = { .name = "traceparent", .value = traceparent };
    const warren_message message = { .type = "a",
                                     .id = id,
                                     .body = "{\"card\": \"S3CRET-BODY\"}",
                                     .headers = &header,
                                     .header_count = 1 };
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, &story.err), WARREN_OK);
}

static void check_who(const char *event, const char *outcome)
{
    char want[64];
    struct json_object *object = parse(event, fields_of(event));
    (void)snprintf(want, sizeof want, "%s", outcome);
    CU_ASSERT_STRING_EQUAL(text_of(object, "queue"), "q");
    CU_ASSERT_STRING_EQUAL(text_of(object, "type"), "a");
    CU_ASSERT_STRING_EQUAL(text_of(object, "outcome"), want);
    CU_ASSERT_STRING_EQUAL(text_of(object, "trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    CU_ASSERT_EQUAL(json_object_get_int(json_object_object_get(object, "attempt")), 1);
    CU_ASSERT(json_object_is_type(json_object_object_get(object, "duration_ms"), json_type_int));
    CU_ASSERT(strlen(text_of(object, "id")) == 3);
    (void)json_object_put(object);
}

static void each_line_about_a_job_says_which_and_none_its_body(void)
{
    wr_log_limit(0, NULL);
    story_open_queue(&story, "", "{ type = \"a\"; }");
    story_handle(&story, "a");
    story.act = by_id;
    (void)story_advance(&story, 1000);
    listen(3);
    publish_marked("d-1");
    CU_ASSERT_EQUAL(story_run(&story), 1); /* done at its first attempt */
    check_who("job.done", "done");
    publish_marked("r-1");
    publish_marked("x-1");
    publish_marked("s-1");
    publish_marked("p-1");
    (void)story_run(&story);
    (void)story_advance(&story, 60000);
    warren_log_to(NULL, NULL, 0);
    check_who("job.retry", "retry");
    check_who("job.dead", "dead");
    check_who("job.snooze", "snooze");
    check_who("job.discard", "discard");
    CU_ASSERT_EQUAL(count_of("job.done"), 3);
    for (int i = 0; i < line_count; i++) {
        CU_ASSERT_PTR_NULL(strstr(lines[i].fields, "S3CRET"));
    }
    story_close(&story);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("log", NULL, NULL);
    CU_ADD_TEST(suite, a_line_becomes_an_object_with_typed_members);
    CU_ADD_TEST(suite, its_time_is_rfc_3339_with_milliseconds);
    CU_ADD_TEST(suite, what_steers_a_terminal_is_escaped);
    CU_ADD_TEST(suite, any_bytes_give_valid_json);
    CU_ADD_TEST(suite, a_line_that_does_not_fit_is_none);
    CU_ADD_TEST(suite, the_level_changes_while_it_runs);
    CU_ADD_TEST(suite, a_storm_of_one_event_is_cut_and_told);
    CU_ADD_TEST(suite, a_name_is_in_quotes_only_when_it_needs_them);
    CU_ADD_TEST(suite, each_line_about_a_job_says_which_and_none_its_body);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
