/* SPDX-License-Identifier: MIT */
/*
 * The book: what publishers, handlers and the dead queues said of each job, read from ledger files,
 * and what follows from it: lost, unexpected, duplicated, recovered, over a limit, early.
 *
 * A ledger line is one write() with O_APPEND, so the page cache keeps it through a kill -9; words
 * are parted by one space, and times are CLOCK_MONOTONIC, which all processes of a machine share:
 *
 *     A id type t_us due_us    is going to be published, not to run before due_us (0: at once)
 *     C id t_us                confirmed
 *     U id t_us status         unknown: no answer by the deadline, or the connection broke
 *     R id t_us status         refused: returned, nacked, invalid
 *     P id parent type t_us    a handler published it: it must end, unless its parent ended dead
 *     S id type t_us pid n r   attempt n of it starts in a handler; it was given back to the broker r
 *                              times before (may be missing)
 *     D id type t_us pid       the handler is about to say that it is done (or discarded)
 *     F id type t_us pid n why failed: the handler is about to return another verdict
 *
 * Threads: one. Memory: the book owns all that it returns. Lines that cannot be read are counted.
 */
#ifndef TESTS_SUPPORT_BOOK_H
#define TESTS_SUPPORT_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What has been read so far. */
struct book;

struct book *book_new(void);
void book_free(struct book *book);

/** Reads what was appended to the file since the last call; a file that isn't there yet is empty.
 * The last line counts only when it has its end. */
void book_read(struct book *book, const char *path);

/** One line of a ledger, without its end: for tests, and for what no process wrote down. */
void book_line(struct book *book, const char *line);

/** A dead letter stands in a dead queue or the catch-all. book_forget_dead before they are walked
 * again. An id of "" is counted by its reason only. */
void book_dead(struct book *book, const char *id, const char *reason);
void book_forget_dead(struct book *book);

/** Counted as the lines come in, cheap to ask at any time. */
enum book_count {
    BOOK_ATTEMPTED, /* jobs that were to be published */
    BOOK_CONFIRMED, /* jobs */
    BOOK_UNKNOWN,   /* answers: one job may have several */
    BOOK_REFUSED,   /* answers */
    BOOK_STARTED,   /* runs */
    BOOK_DONE,      /* jobs that ended done, at least once */
    BOOK_FAILED,    /* runs */
    BOOK_DEAD,      /* dead letters */
    BOOK_OPEN,      /* jobs confirmed or promised and neither done nor dead */
    BOOK_BROKEN,    /* lines that say nothing */
    BOOK_COUNTS
};
uint64_t book_count(const struct book *book, enum book_count what);

/** Dead letters of a reason; all that a ledger knows of one type's runs. */
uint64_t book_dead_by(const struct book *book, const char *reason);
uint64_t book_started_of(const struct book *book, const char *type);
uint64_t book_done_of(const struct book *book, const char *type);

/** One job: how often it was started, done and found dead, and its highest attempt. False: never
 * heard of. */
struct book_job {
    const char *id;
    int attempted;
    bool is_confirmed;
    bool is_unknown; /* at least once */
    bool is_refused; /* at least once */
    int started;
    int done;
    int failed;
    int dead;
    int attempt_most;
    int returns_most; /* times the broker had got it back, as it counts them (quorum queues) */
};
bool book_find(const struct book *book, const char *id, struct book_job *out);
typedef void book_visitor(const struct book_job *job, void *user);
void book_each(const struct book *book, book_visitor *visit, void *user);

/** RabbitMQ keeps time in whole milliseconds: what it holds back may come so much before its time. */
enum { BOOK_TICK_US = 1000 };

/** What may not be exceeded. Members left 0 are not looked at. */
struct book_limits {
    const char *type;       /* whose runs: NULL for all types together */
    int at_once;            /* runs in one process */
    int attempts;           /* the highest attempt number */
    int64_t retry_least_us; /* from a failure to the next attempt */
};

/** What all of it comes to. Jobs, unless said otherwise. */
struct book_sum {
    uint64_t lost;       /* confirmed (or promised), and neither done nor dead */
    uint64_t unexpected; /* done or dead, and never attempted */
    uint64_t duplicates; /* endings too many: done and dead together, less one for each job */
    uint64_t reruns;     /* runs too many: of the same attempt of the same job */
    uint64_t recovered;  /* without a confirm, and ended all the same */
    uint64_t early;      /* runs before their time, by a tick and more: of a delay, or of a retry */
    uint64_t over_attempts; /* runs with a higher attempt than allowed */
    uint64_t over_limit;    /* runs that began while the limit was reached */
    int at_once_most;       /* runs of one process and the limit's type at once, at most */
    int attempt_most;
    int64_t late_most_us;   /* of a first run behind its due time; 0 without delays */
    int64_t answer_most_us; /* from A to C, U or R */
    char example[128];      /* one of the lost or unexpected jobs, "" when there is none */
};
void book_close(const struct book *book, const struct book_limits *limits, struct book_sum *out);

#endif
