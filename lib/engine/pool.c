// SPDX-License-Identifier: MIT
// DESIGN: lanes that can start a job stand in one of two lists, isolated and shared; a worker takes
// a lane from the front, one job of it, and puts the lane back at the end, so that types take
// turns. Isolated lanes come first: they have their own threads by arithmetic, because the shared
// ones together never exceed `shared_limit`.
//
//     push ──▶ lane.waiting ──▶ [isolated] [shared] ──▶ worker: run(job) ──▶ next
//
// One lock guards all of it; it is held for a few instructions a job, and finishing a job and
// taking the next one is one critical section. A batch that is pushed wakes as many sleeping
// workers as it can use.
#include "engine/pool.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"

enum { LANE_LOG_EVERY_US = 10 * WR_US_PER_S };

struct worker {
    struct wr_pool *pool;
    int slot; /* its number, from 0 */
    struct wr_thread thread;
    /* Under lock, what it runs: copies, since the job may be settled and freed before its worker is
     * back here. */
    struct wr_lane *lane; /* NULL: nothing */
    int64_t deadline_us;
    char id[64];
    struct worker *outer; /* of a step inside a step's handler: the step around it */
};

struct wr_pool {
    struct wr_pool_options options;
    atomic_bool drains;
    pthread_mutex_t lock;
    pthread_cond_t work; /* something to run, or the end */
    pthread_cond_t idle; /* a worker has ended */
    /* Under lock. */
    struct wr_list isolated;
    struct wr_list shared;
    int shared_running;
    int running;
    int sleeping;
    int ended;
    bool stops;
    size_t waiting;
    uint64_t overruns;
    uint64_t lane_waits;
    struct worker *workers;
    int worker_count;       /* those that were started */
    struct worker *stepped; /* without threads: the innermost step; see wr_pool_step */
};

static struct wr_list *list_of(struct wr_pool *pool, const struct wr_lane *lane)
{
    return lane->settings->isolate ? &pool->isolated : &pool->shared;
}

static void list_lane(struct wr_pool *pool, struct wr_lane *lane)
{
    if (!lane->is_listed && wr_lane_has_work(lane)) {
        lane->is_listed = true;
        wr_list_push(list_of(pool, lane), &lane->link);
    }
}

static bool has_runnable(const struct wr_pool *pool)
{
    return pool->isolated.first ||
           (pool->shared.first && pool->shared_running < pool->options.shared_limit);
}

/* Takes a job that may start now; NULL when there is none. */
static struct warren_job *take(struct wr_pool *pool)
{
    struct wr_list *list = pool->isolated.first ? &pool->isolated : &pool->shared;
    if (!has_runnable(pool)) {
        return NULL;
    }
    struct wr_lane *lane = WR_OF(wr_list_take(list), struct wr_lane, link);
    lane->is_listed = false;
    struct warren_job *job = WR_OF(wr_list_take(&lane->waiting), struct warren_job, link);
    lane->running++;
    pool->running++;
    pool->waiting--;
    pool->shared_running += lane->settings->isolate ? 0 : 1;
    list_lane(pool, lane);
    return job;
}

static void finish(struct wr_pool *pool, struct wr_lane *lane)
{
    lane->running--;
    pool->running--;
    pool->shared_running -= lane->settings->isolate ? 0 : 1;
    list_lane(pool, lane);
}

/* A thread goes to sleep though jobs wait: their type is at its limit. Said at most every ten
 * seconds a lane. */
static void note_lane_wait(struct wr_pool *pool, struct wr_lane *lane)
{
    int64_t now_us = wr_clock_mono_us(pool->options.clock);
    if (lane->running < lane->settings->concurrency || !lane->waiting.first) {
        return;
    }
    pool->lane_waits++;
    if (!lane->last_wait_log_us || now_us - lane->last_wait_log_us > LANE_LOG_EVERY_US) {
        lane->last_wait_log_us = now_us ? now_us : 1;
        wr_log(WR_INFO, "lane.full", "queue=%s type=%s concurrency=%d waiting=%zu idle_threads=%d",
               lane->queue->name, lane->settings->type, lane->settings->concurrency,
               lane->waiting.length, pool->sleeping + 1);
    }
}

