/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a `warren`, for the files that start it in another way (front/testing.c) or
 * publish for it (front/publisher.c). Threads: the owner's, but for what its parts say.
 */
#ifndef WR_FRONT_WORKER_H
#define WR_FRONT_WORKER_H

#include <pthread.h>

#include "engine/consumer.h"
#include "engine/pod_cost.h"
#include "engine/roster.h"
#include "engine/watchdog.h"
#include "front/publisher.h"
#include "front/service.h"
#include "io/plugin.h"
#include "model/topology.h"
#include "warren/worker.h"
#include "web/pages.h"

struct wr_front_control;

enum wr_worker_state { WR_WORKER_NEW, WR_WORKER_RUNNING, WR_WORKER_STOPPED };

/* What a change has replaced: somebody may still read it. */
struct wr_generation {
    struct wr_generation *earlier;
    struct wr_settings *settings;
    struct wr_topology *topology; /* NULL: it stays */
    struct wr_live live;          /* what came instead */
};

struct warren {
    _Atomic(struct wr_settings *) settings; /* the newest */
    _Atomic enum wr_worker_state state;
    atomic_bool was_told_to_drain; /* by an order, whose signal has not been taken */
    bool is_run;                   /* by warren_run, which SIGTERM ends */
    int64_t started_ms;            /* wall clock */
    const struct wr_clock *clock;  /* NULL: the machine's */
    bool is_stepped;               /* no threads: front/testing.c steps the parts */
    bool is_abandoned; /* a handler, or a call that can't be cut, still runs: nothing may
                                     be freed */
    /* Told of each message that is confirmed, retries aside; may be NULL. */
    void (*confirmed)(void *user, const struct wr_message *message);
    void *confirmed_user;
    char name[128];          /* in histories: host-pid */
    char consumer_name[192]; /* at the broker */
    char publisher_name[192];
    struct wr_plugin *plugins;
    size_t plugin_count;
    struct wr_roster roster;
    _Atomic(struct wr_topology *) topology; /* the newest */
    bool trusts_x_death;                    /* the server does, so the topology is for that */
    struct wr_counters counters;
    struct wr_tracer *tracer; /* NULL: nothing is traced */
    struct wr_charge *charge; /* NULL: none wanted, or none possible */
    struct wr_watch consumer_watch;
    struct wr_watch publisher_watch;
    struct wr_watch control_watch;
    struct wr_watchdog *dog; /* over all three; NULL when stepped */
    struct wr_publisher *publisher;
    struct warren_publisher *front; /* the public face of `publisher` */
    struct wr_consumer *consumer;
    struct wr_pool *pool;
    struct wr_runner runner;
    struct wr_front_control *control; /* NULL: none wanted */
    struct wr_pod_cost *pod_cost;     /* NULL: none wanted, or none possible */
    struct wr_http *http;             /* NULL: none wanted, or not started */
    struct wr_pages pages;
    struct wr_service service; /* the main thread's, during warren_run */
    atomic_bool has_started;
    /* Changes while it runs: front/live.c, front/reload.c. */
    pthread_mutex_t live_lock;         /* one at a time; above the pool's lock */
    struct wr_generation *generations; /* under it */
    atomic_bool is_as_configured;      /* the files' last state is in effect */
    _Atomic int64_t configured_ms;     /* since when: wall clock */
    /* Under the lock: warren_stats may be called by any thread while another starts or stops. */
    pthread_mutex_t look_lock;
    bool has_parts;         /* pool, consumer and publisher may be looked at */
    warren_stats_data last; /* what they said at their end */
};

/** Starts; `signals` (may be NULL) ends the wait for a broker: then STATE with an empty text. */
struct wr_signals;
warren_status wr_worker_start(warren *w, const struct wr_signals *signals, warren_error *err);

/** Loads the plugins that the settings list. Before the start. */
warren_status wr_worker_load_plugins(warren *w, warren_error *err);

/**
 * Puts newer settings into effect: a wr_settings_copy of the present ones, with other values of what
 * is LIVE in the table, and with new queues behind the old ones that the roster accepts. Takes them,
 * also on an error, when nothing has changed. Any thread, while the worker runs; the caller holds
 * live_lock from before the copy on, or what another one puts into effect meanwhile would be undone.
 */
warren_status wr_worker_adopt(warren *w, struct wr_settings *settings, warren_error *err);

/** Frees what changes have replaced. */
void wr_worker_forget(warren *w);

/** Does what a signal asks for: reload, quiet, resume, dump. Others are ignored. */
void wr_worker_heed(warren *w, int signal);

/** Opens `service` by what the environment says of a service manager. */
void wr_worker_tell(warren *w);

/** From here on warren_stats looks at the parts. */
void wr_worker_show(warren *w);

/** From here on nobody looks at them; their last word is kept. Before they are freed. */
void wr_worker_hide(warren *w);

/** Lets `look` see the parts, if they are there. Any thread; `look` must not wait. */
void wr_worker_with_parts(const warren *w, void (*look)(const warren *w, struct wr_view *view),
                          struct wr_view *view);

/** Serves probes and metrics from here on, if that is wanted. Before the first look at a broker. */
warren_status wr_worker_serve(warren *w, warren_error *err);

#endif
