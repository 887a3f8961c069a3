/* SPDX-License-Identifier: MIT */
/*
 * The pool: threads that take jobs from runnable lanes and call one function with each. It knows no
 * verdicts and no broker. Isolated types keep threads of their own: all other types together never
 * hold more than what the isolated ones leave.
 *
 * Threads: push, take back and the counts may be called by any thread. Without threads (0) the
 * owner calls wr_pool_step, which is how tests run the engine.
 */
#ifndef WR_ENGINE_POOL_H
#define WR_ENGINE_POOL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "engine/desk.h"
#include "engine/lane.h"
#include "engine/live.h"
#include "io/ledger.h"
#include "model/job.h"

struct wr_pool;

struct wr_pool_options {
    int threads;      /* how many to start; 0: none, the owner steps */
    int threads_most; /* how many there can be later on; less than `threads`: as many */
    int shared_limit; /* how many jobs of types that aren't isolated may run at once */
    const struct wr_clock *clock;
    struct wr_ledger *ledger; /* keeps the notes of faults; may be NULL */
    void (*run)(
        void *user,
        struct warren_job *job); /* on a worker thread; the job is the callee's afterwards */
    void *user;
};

struct wr_pool_counts {
    int running;
    size_t waiting;
    uint64_t overruns;   /* jobs that ran past their timeout */
    uint64_t lane_waits; /* times a lane at its limit held jobs back while a thread was idle */
};

warren_status wr_pool_new(struct wr_pool **out, const struct wr_pool_options *options,
                          warren_error *err);

/** Starts as many threads more as `live` asks for. An error: there are fewer, nothing else has
 * changed. The owner. */
warren_status wr_pool_grow(struct wr_pool *pool, const struct wr_live *live, warren_error *err);

/** From now on the pool keeps to these limits, and the lanes (in the order of the settings) have their
 * newer settings. Threads that are too many stay idle; what runs goes on. After wr_pool_grow. */
void wr_pool_adopt(struct wr_pool *pool, struct wr_lane *lanes, const struct wr_live *live);

/** Hands jobs over, each to its `lane`; the list is empty afterwards. Takes. Returns for how many
 * nanoseconds they should keep one thread busy, as far as that is known. */
int64_t wr_pool_push(struct wr_pool *pool, struct wr_list *jobs);

/** Some job takes longer than those of its type before it: what stands behind it in the same hand is
 * given to others. To be called when nothing has come home for a moment, and now and then. Returns
 * whether a thread that isn't late yet holds more than the job it runs, so that the caller looks again
 * soon. */
bool wr_pool_rouse(struct wr_pool *pool);

/** How many threads the types of these lanes that aren't isolated have or could have at this moment. */
int wr_pool_slots(struct wr_pool *pool, struct wr_lane *const *lanes, size_t count);

/** Takes back every job that has not started. */
struct wr_list wr_pool_take_back(struct wr_pool *pool);

/** Runs one job on this thread; false when none may start. Only without threads. A handler may step
 * again: the jobs then run at the same time as its own, under the same limits. */
bool wr_pool_step(struct wr_pool *pool);

/** Says that a drain has begun: no job starts any more, and warren_job_cancelled turns true. Any
 * thread. */
void wr_pool_drain(struct wr_pool *pool);
const atomic_bool *wr_pool_drains(const struct wr_pool *pool);

/** Any thread; waits for nobody. */
struct wr_pool_counts wr_pool_counts(struct wr_pool *pool);

/** What a lane has at this moment. */
void wr_pool_lane(struct wr_pool *pool, const struct wr_lane *lane, int *out_running,
                  size_t *out_waiting);

/** Names each thread's running job. Any thread; waits for nobody, so one that has just ended may still be
 * named. Without threads there are none. */
void wr_pool_jobs(struct wr_pool *pool, void (*visit)(void *user, const struct wr_desk_view *view),
                  void *user);

/** Logs and counts, once each, the jobs that run past their deadline. Called about once a second by
 * one thread. */
void wr_pool_watch(struct wr_pool *pool);

/** Ends the threads; no waiting job is started any more (take them back before). False: some still
 * ran a handler after `timeout_us` (< 0: waits without end); then nothing may be freed, and the
 * pool lives on. True: all have ended and the pool is freed. NULL is fine. */
bool wr_pool_stop(struct wr_pool *pool, int64_t timeout_us);

/** After a stop that returned false, instead of another one: each thread goes by itself when its
 * handler returns, and the pool is never freed. */
void wr_pool_abandon(struct wr_pool *pool);

#endif
