// SPDX-License-Identifier: MIT
// DESIGN: a held message keeps its properties as bytes of the wire, so that a client gets back what
// another one sent. They are read again only when the broker itself adds something: a death, or the
// count of its returns. Every queue has its own copy: simple, and the memory broker is for tests
// and for services small enough to need no broker.
#include "io/memory_held.h"

#include <stdlib.h>

static char *put(char *at, struct wr_slice from, struct wr_slice *out)
{
    if (from.size) {
        memcpy(at, from.data, from.size);
    }
    *out = (struct wr_slice){ at, from.size };
    return at + from.size;
}

struct wr_memory_held *wr_memory_held_new(const struct wr_memory_content *content, size_t *census)
{
    size_t bytes =
        content->exchange.size + content->key.size + content->properties.size + content->body.size;
    struct wr_memory_held *held = malloc(sizeof *held + bytes);
    if (!held) {
        return NULL;
    }
    *held = (struct wr_memory_held){ .census = census,
                                     .expires_us = WR_MEMORY_NEVER,
                                     .lifetime_ms = -1 };
    char *at = put((char *)(held + 1), content->exchange, &held->exchange);
    at = put(at, content->key, &held->key);
    at = put(at, content->properties, &held->properties);
    (void)put(at, content->body, &held->body);
    if (census) {
        (*census)++;
    }
    return held;
}

struct wr_memory_held *wr_memory_held_of(const struct wr_message *message, size_t *census)
{
    struct wr_text properties = { 0 };
    wr_message_write(message, &properties);
    struct wr_memory_content content = {
        message->exchange, message->key, { properties.data, properties.size }, message->body
    };
    struct wr_memory_held *held = properties.failed ? NULL : wr_memory_held_new(&content, census);
    wr_text_done(&properties);
    return held;
}

struct wr_memory_held *wr_memory_held_copy(const struct wr_memory_held *held)
{
    struct wr_memory_content content = { held->exchange, held->key, held->properties, held->body };
    struct wr_memory_held *copy = wr_memory_held_new(&content, held->census);
    if (copy) {
        copy->lifetime_ms = held->lifetime_ms;
        copy->has_deaths = held->has_deaths;
    }
    return copy;
}

void wr_memory_held_free(struct wr_memory_held *held)
{
    if (held && held->census) {
        (*held->census)--;
    }
    free(held);
}

/* The properties with one more header: how often the message came back. */
static warren_status counted(const struct wr_memory_held *held, struct wr_text *out)
{
    struct wr_message message;
    if (wr_message_read(&message, held->properties, NULL)) {
        return WARREN_INVALID;
    }
    struct wr_text headers = { 0 };
    size_t offset = 0;
    struct wr_field field;
    while (message.present & WR_HEADERS && wr_table_next(message.headers, &offset, &field)) {
        if (!wr_slice_is(field.name, "x-delivery-count")) {
            wr_table_add_entry(&headers, &field);
        }
    }
    wr_table_add_int(&headers, "x-delivery-count", held->returns);
    message.present |= WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    wr_message_write(&message, out);
    bool failed = headers.failed || out->failed;
    wr_text_done(&headers);
    return failed ? WARREN_NO_MEMORY : WARREN_OK;
}

warren_status wr_memory_held_deliver(const struct wr_memory_held *held, bool counts,
                                     struct wr_delivery **out)
{
    struct wr_text text = { 0 };
    struct wr_slice properties = held->properties;
    if (counts && held->returns) {
        warren_status rc = counted(held, &text);
        if (rc) {
            wr_text_done(&text);
            return rc;
        }
        properties = (struct wr_slice){ text.data, text.size };
    }
    char *body;
    warren_status rc =
        wr_delivery_new(out, held->exchange, held->key, properties, held->body.size, &body);
    wr_text_done(&text);
    if (!rc && held->body.size) {
        memcpy(body, held->body.data, held->body.size);
    }
    return rc;
}

/* Links `held` in before `next`; NULL: at the end. */
static void link_before(struct wr_memory_list *list, struct wr_memory_held *held,
                        struct wr_memory_held *next)
{
    held->after = next;
    held->before = next ? next->before : list->last;
    *(held->before ? &held->before->after : &list->first) = held;
    *(next ? &next->before : &list->last) = held;
    list->length++;
}

void wr_memory_list_push(struct wr_memory_list *list, struct wr_memory_held *held)
{
    link_before(list, held, NULL);
}

void wr_memory_list_insert(struct wr_memory_list *list, struct wr_memory_held *held)
{
    struct wr_memory_held *last = list->inserted;
    struct wr_memory_held *next =
        last && last->position < held->position ? last->after : list->first;
    while (next && next->position < held->position) {
        next = next->after;
    }
    link_before(list, held, next);
    list->inserted = held;
}

void wr_memory_list_remove(struct wr_memory_list *list, struct wr_memory_held *held)
{
    if (list->inserted == held) {
        list->inserted = NULL;
    }
    *(held->before ? &held->before->after : &list->first) = held->after;
    *(held->after ? &held->after->before : &list->last) = held->before;
    held->before = NULL;
    held->after = NULL;
    list->length--;
}

size_t wr_memory_list_clear(struct wr_memory_list *list)
{
    size_t count = list->length;
    while (list->first) {
        struct wr_memory_held *held = list->first;
        wr_memory_list_remove(list, held);
        wr_memory_held_free(held);
    }
    return count;
}
