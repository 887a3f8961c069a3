// SPDX-License-Identifier: MIT
// DESIGN: `warren generate kubernetes`: what the command line wishes, and nothing is written unless all of
// it can work.
#include <json-c/json.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "kubernetes.h"
#include "member.h"
#include "say.h"
#include "tree.h"
#include "when.h"

enum { MIB = 1 << 20, REPLICAS_MOST = 10000, NAME_MOST = 36, JOB_MIB_MOST = 1 << 20 };

/* What Kubernetes takes for the name of anything, with room for what we put behind it. */
static bool is_name(const char *text)
{
    size_t size = strlen(text);
    return size && size <= NAME_MOST && *text != '-' && text[size - 1] != '-' &&
           strchr("abcdefghijklmnopqrstuvwxyz", *text) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

static int read_names(const struct args *args, struct kube_wish *wish)
{
    const char *name = args_value(args, "name");
    const char *ns = args_value(args, "namespace");
    const char *image = args_value(args, "image");
    const char *runbooks = args_value(args, "runbooks");
    wish->name = name ? name : "warren";
    wish->ns = ns ? ns : "warren";
    wish->image = image ? image : "warren:" WARREN_VERSION;
    wish->runbooks = runbooks ? runbooks : "docs/runbooks/";
    if (!is_name(wish->name)) {
        return say_usage("--name: got \"%s\", want lower case letters, digits and '-', at most %d",
                         wish->name, NAME_MOST);
    }
    if (!is_name(wish->ns)) {
        return say_usage("--namespace: got \"%s\", want lower case letters, digits and '-', at "
                         "most %d",
                         wish->ns, NAME_MOST);
    }
    if (!*wish->image || strpbrk(wish->image, " \t\n")) {
        return say_usage("--image: got \"%s\", want a name such as registry.example.org/mailer:1.4",
                         wish->image);
    }
    return EXIT_DONE;
}

static int read_numbers(const struct args *args, struct kube_wish *wish)
{
    long replicas = 2;
    long most = 10;
    const char *target = args_value(args, "target");
    const char *memory = args_value(args, "job-memory");
    wish->target_ms = 60 * 1000;
    wish->job_bytes = KUBE_JOB_BYTES;
    if (!args_number(args, "replicas", 1, REPLICAS_MOST, &replicas) ||
        !args_number(args, "max-replicas", 1, REPLICAS_MOST, &most)) {
        return EXIT_USAGE;
    }
    if (most < replicas) {
        return say_usage("--max-replicas: got %ld, want at least --replicas, %ld", most, replicas);
    }
    if (target && (!when_duration(target, &wish->target_ms) || wish->target_ms < 1)) {
        return say_usage("--target: got \"%s\", want a duration such as 60s", target);
    }
    bool is_size = !memory || size_read(memory, &wish->job_bytes);
    if (!is_size || wish->job_bytes % MIB || wish->job_bytes / MIB > JOB_MIB_MOST) {
        return say_usage("--job-memory: got \"%s\", want whole MiB, such as 16MiB", memory);
    }
    wish->replicas = replicas;
    wish->replicas_most = most;
    return EXIT_DONE;
}

static int refuse(const struct findings *findings, const char *path)
{
    for (size_t i = 0; i < findings->count; i++) {
        say("%s", findings->lines[i]);
    }
    say("%s: nothing was written", path);
    return EXIT_CONFIG;
}

/* What was read here from this environment, and in a pod will be from the pod's. */
static void tell_variables(const struct kube *kube)
{
    for (size_t i = 0; i < kube->variable_count; i++) {
        say("note: the configuration asks for ${env:%s}, so give it to the pods, in an overlay",
            kube->variables[i]);
    }
}

static int write_manifests(const struct args *args, const struct kube *kube,
                           const struct kube_wish *wish)
{
    const char *folder = args_value(args, "output");
    struct tree tree = { .mark = KUBE_MARK };
    int code = kube_write(&tree, kube, wish);
    code = code ? code : tree_write(&tree, folder ? folder : "kubernetes", args_has(args, "force"));
    tree_done(&tree);
    if (!code) {
        tell_variables(kube);
        say("next: `warren config check --config %s --kubernetes %s`", args_config(args),
            folder ? folder : "kubernetes");
    }
    return code;
}

static json_object *list_means(const struct args *args)
{
    json_object *means = json_object_new_array();
    size_t cursor = 0;
    const char *given;
    while ((given = args_next(args, "mean", &cursor))) {
        (void)json_object_array_add(means, json_object_new_string(given));
    }
    return means;
}

int cmd_generate_kubernetes(const struct args *args)
{
    struct plan plan;
    struct kube kube = { 0 };
    struct findings findings = { 0 };
    struct kube_wish wish = { .wants_deletion_cost = args_has(args, "deletion-cost") };
    const char *path = args_config(args);
    int code = read_names(args, &wish);
    code = code ? code : read_numbers(args, &wish);
    if (!code && !path) {
        return say_usage("no configuration: want --config FILE, the one that the pods will have");
    }
    if (code) {
        return code;
    }
    wish.means = list_means(args);
    code = kube_open(&kube, &plan, path, &findings);
    code = code || !findings.count ? code : refuse(&findings, path);
    code = code ? code : write_manifests(args, &kube, &wish);
    (void)json_object_put(wish.means);
    kube_done(&kube);
    findings_done(&findings);
    plan_done(&plan);
    return code;
}
