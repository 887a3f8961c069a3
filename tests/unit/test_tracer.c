// SPDX-License-Identifier: MIT
// Who is whose parent and link: a job's traces told as stories on the memory broker, and the bounds
// of the exporter that sends them. What a real receiver gets is the business of test_tracing.c.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "spans.h"
#include "story.h"

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID "00f067aa0ba902b7"
#define PROCESS "process warren.jobs:a:q"
#define PUBLISH "publish warren.jobs:a"
#define RETRY "retry warren.jobs:a:q"
#define ACK "ack warren.jobs:a:q"
#define BURY "dead_letter warren.jobs:a:q"

static struct story story;
static struct spans spans;
static char last_parent[64]; /* the traceparent that the last job's message carried */
static char last_inside[64]; /* what its handler was told */
static char last_state[64];
static char last_baggage[64];

static enum wr_delivered take_request(void *user, struct wr_slice body,
                                      const _Atomic int64_t *until_us, char *why)
{
    (void)user;
    (void)until_us;
    (void)why;
    char *json = wr_slice_copy(body);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    spans_read(&spans, json);
    free(json);
    return WR_DELIVERED;
}

/* A worker with one queue; `options` are what stands in its trace group. */
static void open_story(const char *options)
{
    static const char *const queues[] = {
        "queue: { name = \"q\"; retry: { attempts = 3; jitter = 0.0; };"
        " jobs = ( { type = \"a\"; }, { type = \"b\"; } ); };",
        NULL
    };
    char text[256];
    (void)snprintf(text, sizeof text, "trace: { %s };", options);
    story_open(&story, text, queues);
    story_handle(&story, "a");
    story_handle(&story, "b");
    CU_ASSERT_EQUAL_FATAL(wr_test_start(story.test, &story.err), WARREN_OK);
    struct wr_exporter *exporter = wr_tracer_exporter(story.test->worker->tracer);
    if (exporter) {
        wr_exporter_deliver_to(exporter, take_request, NULL);
    }
}

#define TRACED "endpoint = \"http://127.0.0.1:9\";"

/* Lets the story pass and takes its spans. */
static void play(int64_t ms)
{
    (void)story_run(&story);
    (void)story_advance(&story, ms);
    struct wr_exporter *exporter = wr_tracer_exporter(story.test->worker->tracer);
    while (exporter && wr_exporter_step(exporter, 0, true)) {
    }
}

static void close_story(void)
{
    spans_forget(&spans);
    story_close(&story);
}

static void publish(const char *type, const warren_header *headers, size_t count)
{
    const warren_message message = { .type = type,
                                     .id = "id-1",
                                     .correlation_id = "talk",
                                     .body = "{}",
                                     .headers = headers,
                                     .header_count = count };
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, &story.err), WARREN_OK);
}

static void copy_header(warren_job *job, const char *name, char *out)
{
    size_t size = 0;
    const char *value = warren_job_header(job, name, &size);
    (void)snprintf(out, sizeof last_parent, "%.*s", (int)size, value ? value : "");
}

static void look(warren_job *job)
{
    copy_header(job, "traceparent", last_parent);
    copy_header(job, "tracestate", last_state);
    copy_header(job, "baggage", last_baggage);
    last_inside[0] = '\0';
    (void)warren_job_traceparent(job, last_inside);
}

static warren_verdict fail_once(struct story *told, warren_job *job)
{
    (void)told;
    look(job);
    return warren_job_attempt(job) == 1 ? warren_retry(job, "not yet") : WARREN_DONE;
}

static warren_verdict hand_on(struct story *told, warren_job *job)
{
    look(job);
    const warren_message next = { .type = "b", .body = "{}" };
    if (strcmp(warren_job_type(job), "a") == 0) {
        CU_ASSERT_EQUAL(warren_job_publish(job, &next, &told->err), WARREN_OK);
    }
    return WARREN_DONE;
}

