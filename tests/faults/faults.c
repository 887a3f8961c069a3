// SPDX-License-Identifier: MIT
// DESIGN: one process plays one row once, so that what it breaks is its own. Prints one line, tab
// separated: number, name, queue type, seed, counts, seconds, outcome, folder of a failure.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field_inside.h"

static const struct row *const tables[] = { ROWS_ALL };

static const char usage[] =
    "Usage: faults --list\n"
    "       faults --row N [--queue quorum|classic] [--seed S] [--jobs N]\n"
    "\n"
    "Plays a row of the fault catalogue against a private broker (see tests/run faults).\n"
    "The seed is random and printed; the same seed makes the same jobs and choices again.\n"
    "The folder of a failure holds the ledger, logs and gauges of its processes.\n";

static void list(void)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (const struct row *row = tables[t]; row->run; row++) {
            (void)printf("%2d  %-5s %-10s %-5s %4d jobs %4d s  %s\n", row->number,
                         row->flags & ROW_SHORT ? "short" : "",
                         row->flags & ROW_OWN ? "own broker" : "",
                         row->flags & ROW_ONCE ? "once" : "", row->jobs, row->seconds, row->name);
        }
    }
}

static const struct row *find(int number)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (const struct row *row = tables[t]; row->run; row++) {
            if (row->number == number) {
                return row;
            }
        }
    }
    return NULL;
}

static int play(int number, const struct field_options *options)
{
    const struct row *row = find(number);
    struct field field;
    if (!row) {
        (void)fprintf(stderr, "faults: there is no row %d: see faults --list\n", number);
        return 2;
    }
    field_open(&field, row, options);
    row->run(&field);
    return field_close(&field) ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        { "list", no_argument, NULL, 'l' },        { "row", required_argument, NULL, 'r' },
        { "queue", required_argument, NULL, 'q' }, { "seed", required_argument, NULL, 's' },
        { "jobs", required_argument, NULL, 'j' },  { NULL, 0, NULL, 0 }
    };
    struct field_options options = { 0 };
    int number = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'l':
            list();
            return 0;
        case 'r':
            number = atoi(optarg);
            break;
        case 'q':
            options.queue_type = optarg;
            break;
        case 's':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'j':
            options.jobs = atoi(optarg);
            break;
        default:
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    if (!number || optind < argc) {
        (void)fputs(usage, stderr);
        return 2;
    }
    return play(number, &options);
}
