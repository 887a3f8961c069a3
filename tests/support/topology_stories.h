/* SPDX-License-Identifier: MIT */
/*
 * Stories of the topologist that hold on any broker: run on the memory broker by the unit test and
 * on RabbitMQ by the integration test, so that the two can't drift. Each story has a namespace of
 * its own. The includer says where the broker is with story_url(). All in one header, since both
 * tests are single files; threads: the test's one.
 */
#ifndef TESTS_SUPPORT_TOPOLOGY_STORIES_H
#define TESTS_SUPPORT_TOPOLOGY_STORIES_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/topologist.h"
#include "model/delay.h"

static const char *story_url(void);

enum { TOPOLOGY_CHANNEL = 7, PUBLISH_CHANNEL = 8, LOOK_CHANNEL = 9 };

/* A configuration of two queues that both take "mail", and a connection. */
struct story {
    char ns[32];
    char first[48];
    char second[48];
    char types[3][48]; /* mail, digest: of the first queue; mail: of the second */
    struct wr_job_settings jobs[3];
    struct wr_queue_settings queues[2];
    struct wr_settings settings;
    struct wr_broker *broker;
    struct wr_topologist_report report;
    warren_error err;
    bool trusts_x_death;
};

static struct wr_broker *story_connect(struct story *story, const char *url)
{
    story->settings.broker = (struct wr_broker_settings){ .url = (char *)url,
                                                          .heartbeat_ms = 60000,
                                                          .connect_timeout_ms = 10000,
                                                          .rpc_timeout_ms = 30000 };
    struct wr_broker_options options = { .settings = &story->settings.broker, .name = "story" };
    struct wr_broker *broker = NULL;
    warren_status rc = wr_broker_open(&broker, &options, &story->err);
    if (rc) {
        fprintf(stderr, "no broker: %s\n", story->err.text);
        exit(1);
    }
    return broker;
}

static void story_begin(struct story *story, const char *ns)
{
    *story = (struct story){ 0 };
    (void)snprintf(story->ns, sizeof story->ns, "%s", ns);
    (void)snprintf(story->first, sizeof story->first, "%s-one", ns);
    (void)snprintf(story->second, sizeof story->second, "%s-two", ns);
    static const char *const types[] = { "mail", "digest.daily", "mail" };
    for (int i = 0; i < 3; i++) {
        (void)snprintf(story->types[i], sizeof story->types[i], "%s", types[i]);
        story->jobs[i].type = story->types[i];
    }
    story->queues[0] =
        (struct wr_queue_settings){ .name = story->first, .jobs = story->jobs, .job_count = 2 };
    story->queues[1] = (struct wr_queue_settings){
        .name = story->second, .type = WR_CLASSIC, .jobs = story->jobs + 2, .job_count = 1
    };
    story->settings = (struct wr_settings){
        .ns = story->ns, .delay_max_ms = 8000, .queues = story->queues, .queue_count = 2
    };
    story->broker = story_connect(story, story_url());
    story->trusts_x_death = wr_broker_server(story->broker)->trusts_x_death;
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(story->broker, PUBLISH_CHANNEL, true, NULL), 0);
}

static void story_end(struct story *story)
{
    wr_topologist_report_done(&story->report);
    wr_broker_close(story->broker);
}

static struct wr_topology *story_build(struct story *story)
{
    struct wr_topology *topology = NULL;
    warren_status rc =
        wr_topology_build(&topology, &story->settings, story->trusts_x_death, &story->err);
    CU_ASSERT_EQUAL_FATAL(rc, WARREN_OK);
    return topology;
}

/* The report's left-overs borrow from the topology, so both are made anew together. */
static struct wr_topology *story_topology;

static warren_status story_apply(struct story *story)
{
    wr_topologist_report_done(&story->report);
    wr_topology_free(story_topology);
    story_topology = story_build(story);
    return wr_topologist_apply(story->broker, TOPOLOGY_CHANNEL, story_topology, &story->report,
                               &story->err);
}

static warren_status story_check(struct story *story)
{
    wr_topologist_report_done(&story->report);
    wr_topology_free(story_topology);
    story_topology = story_build(story);
    return wr_topologist_check(story->broker, TOPOLOGY_CHANNEL, story_topology, &story->report,
                               &story->err);
}

/* --- messages --- */