static warren_verdict die(struct story *told, warren_job *job)
{
    (void)told;
    look(job);
    return warren_dead(job, "for good");
}

/* The traceparent that a span stands for. */
static const char *parent_text(const struct span *span)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "00-%s-%s-%02x", span->trace, span->id,
                   (unsigned)span->flags);
    return text;
}

static void is_child_of(const struct span *child, const struct span *parent)
{
    CU_ASSERT_STRING_EQUAL(child->trace, parent->trace);
    CU_ASSERT_STRING_EQUAL(child->parent, parent->id);
    CU_ASSERT_STRING_NOT_EQUAL(child->id, parent->id);
}

static void is_root_linked_to(const struct span *span, const struct span *linked)
{
    CU_ASSERT_STRING_EQUAL(span->parent, "");
    CU_ASSERT_STRING_EQUAL(span->link_trace, linked->trace);
    CU_ASSERT_STRING_EQUAL(span->link_id, linked->id);
    CU_ASSERT_STRING_NOT_EQUAL(span->trace, linked->trace);
}

/* --- stories --- */

static void each_attempt_links_to_the_publish_and_settles_as_its_child(void)
{
    open_story(TRACED);
    story.act = fail_once;
    publish("a", NULL, 0);
    play(5000);
    CU_ASSERT_EQUAL(spans.count, 5);
    const struct span *sent = spans_find(&spans, PUBLISH, 0);
    const struct span *first = spans_find(&spans, PROCESS, 0);
    const struct span *second = spans_find(&spans, PROCESS, 1);
    CU_ASSERT_STRING_EQUAL(sent->parent, "");
    CU_ASSERT_STRING_EQUAL(sent->link_trace, "");
    is_root_linked_to(first, sent);
    is_root_linked_to(second, sent);
    CU_ASSERT_STRING_NOT_EQUAL(first->trace, second->trace);
    is_child_of(spans_find(&spans, RETRY, 0), first);
    is_child_of(spans_find(&spans, ACK, 0), second);
    CU_ASSERT_STRING_EQUAL(last_parent, parent_text(sent)); /* as it was, behind the ladder */
    CU_ASSERT_STRING_EQUAL(last_inside, parent_text(second));
    CU_ASSERT(second->start_ns - first->start_ns >= INT64_C(1000000000));
    close_story();
}

static void attributes_follow_the_conventions_for_messaging(void)
{
    open_story(TRACED "service = \"shop\";");
    story.act = fail_once;
    publish("a", NULL, 0);
    play(5000);
    CU_ASSERT_STRING_EQUAL(spans.service, "shop");
    const struct span *sent = spans_find(&spans, PUBLISH, 0);
    CU_ASSERT_EQUAL(sent->kind, WR_SPAN_PRODUCER);
    CU_ASSERT(span_has(sent, "messaging.system", "rabbitmq"));
    CU_ASSERT(span_has(sent, "messaging.operation.type", "send"));
    CU_ASSERT(span_has(sent, "messaging.operation.name", "publish"));
    CU_ASSERT(span_has(sent, "messaging.destination.name", "warren.jobs:a"));
    CU_ASSERT(span_has(sent, "messaging.rabbitmq.destination.routing_key", "a"));
    CU_ASSERT(span_has(sent, "messaging.message.id", "id-1"));
    CU_ASSERT(span_has(sent, "messaging.message.conversation_id", "talk"));
    const struct span *first = spans_find(&spans, PROCESS, 0);
    CU_ASSERT_EQUAL(first->kind, WR_SPAN_CONSUMER);
    CU_ASSERT(span_has(first, "messaging.operation.type", "process"));
    CU_ASSERT(span_has(first, "messaging.destination.name", "warren.jobs:a:q"));
    CU_ASSERT(span_has(first, "messaging.message.id", "id-1"));
    CU_ASSERT(span_has(first, "messaging.rabbitmq.message.delivery_tag", "1"));
    CU_ASSERT(span_has(first, "warren.job.attempt", "1"));
    CU_ASSERT(span_has(first, "warren.job.outcome", "retry"));
    CU_ASSERT(span_has(first, "error.type", "retry"));
    CU_ASSERT_EQUAL(first->status, 2);
    CU_ASSERT_STRING_EQUAL(first->message, "not yet");
    const struct span *second = spans_find(&spans, PROCESS, 1);
    CU_ASSERT(span_has(second, "warren.job.attempt", "2"));
    CU_ASSERT(span_has(second, "warren.job.outcome", "done"));
    CU_ASSERT_EQUAL(second->status, 0);
    const struct span *settled = spans_find(&spans, RETRY, 0);
    CU_ASSERT_EQUAL(settled->kind, WR_SPAN_CLIENT);
    CU_ASSERT(span_has(settled, "messaging.operation.type", "settle"));
    CU_ASSERT(span_has(settled, "messaging.operation.name", "retry"));
    CU_ASSERT(span_has(spans_find(&spans, ACK, 0), "messaging.operation.name", "ack"));
    close_story();
}

