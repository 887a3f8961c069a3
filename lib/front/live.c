// SPDX-License-Identifier: MIT
// DESIGN: changes of a worker that runs. There is one way in for all of them, whoever asks for one (a
// reload, an operator's order): newer settings, whole, of which the parts take what concerns
// them. What they replace is kept until the worker is closed, since a job, a connection or a thread
// may be reading it; so nobody has to be waited for, and nothing is counted or locked where jobs run.
#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "front/control.h"
#include "front/worker.h"

/* The topology of more queues; NULL when there are none. */
static warren_status extend_topology(const warren *w, const struct wr_settings *settings,
                                     struct wr_topology **out, warren_error *err)
{
    if (settings->queue_count == w->roster.queue_count) {
        return WARREN_OK;
    }
    return wr_topology_build(out, settings, w->trusts_x_death, err);
}

/* Threads that the system refuses now are asked for again with the next change. */
static void grow_pool(const warren *w, const struct wr_live *live)
{
    warren_error err = { .status = WARREN_OK };
    char quoted[300];
    if (wr_pool_grow(w->pool, live, &err)) {
        wr_log(WR_ERROR, "threads.failed", "wanted=%d error=%s", live->threads,
               wr_log_quote(quoted, sizeof quoted, err.text));
    }
}

/* A level that the program chose itself stays, unless it is changed here. */
static void adopt_level(const struct wr_settings *before, const struct wr_settings *newer)
{
    enum wr_level level = wr_level_find(newer->log_level);
    if (level != wr_level_find(before->log_level)) {
        wr_log_set_level(level);
    }
}

static warren_status adopt(warren *w, struct wr_generation *step, warren_error *err)
{
    struct wr_settings *newer = step->settings;
    struct wr_topology *topology = NULL;
    warren_status rc = extend_topology(w, newer, &topology, err);
    rc = rc ? rc
            : wr_roster_adopt(&w->roster, newer, topology ? topology : w->topology, &step->live,
                              err);
    if (rc) {
        wr_topology_free(topology);
        return rc;
    }
    grow_pool(w, &step->live);
    if (topology) {
        step->topology = atomic_exchange(&w->topology, topology);
    }
    wr_pool_adopt(w->pool, w->roster.lanes, &step->live);
    w->runner.settings = newer;
    wr_consumer_adopt(w->consumer, &step->live);
    step->settings = atomic_exchange(&w->settings, newer);
    adopt_level(step->settings, newer);
    wr_front_control_poke(w->control); /* what is paused holds for what has come, too */
    return WARREN_OK;
}

warren_status wr_worker_adopt(warren *w, struct wr_settings *settings, warren_error *err)
{
    struct wr_generation *step = calloc(1, sizeof *step);
    if (!step) {
        wr_settings_free(settings);
        return wr_no_memory(err);
    }
    step->settings = settings;
    step->earlier = w->generations;
    w->generations = step; /* also after an error: somebody may have looked at it */
    return adopt(w, step, err);
}

void wr_worker_forget(warren *w)
{
    for (struct wr_generation *step; (step = w->generations);) {
        w->generations = step->earlier;
        wr_settings_free(step->settings);
        wr_topology_free(step->topology);
        free(step);
    }
}

static warren_status refuse_stopped(const warren *w, warren_error *err)
{
    return w->state == WR_WORKER_RUNNING ? WARREN_OK
                                         : wr_fail(err, WARREN_STATE, "the worker does not run");
}

warren_status warren_pause(warren *w, warren_error *err)
{
    warren_status rc = refuse_stopped(w, err);
    if (!rc) {
        wr_consumer_quiet(w->consumer, true);
    }
    return rc;
}

warren_status warren_resume(warren *w, warren_error *err)
{
    warren_status rc = refuse_stopped(w, err);
    if (!rc) {
        wr_consumer_quiet(w->consumer, false);
    }
    return rc;
}

void wr_worker_heed(warren *w, int signal)
{
    switch (signal) {
    case SIGHUP:
        wr_service_reloading(&w->service);
        (void)warren_reload(w, NULL); /* it has told the log */
        wr_service_reloaded(&w->service);
        return;
    case SIGTSTP:
        (void)warren_pause(w, NULL);
        return;
    case SIGCONT:
        (void)warren_resume(w, NULL);
        return;
    case SIGUSR1:
        warren_dump(w);
        return;
    default:
        return;
    }
}
