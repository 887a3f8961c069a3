// SPDX-License-Identifier: MIT
// DESIGN: a thread that sleeps nearly always: ten looks an interval, a write now and then.
//
//     look ──▶ mean of the last ten ──▶ another band? ──▶ PATCH ──▶ written
//                                       interval over?      └ failed: wait 2, 4, … intervals
//
// The mean smooths what short jobs make of a number that is looked at ten times; the band, which is
// around what was written last, keeps a number at its edge from being written again and again. A
// handler never meets any of it: the number is read from the pool without a lock.
#include "engine/pod_cost.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include "io/pod.h"

enum { TELL_MOST_MS = 5000, STOP_US = 1000000, WHY_SIZE = 256, DOUBLINGS_MOST = 16 };
static const int64_t wait_most_us = 300 * WR_US_PER_S;

struct wr_pod_cost {
    struct wr_pod_cost_options options;
    void *tell_user;    /* of options.tell */
    struct wr_pod *pod; /* NULL: told otherwise */
    struct wr_thread thread;
    _Atomic uint64_t done;
    _Atomic uint64_t failed;
    _Atomic int64_t until_us; /* a write must have ended by then */
    /* The thread's. */
    int looks[WR_POD_COST_LOOKS];
    int look_count;
    int next_look;
    int64_t look_due_us;
    int64_t tell_due_us;
    int32_t written;
    bool has_written; /* what the pod was left with by an earlier container is not known */
    bool has_told_drain;
    int failures; /* in a row */
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stops;
    bool is_poked;
};

/* --- the number --- */

static void note_look(struct wr_pod_cost *cost, int running)
{
    cost->looks[cost->next_look] = running;
    cost->next_look = (cost->next_look + 1) % WR_POD_COST_LOOKS;
    cost->look_count += cost->look_count < WR_POD_COST_LOOKS ? 1 : 0;
}

/* At most the threads of a process, which is far within what the annotation may have. */
static int32_t mean(const struct wr_pod_cost *cost)
{
    int64_t sum = 0;
    for (int i = 0; i < cost->look_count; i++) {
        sum += cost->looks[i];
    }
    int64_t rounded_up = (sum + cost->look_count - 1) / cost->look_count;
    return rounded_up < INT32_MAX ? (int32_t)rounded_up : INT32_MAX;
}

static bool is_other_band(int32_t wanted, int32_t written)
{
    if (wanted <= 0 || written <= 0) {
        return wanted != written;
    }
    return wanted >= 2 * (int64_t)written || 2 * (int64_t)wanted <= written;
}

/* --- writing --- */

static bool tell_api(void *user, int32_t number, const _Atomic int64_t *until_us, char *why)
{
    const struct wr_pod_cost *cost = user;
    struct wr_post_result result;
    if (wr_pod_tell_cost(cost->pod, number, TELL_MOST_MS, until_us, &result) == WARREN_OK) {
        return true;
    }
    (void)snprintf(why, WHY_SIZE, "%s", result.text);
    return false;
}

static int64_t wait_us(const struct wr_pod_cost *cost)
{
    int doublings = cost->failures < DOUBLINGS_MOST ? cost->failures : DOUBLINGS_MOST;
    int64_t interval_us = cost->options.interval_ms * WR_US_PER_MS;
    int64_t wanted_us = interval_us << doublings;
    int64_t most_us = wait_most_us > interval_us ? wait_most_us : interval_us;
    return wanted_us < most_us ? wanted_us : most_us;
}

static void note_failure(struct wr_pod_cost *cost, const char *why)
{
    char quoted[2 * WHY_SIZE];
    (void)atomic_fetch_add(&cost->failed, 1);
    cost->failures++;
    wr_log(WR_WARN, "pod.failed", "next_try_ms=%lld error=%s",
           (long long)(wait_us(cost) / WR_US_PER_MS), wr_log_quote(quoted, sizeof quoted, why));
}

static bool is_being_stopped(struct wr_pod_cost *cost)
{
    WR_SCOPED_LOCK(&cost->lock);
    return cost->stops;
}

static void tell(struct wr_pod_cost *cost, int32_t number, int64_t now_us)
{
    char why[WHY_SIZE] = "";
    if (cost->options.tell(cost->tell_user, number, &cost->until_us, why)) {
        (void)atomic_fetch_add(&cost->done, 1);
        cost->written = number;
        cost->has_written = true;
        cost->failures = 0;
        wr_log(WR_DEBUG, "pod.cost", "cost=%d", (int)number);
    } else if (!is_being_stopped(cost)) { /* else it was cut from here */
        note_failure(cost, why);
    }
    cost->tell_due_us = now_us + wait_us(cost);
}

