// SPDX-License-Identifier: MIT
// DESIGN: a configuration that is read here has the variables of this environment in it, and the same file in
// a pod has those of the pod. So its text is searched for ${env:NAME}: in strings only, for comments may
// speak of it, and past "$$", which is a plain "$".
#include <stdlib.h>
#include <string.h>

#include "kubernetes.h"

static bool is_known(const struct kube *kube, const char *name, size_t size)
{
    for (size_t i = 0; i < kube->variable_count; i++) {
        if (strlen(kube->variables[i]) == size && strncmp(kube->variables[i], name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* `at` is behind "${env:". One with a default can do without. */
static void note_variable(struct kube *kube, const char *at)
{
    size_t size = strcspn(at, "}:\"\n");
    if (at[size] != '}' || is_known(kube, at, size) || kube->variable_count == KUBE_VARIABLES) {
        return;
    }
    char *name = strndup(at, size);
    if (name) {
        kube->variables[kube->variable_count++] = name;
    }
}

/* The end of a comment that begins at `at`; `at` itself where none does. */
static const char *skip_comment(const char *at)
{
    if (strncmp(at, "/*", 2) == 0) {
        const char *end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    return *at == '#' || strncmp(at, "//", 2) == 0 ? at + strcspn(at, "\n") : at;
}

/* From behind the opening quote to behind the closing one. */
static const char *read_string(struct kube *kube, const char *at)
{
    for (; *at && *at != '"'; at++) {
        if ((*at == '\\' && at[1]) || strncmp(at, "$$", 2) == 0) {
            at++;
        } else if (strncmp(at, "${env:", 6) == 0) {
            note_variable(kube, at + 6);
        }
    }
    return *at ? at + 1 : at;
}

void kube_read_variables(struct kube *kube, const char *text)
{
    while (*text) {
        const char *behind = skip_comment(text);
        if (behind != text) {
            text = behind;
        } else {
            text = *text == '"' ? read_string(kube, text + 1) : text + 1;
        }
    }
}
