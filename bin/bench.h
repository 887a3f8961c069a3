/* SPDX-License-Identifier: MIT */
/*
 * `warren bench`: what its files share. A bench has a scene (a namespace of its own at the user's
 * broker, and the configuration for it), measures, and what can be said about them. Private to
 * cmd_bench.c and bench_*.c.
 *
 * Threads: a bench belongs to the main thread; what handlers and confirms of other threads write
 * stands in bench_measure.c and bench_worker.c.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_gauge.h"
#include "output.h"
#include "warren/error.h"
#include "warren/publisher.h"

/** What is measured, in the order of the report. */
enum bench_kind {
    BENCH_CONNECT, /* a connection is opened and closed */
    BENCH_DECLARE, /* the bench's own exchanges and queues, declared the first time */
    BENCH_LATENCY, /* from the publish to the handler, at a modest rate */
    BENCH_LADDER,  /* how late a delayed job comes home */
    BENCH_SINGLE,  /* a publish that waits for its confirm, one after the other */
    BENCH_PUBLISH, /* publishes with a full window */
    BENCH_CLASSIC, /* the same to a classic queue, for comparison */
    BENCH_DRAIN,   /* a queue full of no-op jobs */
    BENCH_KINDS
};

struct bench_measure {
    bool is_done;
    uint64_t jobs;
    double seconds;           /* what the rate follows from; 0: there is no rate */
    struct bench_times times; /* count 0: none were taken */
    struct bench_load load;   /* wall_s 0: not gauged */
};

struct bench_options {
    const char *config; /* the user's; NULL: the defaults */
    uint64_t jobs;      /* at most so many a measure */
    int64_t seconds;    /* at most so long a measure */
    long threads;       /* of the worker */
    size_t body_size;
    bool is_classic; /* the work queue's type */
    bool compares;   /* also publishes to a classic queue */
};

/** Its configurations; all share the namespace. */
enum bench_config {
    BENCH_ALL,   /* everything that is declared: for publishers, too */
    BENCH_TIMER, /* the worker of BENCH_LATENCY and BENCH_LADDER */
    BENCH_TAKER, /* the worker of BENCH_DRAIN */
    BENCH_CONFIGS
};

/** The bench's own place at the broker. */
struct bench_scene {
    char ns[64];
    char folder[256]; /* of the configurations below; "" when there is none */
    char configs[BENCH_CONFIGS][288];
    char *url;       /* the broker's, without user and password */
    long window;     /* publish.window of the user's configuration */
    bool is_exposed; /* not this machine, and no TLS */
    bool may_stand;  /* something may have been declared */
};

struct bench {
    struct bench_options options;
    struct bench_scene scene;
    struct bench_measure measures[BENCH_KINDS];
    char *body;
    long cores;
    double load_average; /* of the minute before the start; negative: unknown */
    uint64_t reconnects; /* of the workers */
    uint64_t unfinished; /* retried or dead: a no-op job should be neither */
};

/* --- bench_scene.c --- */

/** Chooses a namespace (`ns` NULL) or takes one, and writes the configurations. Connects to
 * nothing. CONFIG: the user's configuration has errors. */
warren_status bench_scene_open(struct bench *bench, const char *ns, warren_error *err);

/** Declares the scene. REFUSED: the user may not. */
warren_status bench_scene_declare(struct bench *bench, warren_error *err);

/** Deletes all that may have been declared, on a connection of its own, a few times if need be. */
warren_status bench_scene_remove(struct bench *bench, warren_error *err);

/** Deletes the configurations; the URL stays. Doing it again is fine. */
void bench_scene_close(struct bench *bench);

/* --- bench_measure.c, bench_worker.c --- */

/** The message of all measures, of this type; borrows from the bench. */
warren_message bench_message(const struct bench *bench, const char *type);

warren_status bench_connect(struct bench *bench, warren_error *err);
warren_status bench_single(struct bench *bench, warren_error *err);
/** BENCH_PUBLISH or BENCH_CLASSIC. */
warren_status bench_publish(struct bench *bench, enum bench_kind kind, warren_error *err);
/** BENCH_LATENCY and BENCH_LADDER, with one worker. */
warren_status bench_latency(struct bench *bench, warren_error *err);
/** BENCH_DRAIN: drains what bench_single and bench_publish have left. */
warren_status bench_drain(struct bench *bench, warren_error *err);

#define BENCH_TYPE_DRAIN "bench.drain"
#define BENCH_TYPE_CLASSIC "bench.classic"
#define BENCH_TYPE_LATENCY "bench.latency"
#define BENCH_TYPE_LADDER "bench.ladder"

enum { BENCH_DELAY_MS = 1000, BENCH_LATENCY_RATE = 200 };

/* --- bench_judge.c --- */

/** What limits a measure. */
struct bench_limit {
    enum bench_kind of;
    const char *by;   /* a stable word */
    const char *what; /* "this process" */
    char why[256];    /* with its figures */
    const char *next; /* what to do */
};

/** A reason to doubt the figures, or to worry. */
struct bench_warning {
    const char *code; /* a stable word */
    char text[256];
};

enum { BENCH_LIMITS_MOST = 2, BENCH_WARNINGS_MOST = 8 };

struct bench_verdict {
    struct bench_limit limits[BENCH_LIMITS_MOST];
    size_t limit_count;
    struct bench_warning warnings[BENCH_WARNINGS_MOST];
    size_t warning_count;
};

void bench_judge(const struct bench *bench, struct bench_verdict *out);

/** Jobs a second; 0 without a rate. */
double bench_rate(const struct bench_measure *measure);

/* --- bench_report.c --- */

/** Writes the figures and the verdict. Gives an exit code. */
int bench_report(const struct bench *bench, const struct bench_verdict *verdict,
                 enum output_format format);

#endif
