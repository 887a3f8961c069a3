// SPDX-License-Identifier: MIT
// The topologist's stories on the memory broker.
#include "topology_stories.h"

#include <string.h>

#include "io/memory.h"

static const char *story_url(void)
{
    return "memory:topologist";
}

/* --- how much is asked of the broker before its answer is awaited --- */

static const struct wr_broker_calls *plain_calls;
static int asked;      /* queues since the last answer */
static int asked_most; /* … at most */

static warren_status count_declare(struct wr_broker *broker, uint16_t channel,
                                   const struct wr_item *item, enum wr_declare how,
                                   warren_error *err)
{
    asked += item->kind == WR_ITEM_QUEUE;
    asked_most = asked > asked_most ? asked : asked_most;
    return plain_calls->declare(broker, channel, item, how, err);
}

static warren_status count_sync(struct wr_broker *broker, uint16_t channel, warren_error *err)
{
    asked = 0;
    return plain_calls->sync(broker, channel, err);
}

/* A broker that needs 0.2 s for a queue would answer after 20 s, too late for one call. */
static void many_queues_are_not_asked_for_in_one_breath(void)
{
    enum { QUEUES = 100 };
    static char names[QUEUES][24];
    static struct wr_queue_settings queues[QUEUES];
    struct story story;
    story_begin(&story, "many");
    for (int i = 0; i < QUEUES; i++) {
        (void)snprintf(names[i], sizeof names[i], "many-%d", i);
        queues[i] = (struct wr_queue_settings){ .name = names[i] };
    }
    story.settings.queues = queues;
    story.settings.queue_count = QUEUES;
    plain_calls = story.broker->calls;
    struct wr_broker_calls counting = *plain_calls;
    counting.declare = count_declare;
    counting.sync = count_sync;
    story.broker->calls = &counting;
    CU_ASSERT_EQUAL(story_apply(&story), WARREN_OK);
    CU_ASSERT_EQUAL(story_check(&story), WARREN_OK);
    CU_ASSERT(asked_most > 8); /* but not one by one either */
    CU_ASSERT(asked_most <= 32);
    CU_ASSERT_EQUAL(asked, 0);
    story.broker->calls = plain_calls;
    CU_ASSERT_EQUAL(story_depth(&story, "many-99"), 0);
    CU_ASSERT_EQUAL(story_depth(&story, "many-99.dead"), 0);
    story_end(&story);
}

int main(void)
{
    struct wr_memory *server = wr_memory_open("topologist", NULL);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("topologist", NULL, NULL);
    story_add_all(suite);
    CU_ADD_TEST(suite, many_queues_are_not_asked_for_in_one_breath);
    int failed = story_run();
    wr_memory_close(server);
    return failed;
}
