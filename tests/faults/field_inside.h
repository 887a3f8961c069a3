/* SPDX-License-Identifier: MIT */
/*
 * What field.c, field_process.c and field_broker.c share, and faults.c calls: opening a field,
 * judging it, and writing its line. Threads: the main thread. Errors: what cannot be done ends the
 * process with 1 and a sentence.
 */
#ifndef TESTS_FAULTS_FIELD_INSIDE_H
#define TESTS_FAULTS_FIELD_INSIDE_H

#include "field.h"
#include "rows.h"

enum { FIELD_PROCESSES_MOST = 64, FIELD_CONFIGS_MOST = 16, FIELD_TEXT_BYTES = 4000 };

/** How to start a process: kept, so that it can be started again. */
struct field_start {
    const char *program;
    char **environment; /* "NAME=value" up to NULL, owned */
    const char *crash_at;
    int restarts_most;
};

struct field_slot {
    struct field_process process;
    struct field_start start;
};

struct field_inside {
    struct field_slot slots[FIELD_PROCESSES_MOST];
    size_t process_count;
    char *configs[FIELD_CONFIGS_MOST];
    size_t config_count;
    size_t worker_count;
    size_t source_count;
    char *folder;
    char *ledger;
    char *broker_setting;
    struct field_bounds bounds;
    struct book_sum sum;
    bool is_checked;
    int64_t opened_us;
    uint64_t random;
    char notes[FIELD_TEXT_BYTES];
    char failures[FIELD_TEXT_BYTES];
};

/** What faults.c was asked for. 0 and NULL: the row's own. */
struct field_options {
    const char *queue_type;
    uint64_t seed;
    int jobs;
};

void field_open(struct field *field, const struct row *row, const struct field_options *options);

/** Ends all processes, prints the row's line, appends it to faults.tsv, removes the folder unless
 * something failed. True: all expectations were met. */
bool field_close(struct field *field);

/** Looks for the broker's password in all that the row's processes wrote. */
void field_check_secrets(struct field *field);

/** Ends and reaps what still runs, at once. */
void field_end_processes(struct field *field);

/** Reaps what has ended, and starts again what is to be restarted. */
void field_tend(struct field *field);

/** It has ended, and is not started again. */
bool field_is_over(const struct field_process *process);

/** Makes sure that the row's broker is there: its own, if it has one. */
void field_need_broker(struct field *field);

/** A connection to it for the judge or the operator; the caller closes it. */
struct wr_broker *field_open_broker(struct field *field);

/** A string of the field's own, printed. The caller frees it. */
char *field_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

void field_give_up(const char *what, const char *why) __attribute__((noreturn));

#endif
