// SPDX-License-Identifier: MIT
// DESIGN: one publish, one confirm. Tags count from 1 on the channel; a confirm of an older tag is
// the late answer to a publish that was given up, and is passed over. A mandatory message that no
// queue takes comes back before its confirm, so the confirm decides what the return meant.
#include "engine/replayer.h"

#include <stdio.h>

#include "base/error.h"
#include "engine/deadwalk.h"

enum { CHANNEL = 1 };

warren_status wr_replayer_open(struct wr_replayer *replayer, const struct wr_settings *settings,
                               warren_error *err)
{
    struct wr_broker_options options = { .settings = &settings->broker, .name = "warren replay" };
    *replayer = (struct wr_replayer){ .timeout_us = settings->publish_timeout_ms * WR_US_PER_MS };
    warren_status rc = wr_broker_open(&replayer->broker, &options, err);
    if (!rc) {
        rc = wr_broker_channel_open(replayer->broker, CHANNEL, true, err);
    }
    if (rc) {
        wr_replayer_close(replayer);
    }
    return rc;
}

static bool answers(const struct wr_event *event, uint64_t tag)
{
    return event->tag == tag || (event->multiple && event->tag >= tag);
}

static warren_status wait_for_confirm(struct wr_replayer *replayer, bool *was_returned,
                                      warren_error *err)
{
    int64_t deadline_us = wr_clock_mono_us(NULL) + replayer->timeout_us;
    for (;;) {
        struct wr_event event;
        wr_deadwalk_wait(replayer->broker, deadline_us, &event);
        switch (event.kind) {
        case WR_EVENT_NONE:
            return wr_fail(err, WARREN_TIMEOUT, "the broker did not confirm in time");
        case WR_EVENT_RETURNED:
            *was_returned = true;
            wr_delivery_free(event.delivery);
            break;
        case WR_EVENT_ACKED:
            if (answers(&event, replayer->last_tag)) {
                return WARREN_OK;
            }
            break;
        case WR_EVENT_NACKED:
            if (answers(&event, replayer->last_tag)) {
                return wr_fail(err, WARREN_NACKED, "the broker could not store it");
            }
            break;
        case WR_EVENT_BLOCKED:
            return wr_fail(err, WARREN_STATE, "the broker takes no publishes now: %s", event.text);
        case WR_EVENT_CHANNEL_CLOSED:
        case WR_EVENT_CLOSED:
            return wr_fail(err, WARREN_CLOSED, "the connection was lost: %s", event.text);
        default:
            break;
        }
    }
}

warren_status wr_replayer_send(struct wr_replayer *replayer, const struct wr_message *message,
                               warren_error *err)
{
    bool was_returned = false;
    if (*replayer->lost) {
        return wr_fail(err, WARREN_CLOSED, "the connection was lost: %s", replayer->lost);
    }
    warren_status rc = wr_broker_publish(replayer->broker, CHANNEL, message, err);
    if (rc) {
        return rc;
    }
    replayer->last_tag++;
    rc = wait_for_confirm(replayer, &was_returned, err);
    if (!rc && was_returned) {
        return wr_fail(err, WARREN_UNROUTABLE, "no queue takes key %.*s on exchange %.*s",
                       WR_SLICE(message->key), WR_SLICE(message->exchange));
    }
    return rc;
}

/* --- many at once --- */

static void note_confirm(struct wr_replayer *replayer, const struct wr_event *event)
{
    uint64_t first = event->multiple ? replayer->confirmed + 1 : event->tag;
    for (uint64_t tag = first; tag <= event->tag && tag <= replayer->last_tag; tag++) {
        replayer->is_confirmed[tag % WR_REPLAYER_WINDOW] = tag > replayer->confirmed;
    }
    while (replayer->confirmed < replayer->last_tag &&
           replayer->is_confirmed[(replayer->confirmed + 1) % WR_REPLAYER_WINDOW]) {
        replayer->confirmed++;
        replayer->is_confirmed[replayer->confirmed % WR_REPLAYER_WINDOW] = false;
    }
}

static warren_status take_answer(struct wr_replayer *replayer, warren_error *err)
{
    struct wr_event event;
    wr_deadwalk_wait(replayer->broker, wr_clock_mono_us(NULL) + replayer->timeout_us, &event);
    switch (event.kind) {
    case WR_EVENT_NONE:
        return wr_fail(err, WARREN_TIMEOUT, "the broker did not confirm in time");
    case WR_EVENT_RETURNED:
        wr_delivery_free(event.delivery);
        return wr_fail(err, WARREN_UNROUTABLE, "no queue takes it any more");
    case WR_EVENT_ACKED:
        note_confirm(replayer, &event);
        return WARREN_OK;
    case WR_EVENT_NACKED:
        return wr_fail(err, WARREN_NACKED, "the broker could not store it");
    case WR_EVENT_BLOCKED:
        return wr_fail(err, WARREN_STATE, "the broker takes no publishes now: %s", event.text);
    case WR_EVENT_CHANNEL_CLOSED:
    case WR_EVENT_CLOSED:
        return wr_fail(err, WARREN_CLOSED, "the connection was lost: %s", event.text);
    default:
        return WARREN_OK;
    }
}

warren_status wr_replayer_post(struct wr_replayer *replayer, const struct wr_message *message,
                               warren_error *err)
{
    warren_status rc = WARREN_OK;
    while (!rc && replayer->last_tag - replayer->confirmed >= WR_REPLAYER_WINDOW) {
        rc = take_answer(replayer, err);
    }
    if (!rc) {
        rc = wr_broker_publish(replayer->broker, CHANNEL, message, err);
    }
    replayer->last_tag += rc == WARREN_OK;
    return rc;
}

warren_status wr_replayer_drain(struct wr_replayer *replayer, warren_error *err)
{
    warren_status rc = WARREN_OK;
    while (!rc && replayer->confirmed < replayer->last_tag) {
        rc = take_answer(replayer, err);
    }
    return rc;
}

void wr_replayer_serve(struct wr_replayer *replayer)
{
    struct wr_event event = { .kind = WR_EVENT_CLOSED };
    while (replayer->broker && event.kind != WR_EVENT_NONE && !*replayer->lost) {
        wr_broker_next(replayer->broker, &event);
        if (event.kind == WR_EVENT_RETURNED) {
            wr_delivery_free(event.delivery);
        } else if (event.kind == WR_EVENT_CLOSED || event.kind == WR_EVENT_CHANNEL_CLOSED) {
            (void)snprintf(replayer->lost, sizeof replayer->lost, "%s",
                           *event.text ? event.text : "the broker closed it");
        }
    }
}

void wr_replayer_close(struct wr_replayer *replayer)
{
    wr_broker_close(replayer->broker);
    *replayer = (struct wr_replayer){ 0 };
}
