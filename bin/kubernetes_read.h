/* SPDX-License-Identifier: MIT */
/*
 * Parts of kube_read: what a configuration's texts and values say, a part each.
 */
#ifndef KUBERNETES_READ_H
#define KUBERNETES_READ_H

#include "kubernetes.h"

enum { KUBE_PATH = 4096 };

/** Who is asked over the network. */
void kube_read_peers(struct kube *kube, struct findings *findings);

/** The configuration's files, with the folder that they are in (the caller's to free). Gives an exit
 * code, after a message if it is not EXIT_DONE. */
int kube_read_sources(struct kube *kube, const char *path, char **out_folder,
                      struct findings *findings);

/** What one of them asks of the environment, and the secrets that stand in it. */
void kube_read_text(struct kube *kube, const struct kube_source *source, const char *folder,
                    struct findings *findings);

/** The files that options point to. `folder` is that of the configuration. */
void kube_read_files(struct kube *kube, const char *folder, struct findings *findings);

/** Adds one of them, which a Secret has to hold, unless the image has it. */
void kube_add_file(struct kube *kube, const char *option, const char *path, const char *folder,
                   struct findings *findings);

/** True if a file of that name can be in a container. What is below the configuration's folder can't:
 * that is a ConfigMap, and nothing can be mounted into it. */
bool kube_check_path(const char *option, const char *path, const char *folder, const char *want,
                     struct findings *findings);

/** Whether a name can be a key of a ConfigMap or Secret. */
bool kube_is_key(const char *key);

#endif
