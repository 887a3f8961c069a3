/* SPDX-License-Identifier: MIT */
/*
 * Sending JSON to an HTTP server, with libcurl. The library is loaded only when somebody opens one of
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

/** Where to, and how. All strings are copied. */
struct wr_post_options {
    const char *url;          /* http or https */
    const char *method;       /* NULL: POST */
    const char *content_type; /* NULL: application/json */
    const char *ca_file;      /* who may sign the server's certificate; read again for each
                                 connection. NULL: whom the system trusts */
};

/** What became of one. */
struct wr_post_result {
    long status;    /* of HTTP; 0: there was no answer */
    bool may_retry; /* the same may work later: no answer, 429, 502, 503, 504 */
    char text[256]; /* of a failure: what was wrong */
};

/** Gets ready to send. CONFIG: libcurl isn't there, or was left out of the build. */
warren_status wr_post_open(struct wr_post **out, const struct wr_post_options *options,
                           warren_error *err);

/** Sends this bearer token with all that follows; it is copied. */
warren_status wr_post_authorize(struct wr_post *post, const char *token, warren_error *err);

/** Sends. OK when the answer was 2xx. Ends after `timeout_ms` at the latest, and at once (within
 * 50 ms) when the monotonic clock has passed `*until_us`, which another thread may change. Looking up
 * a name can't be cut: it may take longer. */
warren_status wr_post_send(struct wr_post *post, struct wr_slice body, int64_t timeout_ms,
                           const _Atomic int64_t *until_us, struct wr_post_result *out);

/** NULL is fine. */
void wr_post_close(struct wr_post *post);

#endif
