// SPDX-License-Identifier: MIT
// DESIGN: a queue file holds one `queue: {…}` or a list `queues: (…)`; warren.cfg may hold the
// same. Each queue is read in three steps: defaults, what the file says, then its job types, which
// start with the queue's retry policy.
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/settings_name.h"
#include "model/settings_read.h"

/* What a list of groups should have held instead of `node`. */
static void report_no_group(struct wr_reader *reader, config_setting_t *node, const char *shown,
                            const char *want)
{
    struct wr_place place = wr_reader_place(reader, node, NULL, shown);
    wr_problem_error(reader->problems, &place, "want %s", want);
}

static void report_missing(struct wr_reader *reader, config_setting_t *node, const char *shown,
                           const char *name)
{
    char path[WR_CONFIG_PATH_SIZE];
    if (!config_setting_get_member(node, name)) {
        struct wr_place place =
            wr_reader_place(reader, node, NULL, wr_settings_join(path, shown, name));
        wr_problem_error(reader->problems, &place, "is missing");
    }
}

static void report_name(struct wr_reader *reader, config_setting_t *node, const char *shown,
                        const char *name, const char *problem)
{
    char path[WR_CONFIG_PATH_SIZE];
    struct wr_place place =
        wr_reader_place(reader, node, name, wr_settings_join(path, shown, name));
    wr_problem_error(reader->problems, &place, "%s", problem);
}

static char *copy(struct wr_reader *reader, const char *text)
{
    char *made = wr_slice_copy(wr_slice_of(text));
    reader->no_memory |= !made;
    return made;
}

static void check_hard_timeout(struct wr_reader *reader, config_setting_t *node, const char *shown,
                               const struct wr_job_settings *job)
{
    char path[WR_CONFIG_PATH_SIZE];
    if (job->hard_timeout_ms && job->hard_timeout_ms < job->timeout_ms) {
        struct wr_place place = wr_reader_place(reader, node, "hard_timeout",
                                                wr_settings_join(path, shown, "hard_timeout"));
        wr_problem_error(
            reader->problems, &place,
            "shorter than timeout: a job would count as stuck before it is told to stop");
    }
}

static void read_job(struct wr_reader *reader, config_setting_t *node, const char *shown,
                     const struct wr_queue_settings *queue, struct wr_job_settings *job)
{
    char path[WR_CONFIG_PATH_SIZE];
    wr_settings_read_defaults(reader, "queue.jobs", job);
    job->retry = queue->retry;
    job->file = copy(reader, reader->file);
    job->line = wr_reader_place(reader, node, "type", NULL).line;
    wr_settings_read_group(reader, &(struct wr_group){ node, "queue.jobs", shown, job });
    report_missing(reader, node, shown, "type");
    const char *problem = job->type ? wr_type_problem(job->type) : NULL;
    if (problem) {
        report_name(reader, node, shown, "type", problem);
    }
    config_setting_t *retry = config_setting_get_member(node, "retry");
    if (retry && config_setting_is_group(retry)) {
        (void)wr_settings_join(path, shown, "retry");
        wr_settings_check_policy(reader, retry, path, &job->retry);
    }
    if (job->timeout_ms > 30 * 60 * INT64_C(1000)) {
        struct wr_place place =
            wr_reader_place(reader, node, "timeout", wr_settings_join(path, shown, "timeout"));
        wr_problem_note(
            reader->problems, &place,
            "longer than the broker's consumer_timeout (30m by default), after which it "
            "takes the job back and closes the channel");
    }
    check_hard_timeout(reader, node, shown, job);
}

static void read_jobs(struct wr_reader *reader, config_setting_t *jobs, const char *shown,
                      struct wr_queue_settings *queue)
{
    char path[WR_CONFIG_PATH_SIZE];
    int length = config_setting_is_list(jobs) ? config_setting_length(jobs) : 0;
    if (length == 0) {
        report_no_group(reader, jobs, wr_settings_join(path, shown, "jobs"),
                        "a list of groups such as ( { type = \"email\"; } )");
        return;
    }
    *reader->type_count += (size_t)length;
    if (*reader->type_count > WR_TYPES_MOST) {
        report_no_group(reader, jobs, wr_settings_join(path, shown, "jobs"),
                        "at most 10000 job types in all queues together");
        return;
    }
    queue->jobs = calloc((size_t)length, sizeof *queue->jobs);
    reader->no_memory |= !queue->jobs;
    for (int i = 0; queue->jobs && i < length; i++) {
        config_setting_t *node = config_setting_get_elem(jobs, (unsigned)i);
        (void)snprintf(path, sizeof path, "%.100s.jobs[%d]", shown, i);
        if (config_setting_is_group(node)) {
            read_job(reader, node, path, queue, &queue->jobs[queue->job_count++]);
        } else {
            report_no_group(reader, node, path, "a group such as { type = \"email\"; }");
        }
    }
}

