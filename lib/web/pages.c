// SPDX-License-Identifier: MIT
// DESIGN: a path is a row. Each page is made anew of one look at the worker, and none waits for
// anything but that look.
#include "web/pages.h"

#include "web/health.h"
#include "web/metrics.h"

enum { OK = 200, NOT_FOUND = 404, UNAVAILABLE = 503 };

static void show_metrics(const struct wr_view *view, const char *accept,
                         struct wr_http_reply *reply)
{
    bool is_open = wr_metrics_wants_open(accept);
    reply->content_type = wr_metrics_type(is_open);
    wr_metrics_write(&reply->body, view, is_open);
}

static void show_health(const struct wr_view *view, enum wr_health what,
                        struct wr_http_reply *reply)
{
    reply->content_type = "application/json";
    reply->status = wr_health_write(&reply->body, what, view) ? OK : UNAVAILABLE;
}

static void show_live(const struct wr_view *view, const char *accept, struct wr_http_reply *reply)
{
    (void)accept;
    show_health(view, WR_HEALTH_LIVE, reply);
}

static void show_ready(const struct wr_view *view, const char *accept, struct wr_http_reply *reply)
{
    (void)accept;
    show_health(view, WR_HEALTH_READY, reply);
}

static void show_started(const struct wr_view *view, const char *accept,
                         struct wr_http_reply *reply)
{
    (void)accept;
    show_health(view, WR_HEALTH_STARTED, reply);
}

static const struct {
    const char *path;
    void (*show)(const struct wr_view *view, const char *accept, struct wr_http_reply *reply);
} pages[] = {
    { "/metrics", show_metrics },
    { "/livez", show_live },
    { "/readyz", show_ready },
    { "/startupz", show_started },
};

void wr_pages_answer(void *user, const char *path, const char *accept, struct wr_http_reply *reply)
{
    const struct wr_pages *own = user;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) == 0) {
            struct wr_view view = { .has_started = false };
            own->look(own->user, &view);
            reply->status = OK;
            pages[i].show(&view, accept, reply);
            wr_view_done(&view);
            return;
        }
    }
    reply->status = NOT_FOUND;
    wr_text_add_string(&reply->body, "there is /metrics, /livez, /readyz and /startupz\n");
}
