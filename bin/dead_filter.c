// SPDX-License-Identifier: MIT
// DESIGN: one reader for all verbs, so that what `list` shows is what `replay` and `drop` take.
#include "dead_filter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "when.h"

/* A time, or a duration: so long ago. */
static bool read_time(const struct args *args, const char *option, int64_t *out_ms)
{
    const char *text = args_value(args, option);
    int64_t ago_ms;
    if (!text) {
        return true;
    }
    if (when_duration(text, &ago_ms)) {
        *out_ms = when_now() - ago_ms;
        return true;
    }
    if (when_time(text, out_ms) && *out_ms > 0) {
        return true;
    }
    (void)say_usage(
        "--%s: got \"%s\", want a time (2030-01-31T08:00:00Z) or how long ago (90m, 2d)", option,
        text);
    return false;
}

static bool is_group_id(const char *text)
{
    return strlen(text) == 12 && strspn(text, "0123456789abcdef") == 12;
}

bool dead_filter_read(const struct args *args, warren_dead_filter *out)
{
    long limit = 0;
    *out = (warren_dead_filter){ .queue = args_operand(args, 0),
                                 .id = args_value(args, "id"),
                                 .type = args_value(args, "type"),
                                 .reason = args_value(args, "reason"),
                                 .group = args_value(args, "group"),
                                 .error = args_value(args, "error"),
                                 .brief = true };
    if (out->group && !is_group_id(out->group)) {
        (void)say_usage(
            "--group: got \"%s\", want 12 hex digits as `warren dead groups` shows them",
            out->group);
        return false;
    }
    if (!args_number(args, "limit", 1, 1000000000, &limit) ||
        !read_time(args, "since", &out->since_ms) || !read_time(args, "until", &out->until_ms)) {
        return false;
    }
    out->limit = (size_t)limit;
    return true;
}

bool dead_filter_pace(const struct args *args, double *out)
{
    const char *text = args_value(args, "rate");
    char *end = NULL;
    if (!text) {
        return true;
    }
    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= 0.001 && *out <= 1e6)) {
        (void)say_usage("--rate: got \"%s\", want letters a second, 0.001 to 1000000", text);
        return false;
    }
    return true;
}

/* --- which queues --- */

/* The queues that have dead letters. */
struct names {
    char **items;
    size_t length;
    bool failed;
};

static bool collect_name(const warren_queue_info *info, void *user)
{
    struct names *names = user;
    bool is_dead = strcmp(info->kind, "dead") == 0;
    if (!info->messages || (!is_dead && strcmp(info->kind, "unrouted") != 0)) {
        return true;
    }
    char **grown = realloc(names->items, (names->length + 1) * sizeof *grown);
    if (grown) {
        names->items = grown;
        names->items[names->length] = strdup(is_dead ? info->queue : "unrouted");
    }
    names->failed = !grown || !names->items[names->length];
    names->length += !names->failed;
    return !names->failed;
}

warren_status dead_filter_each(warren_admin *admin, const warren_dead_filter *filter,
                               dead_filter_look *look, void *user, warren_error *err)
{
    struct names names = { 0 };
    if (filter->queue) {
        return look(admin, filter, user, err);
    }
    warren_status rc = warren_queue_each(admin, collect_name, &names, err);
    for (size_t i = 0; i < names.length; i++) {
        warren_dead_filter one = *filter;
        one.queue = names.items[i];
        if (!rc && !say_is_interrupted()) {
            rc = look(admin, &one, user, err);
        }
        free(names.items[i]);
    }
    free(names.items);
    if (!rc && names.failed) {
        *err = (warren_error){ WARREN_NO_MEMORY, "out of memory" };
        rc = WARREN_NO_MEMORY;
    }
    return rc;
}

/* --- progress --- */

static bool show_progress(uint64_t seen, uint64_t total, void *user)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    size_t full = total ? (size_t)(seen * WIDTH / total) : WIDTH;
    memset(bar, '.', WIDTH);
    memset(bar, '#', full);
    bar[WIDTH] = '\0';
    say_progress("%s [%s] %" PRIu64 " of %" PRIu64, (const char *)user, bar, seen, total);
    return !say_is_interrupted();
}

void dead_filter_watch(warren_admin *admin, const char *verb)
{
    say_catch_interrupt();
    warren_dead_watch(admin, show_progress, (void *)(uintptr_t)verb);
}
