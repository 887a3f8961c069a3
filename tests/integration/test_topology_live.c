// SPDX-License-Identifier: MIT
// The topology on a real RabbitMQ: the stories of the topologist, the delay ladder against the
// clock, what a wrong key or a missing queue does to others, and users with few rights.
#include "topology_stories.h"

#include <inttypes.h>

#include "live.h"

static const char *story_url(void)
{
    return live_url();
}

/* --- the ladder against the clock --- */

enum { MOST = 1024 };

struct arrivals {
    int64_t late_us[MOST]; /* measured from before the publish, so never too short */
    size_t length;
    size_t early;
};

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void sort(struct arrivals *arrivals)
{
    qsort(arrivals->late_us, arrivals->length, sizeof arrivals->late_us[0], compare_times);
}

/* Sends into the ladder; the body says when, on this process's clock. */
static void send_delayed(struct story *story, int64_t delay_ms, const char *kind, const char *name)
{
    char exchange[WR_DELAY_KEY_SIZE];
    char key[WR_DELAY_KEY_SIZE];
    char body[64];
    uint32_t units = wr_delay_units(delay_ms);
    CU_ASSERT(strcmp(kind, "queue") == 0 ? wr_delay_to_queue(exchange, key, story->ns, units, name)
                                         : wr_delay_to_type(exchange, key, story->ns, units, name));
    (void)snprintf(body, sizeof body, "%" PRId64, wr_clock_mono_us(NULL) + delay_ms * WR_US_PER_MS);
    struct wr_message message = { .exchange = wr_slice_of(exchange),
                                  .key = wr_slice_of(key),
                                  .present = WR_DELIVERY_MODE,
                                  .delivery_mode = 2,
                                  .body = wr_slice_of(body) };
    CU_ASSERT_EQUAL(wr_broker_publish(story->broker, PUBLISH_CHANNEL, &message, &story->err), 0);
}

static void consume(struct story *story, const char *queue)
{
    CU_ASSERT_EQUAL(wr_broker_channel_open(story->broker, LOOK_CHANNEL, false, NULL), 0);
    CU_ASSERT_EQUAL(wr_broker_prefetch(story->broker, LOOK_CHANNEL, 1000, NULL), 0);
    CU_ASSERT_EQUAL(wr_broker_consume(story->broker, LOOK_CHANNEL, queue, "clock", NULL), 0);
}

static void receive(struct story *story, size_t count, struct arrivals *out)
{
    *out = (struct arrivals){ 0 };
    while (out->length < count) {
        struct wr_event event;
        if (!story_await(story->broker, WR_EVENT_DELIVERY, &event)) {
            fprintf(stderr, "%zu of %zu arrived\n", out->length, count);
            CU_FAIL("jobs did not come home within 10 s");
            return;
        }
        int64_t due_us = 0;
        CU_ASSERT(wr_slice_to_int(event.delivery->message.body, &due_us));
        int64_t late_us = wr_clock_mono_us(NULL) - due_us;
        out->early += late_us < 0;
        out->late_us[out->length++] = late_us;
        (void)wr_broker_ack(story->broker, LOOK_CHANNEL, event.tag, false);
        wr_delivery_free(event.delivery);
    }
    sort(out);
}

static double ms_of(const struct arrivals *arrivals, size_t percent)
{
    size_t last = arrivals->length ? arrivals->length - 1 : 0;
    size_t index = last * percent / 100;
    return (double)arrivals->late_us[index] / 1000;
}

/* Ten jobs of one delay; true when half of them came home within 100 ms of their time. */
static bool are_on_time(struct story *story, int64_t delay_ms)
{
    enum { JOBS = 10 };
    struct arrivals arrivals;
    for (int i = 0; i < JOBS; i++) {
        send_delayed(story, delay_ms, "queue", story->first);
    }
    receive(story, JOBS, &arrivals);
    CU_ASSERT_EQUAL(arrivals.length, JOBS);
    CU_ASSERT_EQUAL(arrivals.early, 0);
    printf("\n    %lld ms: late p50 %.1f ms, max %.1f ms ", (long long)delay_ms,
           ms_of(&arrivals, 50), ms_of(&arrivals, 100));
    return ms_of(&arrivals, 50) <= 100;
}

