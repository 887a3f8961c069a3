// SPDX-License-Identifier: MIT
// What Kubernetes is told of a pod's jobs, and how often, in a time of the test's own.
#include <CUnit/Basic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/pod_cost.h"
#include "warren/warren.h"

enum { LOOK_US = 1000000, INTERVAL_MS = 10000 };

struct story {
    struct wr_pod_cost *cost;
    struct wr_pod_load load;
    int64_t now_us;
    int32_t told; /* last */
    int times;    /* how often, failures too */
    bool is_broken;
};

static void look(void *user, struct wr_pod_load *out)
{
    const struct story *story = user;
    *out = story->load;
}

static bool tell(void *user, int32_t cost, const _Atomic int64_t *until_us, char *why)
{
    struct story *story = user;
    (void)until_us;
    story->times++;
    if (story->is_broken) {
        (void)snprintf(why, 256, "it answered with HTTP status 403");
        return false;
    }
    story->told = cost;
    return true;
}

static struct story *begin(void)
{
    static struct story story;
    story = (struct story){ .told = 99, .now_us = 50 * WR_US_PER_S };
    struct wr_pod_cost_options options = {
        .interval_ms = INTERVAL_MS, .look = look, .tell = tell, .user = &story
    };
    CU_ASSERT_EQUAL_FATAL(wr_pod_cost_new(&story.cost, &options, NULL), WARREN_OK);
    return &story;
}

static void end(struct story *story)
{
    CU_ASSERT(wr_pod_cost_stop(story->cost));
    wr_pod_cost_free(story->cost);
}

/* So many seconds with that many jobs. */
static void pass(struct story *story, int seconds, int running)
{
    story->load.running = running;
    for (int i = 0; i < seconds; i++) {
        story->now_us += LOOK_US;
        wr_pod_cost_step(story->cost, story->now_us);
    }
}

static void the_first_word_is_said_in_any_case(void)
{
    struct story *story = begin();
    pass(story, 1, 0);
    CU_ASSERT_EQUAL(story->told, 0); /* an earlier container may have left another */
    pass(story, 3600, 0);
    CU_ASSERT_EQUAL(story->times, 1);
    end(story);
}

static void a_number_that_stays_is_written_once(void)
{
    struct story *story = begin();
    pass(story, 30, 0);
    pass(story, 3600, 6);
    CU_ASSERT(story->told >= 4 && story->told <= 6);
    CU_ASSERT(story->times <= 5); /* 0, and on the way up 1, 2, 4 at most */
    pass(story, 60, 0);
    CU_ASSERT_EQUAL(story->told, 0);
    end(story);
}

static void a_long_job_shows_at_the_next_look(void)
{
    struct story *story = begin();
    pass(story, 30, 0);
    pass(story, 1, 1);
    CU_ASSERT_EQUAL(story->told, 1);
    end(story);
}

static void what_goes_up_and_down_is_written_once_an_interval_at_most(void)
{
    struct story *story = begin();
    for (int i = 0; i < 60; i++) {
        pass(story, 15, 64);
        pass(story, 15, 0);
    }
    CU_ASSERT(story->times > 60); /* there is something to write */
    CU_ASSERT(story->times <= 180);
    end(story);
}

/* What goes faster than the looks that are taken together is one number. */
static void what_short_jobs_make_of_it_is_smoothed(void)
{
    struct story *story = begin();
    int times = 0;
    for (int i = 0; i < 360; i++) {
        pass(story, 1, i % 2 ? 64 : 0);
        times = i == 60 ? story->times : times;
    }
    CU_ASSERT_EQUAL(story->times, times);
    CU_ASSERT(story->told > 16 && story->told < 64);
    end(story);
}

static void a_number_at_the_edge_of_its_band_is_not_written_again(void)
{
    struct story *story = begin();
    pass(story, 60, 4);
    int times = story->times;
    for (int i = 0; i < 60; i++) {
        pass(story, 15, 3);
        pass(story, 15, 4);
    }
    CU_ASSERT_EQUAL(story->times, times);
    end(story);
}

static void a_drain_is_told_at_once_and_lowest(void)
{
    struct story *story = begin();
    pass(story, 31, 8);
    int times = story->times;
    story->load.drains = true;
    wr_pod_cost_step(story->cost, story->now_us + 1);
    CU_ASSERT_EQUAL(story->told, WR_POD_COST_DRAINING);
    CU_ASSERT(WR_POD_COST_DRAINING < 0);
    pass(story, 600, 8);
    CU_ASSERT_EQUAL(story->times, times + 1);
    end(story);
}

static void an_api_that_fails_is_asked_less_and_less_and_then_told(void)
{
    struct story *story = begin();
    story->is_broken = true;
    pass(story, 3600, 5);
    /* After 20, 40, 80, 160 s and then every 300. */
    CU_ASSERT(story->times >= 14 && story->times <= 17);
    CU_ASSERT_EQUAL(wr_pod_cost_counts(story->cost).failed, (uint64_t)story->times);
    CU_ASSERT_EQUAL(wr_pod_cost_counts(story->cost).done, 0);
    story->is_broken = false;
    pass(story, 300, 5);
    CU_ASSERT_EQUAL(story->told, 5);
    CU_ASSERT_EQUAL(wr_pod_cost_counts(story->cost).done, 1);
    pass(story, 30, 0);
    CU_ASSERT_EQUAL(story->told, 0);
    end(story);
}

static void drop_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    (void)event;
    (void)fields;
}

int main(void)
{
    warren_log_to(drop_line, NULL, 1);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pod_cost", NULL, NULL);
    CU_ADD_TEST(suite, the_first_word_is_said_in_any_case);
    CU_ADD_TEST(suite, a_number_that_stays_is_written_once);
    CU_ADD_TEST(suite, a_long_job_shows_at_the_next_look);
    CU_ADD_TEST(suite, what_goes_up_and_down_is_written_once_an_interval_at_most);
    CU_ADD_TEST(suite, what_short_jobs_make_of_it_is_smoothed);
    CU_ADD_TEST(suite, a_number_at_the_edge_of_its_band_is_not_written_again);
    CU_ADD_TEST(suite, a_drain_is_told_at_once_and_lowest);
    CU_ADD_TEST(suite, an_api_that_fails_is_asked_less_and_less_and_then_told);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