/* Waits for the next event of the kind; other events are dropped. False after 10 s. */
static bool story_await(struct wr_broker *broker, enum wr_event_kind kind, struct wr_event *out)
{
    int64_t deadline = wr_clock_mono_us(NULL) + 10 * WR_US_PER_S;
    while (wr_clock_mono_us(NULL) < deadline) {
        wr_broker_next(broker, out);
        if (out->kind == kind) {
            return true;
        }
        if (out->kind == WR_EVENT_DELIVERY || out->kind == WR_EVENT_RETURNED) {
            wr_delivery_free(out->delivery);
        } else if (out->kind == WR_EVENT_NONE && !wr_broker_has_more(broker)) {
            struct pollfd polled = { .fd = wr_broker_fd(broker), .events = POLLIN };
            (void)poll(&polled, 1, 20);
        }
    }
    return false;
}

static void story_send(struct story *story, const char *exchange, const char *key)
{
    struct wr_message message = { .exchange = wr_slice_of(exchange),
                                  .key = wr_slice_of(key),
                                  .present = WR_DELIVERY_MODE,
                                  .delivery_mode = 2,
                                  .body = wr_slice_of("{}") };
    CU_ASSERT_EQUAL(wr_broker_publish(story->broker, PUBLISH_CHANNEL, &message, &story->err), 0);
}

/* Publishes to one of our exchanges and waits for the confirm. */
static void story_publish(struct story *story, const char *what, const char *key)
{
    char exchange[WR_NAME_SIZE];
    struct wr_event event;
    wr_topology_exchange(exchange, sizeof exchange, story->ns, what);
    story_send(story, exchange, key);
    CU_ASSERT(story_await(story->broker, WR_EVENT_ACKED, &event));
}

/* Comes home at once: a delay of no units. */
static void story_publish_home(struct story *story, const char *kind, const char *name)
{
    char key[WR_DELAY_KEY_SIZE];
    CU_ASSERT(wr_delay_key(key, sizeof key, 0, kind, name));
    story_publish(story, "deliver", key);
}

static long story_depth(struct story *story, const char *queue)
{
    struct wr_depth depth = { 0 };
    if (wr_broker_channel_open(story->broker, LOOK_CHANNEL, false, NULL)) {
        return -2;
    }
    if (wr_broker_depth(story->broker, LOOK_CHANNEL, queue, &depth, NULL)) {
        return -1;
    }
    (void)wr_broker_channel_close(story->broker, LOOK_CHANNEL, NULL);
    return (long)depth.messages;
}

/* A quorum queue counts a moment after it confirmed. */
static bool story_has(struct story *story, const char *queue, long messages)
{
    int64_t deadline = wr_clock_mono_us(NULL) + 10 * WR_US_PER_S;
    long depth;
    do {
        depth = story_depth(story, queue);
        if (depth == messages) {
            return true;
        }
        (void)poll(NULL, 0, 10);
    } while (wr_clock_mono_us(NULL) < deadline);
    fprintf(stderr, "%s holds %ld, wanted %ld\n", queue, depth, messages);
    return false;
}

/* Declares an object of the test's own. */
static void story_declare(struct story *story, struct wr_item item)
{
    CU_ASSERT_EQUAL(wr_broker_channel_open(story->broker, LOOK_CHANNEL, false, NULL), 0);
    CU_ASSERT_EQUAL(wr_broker_declare(story->broker, LOOK_CHANNEL, &item, WR_DECLARE, NULL), 0);
    warren_status rc = wr_broker_sync(story->broker, LOOK_CHANNEL, &story->err);
    CU_ASSERT_EQUAL(rc, 0);
    if (!rc) {
        (void)wr_broker_channel_close(story->broker, LOOK_CHANNEL, NULL);
    } else {
        fprintf(stderr, "declare: %s\n", story->err.text);
    }
}

static void story_delete(struct story *story, const char *queue)
{
    CU_ASSERT_EQUAL(wr_broker_channel_open(story->broker, LOOK_CHANNEL, false, NULL), 0);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(story->broker, LOOK_CHANNEL, queue, NULL), 0);
    (void)wr_broker_channel_close(story->broker, LOOK_CHANNEL, NULL);
}

static bool says(const char *text, const char *part)
{
    bool does = strstr(text, part) != NULL;
    if (!does) {
        fprintf(stderr, "\"%s\"\ndoes not say \"%s\"\n", text, part);
    }
    return does;
}

/* --- the stories --- */

static void applying_twice_changes_nothing(void)
{
    struct story story;
    story_begin(&story, "twice");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(wr_text_string(&story.report.notes), "");
    story_publish(&story, "jobs", "mail");
    CU_ASSERT(story_has(&story, story.first, 1));
    CU_ASSERT(story_has(&story, story.second, 1));
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT(story_has(&story, story.first, 1));
    story_end(&story);
}