static void delays_come_home_on_time_and_never_early(void)
{
    static const int64_t delays[] = { 125, 1000, 1375, 3875 };
    struct story story;
    story_begin(&story, "clock");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    consume(&story, story.first);
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        bool is_on_time = false;
        /* A machine that does other things may make one round late; a wrong ladder makes all of
         * them so. */
        for (int round = 0; round < 5 && !is_on_time; round++) {
            is_on_time = are_on_time(&story, delays[i]);
        }
        CU_ASSERT(is_on_time);
    }
    story_end(&story);
}

/* 1,000 jobs of 625 ms (two hops) behind 200 for another queue. */
static void time_thousand(struct story *story, const char *other, struct arrivals *out)
{
    for (int i = 0; i < 200; i++) {
        send_delayed(story, 625, "queue", other);
    }
    for (int i = 0; i < 1000; i++) {
        send_delayed(story, 625, "queue", story->first);
    }
    receive(story, 1000, out);
}

static bool strays_hold_up(struct story *story)
{
    struct arrivals plain;
    struct arrivals behind;
    time_thousand(story, story->second, &plain);
    time_thousand(story, "a.queue.that.was.deleted", &behind);
    CU_ASSERT_EQUAL(plain.early + behind.early, 0);
    printf("\n    1,000 jobs behind 200 others: late p50 %.1f ms, max %.1f; behind 200 strays: "
           "%.1f, %.1f ",
           ms_of(&plain, 50), ms_of(&plain, 100), ms_of(&behind, 50), ms_of(&behind, 100));
    return ms_of(&behind, 50) > ms_of(&plain, 50) + 100;
}

static void jobs_for_a_missing_queue_hold_up_nobody(void)
{
    struct story story;
    int rounds = 0;
    bool is_held_up = true;
    story_begin(&story, "strays");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    consume(&story, story.first);
    /* A machine that does other things may make one round late; stuck jobs make all of them so. */
    for (; rounds < 5 && is_held_up; rounds++) {
        is_held_up = strays_hold_up(&story);
    }
    CU_ASSERT_FALSE(is_held_up);
    (void)wr_broker_channel_close(story.broker, LOOK_CHANNEL, NULL);
    CU_ASSERT(story_has(&story, "strays.unrouted", 200L * rounds));
    story_end(&story);
}

static void a_wrong_key_ends_in_the_catch_all_and_stops_no_level(void)
{
    static const char *const wrong[] = {
        "x", "", "8", "8.0.0", "g.queue/wrong-one", "queue/nobody", "8.0.0.0.0.0.0"
    };
    enum { WRONG = sizeof wrong / sizeof wrong[0] };
    struct story story;
    struct arrivals arrivals;
    story_begin(&story, "wrong");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < WRONG; i++) {
            story_send(&story, "wrong.delay.1000", wrong[i]);
        }
    }
    consume(&story, story.first);
    send_delayed(&story, 1000, "queue", story.first);
    receive(&story, 1, &arrivals);
    CU_ASSERT_EQUAL(arrivals.early, 0);
    (void)wr_broker_channel_close(story.broker, LOOK_CHANNEL, NULL);
    CU_ASSERT(story_has(&story, "wrong.unrouted", 10 * WRONG));
    story_end(&story);
}

static void a_delayed_publish_goes_where_its_type_is_bound(void)
{
    struct story story;
    story_begin(&story, "kinds");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    send_delayed(&story, 250, "type", "mail");
    send_delayed(&story, 375, "queue", story.first);
    CU_ASSERT(story_has(&story, story.first, 2));
    CU_ASSERT(story_has(&story, story.second, 1));
    story_end(&story);
}

/* --- how long it takes --- */

static double apply_ms(struct story *story)
{
    int64_t start = wr_clock_mono_us(NULL);
    CU_ASSERT_EQUAL(story_apply(story), WARREN_OK);
    return (double)(wr_clock_mono_us(NULL) - start) / 1000;
}

