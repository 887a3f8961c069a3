/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP server for what looks at a worker: GET and HEAD, one thread of its own. What it
 * answers is somebody else's affair.
 *
 * Threads: start and stop by the owner; `answer` is called by the server's thread.
 */
#ifndef WR_WEB_HTTP_H
#define WR_WEB_HTTP_H

#include <stdint.h>

#include "base/text.h"
#include "model/listen.h"
#include "warren/error.h"

struct wr_http;

struct wr_http_reply {
    int status;               /* 404 to begin with */
    const char *content_type; /* static; text/plain to begin with */
    struct wr_text body;
};

struct wr_http_options {
    struct wr_listen listen;
    int connections;    /* open at once; more are refused */
    int64_t timeout_ms; /* a connection that is silent for so long is closed, and so is one whose
                           request takes twice as long */
    /** Fills the reply to a GET. `path` without the query; `accept` is the header, or "". */
    void (*answer)(void *user, const char *path, const char *accept, struct wr_http_reply *reply);
    void *user;
};

/** Whether this build has it. */
bool wr_http_is_there(void);

/** Listens. FAILED with a sentence when the address can't be had, or in a build without it. */
warren_status wr_http_start(struct wr_http **out, const struct wr_http_options *options,
                            warren_error *err);

/** Where it listens, such as "127.0.0.1:9400": with the port that was found free. Borrowed. */
const char *wr_http_address(const struct wr_http *http);

/** Ends its connections and its thread. NULL is fine. */
void wr_http_stop(struct wr_http *http);

#endif
