// SPDX-License-Identifier: MIT
// DESIGN: the walk over the manifests. Only pods count that have the configuration: others may stand in
// the same folder.
#include "kubernetes_check.h"

#include <string.h>

#include "command.h"
#include "member.h"
#include "say.h"

/* --- the pods --- */

static const char *last_of(json_object *list, const char *option, const char *letter)
{
    const char *found = "";
    for (size_t i = 0; i + 1 < member_count(list); i++) {
        const char *word = json_object_get_string(json_object_array_get_idx(list, i));
        const char *next = json_object_get_string(json_object_array_get_idx(list, i + 1));
        bool is_option = word && next && (!strcmp(word, option) || !strcmp(word, letter));
        found = is_option ? next : found;
    }
    return found;
}

static const char *word_of(json_object *list, size_t index)
{
    const char *word = index < member_count(list)
                           ? json_object_get_string(json_object_array_get_idx(list, index))
                           : NULL;
    return word ? word : "";
}

/* Whether the container's program is Warren's: the command line says so, or leaves it to the image and
 * has words of ours. */
static bool is_warren(json_object *container)
{
    json_object *command = member_of(container, "command");
    json_object *args = member_of(container, "args");
    const char *first = member_count(command) ? word_of(command, 0) : word_of(args, 0);
    const char *slash = strrchr(first, '/');
    bool has_word = !*first || strcmp(first, "run") == 0 || strcmp(first, "topology") == 0;
    return strcmp(slash ? slash + 1 : first, "warren") == 0 || (!member_count(command) && has_word);
}

/* The configuration that a container names: by its command line, else by its environment. */
static const char *config_of(json_object *container)
{
    json_object *env = member_of(container, "env");
    bool is_ours = is_warren(container);
    const char *command = is_ours ? last_of(member_of(container, "command"), "--config", "-c") : "";
    const char *args = is_ours ? last_of(member_of(container, "args"), "--config", "-c") : "";
    const char *found = *args ? args : command;
    for (size_t i = 0; !*found && i < member_count(env); i++) {
        json_object *row = json_object_array_get_idx(env, i);
        bool is_name = strcmp(member_text(row, "name"), "WARREN_CONFIG") == 0;
        found = is_name ? member_text(row, "value") : found;
    }
    return found;
}

static json_object *template_of(json_object *object, const char *kind)
{
    json_object *spec = member_of(object, "spec");
    bool is_scaled = strcmp(kind, "ScaledJob") == 0;
    return member_of(is_scaled ? member_of(spec, "jobTargetRef") : spec, "template");
}

static bool is_one_of(const char *text, const char *one, const char *two, const char *three)
{
    return strcmp(text, one) == 0 || strcmp(text, two) == 0 || strcmp(text, three) == 0;
}

/* A Job that applies the topology has the same files and a life of its own. */
static void check_container(const struct check *check, const struct check_pod *pod)
{
    check_files(check, pod);
    check_pod_fields(check, pod);
    if (strcmp(pod->kind, "Job") == 0) {
        return;
    }
    check_network(check, pod);
    if (strcmp(pod->kind, "ScaledJob") != 0) {
        check_scalers(check, pod);
    }
}

/* A container that runs Warren with a configuration, or that mounts ours. Programs beside it don't count. */
static bool is_worker(const struct check *check, const struct check_pod *pod)
{
    return (is_warren(pod->container) && *pod->config) || check_has_config(check, pod);
}

static bool stays(const char *kind)
{
    return is_one_of(kind, "Deployment", "StatefulSet", "DaemonSet");
}

typedef void visit_worker(const struct check *check, const struct check_pod *pod);

/* Visits the containers of an object that are workers. Gives how many of them stay. */
static size_t each_worker(const struct check *check, const struct manifest *manifest,
                          visit_worker *visit)
{
    const char *kind = member_text(manifest->object, "kind");
    json_object *template = template_of(manifest->object, kind);
    json_object *containers = member_of(member_of(template, "spec"), "containers");
    size_t workers = 0;
    if (!stays(kind) && !is_one_of(kind, "Job", "ScaledJob", "Job")) {
        return 0;
    }
    for (size_t i = 0; i < member_count(containers); i++) {
        struct check_pod pod = { .file = manifest->file, .kind = kind };
        pod.name = member_text(member_of(manifest->object, "metadata"), "name");
        pod.metadata = member_of(template, "metadata");
        pod.spec = member_of(template, "spec");
        pod.container = json_object_array_get_idx(containers, i);
        pod.config = config_of(pod.container);
        bool is_ours = check->takes_all || !check_is_other(check, &pod);
        if (is_ours && is_worker(check, &pod)) {
            visit(check, &pod);
            workers += stays(kind);
        }
    }
    return workers;
}

static size_t each_manifest(const struct check *check, visit_worker *visit)
{
    size_t workers = 0;
    for (size_t i = 0; i < check->manifests->count; i++) {
        workers += each_worker(check, &check->manifests->items[i], visit);
    }
    return workers;
}

static void only_count(const struct check *check, const struct check_pod *pod)
{
    (void)check, (void)pod;
}

int kube_check(const struct kube *kube, const char *path, struct findings *findings)
{
    struct manifests manifests = { 0 };
    struct check check = { kube, &manifests, findings, false };
    int code = check_written(kube, path, findings);
    code = code ? code : manifests_read(&manifests, path);
    size_t workers = 0;
    if (!code) { /* the others', unless there is none of ours: then it is ours that has changed */
        check.takes_all = each_manifest(&check, only_count) == 0;
        workers = each_manifest(&check, check_container);
    }
    if (!code && !workers) {
        char got[FINDING_TEXT];
        findings_add(findings, path,
                     finding_text(got, "%zu objects, none a worker", manifests.count),
                     "a Deployment or StatefulSet with --config, WARREN_CONFIG, or the ConfigMap",
                     "`warren generate kubernetes` writes one");
    }
    manifests_done(&manifests);
    if (!code && findings->failed) {
        say("out of memory");
        code = EXIT_FAILED;
    }
    return code;
}