static void check_default_type(struct wr_reader *reader, config_setting_t *node, const char *shown,
                               const struct wr_queue_settings *queue)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        if (queue->jobs[i].type && strcmp(queue->jobs[i].type, queue->default_type) == 0) {
            return;
        }
    }
    report_name(reader, node, shown, "default_type", "is none of the queue's job types");
}

/* Fewer messages than jobs that may run leave threads idle. */
static void check_prefetch(struct wr_reader *reader, config_setting_t *node, const char *shown,
                           const struct wr_queue_settings *queue)
{
    long long wanted = 0;
    for (size_t i = 0; i < queue->job_count; i++) {
        wanted += queue->jobs[i].isolate ? 0 : queue->jobs[i].concurrency;
    }
    if (queue->prefetch && queue->prefetch < wanted) {
        char path[WR_CONFIG_PATH_SIZE];
        struct wr_place place =
            wr_reader_place(reader, node, "prefetch", wr_settings_join(path, shown, "prefetch"));
        wr_problem_note(reader->problems, &place,
                        "lower than the concurrency of its types together (%lld), so no more than "
                        "%d of them run at once",
                        wanted, queue->prefetch);
    }
}

static void check_queue(struct wr_reader *reader, config_setting_t *node, const char *shown,
                        const struct wr_queue_settings *queue)
{
    const char *ns = reader->settings->ns;
    const char *problem = queue->name ? wr_queue_name_problem(ns, queue->name) : NULL;
    if (problem) {
        report_name(reader, node, shown, "name", problem);
    }
    problem = queue->exchange ? wr_exchange_problem(ns, queue->exchange) : NULL;
    if (problem) {
        report_name(reader, node, shown, "exchange", problem);
    }
    if (queue->default_type) {
        check_default_type(reader, node, shown, queue);
    }
    if (queue->type == WR_CLASSIC) {
        char path[WR_CONFIG_PATH_SIZE];
        struct wr_place place =
            wr_reader_place(reader, node, "type", wr_settings_join(path, shown, "type"));
        wr_problem_note(
            reader->problems, &place,
            "a classic queue stands on one node only, and jobs in it are lost with that "
            "node; if a queue of this name exists as quorum, the broker refuses it");
    }
    check_prefetch(reader, node, shown, queue);
}

static void read_queue(struct wr_reader *reader, config_setting_t *node, const char *shown)
{
    char path[WR_CONFIG_PATH_SIZE];
    struct wr_settings *settings = reader->settings;
    if (!config_setting_is_group(node)) {
        report_no_group(reader, node, shown, "a group such as queue: { name = \"emails\"; … };");
        return;
    }
    if (settings->queue_count >= WR_QUEUES_MOST) {
        report_no_group(reader, node, shown, "at most 1000 queues");
        return;
    }
    size_t size = (settings->queue_count + 1) * sizeof *settings->queues;
    struct wr_queue_settings *grown = realloc(settings->queues, size);
    if (!grown) {
        reader->no_memory = true;
        return;
    }
    settings->queues = grown;
    struct wr_queue_settings *queue = &grown[settings->queue_count++];
    *queue = (struct wr_queue_settings){ .file = copy(reader, reader->file) };
    queue->line = wr_reader_place(reader, node, "name", NULL).line;
    wr_settings_read_defaults(reader, "queue", queue);
    wr_settings_read_group(reader, &(struct wr_group){ node, "queue", shown, queue });
    report_missing(reader, node, shown, "name");
    report_missing(reader, node, shown, "jobs");
    config_setting_t *retry = config_setting_get_member(node, "retry");
    (void)wr_settings_join(path, shown, "retry");
    wr_settings_check_policy(reader, retry ? retry : node, path, &queue->retry);
    config_setting_t *jobs = config_setting_get_member(node, "jobs");
    if (jobs) {
        read_jobs(reader, jobs, shown, queue);
    }
    check_queue(reader, node, shown, queue);
}

void wr_settings_read_queues(struct wr_reader *reader, config_setting_t *root)
{
    config_setting_t *queue = config_setting_get_member(root, "queue");
    config_setting_t *queues = config_setting_get_member(root, "queues");
    if (queue) {
        read_queue(reader, queue, "queue");
    }
    if (!queues || !config_setting_is_list(queues)) {
        return; /* a folder */
    }
    int length = config_setting_length(queues);
    for (int i = 0; i < length && !reader->no_memory; i++) {
        char shown[WR_CONFIG_PATH_SIZE];
        (void)snprintf(shown, sizeof shown, "queues[%d]", i);
        read_queue(reader, config_setting_get_elem(queues, (unsigned)i), shown);
    }
}
