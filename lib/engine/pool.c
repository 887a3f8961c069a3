// SPDX-License-Identifier: MIT
// DESIGN: lanes that can start a job stand in one of two lists, isolated and shared; a worker takes
// a lane from the front, some jobs of it, and puts the lane back at the end, so that types take
// turns. Isolated lanes come first: they have their own threads by arithmetic, because the shared
// ones together never exceed `shared_limit`.
//
//     push ──▶ lane.waiting ──▶ [isolated] [shared] ──▶ hand: run, run, run ──▶ next
//
// One lock guards all of it. To take it, and to wake a thread, costs more than many a job. So a worker
// fills its hand with as many jobs of a lane as should take WR_QUANTUM_NS together, runs them one after
// the other (which is one running job, as the lane's limit counts), and a thread is woken only when
// there is work for that long. What a lane's jobs take is measured; a job that was never seen counts
// as long: it is alone in its hand and has a thread woken for it. When a hand takes longer than it
// should, wr_pool_rouse gives what is left in it back to the lane and wakes as many as that is worth.
// What a run takes is kept in lane.c.
#include "engine/pool.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include "engine/hand.h"
#include "engine/overtime.h"
#include "engine/sleepers.h"

enum { LANE_LOG_EVERY_US = 10 * WR_US_PER_S, NS_PER_US = 1000 };

struct worker {
    struct wr_pool *pool;
    int slot; /* its number, from 0 */
    struct wr_thread thread;
    struct wr_hand hand; /* filled and emptied under the pool's lock */
    /* Under the pool's lock. */
    struct wr_lane *lane; /* whose jobs it runs; NULL: none */
    bool is_quick;        /* they should be done within WR_QUANTUM_NS */
    int64_t began_us;     /* with this hand */
    struct worker *outer; /* of a step inside a step's handler: the step around it */
    struct wr_sleeper sleeper;
    struct wr_overtime overtime;
    struct wr_desk desk; /* the job in hand, for others to see */
};