/* Once a job: its deadline is forgotten then. */
static void note_overrun(struct wr_pool *pool, struct worker *worker)
{
    char id[2 * sizeof worker->id];
    const struct wr_lane *lane = worker->lane;
    worker->deadline_us = 0;
    pool->overruns++;
    wr_log(WR_WARN, "job.overrun", "queue=%s type=%s id=%s timeout_ms=%lld", lane->queue->name,
           lane->settings->type, wr_log_quote(id, sizeof id, worker->id),
           (long long)lane->settings->timeout_ms);
}

static bool is_overdue(const struct worker *worker, int64_t now_us)
{
    return worker->lane && worker->deadline_us && now_us >= worker->deadline_us;
}

/* The watch looks only now and then, so a run that was too long may end unseen. */
static void end_run(struct wr_pool *pool, struct worker *worker)
{
    struct wr_lane *lane = worker->lane;
    if (worker->deadline_us && is_overdue(worker, wr_clock_mono_us(pool->options.clock))) {
        note_overrun(pool, worker);
    }
    worker->lane = NULL;
    finish(pool, lane);
}

static void begin_run(struct wr_pool *pool, struct worker *worker, struct warren_job *job)
{
    job->clock = pool->options.clock;
    job->drains = &pool->drains;
    job->slot = worker->slot;
    job->started_us = wr_clock_mono_us(pool->options.clock);
    job->deadline_us =
        job->settings->timeout_ms ? job->started_us + job->settings->timeout_ms * WR_US_PER_MS : 0;
    worker->lane = job->lane;
    worker->deadline_us = job->deadline_us;
    size_t size = job->id.size < sizeof worker->id - 1 ? job->id.size : sizeof worker->id - 1;
    memcpy(worker->id, job->id.data, size);
    worker->id[size] = '\0';
}

static void *work(void *user)
{
    struct worker *worker = user;
    struct wr_pool *pool = worker->pool;
    struct wr_lane *last = NULL; /* whose job this thread has just run */
    wr_crash_enter(wr_ledger_note(pool->options.ledger, worker->slot));
    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->stops) {
        struct warren_job *job = take(pool);
        if (!job) {
            if (last) {
                note_lane_wait(pool, last);
                last = NULL;
            }
            pool->sleeping++;
            (void)wr_cond_wait(&pool->work, &pool->lock, -1);
            pool->sleeping--;
            continue;
        }
        begin_run(pool, worker, job);
        last = job->lane;
        if (pool->sleeping && has_runnable(pool)) { /* finishing made room for more than one */
            (void)pthread_cond_signal(&pool->work);
        }
        (void)pthread_mutex_unlock(&pool->lock);
        pool->options.run(pool->options.user, job);
        (void)pthread_mutex_lock(&pool->lock);
        end_run(pool, worker);
    }
    wr_crash_leave();
    pool->ended++;
    (void)pthread_cond_signal(&pool->idle);
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

bool wr_pool_step(struct wr_pool *pool)
{
    struct worker worker = { .pool = pool };
    (void)pthread_mutex_lock(&pool->lock);
    struct warren_job *job = take(pool);
    if (job) {
        begin_run(pool, &worker, job);
        worker.outer = pool->stepped;
        pool->stepped = &worker; // cppcheck-suppress autoVariables; taken back below
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (!job) {
        return false;
    }
    pool->options.run(pool->options.user, job);
    WR_SCOPED_LOCK(&pool->lock);
    pool->stepped = worker.outer;
    end_run(pool, &worker);
    return true;
}

static warren_status start_workers(struct wr_pool *pool, warren_error *err)
{
    for (int i = 0; i < pool->options.threads; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->slot = i;
        warren_status rc =
            wr_thread_start(&worker->thread, "warren-worker", WR_STACK_WORKER, work, worker, err);
        if (rc) {
            return rc;
        }
        pool->worker_count++;
    }
    return WARREN_OK;
}

warren_status wr_pool_new(struct wr_pool **out, const struct wr_pool_options *options,
                          warren_error *err)
{
    struct wr_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        return wr_no_memory(err);
    }
    pool->options = *options;
    atomic_init(&pool->drains, false);
    (void)pthread_mutex_init(&pool->lock, NULL);
    wr_cond_init(&pool->work);
    wr_cond_init(&pool->idle);
    pool->workers = calloc((size_t)options->threads + 1, sizeof *pool->workers);
    warren_status rc = pool->workers ? start_workers(pool, err) : wr_no_memory(err);
    if (rc) {
        (void)wr_pool_stop(pool, -1);
        return rc;
    }
    *out = pool;
    return WARREN_OK;
}

