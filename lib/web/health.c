// SPDX-License-Identifier: MIT
// DESIGN: {"status":"ok","checks":{"consumer":{"ok":true,"age_s":0.02}, …}}. A check that needs the
// broker belongs to "ready" and to nothing else: a liveness probe that fails with the broker would
// have every worker restarted when it is the broker that is gone.
#include "web/health.h"

#include "base/clock.h"

/* Rounds come each second at the latest; what is stuck in a call is cut after 31 s by default. */
static const int64_t silence_most_us = 120 * WR_US_PER_S;

struct checks {
    struct wr_text *out;
    bool all_well;
    size_t count;
};

static void add_check(struct checks *checks, const char *name, bool is_well)
{
    wr_text_add_format(checks->out, "%s\"%s\":{\"ok\":%s", checks->count++ ? "," : "", name,
                       is_well ? "true" : "false");
    checks->all_well = checks->all_well && is_well;
}

static void end_check(struct checks *checks)
{
    wr_text_add_string(checks->out, "}");
}

static void check(struct checks *checks, const char *name, bool is_well)
{
    add_check(checks, name, is_well);
    end_check(checks);
}

static void check_loops(struct checks *checks, const struct wr_view *view)
{
    for (size_t i = 0; i < WR_VIEW_LOOPS; i++) {
        const struct wr_view_loop *loop = &view->loops[i];
        int64_t age_us = loop->round_us ? view->now_us - loop->round_us : 0;
        age_us = age_us > 0 ? age_us : 0;
        add_check(checks, loop->role, age_us < silence_most_us);
        if (loop->round_us) {
            wr_text_add_format(checks->out, ",\"age_s\":%.3f", (double)age_us / WR_US_PER_S);
        }
        end_check(checks);
    }
}

static void check_threads(struct checks *checks, const struct wr_view *view)
{
    add_check(checks, "threads", view->stuck == 0);
    if (view->stuck) {
        wr_text_add_format(checks->out, ",\"stuck\":%llu,\"type\":\"",
                           (unsigned long long)view->stuck);
        wr_text_add_json(checks->out, wr_slice_of(view->stuck_type));
        wr_text_add_string(checks->out, "\"");
    }
    end_check(checks);
}

bool wr_health_write(struct wr_text *out, enum wr_health what, const struct wr_view *view)
{
    struct wr_text text = { 0 };
    struct checks checks = { .out = &text, .all_well = true };
    if (what == WR_HEALTH_LIVE) {
        check_loops(&checks, view);
        check_threads(&checks, view);
    } else {
        check(&checks, "started", view->has_started);
    }
    if (what == WR_HEALTH_READY) {
        check(&checks, "consuming", view->stats.ready);
        check(&checks, "not_draining", !view->stats.draining);
        check(&checks, "not_quiet", !view->stats.quiet);
    }
    wr_text_add_format(out, "{\"status\":\"%s\",\"checks\":{%s}}\n",
                       checks.all_well ? "ok" : "failed", wr_text_string(&text));
    out->failed = out->failed || text.failed;
    wr_text_done(&text);
    return checks.all_well;
}
