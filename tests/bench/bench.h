/* SPDX-License-Identifier: MIT */
/*
 * A benchmark as data: sides that are run in turn, round after round, and goals that compare what
 * they measured. The files benches_*.c are tables of these; contest.c plays them, report_*.c tell.
 *
 * A side is a command: a program of this folder and its words. In it {count} stands for the number
 * of jobs, {half} for half of it, and {config} for the path of a configuration with the side's queues. Threads: one.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

enum { ROUNDS_MOST = 100, SIDES_MOST = 24, GOALS_MOST = 24 };

/** What a side can measure. Its programs say it under the word in measure_kinds. */
enum measure {
    MEASURE_RATE,
    MEASURE_CPU,
    MEASURE_SLEEPS,
    MEASURE_RSS,
    MEASURE_FIRST,
    MEASURE_P50,
    MEASURE_P99,
    MEASURE_P999,
    MEASURE_ACK_P50,
    MEASURE_ACK_P99,
    MEASURE_ACK_P999,
    MEASURE_AT_LIMIT,
    MEASURE_TOGETHER,
    MEASURE_TAKEN, /**< by the host; the only one that no side says */
    MEASURE_COUNT
};

struct measure_kind {
    const char *word;  /**< in the result line, and in JSON */
    const char *title; /**< of the table's column */
    int decimals;
};

extern const struct measure_kind measure_kinds[MEASURE_COUNT];

/** One participant. */
struct side {
    const char *name;
    const char *queues; /**< queue groups of its configuration; NULL: it needs none */
    int threads;        /**< of its configuration; 0: as many as the types ask for */
    const char
        *fill; /**< commands that fill the queues before each run, with ; between; NULL: none */
    const char *command;       /**< what is measured */
    const char *feed;          /**< a command that is started when it is ready; NULL: none */
    const char *beside;        /**< a command that runs beside it, ended by SIGTERM; NULL: none */
    const char *beside_queues; /**< its configuration */
    const char *drained;       /**< a queue that must be empty afterwards; NULL: not looked at */
    const char *filled;        /**< a queue that must hold `count` afterwards, and is emptied */
    const char *kept;          /**< a queue that is filled up to `backlog` instead of by `count` */
    bool may_lose;             /**< it may hold less: what was never confirmed can be gone */
    long backlog;
    long count;          /**< of jobs, if not the bench's */
    int repeats;         /**< so many runs make one: the median of each measure. 0: one */
    const char *preload; /**< a library of this folder for the measured program; NULL: none */
};

enum goal_kind {
    GOAL_RATIO,      /**< a / b */
    GOAL_DIFFERENCE, /**< a - b */
    GOAL_VALUE,      /**< a */
    GOAL_RELATIVE    /**< a / b, as a share of a / b of the sides first_a and first_b */
};

/** What is compared, round by round, and what the median should be. */
struct goal {
    const char *text;
    enum goal_kind kind;
    enum measure measure;
    int a;
    int b;
    int first_a;
    int first_b;
    int twin; /**< a side that is the same as b: how far they differ is allowed for. 0: none */
    bool is_at_most; /**< else the limit is the least */
    double limit;    /**< 0: for information */
};

struct bench {
    const char *name;
    const char *about; /**< a sentence */
    long count;        /**< of jobs, by default */
    struct side sides[SIDES_MOST];
    size_t side_count;
    struct goal goals[GOALS_MOST];
    size_t goal_count;
    void (*prepare)(void); /**< what has to stand in the broker besides; may be NULL */
    int rounds;            /**< so many short ones for each round that is asked for; 0: one */
};

/** The spread of something over the rounds. */
struct spread {
    double least;
    double median;
    double most;
};

/** What came out. */
struct outcome {
    struct bench *bench;
    int rounds;
    int again; /**< runs that were played again, because the host took too much */
    double values[SIDES_MOST][MEASURE_COUNT][ROUNDS_MOST]; /**< NAN: not measured */
    struct spread sides[SIDES_MOST][MEASURE_COUNT];
    struct spread goals[GOALS_MOST];
    double limits[GOALS_MOST]; /**< with what a twin allows */
    bool is_met[GOALS_MOST];   /**< true also of those for information */
};

/** All benches, made at the first call; `is_short` leaves out what is large. */
struct bench *benches(bool is_short, size_t *out_count);

/** For the tables that are built: adds one, or formats a text that is never freed. */
struct bench *bench_add(const char *name, const char *about, long count);
void bench_add_side(struct bench *bench, struct side side);
void bench_add_goal(struct bench *bench, struct goal goal);
void bench_add_goals(struct bench *bench, const struct goal *goals, size_t count);
char *bench_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The tables, by file. */
void benches_drain(bool is_short);
void benches_publish(bool is_short);
void benches_fail(bool is_short);
void benches_wait(bool is_short);
void benches_scale(bool is_short);
void benches_mixed(bool is_short);

#endif
