/* SPDX-License-Identifier: MIT */
/*
 * The field: the scene that one row of the fault catalogue plays in. It has a folder with the
 * ledger, configurations, logs and gauges; a vhost on the shared broker, or (ROW_OWN) a broker of
 * its own that may be harmed; and the processes of the row: workers and sources, forked and
 * executed, all of which are gone when the field is closed, whatever happened.
 *
 * A row reads as: write a configuration, start workers, publish, wait until something holds, do
 * harm, heal, field_drain, field_check. What a row expects and does not see is written down with
 * field_expect and fails the row at its end; what cannot be done at all ends the process loudly.
 * CUnit's asserts do not work here.
 *
 * Threads: the main thread. Every string handed out is borrowed until the field is closed.
 */
#ifndef TESTS_FAULTS_FIELD_H
#define TESTS_FAULTS_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "book.h"

/** A row of the catalogue: see the ROW macro in rows.h. */
struct row;

/** Read by rows. `book` is as new as the last field_read or field_wait. */
struct field {
    const struct row *row;
    uint64_t seed;          /* all that is random comes from it: field_random */
    int jobs;               /* how many, unless the row has a reason of its own */
    uint64_t taken;         /* set by a row: so many confirmed jobs an operator has thrown away, and
                               field_drain waits for no more of them */
    const char *queue_type; /* "quorum" or "classic": of work queues */
    const char *folder;
    const char *ledger; /* its path */
    struct book *book;
    struct field_inside *inside; /* of field*.c */
};

/* --- configurations ------------------------------------------------------------------------------ */

/** What a configuration holds. Members left 0 are as said. */
struct field_config {
    const char *url;    /* NULL: this vhost's */
    int port;           /* instead of the URL's: a proxy's. 0: the URL's */
    const char *broker; /* more of the group `broker`, such as "heartbeat = \"5s\";" */
    const char *main;   /* more of warren.cfg, such as "drain_timeout = \"3s\";"; without a
                            state_dir it has the row's own */
    const char *queue;  /* of the queue "work", after its name and type: NULL: FIELD_QUEUE */
    const char *more;   /* a second queue file: "queue: { name = …; type = …; … };" */
};

/** The usual queue: one type, four at once, three attempts, a second apart. */
#define FIELD_QUEUE                                                                                \
    "prefetch = 20; retry: { attempts = 3; backoff = \"fixed\"; first = \"1s\"; jitter = 0.0; };"  \
    "jobs: ( { type = \"work\"; concurrency = 4; } );"

/** Writes it; returns the path of its warren.cfg. `how` may be NULL. */
const char *field_config(struct field *field, const struct field_config *how);

/** The broker's port, for a proxy to lead to. */
int field_broker_port(struct field *field);

/* --- processes ----------------------------------------------------------------------------------- */

/** A worker or a source. Read only. */
struct field_process {
    char name[16];        /* "worker1", "source2" */
    pid_t pid;            /* 0: not running */
    int exit_code;        /* once it has ended: its own, or 128 + the signal that ended it */
    int restarts;         /* how often it was started again */
    const char *log;      /* all that it wrote, also before restarts */
    const char *gauges;   /* a worker's: one line each 100 ms */
    int64_t started_us;   /* monotonic */
    int64_t signalled_us; /* of the last field_signal */
    int64_t ended_us;
};

/** A worker to start. */
struct field_worker {
    const char *config;             /* NULL: field_config with NULL */
    const char *types;              /* that it has a handler for, parted by commas; NULL: "work" */
    const char *behave;             /* for jobs whose body says nothing; NULL: {"do":"done"} */
    const char *crash_at;           /* WARREN_CRASH_AT of the first start only; NULL: nowhere */
    const char *const *environment; /* more of it, "NAME=value", up to NULL; NULL: none */
    int restarts_most; /* started again that often when it ends by itself and not with 0 */
};
struct field_process *field_worker(struct field *field, const struct field_worker *how);

/** Starts a worker that has ended once more; its log and gauges go on. */
void field_worker_again(struct field_process *worker);

/** What a job's body may say (as JSON) to the handler of tests/faults/fault_worker.c; one or several
 * members:
 *     {"do":"done"}              the same without a word, and for what is no JSON
 *     {"do":"fail","times":2}    retry in the first two attempts, then done; without times: always
 *     {"do":"dead"} {"do":"discard"} {"do":"snooze","ms":500} (once)
 *     {"do":"sleep","ms":50}     deaf to a cancel; with "polite":true it snoozes when cancelled
 *     {"do":"hang"} {"do":"segfault"} {"do":"abort"} {"do":"overflow"} {"do":"kill"}
 *     {"do":"exit","code":3}     calls exit
 *     {"do":"closefds"}          closes all fds above 2, then done
 *     {"do":"leak","ms":…}       allocates 1 MiB each ms until it fails or dies
 *     {"do":"publish","type":"work","body":"…"}  a follow-up with the id <id>.f, then done
 * XX for the harmful ones: only in so many first attempts.
 *     "before_ms": sleeps so long before any of it.
 */

