// SPDX-License-Identifier: MIT
// DESIGN: a struct is copied as it is, and then every string that the table knows gets a copy of its
// own; so a new option is copied without a line here. The strings are taken out of the copy first: one
// that is half made can be freed as ever.
#include <stdlib.h>

#include "base/error.h"
#include "model/settings_value.h"

/* The strings of one struct: those of the table that live in it. */
static void forget_strings(void *base, enum wr_option_home home)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (wr_option_home(&table[i]) == home && wr_option_is_string(&table[i])) {
            *(char **)(void *)((char *)base + table[i].offset) = NULL;
        }
    }
}

static bool copy_strings(void *to, const void *from, enum wr_option_home home)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        if (wr_option_home(&table[i]) == home && wr_option_is_string(&table[i])) {
            struct wr_value value;
            wr_value_load(&table[i], from, &value);
            ok = wr_value_store(&table[i], to, &value);
        }
    }
    return ok;
}

static bool copy_file(char **to, const char *from)
{
    *to = from ? wr_slice_copy(wr_slice_of(from)) : NULL;
    return *to || !from;
}

static bool copy_job(struct wr_job_settings *to, const struct wr_job_settings *from)
{
    *to = *from;
    forget_strings(to, WR_IN_JOB);
    bool has_file = copy_file(&to->file, from->file); /* replaces the borrowed one in any case */
    return copy_strings(to, from, WR_IN_JOB) && has_file;
}

bool wr_settings_copy_queue(struct wr_queue_settings *to, const struct wr_queue_settings *from)
{
    *to = *from;
    forget_strings(to, WR_IN_QUEUE);
    to->job_count = 0;
    to->jobs = calloc(from->job_count + 1, sizeof *to->jobs);
    bool ok = copy_file(&to->file, from->file) && to->jobs && copy_strings(to, from, WR_IN_QUEUE);
    for (size_t i = 0; ok && i < from->job_count; i++) {
        ok = copy_job(&to->jobs[to->job_count++], &from->jobs[i]);
    }
    return ok;
}

static bool copy_plugins(struct wr_settings *to, const struct wr_settings *from)
{
    to->plugins = calloc(from->plugin_count + 1, sizeof *to->plugins);
    bool ok = to->plugins != NULL;
    for (size_t i = 0; ok && i < from->plugin_count; i++) {
        ok = copy_file(&to->plugins[to->plugin_count++], from->plugins[i]);
    }
    return ok;
}

static bool copy_all(struct wr_settings *to, const struct wr_settings *from)
{
    *to = *from;
    forget_strings(to, WR_IN_SETTINGS);
    to->plugins = NULL;
    to->plugin_count = 0;
    to->queue_count = 0;
    to->queues = calloc(from->queue_count + 1, sizeof *to->queues);
    bool ok = copy_file(&to->file, from->file) && to->queues && copy_plugins(to, from) &&
              copy_strings(to, from, WR_IN_SETTINGS);
    for (size_t i = 0; ok && i < from->queue_count; i++) {
        ok = wr_settings_copy_queue(&to->queues[to->queue_count++], &from->queues[i]);
    }
    return ok;
}

warren_status wr_settings_copy(struct wr_settings **out, const struct wr_settings *settings,
                               warren_error *err)
{
    struct wr_settings *copy = calloc(1, sizeof *copy);
    if (!copy || !copy_all(copy, settings)) {
        wr_settings_free(copy);
        return wr_no_memory(err);
    }
    *out = copy;
    return WARREN_OK;
}
