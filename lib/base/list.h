/* SPDX-License-Identifier: MIT */
/*
 * A singly linked first-in-first-out list through a link that lives inside the element. No memory
 * of its own. Not locked: whoever owns the list owns its links.
 */
#ifndef WR_BASE_LIST_H
#define WR_BASE_LIST_H

#include <stddef.h>

struct wr_link {
    struct wr_link *next;
};

struct wr_list {
    struct wr_link *first;
    struct wr_link *last;
    size_t length;
};

/** The element that `link` is the `member` of. */
#define WR_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void wr_list_push(struct wr_list *list, struct wr_link *link)
{
    link->next = NULL;
    if (list->last) {
        list->last->next = link;
    } else {
        list->first = link;
    }
    list->last = link;
    list->length++;
}

/** Takes the oldest element's link, or NULL. */
static inline struct wr_link *wr_list_take(struct wr_list *list)
{
    struct wr_link *link = list->first;
    if (!link) {
        return NULL;
    }
    list->first = link->next;
    if (!list->first) {
        list->last = NULL;
    }
    list->length--;
    link->next = NULL;
    return link;
}

/** Moves everything from `from` to the end of `to`; `from` is empty afterwards. */
static inline void wr_list_append(struct wr_list *to, struct wr_list *from)
{
    if (!from->first) {
        return;
    }
    if (to->last) {
        to->last->next = from->first;
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    to->length += from->length;
    *from = (struct wr_list){ 0 };
}

#endif
