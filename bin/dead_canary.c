// SPDX-License-Identifier: MIT
// DESIGN: a job that ends well leaves nothing behind, so the only thing to be seen of a canary is that
// it comes back: a dead letter that was replayed since the canaries were sent. The dead queue is asked
// for its depth twice a second, which costs nothing; it is looked through when the depth has changed,
// and when the time is over. Replays that somebody else does meanwhile count, too: then this one stops
// without need, which is the safe side. So does one whose queue nobody consumes, or that still has
// messages at the end: the canaries may be among them, and have shown nothing yet.
#include "dead_canary.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dead_filter.h"
#include "say.h"
#include "when.h"

enum {
    MOST = 1000,
    MARGIN_MS = 10 * 1000,       /* beside the waits and the runs: until a worker takes them */
    LONGEST_MS = 10 * 60 * 1000, /* unless it is asked for */
    ASK_MS = 500,
    LOOK_MS = 2000 /* between two looks at the least */
};

bool dead_canary_read(const struct args *args, struct dead_canary *out)
{
    long count = 0;
    const char *wait = args_value(args, "canary-wait");
    const char *queue = args_operand(args, 0);
    if (!args_number(args, "canary", 1, MOST, &count)) {
        return false;
    }
    out->count = (size_t)count;
    if (wait && (!when_duration(wait, &out->wait_ms) || !out->wait_ms)) {
        (void)say_usage("--canary-wait: got \"%s\", want a duration: 30s, 5m", wait);
        return false;
    }
    if (wait && !count) {
        (void)say_usage("--canary-wait says how long canaries are watched: it needs --canary N");
        return false;
    }
    if (count && queue && strcmp(queue, "unrouted") == 0) {
        (void)say_usage("--canary: what comes out of unrouted comes back to many queues; replay a "
                        "few by --limit");
        return false;
    }
    return true;
}

/* What watching them needs. */
struct watching {
    warren_admin *admin;
    const char *queue;
    int64_t sent_ms;
    uint64_t depth;       /* of the dead queue when it was asked last */
    uint64_t waiting;     /* then, too: messages that no worker of the queue has taken */
    char unconsumed[256]; /* then, too: where they run and no worker is; "": everywhere is one */
    size_t returned;
    char id[256]; /* of the first that came back */
    char error[512];
};

/* A configured queue's own come first, then its isolated ones, then its dead one. */
static bool find_depth(const warren_queue_info *info, void *user)
{
    struct watching *watching = user;
    bool is_dead_queue = strcmp(info->kind, "dead") == 0;
    if (strcmp(info->kind, "work") == 0) {
        watching->waiting = 0;
        watching->unconsumed[0] = '\0';
    }
    if (!is_dead_queue) {
        watching->waiting += info->messages;
        if (info->exists && !info->consumers) {
            (void)snprintf(watching->unconsumed, sizeof watching->unconsumed, "%s", info->name);
        }
    }
    if (is_dead_queue &&
        (strcmp(info->queue, watching->queue) == 0 || strcmp(info->name, watching->queue) == 0)) {
        watching->depth = info->messages;
        return false;
    }
    return true;
}

static bool note_return(const warren_dead_letter *letter, void *user)
{
    struct watching *watching = user;
    if (!watching->returned++) {
        (void)snprintf(watching->id, sizeof watching->id, "%s", letter->id);
        (void)snprintf(watching->error, sizeof watching->error, "%s",
                       *letter->error ? letter->error : letter->reason);
    }
    return true;
}

static warren_status look_for_returns(struct watching *watching, warren_error *err)
{
    warren_dead_filter filter = { .queue = watching->queue, .replayed_ms = watching->sent_ms };
    watching->returned = 0;
    warren_dead_watch(watching->admin, NULL, NULL);
    return warren_dead_each(watching->admin, &filter, note_return, watching, err);
}

