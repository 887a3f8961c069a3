/* SPDX-License-Identifier: MIT */
/*
 * The parts of the manifests that repeat, or that are texts of their own: values for the places of
 * bin/kubernetes/. Each function adds its places; what fails is told by the tokens.
 */
#ifndef KUBERNETES_WRITE_H
#define KUBERNETES_WRITE_H

#include "kubernetes.h"
#include "template.h"

/** What a pod mounts, and whom it may talk to. */
void pod_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish);

/** The scalers. Gives an exit code, after a message if it is not EXIT_DONE: --mean was wrong. */
int scale_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish);

/** The broker's settings and rights. */
void broker_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish);

#endif
