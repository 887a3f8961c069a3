// SPDX-License-Identifier: MIT
// DESIGN: one walk over the table compares two structs of a kind; the walk over queues and types calls
// it for each pair of the same name. The table says which options are live, so nothing here knows one
// by its name, but for the two that are names themselves.
//
// A type that says nothing of its retries has the queue's. When the queue's change, each such type
// differs, too; that is carried over, but told only once.
#include "model/settings_diff.h"

#include <stdlib.h>

#include "base/error.h"
#include "model/settings_value.h"

/* Two structs of the same kind. */
struct pair {
    const char *queue;
    const char *type;
    const void *from;
    const void *to;
};

/* --- values --- */

static const struct wr_retry_policy *policy_of(const struct wr_option *option, const void *base)
{
    return (const struct wr_retry_policy *)(const void *)((const char *)base + option->offset);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_delays(const struct wr_retry_policy *a, const struct wr_retry_policy *b)
{
    return a->delay_count == b->delay_count &&
           memcmp(a->delays_ms, b->delays_ms, (size_t)a->delay_count * sizeof a->delays_ms[0]) == 0;
}

static bool same_plugins(const struct wr_settings *a, const struct wr_settings *b)
{
    bool is_same = a->plugin_count == b->plugin_count;
    for (size_t i = 0; is_same && i < a->plugin_count; i++) {
        is_same = strcmp(a->plugins[i], b->plugins[i]) == 0;
    }
    return is_same;
}

static bool is_same(const struct wr_option *option, const void *a, const void *b)
{
    struct wr_value left;
    struct wr_value right;
    if (option->kind == WR_OPTION_DURATIONS) {
        return same_delays(policy_of(option, a), policy_of(option, b));
    }
    if (option->kind == WR_OPTION_PATHS) {
        return same_plugins(a, b);
    }
    wr_value_load(option, a, &left);
    wr_value_load(option, b, &right);
    return left.number == right.number && !(left.real < right.real) && !(left.real > right.real) &&
           same_text(left.text, right.text);
}

static void show(const struct wr_option *option, const void *base, struct wr_text *out)
{
    char text[32];
    if (option->kind == WR_OPTION_DURATIONS) {
        const struct wr_retry_policy *policy = policy_of(option, base);
        for (int i = 0; i < policy->delay_count; i++) {
            wr_text_add_format(out, "%s%s", i ? ", " : "",
                               wr_duration_write(text, sizeof text, policy->delays_ms[i]));
        }
    } else if (option->kind == WR_OPTION_PATHS) {
        const struct wr_settings *settings = base;
        for (size_t i = 0; i < settings->plugin_count; i++) {
            wr_text_add_format(out, "%s%s", i ? ", " : "", settings->plugins[i]);
        }
    } else {
        wr_value_show(option, base, out);
    }
}

static char *shown(const struct wr_option *option, const void *base)
{
    struct wr_text text = { 0 };
    show(option, base, &text);
    wr_text_add_string(&text, ""); /* an empty value is a text, too */
    return wr_text_take(&text);
}

/* --- collecting --- */

static void add(struct wr_differences *out, struct wr_difference difference)
{
    struct wr_difference *grown = realloc(out->items, (out->length + 1) * sizeof *grown);
    bool has_texts = difference.from || difference.to;
    if (grown) {
        out->items = grown;
    }
    if (!grown || !has_texts) {
        free(difference.from);
        free(difference.to);
        out->failed = true;
        return;
    }
    out->items[out->length++] = difference;
}

static void diff_structs(const struct pair *pair, enum wr_option_home home,
                         struct wr_differences *out)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct wr_option *option = &table[i];
        if (wr_option_home(option) != home || option->kind == WR_OPTION_GROUPS ||
            is_same(option, pair->from, pair->to)) {
            continue;
        }
        struct wr_difference difference = { .option = option,
                                            .queue = pair->queue,
                                            .type = pair->type,
                                            .from = shown(option, pair->from),
                                            .to = shown(option, pair->to),
                                            .is_live = option->is_live };
        out->failed |= !difference.from || !difference.to;
        add(out, difference);
    }
}

/* A queue or a type that only one of them has. */
static void add_whole(struct wr_differences *out, const char *path, const struct pair *pair)
{
    const char *name = pair->type ? pair->type : pair->queue;
    char *copy = wr_slice_copy(wr_slice_of(name));
    bool is_new = pair->to != NULL;
    add(out, (struct wr_difference){ .option = wr_settings_option(wr_slice_of(path)),
                                     .queue = pair->queue,
                                     .type = pair->type,
                                     .from = is_new ? NULL : copy,
                                     .to = is_new ? copy : NULL,
                                     .is_live = is_new && !pair->type });
}

static const struct wr_job_settings *find_job(const struct wr_queue_settings *queue,
                                              const char *type)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        if (strcmp(queue->jobs[i].type, type) == 0) {
            return &queue->jobs[i];
        }
    }
    return NULL;
}

/* What a type has from its queue, before and after. */
static bool follows(const struct wr_difference *difference, const struct wr_job_settings *job,
                    const struct wr_queue_settings *queue)
{
    char path[64] = "queue.";
    const char *rest = difference->option->path + strlen("queue.jobs.");
    strncat(path, rest, sizeof path - strlen(path) - 1);
    const struct wr_option *option = wr_settings_option(wr_slice_of(path));
    if (!option || option->kind != difference->option->kind || strncmp(rest, "retry.", 6) != 0) {
        return false;
    }
    struct wr_job_settings as_queue = { .retry = queue->retry };
    return is_same(difference->option, job, &as_queue);
}

