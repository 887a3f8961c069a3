// SPDX-License-Identifier: MIT
// Traces end to end: a publisher, a worker, RabbitMQ with its delay ladder and its dead letters, and
// a receiver that takes what a collector would take. It checks ids, parents and links over publish,
// failure, retry, publish from the handler, death and replay; and that a collector that is gone, stuck
// or busy costs spans at most, and no job.
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "live.h"
#include "receiver.h"

enum { MOST_MS = 30000, S = 1000000 };

#define PROCESS_ORDER "process warren.jobs:order:shop"
#define PROCESS_DOOMED "process warren.jobs:doomed:shop"

/* Three units of the ladder: two of its queues. */
static const char queue_text[] =
    "queue: { name = \"shop\"; retry: { attempts = 3; delays = [\"375ms\"]; };"
    " jobs: ( { type = \"order\"; }, { type = \"mail\"; }, { type = \"doomed\"; } ); };";

static struct receiver receiver;
static struct spans spans;
static size_t wanted;

static char *configure(const char *options)
{
    char text[512];
    (void)snprintf(text, sizeof text, "trace: { endpoint = \"%s\"; service = \"shop\"; %s };",
                   receiver.url, options);
    return crew_config(text, queue_text);
}

static warren_verdict work(warren_job *job, void *user)
{
    static const warren_message mail = { .type = "mail", .id = "m-1", .body = "{}" };
    (void)user;
    bool is_order = strcmp(warren_job_type(job), "order") == 0;
    int64_t replays = 0;
    (void)crew_note(job);
    if (is_order && warren_job_attempt(job) == 1) {
        return warren_retry(job, "sold out");
    }
    if (is_order) {
        CU_ASSERT_EQUAL(warren_job_publish(job, &mail, NULL), WARREN_OK);
    }
    if (strcmp(warren_job_type(job), "doomed") == 0 &&
        !warren_job_header_int(job, "x-warren-replays", &replays)) {
        return warren_dead(job, "not today");
    }
    return WARREN_DONE;
}

static warren *start(const char *config)
{
    warren *w = crew_open(config);
    static const char *const types[] = { "order", "mail", "doomed" };
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(warren_handle(w, types[i], work, NULL, NULL), WARREN_OK);
    }
    crew_forget();
    crew_start(w);
    return w;
}

static bool has_spans(void *user)
{
    (void)user;
    receiver_read(&receiver, &spans);
    return spans.count >= wanted;
}

static bool wait_spans(size_t count)
{
    wanted = count;
    return live_wait(has_spans, NULL, MOST_MS);
}

static warren_stats_data stats_of(const warren *w)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    return stats;
}

/* The receiver has a request before the worker has its answer. */
static bool has_exported_four(void *user)
{
    return stats_of(user).spans_exported == 4;
}

