/* SPDX-License-Identifier: MIT */
/*
 * A worker: takes jobs from its queues and runs their handlers on a pool of threads.
 *
 * Either `warren_run`, which owns signals and blocks until a drain is over; or `warren_start` and
 * `warren_stop` inside a service with a main loop of its own. Unless said otherwise, the calls on
 * one worker are made from one thread. After a fork a started worker belongs to the parent: its
 * threads aren't in the child, which may neither use, stop nor close it (it would wait for ever).
 * A child that needs one opens its own, best before the parent starts threads, or after an exec.
 */
#ifndef WARREN_WORKER_H
#define WARREN_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/job.h"
#include "warren/publisher.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A worker. */
typedef struct warren warren;

/** What a worker has done so far. Read with warren_stats; later versions append members. */
typedef struct warren_stats_data {
    size_t size;          /**< set it to sizeof(warren_stats_data) before the call */
    bool ready;           /**< every queue is being consumed now, and no drain has begun */
    bool draining;        /**< a drain has begun */
    uint64_t received;    /**< deliveries taken from the broker */
    uint64_t redelivered; /**< of them, ones that the broker had delivered before */
    uint64_t done;        /**< verdict done */
    uint64_t retried;     /**< sent into the delay ladder after a failure */
    uint64_t dead;        /**< sent to a dead queue, for whatever reason */
    uint64_t discarded;   /**< thrown away by verdict */
    uint64_t snoozed;     /**< sent into the delay ladder without a failure */
    uint64_t given_back;  /**< returned unstarted to the broker */
    uint64_t stale; /**< finished after their connection was lost: the broker delivers them again */
    uint64_t overruns; /**< jobs that ran past their timeout */
    uint64_t
        lane_waits; /**< times a type at its limit held jobs back while worker threads were idle */
    uint64_t forward_retries; /**< publishes of retries and dead letters that had to be repeated */
    uint64_t connections;     /**< times the consuming connection was made */
    uint32_t running;         /**< jobs in handlers now */
    uint32_t in_flight;       /**< jobs delivered and not settled now */
    uint64_t crashes;    /**< runs that ended with their process, found in its ledger (state_dir) by
                            this worker; of all workers of a folder one finds each */
    uint64_t interrupts; /**< likewise: runs that were cut off by a drain or a neighbour's crash */
    uint64_t publish_connections; /**< times the publishing connection was made */
    uint64_t cancels;             /**< consumers that the broker ended, such as with their queue */
    uint64_t channel_losses;      /**< consuming channels that the broker closed */
    uint64_t silences;            /**< consumers that the broker had forgotten */
    uint64_t
        late; /**< jobs that came home 20 s or more after they were due, though this worker stood ready */
    bool blocked;      /**< the broker takes no publishes now (an alarm) */
    uint32_t prefetch; /**< jobs that the broker may hand over ahead now, all queues together */
    uint64_t prefetch_changes; /**< times an automatic prefetch was changed */
    bool quiet;                /**< told to take no jobs (warren_pause, SIGTSTP) */
    bool
        config_reload_ok; /**< all that the files said at the last reload (or the start) is in effect */
    int64_t
        config_reloaded_ms;  /**< when that was last so: ms since 1970, of a reload or the start */
    uint64_t spans_exported; /**< spans that the collector has taken (`trace.endpoint`) */
    uint64_t spans_dropped;  /**< spans that it could not get: it is gone, slow, or refuses them */
} warren_stats_data;

/**
 * Reads the configuration at `config` (a warren.cfg; NULL: the defaults, that is RabbitMQ on
 * localhost, or at the URL in the environment's WARREN_AMQP_URL, and one queue `default` that takes
 * every handled type) and makes a worker of it. The defaults are for a first job: services that
 * share a broker want a queue each, or one's jobs die in the other as `unknown_type`. Connects to
 * nothing yet. CONFIG: the text lists what is wrong, line by line; nothing was made.
 */
WARREN_API warren_status warren_open(warren **out, const char *config, warren_error *err);

/** Registers the handler of a job type, in every queue that lists it. Before the start. STATE:
 * started already, or the type has a handler. `user` is borrowed until warren_close. */
WARREN_API warren_status warren_handle(warren *w, const char *type, warren_handler *handler,
                                       void *user, warren_error *err);

/** The same for one queue only; goes before a handler of the type alone. */
WARREN_API warren_status warren_handle_in(warren *w, const char *queue, const char *type,
                                          warren_handler *handler, void *user, warren_error *err);

/**
 * Loads a plugin (a shared object with warren_plugin_info, see plugin.h) and registers its
 * handlers. Its open() may start threads: block SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGTSTP and SIGCONT
 * before, as before threads of your own, if warren_run is to get them.
 * @param path the shared object
 */
WARREN_API warren_status warren_load(warren *w, const char *path, warren_error *err);

