// SPDX-License-Identifier: MIT
// DESIGN: what a worker is at, for somebody who looks at one that hangs: as lines of the log, since that
// is what is there when all else is stuck. What belongs to the consumer's thread is told by that thread
// when it comes round; if it doesn't, its stack says why.
#include "base/clock.h"
#include "base/log.h"
#include "base/stacks.h"
#include "front/worker.h"
#include "warren/warren.h"

enum { STACK_SIZE = 1600, LANES_MOST = 200 };

static void tell_worker(const warren *w)
{
    static const char *const states[] = { "new", "running", "stopped" };
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    wr_log_asked(
        "dump.worker",
        "name=%s state=%s ready=%d quiet=%d draining=%d blocked=%d running=%u in_flight=%u "
        "prefetch=%u threads=%d done=%llu retried=%llu dead=%llu connections=%llu "
        "publish_connections=%llu",
        w->name, states[w->state], stats.ready, stats.quiet, stats.draining, stats.blocked,
        stats.running, stats.in_flight, stats.prefetch, w->roster.threads,
        (unsigned long long)stats.done, (unsigned long long)stats.retried,
        (unsigned long long)stats.dead, (unsigned long long)stats.connections,
        (unsigned long long)stats.publish_connections);
}

/* Those that have something to do. */
static void tell_lanes(const warren *w)
{
    int told = 0;
    for (size_t i = 0; i < w->roster.lane_count && told < LANES_MOST; i++) {
        const struct wr_lane *lane = &w->roster.lanes[i];
        const struct wr_job_settings *settings = lane->settings;
        int running = 0;
        size_t waiting = 0;
        wr_pool_lane(w->pool, lane, &running, &waiting);
        if (running || waiting) {
            char queue[WR_LOG_WORD_SIZE];
            char type[WR_LOG_WORD_SIZE];
            wr_log_asked("dump.type", "queue=%s type=%s running=%d waiting=%zu concurrency=%d",
                         wr_log_word(queue, sizeof queue, lane->queue->name),
                         wr_log_word(type, sizeof type, settings->type), running, waiting,
                         settings->concurrency);
            told++;
        }
    }
}

static void tell_job(void *user, const struct wr_desk_view *view)
{
    const int64_t *now_us = user;
    const struct wr_job_settings *settings = view->lane->settings;
    char id[2 * WR_DESK_ID_SIZE];
    char queue[WR_LOG_WORD_SIZE];
    char type[WR_LOG_WORD_SIZE];
    wr_log_asked("dump.job", "queue=%s type=%s id=%s running_ms=%lld timeout_ms=%lld tid=%d",
                 wr_log_word(queue, sizeof queue, view->lane->queue->name),
                 wr_log_word(type, sizeof type, settings->type),
                 wr_log_quote(id, sizeof id, view->id),
                 (long long)((*now_us - view->started_us) / WR_US_PER_MS),
                 (long long)settings->timeout_ms, view->tid);
}

/* As many frames as a line holds. */
static void tell_stack(void *user, const struct wr_stack *stack)
{
    struct wr_text text = { 0 };
    char quoted[STACK_SIZE + 100];
    char name[40];
    (void)user;
    for (int i = 0; i < stack->frame_count && text.size < STACK_SIZE - 200; i++) {
        char frame[200];
        wr_text_add_format(&text, "%s%s", i ? " < " : "",
                           wr_stack_frame(frame, sizeof frame, stack->frames[i]));
    }
    if (stack->problem) {
        wr_text_add_format(&text, "(%s)", stack->problem);
    }
    wr_log_asked("dump.thread", "tid=%d name=%s stack=%s", stack->tid,
                 wr_log_quote(name, sizeof name, stack->name),
                 wr_log_quote(quoted, sizeof quoted, wr_text_string(&text)));
    wr_text_done(&text);
}

static void tell_parts(const warren *w, struct wr_view *view)
{
    int64_t now_us = wr_clock_mono_us(w->clock);
    (void)view;
    wr_consumer_tell(w->consumer);
    tell_lanes(w);
    wr_pool_jobs(w->pool, tell_job, &now_us);
}

/* Of the thread that got the signal, or the control's, which got an order: the other one may be
 * stopping the worker. */
void warren_dump(warren *w)
{
    tell_worker(w);
    wr_worker_with_parts(w, tell_parts, NULL);
    (void)wr_stacks_walk(tell_stack, NULL);
}
