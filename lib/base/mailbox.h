/* SPDX-License-Identifier: MIT */
/*
 * A mailbox: the only way in which a pointer crosses threads. Many push, one owner takes everything
 * at once.
 *
 * The owner sleeps in poll() on the mailbox's descriptor. A push wakes it only when it said that it
 * sleeps, since a wake-up costs more than the work it announces: the owner calls wr_mailbox_sleeps
 * before poll (and does not poll when that returns false, because something is there already) and
 * wr_mailbox_wakes afterwards. An owner who looks again soon by himself need not say that he sleeps.
 */
#ifndef WR_BASE_MAILBOX_H
#define WR_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "warren/error.h"

struct wr_mailbox {
    _Atomic(struct wr_link *) head; /* the newest letter */
    atomic_bool asleep;             /* the owner waits for the descriptor */
    atomic_bool poked;              /* a wake-up without a letter */
    int fd;                         /* an eventfd */
};

warren_status wr_mailbox_init(struct wr_mailbox *mailbox, warren_error *err);

/** Frees the mailbox, not the letters in it: take them first. No push may be under way. */
void wr_mailbox_done(struct wr_mailbox *mailbox);

/** Any thread: hands one element over. False when the mailbox is closed: the element is still the
 * caller's. */
bool wr_mailbox_push(struct wr_mailbox *mailbox, struct wr_link *link);

/** Any thread: wakes the owner without a letter. */
void wr_mailbox_poke(struct wr_mailbox *mailbox);

/** Owner: takes what is there and lets nothing more in. */
struct wr_list wr_mailbox_close(struct wr_mailbox *mailbox);

/** Owner: everything that is there, in order. */
struct wr_list wr_mailbox_take(struct wr_mailbox *mailbox);

/** Whether nothing is there to be taken. Any thread. */
bool wr_mailbox_is_empty(struct wr_mailbox *mailbox);

/** Owner: says that it is going to wait for `fd`; false when something came already. */
bool wr_mailbox_sleeps(struct wr_mailbox *mailbox);

/** Owner: is awake again; empties the descriptor. */
void wr_mailbox_wakes(struct wr_mailbox *mailbox);

#endif
