// SPDX-License-Identifier: MIT
// DESIGN: the common half of everything that Warren publishes: where it goes (a jobs exchange, a
// level of the delay ladder, the dead exchange), and that a parcel owns what was made for it. What
// it is made of stands in parcel_compose.c (a user's message) and parcel_forward.c (a job that goes
// on).
#include "model/parcel.h"

#include <stdlib.h>

#include "base/error.h"

static char *put(char *at, struct wr_slice *slice)
{
    if (slice->size) {
        memcpy(at, slice->data, slice->size);
    }
    slice->data = at;
    return at + slice->size;
}

warren_status wr_parcel_keep(struct wr_parcel *parcel)
{
    struct wr_message *message = &parcel->message;
    struct wr_slice *const slices[] = { &message->content_type,   &message->content_encoding,
                                        &message->correlation_id, &message->reply_to,
                                        &message->message_id,     &message->type,
                                        &message->app_id,         &message->body };
    enum { SLICES = sizeof slices / sizeof slices[0] };
    size_t total = 1;
    for (size_t i = 0; i < SLICES; i++) {
        total += slices[i]->size;
    }
    parcel->kept = malloc(total);
    if (!parcel->kept) {
        return WARREN_NO_MEMORY;
    }
    char *at = parcel->kept;
    for (size_t i = 0; i < SLICES; i++) {
        at = put(at, slices[i]);
    }
    return WARREN_OK;
}

void wr_parcel_done(struct wr_parcel *parcel)
{
    wr_text_done(&parcel->headers);
    free(parcel->kept);
    parcel->kept = NULL;
}
