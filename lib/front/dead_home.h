/* SPDX-License-Identifier: MIT */
/*
 * Where a dead letter goes when it is sent back: its key at `NS.deliver`. Threads: the admin's one.
 */
#ifndef WR_FRONT_DEAD_HOME_H
#define WR_FRONT_DEAD_HOME_H

#include "front/admin.h"
#include "model/letter.h"

#define WR_HOME_SIZE 256

/** Homes of letters. All borrowed. */
struct wr_homes {
    warren_admin *admin;
    const struct wr_queue_settings *target; /* all go there; NULL: each goes to its own queue */
    char known[WR_HOME_SIZE];               /* the one that was last seen to exist */
};

/** Writes the key, of WR_DELAY_KEY_SIZE bytes. NOT_FOUND: the queue is not in the configuration, or
 * not at the broker. STATE: the target doesn't take its type. */
warren_status wr_homes_key(struct wr_homes *homes, const struct wr_message *message,
                           const struct wr_letter *letter, char *key, warren_error *err);

#endif
