// SPDX-License-Identifier: MIT
// DESIGN: an error closes the channel, as AMQP has it: the refusal stays on it until the owner
// learns of it, from the call that waits for an answer or from the event, whichever comes first.
#include "io/memory_channel.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

bool wr_memory_refuse(struct wr_memory_refusal *out, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    out->code = code;
    (void)vsnprintf(out->text, sizeof out->text, format, arguments);
    va_end(arguments);
    return false;
}

warren_status wr_memory_refusal_status(const struct wr_memory_refusal *refusal, warren_error *err)
{
    switch (refusal->code) {
    case 0:
        return WARREN_OK;
    case 403:
        return wr_fail(err, WARREN_REFUSED, "%s", refusal->text);
    case 404:
        return wr_fail(err, WARREN_NOT_FOUND, "%s", refusal->text);
    case 406:
        return wr_fail(err, WARREN_MISMATCH, "%s", refusal->text);
    default:
        return wr_fail(err, WARREN_FAILED, "%s", refusal->text);
    }
}

struct wr_memory_held *wr_memory_channel_find(const struct wr_memory_channel *channel, uint64_t tag)
{
    struct wr_memory_held *held = channel->unacked.first;
    while (held && held->tag < tag) {
        held = held->after;
    }
    return held && held->tag == tag ? held : NULL;
}

void wr_memory_channel_confirm(struct wr_memory_channel *channel, uint64_t tag,
                               enum wr_event_kind kind)
{
    if (channel->confirms) {
        struct wr_event event = { .kind = kind, .channel = channel->number, .tag = tag };
        wr_memory_inbox_push(channel->inbox, &event);
    }
}
