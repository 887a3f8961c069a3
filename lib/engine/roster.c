// SPDX-License-Identifier: MIT
// DESIGN: settings say which types a queue has, the program says which function does a type; here
// the two meet, and what doesn't fit is an error before anything connects. Every configured queue
// is a source, every isolated type one more, and so is a queue that a type has left behind when its
// isolation was taken back.
#include "engine/roster.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"

enum { THREADS_MOST = 256, DISTANCE_MOST = 3 };

static bool is_same_queue(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct wr_handler_entry *find_handler(const struct wr_roster *roster,
                                                   const char *queue, const char *type)
{
    for (size_t i = 0; i < roster->handler_count; i++) {
        const struct wr_handler_entry *entry = &roster->handlers[i];
        if (strcmp(entry->type, type) == 0 && is_same_queue(entry->queue, queue)) {
            return entry;
        }
    }
    return NULL;
}

warren_status wr_roster_add(struct wr_roster *roster, const char *queue, const char *type,
                            warren_handler *handler, void *user, warren_error *err)
{
    if (!type || !*type || !handler) {
        return wr_fail(err, WARREN_INVALID, "a handler needs a job type and a function");
    }
    if (find_handler(roster, queue, type)) {
        return wr_fail(err, WARREN_STATE, "job type \"%s\" has a handler already%s%s", type,
                       queue ? " in queue " : "", queue ? queue : "");
    }
    struct wr_handler_entry *grown =
        realloc(roster->handlers, (roster->handler_count + 1) * sizeof *grown);
    if (!grown) {
        return wr_no_memory(err);
    }
    roster->handlers = grown;
    struct wr_handler_entry entry = { .handler = handler, .user = user };
    entry.type = strdup(type);
    entry.queue = queue ? strdup(queue) : NULL;
    if (!entry.type || (queue && !entry.queue)) {
        free(entry.type);
        free(entry.queue);
        return wr_no_memory(err);
    }
    roster->handlers[roster->handler_count++] = entry;
    return WARREN_OK;
}

void wr_roster_drop_last(struct wr_roster *roster)
{
    struct wr_handler_entry *last = &roster->handlers[--roster->handler_count];
    free(last->queue);
    free(last->type);
}

/* --- do they fit? --- */

static const struct wr_job_settings *find_listed(const struct wr_settings *settings,
                                                 const struct wr_handler_entry *entry)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        for (size_t j = 0; j < queue->job_count; j++) {
            if (strcmp(queue->jobs[j].type, entry->type) == 0 &&
                (!entry->queue || strcmp(entry->queue, queue->name) == 0)) {
                return &queue->jobs[j];
            }
        }
    }
    return NULL;
}

static const char *nearest_type(const struct wr_settings *settings, const char *type)
{
    const char *nearest = NULL;
    size_t least = DISTANCE_MOST + 1;
    for (size_t i = 0; i < settings->queue_count; i++) {
        for (size_t j = 0; j < settings->queues[i].job_count; j++) {
            const char *listed = settings->queues[i].jobs[j].type;
            size_t distance = wr_text_distance(listed, type);
            if (distance < least) {
                least = distance;
                nearest = listed;
            }
        }
    }
    return nearest;
}

static void name_one_unlisted(const struct wr_settings *settings,
                              const struct wr_handler_entry *entry, struct wr_text *problems)
{
    wr_text_add_format(problems, "%shandler of job type \"%s\": ", problems->size ? "\n" : "",
                       entry->type);
    if (entry->queue) {
        bool is_there = wr_settings_queue(settings, entry->queue) != NULL;
        wr_text_add_format(problems,
                           is_there ? "queue \"%s\" doesn't list this type"
                                    : "the configuration has no queue \"%s\"",
                           entry->queue);
        return;
    }
    const char *nearest = nearest_type(settings, entry->type);
    wr_text_add_string(problems, "no queue lists this type");
    if (nearest) {
        wr_text_add_format(problems, ", did you mean \"%s\"?", nearest);
    } else {
        wr_text_add_string(problems, "; add it to the `jobs` of a queue file");
    }
}

