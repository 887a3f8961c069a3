// SPDX-License-Identifier: MIT
// DESIGN: lists of words. They are labels of metrics, so there are few, and none comes from a
// message.
#include "model/outcome.h"

#include <string.h>

const char *const wr_outcome_names[WR_OUTCOMES] = {
    [WR_OUTCOME_DONE] = "done",     [WR_OUTCOME_RETRY] = "retry",
    [WR_OUTCOME_DEAD] = "dead",     [WR_OUTCOME_DISCARD] = "discard",
    [WR_OUTCOME_SNOOZE] = "snooze", [WR_OUTCOME_INTERRUPTED] = "interrupted",
};

const char *const wr_publish_result_names[WR_PUBLISH_RESULTS] = {
    [WR_PUBLISH_CONFIRMED] = "confirmed", [WR_PUBLISH_NACKED] = "nacked",
    [WR_PUBLISH_RETURNED] = "returned",   [WR_PUBLISH_REFUSED] = "refused",
    [WR_PUBLISH_TIMEOUT] = "timeout",
};

const char *const wr_reason_names[WR_REASONS] = {
    "failed",            /* all attempts are used up */
    "dead",              /* its handler said so */
    "bad_message",       /* no JSON, or a header that is none of its kind */
    "bad_properties",    /* what isn't even a message */
    "body_too_large",    /* above limits.body */
    "headers_too_large", /* above limits.headers */
    "unknown_type",      /* its queue has no such job type */
    "expired",           /* it was to start before */
    "crash_loop",        /* its runs ended with their process */
    "bad_verdict",       /* its handler returned what is no verdict */
    "other",
};

size_t wr_reason_find(const char *reason)
{
    for (size_t i = 0; i + 1 < WR_REASONS; i++) {
        if (strcmp(wr_reason_names[i], reason) == 0) {
            return i;
        }
    }
    return WR_REASONS - 1;
}
