/* SPDX-License-Identifier: MIT */
/*
 * Dead letters: jobs that used up their attempts, were given up by their handler, or could not be
 * read. Each stands in `<queue>.dead` with its reason and the history of its errors. Looking
 * changes nothing: nothing is lost, and the order stays. What the ladder or the dead exchange could
 * not bring home stands in `NS.unrouted` and is looked at and replayed in the same way (queue
 * "unrouted").
 *
 * Threads: as queue.h. All pointers handed to a visitor are valid during its call only.
 */
#ifndef WARREN_DEAD_H
#define WARREN_DEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One failure in a dead letter's history. */
typedef struct warren_dead_error {
    int64_t at_ms;      /**< since 1970 */
    int attempt;        /**< the run that failed */
    const char *worker; /**< who ran it */
    const char *text;   /**< what the handler or Warren said */
} warren_dead_error;

/** One dead letter. */
typedef struct warren_dead_letter {
    const char *id;     /**< "" when it never had one */
    const char *type;   /**< "" when it said none */
    const char *queue;  /**< the configured queue it was meant for */
    const char *reason; /**< failed, dead, crash_loop, bad_message, unknown_type, expired,
                           body_too_large, broker's words, … */
    const char *error;  /**< the last error's text, "" when there is none */
    int attempts;       /**< runs that were charged */
    int replays;        /**< how often it was replayed before */
    const char *shape;  /**< the last error without what differs from job to job: "no user <n>" */
    const char *group;  /**< 12 hex digits, equal for letters of equal type, reason and shape */
    int64_t died_ms;    /**< since 1970; 0 when unknown */
    int64_t first_failed_ms;         /**< since 1970; 0: it never failed, or unknown */
    int64_t enqueued_ms;             /**< when it was published, since 1970; 0: unknown */
    int64_t replayed_ms;             /**< the last replay; 0: never replayed */
    const char *content_type;        /**< "" when there is none */
    const void *body;                /**< byte for byte */
    size_t body_size;                /**< bytes */
    const char *headers_json;        /**< all headers as one JSON object */
    const warren_dead_error *errors; /**< oldest first */
    size_t error_count;              /**< how many of them */
} warren_dead_letter;

/**
 * The reason of that number, as warren_dead_letter.reason has it, and in `*out_sentence` (may be NULL)
 * what it means; NULL when Warren has not so many of its own. Static memory; any thread.
 * @param out_sentence where its meaning goes; may be NULL
 */
WARREN_API const char *warren_dead_reason_at(size_t index, const char **out_sentence);

/** Which dead letters. Members left NULL or 0 do not restrict. */
typedef struct warren_dead_filter {
    const char *queue;   /**< required: a configured queue (or its dead queue), or "unrouted" */
    const char *id;      /**< exactly this message id */
    const char *type;    /**< exactly this job type */
    const char *reason;  /**< exactly this reason */
    const char *group;   /**< as in warren_dead_letter */
    const char *error;   /**< the last error's text contains this */
    int64_t since_ms;    /**< died at this time or later; one whose time is unknown doesn't match */
    int64_t until_ms;    /**< died before this time; the same */
    int64_t replayed_ms; /**< last replayed at this time or later */
    size_t limit;        /**< at most so many matching ones */
    bool brief;          /**< not which, but how: without headers_json (""), which is faster */
} warren_dead_filter;

/** Called for each dead letter, oldest first; false ends the walk. */
typedef bool warren_dead_visitor(const warren_dead_letter *letter, void *user);

/** Told how many of the queue's `total` letters a call has looked at, ten times a second, also while
 * it waits, and at its end; false ends it as a visitor's false does. */
typedef bool warren_dead_progress(uint64_t seen, uint64_t total, void *user);

/**
 * Says who is told of the progress of the calls below; NULL: nobody.
 * @param progress is told from now on; NULL: nobody
 */
WARREN_API void warren_dead_watch(warren_admin *admin, warren_dead_progress *progress, void *user);

/**
 * What replays and moves from now on send at most, letters a second; 0: as fast as they are
 * confirmed.
 * @param per_second letters; 0: as fast as they are confirmed
 */
WARREN_API void warren_dead_pace(warren_admin *admin, double per_second);

/** Looks at dead letters; all of them go back in order. Always walks through the whole queue, also
 * with a limit, since its order would change otherwise. NOT_FOUND: no such queue. STATE: someone
 * else looks at it or consumes it now. */
WARREN_API warren_status warren_dead_each(warren_admin *admin, const warren_dead_filter *filter,
                                          warren_dead_visitor *visit, void *user,
                                          warren_error *err);

/** Letters that died of the same: equal type, reason and shape of the last error. */
typedef struct warren_dead_group {
    const char *id;           /**< for warren_dead_filter.group */
    const char *queue;        /**< the queue that was asked for */
    const char *type;         /**< of all its letters */
    const char *reason;       /**< of all its letters */
    const char *shape;        /**< as in warren_dead_letter */
    const char *sample_id;    /**< the newest one's id */
    const char *sample_error; /**< and its error, cut if it is long */
    uint64_t count;           /**< how many letters */
    uint64_t body_bytes;      /**< of all of them together */
    int64_t first_ms;         /**< when the first of them died, since 1970; 0: unknown */
    int64_t last_ms;          /**< when the last of them died; 0: unknown */
    int attempts_least;       /**< runs that were charged, of the one with the fewest */
    int attempts_most;        /**< and of the one with the most */
} warren_dead_group;

