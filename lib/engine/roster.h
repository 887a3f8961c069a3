/* SPDX-License-Identifier: MIT */
/*
 * The roster: which handler does which job type, and what follows from it and the settings: a lane
 * for each type of each queue, a source for each queue at the broker, and how many threads.
 *
 * Ownership: owns lanes and sources; borrows the settings. Threads: built before the start. Afterwards
 * lanes and sources are added only, in room that is kept for them, so any thread may look at as many
 * as the counts say.
 */
#ifndef WR_ENGINE_ROSTER_H
#define WR_ENGINE_ROSTER_H

#include "engine/lane.h"
#include "engine/live.h"
#include "engine/source.h"
#include "model/settings.h"
#include "model/topology.h"

struct wr_handler_entry {
    char *queue; /* NULL: in every queue that lists the type */
    char *type;
    warren_handler *handler;
    void *user;
};

struct wr_roster {
    struct wr_handler_entry *handlers;
    size_t handler_count;
    struct wr_lane *lanes;
    _Atomic size_t lane_count;
    size_t lanes_most;       /* there is room for */
    struct wr_lane **sorted; /* per queue one run of its lanes, sorted by type */
    struct wr_source *sources;
    _Atomic size_t source_count;
    size_t sources_most;
    size_t queue_count; /* configured queues that have their lanes and sources */
    char jobs_exchange[256];
    _Atomic int threads;
    int threads_most; /* that can be started later on */
    int shared_limit; /* how many jobs of types that aren't isolated may run at once */
};

/** Adds a handler. STATE: there is one for it already. `queue` may be NULL. */
warren_status wr_roster_add(struct wr_roster *roster, const char *queue, const char *type,
                            warren_handler *handler, void *user, warren_error *err);

/** Takes the handler back that was added last. */
void wr_roster_drop_last(struct wr_roster *roster);

/** Makes lanes, sources and the thread count. CONFIG: a type without a handler or a handler without
 * a queue, all of them named. */
warren_status wr_roster_build(struct wr_roster *roster, const struct wr_settings *settings,
                              const struct wr_topology *topology, warren_error *err);

/** Whether a queue can be added now: each of its types has a handler, and there is room. False: `why`
 * says what is missing. */
bool wr_roster_accepts(const struct wr_roster *roster, const struct wr_queue_settings *queue,
                       struct wr_text *why);

/** Adds what newer settings have more: queues behind those that are there, all of them accepted. Says
 * in `out` what the worker goes by from now on. NO_MEMORY: nothing of it may be used. */
warren_status wr_roster_adopt(struct wr_roster *roster, const struct wr_settings *settings,
                              const struct wr_topology *topology, struct wr_live *out,
                              warren_error *err);

/** Says which left-over queues the broker has. */
void wr_roster_note_leftovers(struct wr_roster *roster, const struct wr_leftover *const *there,
                              size_t count);

void wr_roster_done(struct wr_roster *roster);

#endif