static void as_children_all_attempts_are_in_the_trace_of_the_publish(void)
{
    open_story(TRACED "parent = \"child\";");
    story.act = fail_once;
    publish("a", NULL, 0);
    play(5000);
    const struct span *sent = spans_find(&spans, PUBLISH, 0);
    is_child_of(spans_find(&spans, PROCESS, 0), sent);
    is_child_of(spans_find(&spans, PROCESS, 1), sent);
    is_child_of(spans_find(&spans, ACK, 0), spans_find(&spans, PROCESS, 1));
    CU_ASSERT_STRING_EQUAL(spans_find(&spans, PROCESS, 0)->link_trace, "");
    close_story();
}

static void what_a_handler_publishes_is_a_child_of_its_run(void)
{
    open_story(TRACED);
    story.act = hand_on;
    publish("a", NULL, 0);
    play(100);
    const struct span *sent = spans_find(&spans, "publish warren.jobs:b", 0);
    is_child_of(sent, spans_find(&spans, PROCESS, 0));
    is_root_linked_to(spans_find(&spans, "process warren.jobs:b:q", 0), sent);
    CU_ASSERT_STRING_EQUAL(last_parent, parent_text(sent));
    close_story();
}

static void a_callers_trace_is_continued_and_its_header_left_alone(void)
{
    static const warren_header headers[] = {
        { .name = "traceparent", .value = "00-" TRACE_ID "-" SPAN_ID "-01" },
        { .name = "tracestate", .value = "rojo=1" },
    };
    open_story(TRACED);
    story.act = fail_once;
    publish("a", headers, 2);
    play(5000);
    const struct span *sent = spans_find(&spans, PUBLISH, 0);
    CU_ASSERT_STRING_EQUAL(sent->trace, TRACE_ID);
    CU_ASSERT_STRING_EQUAL(sent->parent, SPAN_ID);
    const struct span *second = spans_find(&spans, PROCESS, 1);
    CU_ASSERT_STRING_EQUAL(second->link_trace, TRACE_ID);
    CU_ASSERT_STRING_EQUAL(second->link_id, SPAN_ID);
    CU_ASSERT_STRING_EQUAL(second->state, "rojo=1");
    CU_ASSERT_STRING_EQUAL(last_parent, headers[0].value);
    CU_ASSERT_STRING_EQUAL(last_state, "rojo=1");
    close_story();
}

static void what_is_malformed_is_ignored_and_carried(void)
{
    static const warren_header headers[] = {
        { .name = "traceparent", .value = "00-" TRACE_ID "-0000000000000000-01" },
        { .name = "tracestate", .value = "=" },
    };
    open_story(TRACED);
    story.act = fail_once;
    publish("a", headers, 2);
    play(5000);
    const struct span *first = spans_find(&spans, PROCESS, 0);
    CU_ASSERT_STRING_EQUAL(first->link_trace, "");
    CU_ASSERT_STRING_EQUAL(first->parent, "");
    CU_ASSERT_STRING_NOT_EQUAL(first->trace, TRACE_ID);
    CU_ASSERT_STRING_EQUAL(last_parent, headers[0].value);
    close_story();
}