static void a_retry_comes_home_to_its_own_queue_only(void)
{
    struct story story;
    story_begin(&story, "own");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    story_publish_home(&story, "queue", story.second);
    story_publish_home(&story, "queue", story.second);
    CU_ASSERT(story_has(&story, story.second, 2));
    CU_ASSERT_EQUAL(story_depth(&story, story.first), 0);
    story_publish_home(&story, "type", "mail");
    CU_ASSERT(story_has(&story, story.second, 3));
    CU_ASSERT(story_has(&story, story.first, 1));
    story_publish_home(&story, "queue", "nobody");
    CU_ASSERT(story_has(&story, "own.unrouted", 1));
    story_end(&story);
}

static void a_check_names_all_that_is_missing(void)
{
    struct story story;
    story_begin(&story, "check");
    CU_ASSERT_EQUAL(story_check(&story), WARREN_MISMATCH);
    CU_ASSERT(says(story.err.text, "exchange check.jobs"));
    CU_ASSERT(says(story.err.text, "queue check-one.dead"));
    CU_ASSERT_EQUAL(story_depth(&story, story.first), -1);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story_check(&story), WARREN_OK);
    story_delete(&story, story.second);
    CU_ASSERT_EQUAL(story_check(&story), WARREN_MISMATCH);
    CU_ASSERT(says(story.err.text, "missing: queue check-two\n"));
    CU_ASSERT_PTR_NULL(strstr(story.err.text, "check-one"));
    story_end(&story);
}

static void every_difference_is_named_at_once(void)
{
    struct story story;
    story_begin(&story, "differ");
    story_declare(&story, (struct wr_item){
                              .kind = WR_ITEM_EXCHANGE, .name = "differ.dead", .type = "fanout" });
    story_declare(&story,
                  (struct wr_item){ .kind = WR_ITEM_QUEUE,
                                    .name = story.first,
                                    .arguments = { .type = WR_QUORUM,
                                                   .dead_exchange = "elsewhere",
                                                   .ttl_ms = 4000,
                                                   .delivery_limit = WR_DELIVERY_LIMIT_WORK } });
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_MISMATCH);
    CU_ASSERT(says(story.err.text, "exchange differ.dead: type is fanout at the broker, the "
                                   "config wants direct"));
    CU_ASSERT(says(story.err.text, "queue differ-one: x-message-ttl is 4000 at the broker, the "
                                   "config wants none"));
    CU_ASSERT(says(story.err.text, "x-dead-letter-exchange is elsewhere at the broker"));
    CU_ASSERT(says(story.err.text, "x-dead-letter-routing-key is not set at the broker, the "
                                   "config wants differ-one"));
    CU_ASSERT(says(story.err.text, "Ways on:"));
    CU_ASSERT_EQUAL(story_depth(&story, story.first), 0);
    story_end(&story);
}

static void an_older_way_of_dead_lettering_is_accepted(void)
{
    struct story story;
    story_begin(&story, "older");
    story.trusts_x_death = !story.trusts_x_death;
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    story.trusts_x_death = !story.trusts_x_death;
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT(says(wr_text_string(&story.report.notes), "queue older-one: x-dead-letter-strategy"));
    CU_ASSERT(says(wr_text_string(&story.report.notes), "accepted"));
    story_publish(&story, "jobs", "digest.daily");
    CU_ASSERT(story_has(&story, story.first, 1));
    story_end(&story);
}

static void an_exchange_of_others_may_have_its_own_arguments(void)
{
    struct story story;
    char others[] = "others.events";
    story_begin(&story, "foreign");
    story.queues[0].exchange = others;
    struct wr_item exchange = {
        .kind = WR_ITEM_EXCHANGE, .name = others, .type = "topic", .alternate = "others.lost"
    };
    story_declare(&story, exchange);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT(says(wr_text_string(&story.report.notes), "the exchange is not Warren's"));
    struct wr_event event;
    story_send(&story, others, "mail");
    CU_ASSERT(story_await(story.broker, WR_EVENT_ACKED, &event));
    CU_ASSERT(story_has(&story, story.first, 1));
    story_end(&story);
}

