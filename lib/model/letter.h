/* SPDX-License-Identifier: MIT */
/*
 * Reading a dead letter: who it was, why it died, and what happened before. It may be Warren's own
 * record (headers `x-warren-*`), one that the broker dead-lettered by itself (`x-death`), or
 * something that a stranger put there, so no header is trusted to have the kind it should have.
 *
 * Ownership: a letter owns its strings, but body and error texts are valid only as long as the
 * message. Threads: plain data.
 */
#ifndef WR_MODEL_LETTER_H
#define WR_MODEL_LETTER_H

#include "model/message.h"
#include "warren/dead.h"

/** Where a letter was found. All borrowed. */
struct wr_letter_place {
    const char *queue;    /* the configured queue whose dead queue it is; NULL: the catch-all */
    const char *exchange; /* the exchange on which that queue's types are bound; NULL: `jobs` */
    const char *ns;
    bool is_brief; /* headers_json isn't wanted */
};

struct wr_letter {
    warren_dead_letter
        data; /* what visitors see; its pointers lead into the members below. The first
                                member: warren_dead_write finds the letter by it */
    const struct wr_message *message; /* borrowed; NULL: it can't be read */
    bool is_brokers;                  /* dead-lettered by the broker, not by Warren */
    bool is_on_ladder; /* from the catch-all, with a ladder's key: an unfinished delay */
    char *pool;
    size_t pool_size;
    size_t pool_used;
    warren_dead_error *errors;
    struct wr_text headers_json;
};

/** Reads a message. NO_MEMORY is its only error. Done with wr_letter_done. */
warren_status wr_letter_read(struct wr_letter *out, const struct wr_message *message,
                             const struct wr_letter_place *place);

void wr_letter_done(struct wr_letter *letter);

/** Whether a letter is one of those that the filter asks for (its `limit` and `queue` aside). */
bool wr_letter_matches(const struct wr_letter *letter, const warren_dead_filter *filter);

#endif
