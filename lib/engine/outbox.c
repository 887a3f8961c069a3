// SPDX-License-Identifier: MIT
// DESIGN: a request that insists is a job's way on (retry, dead letter): it is repeated with a
// growing wait until the broker has it, since giving up would mean to lose the job or to run it in
// a tight loop. All others end at their deadline: TIMEOUT if they were never sent, UNKNOWN if they
// were.
#include "engine/outbox.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { REPEAT_FIRST_US = 100000, REPEAT_MOST_US = 5000000, LOOK_EVERY_US = 50000 };
enum { NOT_FOUND = 404 }; /* AMQP's reply code */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- out --- */

void wr_outbox_take(struct wr_outbox *outbox, struct wr_list fresh, int64_t now_us)
{
    wr_list_append(&outbox->waiting, &fresh);
    struct wr_list later = outbox->later;
    outbox->later = (struct wr_list){ 0 };
    for (struct wr_link *link; (link = wr_list_take(&later));) {
        bool is_due = WR_OF(link, struct wr_request, link)->due_us <= now_us;
        wr_list_push(is_due ? &outbox->waiting : &outbox->later, link);
    }
}

struct wr_request *wr_outbox_next(struct wr_outbox *outbox)
{
    struct wr_window *window = &outbox->window;
    bool has_room = outbox->suspects ? wr_window_is_empty(window) : wr_window_has_room(window);
    struct wr_link *link = has_room ? wr_list_take(&outbox->waiting) : NULL;
    return link ? WR_OF(link, struct wr_request, link) : NULL;
}

void wr_outbox_put_back(struct wr_outbox *outbox, struct wr_request *request)
{
    wr_request_push_first(&outbox->waiting, request);
}

void wr_outbox_sent(struct wr_outbox *outbox, struct wr_request *request, int64_t now_us)
{
    request->sent_us = now_us;
    request->is_returned = false;
    request->was_sent = true;
    wr_window_add(&outbox->window, request);
}

/* --- back --- */

static void log_repeat(const struct wr_request *request, const char *text)
{
    char id[256];
    char quoted_id[300];
    char exchange[WR_LOG_WORD_SIZE];
    char key[WR_LOG_WORD_SIZE];
    char why[300];
    char type[256 + 8];
    char trace_id[WR_TRACE_ID_SIZE] = "";
    const struct wr_message *message = &request->parcel.message;
    struct wr_field field;
    bool has_trace = wr_table_find(message->headers, WR_H_TRACEPARENT, &field) &&
                     wr_trace_id_of(field.value, trace_id);
    (void)snprintf(id, sizeof id, "%.*s", WR_SLICE(message->message_id));
    wr_log(WR_WARN, "forward.repeat", "type=%s id=%s exchange=%s key=%s tries=%d%s%s cause=%s",
           wr_text_quote(type, sizeof type, message->type),
           wr_log_quote(quoted_id, sizeof quoted_id, id),
           wr_log_word(exchange, sizeof exchange, request->parcel.exchange),
           wr_log_word(key, sizeof key, request->parcel.key), request->tries,
           has_trace ? " trace_id=" : "", trace_id, wr_log_quote(why, sizeof why, text));
}

static void count_failure(struct wr_outbox *outbox, warren_status status)
{
    enum wr_publish_result result = status == WARREN_UNROUTABLE ? WR_PUBLISH_RETURNED
                                    : status == WARREN_NACKED   ? WR_PUBLISH_NACKED
                                                                : WR_PUBLISH_REFUSED;
    wr_count_alone(&outbox->counts.results[result], 1);
}

void wr_outbox_fail(struct wr_outbox *outbox, struct wr_request *request, warren_status status,
                    const char *text, int64_t now_us)
{
    count_failure(outbox, status);
    if (!request->insists) {
        wr_request_finish(request, status, text);
        return;
    }
    int shift = request->tries < 6 ? request->tries : 6;
    int64_t wait_us = (int64_t)REPEAT_FIRST_US << shift;
    request->tries++;
    request->is_returned = false;
    request->due_us = now_us + earlier(wait_us, REPEAT_MOST_US);
    wr_list_push(&outbox->later, &request->link);
    wr_count_alone(&outbox->counts.repeats, 1);
    log_repeat(request, text);
}

static void confirm(struct wr_outbox *outbox, struct wr_request *request, int64_t now_us)
{
    wr_count_alone(&outbox->counts.results[WR_PUBLISH_CONFIRMED], 1);
    wr_histogram_add(&outbox->counts.confirm, now_us - request->sent_us);
    if (outbox->confirmed && !request->insists) {
        outbox->confirmed(outbox->user, &request->parcel.message);
    }
    wr_request_finish(request, WARREN_OK, NULL);
}

