// SPDX-License-Identifier: MIT
// DESIGN: the numbers of a pod, each by one formula:
//
//     grace period   = drain_timeout, up to whole seconds, + 10 s        5 s are the least
//     startup probe  = (connect_wait + 30 s) / 5 s tries                 the process itself gives up first
//     memory         = 32 MiB + 2 * bodies + threads * job memory        up to a whole 32 MiB
//     bodies         = for each consumer: prefetch * limits.body         auto: see add_bodies
//     scaler         = threads * target / mean run of a job              messages in the queue a pod
//     cooldown       = the longest job + 60 s                            300 s at least
//
// Bodies count twice, since a handler may hold a JSON tree, or the next message, beside what came; so
// `warren doctor` in such a pod has nothing to say against its memory.

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "kubernetes_read.h"
#include "member.h"
#include "say.h"

enum {
    MIB = 1 << 20,
    AUTO_BYTES = 16 * MIB, /* of bodies that prefetch = "auto" lets lie ahead */
    PROCESS_BYTES = 32 * MIB,
    MEMORY_STEP_MIB = 32,
    THREADS_MOST = 256, /* of threads = "auto" */
    MEAN_MS = 1000,     /* of a job without a timeout, until somebody says better */
    MEAN_PART = 10,     /* of a timeout */
    MS = 1000,
};

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t up(int64_t number, int64_t step)
{
    return (number + step - 1) / step;
}

/* No sum of ours comes near the end of 64 bits but by way of limits at their most. */
static int64_t times(int64_t a, int64_t b)
{
    return a && b > INT64_MAX / 4 / a ? INT64_MAX / 4 : a * b;
}

int64_t kube_memory_mib(const struct kube *kube, int64_t job_bytes)
{
    int64_t bytes = kube->memory_least + times(kube->threads, job_bytes);
    return up(up(bytes, MIB), MEMORY_STEP_MIB) * MEMORY_STEP_MIB;
}

int64_t kube_scale_value(int64_t threads, int64_t target_ms, int64_t mean_ms)
{
    return most(1, times(threads, target_ms) / mean_ms);
}

/* --- threads, bodies, scalers --- */

static int64_t threads_of(json_object *root)
{
    int64_t sum = 0;
    json_object *queues = member_of(root, "queues");
    if (strcmp(member_text(root, "threads"), "auto") != 0) {
        return member_number(root, "threads");
    }
    for (size_t i = 0; i < member_count(queues); i++) {
        json_object *jobs = member_of(json_object_array_get_idx(queues, i), "jobs");
        for (size_t k = 0; k < member_count(jobs); k++) {
            sum += member_number(json_object_array_get_idx(jobs, k), "concurrency");
        }
    }
    return most(1, least(sum, THREADS_MOST));
}

/* What one consumer may hold. auto: 16 MiB, but never less than a job for each that may run, two where
 * jobs of several types come. */
static void add_bodies(struct kube *kube, json_object *queue, int64_t slots, size_t types)
{
    int64_t body = member_size(member_of(kube->plan->root, "limits"), "body");
    bool is_auto = strcmp(member_text(queue, "prefetch"), "auto") == 0;
    int64_t prefetch = is_auto ? (types > 1 ? 2 : 1) * slots : member_number(queue, "prefetch");
    kube->bodies += is_auto ? most(times(prefetch, body), AUTO_BYTES) : times(prefetch, body);
}

/* Seconds that a job may run, as far as anybody said. */
static int64_t longest_of(json_object *job)
{
    int64_t timeout_ms = member_duration(job, "timeout");
    int64_t hard_ms = member_duration(job, "hard_timeout");
    int64_t ms = hard_ms ? hard_ms : timeout_ms;
    return ms ? up(ms, MS) : KUBE_NO_TIMEOUT_S;
}

/* A guess until it is measured: a tenth of what it may take. */
static int64_t mean_of(json_object *job)
{
    int64_t timeout_ms = member_duration(job, "timeout");
    return timeout_ms ? most(1, timeout_ms / MEAN_PART) : MEAN_MS;
}

