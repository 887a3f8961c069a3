/* SPDX-License-Identifier: MIT */
/*
 * Parts of the comparison of a configuration with manifests.
 */
#ifndef KUBERNETES_CHECK_H
#define KUBERNETES_CHECK_H

#include <json-c/json.h>
#include <stdbool.h>

#include "kubernetes.h"
#include "manifests.h"

/** What is being compared. */
struct check {
    const struct kube *kube;
    const struct manifests *manifests;
    struct findings *findings;
    bool takes_all; /* no worker has our main file, so that of each must be another text of it */
};

/** A pod template with a container that is a worker, or that declares the topology. */
struct check_pod {
    const char *file;
    const char *kind;
    const char *name;
    json_object *metadata; /* of the pod */
    json_object *spec;     /* of the pod */
    json_object *container;
    const char *config; /* the path that its command line or environment names; "" for none */
};

/** Notes what is wrong at a field of the pod's object. */
void check_note(const struct check *check, const struct check_pod *pod, const char *field,
                const char *got, const char *want, const char *next);

/** The volume mount with the longest path that `path` is in; NULL: it is in none. */
json_object *check_mount(const struct check_pod *pod, const char *path);

/** The pod's volume of this name; NULL: there is none. */
json_object *check_volume(const struct check_pod *pod, const char *name);

/** The end, the probes, the memory, the variables and what else its fields say. */
void check_pod_fields(const struct check *check, const struct check_pod *pod);

/** The mounted configuration, and the files that options point to. */
void check_files(const struct check *check, const struct check_pod *pod);

/** Whether the pod mounts a ConfigMap with our main file in it. */
bool check_has_config(const struct check *check, const struct check_pod *pod);

/** Whether the pod has a main file, but another one than ours. */
bool check_is_other(const struct check *check, const struct check_pod *pod);

/** The ScaledObjects for a Deployment or StatefulSet. */
void check_scalers(const struct check *check, const struct check_pod *pod);

/** What the NetworkPolicies let through. */
void check_network(const struct check *check, const struct check_pod *pod);

/** The files that `warren generate kubernetes` wrote into a folder. Gives an exit code, after a message
 * if it is not EXIT_DONE. */
int check_written(const struct kube *kube, const char *folder, struct findings *findings);

#endif
