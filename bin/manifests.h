/* SPDX-License-Identifier: MIT */
/*
 * Manifests for Kubernetes as they stand in files, read into JSON. YAML needs libyaml at build time.
 */
#ifndef MANIFESTS_H
#define MANIFESTS_H

#include <stddef.h>

struct json_object;

/** An object with apiVersion and kind, and the file that it is from. Both are owned. */
struct manifest {
    char *file;
    struct json_object *object;
};

struct manifests {
    struct manifest *items;
    size_t count;
};

/** Reads a file, a folder with all *.yaml, *.yml and *.json below it, or "-", standard input.
 * Documents that are no objects, such as patches, are left out, and so are kustomizations; a List is its
 * items. Gives an exit code, after a message if it is not EXIT_DONE. manifests_done in any case. */
int manifests_read(struct manifests *manifests, const char *path);
void manifests_done(struct manifests *manifests);

/** The object of this kind and name; NULL: there is none. */
struct json_object *manifests_find(const struct manifests *manifests, const char *kind,
                                   const char *name);

#endif