static void name_unlisted(const struct wr_roster *roster, const struct wr_settings *settings,
                          struct wr_text *problems)
{
    for (size_t i = 0; i < roster->handler_count; i++) {
        if (!find_listed(settings, &roster->handlers[i])) {
            name_one_unlisted(settings, &roster->handlers[i], problems);
        }
    }
}

static void name_unhandled(const struct wr_roster *roster, struct wr_text *problems)
{
    for (size_t i = 0; i < roster->lane_count; i++) {
        const struct wr_lane *lane = &roster->lanes[i];
        if (lane->handler) {
            continue;
        }
        wr_text_add_format(problems,
                           "%s%s:%d: queue %s, job type \"%s\": no handler is registered for it "
                           "(warren_handle, or a plugin)",
                           problems->size ? "\n" : "",
                           lane->settings->file ? lane->settings->file : "(defaults)",
                           lane->settings->line, lane->queue->name, lane->settings->type);
    }
}

/* --- lanes and sources --- */

static size_t count_types(const struct wr_settings *settings)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->queue_count; i++) {
        count += settings->queues[i].job_count;
    }
    return count;
}

static void fill_lane(struct wr_roster *roster, struct wr_lane *lane,
                      const struct wr_queue_settings *queue, const struct wr_job_settings *job)
{
    const struct wr_handler_entry *entry = find_handler(roster, queue->name, job->type);
    entry = entry ? entry : find_handler(roster, NULL, job->type);
    *lane = (struct wr_lane){ .queue = queue,
                              .settings = job,
                              .number = (size_t)(lane - roster->lanes) };
    if (entry) {
        lane->handler = entry->handler;
        lane->user = entry->user;
    }
}

static void count_threads(struct wr_roster *roster, const struct wr_settings *settings)
{
    int isolated = 0;
    int shared = 0;
    for (size_t i = 0; i < settings->queue_count; i++) {
        for (size_t k = 0; k < settings->queues[i].job_count; k++) {
            const struct wr_job_settings *job = &settings->queues[i].jobs[k];
            *(job->isolate ? &isolated : &shared) += job->concurrency;
        }
    }
    int all = isolated + shared < THREADS_MOST ? isolated + shared : THREADS_MOST;
    roster->threads = settings->threads ? settings->threads : all;
    int left = roster->threads - isolated;
    roster->shared_limit = left > 1 ? left : 1;
}

static warren_status add_source(struct wr_roster *roster, const struct wr_settings *settings,
                                const struct wr_queue_settings *queue, const char *name,
                                int concurrency, size_t types)
{
    size_t first = 0; /* of the queue's lanes */
    while (roster->lanes[first].queue != queue) {
        first++;
    }
    struct wr_source *source = &roster->sources[roster->source_count];
    const char *exchange = queue->exchange ? queue->exchange : roster->jobs_exchange;
    *source = (struct wr_source){ .name = strdup(name),
                                  .channel = (uint16_t)(roster->source_count + 1),
                                  .rules = { settings, queue, wr_slice_of(exchange) },
                                  .lanes = roster->sorted + first,
                                  .lane_count = queue->job_count };
    wr_prefetch_init(&source->prefetch, queue->prefetch, concurrency, types);
    if (!source->name) {
        return WARREN_NO_MEMORY;
    }
    roster->source_count++;
    return WARREN_OK;
}

static warren_status add_sources_of(struct wr_roster *roster, const struct wr_settings *settings,
                                    const struct wr_queue_settings *queue)
{
    int shared = 0;
    size_t types = 0;
    for (size_t i = 0; i < queue->job_count; i++) {
        shared += queue->jobs[i].isolate ? 0 : queue->jobs[i].concurrency;
        types += queue->jobs[i].isolate ? 0 : 1;
    }
    shared = shared < roster->shared_limit ? shared : roster->shared_limit;
    warren_status rc = add_source(roster, settings, queue, queue->name, shared ? shared : 1, types);
    for (size_t i = 0; i < queue->job_count && !rc; i++) {
        char name[WR_NAME_SIZE];
        if (queue->jobs[i].isolate) {
            wr_topology_isolated_queue(name, sizeof name, queue->name, queue->jobs[i].type);
            rc = add_source(roster, settings, queue, name, queue->jobs[i].concurrency, 1);
            roster->sources[roster->source_count - 1].is_isolated = rc == WARREN_OK;
        }
    }
    return rc;
}

