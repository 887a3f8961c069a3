// SPDX-License-Identifier: MIT
#include "story.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_folder.h"

static void check(const struct story *story, warren_status rc)
{
    if (rc) {
        fprintf(stderr, "story: %s\n", story->err.text);
        exit(1);
    }
}

void story_open(struct story *story, const char *main_text, const char *const *queues)
{
    *story = (struct story){ .act = story_done };
    folder_make();
    folder_write("warren.cfg", main_text);
    for (int i = 0; queues[i]; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "queues/%d.cfg", 10 + i);
        folder_write(name, queues[i]);
    }
    check(story, warren_test_open(&story->test, "warren.cfg", &story->err));
    folder_remove();
}

void story_open_queue(struct story *story, const char *options, const char *jobs)
{
    char text[4096];
    const char *const queues[] = { text, NULL };
    (void)snprintf(text, sizeof text, "queue: { name = \"q\"; %s %s jobs = ( %s ); };\n",
                   strstr(options, "prefetch") ? "" : "prefetch = 10;", options, jobs);
    story_open(story, "", queues);
}

static warren_verdict run(warren_job *job, void *user)
{
    struct story *story = user;
    if (story->run_count < STORY_RUNS_MOST) {
        struct story_run *noted = &story->runs[story->run_count];
        (void)snprintf(noted->type, sizeof noted->type, "%s", warren_job_type(job));
        (void)snprintf(noted->id, sizeof noted->id, "%s", warren_job_id(job));
        (void)snprintf(noted->queue, sizeof noted->queue, "%s", warren_job_queue(job));
        noted->attempt = warren_job_attempt(job);
        noted->at_ms = warren_test_now_ms(story->test);
    }
    story->run_count++;
    return story->act(story, job);
}

void story_handle(struct story *story, const char *type)
{
    check(story, warren_handle(warren_test_worker(story->test), type, run, story, &story->err));
}

warren_status story_publish(struct story *story, const char *type, const char *id)
{
    const warren_message message = { .type = type, .id = id, .body = "{}" };
    return warren_test_publish(story->test, &message, &story->err);
}

bool story_send(struct story *story, const struct wr_message *message)
{
    struct wr_broker *broker = NULL;
    struct wr_broker_options options = { .settings = &story->test->worker->settings->broker,
                                         .name = "a stranger",
                                         .clock = &story->test->clock };
    check(story, wr_test_start(story->test, &story->err));
    check(story, wr_broker_open(&broker, &options, &story->err));
    check(story, wr_broker_channel_open(broker, 1, true, &story->err));
    check(story, wr_broker_publish(broker, 1, message, &story->err));
    struct wr_event event;
    wr_broker_next(broker, &event);
    bool was_taken = event.kind == WR_EVENT_ACKED;
    wr_delivery_free(event.delivery);
    wr_broker_close(broker);
    return was_taken;
}

int story_run(struct story *story)
{
    return story_advance(story, 0);
}

int story_advance(struct story *story, int64_t by_ms)
{
    int ran = warren_test_advance(story->test, by_ms, &story->err);
    check(story, ran < 0 ? (warren_status)ran : WARREN_OK);
    return ran;
}

warren_stats_data story_stats(struct story *story)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(warren_test_worker(story->test), &stats);
    return stats;
}

void story_close(struct story *story)
{
    warren_test_close(story->test);
}

warren_verdict story_done(struct story *story, warren_job *job)
{
    (void)story;
    (void)job;
    return WARREN_DONE;
}

warren_verdict story_retry(struct story *story, warren_job *job)
{
    (void)story;
    return warren_retry(job, "failed at attempt %d", warren_job_attempt(job));
}

void story_delete_queue(struct story *story, const char *name)
{
    enum { CHANNEL = 1 };
    struct wr_broker *broker = NULL;
    struct wr_broker_options options = { .settings = &story->test->worker->settings->broker,
                                         .name = "an operator",
                                         .clock = &story->test->clock };
    CU_ASSERT_EQUAL_FATAL(wr_broker_open(&broker, &options, &story->err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, CHANNEL, false, &story->err), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(broker, CHANNEL, name, &story->err), WARREN_OK);
    wr_broker_close(broker);
}
