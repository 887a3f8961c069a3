/* SPDX-License-Identifier: MIT */
/*
 * The dead letters of the queue "work", for rows about messages, and the calm of the worker that sent
 * them there. What is not as it should be is an expectation not met. Threads: the main thread.
 */
#ifndef TESTS_FAULTS_LETTERS_H
#define TESTS_FAULTS_LETTERS_H

#include "rows.h"
#include "warren/dead.h"

/** Looks at one letter; `wanted` is the row's own. */
typedef void letters_judge(struct field *field, const warren_dead_letter *letter,
                           const void *wanted);

/** Judges each letter, oldest first; returns how many there are. `config`: of field_config. */
size_t letters_read(struct field *field, const char *config, letters_judge *judge,
                    const void *wanted);

/** What letters_judge_plain wants of each. */
struct letters_wanted {
    const char *reason;
    const char *words; /* in the error; NULL: any */
    int attempts;      /* charged */
    size_t errors;     /* in its history */
};
letters_judge letters_judge_plain;

/** Waits until so many stand in work.dead. False: they never did. */
bool letters_wait(struct field *field, int64_t count, int deadline_ms);

/** Replays all of them, which must be `wanted`. */
void letters_replay(struct field *field, const char *config, size_t wanted);

/** A worker that has its queues. */
struct field_process *letters_worker(struct field *field, const struct field_worker *how);

/** Whatever the messages were, it still has its first connection, got each of them just once, so many
 * together, and nothing crashed. */
void letters_expect_calm(struct field *field, const struct field_process *worker, int64_t received);

#endif
