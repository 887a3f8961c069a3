// SPDX-License-Identifier: MIT
// The control plane on a real broker: who is there, orders, and pauses that hold for workers that start
// later.
#include <CUnit/Basic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crew.h"
#include "live.h"
#include "stranger.h"
#include "warren/control.h"

enum { MOST_MS = 15000, ANSWER_MS = 1500, JOBS = 20 };

static const char queue_text[] =
    "queue: { name = \"post\"; jobs: ( { type = \"letter\"; concurrency = "
    "2; }, { type = \"parcel\"; concurrency = 2; }, { type = "
    "\"telegram\"; isolate = true; } ); };";
static const char enabled[] = "control: { enabled = true; heartbeat = \"1s\"; };";

/* --- helpers --- */

struct stage {
    char *config;
    warren *w;
    warren_admin *admin;
};

static warren *start_worker(const char *config, warren_handler *handler, void *user)
{
    warren *w = crew_open(config);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "letter", handler, user, NULL), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "parcel", crew_accept, NULL, NULL), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "telegram", crew_accept, NULL, NULL), WARREN_OK);
    crew_start(w);
    return w;
}

static struct stage open_stage(warren_handler *handler, void *user)
{
    struct stage stage = { .config = crew_config(enabled, queue_text) };
    crew_forget();
    stage.w = start_worker(stage.config, handler, user);
    CU_ASSERT_EQUAL_FATAL(warren_admin_open(&stage.admin, stage.config, NULL), WARREN_OK);
    return stage;
}

static void close_stage(struct stage *stage)
{
    warren_admin_close(stage->admin);
    crew_stop(stage->w);
    free(stage->config);
}

static void publish(const struct stage *stage, const char *type, int count)
{
    const warren_message message = { .type = type, .body = "{}" };
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(stage->w), &message, NULL),
                        WARREN_OK);
    }
}

/* What was answered, all of it behind one another. */
struct answers {
    char text[100000];
    size_t size;
    int count;
};

static bool take_answer(const char *json, void *user)
{
    struct answers *answers = user;
    int size =
        snprintf(answers->text + answers->size, sizeof answers->text - answers->size, "%s\n", json);
    answers->size += (size_t)size;
    answers->count++;
    return true;
}

static struct answers answers;

static warren_status order(const struct stage *stage, warren_order what)
{
    answers = (struct answers){ .count = 0 };
    what.who = "test@here";
    what.why = "a test";
    return warren_control_order(stage->admin, &what, ANSWER_MS, take_answer, &answers, NULL);
}

static const char *worker_id(const struct stage *stage)
{
    static char id[200];
    CU_ASSERT_EQUAL(order(stage, (warren_order){ .order = "describe" }), WARREN_OK);
    const char *at = strstr(answers.text, "\"worker\":\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    (void)sscanf(at + 10, "%199[^\"]", id);
    return id;
}

static bool news_say(const struct stage *stage, const char *part)
{
    return order(stage, (warren_order){ .order = "describe" }) == WARREN_OK &&
           strstr(answers.text, part);
}

struct wanted {
    const struct stage *stage;
    const char *part;
};

static bool is_said(void *user)
{
    const struct wanted *wanted = user;
    return news_say(wanted->stage, wanted->part);
}

static bool wait_for_news(const struct stage *stage, const char *part)
{
    struct wanted wanted = { stage, part };
    return live_wait(is_said, &wanted, MOST_MS);
}

/* --- who is there --- */

static void workers_say_what_they_do(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    warren *second = start_worker(stage.config, crew_accept, NULL);
    publish(&stage, "letter", 5);
    CU_ASSERT(crew_wait_runs(5, MOST_MS));
    CU_ASSERT_EQUAL(order(&stage, (warren_order){ .order = "describe" }), WARREN_OK);
    CU_ASSERT_EQUAL(answers.count, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"state\":\"running\",\"ready\":true"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"queue\":\"post\",\"type\":\"letter\""));
    answers = (struct answers){ .count = 0 };
    CU_ASSERT_EQUAL(warren_control_news(stage.admin, 2500, take_answer, &answers, NULL), WARREN_OK);
    CU_ASSERT(answers.count >= 2); /* one a second each, and nobody asked */
    crew_stop(second);
    close_stage(&stage);
}

