// SPDX-License-Identifier: MIT
// DESIGN: what isn't there reads as 0 or "": a worker may be older or newer than this program.
#include "news.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static json_object *member(json_object *object, const char *name)
{
    json_object *value = NULL;
    (void)json_object_object_get_ex(object, name, &value);
    return value;
}

static const char *text_of(json_object *object, const char *name)
{
    json_object *value = member(object, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static int64_t number_of(json_object *object, const char *name)
{
    return json_object_get_int64(member(object, name));
}

static bool flag_of(json_object *object, const char *name)
{
    return json_object_get_boolean(member(object, name));
}

static void read_queue(json_object *from, struct news_queue *out)
{
    *out = (struct news_queue){ .queue = text_of(from, "queue"),
                                .in_flight = number_of(from, "in_flight"),
                                .prefetch = number_of(from, "prefetch"),
                                .deliveries = number_of(from, "deliveries"),
                                .dead = number_of(from, "dead"),
                                .is_consumed = flag_of(from, "consumed"),
                                .is_paused = flag_of(from, "paused") };
}

static void read_type(json_object *from, struct news_type *out)
{
    *out = (struct news_type){ .queue = text_of(from, "queue"),
                               .type = text_of(from, "type"),
                               .running = number_of(from, "running"),
                               .concurrency = number_of(from, "concurrency"),
                               .done = number_of(from, "done"),
                               .retried = number_of(from, "retry"),
                               .dead = number_of(from, "dead"),
                               .oldest_ms = number_of(from, "oldest_ms"),
                               .wait_p50_us = number_of(from, "wait_p50_us"),
                               .wait_p95_us = number_of(from, "wait_p95_us"),
                               .is_paused = flag_of(from, "paused") };
}

static void read_job(json_object *from, struct news_job *out)
{
    *out = (struct news_job){ .queue = text_of(from, "queue"),
                              .type = text_of(from, "type"),
                              .id = text_of(from, "id"),
                              .since_ms = number_of(from, "since_ms") };
}

static size_t length_of(json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool read_rows(json_object *root, struct news *out)
{
    json_object *queues = member(root, "queues");
    json_object *types = member(root, "types");
    json_object *jobs = member(root, "jobs");
    out->queue_count = length_of(queues);
    out->type_count = length_of(types);
    out->job_count = length_of(jobs);
    out->queues = calloc(out->queue_count + 1, sizeof *out->queues);
    out->types = calloc(out->type_count + 1, sizeof *out->types);
    out->jobs = calloc(out->job_count + 1, sizeof *out->jobs);
    if (!out->queues || !out->types || !out->jobs) {
        return false;
    }
    for (size_t i = 0; i < out->queue_count; i++) {
        read_queue(json_object_array_get_idx(queues, i), &out->queues[i]);
    }
    for (size_t i = 0; i < out->type_count; i++) {
        read_type(json_object_array_get_idx(types, i), &out->types[i]);
    }
    for (size_t i = 0; i < out->job_count; i++) {
        read_job(json_object_array_get_idx(jobs, i), &out->jobs[i]);
    }
    return true;
}

bool news_read(const char *json, struct news *out)
{
    json_object *root = json_tokener_parse(json);
    *out = (struct news){ .worker = text_of(root, "worker"),
                          .host = text_of(root, "host"),
                          .version = text_of(root, "version"),
                          .config = text_of(root, "config"),
                          .state = text_of(root, "state"),
                          .started_ms = number_of(root, "started_ms"),
                          .at_ms = number_of(root, "at_ms"),
                          .heartbeat_ms = number_of(root, "heartbeat_ms"),
                          .threads = number_of(root, "threads"),
                          .busy = number_of(root, "busy"),
                          .is_ready = flag_of(root, "ready"),
                          .tree = root };
    bool is_whole =
        json_object_is_type(root, json_type_object) && *out->worker && read_rows(root, out);
    if (!is_whole) {
        news_done(out);
    }
    return is_whole;
}

void news_done(struct news *news)
{
    free(news->queues);
    free(news->types);
    free(news->jobs);
    (void)json_object_put(news->tree);
    *news = (struct news){ .tree = NULL };
}
