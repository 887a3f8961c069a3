// SPDX-License-Identifier: MIT
// DESIGN: a stack that many push to with one atomic exchange of its head, and that the owner takes
// whole and turns round. No lock, so that nobody who is put off his processor holds others up. What
// costs is the write that wakes a sleeping thread (1-3 us and a context switch), so it happens once
// per sleep, never once per letter.
//
// Whether the owner sleeps is settled by order: he says so and then looks at the stack once more;
// who pushes looks at it afterwards. One of the two sees the other.
#include "base/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

static struct wr_link closed; /* the head of a mailbox that takes nothing more */

warren_status wr_mailbox_init(struct wr_mailbox *mailbox, warren_error *err)
{
    *mailbox = (struct wr_mailbox){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    if (mailbox->fd < 0) {
        return wr_fail(err, WARREN_FAILED, "cannot make an eventfd: %s", strerror(errno));
    }
    return WARREN_OK;
}

void wr_mailbox_done(struct wr_mailbox *mailbox)
{
    if (mailbox->fd >= 0) { /* 0 is one like any other, when the host has closed its stdin */
        (void)close(mailbox->fd);
    }
    mailbox->fd = -1;
}

/* The eventfd of a sleeping owner is written once: it says itself when it sleeps again. */
static void wake(struct wr_mailbox *mailbox)
{
    if (atomic_load(&mailbox->asleep) && atomic_exchange(&mailbox->asleep, false)) {
        uint64_t one = 1;
        ssize_t written = write(mailbox->fd, &one, sizeof one);
        (void)written; /* it fails only when the counter is full, and then the owner is woken anyway
                        */
    }
}

bool wr_mailbox_push(struct wr_mailbox *mailbox, struct wr_link *link)
{
    struct wr_link *head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    do {
        if (head == &closed) {
            return false;
        }
        link->next = head;
    } while (!atomic_compare_exchange_weak(&mailbox->head, &head, link));
    wake(mailbox);
    return true;
}

void wr_mailbox_poke(struct wr_mailbox *mailbox)
{
    atomic_store(&mailbox->poked, true);
    wake(mailbox);
}

/* From the newest first to the oldest first. */
static struct wr_list turn_round(struct wr_link *newest)
{
    struct wr_list list = { .last = newest };
    while (newest) {
        struct wr_link *older = newest->next;
        newest->next = list.first;
        list.first = newest;
        list.length++;
        newest = older;
    }
    return list;
}

struct wr_list wr_mailbox_close(struct wr_mailbox *mailbox)
{
    struct wr_link *head = atomic_exchange(&mailbox->head, &closed);
    return turn_round(head == &closed ? NULL : head);
}

struct wr_list wr_mailbox_take(struct wr_mailbox *mailbox)
{
    atomic_store(&mailbox->poked, false);
    if (wr_mailbox_is_empty(mailbox)) {
        return (struct wr_list){ 0 };
    }
    return turn_round(atomic_exchange(&mailbox->head, NULL)); /* only the owner closes it */
}

bool wr_mailbox_is_empty(struct wr_mailbox *mailbox)
{
    const struct wr_link *head = atomic_load(&mailbox->head);
    return !head || head == &closed;
}

bool wr_mailbox_sleeps(struct wr_mailbox *mailbox)
{
    atomic_store(&mailbox->asleep, true);
    bool may_sleep = wr_mailbox_is_empty(mailbox) && !atomic_load(&mailbox->poked);
    if (!may_sleep) {
        atomic_store(&mailbox->asleep, false);
    }
    return may_sleep;
}

void wr_mailbox_wakes(struct wr_mailbox *mailbox)
{
    uint64_t count;
    atomic_store(&mailbox->asleep, false);
    ssize_t got = read(mailbox->fd, &count, sizeof count);
    (void)got; /* EAGAIN when the socket woke us, not the mailbox */
}
