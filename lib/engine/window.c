// SPDX-License-Identifier: MIT
// DESIGN: confirms come out of order and often for many at once; numbers count from 1 on each
// channel. A ring indexed by the number answers all of it without searching. A slot is empty once
// its request was answered or gave up; `first` moves over empty slots, and the broker's late word
// on a number before it is ignored. One that stays open (a message to a queue without a majority)
// stretches the ring, as an old delivery does in acks.c, or it would stop all others after a while.
#include "engine/window.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

enum { CAPACITY_MOST = 1 << 20 };

static struct wr_request **slot_of(const struct wr_window *window, uint64_t tag)
{
    return &window->slots[tag & (window->capacity - 1)];
}

warren_status wr_window_init(struct wr_window *window, size_t limit, warren_error *err)
{
    size_t power = 1;
    while (power < limit) {
        power *= 2;
    }
    *window = (struct wr_window){ .capacity = power, .limit = limit, .first = 1, .next = 1 };
    window->slots = calloc(power, sizeof(struct wr_request *));
    return window->slots ? WARREN_OK : wr_no_memory(err);
}

void wr_window_done(struct wr_window *window)
{
    free(window->slots);
    window->slots = NULL;
}

bool wr_window_is_full(const struct wr_window *window)
{
    return window->next - window->first >= window->capacity;
}

static bool grow(struct wr_window *window)
{
    struct wr_window larger = *window;
    larger.capacity = window->capacity * 2;
    larger.slots = larger.capacity <= CAPACITY_MOST
                       ? calloc(larger.capacity, sizeof(struct wr_request *))
                       : NULL;
    if (!larger.slots) {
        return false;
    }
    for (uint64_t tag = window->first; tag < window->next; tag++) {
        *slot_of(&larger, tag) = *slot_of(window, tag);
    }
    free(window->slots);
    *window = larger;
    return true;
}

bool wr_window_has_room(struct wr_window *window)
{
    return window->open < window->limit && (!wr_window_is_full(window) || grow(window));
}

bool wr_window_is_empty(const struct wr_window *window)
{
    return window->next == window->first;
}

void wr_window_add(struct wr_window *window, struct wr_request *request)
{
    *slot_of(window, window->next++) = request;
    window->open++;
}

static void answer(struct wr_window *window, uint64_t tag, struct wr_list *out)
{
    struct wr_request **slot = slot_of(window, tag);
    if (*slot) {
        wr_list_push(out, &(*slot)->link);
        *slot = NULL;
        window->open--;
    }
}

void wr_window_resolve(struct wr_window *window, uint64_t tag, bool multiple, struct wr_list *out)
{
    if (tag == 0 || tag >= window->next) { /* 0 with multiple: everything so far */
        if (tag || !multiple) {
            return;
        }
        tag = window->next - 1;
    }
    if (tag < window->first) {
        return;
    }
    for (uint64_t i = multiple ? window->first : tag; i <= tag; i++) {
        answer(window, i, out);
    }
    while (window->first < window->next && !*slot_of(window, window->first)) {
        window->first++;
    }
}

struct wr_request *wr_window_find(const struct wr_window *window, const struct wr_message *returned)
{
    for (uint64_t tag = window->first; tag < window->next; tag++) {
        struct wr_request *request = *slot_of(window, tag);
        if (request && !request->is_returned &&
            wr_slice_equals(request->parcel.message.message_id, returned->message_id) &&
            wr_slice_equals(request->parcel.message.key, returned->key) &&
            wr_slice_equals(request->parcel.message.exchange, returned->exchange)) {
            return request;
        }
    }
    return NULL;
}

int64_t wr_window_oldest_us(const struct wr_window *window)
{
    for (uint64_t tag = window->first; tag < window->next; tag++) {
        const struct wr_request *request = *slot_of(window, tag);
        if (request) {
            return request->sent_us;
        }
    }
    return INT64_MAX;
}

int64_t wr_window_expire(struct wr_window *window, int64_t now_us, struct wr_list *out)
{
    int64_t next_us = INT64_MAX;
    for (uint64_t tag = window->first; tag < window->next; tag++) {
        struct wr_request *request = *slot_of(window, tag);
        if (!request || request->insists) {
            continue;
        }
        if (request->deadline_us <= now_us) {
            answer(window, tag, out);
        } else if (request->deadline_us < next_us) {
            next_us = request->deadline_us;
        }
    }
    return next_us;
}

void wr_window_reset(struct wr_window *window, struct wr_list *out)
{
    for (uint64_t tag = window->first; tag < window->next; tag++) {
        answer(window, tag, out);
    }
    window->first = 1;
    window->next = 1;
}