/**
 * Runs until SIGTERM or SIGINT, then drains: takes no more, lets running jobs end within
 * `drain_timeout`, gives the rest back. A second signal ends the process at once with 128 + its
 * number. SIGHUP is warren_reload, SIGTSTP warren_pause, SIGCONT warren_resume, SIGUSR1 warren_dump.
 * With NOTIFY_SOCKET in the environment a service manager is told of all this (sd_notify(3)).
 * OK: drained; jobs that were still running stay unacknowledged, and the broker gives them
 * to another worker. Signals are blocked in this thread only. Meanwhile faults (SIGSEGV, SIGBUS,
 * SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS) are noted for the next worker (`state_dir`) and then go to
 * the handler that was there before, or end the process as ever. CONFIG: a listed type has no handler,
 * or a handler no queue; MISMATCH: the broker has a queue with other arguments; UNREACHABLE: no
 * broker within `connect_wait`; REFUSED: password, vhost, permission or certificate.
 */
WARREN_API warren_status warren_run(warren *w, warren_error *err);

/** Connects, declares or checks the topology, and starts all threads; returns when jobs are being
 * taken. Errors as warren_run; after one the worker can only be closed. */
WARREN_API warren_status warren_start(warren *w, warren_error *err);

/**
 * Drains and stops. TIMEOUT: handlers were still running after `timeout_ms`; their jobs stay
 * unacknowledged, and nothing that they use is freed. Negative: the configured `drain_timeout`.
 * @param timeout_ms for running handlers; negative: `drain_timeout`
 */
WARREN_API warren_status warren_stop(warren *w, int64_t timeout_ms, warren_error *err);

/** Stops if need be (at once) and frees, but for what a handler that still runs may use. NULL is
 * fine. */
WARREN_API void warren_close(warren *w);

/**
 * Reads the configuration's files again and puts into effect what can be while the worker runs: limits,
 * prefetch, timeouts, retry policies, the log's level, new queues whose types have handlers (`warren
 * config explain` says it of each option). Each difference is a line of the log. OK: everything is as
 * the files say. CONFIG: they have errors, each a line of the log, and nothing has changed. STATE: the
 * text names what waits for a restart, the rest is in effect; or the worker doesn't run, or has no file.
 */
WARREN_API warren_status warren_reload(warren *w, warren_error *err);

/** Quiet: no more jobs are taken from the broker, those that have not started go back to it, running
 * ones end. Returns at once; the connections stay, and the worker isn't `ready`. STATE: it doesn't run. */
WARREN_API warren_status warren_pause(warren *w, warren_error *err);

/** Takes jobs again. */
WARREN_API warren_status warren_resume(warren *w, warren_error *err);

/**
 * Tells the log, at whatever level, what the worker is at: itself, its queues, its types, each job that
 * runs (id, for how long, on which thread); and inside warren_run the stacks of all threads, as
 * addresses in their files, with the names of functions that are exported. To look at a stack, a
 * thread is interrupted by a real-time signal: a call it waits in may return early (EINTR).
 */
WARREN_API void warren_dump(warren *w);

/**
 * Counts of this worker. Any thread, at any time between start and close.
 * @param out where the counts go; its `size` is set before the call
 */
WARREN_API void warren_stats(const warren *w, warren_stats_data *out);

/** The worker's own publisher, for messages from outside a handler. Borrowed: from the start until
 * warren_stop, warren_close or the end of warren_run; NULL before and after. Any thread. */
WARREN_API warren_publisher *warren_worker_publisher(warren *w);

/** Receives the library's log lines: `level` 0 error … 3 debug, a stable event name (docs/logs.md lists
 * them), and key=value fields. Never a job's body. Called from any of the library's threads. */
typedef void warren_log_sink(void *user, int level, const char *event, const char *fields);

/**
 * Sends log lines up to `level` to `sink`, for the whole process; NULL: nowhere (the default).
 * @param sink gets the lines; NULL: nobody
 */
WARREN_API void warren_log_to(warren_log_sink *sink, void *user, int level);

/** Changes the level of the lines that go to the sink, at any time. Any thread. */
WARREN_API void warren_log_set_level(int level);

enum { WARREN_LOG_JSON_SIZE = 16384 };

/**
 * For sinks: writes a line as one JSON object and a newline into `out`, which has `size` bytes. The
 * members are ts (now: RFC 3339, UTC, milliseconds), level, event, msg (a sentence about the event),
 * then the fields, whole numbers as numbers. Returns its length, or 0 when it doesn't fit
 * (WARREN_LOG_JSON_SIZE bytes are always enough for a line of the library) or memory is short. Any
 * thread.
 * @param out where the line goes
 * @param size bytes of `out`
 * @param event as the sink got it
 * @param fields as the sink got them
 * @return its length; 0: it doesn't fit, or memory is short
 */
WARREN_API size_t warren_log_json(char *out, size_t size, int level, const char *event,
                                  const char *fields);

/** The level that the configuration asks for: 0 error … 3 debug. */
WARREN_API int warren_log_level(const warren *w);

/** The form that the configuration asks for: "json", "text" or "auto". Borrowed from `w`. */
WARREN_API const char *warren_log_format(const warren *w);

/** Where this worker answers probes and shows metrics, such as "127.0.0.1:9400"; before the start as
 * the configuration says it, "none" when nowhere. Borrowed, until the start or the stop. */
WARREN_API const char *warren_http_address(const warren *w);

/** The version of the library, such as "0.1.0". */
WARREN_API const char *warren_version(void);

#ifdef __cplusplus
}
#endif
#endif