static void without_a_control_plane_it_says_so(void)
{
    char *config = crew_config("", queue_text);
    warren_admin *admin = NULL;
    warren_error err;
    const warren_order what = { .order = "quiet", .who = "test" };
    CU_ASSERT_EQUAL(warren_admin_open(&admin, config, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_control_order(admin, &what, 100, take_answer, &answers, &err),
                    WARREN_STATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "control.enabled"));
    CU_ASSERT_EQUAL(warren_control_pause(admin, "post", NULL, true, "test", "", &err),
                    WARREN_STATE);
    warren_admin_close(admin);
    free(config);
    config = crew_config(enabled, queue_text);
    CU_ASSERT_EQUAL(warren_admin_open(&admin, config, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_control_order(admin, &what, 100, take_answer, &answers, &err),
                    WARREN_UNROUTABLE); /* no worker ever declared it */
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "control.enabled"));
    warren_admin_close(admin);
    free(config);
}

/* --- orders --- */

static void a_quiet_worker_takes_nothing_until_it_resumes(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    char id[200];
    (void)snprintf(id, sizeof id, "%s", worker_id(&stage));
    CU_ASSERT_EQUAL(order(&stage, (warren_order){ .order = "quiet", .worker = id }), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"ok\":true"));
    CU_ASSERT(wait_for_news(&stage, "\"state\":\"quiet\""));
    CU_ASSERT(wait_for_news(&stage, "\"consumed\":false"));
    publish(&stage, "letter", 3);
    CU_ASSERT(crew_wait_depth(stage.config, "post", 3, MOST_MS));
    CU_ASSERT_EQUAL(crew_runs(), 0);
    CU_ASSERT_EQUAL(order(&stage, (warren_order){ .order = "resume" }), WARREN_OK);
    CU_ASSERT(crew_wait_runs(3, MOST_MS));
    close_stage(&stage);
}

static void what_is_set_holds_at_once(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    warren_order set = {
        .order = "set", .queue = "post", .type = "letter", .option = "concurrency", .value = "7"
    };
    CU_ASSERT_EQUAL(order(&stage, set), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"ok\":true"));
    CU_ASSERT(wait_for_news(&stage, "\"type\":\"letter\",\"running\":0,\"concurrency\":7"));
    set.value = "0";
    CU_ASSERT_EQUAL(order(&stage, set), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"ok\":false"));
    set.value = "2";
    set.type = "nothing";
    CU_ASSERT_EQUAL(order(&stage, set), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"ok\":false"));
    CU_ASSERT_EQUAL(order(&stage, (warren_order){ .order = "drain" }), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "main loop of its own"));
    CU_ASSERT_EQUAL(order(&stage, (warren_order){ .order = "quiet", .worker = "nobody" }),
                    WARREN_NOT_FOUND);
    close_stage(&stage);
}

static void the_level_of_the_log_is_set_at_once(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    enum wr_level before = wr_log_level();
    warren_order set = { .order = "set", .option = "log.level", .value = "debug" };
    CU_ASSERT_EQUAL(order(&stage, set), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"ok\":true"));
    CU_ASSERT_EQUAL(wr_log_level(), WR_DEBUG);
    set.value = "info";
    CU_ASSERT_EQUAL(order(&stage, set), WARREN_OK);
    CU_ASSERT_EQUAL(wr_log_level(), WR_INFO);
    wr_log_set_level(before);
    close_stage(&stage);
}

static bool is_open(void *user)
{
    return atomic_load((atomic_bool *)user);
}

static warren_verdict wait_at_gate(warren_job *job, void *user)
{
    size_t run = crew_note(job);
    (void)live_wait(is_open, user, MOST_MS);
    crew_note_end(run);
    return WARREN_DONE;
}

static void a_worker_whose_handlers_are_stuck_answers(void)
{
    atomic_bool gate = false;
    struct stage stage = open_stage(wait_at_gate, &gate);
    publish(&stage, "letter", 2);
    CU_ASSERT(crew_wait_runs(2, MOST_MS));
    CU_ASSERT(wait_for_news(&stage, "\"type\":\"letter\",\"running\":2,\"concurrency\":2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answers.text, "\"busy\":2"));
    const char *jobs =
        strstr(answers.text, "\"jobs\":[{\"queue\":\"post\",\"type\":\"letter\",\"id\":\"");
    CU_ASSERT_PTR_NOT_NULL(jobs); /* and says which jobs those are */
    CU_ASSERT(jobs && (strstr(jobs, crew_run(0).id) || strstr(jobs, crew_run(1).id)));
    atomic_store(&gate, true);
    close_stage(&stage);
}

/* --- pauses --- */

static bool count_pause(const warren_pause_info *pause, void *user)
{
    int *count = user;
    CU_ASSERT_STRING_EQUAL(pause->queue, "post");
    CU_ASSERT_STRING_EQUAL(pause->who, "test@here");
    CU_ASSERT_STRING_EQUAL(pause->why, "a test");
    CU_ASSERT(pause->at_ms > INT64_C(1600000000000));
    (*count)++;
    return true;
}

