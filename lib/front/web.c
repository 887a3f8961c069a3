// SPDX-License-Identifier: MIT
// DESIGN: what a worker shows of itself by HTTP. It begins before the broker is looked for and ends
// after the drain, so that probes get an answer all the time.
#include "base/log.h"
#include "front/view.h"
#include "warren/warren.h"

warren_status wr_worker_serve(warren *w, warren_error *err)
{
    struct wr_listen listen = { .is_off = true };
    if (w->settings->http_listen) {
        (void)wr_listen_read(&listen,
                             w->settings->http_listen); /* checked with the configuration */
    }
    if (listen.is_off || w->is_stepped) {
        return WARREN_OK;
    }
    w->pages = (struct wr_pages){ .look = wr_view_look, .user = w };
    struct wr_http_options options = { .listen = listen,
                                       .connections = w->settings->http_connections,
                                       .timeout_ms = w->settings->http_timeout_ms,
                                       .answer = wr_pages_answer,
                                       .user = &w->pages };
    warren_status rc = wr_http_start(&w->http, &options, err);
    if (!rc) {
        wr_log(WR_INFO, "http.listen", "address=%s", wr_http_address(w->http));
    }
    return rc;
}

const char *warren_http_address(const warren *w)
{
    if (w->http) {
        return wr_http_address(w->http);
    }
    const char *listen = w->settings->http_listen;
    return listen ? listen : "none";
}
