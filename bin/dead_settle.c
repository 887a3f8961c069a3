// SPDX-License-Identifier: MIT
// DESIGN: the verbs of `warren dead` that take letters out of a dead queue: replay, move and drop. The
// library does the safe part (confirm first, then acknowledge); here are the questions, the counting
// and what Ctrl-C leaves behind. What was settled is gone from the dead queue, so the same command goes
// on where an interrupted one ended, and that command is printed.
#include "warren/dead.h"

#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "dead_again.h"
#include "dead_canary.h"
#include "dead_filter.h"
#include "dead_record.h"
#include "dead_rows.h"
#include "output.h"
#include "say.h"

enum { EXAMPLES = 5 }; /* how many letters a dry run shows */

/* A verb that settles dead letters. */
struct settling {
    const char *settled; /* "replayed" */
    const char *going;   /* "replaying", before the bar */
    warren_status (*settle)(struct settling *, warren_admin *, const warren_dead_filter *, size_t *,
                            warren_error *);
    const struct args *args;
    enum output_format format;
    const char *target;         /* of a move */
    struct dead_record *record; /* of a drop: what it drops is written there before; or NULL */
    size_t count;
    size_t shown;
    struct output output; /* of a dry run */
};

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* --- a dry run --- */

static bool count_letter(const warren_dead_letter *letter, void *user)
{
    struct settling *settling = user;
    settling->count++;
    if (settling->shown < EXAMPLES) {
        settling->shown++;
        dead_rows_add(&settling->output, letter);
    }
    return !say_is_interrupted();
}

static int dry_run(warren_admin *admin, const warren_dead_filter *filter, struct settling *settling)
{
    warren_error err;
    dead_filter_watch(admin, "looking");
    dead_rows_begin(&settling->output, settling->format);
    warren_status rc = warren_dead_each(admin, filter, count_letter, settling, &err);
    say_progress_done();
    int code = output_end(&settling->output);
    if (rc) {
        return say_failure(&err);
    }
    say("%zu dead letter%s of %s would be %s%s; nothing was changed", settling->count,
        plural(settling->count), filter->queue, settling->settled,
        settling->count > EXAMPLES ? ", the first of them above" : "");
    return code;
}

/* --- doing it --- */

static bool before_letter(const warren_dead_letter *letter, void *user)
{
    struct settling *settling = user;
    if (say_is_interrupted()) {
        return false;
    }
    return !settling->record || dead_record_write(settling->record, letter);
}

static warren_status replay(struct settling *settling, warren_admin *admin,
                            const warren_dead_filter *filter, size_t *count, warren_error *err)
{
    return warren_dead_replay(admin, filter, before_letter, settling, count, err);
}

static warren_status move(struct settling *settling, warren_admin *admin,
                          const warren_dead_filter *filter, size_t *count, warren_error *err)
{
    return warren_dead_move(admin, filter, settling->target, before_letter, settling, count, err);
}

static warren_status drop(struct settling *settling, warren_admin *admin,
                          const warren_dead_filter *filter, size_t *count, warren_error *err)
{
    return warren_dead_drop(admin, filter, before_letter, settling, count, err);
}

static int report(const struct settling *settling, const char *queue, size_t count)
{
    const struct column report_columns[] = { { "QUEUE", "queue", CELL_TEXT },
                                             { "COUNT", settling->settled, CELL_NUMBER } };
    if (settling->format == OUTPUT_TABLE) {
        say("%zu dead letter%s of %s %s", count, plural(count), queue, settling->settled);
        return EXIT_DONE;
    }
    struct output output;
    output_begin(&output, settling->format, report_columns, 2);
    output_row(&output, (struct cell[]){ { .text = queue }, { .number = (int64_t)count } });
    return output_end(&output);
}