static void set_pause(const struct stage *stage, const char *type, bool is_paused)
{
    CU_ASSERT_EQUAL(
        warren_control_pause(stage->admin, "post", type, is_paused, "test@here", "a test", NULL),
        WARREN_OK);
}

static int count_pauses(const struct stage *stage)
{
    int count = 0;
    CU_ASSERT_EQUAL(warren_control_paused(stage->admin, count_pause, &count, NULL), WARREN_OK);
    return count;
}

static void a_paused_queue_waits_also_for_workers_that_start_later(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    set_pause(&stage, NULL, true);
    CU_ASSERT(wait_for_news(&stage, "\"consumed\":false,\"paused\":true"));
    publish(&stage, "letter", JOBS);
    CU_ASSERT_EQUAL(count_pauses(&stage), 1);
    warren *later = start_worker(stage.config, crew_accept, NULL);
    CU_ASSERT(crew_wait_depth(stage.config, "post", JOBS, MOST_MS));
    CU_ASSERT_EQUAL(crew_runs(), 0);
    set_pause(&stage, NULL, false);
    CU_ASSERT(crew_wait_runs(JOBS, MOST_MS));
    CU_ASSERT_EQUAL(count_pauses(&stage), 0);
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(later, &stats);
    CU_ASSERT_EQUAL(stats.snoozed, 0);
    crew_stop(later);
    close_stage(&stage);
}

static bool has_reconnected(void *user)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(user, &stats);
    return stats.connections > 1 && stats.ready;
}

static void a_pause_holds_over_lost_connections(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    set_pause(&stage, NULL, true);
    CU_ASSERT(wait_for_news(&stage, "\"consumed\":false,\"paused\":true"));
    warren_admin_close(stage.admin);
    free(live_ctl("close_all_connections", "--vhost", live_vhost(), "a test", NULL));
    CU_ASSERT(live_wait(has_reconnected, stage.w, 2 * MOST_MS));
    CU_ASSERT_EQUAL_FATAL(warren_admin_open(&stage.admin, stage.config, NULL), WARREN_OK);
    CU_ASSERT(wait_for_news(&stage, "\"consumed\":false,\"paused\":true"));
    publish(&stage, "letter", JOBS);
    CU_ASSERT(crew_wait_depth(stage.config, "post", JOBS, MOST_MS));
    CU_ASSERT_EQUAL(crew_runs(), 0);
    set_pause(&stage, NULL, false);
    CU_ASSERT(crew_wait_runs(JOBS, MOST_MS));
    close_stage(&stage);
}