/** Called for each group, largest first; false ends it. */
typedef bool warren_dead_group_visitor(const warren_dead_group *group, void *user);

/**
 * Groups the dead letters that match. Memory is bounded: at most `most` groups (0: 1000) are kept,
 * the first that are met; `*out_beyond` (may be NULL) says how many letters are in none of them.
 * The visitor is called after the walk. Errors as warren_dead_each.
 * @param most groups are kept; 0: 1000
 * @param out_beyond how many letters are in none of them; may be NULL
 */
WARREN_API warren_status warren_dead_groups(warren_admin *admin, const warren_dead_filter *filter,
                                            size_t most, warren_dead_group_visitor *visit,
                                            void *user, uint64_t *out_beyond, warren_error *err);

/**
 * Sends dead letters back to the queue they came from: publish, confirm, then acknowledge, one
 * after the other, so an interruption loses nothing (the one in hand may then be there twice, and after a
 * lost connection those whose acknowledgement was on its way). They keep id, body, headers and history; their attempts start again, and `x-warren-replayed-at-ms` and
 * `x-warren-replays` say that they were replayed. `before` (may be NULL) is asked before each;
 * false ends the replay. `*out_count` (may be NULL) is set also on failure.
 */
WARREN_API warren_status warren_dead_replay(warren_admin *admin, const warren_dead_filter *filter,
                                            warren_dead_visitor *before, void *user,
                                            size_t *out_count, warren_error *err);

/**
 * How long it may take from a job's first run to its dead letter, for the slowest type of this queue: all
 * waits of its retry policy, and each run as long as its timeout (30 s without one), in ms. What messages
 * say of their own (`x-warren-max-attempts`, `x-warren-backoff`) is not counted, nor is the time that
 * they wait for a worker. NOT_FOUND: no such queue.
 * @param out_ms where the time goes
 */
WARREN_API warren_status warren_dead_patience(warren_admin *admin, const char *queue,
                                              int64_t *out_ms, warren_error *err);

/** Throws dead letters away. `before` and `*out_count` as in warren_dead_replay. */
WARREN_API warren_status warren_dead_drop(warren_admin *admin, const warren_dead_filter *filter,
                                          warren_dead_visitor *before, void *user,
                                          size_t *out_count, warren_error *err);

/**
 * Moves dead letters elsewhere, confirmed and then acknowledged, as in warren_dead_replay. `target` is a
 * configured queue: they are replayed there, if it takes their type (STATE, if it doesn't); or the name
 * of a dead queue (`<queue>.dead`): they stay dead there, with reason, history, body and all headers,
 * and `x-warren-moved-from` and `x-warren-moved-at-ms` say where they were.
 * @param target a configured queue, or a dead queue
 */
WARREN_API warren_status warren_dead_move(warren_admin *admin, const warren_dead_filter *filter,
                                          const char *target, warren_dead_visitor *before,
                                          void *user, size_t *out_count, warren_error *err);

/**
 * Writes a letter as one line of JSON (without its newline) that holds all of it: properties, each header
 * with its type, body; text as text, other bytes as base64. Only within a visitor's call, of the letter
 * it was given. The caller frees `*out`. INVALID: a letter that can't be read has no form.
 * @param letter the one that a visitor was given
 */
WARREN_API warren_status warren_dead_write(const warren_dead_letter *letter, char **out,
                                           warren_error *err);

/** Gives the next line, valid until the next call; false at the end. */
typedef bool warren_dead_source(const char **line, size_t *size, void *user);

/**
 * Puts letters back that warren_dead_write wrote, into the dead queue of `queue`. Each is confirmed, with up
 * to 256 on their way at once. `*out_count` (may be NULL), set also on failure: so many lines from the
 * first on are done; empty lines are passed over, and count. On failure the text names what is wrong with
 * the next one, which may be there or not. What can't be published again is kept as a header, as a
 * replay does: CC, BCC, user_id, expiration. INVALID: a line is no letter. NOT_FOUND: no such queue.
 * @param next gives the lines
 */
WARREN_API warren_status warren_dead_import(warren_admin *admin, const char *queue,
                                            warren_dead_source *next, void *user, size_t *out_count,
                                            warren_error *err);

/** An edit of one dead letter. */
typedef struct warren_dead_edit {
    const char *queue;  /**< where it is */
    const char *before; /**< as warren_dead_write wrote it: it must still stand there like this */
    const char *after;  /**< the same form; the message id must be the same */
    const char *by;     /**< who edits, for `x-warren-edited-by` */
    const char *why;    /**< for `x-warren-edited-why`, at most 500 bytes; NULL: nothing */
    bool replays;       /**< it is replayed; else it stays dead, as the newest in its queue */
} warren_dead_edit;

/**
 * Takes the place of a dead letter by its edited form: published, confirmed, and only then is the old one
 * acknowledged. `x-warren-edited-at-ms`, `-by`, `-why` and `x-warren-edits` say so in it. INVALID: not a
 * letter, or another id. NOT_FOUND: no letter like `before` stands there (any more). STATE: from unrouted
 * it must be replayed.
 * @param edit what it was and what it becomes
 */
WARREN_API warren_status warren_dead_replace(warren_admin *admin, const warren_dead_edit *edit,
                                             warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
