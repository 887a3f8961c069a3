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
enum { MORE_TYPES = 256, MORE_SOURCES = 512 }; /* room for what reloads may add */

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
    if (!roster->threads_most) {
        roster->threads_most = roster->threads > THREADS_MOST ? roster->threads : THREADS_MOST;
    }
    roster->threads =
        roster->threads < roster->threads_most ? roster->threads : roster->threads_most;
    int left = roster->threads - isolated;
    roster->shared_limit = left > 1 ? left : 1;
}

enum kind { SHARED, ISOLATED, LEFTOVER };

/* It counts once it is whole: others may look. */
static warren_status add_source(struct wr_roster *roster, const struct wr_settings *settings,
                                const struct wr_queue_settings *queue, const char *name,
                                enum kind kind)
{
    size_t types = 0;
    size_t first = 0; /* of the queue's lanes */
    while (strcmp(roster->lanes[first].queue->name, queue->name) != 0) {
        first++;
    }
    size_t index = roster->source_count;
    if (index >= roster->sources_most) {
        return WARREN_NO_MEMORY;
    }
    struct wr_source *source = &roster->sources[index];
    const char *exchange = queue->exchange ? queue->exchange : roster->jobs_exchange;
    *source = (struct wr_source){ .name = strdup(name),
                                  .is_isolated = kind == ISOLATED,
                                  .is_leftover = kind == LEFTOVER,
                                  .is_absent = kind == LEFTOVER,
                                  .queue_number = (size_t)(queue - settings->queues),
                                  .channel = (uint16_t)(index + 1),
                                  .rules = { settings, queue, wr_slice_of(exchange) },
                                  .lanes = roster->sorted + first,
                                  .lane_count = queue->job_count };
    if (!source->name) {
        return WARREN_NO_MEMORY;
    }
    int slots = wr_source_slots(source, roster->shared_limit, &types);
    wr_prefetch_init(&source->prefetch, queue->prefetch, slots, types);
    roster->source_count = index + 1;
    return WARREN_OK;
}

static warren_status add_sources_of(struct wr_roster *roster, const struct wr_settings *settings,
                                    const struct wr_queue_settings *queue)
{
    warren_status rc = add_source(roster, settings, queue, queue->name, SHARED);
    for (size_t i = 0; i < queue->job_count && !rc; i++) {
        char name[WR_NAME_SIZE];
        if (queue->jobs[i].isolate) {
            wr_topology_isolated_queue(name, sizeof name, queue->name, queue->jobs[i].type);
            rc = add_source(roster, settings, queue, name, ISOLATED);
        }
    }
    return rc;
}

static warren_status add_leftovers(struct wr_roster *roster, const struct wr_settings *settings,
                                   const struct wr_topology *topology, size_t first_queue)
{
    warren_status rc = WARREN_OK;
    for (size_t i = 0; i < topology->leftover_count && !rc; i++) {
        const struct wr_leftover *leftover = &topology->leftovers[i];
        const struct wr_queue_settings *queue = wr_settings_queue(settings, leftover->of_queue);
        if (queue && queue >= &settings->queues[first_queue]) {
            rc = add_source(roster, settings, queue, leftover->queue, LEFTOVER);
        }
    }
    return rc;
}

/* Lanes and sources of all queues from `first_queue` on. */
static warren_status add_queues(struct wr_roster *roster, const struct wr_settings *settings,
                                const struct wr_topology *topology, size_t first_queue)
{
    warren_status rc = WARREN_OK;
    for (size_t i = first_queue; i < settings->queue_count && !rc; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        size_t first = roster->lane_count;
        for (size_t j = 0; j < queue->job_count; j++) {
            roster->sorted[first + j] = &roster->lanes[first + j];
            fill_lane(roster, &roster->lanes[first + j], queue, &queue->jobs[j]);
            roster->lanes[first + j].queue_number = i;
        }
        wr_source_sort(roster->sorted + first, queue->job_count);
        roster->lane_count = first + queue->job_count;
        rc = queue->job_count ? add_sources_of(roster, settings, queue) : WARREN_OK;
    }
    rc = rc ? rc : add_leftovers(roster, settings, topology, first_queue);
    roster->queue_count = settings->queue_count;
    return rc;
}

static warren_status make(struct wr_roster *roster, const struct wr_settings *settings,
                          const struct wr_topology *topology)
{
    size_t types = count_types(settings);
    roster->lanes_most = types + MORE_TYPES;
    roster->sources_most = settings->queue_count + types + topology->leftover_count + MORE_SOURCES;
    roster->lanes = calloc(roster->lanes_most, sizeof *roster->lanes);
    roster->sorted = calloc(roster->lanes_most, sizeof(struct wr_lane *));
    roster->sources = calloc(roster->sources_most, sizeof *roster->sources);
    if (!roster->lanes || !roster->sorted || !roster->sources) {
        return WARREN_NO_MEMORY;
    }
    wr_topology_exchange(roster->jobs_exchange, sizeof roster->jobs_exchange, settings->ns, "jobs");
    return add_queues(roster, settings, topology, 0);
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

bool wr_roster_accepts(const struct wr_roster *roster, const struct wr_queue_settings *queue,
                       struct wr_text *why)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        const char *type = queue->jobs[i].type;
        if (!find_handler(roster, queue->name, type) && !find_handler(roster, NULL, type)) {
            wr_text_add_format(why, "job type \"%s\" has no handler here", type);
            return false;
        }
    }
    size_t types = roster->lane_count + queue->job_count;
    size_t sources = roster->source_count + 2 * queue->job_count + 1;
    if (types > roster->lanes_most || sources > roster->sources_most) {
        wr_text_add_format(why, "at most %d job types are added without a restart", MORE_TYPES);
        return false;
    }
    return true;
}

warren_status wr_roster_adopt(struct wr_roster *roster, const struct wr_settings *settings,
                              const struct wr_topology *topology, struct wr_live *out,
                              warren_error *err)
{
    size_t lanes = roster->lane_count;
    size_t sources = roster->source_count;
    size_t queues = roster->queue_count;
    if (count_types(settings) > roster->lanes_most) {
        return wr_fail(err, WARREN_STATE, "more than %d new job types need a restart", MORE_TYPES);
    }
    count_threads(roster, settings);
    if (add_queues(roster, settings, topology, queues)) {
        while (roster->source_count > sources) {
            free(roster->sources[--roster->source_count].name);
        }
        roster->lane_count = lanes;
        roster->queue_count = queues;
        return wr_no_memory(err);
    }
    *out = (struct wr_live){ .settings = settings,
                             .threads = roster->threads,
                             .shared_limit = roster->shared_limit,
                             .source_count = roster->source_count };
    return WARREN_OK;
}

void wr_roster_note_leftovers(struct wr_roster *roster, const struct wr_leftover *const *there,
                              size_t count)
{
    for (size_t i = 0; i < roster->source_count; i++) {
        struct wr_source *source = &roster->sources[i];
        bool is_absent = source->is_leftover;
        for (size_t j = 0; is_absent && j < count; j++) {
            is_absent = strcmp(there[j]->queue, source->name) != 0;
        }
        atomic_store(&source->is_absent, is_absent);
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