static void isolating_moves_a_type_and_back_and_strands_nothing(void)
{
    struct story story;
    story_begin(&story, "isolate");
    char isolated[WR_NAME_SIZE];
    wr_topology_isolated_queue(isolated, sizeof isolated, story.first, "digest.daily");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    story_publish(&story, "jobs", "digest.daily");
    CU_ASSERT(story_has(&story, story.first, 1));

    story.jobs[1].isolate = true;
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story.report.leftover_count, 0);
    story_publish(&story, "jobs", "digest.daily");
    story_publish_home(&story, "type", "digest.daily");
    story_publish_home(&story, "queue", isolated);
    CU_ASSERT(story_has(&story, isolated, 3));
    CU_ASSERT_EQUAL(story_depth(&story, story.first), 1);
    story_publish_home(&story, "queue", story.first); /* a retry from before the switch */
    CU_ASSERT(story_has(&story, story.first, 2));

    story.jobs[1].isolate = false;
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story.report.leftover_count, 1);
    CU_ASSERT_STRING_EQUAL(story.report.leftovers[0]->queue, isolated);
    CU_ASSERT(says(wr_text_string(&story.report.notes), isolated));
    story_publish(&story, "jobs", "digest.daily");
    story_publish_home(&story, "type", "digest.daily");
    CU_ASSERT(story_has(&story, story.first, 4));
    CU_ASSERT_EQUAL(story_depth(&story, isolated), 3);
    story_publish_home(&story, "queue", isolated); /* its retries still come home */
    CU_ASSERT(story_has(&story, isolated, 4));
    CU_ASSERT_EQUAL(story_check(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story.report.leftover_count, 1);

    story_delete(&story, isolated);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story.report.leftover_count, 0);
    story_end(&story);
}

static void another_services_queue_is_not_a_leftover(void)
{
    struct story story;
    story_begin(&story, "theirs");
    story.jobs[1].isolate = true;
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK); /* so the namespace knows isolation */
    story.jobs[1].isolate = false;
    struct wr_item queue = { .kind = WR_ITEM_QUEUE,
                             .name = "theirs-one.mail",
                             .arguments = { .type = WR_QUORUM } };
    struct wr_item binding = { .kind = WR_ITEM_BIND,
                               .name = "theirs.jobs",
                               .destination = "theirs-one.mail",
                               .to_queue = true,
                               .key = "mail" };
    story_declare(&story, queue);
    story_declare(&story, binding);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story.report.leftover_count, 1); /* theirs-one.digest.daily */
    story_publish(&story, "jobs", "mail");
    CU_ASSERT(story_has(&story, "theirs-one.mail", 1));
    story_end(&story);
}

/* --- plans --- */

static const struct wr_plan_row *row_of(const struct wr_plan *plan, const char *name,
                                        const char *destination)
{
    for (size_t i = 0; i < plan->length; i++) {
        const struct wr_item *item = plan->rows[i].item;
        const char *to = item->destination ? item->destination : "";
        if (strcmp(item->name, name) == 0 && strcmp(to, destination) == 0) {
            return &plan->rows[i];
        }
    }
    return NULL;
}

static enum wr_plan_state state_of(const struct wr_plan *plan, const char *name,
                                   const char *destination)
{
    const struct wr_plan_row *row = row_of(plan, name, destination);
    return row ? row->state : (enum wr_plan_state)99;
}

static void story_plan(struct story *story, const struct wr_bindings *bindings,
                       struct wr_plan *plan)
{
    wr_plan_done(plan);
    wr_topology_free(story_topology);
    story_topology = story_build(story);
    CU_ASSERT_EQUAL_FATAL(wr_topologist_plan(story->broker, TOPOLOGY_CHANNEL, story_topology,
                                             bindings, plan, &story->err),
                          WARREN_OK);
}

