// SPDX-License-Identifier: MIT
// DESIGN: checks of all queues against each other. Every name that will stand in the broker, and
// every job type, is a claim with its place; sorted, two claims on one name are neighbours, so a
// thousand queues with ten thousand types are checked in no time.
#include <stdio.h>
#include <stdlib.h>

#include "model/settings_name.h"
#include "model/settings_read.h"

#define THREADS_AUTO_MOST 256

struct claim {
    char *name;
    const struct wr_queue_settings *queue;
    struct wr_place place;
    size_t order;
};

struct claims {
    struct claim *items;
    size_t length;
    bool no_memory;
};

/* Takes `name`. */
static void claim(struct claims *claims, char *name, const struct wr_queue_settings *queue,
                  struct wr_place place)
{
    if (!name || !claims->items) {
        claims->no_memory = true;
        free(name);
        return;
    }
    claims->items[claims->length] = (struct claim){ name, queue, place, claims->length };
    claims->length++;
}

static int compare_claims(const void *a, const void *b)
{
    const struct claim *first = a;
    const struct claim *second = b;
    int order = strcmp(first->name, second->name);
    return order ? order : (first->order > second->order) - (first->order < second->order);
}

static void sort_claims(struct claims *claims)
{
    if (claims->length > 1) {
        qsort(claims->items, claims->length, sizeof *claims->items, compare_claims);
    }
}

static void claims_done(struct claims *claims)
{
    for (size_t i = 0; i < claims->length; i++) {
        free(claims->items[i].name);
    }
    free(claims->items);
}

static size_t count_types(const struct wr_settings *settings)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->queue_count; i++) {
        count += settings->queues[i].job_count;
    }
    return count;
}

/* --- names of queues --- */

static char *isolated_name(struct wr_reader *reader, const struct wr_queue_settings *queue,
                           const struct wr_job_settings *job, const struct wr_place *place)
{
    struct wr_text name = { 0 };
    wr_text_add_format(&name, "%s.%s", queue->name, job->type);
    const char *problem = wr_queue_name_problem(reader->settings->ns, wr_text_string(&name));
    if (problem) {
        wr_problem_error(reader->problems, place, "its isolated queue '%s' %s",
                         wr_text_string(&name), problem);
    }
    return wr_text_take(&name);
}

static void claim_names(struct wr_reader *reader, const struct wr_queue_settings *queue,
                        struct claims *claims)
{
    struct wr_place place = { queue->file, queue->line, "queue.name" };
    if (!queue->name) {
        return;
    }
    claim(claims, wr_slice_copy(wr_slice_of(queue->name)), queue, place);
    for (size_t i = 0; i < queue->job_count; i++) {
        const struct wr_job_settings *job = &queue->jobs[i];
        place = (struct wr_place){ job->file, job->line, "queue.jobs.type" };
        if (job->isolate && job->type) {
            claim(claims, isolated_name(reader, queue, job, &place), queue, place);
        }
    }
}

static void check_names(struct wr_reader *reader, size_t room)
{
    const struct wr_settings *settings = reader->settings;
    struct claims claims = { .items = calloc(room, sizeof(struct claim)) };
    for (size_t i = 0; i < settings->queue_count; i++) {
        claim_names(reader, &settings->queues[i], &claims);
    }
    sort_claims(&claims);
    for (size_t i = 1; i < claims.length; i++) {
        const struct claim *before = &claims.items[i - 1];
        const struct claim *here = &claims.items[i];
        bool same_line = before->place.line == here->place.line &&
                         strcmp(before->place.file, here->place.file) == 0;
        if (strcmp(before->name, here->name) == 0 && !same_line) {
            wr_problem_error(reader->problems, &here->place,
                             "the queue '%s' is there already, at %s:%d", here->name,
                             before->place.file, before->place.line);
        } else if (strcmp(before->name, here->name) == 0) {
            wr_problem_error(reader->problems, &here->place, "the queue '%s' is there already",
                             here->name);
        }
    }
    reader->no_memory |= claims.no_memory;
    claims_done(&claims);
}

/* --- job types --- */

static bool same_exchange(const struct wr_queue_settings *a, const struct wr_queue_settings *b)
{
    return strcmp(a->exchange ? a->exchange : "", b->exchange ? b->exchange : "") == 0;
}

static void report_type(struct wr_reader *reader, const struct claim *before,
                        const struct claim *here)
{
    if (before->queue == here->queue) {
        wr_problem_error(reader->problems, &here->place,
                         "the type '%s' is there already, at line %d", here->name,
                         before->place.line);
    } else if (before->queue->name && same_exchange(before->queue, here->queue)) {
        wr_problem_note(
            reader->problems, &here->place,
            "the queue '%s' has the type '%s', too, so each such job runs once for each "
            "of the two queues",
            before->queue->name, here->name);
    }
}

static void check_types(struct wr_reader *reader, size_t room)
{
    const struct wr_settings *settings = reader->settings;
    struct claims claims = { .items = calloc(room, sizeof(struct claim)) };
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        for (size_t j = 0; j < queue->job_count; j++) {
            const struct wr_job_settings *job = &queue->jobs[j];
            struct wr_place place = { job->file, job->line, "queue.jobs.type" };
            if (job->type) {
                claim(&claims, wr_slice_copy(wr_slice_of(job->type)), queue, place);
            }
        }
    }
    sort_claims(&claims);
    for (size_t i = 1; i < claims.length; i++) {
        if (strcmp(claims.items[i - 1].name, claims.items[i].name) == 0) {
            report_type(reader, &claims.items[i - 1], &claims.items[i]);
        }
    }
    reader->no_memory |= claims.no_memory;
    claims_done(&claims);
}

/* --- threads --- */

/* Isolated types have threads of their own; the others need at least one more. */
static void check_threads(struct wr_reader *reader)
{
    const struct wr_settings *settings = reader->settings;
    long long isolated = 0;
    bool is_shared = false;
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        for (size_t j = 0; j < queue->job_count; j++) {
            isolated += queue->jobs[j].isolate ? queue->jobs[j].concurrency : 0;
            is_shared |= !queue->jobs[j].isolate;
        }
    }
    long long needed = isolated + (is_shared ? 1 : 0);
    int threads = settings->threads ? settings->threads : THREADS_AUTO_MOST;
    struct wr_place place = { settings->file, reader->threads_line, "threads" };
    if (isolated && threads < needed) {
        wr_problem_error(reader->problems, &place,
                         "%d are too few: the isolated types together need %lld%s%s", threads,
                         isolated, is_shared ? ", and the others at least one more" : "",
                         settings->threads ? "" : "; say how many, since auto makes 256 at most");
    }
}

void wr_settings_check_queues(struct wr_reader *reader)
{
    size_t types = count_types(reader->settings);
    check_names(reader, reader->settings->queue_count + types + 1);
    check_types(reader, types + 1);
    check_threads(reader);
}
