/* SPDX-License-Identifier: MIT */
/*
 * What stands at which path: /metrics, /livez, /readyz, /startupz. Threads: the HTTP server's.
 */
#ifndef WR_WEB_PAGES_H
#define WR_WEB_PAGES_H

#include "web/http.h"
#include "web/view.h"

struct wr_pages {
    void (*look)(void *user, struct wr_view *out);
    void *user;
};

/** For wr_http_options; `pages`: a struct wr_pages. */
void wr_pages_answer(void *pages, const char *path, const char *accept,
                     struct wr_http_reply *reply);

#endif
