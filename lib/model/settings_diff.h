/* SPDX-License-Identifier: MIT */
/*
 * What differs between two settings, option by option of the table, and which of it a running worker
 * can take. Queues are matched by their name, job types by queue and type, so an order means nothing.
 *
 * Ownership: differences own their texts and borrow names from the settings they were made of.
 * Threads: pure functions.
 */
#ifndef WR_MODEL_SETTINGS_DIFF_H
#define WR_MODEL_SETTINGS_DIFF_H

#include "model/settings.h"

struct wr_difference {
    const struct wr_option
        *option;       /* "queue.name": a whole queue; "queue.jobs.type": a whole type */
    const char *queue; /* NULL: an option of warren.cfg */
    const char *type;  /* NULL: an option of the queue */
    char *from;        /* as in a file, secrets as "***"; NULL: it is new */
    char *to;          /* NULL: it is gone */
    bool is_live;
    bool is_implied; /* a type follows its queue here, which is named */
};

struct wr_differences {
    struct wr_difference *items;
    size_t length;
    bool failed; /* memory ran out: some are missing */
};

/** Compares. `*out` is overwritten; done with wr_differences_done. */
void wr_settings_diff(const struct wr_settings *from, const struct wr_settings *to,
                      struct wr_differences *out);
void wr_differences_done(struct wr_differences *differences);

/** Appends "queue emails, type email.digest: concurrency: 2 -> 8" and such, without a newline. */
void wr_difference_write(const struct wr_difference *difference, struct wr_text *out);

/** Carries one difference over: what it is about becomes in `settings` as it is in `from`, the
 * newer of the compared ones. For options and for queues that are new; a difference about what
 * `settings` lacks changes nothing. */
warren_status wr_settings_take(struct wr_settings *settings, const struct wr_settings *from,
                               const struct wr_difference *difference, warren_error *err);

#endif
