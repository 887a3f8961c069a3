// SPDX-License-Identifier: MIT
// DESIGN: what can be done with requests without knowing the publisher: end one, end those of a list that are over.
#include "engine/request.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/tracer.h"

void wr_request_finish(struct wr_request *request, warren_status status, const char *text)
{
    if (request->span) {
        wr_tracer_published(request->tracer, TAKE(request->span), status, text);
    }
    if (!status) {
        request->done(request, WARREN_OK, NULL);
        return;
    }
    warren_error error;
    (void)wr_fail(&error, status, "publish to exchange %s with key %s: %s",
                  request->parcel.exchange, request->parcel.key, text);
    request->done(request, status, &error);
}

int64_t wr_request_expire(struct wr_list *list, int64_t now_us, struct wr_list *out)
{
    int64_t next_us = INT64_MAX;
    struct wr_list kept = { 0 };
    for (struct wr_link *link; (link = wr_list_take(list));) {
        struct wr_request *request = WR_OF(link, struct wr_request, link);
        bool is_over = !request->insists && request->deadline_us <= now_us;
        wr_list_push(is_over ? out : &kept, link);
        if (!request->insists && !is_over && request->deadline_us < next_us) {
            next_us = request->deadline_us;
        }
    }
    *list = kept;
    return next_us;
}

void wr_request_push_first(struct wr_list *list, struct wr_request *request)
{
    struct wr_list first = { 0 };
    wr_list_push(&first, &request->link);
    wr_list_append(&first, list);
    *list = first;
}
