// SPDX-License-Identifier: MIT
// DESIGN: `warren queue`: what waits where, and emptying a queue.
#include "warren/queue.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "output.h"
#include "say.h"
#include "warren/control.h"
#include "who.h"

static const struct column columns[] = {
    { "NAME", "name", CELL_TEXT },           { "KIND", "kind", CELL_TEXT },
    { "QUEUE", "queue", CELL_TEXT },         { "DECLARED", "exists", CELL_BOOL },
    { "MESSAGES", "messages", CELL_NUMBER }, { "CONSUMERS", "consumers", CELL_NUMBER },
    { "PAUSED", "paused", CELL_TEXT },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

struct listing {
    struct output output;
    struct pauses *pauses;
    const char *wanted; /* NULL: all */
    bool found;
    bool exists;
};

/* --- what is paused --- */

enum { PAUSES_MOST = 200 };

struct pauses {
    struct {
        char queue[256];
        char type[256];
    } items[PAUSES_MOST];
    size_t count;
    bool is_unknown;
};

static bool keep_pause(const warren_pause_info *info, void *user)
{
    struct pauses *pauses = user;
    if (pauses->count < PAUSES_MOST) {
        (void)snprintf(pauses->items[pauses->count].queue, 256, "%s", info->queue);
        (void)snprintf(pauses->items[pauses->count++].type, 256, "%s", info->type);
    }
    return true;
}

/* "all", or the types, "" when nothing of it is. */
static const char *paused_of(const struct pauses *pauses, const char *queue, char out[512])
{
    size_t size = 0;
    out[0] = '\0';
    if (pauses->is_unknown) {
        return "?";
    }
    for (size_t i = 0; i < pauses->count; i++) {
        const char *type = pauses->items[i].type;
        if (strcmp(pauses->items[i].queue, queue) != 0) {
            continue;
        }
        if (!*type) {
            return "all";
        }
        int added = snprintf(out + size, 512 - size, "%s%s", size ? "," : "", type);
        size = added > 0 && size + (size_t)added < 512 ? size + (size_t)added : size;
    }
    return out;
}

/* --- the list --- */

static bool list_queue(const warren_queue_info *info, void *user)
{
    char paused[512];
    struct listing *listing = user;
    if (listing->wanted && strcmp(info->name, listing->wanted) != 0 &&
        strcmp(info->queue, listing->wanted) != 0) {
        return true;
    }
    bool is_work = strcmp(info->kind, "work") == 0;
    listing->found = true;
    listing->exists = listing->exists || info->exists;
    output_row(&listing->output,
               (struct cell[COLUMNS]){
                   { .text = info->name },
                   { .text = info->kind },
                   { .text = info->queue },
                   { .number = info->exists },
                   { .number = (int64_t)info->messages },
                   { .number = (int64_t)info->consumers },
                   { .text = is_work ? paused_of(listing->pauses, info->queue, paused) : "" } });
    return true;
}

static int list(const struct args *args, const char *wanted)
{
    static struct pauses pauses;
    struct listing listing = { .wanted = wanted, .pauses = &pauses };
    enum output_format format;
    warren_admin *admin = NULL;
    warren_error err;
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    warren_status known = warren_control_paused(admin, keep_pause, &pauses, &err);
    /* Without a control plane nothing is paused. */
    pauses.is_unknown = known && known != WARREN_STATE && known != WARREN_UNROUTABLE;
    if (pauses.is_unknown) {
        say("what is paused is not known: %s", err.text);
    }
    output_begin(&listing.output, format, columns, COLUMNS);
    warren_status rc = warren_queue_each(admin, list_queue, &listing, &err);
    warren_admin_close(admin);
    int code = output_end(&listing.output);
    if (rc) {
        return say_failure(&err);
    }
    if (wanted && !listing.found) {
        say("queue %s is not in this configuration: `warren queue list` shows them", wanted);
        return EXIT_NOT_FOUND;
    }
    if (wanted && !listing.exists) {
        say("queue %s is not at the broker: `warren topology apply` declares it", wanted);
        return EXIT_NOT_FOUND;
    }
    return code;
}

int cmd_queue_list(const struct args *args)
{
    return list(args, NULL);
}

int cmd_queue_show(const struct args *args)
{
    return list(args, args_operand(args, 0));
}

/* --- pause --- */

static int pause_queue(const struct args *args, bool is_paused)
{
    warren_admin *admin = NULL;
    warren_error err;
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    const char *type = args_value(args, "type");
    warren_status rc = warren_control_pause(admin, args_operand(args, 0), type, is_paused,
                                            who_am_i(), args_value(args, "because"), &err);
    warren_admin_close(admin);
    return rc ? say_failure(&err) : EXIT_DONE;
}

int cmd_queue_pause(const struct args *args)
{
    return pause_queue(args, true);
}

int cmd_queue_resume(const struct args *args)
{
    return pause_queue(args, false);
}

/* --- purge --- */

struct depth {
    const char *name;
    bool found;
    bool exists;
    uint64_t messages;
};

static bool find_depth(const warren_queue_info *info, void *user)
{
    struct depth *depth = user;
    bool is_catch_all = strcmp(info->kind, "unrouted") == 0 && strcmp(depth->name, "unrouted") == 0;
    if (!is_catch_all && strcmp(info->name, depth->name) != 0) {
        return true;
    }
    depth->found = true;
    depth->exists = info->exists;
    depth->messages = info->messages;
    return false;
}

static int report_purge(enum output_format format, const char *name, uint64_t count, bool was_done)
{
    static const struct column report[] = { { "QUEUE", "queue", CELL_TEXT },
                                            { "PURGED", "purged", CELL_NUMBER },
                                            { "DRY RUN", "dry_run", CELL_BOOL } };
    struct output output;
    output_begin(&output, format, report, 3);
    output_row(
        &output,
        (struct cell[]){ { .text = name }, { .number = (int64_t)count }, { .number = !was_done } });
    return output_end(&output);
}

static int purge(warren_admin *admin, const struct args *args, enum output_format format)
{
    warren_error err;
    struct depth depth = { .name = args_operand(args, 0) };
    uint64_t count = 0;
    if (warren_queue_each(admin, find_depth, &depth, &err)) {
        return say_failure(&err);
    }
    /* A name that isn't there is told by the purge itself, which knows what is near to it. */
    if (depth.exists && args_has(args, "dry-run")) {
        return report_purge(format, depth.name, depth.messages, false);
    }
    if (depth.exists && !args_has(args, "yes")) {
        say("queue %s holds %llu messages", depth.name, (unsigned long long)depth.messages);
        if (!say_confirm("purge queue", depth.name)) {
            return EXIT_REFUSED;
        }
    }
    if (warren_queue_purge(admin, depth.name, &count, &err)) {
        return say_failure(&err);
    }
    return report_purge(format, depth.name, count, true);
}

int cmd_queue_purge(const struct args *args)
{
    enum output_format format;
    warren_admin *admin = NULL;
    warren_error err;
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    int code = purge(admin, args, format);
    warren_admin_close(admin);
    return code;
}
