/* SPDX-License-Identifier: MIT */
/*
 * What a dead letter becomes when it is sent back: the same id, body, properties, foreign headers
 * and error history, without what the broker noted and without the counters of the life that ended.
 * Threads: pure functions.
 */
#ifndef WR_MODEL_REPLAY_H
#define WR_MODEL_REPLAY_H

#include "model/letter.h"

/** Where to, and when. */
struct wr_replay {
    const char *exchange;
    const char *key;
    int64_t now_ms;
};

/** Makes the message to publish. `out` borrows from `dead`, `letter`, `how` and `headers` (which
 * is done with by the caller). NO_MEMORY is its only error. */
warren_status wr_replay_write(const struct wr_message *dead, const struct wr_letter *letter,
                              const struct wr_replay *how, struct wr_text *headers,
                              struct wr_message *out);

/** The same for a letter that stays dead and goes to a dead queue: `how->key` is that queue's configured
 * name. If it is another one than the letter's, it says where it was. */
warren_status wr_replay_write_move(const struct wr_message *dead, const struct wr_letter *letter,
                                   const struct wr_replay *how, struct wr_text *headers,
                                   struct wr_message *out);

#endif