static void a_dead_letter_is_an_error_and_keeps_its_context(void)
{
    open_story(TRACED);
    story.act = die;
    publish("a", NULL, 0);
    play(100);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 1);
    const struct span *run = spans_find(&spans, PROCESS, 0);
    const struct span *settled = spans_find(&spans, BURY, 0);
    CU_ASSERT(span_has(run, "error.type", "dead"));
    is_child_of(settled, run);
    CU_ASSERT(span_has(settled, "messaging.operation.name", "dead_letter"));
    CU_ASSERT(span_has(settled, "warren.job.dead_reason", "dead"));
    close_story();
}

static void what_no_handler_saw_settles_with_a_link(void)
{
    static const warren_header header = { .name = "traceparent",
                                          .value = "00-" TRACE_ID "-" SPAN_ID "-01" };
    const warren_message message = { .type = "a",
                                     .content_type = "application/json",
                                     .body = "{",
                                     .headers = &header,
                                     .header_count = 1 };
    open_story(TRACED);
    CU_ASSERT_EQUAL(warren_test_publish(story.test, &message, &story.err), WARREN_OK);
    play(100);
    CU_ASSERT_EQUAL(spans_count(&spans, PROCESS), 0);
    const struct span *settled = spans_find(&spans, BURY, 0);
    CU_ASSERT_STRING_EQUAL(settled->link_id, SPAN_ID);
    CU_ASSERT(span_has(settled, "warren.job.dead_reason", "bad_message"));
    close_story();
}

/* --- sampling --- */

static void the_senders_decision_is_respected(void)
{
    static const warren_header header = { .name = "traceparent",
                                          .value = "00-" TRACE_ID "-" SPAN_ID "-00" };
    open_story(TRACED);
    story.act = fail_once;
    publish("a", &header, 1);
    play(5000);
    CU_ASSERT_EQUAL(spans.count, 0);
    CU_ASSERT_STRING_EQUAL(last_inside + 53, "00");
    close_story();
    open_story(TRACED "sample = 0.0; parent = \"child\";");
    publish("a", NULL, 0);
    story.act = fail_once;
    play(5000);
    CU_ASSERT_EQUAL(spans.count, 0);
    CU_ASSERT_EQUAL(strlen(last_parent), 55); /* there, and says that nobody records */
    CU_ASSERT_STRING_EQUAL(last_parent + 53, "00");
    CU_ASSERT_STRING_NOT_EQUAL(last_inside, last_parent);
    close_story();
    static const warren_header recorded = { .name = "traceparent",
                                            .value = "00-" TRACE_ID "-" SPAN_ID "-01" };
    open_story(TRACED "sample = 0.0;");
    publish("a", &recorded, 1);
    story.act = fail_once;
    play(5000);
    CU_ASSERT_EQUAL(spans.count, 5);
    close_story();
}

static void untraced_a_context_is_carried_on_to_what_a_handler_publishes(void)
{
    static const warren_header headers[] = {
        { .name = "traceparent", .value = "00-" TRACE_ID "-" SPAN_ID "-01" },
        { .name = "tracestate", .value = "rojo=1" },
        { .name = "baggage", .value = "tenant=7" },
    };
    open_story("");
    CU_ASSERT_PTR_NULL(story.test->worker->tracer);
    story.act = hand_on;
    publish("a", headers, 3);
    play(100);
    CU_ASSERT_EQUAL(story.run_count, 2);
    CU_ASSERT_STRING_EQUAL(last_parent, headers[0].value);
    CU_ASSERT_STRING_EQUAL(last_inside, headers[0].value);
    CU_ASSERT_STRING_EQUAL(last_state, "rojo=1");
    CU_ASSERT_STRING_EQUAL(last_baggage, "tenant=7");
    publish("a", NULL, 0);
    play(100);
    CU_ASSERT_EQUAL(story.run_count, 4);
    CU_ASSERT_STRING_EQUAL(last_parent, ""); /* nothing is invented */
    CU_ASSERT_STRING_EQUAL(last_inside, "");
    close_story();
}

