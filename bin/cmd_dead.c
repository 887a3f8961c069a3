// SPDX-License-Identifier: MIT
// DESIGN: `warren dead`: looking at dead letters, sending them back, throwing them away. The
// library does the safe part; here are the questions, the counting and what Ctrl-C leaves behind.
#include "warren/dead.h"

#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "dead_show.h"
#include "output.h"
#include "say.h"

enum { EXAMPLES = 5 }; /* how many letters a dry run shows */

static const struct column columns[] = {
    { "DIED", "died_at", CELL_TIME },
    { "QUEUE", "queue", CELL_TEXT },
    { "ID", "id", CELL_TEXT },
    { "TYPE", "type", CELL_TEXT },
    { "REASON", "reason", CELL_TEXT },
    { "RUNS", "attempts", CELL_NUMBER },
    { NULL, "replays", CELL_NUMBER },
    { NULL, "first_failed_at", CELL_TIME },
    { NULL, "enqueued_at", CELL_TIME },
    { NULL, "content_type", CELL_TEXT },
    { "BYTES", "body_bytes", CELL_NUMBER },
    { "ERROR", "error", CELL_TEXT },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void add_letter(struct output *output, const warren_dead_letter *letter)
{
    output_row(output, (struct cell[COLUMNS]){ { .number = letter->died_ms },
                                               { .text = letter->queue },
                                               { .text = letter->id },
                                               { .text = letter->type },
                                               { .text = letter->reason },
                                               { .number = letter->attempts },
                                               { .number = letter->replays },
                                               { .number = letter->first_failed_ms },
                                               { .number = letter->enqueued_ms },
                                               { .text = letter->content_type },
                                               { .number = (int64_t)letter->body_size },
                                               { .text = letter->error } });
}

static bool read_filter(const struct args *args, warren_dead_filter *out)
{
    long limit = 0;
    *out = (warren_dead_filter){ .queue = args_operand(args, 0),
                                 .id = args_value(args, "id"),
                                 .type = args_value(args, "type"),
                                 .reason = args_value(args, "reason") };
    if (!args_number(args, "limit", 1, 1000000000, &limit)) {
        return false;
    }
    out->limit = (size_t)limit;
    return true;
}

/* --- list --- */

static bool list_letter(const warren_dead_letter *letter, void *user)
{
    add_letter(user, letter);
    return !say_is_interrupted();
}

/* The queues that have dead letters. */
struct names {
    char **items;
    size_t length;
    bool failed;
};

static bool collect_name(const warren_queue_info *info, void *user)
{
    struct names *names = user;
    bool is_dead = strcmp(info->kind, "dead") == 0;
    if (!info->messages || (!is_dead && strcmp(info->kind, "unrouted") != 0)) {
        return true;
    }
    char **grown = realloc(names->items, (names->length + 1) * sizeof *grown);
    if (grown) {
        names->items = grown;
        names->items[names->length] = strdup(is_dead ? info->queue : "unrouted");
    }
    names->failed = !grown || !names->items[names->length];
    names->length += !names->failed;
    return !names->failed;
}

static warren_status list_all(warren_admin *admin, warren_dead_filter filter, struct output *output,
                              warren_error *err)
{
    struct names names = { 0 };
    warren_status rc = warren_queue_each(admin, collect_name, &names, err);
    output->failed = names.failed;
    for (size_t i = 0; i < names.length; i++) {
        filter.queue = names.items[i];
        if (!rc && !say_is_interrupted()) {
            rc = warren_dead_each(admin, &filter, list_letter, output, err);
        }
        free(names.items[i]);
    }
    free(names.items);
    return rc;
}

int cmd_dead_list(const struct args *args)
{
    struct output output;
    enum output_format format;
    warren_dead_filter filter;
    warren_admin *admin = NULL;
    warren_error err;
    if (!output_format_of(args, &format) || !read_filter(args, &filter)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    say_catch_interrupt();
    output_begin(&output, format, columns, COLUMNS);
    warren_status rc = filter.queue ? warren_dead_each(admin, &filter, list_letter, &output, &err)
                                    : list_all(admin, filter, &output, &err);
    warren_admin_close(admin);
    bool was_empty = !output.row_count;
    int code = output_end(&output);
    if (rc) {
        return say_failure(&err);
    }
    if (was_empty && format == OUTPUT_TABLE) {
        say("no dead letters");
    }
    return say_is_interrupted() ? EXIT_PARTLY : code;
}

/* --- show --- */

int cmd_dead_show(const struct args *args)
{
    struct dead_show show = { 0 };
    warren_dead_filter filter = { .queue = args_operand(args, 0),
                                  .id = args_operand(args, 1),
                                  .limit = 1 };
    warren_admin *admin = NULL;
    warren_error err;
    if (!output_format_of(args, &show.format)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    warren_status rc = warren_dead_each(admin, &filter, dead_show_letter, &show, &err);
    warren_admin_close(admin);
    if (rc) {
        return say_failure(&err);
    }
    if (!show.found) {
        say("queue %s has no dead letter %s: `warren dead list %s` shows them", filter.queue,
            filter.id, filter.queue);
        return EXIT_NOT_FOUND;
    }
    return output_flush();
}

/* --- replay and drop --- */

/* A verb that settles dead letters. */
struct settling {
    const char *settled; /* "replayed" */
    warren_status (*settle)(warren_admin *, const warren_dead_filter *, warren_dead_visitor *,
                            void *, size_t *, warren_error *);
    size_t count;
    size_t shown;
    struct output output; /* of a dry run */
};

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static bool count_letter(const warren_dead_letter *letter, void *user)
{
    struct settling *settling = user;
    settling->count++;
    if (settling->shown < EXAMPLES) {
        settling->shown++;
        add_letter(&settling->output, letter);
    }
    return !say_is_interrupted();
}

static int dry_run(warren_admin *admin, const warren_dead_filter *filter, struct settling *settling,
                   enum output_format format)
{
    warren_error err;
    output_begin(&settling->output, format, columns, COLUMNS);
    warren_status rc = warren_dead_each(admin, filter, count_letter, settling, &err);
    int code = output_end(&settling->output);
    if (rc) {
        return say_failure(&err);
    }
    say("%zu dead letter%s of %s would be %s%s; nothing was changed", settling->count,
        plural(settling->count), filter->queue, settling->settled,
        settling->count > EXAMPLES ? ", the first of them above" : "");
    return code;
}

static bool before_letter(const warren_dead_letter *letter, void *user)
{
    struct settling *settling = user;
    (void)letter;
    if (say_is_interrupted()) {
        return false;
    }
    if (++settling->count % 50 == 0) {
        say_progress("%s %zu", settling->settled, settling->count);
    }
    return true;
}

static int report(const struct settling *settling, enum output_format format, const char *queue,
                  size_t count)
{
    const struct column report_columns[] = { { "QUEUE", "queue", CELL_TEXT },
                                             { "COUNT", settling->settled, CELL_NUMBER } };
    if (format == OUTPUT_TABLE) {
        say("%zu dead letter%s of %s %s", count, plural(count), queue, settling->settled);
        return EXIT_DONE;
    }
    struct output output;
    output_begin(&output, format, report_columns, 2);
    output_row(&output, (struct cell[]){ { .text = queue }, { .number = (int64_t)count } });
    return output_end(&output);
}

static int settle_letters(warren_admin *admin, const warren_dead_filter *filter,
                          struct settling *settling, enum output_format format)
{
    warren_error err;
    size_t count = 0;
    say_catch_interrupt();
    warren_status rc = settling->settle(admin, filter, before_letter, settling, &count, &err);
    say_progress_done();
    int code = report(settling, format, filter->queue, count);
    if (rc) {
        int failed = say_failure(&err);
        return count ? EXIT_PARTLY : failed;
    }
    if (say_is_interrupted()) {
        say("stopped; the others still stand in their dead queue: the same command goes on");
        return EXIT_PARTLY;
    }
    if (!count && filter->id) {
        say("queue %s has no dead letter %s", filter->queue, filter->id);
        return EXIT_NOT_FOUND;
    }
    return code;
}

static int run_settling(const struct args *args, struct settling *settling, bool asks)
{
    enum output_format format;
    warren_dead_filter filter;
    warren_admin *admin = NULL;
    warren_error err;
    int code;
    if (!output_format_of(args, &format) || !read_filter(args, &filter)) {
        return EXIT_USAGE;
    }
    bool is_dry = args_has(args, "dry-run");
    if (!is_dry && asks && !args_has(args, "yes") &&
        !say_confirm("drop dead letters of queue", filter.queue)) {
        return EXIT_REFUSED;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    if (is_dry) {
        code = dry_run(admin, &filter, settling, format);
    } else {
        code = settle_letters(admin, &filter, settling, format);
    }
    warren_admin_close(admin);
    return code;
}

int cmd_dead_replay(const struct args *args)
{
    struct settling settling = { .settled = "replayed", .settle = warren_dead_replay };
    return run_settling(args, &settling, false);
}

int cmd_dead_drop(const struct args *args)
{
    struct settling settling = { .settled = "dropped", .settle = warren_dead_drop };
    return run_settling(args, &settling, true);
}