/** A source: publishes `count` jobs and ends, with 0 when every one is confirmed. */
struct field_source {
    const char *config;   /* NULL: the first that was written */
    const char *type;     /* NULL: "work" */
    const char *body;     /* NULL: {"do":"done"} */
    const char *odd_body; /* of every odd_every-th job; NULL: none */
    int odd_every;
    int count;           /* 0: field->jobs */
    int rate;            /* jobs a second; 0: as fast as it goes */
    int window;          /* unanswered at once; 0: 100; 1: one after the other, by warren_publish */
    int delay_ms;        /* delayed publishes; 0: at once */
    int delay_spread_ms; /* each a random time longer, up to this */
    int expires_ms;
    int republish_ms; /* unknown and refused ones are published again, under the same id, for so
                         long since the source started; 0: once only */
    const char *const *environment;
};
struct field_process *field_source(struct field *field, const struct field_source *how);

/** The id of a source's n-th job, counted from 0; valid until the next call. */
const char *field_job_id(struct field *field, const struct field_process *source, int index);

/** Sends a signal to a process that runs. */
void field_signal(struct field_process *process, int signal);

/** Waits until it has ended. Its exit code; -1 when it still runs after the deadline. */
int field_wait_exit(struct field *field, struct field_process *process, int deadline_ms);

/** Milliseconds from the last field_signal to the end. */
int64_t field_end_ms(const struct field_process *process);

/** Expects that it ends by itself with that code, within that time from the last signal (or from
 * now). */
void field_expect_exit(struct field *field, struct field_process *process, int code, int most_ms);

/** The newest value of a gauge of a worker, -1 when it has none yet; the highest it ever had. */
int64_t field_gauge(const struct field_process *worker, const char *name);
int64_t field_gauge_most(const struct field_process *worker, const char *name);

/** How often a text stands in a process's log. */
int field_log_count(const struct field_process *process, const char *text);

/** What a process holds now, from /proc. */
struct field_usage {
    int fds;
    int threads;
    int64_t rss_kib;
};
struct field_usage field_usage(const struct field_process *process);

/* --- waiting: all of them tend processes (restarts) meanwhile ------------------------------------ */

/** Waits until `holds(user)`; false after the deadline. */
bool field_wait(struct field *field, bool (*holds)(void *user), void *user, int deadline_ms);

/** Lets time pass. Only for what is a length of time itself: an outage, a freeze. */
void field_pass(struct field *field, int ms);

/** Reads what was added to the ledger. */
void field_read(struct field *field);

/** Waits until a count of the book has reached `least`. Not in time: an expectation not met. */
bool field_wait_count(struct field *field, enum book_count what, uint64_t least, int deadline_ms);

/** Waits until a gauge is within these bounds. Not in time: an expectation not met. */
bool field_wait_gauge(struct field *field, struct field_process *worker, const char *name,
                      int64_t least, int64_t most, int deadline_ms);

/** Waits until a text stands `least` times in a log. Not in time: an expectation not met. */
bool field_wait_log(struct field *field, struct field_process *process, const char *text, int least,
                    int deadline_ms);

/* --- harm to an own broker (ROW_OWN); the shared one is everybody's ------------------------------ */

void field_broker_kill(struct field *field);    /* kill -9, and it stays down */
void field_broker_stop(struct field *field);    /* cleanly, and it stays down */
void field_broker_start(struct field *field);   /* again, with its data; waits until it is up */
void field_broker_restart(struct field *field); /* cleanly, at once */
void field_broker_freeze(struct field *field, bool is_frozen); /* SIGSTOP, SIGCONT */
void field_broker_memory_alarm(struct field *field, bool is_on);
void field_broker_disk_alarm(struct field *field, bool is_on);
/** Before the first field_config: starts the row's own broker with a line more in its
 * rabbitmq.conf. */
void field_broker_setting(struct field *field, const char *line);

/* --- the end ------------------------------------------------------------------------------------- */

/** Messages in a queue that nobody has taken; -1 when there is no such queue. */
int64_t field_depth(struct field *field, const char *queue);

/**
 * After the harm: waits until all sources have ended and each confirmed job is done or dead, then
 * ends the workers with SIGTERM (they must drain with 0) and sees that the work, delay and catch-all
 * queues are empty. What was not reached in time is an expectation not met.
 */
bool field_drain(struct field *field, int deadline_ms);

/** Walks the dead queues of the configurations and the catch-all, and notes what is there in the
 * book; also done by field_drain. */
void field_walk_dead(struct field *field);

/** The bounds of a row. Lost, unexpected and broken lines: none, unless said otherwise. */
struct field_bounds {
    int64_t duplicates_most; /* endings too many */
    int64_t duplicates_least;
    int64_t dead;            /* exactly so many dead letters; -1: any number */
    const char *dead_reason; /* all of them with this reason; NULL: any */
    int64_t lost_most;       /* only where an operator's deed or a documented risk takes jobs */
    bool may_be_unconfirmed; /* the source gave some jobs up */
    struct book_limits limits;
};
/** Judges the book and keeps the counts for the row's line. */
void field_check(struct field *field, const struct field_bounds *bounds);

/* --- expectations -------------------------------------------------------------------------------- */

/** Notes what was expected when it does not hold; returns `holds`. */
bool field_expect(struct field *field, bool holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Adds `name=value` to the row's line: what else was seen. */
void field_note(struct field *field, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The next random number of the seed, below `bound`. */
uint64_t field_random(struct field *field, uint64_t bound);

int64_t field_now_us(void);

#endif
