// SPDX-License-Identifier: MIT
// DESIGN: the files that options point to, and which key of a Secret each is. User and password have the keys
// that RabbitMQ's operators read and write, whatever their files are called, so one Secret does for both;
// other files have their own name for a key.
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "kubernetes_read.h"
#include "member.h"

static bool is_inside(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && path[size] == '/';
}

bool kube_check_path(const char *option, const char *path, const char *folder, const char *want,
                     struct findings *findings)
{
    char got[FINDING_TEXT];
    bool is_relative = *path != '/';
    if (!is_relative && !is_inside(path, folder) && !is_inside(path, KUBE_CONFIG)) {
        return true;
    }
    findings_add(findings, option, finding_text(got, "%s, in the configuration's folder", path),
                 want, "nothing but *.cfg files gets into that folder in a pod");
    return false;
}

bool kube_is_key(const char *key)
{
    enum { KEY_MOST = 253 };
    size_t size = strlen(key);
    return size && size <= KEY_MOST &&
           strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == size;
}

/* A folder that the image has files in, or the system: a volume there would hide them. */
static bool is_images(const char *folder)
{
    static const char *const whole[] = { "",     "/etc", "/home", "/opt", "/root",
                                         "/run", "/srv", "/tmp",  "/var" };
    static const char *const trees[] = { "/bin",   "/boot", "/dev",  "/etc/pki", "/etc/ssl", "/lib",
                                         "/lib64", "/proc", "/sbin", "/sys",     "/usr" };
    bool is_one = false;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        is_one = is_one || strcmp(folder, whole[i]) == 0;
    }
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        is_one = is_one || strcmp(folder, trees[i]) == 0 || is_inside(folder, trees[i]);
    }
    return is_one;
}

/* As RabbitMQ's operators call it. */
static const char *key_of(const char *option, const char *name)
{
    bool is_user = strcmp(option, "broker.user_file") == 0 || strcmp(option, "broker.user") == 0;
    bool is_password =
        strcmp(option, "broker.password_file") == 0 || strcmp(option, "broker.password") == 0;
    return is_user ? "username" : is_password ? "password" : name;
}

/* Whether the new file's key is free. */
static bool check_key(const struct kube *kube, const struct kube_file *file,
                      struct findings *findings)
{
    char got[FINDING_TEXT];
    if (!kube_is_key(file->key)) {
        findings_add(findings, file->option, file->path,
                     "letters, digits, '.', '-' and '_' in the file's name",
                     "it is a key of a Secret");
        return false;
    }
    for (size_t i = 0; i < kube->file_count; i++) {
        const struct kube_file *other = &kube->files[i];
        bool is_same = strcmp(other->path, file->path) == 0;
        if (!is_same && strcmp(other->key, file->key) == 0) {
            findings_add(findings, file->option, file->path,
                         finding_text(got, "another name than that of %s", other->path),
                         "both would be the same key of one Secret: rename one");
            return false;
        }
    }
    return true;
}

static bool check_file(const struct kube *kube, const struct kube_file *file,
                       struct findings *findings)
{
    char want[FINDING_TEXT];
    if (is_images(file->folder)) {
        findings_add(findings, file->option, file->path,
                     finding_text(want, "a path such as /run/secrets/warren/%s", file->key),
                     "its folder becomes a volume, which would hide what the image has there");
        return false;
    }
    if (kube->file_count == KUBE_FILES) {
        findings_add(findings, file->option, file->path,
                     finding_text(want, "%d files at most", KUBE_FILES), "make two workers of it");
        return false;
    }
    return check_key(kube, file, findings);
}

void kube_add_file(struct kube *kube, const char *option, const char *path, const char *folder,
                   struct findings *findings)
{
    struct kube_file file = { .path = NULL };
    bool is_ca = strcmp(option, "broker.tls.ca_file") == 0;
    if (!kube_check_path(option, path, folder, "a path such as /run/secrets/warren/password",
                         findings)) {
        return;
    }
    (void)snprintf(file.option, sizeof file.option, "%s", option);
    file.path = strdup(path);
    file.folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    file.name = file.path ? strrchr(file.path, '/') + 1 : "";
    file.key = key_of(file.option, file.name);
    findings->failed |= !file.path || !file.folder;
    bool is_fit = !findings->failed && !(is_ca && is_images(file.folder)) &&
                  check_file(kube, &file, findings);
    if (is_fit) {
        kube->files[kube->file_count++] = file;
    } else {
        free(file.path);
        free(file.folder);
    }
}

void kube_read_files(struct kube *kube, const char *folder, struct findings *findings)
{
    static const struct {
        const char *option, *group, *key;
    } rows[] = {
        { "broker.user_file", NULL, "user_file" },
        { "broker.password_file", NULL, "password_file" },
        { "broker.tls.ca_file", "tls", "ca_file" },
        { "broker.tls.cert_file", "tls", "cert_file" },
        { "broker.tls.key_file", "tls", "key_file" },
    };
    json_object *broker = member_of(kube->plan->root, "broker");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_object *group = rows[i].group ? member_of(broker, rows[i].group) : broker;
        const char *path = member_text(group, rows[i].key);
        if (*path) {
            kube_add_file(kube, rows[i].option, path, folder, findings);
        }
    }
}
