/* SPDX-License-Identifier: MIT */
/*
 * Posting JSON to an HTTP server, with libcurl. The library is loaded only when somebody opens one of
 * these, since linking it would cost every worker 2.4 MiB; once loaded it stays.
 *
 * Threads: one at a time.
 */
#ifndef WR_IO_POST_H
#define WR_IO_POST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "warren/error.h"

struct wr_post;

/** What became of one. */
struct wr_post_result {
    long status;    /* of HTTP; 0: there was no answer */
    bool may_retry; /* the same may work later: no answer, 429, 502, 503, 504 */
    char text[256]; /* of a failure: what was wrong */
};

/** Gets ready to post to `url` (http or https). CONFIG: libcurl isn't there, or was left out of the
 * build. */
warren_status wr_post_open(struct wr_post **out, const char *url, warren_error *err);

/** Posts. OK when the answer was 2xx. Ends after `timeout_ms` at the latest, and at once (within
 * 50 ms) when the monotonic clock has passed `*until_us`, which another thread may change. Looking up
 * a name can't be cut: it may take longer. */
warren_status wr_post_send(struct wr_post *post, struct wr_slice body, int64_t timeout_ms,
                           const _Atomic int64_t *until_us, struct wr_post_result *out);

/** NULL is fine. */
void wr_post_close(struct wr_post *post);

#endif
