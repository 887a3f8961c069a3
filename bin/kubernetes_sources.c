// SPDX-License-Identifier: MIT
// DESIGN: the configuration's files as a ConfigMap has them: byte for byte, under keys that may not have a
// "/" in them ("queues.emails.cfg" for queues/emails.cfg). In a pod they stand in one folder, so a queue
// file elsewhere can't come along.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "escape.h"
#include "kubernetes_read.h"
#include "say.h"
#include "warren/config.h"

enum { FILE_MOST = 1 << 20, CONFIG_MAP_MOST = 1 << 20 };

/* 64 bits of FNV-1a: it tells that something has changed, no more. */
static void add_to_hash(uint64_t *hash, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        *hash = (*hash ^ (unsigned char)data[i]) * 0x100000001b3U;
    }
}

static int read_file(struct kube_source *source, const char *path)
{
    FILE *file = fopen(path, "re");
    source->text = file ? malloc(FILE_MOST + 2) : NULL;
    if (!source->text) {
        say("%s: %s", path, strerror(errno));
        if (file) {
            (void)fclose(file);
        }
        return EXIT_FAILED;
    }
    source->size = fread(source->text, 1, FILE_MOST + 1, file);
    source->text[source->size] = '\0';
    int is_broken = ferror(file);
    (void)fclose(file);
    if (is_broken || source->size > FILE_MOST) {
        say("%s: %s", path, is_broken ? "can't be read" : "larger than 1 MiB");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static void check_source(const struct kube_source *source, struct findings *findings)
{
    if (!kube_is_key(source->key)) {
        findings_add(findings, source->path, "a name that no ConfigMap can hold",
                     "letters, digits, '.', '-' and '_'", "rename the file");
    }
    bool is_text = !memchr(source->text, '\0', source->size);
    if (!is_text || !escape_is_text(source->text, source->size)) {
        findings_add(findings, source->path, "bytes that are no UTF-8", "text",
                     "a ConfigMap holds nothing else");
    }
}

/* `path` is below `folder`; both are absolute. */
static int add_source(struct kube *kube, const char *folder, const char *path,
                      struct findings *findings)
{
    struct kube_source *source = &kube->sources[kube->source_count++];
    source->path = strdup(path + strlen(folder) + 1);
    source->key = strdup(source->path ? source->path : "");
    int code = source->path && source->key ? read_file(source, path) : EXIT_FAILED;
    if (code) {
        return code;
    }
    for (char *slash; (slash = strchr(source->key, '/'));) {
        *slash = '.';
    }
    add_to_hash(&kube->hash, source->path, strlen(source->path) + 1);
    add_to_hash(&kube->hash, source->text, source->size);
    check_source(source, findings);
    kube_read_text(kube, source, folder, findings);
    return EXIT_DONE;
}

/* Absolute, without symbolic links on the way to its folder; the caller's. */
static char *full_path(const char *path)
{
    char folder[PATH_MAX];
    char resolved[PATH_MAX];
    char *full = NULL;
    const char *slash = strrchr(path, '/');
    int size = snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1,
                        slash ? path : ".");
    if (size >= (int)sizeof folder || !realpath(folder, resolved) ||
        asprintf(&full, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved,
                 slash ? slash + 1 : path) < 0) {
        return NULL;
    }
    return full;
}

static int add_queue_file(struct kube *kube, const char *folder, const char *path,
                          struct findings *findings)
{
    size_t size = strlen(folder);
    char *full = full_path(path);
    bool is_below = full && strncmp(full, folder, size) == 0 && full[size] == '/';
    int code = full ? EXIT_DONE : EXIT_FAILED;
    if (is_below) {
        code = add_source(kube, folder, full, findings);
    } else if (full) {
        findings_add(findings, "queues", path, "a folder below that of warren.cfg",
                     "in a pod all files of the configuration are in one folder");
    }
    free(full);
    return code;
}

/* The queue files, each once: the queues of one stand together. */
static int add_queue_files(struct kube *kube, const warren_config *config, const char *main_path,
                           const char *folder, struct findings *findings)
{
    const char *before = main_path;
    int code = EXIT_DONE;
    size_t count = warren_config_queue_count(config);
    for (size_t i = 0; !code && i < count; i++) {
        const char *path = warren_config_queue_file(config, i);
        bool is_new = strcmp(path, before) != 0 && strcmp(path, main_path) != 0;
        code = is_new ? add_queue_file(kube, folder, path, findings) : EXIT_DONE;
        before = path;
    }
    return code;
}

static void check_size(const struct kube *kube, struct findings *findings)
{
    char got[FINDING_TEXT];
    size_t size = 0;
    for (size_t i = 0; i < kube->source_count; i++) {
        size += kube->sources[i].size + strlen(kube->sources[i].key);
    }
    if (size > CONFIG_MAP_MOST) {
        findings_add(findings, "the configuration", finding_text(got, "%zu bytes", size),
                     "1 MiB at most", "a ConfigMap can't be larger: make two workers of it");
    }
}

int kube_read_sources(struct kube *kube, const char *path, char **out_folder,
                      struct findings *findings)
{
    warren_config *config = NULL;
    warren_error err;
    if (warren_config_open(&config, path, &err)) {
        return say_failure(&err);
    }
    char *full = full_path(path);
    kube->sources = calloc(warren_config_queue_count(config) + 2, sizeof *kube->sources);
    kube->hash = 0xcbf29ce484222325U;
    *out_folder = full ? strndup(full, (size_t)(strrchr(full, '/') - full)) : NULL;
    int code = full && kube->sources && *out_folder ? EXIT_DONE : EXIT_FAILED;
    code = code ? code : add_source(kube, *out_folder, full, findings);
    code = code ? code : add_queue_files(kube, config, path, *out_folder, findings);
    if (!code) {
        check_size(kube, findings);
    }
    warren_config_close(config);
    free(full);
    if (code) {
        say("%s: the configuration's files can't be read", path);
    }
    return code;
}