static void widen(struct kube_scaler *scaler, json_object *job)
{
    scaler->threads += member_number(job, "concurrency");
    scaler->longest_s = most(scaler->longest_s, longest_of(job));
    scaler->mean_ms = most(scaler->mean_ms, mean_of(job));
}

/* Those of a queue: one of its own, if a type is left for it, and one for each isolated type. `*inbox`
 * is its number among the plan's. */
static void add_scalers(struct kube *kube, json_object *queue, size_t *inbox)
{
    json_object *jobs = member_of(queue, "jobs");
    struct kube_scaler own = { .queue = kube->plan->inboxes[(*inbox)++].name };
    size_t shared = 0;
    for (size_t i = 0; i < member_count(jobs); i++) {
        json_object *job = json_object_array_get_idx(jobs, i);
        if (!json_object_get_boolean(member_of(job, "isolate"))) {
            widen(&own, job);
            shared++;
            continue;
        }
        struct kube_scaler *scaler = &kube->scalers[kube->scaler_count++];
        scaler->queue = kube->plan->inboxes[(*inbox)++].name;
        widen(scaler, job);
        add_bodies(kube, queue, scaler->threads, 1);
    }
    if (shared) {
        own.threads = most(1, least(own.threads, kube->threads));
        add_bodies(kube, queue, own.threads, shared);
        kube->scalers[kube->scaler_count++] = own;
    }
}

static bool read_queues(struct kube *kube)
{
    size_t inbox = 0;
    json_object *queues = member_of(kube->plan->root, "queues");
    kube->scalers = calloc(kube->plan->inbox_count + 1, sizeof *kube->scalers);
    if (!kube->scalers) {
        return false;
    }
    for (size_t i = 0; i < member_count(queues); i++) {
        add_scalers(kube, json_object_array_get_idx(queues, i), &inbox);
    }
    kube->cooldown_s = KUBE_COOLDOWN_LEAST_S;
    for (size_t i = 0; i < kube->scaler_count; i++) {
        kube->scalers[i].threads = most(1, least(kube->scalers[i].threads, kube->threads));
        kube->cooldown_s = most(kube->cooldown_s, kube->scalers[i].longest_s + KUBE_COOLDOWN_S);
    }
    return true;
}

/* --- what is asked over the network --- */

/* The port of an address that others can reach; 0 for none. */
static int open_port(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    bool is_local = !colon || strncmp(listen, "127.", 4) == 0 ||
                    strncmp(listen, "localhost:", 10) == 0 || strncmp(listen, "[::1]", 5) == 0;
    return is_local ? 0 : (int)strtol(colon + 1, NULL, 10);
}

static void read_http(struct kube *kube, struct findings *findings)
{
    char got[FINDING_TEXT];
    const char *listen = member_text(member_of(kube->plan->root, "http"), "listen");
    kube->port = open_port(listen);
    if (!kube->port) {
        findings_add(findings, "http.listen", finding_text(got, "\"%s\"", listen),
                     "an address that probes and Prometheus can reach",
                     "say \"0.0.0.0:9400\": in a pod only its own network sees it");
    }
}

/* --- what must be a path of the container --- */

/* An emptyDir belongs to root, and a worker keeps notes only in a folder that is its own: so the volume
 * lies above it, and the worker makes the folder. */
static char *state_volume_of(const char *state_dir, struct findings *findings)
{
    const char *slash = strrchr(state_dir, '/');
    if (slash && slash != state_dir) {
        return strndup(state_dir, (size_t)(slash - state_dir));
    }
    findings_add(findings, "state_dir", state_dir, "a path such as " KUBE_STATE,
                 "the folder above it becomes a volume");
    return NULL;
}