/* What to say when it ended; `count` were settled. */
static int conclude(const struct settling *settling, const warren_dead_filter *filter, size_t count,
                    warren_status rc, const warren_error *err)
{
    say_progress_done();
    int code = report(settling, filter->queue, count);
    if (rc) {
        int failed = say_failure(err);
        if (count) {
            dead_again_say(settling->args, filter, count, "the others still stand there");
        }
        return count ? EXIT_PARTLY : failed;
    }
    if (settling->record && dead_record_has_failed(settling->record)) {
        return count ? EXIT_PARTLY : EXIT_FAILED;
    }
    if (say_is_interrupted()) {
        dead_again_say(settling->args, filter, count,
                       "stopped; the others still stand in their dead queue");
        return EXIT_PARTLY;
    }
    if (!count && filter->id) {
        say("queue %s has no dead letter %s", filter->queue, filter->id);
        return EXIT_NOT_FOUND;
    }
    return code;
}

/* The canaries first; if they don't come back, the others. */
static int settle_letters(warren_admin *admin, const warren_dead_filter *filter,
                          struct settling *settling, const struct dead_canary *canary)
{
    warren_error err = { .status = WARREN_OK };
    warren_dead_filter rest = *filter;
    size_t canaries = 0;
    size_t count = 0;
    dead_filter_watch(admin, settling->going);
    if (canary->count) {
        warren_status rc = WARREN_OK;
        enum dead_canary_end end = dead_canary_send(admin, filter, canary, &canaries, &rc, &err);
        if (end == CANARY_FAILED) {
            (void)report(settling, filter->queue, canaries);
            return EXIT_REFUSED;
        }
        rest.limit = filter->limit ? filter->limit - canaries : 0;
        bool is_over = end == CANARY_BROKEN || (filter->limit && !rest.limit);
        if (is_over || say_is_interrupted()) {
            return conclude(settling, filter, canaries, rc, &err);
        }
    }
    warren_status rc = settling->settle(settling, admin, &rest, &count, &err);
    return conclude(settling, filter, canaries + count, rc, &err);
}

static int run_settling(const struct args *args, struct settling *settling, const char *question)
{
    warren_dead_filter filter;
    warren_admin *admin = NULL;
    warren_error err;
    struct dead_canary canary = { 0 };
    double pace = 0;
    int code;
    settling->args = args;
    if (!output_format_of(args, &settling->format) || !dead_filter_read(args, &filter) ||
        !dead_canary_read(args, &canary) || !dead_filter_pace(args, &pace)) {
        return EXIT_USAGE;
    }
    bool is_dry = args_has(args, "dry-run");
    if (!is_dry && question && !args_has(args, "yes") && !say_confirm(question, filter.queue)) {
        return EXIT_REFUSED;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    if (is_dry) {
        code = dry_run(admin, &filter, settling);
    } else {
        warren_dead_pace(admin, pace);
        code = settle_letters(admin, &filter, settling, &canary);
    }
    warren_admin_close(admin);
    return code;
}

int cmd_dead_replay(const struct args *args)
{
    struct settling settling = { .settled = "replayed", .going = "replaying", .settle = replay };
    return run_settling(args, &settling, NULL);
}

int cmd_dead_move(const struct args *args)
{
    struct settling settling = {
        .settled = "moved", .going = "moving", .settle = move, .target = args_operand(args, 1)
    };
    return run_settling(args, &settling, NULL);
}

int cmd_dead_drop(const struct args *args)
{
    struct settling settling = { .settled = "dropped", .going = "dropping", .settle = drop };
    const char *path = args_value(args, "keep");
    if (!path || args_has(args, "dry-run")) {
        return run_settling(args, &settling, "drop dead letters of queue");
    }
    struct dead_record record;
    if (!dead_record_open(&record, path, "dropped", args_value(args, "because"))) {
        return EXIT_FAILED;
    }
    settling.record = &record;
    int code = run_settling(args, &settling, "drop dead letters of queue");
    return dead_record_close(&record) ? code : EXIT_FAILED;
}
