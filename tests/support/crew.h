/* SPDX-License-Identifier: MIT */
/*
 * A worker under test on the real broker: configuration files in a folder of its own, and a record
 * of what its handlers did and when. Everything here is loud: what cannot be done ends the test
 * process with a sentence. Threads: the main thread, but for crew_note, which handlers call.
 */
#ifndef TESTS_SUPPORT_CREW_H
#define TESTS_SUPPORT_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/dead.h"
#include "warren/warren.h"

/** Writes a folder with a warren.cfg (the broker's URL and what `main_text` adds) and one queue
 * file; returns the path of warren.cfg, to be freed. The folder is removed at exit. */
char *crew_config(const char *main_text, const char *queue_text);

/** The same with this text as the `broker` group instead of the vhost's URL. */
char *crew_config_at(const char *broker_text, const char *main_text, const char *queue_text);

/** Writes the queue file of a configuration anew. */
void crew_change(const char *config, const char *queue_text);

/** Opens a worker, or ends the process with what is wrong. */
warren *crew_open(const char *config);

/** Starts it, stops it (all handlers ended), frees it; the same way. */
void crew_start(warren *w);
void crew_stop(warren *w);

/** One run of a handler. */
struct crew_run {
    char type[64];
    char id[64];
    char queue[64];
    int attempt;
    int64_t began_us; /* monotonic */
    int64_t ended_us;
};

/** Notes the beginning of a run; returns its index for crew_note_end. Any thread. */
size_t crew_note(const warren_job *job);
void crew_note_end(size_t run);

/** A handler that notes its run and is done. */
warren_verdict crew_accept(warren_job *job, void *user);

/** How many runs were noted, and a copy of one. */
size_t crew_runs(void);
struct crew_run crew_run(size_t index);
void crew_forget(void);

/** Waits until at least `count` runs have begun; false after `deadline_ms`. */
bool crew_wait_runs(size_t count, int deadline_ms);

/** Waits until the worker has nothing in flight and `done + dead + discarded` reached `count`. */
bool crew_wait_ended(warren *w, size_t count, int deadline_ms);

/** How many runs of a type overlapped at most. */
int crew_most_at_once(const char *type);

/** Waits until a queue at the broker has `count` ready messages. */
bool crew_wait_depth(const char *config, const char *queue, uint64_t count, int deadline_ms);

/** The dead letters of a queue: calls `visit` for each. Returns how many there were. */
size_t crew_dead(const char *config, const char *queue, warren_dead_visitor *visit, void *user);

int64_t crew_now_us(void);

#endif