/* From a process that is no worker, as producers are. */
static void publish(const char *config, const char *type, const char *id)
{
    warren_publisher *publisher = NULL;
    warren_error err = { 0 };
    const warren_message message = { .type = type, .id = id, .body = "{}" };
    CU_ASSERT_EQUAL_FATAL(warren_publisher_open(&publisher, config, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_publish(publisher, &message, &err), WARREN_OK);
    warren_publisher_close(publisher); /* sends its spans */
}

static void is_child_of(const struct span *child, const struct span *parent)
{
    CU_ASSERT_STRING_EQUAL(child->trace, parent->trace);
    CU_ASSERT_STRING_EQUAL(child->parent, parent->id);
    CU_ASSERT_STRING_EQUAL(child->link_id, "");
}

static void is_root_linked_to(const struct span *span, const struct span *linked)
{
    CU_ASSERT_STRING_EQUAL(span->parent, "");
    CU_ASSERT_STRING_NOT_EQUAL(span->trace, linked->trace);
    CU_ASSERT_STRING_EQUAL(span->link_trace, linked->trace);
    CU_ASSERT_STRING_EQUAL(span->link_id, linked->id);
}

/* --- stories --- */

static void a_job_is_followed_over_its_retry_to_what_it_published(void)
{
    receiver_start(&receiver, "");
    char *config = configure("");
    warren *w = start(config);
    publish(config, "order", "o-1");
    CU_ASSERT(crew_wait_runs(3, MOST_MS)); /* failed, done, and the mail */
    CU_ASSERT(wait_spans(8));
    crew_stop(w);
    receiver_read(&receiver, &spans);
    CU_ASSERT_EQUAL(spans.count, 8);
    CU_ASSERT_STRING_EQUAL(spans.service, "shop");
    const struct span *sent = spans_find(&spans, "publish warren.jobs:order", 0);
    const struct span *first = spans_find(&spans, PROCESS_ORDER, 0);
    const struct span *second = spans_find(&spans, PROCESS_ORDER, 1);
    const struct span *mail = spans_find(&spans, "publish warren.jobs:mail", 0);
    CU_ASSERT_STRING_EQUAL(sent->parent, "");
    is_root_linked_to(first, sent);
    is_root_linked_to(second, sent);
    is_child_of(spans_find(&spans, "retry warren.jobs:order:shop", 0), first);
    is_child_of(spans_find(&spans, "ack warren.jobs:order:shop", 0), second);
    is_child_of(mail, second);
    is_root_linked_to(spans_find(&spans, "process warren.jobs:mail:shop", 0), mail);
    CU_ASSERT(span_has(sent, "messaging.message.id", "o-1"));
    CU_ASSERT(span_has(second, "messaging.message.id", "o-1"));
    CU_ASSERT(span_has(second, "warren.job.attempt", "2"));
    CU_ASSERT(second->start_ns - first->start_ns >= INT64_C(375000000)); /* the ladder */
    free(config);
    receiver_stop(&receiver);
}

static void a_dead_job_keeps_its_context_through_a_replay(void)
{
    receiver_start(&receiver, "");
    char *config = configure("parent = \"child\";");
    warren *w = start(config);
    warren_admin *admin = NULL;
    const warren_dead_filter filter = { .queue = "shop" };
    size_t count = 0;
    publish(config, "doomed", "d-1");
    CU_ASSERT(crew_wait_depth(config, "shop.dead", 1, MOST_MS));
    CU_ASSERT_EQUAL_FATAL(warren_admin_open(&admin, config, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(count, 1);
    warren_admin_close(admin);
    CU_ASSERT(crew_wait_runs(2, MOST_MS));
    CU_ASSERT(wait_spans(5));
    CU_ASSERT(live_wait(has_exported_four, w, MOST_MS)); /* all but the publisher's */
    crew_stop(w);
    const struct span *sent = spans_find(&spans, "publish warren.jobs:doomed", 0);
    const struct span *died = spans_find(&spans, PROCESS_DOOMED, 0);
    const struct span *lived = spans_find(&spans, PROCESS_DOOMED, 1);
    is_child_of(died, sent);
    is_child_of(lived, sent);
    is_child_of(spans_find(&spans, "dead_letter warren.jobs:doomed:shop", 0), died);
    is_child_of(spans_find(&spans, "ack warren.jobs:doomed:shop", 0), lived);
    CU_ASSERT_EQUAL(died->status, 2);
    CU_ASSERT_STRING_EQUAL(died->message, "not today");
    CU_ASSERT_EQUAL(lived->status, 0);
    free(config);
    receiver_stop(&receiver);
}

static void a_collector_that_is_busy_for_a_while_gets_all_in_the_end(void)
{
    receiver_start(&receiver, "--fail 2 503");
    char *config = configure("");
    warren *w = start(config);
    const warren_message message = { .type = "mail", .body = "{}" };
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    CU_ASSERT(crew_wait_ended(w, 1, MOST_MS));
    CU_ASSERT(wait_spans(3));
    CU_ASSERT_EQUAL(stats_of(w).spans_dropped, 0);
    crew_stop(w);
    free(config);
    receiver_stop(&receiver);
}

/* Runs 50 jobs with a collector like that, and stops: how long the stop took. */
static int64_t stop_takes_us(const char *config, uint64_t *out_dropped)
{
    warren *w = crew_open(config);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "order", crew_accept, NULL, NULL), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "mail", crew_accept, NULL, NULL), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "doomed", crew_accept, NULL, NULL), WARREN_OK);
    crew_start(w);
    const warren_message message = { .type = "mail", .body = "{}" };
    for (int i = 0; i < 50; i++) {
        CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    }
    CU_ASSERT(crew_wait_ended(w, 50, MOST_MS));
    int64_t from_us = crew_now_us();
    CU_ASSERT_EQUAL(warren_stop(w, -1, NULL), WARREN_OK);
    int64_t took_us = crew_now_us() - from_us;
    warren_stats_data stats = stats_of(w);
    CU_ASSERT_EQUAL(stats.done, 50);
    *out_dropped = stats.spans_dropped;
    warren_close(w);
    return took_us;
}

static void a_stuck_collector_delays_no_job_and_hardly_a_stop(void)
{
    uint64_t dropped = 0;
    receiver_start(&receiver, "--hang");
    char *config = configure("");
    CU_ASSERT(stop_takes_us(config, &dropped) < 5 * (int64_t)S);
    CU_ASSERT_EQUAL(dropped, 150);
    free(config);
    receiver_stop(&receiver);
}

static void without_a_collector_spans_are_dropped_and_counted(void)
{
    uint64_t dropped = 0;
    receiver_start(&receiver, "");
    char *config = configure("");
    receiver_stop(&receiver); /* nobody listens there now */
    CU_ASSERT(stop_takes_us(config, &dropped) < 5 * (int64_t)S);
    CU_ASSERT_EQUAL(dropped, 150);
    free(config);
}

int main(void)
{
    (void)unsetenv("http_proxy"); /* it is for others than this machine */
    (void)unsetenv("HTTP_PROXY");
    (void)unsetenv("all_proxy");
    (void)unsetenv("ALL_PROXY");
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("tracing", NULL, NULL);
    CU_ADD_TEST(suite, a_job_is_followed_over_its_retry_to_what_it_published);
    CU_ADD_TEST(suite, a_dead_job_keeps_its_context_through_a_replay);
    CU_ADD_TEST(suite, a_collector_that_is_busy_for_a_while_gets_all_in_the_end);
    CU_ADD_TEST(suite, a_stuck_collector_delays_no_job_and_hardly_a_stop);
    CU_ADD_TEST(suite, without_a_collector_spans_are_dropped_and_counted);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