static void diff_jobs(const struct wr_queue_settings *from, const struct wr_queue_settings *to,
                      struct wr_differences *out)
{
    for (size_t i = 0; i < from->job_count; i++) {
        const struct wr_job_settings *job = &from->jobs[i];
        struct pair pair = { from->name, job->type, job, find_job(to, job->type) };
        size_t first = out->length;
        if (!pair.to) {
            add_whole(out, "queue.jobs.type", &pair);
            continue;
        }
        diff_structs(&pair, WR_IN_JOB, out);
        for (size_t k = first; k < out->length; k++) {
            struct wr_difference *difference = &out->items[k];
            difference->is_implied =
                follows(difference, job, from) && follows(difference, pair.to, to);
        }
    }
    for (size_t i = 0; i < to->job_count; i++) {
        struct pair pair = { from->name, to->jobs[i].type, NULL, &to->jobs[i] };
        if (!find_job(from, to->jobs[i].type)) {
            add_whole(out, "queue.jobs.type", &pair);
        }
    }
}

static void diff_queues(const struct wr_settings *from, const struct wr_settings *to,
                        struct wr_differences *out)
{
    for (size_t i = 0; i < from->queue_count; i++) {
        const struct wr_queue_settings *queue = &from->queues[i];
        const struct wr_queue_settings *other = wr_settings_queue(to, queue->name);
        struct pair pair = { queue->name, NULL, queue, other };
        if (!other) {
            add_whole(out, "queue.name", &pair);
            continue;
        }
        diff_structs(&pair, WR_IN_QUEUE, out);
        diff_jobs(queue, other, out);
    }
    for (size_t i = 0; i < to->queue_count; i++) {
        struct pair pair = { to->queues[i].name, NULL, NULL, &to->queues[i] };
        if (!wr_settings_queue(from, to->queues[i].name)) {
            add_whole(out, "queue.name", &pair);
        }
    }
}

void wr_settings_diff(const struct wr_settings *from, const struct wr_settings *to,
                      struct wr_differences *out)
{
    struct pair whole = { NULL, NULL, from, to };
    *out = (struct wr_differences){ 0 };
    diff_structs(&whole, WR_IN_SETTINGS, out);
    diff_queues(from, to, out);
}

void wr_differences_done(struct wr_differences *differences)
{
    for (size_t i = 0; i < differences->length; i++) {
        free(differences->items[i].from);
        free(differences->items[i].to);
    }
    free(differences->items);
    *differences = (struct wr_differences){ 0 };
}

/* --- telling --- */

/* "broker.heartbeat"; "retry.first" of a queue or a type, which are named before it. */
static const char *short_path(const struct wr_difference *difference)
{
    static const size_t skips[] = {
        [WR_IN_SETTINGS] = 0,
        [WR_IN_QUEUE] = sizeof "queue." - 1,
        [WR_IN_JOB] = sizeof "queue.jobs." - 1,
    };
    return difference->option->path + skips[wr_option_home(difference->option)];
}

void wr_difference_write(const struct wr_difference *difference, struct wr_text *out)
{
    if (difference->queue) {
        wr_text_add_format(out, "queue %s", difference->queue);
    }
    if (difference->type) {
        wr_text_add_format(out, ", type %s", difference->type);
    }
    if (!difference->from || !difference->to) {
        wr_text_add_string(out, difference->from ? ": gone" : ": new");
        return;
    }
    wr_text_add_format(out, "%s%s: %s -> %s", difference->queue ? ": " : "", short_path(difference),
                       difference->from[0] ? difference->from : "\"\"",
                       difference->to[0] ? difference->to : "\"\"");
}

/* --- carrying over --- */

static struct wr_queue_settings *queue_of(const struct wr_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        if (strcmp(settings->queues[i].name, name) == 0) {
            return &settings->queues[i];
        }
    }
    return NULL;
}

/* The struct of these settings that the difference is about; NULL: they have none. */
static void *base_of(const struct wr_settings *settings, const struct wr_difference *difference)
{
    if (!difference->queue) {
        return (void *)(uintptr_t)settings;
    }
    struct wr_queue_settings *queue = queue_of(settings, difference->queue);
    if (!queue || !difference->type) {
        return queue;
    }
    return (void *)(uintptr_t)find_job(queue, difference->type);
}

static warren_status add_queue(struct wr_settings *settings, const struct wr_queue_settings *queue,
                               warren_error *err)
{
    struct wr_queue_settings *grown =
        realloc(settings->queues, (settings->queue_count + 1) * sizeof *grown);
    if (!grown) {
        return wr_no_memory(err);
    }
    settings->queues = grown;
    bool is_whole = wr_settings_copy_queue(&grown[settings->queue_count++], queue);
    return is_whole ? WARREN_OK : wr_no_memory(err);
}

warren_status wr_settings_take(struct wr_settings *settings, const struct wr_settings *from,
                               const struct wr_difference *difference, warren_error *err)
{
    const struct wr_option *option = difference->option;
    void *old = base_of(settings, difference);
    const void *new = base_of(from, difference);
    if (!old && new && difference->queue && !difference->type) {
        return add_queue(settings, new, err);
    }
    if (!old || !new || option->kind == WR_OPTION_PATHS || option->kind == WR_OPTION_GROUPS) {
        return WARREN_OK;
    }
    if (option->kind == WR_OPTION_DURATIONS) {
        struct wr_retry_policy *policy = (void *)((char *)old + option->offset);
        const struct wr_retry_policy *newer = policy_of(option, new);
        policy->delay_count = newer->delay_count;
        memcpy(policy->delays_ms, newer->delays_ms, sizeof policy->delays_ms);
        return WARREN_OK;
    }
    struct wr_value value;
    wr_value_load(option, new, &value);
    return wr_value_store(option, old, &value) ? WARREN_OK : wr_no_memory(err);
}