static void note_return(struct wr_outbox *outbox, struct wr_event *event)
{
    struct wr_request *request = wr_window_find(&outbox->window, &event->delivery->message);
    if (request) {
        request->is_returned = true;
    }
    wr_delivery_free(event->delivery);
}

void wr_outbox_resolve(struct wr_outbox *outbox, struct wr_event *event, int64_t now_us)
{
    struct wr_list answered = { 0 };
    if (event->kind == WR_EVENT_RETURNED) {
        note_return(outbox, event);
        return;
    }
    wr_window_resolve(&outbox->window, event->tag, event->multiple, &answered);
    for (struct wr_link *link; (link = wr_list_take(&answered));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        outbox->suspects -= outbox->suspects ? 1 : 0;
        if (request->is_returned) {
            wr_outbox_fail(outbox, request, WARREN_UNROUTABLE, "no queue takes it", now_us);
        } else if (event->kind == WR_EVENT_NACKED) {
            wr_outbox_fail(outbox, request, WARREN_NACKED, "the broker could not store it", now_us);
        } else {
            confirm(outbox, request, now_us);
        }
    }
}

size_t wr_outbox_rewind(struct wr_outbox *outbox)
{
    struct wr_list open = { 0 };
    wr_window_reset(&outbox->window, &open);
    size_t sent = open.length;
    wr_list_append(&open, &outbox->waiting); /* what was sent first goes first again */
    outbox->waiting = open;
    return sent;
}

void wr_outbox_refuse(struct wr_outbox *outbox, const struct wr_event *event, int64_t now_us)
{
    struct wr_list open = outbox->waiting;
    outbox->waiting = (struct wr_list){ 0 };
    for (struct wr_link *link; (link = wr_list_take(&open));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        char quoted[256 + 2];
        (void)snprintf(quoted, sizeof quoted, "'%s'", request->parcel.exchange);
        if (strstr(event->text, quoted)) {
            wr_outbox_fail(outbox, request,
                           event->code == NOT_FOUND ? WARREN_UNROUTABLE : WARREN_REFUSED,
                           event->text, now_us);
        } else {
            wr_list_push(&outbox->waiting, link);
        }
    }
}

void wr_outbox_blame(struct wr_outbox *outbox, const struct wr_event *event, size_t sent,
                     int64_t now_us)
{
    outbox->suspects = sent > 1 ? sent : 0;
    if (sent == 1) {
        struct wr_link *link = wr_list_take(&outbox->waiting);
        wr_outbox_fail(outbox, WR_OF(link, struct wr_request, link), WARREN_REFUSED, event->text,
                       now_us);
    }
}

/* --- time --- */

void wr_outbox_expire(struct wr_outbox *outbox, int64_t now_us)
{
    if (now_us < outbox->next_expiry_us) {
        return;
    }
    struct wr_list over = { 0 };
    int64_t next_us = wr_window_expire(&outbox->window, now_us, &over);
    next_us = earlier(next_us, wr_request_expire(&outbox->waiting, now_us, &over));
    int64_t look_us = now_us + LOOK_EVERY_US;
    /* Whatever comes now has its deadline later than a look from now. */
    outbox->next_expiry_us = next_us == INT64_MAX || look_us > next_us ? look_us : next_us;
    for (struct wr_link *link; (link = wr_list_take(&over));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        wr_count_alone(&outbox->counts.results[WR_PUBLISH_TIMEOUT], 1);
        wr_request_finish(request, request->was_sent ? WARREN_UNKNOWN : WARREN_TIMEOUT,
                          request->was_sent ? "no confirm in time: it may be there or not"
                                            : "the broker took nothing in time");
    }
}

bool wr_outbox_is_empty(const struct wr_outbox *outbox)
{
    return !outbox->waiting.first && !outbox->later.first && wr_window_is_empty(&outbox->window);
}

int64_t wr_outbox_deadline_us(const struct wr_outbox *outbox)
{
    int64_t next_us = wr_outbox_is_empty(outbox) ? INT64_MAX : outbox->next_expiry_us;
    for (struct wr_link *link = outbox->later.first; link; link = link->next) {
        next_us = earlier(next_us, WR_OF(link, struct wr_request, link)->due_us);
    }
    return next_us;
}

void wr_outbox_close(struct wr_outbox *outbox)
{
    wr_window_reset(&outbox->window, &outbox->waiting);
    wr_list_append(&outbox->waiting, &outbox->later);
    for (struct wr_link *link; (link = wr_list_take(&outbox->waiting));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        wr_request_finish(request, request->was_sent ? WARREN_UNKNOWN : WARREN_CLOSED,
                          "the publisher has ended");
    }
}