struct wr_pool {
    struct wr_pool_options options;
    atomic_bool drains;
    atomic_bool stops;
    _Atomic uint64_t overruns;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* a worker has ended */
    /* Under lock. */
    struct wr_list isolated;
    struct wr_list shared;
    int shared_running;
    _Atomic int running; /* who only looks needs no lock */
    struct wr_sleepers sleepers;
    int quick; /* workers whose hand should be empty within WR_QUANTUM_NS */
    int ended;
    _Atomic size_t waiting;
    _Atomic uint64_t lane_waits;
    struct worker *workers;
    _Atomic int worker_count; /* those that were started; others begin under lock only */
    struct worker *stepped;   /* without threads: the innermost step; see wr_pool_step */
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

/* In a drain nothing starts any more: what waits is given back. */
static bool has_runnable(const struct wr_pool *pool)
{
    bool has_lane = pool->isolated.first ||
                    (pool->shared.first && pool->shared_running < pool->options.shared_limit);
    return has_lane && !atomic_load(&pool->drains);
}

/* --- hands --- */

static void begin_hand(struct wr_pool *pool, struct worker *worker, struct wr_lane *lane)
{
    worker->lane = lane;
    worker->is_quick = wr_lane_expected_ns(lane) < WR_QUANTUM_NS;
    worker->began_us = wr_clock_mono_us(pool->options.clock);
    lane->running++;
    pool->running++;
    pool->shared_running += lane->settings->isolate ? 0 : 1;
    pool->quick += worker->is_quick ? 1 : 0;
}

/* What is left in a hand goes back to the front of its lane. */
static void empty_hand(struct wr_pool *pool, struct worker *worker)
{
    struct wr_list left = { 0 };
    for (struct warren_job *job; (job = wr_hand_play(&worker->hand));) {
        wr_list_push(&left, &job->link);
    }
    if (left.first) {
        pool->waiting += left.length;
        wr_list_append(&left, &worker->lane->waiting);
        worker->lane->waiting = left;
        list_lane(pool, worker->lane);
    }
}

static void note_slow(struct wr_pool *pool, struct worker *worker)
{
    pool->quick -= worker->is_quick ? 1 : 0;
    worker->is_quick = false;
}

static void end_hand(struct wr_pool *pool, struct worker *worker)
{
    struct wr_lane *lane = worker->lane;
    empty_hand(pool, worker); /* the pool drains, or stops */
    note_slow(pool, worker);
    worker->lane = NULL;
    lane->running--;
    pool->running--;
    pool->shared_running -= lane->settings->isolate ? 0 : 1;
    list_lane(pool, lane);
}

/* Fills the worker's hand; false: nothing may start now. */
static bool take(struct wr_pool *pool, struct worker *worker)
{
    struct wr_list *list = pool->isolated.first ? &pool->isolated : &pool->shared;
    if (!has_runnable(pool)) {
        return false;
    }
    struct wr_lane *lane = WR_OF(wr_list_take(list), struct wr_lane, link);
    lane->is_listed = false;
    int64_t most = pool->options.threads ? WR_QUANTUM_NS / wr_lane_expected_ns(lane) : 1;
    pool->waiting -= wr_hand_fill(&worker->hand, &lane->waiting, (uint32_t)most);
    begin_hand(pool, worker, lane);
    list_lane(pool, lane);
    return true;
}

/* A thread goes to sleep though jobs wait: the type that it ran last (NULL: none) is at its limit. Said
 * at most every ten seconds a lane. */
static void note_lane_wait(struct wr_pool *pool, struct wr_lane *lane)
{
    if (!lane || lane->running < lane->settings->concurrency || !lane->waiting.first) {
        return;
    }
    int64_t now_us = wr_clock_mono_us(pool->options.clock);
    pool->lane_waits++;
    if (!lane->last_wait_log_us || now_us - lane->last_wait_log_us > LANE_LOG_EVERY_US) {
        lane->last_wait_log_us = now_us ? now_us : 1;
        char queue[WR_LOG_WORD_SIZE];
        char type[WR_LOG_WORD_SIZE];
        wr_log(WR_INFO, "lane.full", "queue=%s type=%s concurrency=%d waiting=%zu idle_threads=%d",
               wr_log_word(queue, sizeof queue, lane->queue->name),
               wr_log_word(type, sizeof type, lane->settings->type), lane->settings->concurrency,
               lane->waiting.length, pool->sleepers.count + 1);
    }
}

/* --- running --- */

static void note_overrun(struct wr_pool *pool, struct worker *worker)
{
    if (wr_overtime_look(&worker->overtime, wr_clock_mono_us(pool->options.clock))) {
        (void)atomic_fetch_add(&pool->overruns, 1);
    }
}

static void run(struct wr_pool *pool, struct worker *worker, struct warren_job *job)
{
    const struct wr_lane *lane = job->lane;
    job->settings = atomic_load(&lane->settings); /* there may be newer ones by now */
    int64_t timeout_ms = job->settings->timeout_ms;
    job->clock = pool->options.clock;
    job->drains = &pool->drains;
    job->slot = worker->slot;
    job->started_us = wr_clock_mono_us(pool->options.clock);
    job->deadline_us = timeout_ms ? job->started_us + timeout_ms * WR_US_PER_MS : 0;
    wr_desk_begin(&worker->desk, job);
    if (timeout_ms) {
        wr_overtime_begin(&worker->overtime, job);
    }
    pool->options.run(pool->options.user, job);
    if (timeout_ms) {
        note_overrun(pool, worker);
        wr_overtime_end(&worker->overtime);
    }
}

static bool may_start(const struct wr_pool *pool)
{
    return !atomic_load(&pool->stops) && !atomic_load(&pool->drains);
}

/* Runs what is in its hand, until the pool drains or stops. */
static void run_hand(struct wr_pool *pool, struct worker *worker)
{
    int64_t from_us = wr_clock_mono_us(pool->options.clock);
    int64_t runs = 0;
    for (struct warren_job *job; may_start(pool) && (job = wr_hand_play(&worker->hand));) {
        run(pool, worker, job);
        runs++;
    }
    wr_desk_end(&worker->desk);
    if (runs) {
        wr_lane_note_runs(worker->lane, wr_clock_mono_us(pool->options.clock) - from_us, runs);
    }
}

/* For how long what waits should keep one thread busy, valued by the lane that is next; 0 when
 * nothing may start. */
static int64_t backlog_ns(const struct wr_pool *pool)
{
    const struct wr_link *first = pool->isolated.first ? pool->isolated.first : pool->shared.first;
    if (!has_runnable(pool)) {
        return 0;
    }
    return (int64_t)pool->waiting * wr_lane_expected_ns(WR_OF(first, struct wr_lane, link));
}

static void *work(void *user)
{
    struct worker *worker = user;
    struct wr_pool *pool = worker->pool;
    struct wr_lane *last = NULL; /* whose jobs this thread has just run */
    wr_crash_enter(wr_ledger_note(pool->options.ledger, worker->slot));
    atomic_store(&worker->desk.tid, (int)syscall(SYS_gettid));
    (void)pthread_mutex_lock(&pool->lock);
    while (!atomic_load(&pool->stops)) {
        if (!take(pool, worker)) {
            note_lane_wait(pool, last);
            wr_sleepers_join(&pool->sleepers, &worker->sleeper, &pool->lock);
            last = NULL;
            continue;
        }
        last = worker->lane;
        bool has_more = pool->sleepers.top && backlog_ns(pool) >= WR_QUANTUM_NS; /* it made room */
        struct wr_sleeper *called = wr_sleepers_call(&pool->sleepers, has_more ? 1 : 0);
        (void)pthread_mutex_unlock(&pool->lock);
        wr_sleepers_wake(called);
        run_hand(pool, worker);
        (void)pthread_mutex_lock(&pool->lock);
        end_hand(pool, worker);
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
    wr_overtime_init(&worker.overtime);
    (void)pthread_mutex_lock(&pool->lock);
    bool has_job = take(pool, &worker);
    if (has_job) {
        worker.outer = pool->stepped;
        pool->stepped = &worker; // cppcheck-suppress autoVariables; taken back below
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (has_job) {
        int64_t from_us = wr_clock_mono_us(pool->options.clock);
        run(pool, &worker, wr_hand_play(&worker.hand));
        wr_lane_note_runs(worker.lane, wr_clock_mono_us(pool->options.clock) - from_us, 1);
        WR_SCOPED_LOCK(&pool->lock);
        pool->stepped = worker.outer;
        end_hand(pool, &worker);
    }
    wr_overtime_done(&worker.overtime);
    return has_job;
}

/* A thread may run before it is counted, but it takes nothing before that. */
static warren_status start_workers(struct wr_pool *pool, int wanted, warren_error *err)
{
    while (pool->worker_count < wanted) {
        struct worker *worker = &pool->workers[pool->worker_count];
        WR_SCOPED_LOCK(&pool->lock);
        worker->pool = pool;
        worker->slot = pool->worker_count;
        wr_overtime_init(&worker->overtime);
        wr_sleeper_init(&worker->sleeper);
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
    wr_cond_init(&pool->idle);
    bool can_grow = options->threads_most > options->threads;
    pool->options.threads_most = can_grow ? options->threads_most : options->threads;
    pool->workers = calloc((size_t)pool->options.threads_most + 1, sizeof *pool->workers);
    warren_status rc =
        pool->workers ? start_workers(pool, options->threads, err) : wr_no_memory(err);
    if (rc) {
        (void)wr_pool_stop(pool, -1);
        return rc;
    }
    *out = pool;
    return WARREN_OK;
}

static void unlist_all(struct wr_pool *pool)
{
    struct wr_list *const lists[] = { &pool->isolated, &pool->shared };
    for (int i = 0; i < 2; i++) {
        for (struct wr_link *link; (link = wr_list_take(lists[i]));) {
            WR_OF(link, struct wr_lane, link)->is_listed = false;
        }
    }
}

warren_status wr_pool_grow(struct wr_pool *pool, const struct wr_live *live, warren_error *err)
{
    int most = pool->options.threads_most;
    int wanted = live->threads < most ? live->threads : most;
    return pool->options.threads ? start_workers(pool, wanted, err) : WARREN_OK;
}

void wr_pool_adopt(struct wr_pool *pool, struct wr_lane *lanes, const struct wr_live *live)
{
    struct wr_sleeper *called;
    {
        WR_SCOPED_LOCK(&pool->lock);
        unlist_all(pool); /* a lane may be at its limit now, and another no longer */
        size_t count = wr_lanes_adopt(lanes, live->settings);
        for (size_t i = 0; i < count; i++) {
            list_lane(pool, &lanes[i]);
        }
        pool->options.threads = pool->options.threads ? live->threads : 0;
        pool->options.shared_limit = live->shared_limit;
        called = wr_sleepers_call(&pool->sleepers, pool->sleepers.count);
    }
    wr_sleepers_wake(called);
}

/* How many more threads the new work is worth: one for each job that is long or unknown; for the short
 * ones those that will be back soon count. */
static int64_t count_needed(const struct wr_pool *pool, int64_t work_ns, int64_t long_jobs,
                            bool has_short)
{
    int64_t needed = work_ns / WR_QUANTUM_NS - pool->quick;
    int64_t least = long_jobs + (has_short && !pool->quick ? 1 : 0);
    needed = needed > least ? needed : least;
    return needed < pool->sleepers.count ? needed : pool->sleepers.count;
}

int64_t wr_pool_push(struct wr_pool *pool, struct wr_list *jobs)
{
    if (!jobs->first) {
        return 0;
    }
    int64_t work_ns = 0;
    int64_t long_jobs = 0;
    bool has_short = false;
    struct wr_sleeper *called;
    {
        WR_SCOPED_LOCK(&pool->lock);
        pool->waiting += jobs->length;
        for (struct wr_link *link; (link = wr_list_take(jobs));) {
            struct wr_lane *lane = WR_OF(link, struct warren_job, link)->lane;
            bool is_long = wr_lane_expected_ns(lane) == WR_QUANTUM_NS;
            wr_list_push(&lane->waiting, link);
            work_ns += wr_lane_expected_ns(lane);
            long_jobs += is_long ? 1 : 0;
            has_short = has_short || !is_long;
            list_lane(pool, lane);
        }
        called =
            wr_sleepers_call(&pool->sleepers, count_needed(pool, work_ns, long_jobs, has_short));
    }
    wr_sleepers_wake(called);
    return work_ns;
}

int wr_pool_slots(struct wr_pool *pool, struct wr_lane *const *lanes, size_t count)
{
    WR_SCOPED_LOCK(&pool->lock);
    int free = pool->options.shared_limit - pool->shared_running;
    int running = 0;
    int most = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_shared = !lanes[i]->settings->isolate;
        running += is_shared ? lanes[i]->running : 0;
        most += is_shared ? lanes[i]->settings->concurrency : 0;
    }
    return running + free < most ? running + free : most;
}

/* The same for what stands behind hands that are late. Whoever is woken wakes the next one, if what
 * is left is worth it. */
static int64_t count_behind(const struct wr_pool *pool)
{
    int64_t needed = backlog_ns(pool) / WR_QUANTUM_NS - pool->quick;
    needed = needed < 1 && has_runnable(pool) ? 1 : needed;
    return needed < pool->sleepers.count ? needed : pool->sleepers.count;
}

bool wr_pool_rouse(struct wr_pool *pool)
{
    int64_t late_us = wr_clock_mono_us(pool->options.clock) - 2 * WR_QUANTUM_NS / NS_PER_US;
    struct wr_sleeper *called;
    bool has_young;
    {
        WR_SCOPED_LOCK(&pool->lock);
        has_young = pool->sleepers.coming > 0; /* who knows what they will take */
        bool are_late = pool->running == 0 && pool->sleepers.coming == 0;
        for (int i = 0; i < pool->worker_count; i++) {
            struct worker *worker = &pool->workers[i];
            if (worker->lane && worker->began_us <= late_us) {
                are_late = are_late || worker->is_quick;
                empty_hand(pool, worker);
                note_slow(pool, worker);
            }
            has_young = has_young || wr_hand_has_more(&worker->hand);
        }
        called = wr_sleepers_call(&pool->sleepers, are_late ? count_behind(pool) : 0);
    }
    wr_sleepers_wake(called);
    return has_young;
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
        struct worker *worker = &pool->workers[i];
        for (struct warren_job *job; (job = wr_hand_play(&worker->hand));) {
            wr_list_push(&out, &job->link);
        }
        if (worker->lane) { /* a lane at its limit is found by one of its running jobs */
            empty_lane(pool, worker->lane, &out);
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
    return (struct wr_pool_counts){ pool->running, pool->waiting, atomic_load(&pool->overruns),
                                    pool->lane_waits };
}

void wr_pool_lane(struct wr_pool *pool, const struct wr_lane *lane, int *out_running,
                  size_t *out_waiting)
{
    WR_SCOPED_LOCK(&pool->lock);
    *out_running = lane->running;
    *out_waiting = lane->waiting.length;
}

void wr_pool_jobs(struct wr_pool *pool, void (*visit)(void *user, const struct wr_desk_view *view),
                  void *user)
{
    int count = pool->worker_count;
    for (int i = 0; i < count; i++) {
        struct wr_desk_view view;
        if (wr_desk_look(&pool->workers[i].desk, &view)) {
            visit(user, &view);
        }
    }
}

void wr_pool_watch(struct wr_pool *pool)
{
    for (int i = 0; i < pool->worker_count; i++) {
        note_overrun(pool, &pool->workers[i]);
    }
}

/* A thread without a job ends by itself, so only running handlers use up the time. */
static bool wait_for_end(struct wr_pool *pool, int64_t timeout_us)
{
    int64_t until_us = wr_clock_mono_us(NULL) + timeout_us;
    WR_SCOPED_LOCK(&pool->lock);
    atomic_store(&pool->stops, true);
    wr_sleepers_wake(wr_sleepers_call(&pool->sleepers, pool->sleepers.count));
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
        wr_overtime_done(&pool->workers[i].overtime);
    }
    for (int i = 0; i < pool->worker_count; i++) { /* nobody wakes anybody any more */
        wr_sleeper_done(&pool->workers[i].sleeper);
    }
    (void)pthread_mutex_destroy(&pool->lock);
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