static void read_paths(struct kube *kube, const char *folder, struct findings *findings)
{
    json_object *root = kube->plan->root;
    json_object *plugins = member_of(root, "plugins");
    const char *state_dir = member_text(root, "state_dir");
    for (size_t i = 0; i < member_count(plugins); i++) {
        const char *path = json_object_get_string(json_object_array_get_idx(plugins, i));
        (void)kube_check_path("plugins", path, folder, "a path in the image", findings);
    }
    kube->names_state_dir = strcmp(state_dir, "auto") == 0;
    kube->state_dir = kube->names_state_dir            ? KUBE_STATE
                      : strcmp(state_dir, "none") == 0 ? NULL
                                                       : state_dir;
    if (kube->state_dir && kube_check_path("state_dir", kube->state_dir, folder,
                                           "a path such as " KUBE_STATE, findings)) {
        kube->state_volume = state_volume_of(kube->state_dir, findings);
    }
}

/* --- the whole --- */

static void read_numbers(struct kube *kube)
{
    json_object *root = kube->plan->root;
    kube->only_checks = strcmp(member_text(root, "topology"), "check") == 0;
    kube->has_deletion_cost =
        json_object_get_boolean(member_of(member_of(root, "kubernetes"), "deletion_cost"));
    kube->drain_ms = member_duration(root, "drain_timeout");
    kube->grace_s = up(kube->drain_ms, MS) + KUBE_GRACE_S;
    kube->connect_wait_s = up(member_duration(member_of(root, "broker"), "connect_wait"), MS);
    kube->startup_tries = up(kube->connect_wait_s + KUBE_START_S, KUBE_PROBE_S);
    kube->threads = threads_of(root);
}

int kube_read(struct kube *kube, const struct plan *plan, const char *path,
              struct findings *findings)
{
    *kube = (struct kube){ .plan = plan };
    read_numbers(kube);
    bool is_whole = read_queues(kube);
    if (is_whole && !kube->scaler_count) {
        findings_add(findings, "queues", "none", "a queue with a job type",
                     "a worker without one has nothing to do");
    }
    kube->memory_least = PROCESS_BYTES + times(2, kube->bodies);
    read_http(kube, findings);
    kube_read_peers(kube, findings);
    char *folder = NULL;
    int code = is_whole ? kube_read_sources(kube, path, &folder, findings) : EXIT_FAILED;
    if (!code) {
        kube_read_files(kube, folder, findings);
        read_paths(kube, folder, findings);
    }
    free(folder);
    if (!is_whole || findings->failed) {
        say("out of memory");
        return EXIT_FAILED;
    }
    return code;
}

/* broker.url asks for $WARREN_AMQP_URL where the files don't say it. */
static int forget_defaults(const char *path)
{
    struct kube kube = { 0 };
    struct findings unused = { 0 };
    char *folder = NULL;
    int code = kube_read_sources(&kube, path, &folder, &unused);
    for (size_t i = 0; !code && i < kube.default_count; i++) {
        (void)unsetenv(kube.defaults[i]);
    }
    if (!code && !kube.says_url) {
        (void)unsetenv("WARREN_AMQP_URL");
    }
    free(folder);
    findings_done(&unused);
    kube_done(&kube);
    return code;
}

int kube_open(struct kube *kube, struct plan *plan, const char *path, struct findings *findings)
{
    *kube = (struct kube){ 0 };
    *plan = (struct plan){ 0 };
    int code = forget_defaults(path);
    code = code ? code : plan_read(plan, path);
    return code ? code : kube_read(kube, plan, path, findings);
}

void kube_done(struct kube *kube)
{
    for (size_t i = 0; i < kube->source_count; i++) {
        free(kube->sources[i].path);
        free(kube->sources[i].key);
        free(kube->sources[i].text);
    }
    for (size_t i = 0; i < kube->file_count; i++) {
        free(kube->files[i].path);
        free(kube->files[i].folder);
    }
    for (size_t i = 0; i < kube->variable_count; i++) {
        free(kube->variables[i]);
    }
    for (size_t i = 0; i < kube->default_count; i++) {
        free(kube->defaults[i]);
    }
    free(kube->state_volume);
    free(kube->sources);
    free(kube->scalers);
    *kube = (struct kube){ 0 };
}
