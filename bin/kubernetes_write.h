/* SPDX-License-Identifier: MIT */
/*
 * The parts of the manifests that repeat, or that are texts of their own: values for the places of
 * bin/kubernetes/. Each function adds its places; what fails is told by the tokens.
 */
#ifndef KUBERNETES_WRITE_H
#define KUBERNETES_WRITE_H

#include "kubernetes.h"
#include "template.h"

/** A value that is written like a file: writer_take closes it and gives the text (NULL for no
 * memory), which is the caller's. */
struct writer {
    FILE *out;
    char *text;
    size_t size;
};
bool writer_open(struct writer *writer);
char *writer_take(struct writer *writer);

/** What a pod mounts, and whom it may talk to. */
void pod_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish);

/** The scalers. Gives an exit code, after a message if it is not EXIT_DONE: --mean was wrong. */
int scale_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish);

/** The broker's settings and rights. */
void broker_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish);

/** A duration as text: "90s", "1500ms". */
enum { DURATION_TEXT = 32 };
const char *duration_text(char out[DURATION_TEXT], int64_t ms);

#endif
