// SPDX-License-Identifier: MIT
// What a delivery becomes: its type, its id, its bookkeeping, and the reason why no handler may see
// it.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "model/job.h"
#include "model/outcome.h"
#include "warren/dead.h"

static struct wr_queue_settings queue = { .name = (char *)"q" };
static const struct wr_settings settings = { .headers_most = 4,
                                             .headers_bytes = 1000,
                                             .body_most = 1 << 20 };
static const struct wr_job_rules rules = { &settings, &queue, { "warren.jobs", 11 } };
static struct wr_job_settings type_settings = { .type = (char *)"a", .retry = { .attempts = 5 } };
static struct wr_message message;
static struct wr_text headers;
static struct warren_job *job;

static void begin(void)
{
    message = (struct wr_message){ .body = wr_slice_of("body") };
    queue.default_type = NULL;
}

static void decode(void)
{
    message.headers = (struct wr_table){ headers.data, headers.size };
    message.present |= headers.size ? WR_HEADERS : 0;
    job = wr_job_decode(&message, &rules, 1700000000000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    job->settings = &type_settings;
}

static void end(void)
{
    wr_job_free(job);
    wr_text_done(&headers);
}

static void the_type_comes_from_the_first_place_that_says_one(void)
{
    begin();
    queue.default_type = (char *)"default";
    decode();
    CU_ASSERT(wr_slice_is(job->type, "default"));
    end();
    message.exchange = wr_slice_of("amq.topic");
    message.key = wr_slice_of("key");
    decode();
    CU_ASSERT(wr_slice_is(job->type, "default")); /* that key is no type */
    end();
    message.exchange = wr_slice_of("warren.jobs");
    decode();
    CU_ASSERT(wr_slice_is(job->type, "key"));
    end();
    wr_table_add_string(&headers, WR_H_TYPE, wr_slice_of("header"));
    decode();
    CU_ASSERT(wr_slice_is(job->type, "header"));
    message.type = wr_slice_of("property");
    message.present |= WR_TYPE;
    wr_job_free(job);
    decode();
    CU_ASSERT(wr_slice_is(job->type, "property"));
    CU_ASSERT_PTR_NULL(job->reason);
    end();
}

static void a_message_that_says_no_type_is_condemned_but_is_a_job(void)
{
    begin();
    decode();
    CU_ASSERT_STRING_EQUAL(job->reason, "unknown_type");
    CU_ASSERT_EQUAL(job->verdict, WARREN_DEAD);
    CU_ASSERT_PTR_NOT_NULL(strstr(job->text, "x-warren-type"));
    CU_ASSERT_STRING_EQUAL(warren_job_id(job), job->made_id);
    end();
}

static void an_id_is_kept_or_made_and_made_ones_differ(void)
{
    char first[37];
    begin();
    message.message_id = wr_slice_of("id-1");
    message.present = WR_MESSAGE_ID;
    decode();
    CU_ASSERT_STRING_EQUAL(warren_job_id(job), "id-1");
    end();
    message.message_id = wr_slice_of("");
    decode();
    CU_ASSERT_EQUAL(strlen(warren_job_id(job)), 36);
    (void)snprintf(first, sizeof first, "%s", warren_job_id(job));
    end();
    decode();
    CU_ASSERT_STRING_NOT_EQUAL(warren_job_id(job), first);
    CU_ASSERT_EQUAL(warren_job_id(job)[14], '7');
    end();
}

static void bookkeeping_is_read_whatever_kind_of_number_it_is(void)
{
    begin();
    wr_table_add_string(&headers, WR_H_ATTEMPT, wr_slice_of("3"));
    wr_table_add_int(&headers, WR_H_SNOOZES, 2);
    wr_table_add_int(&headers, WR_H_ENQUEUED_MS, 1600000000000);
    message.present = WR_TYPE;
    message.type = wr_slice_of("a");
    decode();
    CU_ASSERT_PTR_NULL(job->reason);
    CU_ASSERT_EQUAL(warren_job_attempt(job), 4);
    CU_ASSERT_EQUAL(warren_job_snoozes(job), 2);
    CU_ASSERT_EQUAL(warren_job_enqueued_ms(job), 1600000000000);
    CU_ASSERT_EQUAL(warren_job_max_attempts(job), 5);
    end();
}

static void each_header_of_a_wrong_kind_is_named(void)
{
    static const char *const numbers[] = { WR_H_ATTEMPT,    WR_H_CRASHES,      WR_H_SNOOZES,
                                           WR_H_INTERRUPTS, WR_H_MAX_ATTEMPTS, WR_H_EXPIRES_MS,
                                           WR_H_RUN_AT_MS,  WR_H_DELAY_MS,     WR_H_ENQUEUED_MS };
    static const char *const others[] = { WR_H_TYPE, WR_H_BACKOFF, WR_H_ERRORS };
    for (size_t i = 0; i < 24; i++) {
        bool is_number = i < 18;
        const char *name = is_number ? numbers[i / 2] : others[i % 3];
        begin();
        if (!is_number) {
            wr_table_add_bool(&headers, name, true);
        } else if (i % 2) {
            wr_table_add_int(&headers, name, -1);
        } else {
            wr_table_add_string(&headers, name, wr_slice_of("many"));
        }
        decode();
        CU_ASSERT_STRING_EQUAL(job->reason, "bad_message");
        CU_ASSERT_PTR_NOT_NULL(strstr(job->text, name));
        CU_ASSERT_EQUAL(job->books.attempt, 0); /* nothing of it is believed */
        end();
    }
}

static void the_table_says_the_kind_that_is_wanted(void)
{
    size_t count = 0;
    size_t refused = 0;
    const struct wr_header_row *rows = wr_header_table(&count);
    for (size_t i = 0; i < count; i++) {
        struct wr_bookkeeping books;
        struct wr_text table = { 0 };
        warren_error err = { 0 };
        if (rows[i].kind == 'l') {
            wr_table_add_string(&table, rows[i].name, wr_slice_of("many"));
        } else {
            wr_table_add_bool(&table, rows[i].name, true);
        }
        if (wr_bookkeeping_read((struct wr_table){ table.data, table.size }, &books, &err)) {
            const char *want = rows[i].kind == 'l'   ? "want a whole number"
                               : rows[i].kind == 'S' ? "want a string"
                                                     : "want an array";
            CU_ASSERT_PTR_NOT_NULL(strstr(err.text, want));
            refused++;
        }
        wr_text_done(&table);
    }
    CU_ASSERT_EQUAL(refused, 13); /* those that a job's fate depends on */
}

static void tools_are_told_all_parts_of_a_message(void)
{
    warren_message_part part = { 0 };
    size_t headers_told = 0;
    size_t count = 0;
    const struct wr_header_row *rows = wr_header_table(&count);
    CU_ASSERT_TRUE(warren_message_part_at(0, &part));
    CU_ASSERT_STRING_EQUAL(part.name, "content_type");
    CU_ASSERT_FALSE(part.is_header);
    for (size_t i = 0; warren_message_part_at(i, &part); i++) {
        CU_ASSERT(!part.is_header || strcmp(part.name, rows[headers_told++].name) == 0);
        CU_ASSERT(part.kind[0] && part.sentence[0]);
    }
    CU_ASSERT_EQUAL(headers_told, count);
    CU_ASSERT_STRING_EQUAL(part.name, rows[count - 1].name); /* untouched at the end */
    CU_ASSERT_FALSE(warren_message_part_at(SIZE_MAX, &part));
}

static void tools_are_told_each_reason(void)
{
    const char *sentence = NULL;
    CU_ASSERT_STRING_EQUAL(warren_dead_reason_at(0, &sentence), "failed");
    CU_ASSERT_STRING_EQUAL(sentence, "all attempts are used up");
    CU_ASSERT_STRING_EQUAL(warren_dead_reason_at(WR_REASONS - 2, NULL), "bad_verdict");
    CU_ASSERT_PTR_NULL(warren_dead_reason_at(WR_REASONS - 1, NULL));
}

static void more_or_larger_headers_than_the_limits_are_condemned(void)
{
    char large[1100];
    memset(large, 'x', sizeof large);
    begin();
    for (int i = 0; i < 4; i++) {
        wr_table_add_int(&headers, "h", i);
    }
    wr_table_add_int(&headers, WR_H_ATTEMPT, 1); /* Warren's own do not count */
    wr_table_add_string(&headers, "x-death", wr_slice_of("nor the broker's"));
    message.present = WR_TYPE;
    message.type = wr_slice_of("a");
    decode();
    CU_ASSERT_PTR_NULL(job->reason);
    wr_job_free(job);
    wr_table_add_int(&headers, "h", 4);
    decode();
    CU_ASSERT_STRING_EQUAL(job->reason, "headers_too_large");
    end();
    wr_table_add_string(&headers, "h", (struct wr_slice){ large, sizeof large });
    decode();
    CU_ASSERT_STRING_EQUAL(job->reason, "headers_too_large");
    end();
}

static void malformed_and_deep_headers_are_condemned_each_with_its_reason(void)
{
    struct wr_text content = { 0 };
    begin();
    wr_text_add(&headers, "\x01nS\x7f", 4);
    decode();
    CU_ASSERT_STRING_EQUAL(job->reason, "bad_message");
    end();
    for (int i = 0; i < 9; i++) {
        struct wr_text outer = { 0 };
        wr_table_add_nested(&outer, "n", 'F', (struct wr_slice){ content.data, content.size });
        wr_text_done(&content);
        content = outer;
    }
    wr_text_add(&headers, content.data, content.size);
    decode();
    CU_ASSERT_STRING_EQUAL(job->reason, "headers_too_large");
    wr_text_done(&content);
    end();
}

static void the_first_reason_stands(void)
{
    begin();
    decode();
    wr_job_condemn(job, "expired", "later");
    CU_ASSERT_STRING_EQUAL(job->reason, "unknown_type");
    end();
}

static void a_message_may_change_its_policy_within_bounds(void)
{
    struct wr_retry_policy policy;
    warren_error err;
    begin();
    wr_table_add_int(&headers, WR_H_MAX_ATTEMPTS, 9);
    wr_table_add_string(&headers, WR_H_BACKOFF, wr_slice_of("fixed 30s"));
    decode();
    CU_ASSERT(wr_job_policy(job, &policy, &err));
    CU_ASSERT_EQUAL(policy.attempts, 9);
    CU_ASSERT_EQUAL(policy.first_ms, 30000);
    CU_ASSERT_EQUAL(warren_job_max_attempts(job), 9);
    end();
    wr_table_add_string(&headers, WR_H_BACKOFF, wr_slice_of("now and then"));
    decode();
    CU_ASSERT_FALSE(wr_job_policy(job, &policy, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, WR_H_BACKOFF));
    end();
}

static void what_a_handler_says_is_cut_and_made_utf8(void)
{
    char large[2000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    begin();
    decode();
    CU_ASSERT_EQUAL(warren_retry(job, "%s", large), WARREN_RETRY);
    CU_ASSERT_EQUAL(strlen(job->text), 500);
    CU_ASSERT_STRING_EQUAL(job->text + 497, "...");
    CU_ASSERT_EQUAL(warren_dead(job, "bad \xff byte"), WARREN_DEAD);
    CU_ASSERT(wr_text_is_utf8(wr_slice_of(job->text)));
    CU_ASSERT_PTR_NOT_NULL(strstr(job->text, " byte"));
    memset(large, '\xff', sizeof large - 1);
    CU_ASSERT_EQUAL(warren_retry(job, "%s", large), WARREN_RETRY);
    CU_ASSERT(strlen(job->text) >= 490 && strlen(job->text) <= 500);
    CU_ASSERT(wr_text_is_utf8(wr_slice_of(job->text)));
    for (size_t i = 0; i < sizeof large - 2; i += 2) {
        memcpy(large + i, "\xc3\xa9", 2);
    }
    CU_ASSERT_EQUAL(warren_discard(job, "x%s", large), WARREN_DISCARD);
    CU_ASSERT(wr_text_is_utf8(wr_slice_of(job->text)));
    CU_ASSERT_PTR_NOT_NULL(strstr(job->text, "\xc3\xa9\xc3\xa9"));
    CU_ASSERT(strlen(job->text) <= 500);
    end();
}

static void delays_of_verdicts_are_never_negative(void)
{
    begin();
    decode();
    CU_ASSERT_EQUAL(job->delay_ms, -1);
    CU_ASSERT_EQUAL(warren_snooze(job, INT64_MIN), WARREN_SNOOZE);
    CU_ASSERT_EQUAL(job->delay_ms, 0);
    CU_ASSERT_EQUAL(warren_retry_after(job, -5, "x"), WARREN_RETRY);
    CU_ASSERT_EQUAL(job->delay_ms, 0);
    CU_ASSERT_EQUAL(warren_retry(job, "x"), WARREN_RETRY);
    CU_ASSERT_EQUAL(job->delay_ms, -1);
    end();
}

static void a_handler_reads_what_the_message_carries(void)
{
    int64_t number = 0;
    size_t size = 0;
    begin();
    wr_table_add_string(&headers, "tenant", wr_slice_of("4711"));
    wr_table_add_bool(&headers, "urgent", true);
    message.reply_to = wr_slice_of("answers");
    message.correlation_id = wr_slice_of("not present");
    message.timestamp = 1600000000;
    message.present = WR_REPLY_TO | WR_TIMESTAMP;
    decode();
    CU_ASSERT_STRING_EQUAL(warren_job_reply_to(job), "answers");
    CU_ASSERT_STRING_EQUAL(warren_job_correlation_id(job), "");
    CU_ASSERT_STRING_EQUAL(warren_job_content_type(job), "");
    CU_ASSERT_EQUAL(warren_job_enqueued_ms(job), 1600000000000);
    CU_ASSERT_EQUAL(memcmp(warren_job_header(job, "tenant", &size), "4711", 4), 0);
    CU_ASSERT_EQUAL(size, 4);
    CU_ASSERT_PTR_NULL(warren_job_header(job, "urgent", &size));
    CU_ASSERT_PTR_NULL(warren_job_header(job, "absent", &size));
    CU_ASSERT(warren_job_header_int(job, "tenant", &number) && number == 4711);
    CU_ASSERT(warren_job_header_int(job, "urgent", &number) && number == 1);
    CU_ASSERT_EQUAL(memcmp(warren_job_body(job, &size), "body", 4), 0);
    CU_ASSERT_EQUAL(size, 4);
    CU_ASSERT_FALSE(warren_job_cancelled(job));
    end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("job", NULL, NULL);
    CU_ADD_TEST(suite, the_type_comes_from_the_first_place_that_says_one);
    CU_ADD_TEST(suite, a_message_that_says_no_type_is_condemned_but_is_a_job);
    CU_ADD_TEST(suite, an_id_is_kept_or_made_and_made_ones_differ);
    CU_ADD_TEST(suite, bookkeeping_is_read_whatever_kind_of_number_it_is);
    CU_ADD_TEST(suite, each_header_of_a_wrong_kind_is_named);
    CU_ADD_TEST(suite, the_table_says_the_kind_that_is_wanted);
    CU_ADD_TEST(suite, tools_are_told_all_parts_of_a_message);
    CU_ADD_TEST(suite, tools_are_told_each_reason);
    CU_ADD_TEST(suite, more_or_larger_headers_than_the_limits_are_condemned);
    CU_ADD_TEST(suite, malformed_and_deep_headers_are_condemned_each_with_its_reason);
    CU_ADD_TEST(suite, the_first_reason_stands);
    CU_ADD_TEST(suite, a_message_may_change_its_policy_within_bounds);
    CU_ADD_TEST(suite, what_a_handler_says_is_cut_and_made_utf8);
    CU_ADD_TEST(suite, delays_of_verdicts_are_never_negative);
    CU_ADD_TEST(suite, a_handler_reads_what_the_message_carries);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