/* A message with as many headers as it may have has room for its trace. */
static void a_full_message_does_not_die_of_its_trace(void)
{
    static warren_header headers[64];
    static char names[64][16];
    for (int i = 0; i < 64; i++) {
        (void)snprintf(names[i], sizeof names[i], "h%d", i);
        headers[i] = (warren_header){ .name = names[i], .value = "x" };
    }
    open_story(TRACED);
    publish("a", headers, 64);
    play(100);
    CU_ASSERT_EQUAL(story.run_count, 1);
    CU_ASSERT_EQUAL(warren_test_waiting(story.test, "q.dead"), 0);
    close_story();
}

/* --- the exporter's bounds --- */

static struct {
    enum wr_delivered answer;
    int calls;
    bool hangs;
} collector;

static enum wr_delivered count_call(void *user, struct wr_slice body,
                                    const _Atomic int64_t *until_us, char *why)
{
    (void)user;
    CU_ASSERT(body.size > 0);
    collector.calls++;
    (void)snprintf(why, 256, "no");
    while (collector.hangs && wr_clock_mono_us(NULL) < atomic_load(until_us)) {
        wr_clock_pass_us(1000);
    }
    return collector.answer;
}

static struct wr_exporter *make_exporter(enum wr_delivered answer)
{
    const struct wr_exporter_options options = { .resource = { "s", "i" }, .deliver = count_call };
    struct wr_exporter *exporter = NULL;
    collector.answer = answer;
    collector.calls = 0;
    collector.hangs = false;
    CU_ASSERT_EQUAL_FATAL(wr_exporter_new(&exporter, &options, NULL), WARREN_OK);
    return exporter;
}

static void push(struct wr_exporter *exporter, int count)
{
    const struct wr_trace trace = { .id = { 1 }, .span = { 1 }, .flags = 1 };
    for (int i = 0; i < count; i++) {
        wr_exporter_push(exporter, wr_span_new(&trace, WR_SPAN_CLIENT));
    }
}

enum { S = 1000000 };

static void a_full_queue_drops_and_counts(void)
{
    struct wr_exporter *exporter = make_exporter(WR_DELIVERED);
    push(exporter, WR_EXPORT_QUEUE_MOST + 100);
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).dropped, 100);
    while (wr_exporter_step(exporter, S, true)) {
    }
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).exported, WR_EXPORT_QUEUE_MOST);
    CU_ASSERT_EQUAL(collector.calls, WR_EXPORT_QUEUE_MOST / WR_EXPORT_BATCH_MOST);
    wr_exporter_free(exporter);
}

static void a_batch_goes_out_when_it_is_full_or_once_a_second(void)
{
    struct wr_exporter *exporter = make_exporter(WR_DELIVERED);
    (void)wr_exporter_step(exporter, 10 * S, false);
    push(exporter, 5);
    (void)wr_exporter_step(exporter, 10 * S + S / 2, false);
    CU_ASSERT_EQUAL(collector.calls, 0);
    (void)wr_exporter_step(exporter, 11 * S, false);
    CU_ASSERT_EQUAL(collector.calls, 1);
    push(exporter, WR_EXPORT_BATCH_MOST);
    (void)wr_exporter_step(exporter, 11 * S + 1, false);
    CU_ASSERT_EQUAL(collector.calls, 2);
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).exported, 5 + WR_EXPORT_BATCH_MOST);
    wr_exporter_free(exporter);
}