void wr_pool_push(struct wr_pool *pool, struct wr_list *jobs)
{
    if (!jobs->first) {
        return;
    }
    WR_SCOPED_LOCK(&pool->lock);
    size_t count = jobs->length;
    for (struct wr_link *link; (link = wr_list_take(jobs));) {
        struct wr_lane *lane = WR_OF(link, struct warren_job, link)->lane;
        wr_list_push(&lane->waiting, link);
        pool->waiting++;
        list_lane(pool, lane);
    }
    for (int i = 0; i < pool->sleeping && (size_t)i < count; i++) {
        (void)pthread_cond_signal(&pool->work);
    }
}

/* Moves what waits in the lanes of one list to `out`. Lanes at their limit are in no list: see
 * take_back. */
static void empty_lane(struct wr_pool *pool, struct wr_lane *lane, struct wr_list *out)
{
    pool->waiting -= lane->waiting.length;
    wr_list_append(out, &lane->waiting);
}

struct wr_list wr_pool_take_back(struct wr_pool *pool)
{
    struct wr_list out = { 0 };
    WR_SCOPED_LOCK(&pool->lock);
    struct wr_list *const lists[] = { &pool->isolated, &pool->shared };
    for (int i = 0; i < 2; i++) {
        for (struct wr_link *link; (link = wr_list_take(lists[i]));) {
            struct wr_lane *lane = WR_OF(link, struct wr_lane, link);
            lane->is_listed = false;
            empty_lane(pool, lane, &out);
        }
    }
    for (int i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].lane) { /* a lane at its limit is found by one of its running jobs */
            empty_lane(pool, pool->workers[i].lane, &out);
        }
    }
    for (struct worker *at = pool->stepped; at; at = at->outer) {
        empty_lane(pool, at->lane, &out);
    }
    return out;
}

void wr_pool_drain(struct wr_pool *pool)
{
    atomic_store(&pool->drains, true);
}

const atomic_bool *wr_pool_drains(const struct wr_pool *pool)
{
    return &pool->drains;
}

struct wr_pool_counts wr_pool_counts(struct wr_pool *pool)
{
    WR_SCOPED_LOCK(&pool->lock);
    return (struct wr_pool_counts){ pool->running, pool->waiting, pool->overruns,
                                    pool->lane_waits };
}

void wr_pool_watch(struct wr_pool *pool)
{
    int64_t now_us = wr_clock_mono_us(pool->options.clock);
    WR_SCOPED_LOCK(&pool->lock);
    for (int i = 0; i < pool->worker_count; i++) {
        if (is_overdue(&pool->workers[i], now_us)) {
            note_overrun(pool, &pool->workers[i]);
        }
    }
}

/* A thread without a job ends by itself, so only running handlers use up the time. */
static bool wait_for_end(struct wr_pool *pool, int64_t timeout_us)
{
    int64_t until_us = wr_clock_mono_us(NULL) + timeout_us;
    WR_SCOPED_LOCK(&pool->lock);
    pool->stops = true;
    (void)pthread_cond_broadcast(&pool->work);
    while (pool->ended < pool->worker_count) {
        int64_t left_us = timeout_us < 0 ? -1 : until_us - wr_clock_mono_us(NULL);
        bool is_late = timeout_us >= 0 && left_us <= 0;
        if (is_late && pool->running) {
            return false;
        }
        (void)wr_cond_wait(&pool->idle, &pool->lock, is_late ? -1 : left_us);
    }
    return true;
}

bool wr_pool_stop(struct wr_pool *pool, int64_t timeout_us)
{
    if (!pool) {
        return true;
    }
    if (!wait_for_end(pool, timeout_us)) {
        return false;
    }
    for (int i = 0; i < pool->worker_count; i++) {
        wr_thread_join(&pool->workers[i].thread);
    }
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_cond_destroy(&pool->idle);
    free(pool->workers);
    free(pool);
    return true;
}

void wr_pool_abandon(struct wr_pool *pool)
{
    for (int i = 0; i < pool->worker_count; i++) {
        (void)pthread_detach(pool->workers[i].thread.id);
        pool->workers[i].thread.started = false; /* nobody joins it */
    }
}
