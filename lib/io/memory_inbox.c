// SPDX-License-Identifier: MIT
// DESIGN: the descriptor is an eventfd that is written only when it is not readable yet, and read
// only when the inbox is empty: two system calls a batch, not two an event.
#include "io/memory_inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

warren_status wr_memory_inbox_init(struct wr_memory_inbox *inbox, warren_error *err)
{
    *inbox = (struct wr_memory_inbox){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    if (inbox->fd < 0) {
        return wr_fail(err, WARREN_FAILED, "memory broker: eventfd: %s", strerror(errno));
    }
    return WARREN_OK;
}

void wr_memory_inbox_done(struct wr_memory_inbox *inbox)
{
    wr_memory_inbox_forget(inbox, 0);
    if (inbox->fd >= 0) {
        (void)close(inbox->fd);
    }
    inbox->fd = -1;
}

void wr_memory_inbox_wake(struct wr_memory_inbox *inbox)
{
    if (!inbox->is_signalled && inbox->fd >= 0) {
        uint64_t one = 1;
        inbox->is_signalled = write(inbox->fd, &one, sizeof one) == (ssize_t)sizeof one;
    }
}

/* Whether the event is a confirm that the newest note can stand for too. */
static bool merge(struct wr_memory_inbox *inbox, const struct wr_event *event)
{
    if (event->kind != WR_EVENT_ACKED || !inbox->notes.last) {
        return false;
    }
    struct wr_event *last = &WR_OF(inbox->notes.last, struct wr_memory_note, link)->event;
    if (last->kind != WR_EVENT_ACKED || last->channel != event->channel) {
        return false;
    }
    last->tag = event->tag;
    last->multiple = true;
    return true;
}

void wr_memory_inbox_push(struct wr_memory_inbox *inbox, const struct wr_event *event)
{
    wr_memory_inbox_wake(inbox);
    if (merge(inbox, event)) {
        return;
    }
    struct wr_memory_note *note = malloc(sizeof *note);
    if (!note) {
        wr_delivery_free(event->delivery);
        inbox->is_broken = true;
        return;
    }
    note->event = *event;
    wr_list_push(&inbox->notes, &note->link);
}

bool wr_memory_inbox_take(struct wr_memory_inbox *inbox, struct wr_event *out)
{
    struct wr_link *link = wr_list_take(&inbox->notes);
    if (link) {
        struct wr_memory_note *note = WR_OF(link, struct wr_memory_note, link);
        *out = note->event;
        free(note);
    }
    if (!inbox->notes.first && inbox->is_signalled) {
        uint64_t count;
        inbox->is_signalled = read(inbox->fd, &count, sizeof count) < 0 && errno != EAGAIN;
    }
    return link != NULL;
}

void wr_memory_inbox_forget(struct wr_memory_inbox *inbox, uint16_t channel)
{
    struct wr_list kept = { 0 };
    for (struct wr_link *link; (link = wr_list_take(&inbox->notes)) != NULL;) {
        struct wr_memory_note *note = WR_OF(link, struct wr_memory_note, link);
        if (channel && note->event.channel != channel) {
            wr_list_push(&kept, link);
            continue;
        }
        wr_delivery_free(note->event.delivery);
        free(note);
    }
    inbox->notes = kept;
}