static void a_queue_that_a_reload_brings_is_paused_from_the_first(void)
{
    static const char more[] =
        "queues: ( { name = \"post\"; jobs: ( { type = \"letter\"; concurrency = 2; }, { type = "
        "\"parcel\"; concurrency = 2; }, { type = \"telegram\"; isolate = true; } ); }, { name = "
        "\"annex\"; jobs: ( { type = \"parcel\"; } ); } );";
    struct stage stage = open_stage(crew_accept, NULL);
    crew_change(stage.config, more);
    warren_admin_close(stage.admin);
    CU_ASSERT_EQUAL_FATAL(warren_admin_open(&stage.admin, stage.config, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(
        warren_control_pause(stage.admin, "annex", NULL, true, "test@here", "a test", NULL),
        WARREN_OK);
    CU_ASSERT_EQUAL(warren_reload(stage.w, NULL), WARREN_OK);
    CU_ASSERT(wait_for_news(&stage, "\"queue\":\"annex\",\"in_flight\":0"));
    CU_ASSERT(wait_for_news(&stage, "\"consumed\":false,\"paused\":true"));
    CU_ASSERT_EQUAL(warren_control_pause(stage.admin, "annex", NULL, false, "test@here", "", NULL),
                    WARREN_OK);
    close_stage(&stage);
}

/* Reads the stream until it has said so often what only the next story says; false: it never does. */
static bool is_said_often(int wanted)
{
    enum { LOOK = 3, PREFETCH = 1000 };
    int said = 0;
    int64_t until_us = crew_now_us() + 2 * MOST_MS * 1000;
    CU_ASSERT_FATAL(!wr_broker_channel_open(stranger, LOOK, false, NULL));
    CU_ASSERT_FATAL(!wr_broker_prefetch(stranger, LOOK, PREFETCH, NULL));
    CU_ASSERT_FATAL(
        !wr_broker_consume_stream(stranger, LOOK, "warren.state", "first", "look", NULL));
    while (said < wanted && crew_now_us() < until_us) {
        struct wr_event event = talk_next(stranger, 500);
        if (event.kind == WR_EVENT_DELIVERY) {
            const struct wr_message *message = &event.delivery->message;
            said += wr_slice_is(message->key, "state.post") &&
                            memmem(message->body.data, message->body.size, "far behind", 10)
                        ? 1
                        : 0;
            (void)wr_broker_ack(stranger, LOOK, event.tag, false);
            wr_delivery_free(event.delivery);
        }
    }
    (void)wr_broker_channel_close(stranger, LOOK, NULL);
    return said >= wanted;
}

/* The broker drops the oldest of a stream: a pause must not go with it. */
static void a_pause_that_falls_far_behind_is_said_again(void)
{
    enum { MANY = 11000, FLOOD = 4 };
    struct stage stage = open_stage(crew_accept, NULL);
    stranger_open();
    CU_ASSERT_EQUAL(
        warren_control_pause(stage.admin, "post", NULL, true, "test@here", "far behind", NULL),
        WARREN_OK);
    CU_ASSERT(wait_for_news(&stage, "\"consumed\":false,\"paused\":true"));
    struct wr_message mark = { .exchange = wr_slice_of("warren.control"),
                               .key = wr_slice_of("state.mark"),
                               .body = wr_slice_of("{}") };
    CU_ASSERT_FATAL(!wr_broker_channel_open(stranger, FLOOD, false, NULL));
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL_FATAL(wr_broker_publish(stranger, FLOOD, &mark, NULL), WARREN_OK);
    }
    CU_ASSERT(is_said_often(2));
    set_pause(&stage, NULL, false);
    stranger_close();
    close_stage(&stage);
}

static void of_a_paused_type_the_others_go_on(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    set_pause(&stage, "letter", true);
    set_pause(&stage, "telegram", true);
    CU_ASSERT(wait_for_news(&stage, "\"type\":\"letter\",\"running\":0"));
    CU_ASSERT_EQUAL(count_pauses(&stage), 2);
    publish(&stage, "letter", 3);
    publish(&stage, "telegram", 3);
    publish(&stage, "parcel", JOBS);
    CU_ASSERT(crew_wait_runs(JOBS, MOST_MS));
    CU_ASSERT(crew_wait_depth(stage.config, "post.telegram", 3, MOST_MS));
    CU_ASSERT_EQUAL(crew_runs(), JOBS);
    CU_ASSERT_STRING_EQUAL(crew_run(0).type, "parcel");
    set_pause(&stage, "telegram", false);
    CU_ASSERT(crew_wait_runs(JOBS + 3, MOST_MS));
    warren_error err;
    CU_ASSERT_EQUAL(warren_control_pause(stage.admin, "post", "stamp", true, "test@here", "", &err),
                    WARREN_NOT_FOUND);
    set_pause(&stage, "letter", false);
    CU_ASSERT_EQUAL(count_pauses(&stage), 0);
    close_stage(&stage);
}

static void what_was_paused_and_resumed_long_ago_is_no_matter(void)
{
    struct stage stage = open_stage(crew_accept, NULL);
    for (int i = 0; i < 100; i++) {
        set_pause(&stage, NULL, i % 2 == 0);
    }
    CU_ASSERT_EQUAL(count_pauses(&stage), 0);
    warren *later = start_worker(stage.config, crew_accept, NULL);
    publish(&stage, "letter", 1);
    CU_ASSERT(crew_wait_runs(1, MOST_MS));
    crew_stop(later);
    close_stage(&stage);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("control", NULL, NULL);
    CU_ADD_TEST(suite, without_a_control_plane_it_says_so);
    CU_ADD_TEST(suite, workers_say_what_they_do);
    CU_ADD_TEST(suite, a_quiet_worker_takes_nothing_until_it_resumes);
    CU_ADD_TEST(suite, what_is_set_holds_at_once);
    CU_ADD_TEST(suite, a_worker_whose_handlers_are_stuck_answers);
    CU_ADD_TEST(suite, a_paused_queue_waits_also_for_workers_that_start_later);
    CU_ADD_TEST(suite, the_level_of_the_log_is_set_at_once);
    CU_ADD_TEST(suite, a_pause_holds_over_lost_connections);
    CU_ADD_TEST(suite, a_queue_that_a_reload_brings_is_paused_from_the_first);
    CU_ADD_TEST(suite, a_pause_that_falls_far_behind_is_said_again);
    CU_ADD_TEST(suite, of_a_paused_type_the_others_go_on);
    CU_ADD_TEST(suite, what_was_paused_and_resumed_long_ago_is_no_matter);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