static warren_status add_leftover(struct wr_roster *roster, const struct wr_settings *settings,
                                  const struct wr_leftover *leftover)
{
    const struct wr_queue_settings *queue = wr_settings_queue(settings, leftover->of_queue);
    if (!queue) {
        return WARREN_OK;
    }
    warren_status rc = add_source(roster, settings, queue, leftover->queue, 1, 1);
    if (!rc) {
        roster->sources[roster->source_count - 1].is_leftover = true;
        roster->sources[roster->source_count - 1].is_absent = true;
    }
    return rc;
}

static warren_status make(struct wr_roster *roster, const struct wr_settings *settings,
                          const struct wr_topology *topology)
{
    size_t types = count_types(settings);
    roster->lanes = calloc(types + 1, sizeof *roster->lanes);
    roster->sorted = calloc(types + 1, sizeof(struct wr_lane *));
    roster->sources =
        calloc(settings->queue_count + types + topology->leftover_count, sizeof *roster->sources);
    if (!roster->lanes || !roster->sorted || !roster->sources) {
        return WARREN_NO_MEMORY;
    }
    wr_topology_exchange(roster->jobs_exchange, sizeof roster->jobs_exchange, settings->ns, "jobs");
    warren_status rc = WARREN_OK;
    for (size_t i = 0; i < settings->queue_count && !rc; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        size_t first = roster->lane_count;
        for (size_t j = 0; j < queue->job_count; j++) {
            roster->sorted[roster->lane_count] = &roster->lanes[roster->lane_count];
            fill_lane(roster, &roster->lanes[roster->lane_count++], queue, &queue->jobs[j]);
        }
        rc = queue->job_count ? add_sources_of(roster, settings, queue) : WARREN_OK;
        wr_source_sort(roster->sorted + first, queue->job_count);
    }
    for (size_t i = 0; i < topology->leftover_count && !rc; i++) {
        rc = add_leftover(roster, settings, &topology->leftovers[i]);
    }
    return rc;
}

warren_status wr_roster_build(struct wr_roster *roster, const struct wr_settings *settings,
                              const struct wr_topology *topology, warren_error *err)
{
    count_threads(roster, settings);
    if (make(roster, settings, topology)) {
        return wr_no_memory(err);
    }
    struct wr_text problems = { 0 };
    name_unlisted(roster, settings, &problems);
    name_unhandled(roster, &problems);
    warren_status rc = WARREN_OK;
    if (problems.size || problems.failed) {
        rc = wr_fail(err, WARREN_CONFIG, "%s", wr_text_string(&problems));
    } else if (!roster->source_count) {
        rc = wr_fail(err, WARREN_CONFIG, "there is nothing to do: no job type has a handler");
    }
    wr_text_done(&problems);
    return rc;
}

void wr_roster_note_leftovers(struct wr_roster *roster, const struct wr_leftover *const *there,
                              size_t count)
{
    for (size_t i = 0; i < roster->source_count; i++) {
        struct wr_source *source = &roster->sources[i];
        source->is_absent = source->is_leftover;
        for (size_t j = 0; j < count; j++) {
            if (strcmp(there[j]->queue, source->name) == 0) {
                source->is_absent = false;
            }
        }
    }
}

void wr_roster_done(struct wr_roster *roster)
{
    for (size_t i = 0; i < roster->handler_count; i++) {
        free(roster->handlers[i].queue);
        free(roster->handlers[i].type);
    }
    for (size_t i = 0; i < roster->source_count; i++) {
        free(roster->sources[i].name);
        wr_tally_done(&roster->sources[i].strangers);
    }
    for (size_t i = 0; i < roster->lane_count; i++) {
        wr_tally_done(&roster->lanes[i].tally);
    }
    free(roster->handlers);
    free(roster->lanes);
    free(roster->sorted);
    free(roster->sources);
    *roster = (struct wr_roster){ 0 };
}
