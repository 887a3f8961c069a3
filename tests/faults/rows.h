/* SPDX-License-Identifier: MIT */
/*
 * The catalogue: each theme has a file rows_<theme>.c with a table rows_<theme>, closed by ROWS_END.
 * tests/CMakeLists.txt reads the ROW lines of these files and makes a CTest of each, so every ROW
 * starts a line and its first four arguments are plain numbers and flags.
 */
#ifndef TESTS_FAULTS_ROWS_H
#define TESTS_FAULTS_ROWS_H

#include "field.h"

/** Plays the row. */
typedef void row_run(struct field *field);

enum row_flags {
    ROW_PLAIN = 0,
    ROW_SHORT = 1, /* in the short set */
    ROW_OWN = 2,   /* a broker of its own, which it may harm */
    ROW_ONCE = 4,  /* with quorum queues only */
    ROW_DEPLOY = 8 /* of what takes Warren into production, too */
};

struct row {
    int number; /* of the catalogue */
    unsigned flags;
    int jobs;    /* usual number */
    int seconds; /* it takes about so long; CTest ends it after four times that and a minute */
    row_run *run;
    const char *name; /* a sentence */
};

#define ROW(number, flags, jobs, seconds, run, name)                                               \
    {                                                                                              \
        number, flags, jobs, seconds, run, name                                                    \
    }
#define ROWS_END                                                                                   \
    {                                                                                              \
        0, 0, 0, 0, NULL, NULL                                                                     \
    }

/* One line for each table, twice, so that two new ones do not meet on a line. */
/* clang-format off */
extern const struct row rows_process[];
extern const struct row rows_input[];
extern const struct row rows_again[];
extern const struct row rows_reconnect[];
extern const struct row rows_config[];
extern const struct row rows_resources[];
extern const struct row rows_broker[];
extern const struct row rows_handler[];
extern const struct row rows_network[];
extern const struct row rows_cut[];
extern const struct row rows_protocol[];
extern const struct row rows_cluster[];
extern const struct row rows_topology[];
extern const struct row rows_login[];
extern const struct row rows_refusal[];
extern const struct row rows_policy[];
extern const struct row rows_rollout[];

#define ROWS_ALL       \
    rows_process,  \
    rows_input,    \
    rows_again,    \
    rows_reconnect, \
    rows_config, \
    rows_resources, \
    rows_broker,   \
    rows_handler,  \
    rows_network,  \
    rows_cut,      \
    rows_protocol, \
    rows_cluster,  \
    rows_topology, \
    rows_login,    \
    rows_refusal,  \
    rows_policy,  \
    rows_rollout,
/* clang-format on */

#endif