static void a_plan_tells_and_changes_nothing(void)
{
    struct story story;
    struct wr_plan plan = { 0 };
    story_begin(&story, "plan");
    story_declare(&story, (struct wr_item){ .kind = WR_ITEM_QUEUE,
                                            .name = story.second,
                                            .arguments = { .type = WR_CLASSIC } });
    story_plan(&story, NULL, &plan);
    CU_ASSERT_EQUAL(state_of(&plan, "plan.jobs", ""), WR_PLAN_MISSING);
    CU_ASSERT_EQUAL(state_of(&plan, story.first, ""), WR_PLAN_MISSING);
    CU_ASSERT_EQUAL(state_of(&plan, story.second, ""), WR_PLAN_DIFFERS);
    CU_ASSERT(says(row_of(&plan, story.second, "")->text, "x-dead-letter-exchange is not set"));
    CU_ASSERT_EQUAL(state_of(&plan, "plan.jobs", story.first), WR_PLAN_MISSING);
    CU_ASSERT_EQUAL(story_depth(&story, story.first), -1);
    story_delete(&story, story.second);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    story_plan(&story, NULL, &plan);
    CU_ASSERT_EQUAL(state_of(&plan, story.second, ""), WR_PLAN_EXISTS);
    CU_ASSERT_EQUAL(state_of(&plan, "plan.jobs", story.first), WR_PLAN_UNKNOWN);
    struct wr_binding items[] = { { "plan.jobs", story.first, true, "mail", false },
                                  { "plan.jobs", story.first, true, "retired", false },
                                  { "plan.jobs", "not-ours", true, "mail", false } };
    struct wr_bindings bindings = { items, 3 };
    story_plan(&story, &bindings, &plan);
    CU_ASSERT_EQUAL(state_of(&plan, "plan.jobs", story.first), WR_PLAN_EXISTS);
    CU_ASSERT_EQUAL(state_of(&plan, "plan.jobs", story.second), WR_PLAN_MISSING);
    CU_ASSERT_EQUAL(plan.rows[plan.length - 1].state, WR_PLAN_SURPLUS);
    CU_ASSERT_STRING_EQUAL(plan.rows[plan.length - 1].item->key, "retired");
    CU_ASSERT_PTR_NULL(row_of(&plan, "plan.jobs", "not-ours"));
    wr_plan_done(&plan);
    story_end(&story);
}

static void pruning_removes_what_the_config_does_not_ask_for(void)
{
    struct story story;
    struct wr_topology *prune = NULL;
    story_begin(&story, "prune");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    story_declare(&story, (struct wr_item){ .kind = WR_ITEM_BIND,
                                            .name = "prune.jobs",
                                            .destination = story.second,
                                            .to_queue = true,
                                            .key = "digest.daily" });
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    story_publish(&story, "jobs", "digest.daily");
    CU_ASSERT(story_has(&story, story.second, 1)); /* an apply alone leaves it */
    CU_ASSERT_EQUAL_FATAL(wr_topology_build_prune(&prune, &story.settings, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_topologist_prune(story.broker, TOPOLOGY_CHANNEL, prune, &story.err), 0);
    wr_topology_free(prune);
    story_publish(&story, "jobs", "digest.daily");
    CU_ASSERT(story_has(&story, story.first, 2));
    CU_ASSERT_EQUAL(story_depth(&story, story.second), 1);
    story_publish(&story, "jobs", "mail");
    CU_ASSERT(story_has(&story, story.second, 2));
    story_end(&story);
}

static void removing_leaves_nothing_of_it(void)
{
    struct story story;
    struct wr_plan plan = { 0 };
    story_begin(&story, "removed");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    story_publish(&story, "jobs", "mail");
    struct wr_item others = { .kind = WR_ITEM_QUEUE, .name = "removed-others" };
    story_declare(&story, others);
    for (int i = 0; i < 2; i++) { /* what isn't there is fine */
        CU_ASSERT_EQUAL(
            wr_topologist_remove(story.broker, TOPOLOGY_CHANNEL, story_topology, &story.err), 0);
    }
    story_plan(&story, NULL, &plan);
    for (size_t i = 0; i < plan.length; i++) {
        CU_ASSERT_EQUAL(plan.rows[i].state, WR_PLAN_MISSING);
    }
    wr_plan_done(&plan);
    CU_ASSERT_EQUAL(story_depth(&story, others.name), 0);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story_depth(&story, story.second), 0);
    story_end(&story);
}

static void story_add_all(CU_pSuite suite)
{
    CU_ADD_TEST(suite, applying_twice_changes_nothing);
    CU_ADD_TEST(suite, a_retry_comes_home_to_its_own_queue_only);
    CU_ADD_TEST(suite, a_check_names_all_that_is_missing);
    CU_ADD_TEST(suite, every_difference_is_named_at_once);
    CU_ADD_TEST(suite, an_older_way_of_dead_lettering_is_accepted);
    CU_ADD_TEST(suite, an_exchange_of_others_may_have_its_own_arguments);
    CU_ADD_TEST(suite, isolating_moves_a_type_and_back_and_strands_nothing);
    CU_ADD_TEST(suite, another_services_queue_is_not_a_leftover);
    CU_ADD_TEST(suite, a_plan_tells_and_changes_nothing);
    CU_ADD_TEST(suite, pruning_removes_what_the_config_does_not_ask_for);
    CU_ADD_TEST(suite, removing_leaves_nothing_of_it);
}

static int story_run(void)
{
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    wr_topology_free(story_topology);
    return failed ? 1 : 0;
}

#endif