static int64_t choose_wait(warren_admin *admin, const char *queue, const struct dead_canary *canary)
{
    int64_t patience_ms = 0;
    if (canary->wait_ms) {
        return canary->wait_ms;
    }
    if (warren_dead_patience(admin, queue, &patience_ms, NULL) ||
        patience_ms > LONGEST_MS - MARGIN_MS) {
        say("a job of %s may take %" PRId64
            " s until it is dead, and the canaries are watched for %d "
            "s: --canary-wait changes that",
            queue, patience_ms / 1000, LONGEST_MS / 1000);
        return LONGEST_MS;
    }
    return patience_ms + MARGIN_MS;
}

/* Until one comes back, `wait_ms` are over, or Ctrl-C. */
static warren_status watch(struct watching *watching, int64_t wait_ms, warren_error *err)
{
    int64_t end_ms = when_now() + wait_ms;
    int64_t looked_ms = 0;
    uint64_t known = UINT64_MAX; /* so that the first look is at once */
    warren_status rc = WARREN_OK;
    while (!rc && !watching->returned && !say_is_interrupted()) {
        int64_t now_ms = when_now();
        bool is_over = now_ms >= end_ms;
        rc = warren_queue_each(watching->admin, find_depth, watching, err);
        if (!rc && (is_over || (watching->depth != known && now_ms >= looked_ms + LOOK_MS))) {
            known = watching->depth;
            looked_ms = now_ms;
            rc = look_for_returns(watching, err);
        }
        if (is_over) {
            break;
        }
        say_progress("watching the canaries for %" PRId64 " s more", (end_ms - now_ms) / 1000);
        (void)poll(NULL, 0, ASK_MS);
    }
    say_progress_done();
    return rc;
}

/* Whether nothing says that the canaries still wait for a worker; else it is said. */
static bool have_run(const struct watching *watching, size_t count)
{
    if (*watching->unconsumed) {
        say("stopped: the %zu canaries may not have run yet, since no worker consumes %s; all "
            "others still stand in the dead queue",
            count, watching->unconsumed);
        return false;
    }
    if (watching->waiting) {
        say("stopped: the %zu canaries may not have run yet, since %" PRIu64
            " messages still wait for the workers of %s; all others still stand in the dead queue "
            "(--canary-wait watches longer)",
            count, watching->waiting, watching->queue);
        return false;
    }
    return true;
}

static bool goes_on(const warren_dead_letter *letter, void *user)
{
    (void)letter;
    (void)user;
    return !say_is_interrupted();
}

enum dead_canary_end dead_canary_send(warren_admin *admin, const warren_dead_filter *filter,
                                      const struct dead_canary *canary, size_t *out_count,
                                      warren_status *rc, warren_error *err)
{
    struct watching watching = { .admin = admin, .queue = filter->queue, .sent_ms = when_now() };
    warren_dead_filter few = *filter;
    few.limit = filter->limit && filter->limit < canary->count ? filter->limit : canary->count;
    *rc = warren_dead_replay(admin, &few, goes_on, NULL, out_count, err);
    say_progress_done();
    if (*rc || !*out_count || say_is_interrupted()) {
        return *rc ? CANARY_BROKEN : CANARY_LIVES;
    }
    int64_t wait_ms = choose_wait(admin, filter->queue, canary);
    *rc = watch(&watching, wait_ms, err);
    if (*rc) {
        return CANARY_BROKEN;
    }
    if (watching.returned) {
        say("stopped: %zu of %zu canaries died again, the first was %s: %s; all others still stand "
            "in the dead queue",
            watching.returned, *out_count, *watching.id ? watching.id : "one without an id",
            watching.error);
        return CANARY_FAILED;
    }
    if (!say_is_interrupted() && !have_run(&watching, *out_count)) {
        return CANARY_FAILED;
    }
    if (!say_is_interrupted()) {
        say("none of %zu canaries came back within %" PRId64 " s", *out_count, wait_ms / 1000);
        dead_filter_watch(admin, "replaying");
    }
    return CANARY_LIVES;
}
