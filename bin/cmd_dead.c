// SPDX-License-Identifier: MIT
// DESIGN: the verbs of `warren dead` that only look: list, groups and show. Those that take letters out
// of a dead queue are in dead_settle.c.
#include "warren/dead.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "dead_filter.h"
#include "dead_rows.h"
#include "dead_show.h"
#include "output.h"
#include "say.h"
#include "spool.h"

/* --- list --- */

static bool list_letter(const warren_dead_letter *letter, void *user)
{
    dead_rows_add(user, letter);
    return !say_is_interrupted();
}

static warren_status list_queue(warren_admin *admin, const warren_dead_filter *filter, void *user,
                                warren_error *err)
{
    return warren_dead_each(admin, filter, list_letter, user, err);
}

/* Ends a list of letters or groups, whose walk ended with `rc`. */
static int end_rows(struct output *output, warren_status rc, const warren_error *err)
{
    bool is_empty_table = !output->row_count && output->format == OUTPUT_TABLE;
    int code = output_end(output);
    say_progress_done();
    code = spool_end() ? code : EXIT_FAILED;
    if (rc) {
        return say_failure(err);
    }
    if (is_empty_table) {
        say("no dead letters");
    }
    return say_is_interrupted() ? EXIT_PARTLY : code;
}

int cmd_dead_list(const struct args *args)
{
    struct output output;
    enum output_format format;
    warren_dead_filter filter;
    warren_admin *admin = NULL;
    warren_error err;
    if (!output_format_of(args, &format) || !dead_filter_read(args, &filter)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    dead_filter_watch(admin, "looking");
    if (!spool_begin()) {
        warren_admin_close(admin);
        return EXIT_FAILED;
    }
    dead_rows_begin(&output, format);
    warren_status rc = dead_filter_each(admin, &filter, list_queue, &output, &err);
    warren_admin_close(admin);
    return end_rows(&output, rc, &err);
}

/* --- groups --- */

struct groups {
    struct output output;
    size_t most; /* a queue */
    uint64_t beyond;
};

static bool add_group(const warren_dead_group *group, void *user)
{
    dead_rows_add_group(user, group);
    return true;
}

static warren_status group_queue(warren_admin *admin, const warren_dead_filter *filter, void *user,
                                 warren_error *err)
{
    struct groups *groups = user;
    uint64_t beyond = 0;
    warren_status rc =
        warren_dead_groups(admin, filter, groups->most, add_group, &groups->output, &beyond, err);
    groups->beyond += beyond;
    return rc;
}

int cmd_dead_groups(const struct args *args)
{
    struct groups groups = { .most = 0 };
    enum output_format format;
    warren_dead_filter filter;
    warren_admin *admin = NULL;
    warren_error err;
    long most = 0;
    if (!output_format_of(args, &format) || !dead_filter_read(args, &filter) ||
        !args_number(args, "most", 1, 100000, &most)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    groups.most = (size_t)most;
    dead_filter_watch(admin, "grouping");
    dead_rows_begin_groups(&groups.output, format);
    warren_status rc = dead_filter_each(admin, &filter, group_queue, &groups, &err);
    warren_admin_close(admin);
    int code = end_rows(&groups.output, rc, &err);
    if (groups.beyond) {
        say("%" PRIu64
            " more dead letters are in other groups: ask for more of them (--most), or for "
            "one type or reason",
            groups.beyond);
    }
    return code;
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
    dead_filter_watch(admin, "looking");
    bool is_ready = spool_begin();
    warren_status rc =
        is_ready ? warren_dead_each(admin, &filter, dead_show_letter, &show, &err) : WARREN_OK;
    warren_admin_close(admin);
    say_progress_done();
    if (!is_ready || output_flush() || !spool_end()) {
        return EXIT_FAILED;
    }
    if (rc) {
        return say_failure(&err);
    }
    if (!show.found && say_is_interrupted()) {
        return EXIT_PARTLY;
    }
    if (!show.found) {
        say("queue %s has no dead letter %s: `warren dead list %s` shows them", filter.queue,
            filter.id, filter.queue);
        return EXIT_NOT_FOUND;
    }
    return output_flush();
}