static void a_collector_that_is_away_is_tried_again_and_not_for_ever(void)
{
    struct wr_exporter *exporter = make_exporter(WR_DELIVER_LATER);
    push(exporter, 5);
    for (int64_t at_us = S; at_us < 20 * (int64_t)S; at_us += S / 10) {
        (void)wr_exporter_step(exporter, at_us, false);
    }
    CU_ASSERT_EQUAL(collector.calls, WR_EXPORT_TRIES);
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).dropped, 5);
    collector.answer = WR_DELIVER_LATER;
    push(exporter, 5);
    (void)wr_exporter_step(exporter, 30 * (int64_t)S, false);
    collector.answer = WR_DELIVERED; /* it is back */
    (void)wr_exporter_step(exporter, 31 * (int64_t)S, false);
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).exported, 5);
    collector.answer = WR_DELIVER_NEVER; /* it refuses them: once is enough */
    push(exporter, 7);
    (void)wr_exporter_step(exporter, 40 * (int64_t)S, false);
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).dropped, 5 + 7);
    wr_exporter_free(exporter);
}

static void a_stuck_collector_holds_no_stop_up(void)
{
    struct wr_exporter *exporter = make_exporter(WR_DELIVER_LATER);
    collector.hangs = true;
    push(exporter, 1000);
    CU_ASSERT_EQUAL(wr_exporter_start(exporter, NULL), WARREN_OK);
    int64_t from_us = wr_clock_mono_us(NULL);
    CU_ASSERT(wr_exporter_stop(exporter, 100000));
    CU_ASSERT(wr_clock_mono_us(NULL) - from_us < 5 * (int64_t)S);
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).dropped, 1000);
    push(exporter, 3); /* too late, and no harm */
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).dropped, 1003);
    wr_exporter_free(exporter);
}

static void a_stop_sends_what_waits(void)
{
    struct wr_exporter *exporter = make_exporter(WR_DELIVERED);
    CU_ASSERT_EQUAL(wr_exporter_start(exporter, NULL), WARREN_OK);
    push(exporter, 1500);
    CU_ASSERT(wr_exporter_stop(exporter, 30 * (int64_t)S));
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).exported, 1500);
    CU_ASSERT_EQUAL(wr_exporter_counts(exporter).dropped, 0);
    wr_exporter_free(exporter);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("tracer", NULL, NULL);
    CU_ADD_TEST(suite, each_attempt_links_to_the_publish_and_settles_as_its_child);
    CU_ADD_TEST(suite, attributes_follow_the_conventions_for_messaging);
    CU_ADD_TEST(suite, as_children_all_attempts_are_in_the_trace_of_the_publish);
    CU_ADD_TEST(suite, what_a_handler_publishes_is_a_child_of_its_run);
    CU_ADD_TEST(suite, a_callers_trace_is_continued_and_its_header_left_alone);
    CU_ADD_TEST(suite, what_is_malformed_is_ignored_and_carried);
    CU_ADD_TEST(suite, a_dead_letter_is_an_error_and_keeps_its_context);
    CU_ADD_TEST(suite, what_no_handler_saw_settles_with_a_link);
    CU_ADD_TEST(suite, the_senders_decision_is_respected);
    CU_ADD_TEST(suite, untraced_a_context_is_carried_on_to_what_a_handler_publishes);
    CU_ADD_TEST(suite, a_full_message_does_not_die_of_its_trace);
    CU_ADD_TEST(suite, a_full_queue_drops_and_counts);
    CU_ADD_TEST(suite, a_batch_goes_out_when_it_is_full_or_once_a_second);
    CU_ADD_TEST(suite, a_collector_that_is_away_is_tried_again_and_not_for_ever);
    CU_ADD_TEST(suite, a_stuck_collector_holds_no_stop_up);
    CU_ADD_TEST(suite, a_stop_sends_what_waits);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
