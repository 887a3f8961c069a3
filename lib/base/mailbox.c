// SPDX-License-Identifier: MIT
// DESIGN: a locked list and an eventfd. The lock is held for a few instructions; what costs is the
// write that wakes a sleeping thread (1-3 us and a context switch), so it happens once per sleep,
// never once per letter.
#include "base/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

warren_status wr_mailbox_init(struct wr_mailbox *mailbox, warren_error *err)
{
    *mailbox = (struct wr_mailbox){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    if (mailbox->fd < 0) {
        return wr_fail(err, WARREN_FAILED, "cannot make an eventfd: %s", strerror(errno));
    }
    (void)pthread_mutex_init(&mailbox->lock, NULL);
    return WARREN_OK;
}

void wr_mailbox_done(struct wr_mailbox *mailbox)
{
    if (mailbox->fd >= 0) { /* 0 is one like any other, when the host has closed its stdin */
        (void)close(mailbox->fd);
        (void)pthread_mutex_destroy(&mailbox->lock);
    }
    mailbox->fd = -1;
}

/* Under the lock. The eventfd of a sleeping owner is written once: it says itself when it sleeps
 * again. */
static void wake(struct wr_mailbox *mailbox)
{
    if (mailbox->asleep) {
        mailbox->asleep = false;
        uint64_t one = 1;
        ssize_t written = write(mailbox->fd, &one, sizeof one);
        (void)written; /* it fails only when the counter is full, and then the owner is woken anyway
                        */
    }
}

bool wr_mailbox_push(struct wr_mailbox *mailbox, struct wr_link *link)
{
    WR_SCOPED_LOCK(&mailbox->lock);
    if (mailbox->closed) {
        return false;
    }
    wr_list_push(&mailbox->letters, link);
    wake(mailbox);
    return true;
}

struct wr_list wr_mailbox_close(struct wr_mailbox *mailbox)
{
    {
        WR_SCOPED_LOCK(&mailbox->lock);
        mailbox->closed = true;
    }
    return wr_mailbox_take(mailbox);
}

void wr_mailbox_poke(struct wr_mailbox *mailbox)
{
    WR_SCOPED_LOCK(&mailbox->lock);
    mailbox->poked = true;
    wake(mailbox);
}

struct wr_list wr_mailbox_take(struct wr_mailbox *mailbox)
{
    WR_SCOPED_LOCK(&mailbox->lock);
    struct wr_list letters = mailbox->letters;
    mailbox->letters = (struct wr_list){ 0 };
    mailbox->poked = false;
    return letters;
}

bool wr_mailbox_is_empty(struct wr_mailbox *mailbox)
{
    WR_SCOPED_LOCK(&mailbox->lock);
    return !mailbox->letters.first;
}

bool wr_mailbox_sleeps(struct wr_mailbox *mailbox)
{
    WR_SCOPED_LOCK(&mailbox->lock);
    mailbox->asleep = !mailbox->letters.first && !mailbox->poked;
    return mailbox->asleep;
}

void wr_mailbox_wakes(struct wr_mailbox *mailbox)
{
    WR_SCOPED_LOCK(&mailbox->lock);
    mailbox->asleep = false;
    uint64_t count;
    ssize_t got = read(mailbox->fd, &count, sizeof count);
    (void)got; /* EAGAIN when the socket woke us, not the mailbox */
}
