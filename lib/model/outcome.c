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
    "failed",         "dead",           "bad_message",
    "bad_properties", "body_too_large", "headers_too_large",
    "unknown_type",   "expired",        "crash_loop",
    "bad_verdict",    "other",
};

const char *const wr_reason_sentences[WR_REASONS] = {
    "all attempts are used up",
    "its handler said so",
    "the body is no JSON but says so, or a header isn't of its kind",
    "its properties are none, so it is not even a message",
    "the body is larger than limits.body",
    "others' headers are more, larger or deeper than limits allows",
    "it says no type, or one that its queue doesn't have",
    "it was to start before a time that has passed",
    "its runs ended with their process, queue.max_crashes times",
    "its handler returned what is no verdict",
    "anything else, such as the broker's own words: rejected, expired, delivery_limit",
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