void wr_pod_cost_step(struct wr_pod_cost *cost, int64_t now_us)
{
    struct wr_pod_load load = { 0 };
    cost->options.look(cost->options.user, &load); /* first: what it looks at may be gone later */
    if (now_us >= cost->look_due_us) {
        note_look(cost, load.running);
        cost->look_due_us = now_us + cost->options.interval_ms * WR_US_PER_MS / WR_POD_COST_LOOKS;
    }
    int32_t wanted = load.drains ? WR_POD_COST_DRAINING : mean(cost);
    bool is_drain_new = load.drains && !cost->has_told_drain;
    bool is_other = !cost->has_written || is_other_band(wanted, cost->written);
    if (is_other && (is_drain_new || now_us >= cost->tell_due_us)) {
        cost->has_told_drain = load.drains;
        tell(cost, wanted, now_us);
    }
}

/* --- the thread --- */

/* Waits for the next look. False: it is to stop. */
static bool wait(struct wr_pod_cost *cost)
{
    int64_t left_us = cost->look_due_us - wr_clock_mono_us(NULL);
    WR_SCOPED_LOCK(&cost->lock);
    if (!cost->stops && !cost->is_poked && left_us > 0) {
        (void)wr_cond_wait(&cost->wake, &cost->lock, left_us);
    }
    cost->is_poked = false;
    return !cost->stops;
}

static void *loop(void *user)
{
    struct wr_pod_cost *cost = user;
    while (wait(cost)) {
        wr_pod_cost_step(cost, wr_clock_mono_us(NULL));
    }
    return NULL;
}

warren_status wr_pod_cost_start(struct wr_pod_cost *cost, warren_error *err)
{
    return wr_thread_start(&cost->thread, "warren-pod", WR_STACK_IO, loop, cost, err);
}

void wr_pod_cost_poke(struct wr_pod_cost *cost)
{
    if (cost) {
        WR_SCOPED_LOCK(&cost->lock);
        cost->is_poked = true;
        (void)pthread_cond_signal(&cost->wake);
    }
}

/* --- life --- */

static warren_status prepare(struct wr_pod_cost *cost, warren_error *err)
{
    struct wr_pod_options pod = { cost->options.api, cost->options.account };
    if (cost->options.tell) {
        cost->tell_user = cost->options.user;
        return WARREN_OK;
    }
    cost->options.tell = tell_api;
    cost->tell_user = cost;
    return wr_pod_open(&cost->pod, &pod, err);
}

warren_status wr_pod_cost_new(struct wr_pod_cost **out, const struct wr_pod_cost_options *options,
                              warren_error *err)
{
    struct wr_pod_cost *cost = calloc(1, sizeof *cost);
    if (!cost) {
        return wr_no_memory(err);
    }
    cost->options = *options;
    atomic_init(&cost->until_us, INT64_MAX);
    (void)pthread_mutex_init(&cost->lock, NULL);
    wr_cond_init(&cost->wake);
    warren_status rc = prepare(cost, err);
    if (rc) {
        wr_pod_cost_free(cost);
        return rc;
    }
    *out = cost;
    return WARREN_OK;
}

struct wr_pod_cost_counts wr_pod_cost_counts(const struct wr_pod_cost *cost)
{
    if (!cost) {
        return (struct wr_pod_cost_counts){ 0 };
    }
    return (struct wr_pod_cost_counts){ atomic_load(&cost->done), atomic_load(&cost->failed) };
}

bool wr_pod_cost_stop(struct wr_pod_cost *cost)
{
    if (!cost) {
        return true;
    }
    {
        WR_SCOPED_LOCK(&cost->lock);
        cost->stops = true;
        (void)pthread_cond_signal(&cost->wake);
    }
    atomic_store(&cost->until_us, 0);
    return wr_thread_join_within(&cost->thread, STOP_US);
}

void wr_pod_cost_free(struct wr_pod_cost *cost)
{
    if (!cost) {
        return;
    }
    wr_pod_close(cost->pod);
    (void)pthread_mutex_destroy(&cost->lock);
    (void)pthread_cond_destroy(&cost->wake);
    free(cost);
}
