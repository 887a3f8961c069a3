/* SPDX-License-Identifier: MIT */
/*
 * The words for what became of a run and of a publish, and for why a job is dead: each in one table,
 * as messages, metrics and documents have them.
 */
#ifndef WR_MODEL_OUTCOME_H
#define WR_MODEL_OUTCOME_H

#include <stddef.h>

enum wr_outcome {
    WR_OUTCOME_DONE,
    WR_OUTCOME_RETRY,
    WR_OUTCOME_DEAD,
    WR_OUTCOME_DISCARD,
    WR_OUTCOME_SNOOZE,
    WR_OUTCOME_INTERRUPTED, /* its connection was lost meanwhile: the broker delivers it again */
    WR_OUTCOMES
};

/** "done", "retry" … */
extern const char *const wr_outcome_names[WR_OUTCOMES];

/** The broker's word on a publish. */
enum wr_publish_result {
    WR_PUBLISH_CONFIRMED,
    WR_PUBLISH_NACKED,   /* it could not store it */
    WR_PUBLISH_RETURNED, /* no queue takes it */
    WR_PUBLISH_REFUSED,  /* no right, or no message that it takes */
    WR_PUBLISH_TIMEOUT,  /* none came in time */
    WR_PUBLISH_RESULTS
};

/** "confirmed", "nacked" … */
extern const char *const wr_publish_result_names[WR_PUBLISH_RESULTS];

enum { WR_REASONS = 11 };

/** Why jobs die, as x-warren-dead-reason says it. The last one, "other", is for words that are in no
 * table. */
extern const char *const wr_reason_names[WR_REASONS];

/** What each of them means, as the end of a sentence. */
extern const char *const wr_reason_sentences[WR_REASONS];

/** The row of a word; that of "other" when there is none. */
size_t wr_reason_find(const char *reason);

#endif