static void the_full_ladder_is_applied_again_in_one_breath(void)
{
    struct story story;
    story_begin(&story, "full");
    story.settings.delay_max_ms = INT64_C(36) * 3600 * 1000;
    double fresh_ms = apply_ms(&story);
    double again_ms = apply_ms(&story);
    int64_t start = wr_clock_mono_us(NULL);
    CU_ASSERT_EQUAL(story_check(&story), WARREN_OK);
    double check_ms = (double)(wr_clock_mono_us(NULL) - start) / 1000;
    printf("\n    %zu items: fresh %.0f ms, again %.0f ms, check %.1f ms ", story_topology->length,
           fresh_ms, again_ms, check_ms);
    CU_ASSERT(again_ms < fresh_ms);
    story_end(&story);
}

/* --- users with few rights: those of deploy/rabbitmq/definitions.json --- */

static void become(struct story *story, const char *user)
{
    free(live_ctl("change_password", user, "secret", NULL));
    char *url = live_url_as(user, "secret");
    wr_broker_close(story->broker);
    story->broker = story_connect(story, url);
    story->settings.broker.url = NULL;
    free(url);
    CU_ASSERT_EQUAL(wr_broker_channel_open(story->broker, PUBLISH_CHANNEL, true, NULL), 0);
}

static void begin_with_rights(struct story *story)
{
    story_begin(story, "warren");
    (void)snprintf(story->first, sizeof story->first, "default");
    (void)snprintf(story->second, sizeof story->second, "default.two");
}

static void the_deploy_user_applies_also_isolated_types(void)
{
    struct story story;
    begin_with_rights(&story);
    story.jobs[1].isolate = true;
    become(&story, "warren-deploy");
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(story.err.text, "");
    story_end(&story);
}

static void a_worker_that_may_configure_nothing_can_check(void)
{
    struct story story;
    struct wr_plan plan = { 0 };
    begin_with_rights(&story);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    become(&story, "warren-worker");
    CU_ASSERT_EQUAL(story_check(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_REFUSED);
    CU_ASSERT(says(story.err.text, "topology = \"check\""));
    story_plan(&story, NULL, &plan);
    CU_ASSERT_EQUAL(state_of(&plan, "default", ""), WR_PLAN_UNKNOWN);
    wr_plan_done(&plan);
    consume(&story, "default");
    send_delayed(&story, 250, "queue", "default");
    struct arrivals arrivals;
    receive(&story, 1, &arrivals);
    CU_ASSERT_EQUAL(arrivals.length, 1);
    story_end(&story);
}

/* '#' in the bindings of the way home would swallow what stands before the last word. */
static void refuse_key(const char *key)
{
    struct story story;
    struct wr_event event = { 0 };
    begin_with_rights(&story);
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    become(&story, "warren-publisher");
    story_publish(&story, "jobs", "mail");
    send_delayed(&story, 250, "type", "mail");
    CU_ASSERT(story_await(story.broker, WR_EVENT_ACKED, &event));
    story_send(&story, "warren.delay.250", key);
    CU_ASSERT(story_await(story.broker, WR_EVENT_CHANNEL_CLOSED, &event));
    CU_ASSERT_EQUAL(event.code, 403);
    story_end(&story);
}

static void a_publisher_may_delay_types_but_not_reach_a_queue(void)
{
    refuse_key("2.queue/default");
    refuse_key("queue/default");
    refuse_key("2.type/mail.queue/default");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("topology on RabbitMQ", NULL, NULL);
    story_add_all(suite);
    CU_ADD_TEST(suite, delays_come_home_on_time_and_never_early);
    CU_ADD_TEST(suite, jobs_for_a_missing_queue_hold_up_nobody);
    CU_ADD_TEST(suite, a_wrong_key_ends_in_the_catch_all_and_stops_no_level);
    CU_ADD_TEST(suite, a_delayed_publish_goes_where_its_type_is_bound);
    CU_ADD_TEST(suite, the_full_ladder_is_applied_again_in_one_breath);
    CU_ADD_TEST(suite, the_deploy_user_applies_also_isolated_types);
    CU_ADD_TEST(suite, a_worker_that_may_configure_nothing_can_check);
    CU_ADD_TEST(suite, a_publisher_may_delay_types_but_not_reach_a_queue);
    return story_run();
}
