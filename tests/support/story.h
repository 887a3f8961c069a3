/* SPDX-License-Identifier: MIT */
/*
 * A story: one worker on a memory broker with a virtual clock, from the text of one queue file (or
 * several), for tests that tell what becomes of a job. Handlers are scripted: they write down each
 * run and give the verdict that the test asked for. Threads: one.
 */
#ifndef TESTS_SUPPORT_STORY_H
#define TESTS_SUPPORT_STORY_H

#include "front/testing.h"

enum { STORY_RUNS_MOST = 1024 };

/** One run of a handler. */
struct story_run {
    char type[64];
    char id[64];
    char queue[64];
    int attempt;
    int64_t at_ms; /* virtual */
};

struct story {
    warren_test *test;
    warren_error err;
    /* What handlers do, and what they did. */
    warren_verdict (*act)(struct story *story, warren_job *job);
    struct story_run runs[STORY_RUNS_MOST];
    int run_count;
};

/** Opens with the main file's text and the texts of queue files, NULL behind the last (at most
 * four). Exits with the error's text when they are wrong. */
void story_open(struct story *story, const char *main_text, const char *const *queues);

/** The same with one queue, `jobs` being the inside of its job list: "{ type = \"a\"; }". */
void story_open_queue(struct story *story, const char *options, const char *jobs);

/** Registers the story's handler for a type; must be called for each listed one. */
void story_handle(struct story *story, const char *type);

/** Publishes {} of that type with that id; the status. */
warren_status story_publish(struct story *story, const char *type, const char *id);

/** Publishes a message as a foreign client would, past Warren's own composing. False: nobody took
 * it. */
bool story_send(struct story *story, const struct wr_message *message);

/** Deletes a queue at the broker, as an operator would. */
void story_delete_queue(struct story *story, const char *name);

/** Runs what is due; counts the runs. */
int story_run(struct story *story);
int story_advance(struct story *story, int64_t by_ms);

/** Counts of the worker. */
warren_stats_data story_stats(struct story *story);

void story_close(struct story *story);

/* Verdicts for `act`. */
warren_verdict story_done(struct story *story, warren_job *job);
warren_verdict story_retry(struct story *story, warren_job *job);

#endif
