// SPDX-License-Identifier: MIT
// DESIGN: a container sees the configuration through volumes: which key of which ConfigMap is which file
// is followed as the kubelet does. A file that isn't in a volume can't be changed without a new image, and
// one that is mounted by subPath is never updated.
#include <stdlib.h>
#include <string.h>

#include "kubernetes_check.h"
#include "member.h"

enum { MODE_OTHERS = 07, MODE_DEFAULT = 0644 };

static bool is_in(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/') {
        size--;
    }
    return strncmp(path, folder, size) == 0 && (path[size] == '/' || !path[size]);
}

json_object *check_mount(const struct check_pod *pod, const char *path)
{
    json_object *mounts = member_of(pod->container, "volumeMounts");
    json_object *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < member_count(mounts); i++) {
        json_object *mount = json_object_array_get_idx(mounts, i);
        const char *folder = member_text(mount, "mountPath");
        if (*folder && is_in(path, folder) && strlen(folder) >= longest) {
            found = mount;
            longest = strlen(folder);
        }
    }
    return found;
}

json_object *check_volume(const struct check_pod *pod, const char *name)
{
    json_object *volumes = member_of(pod->spec, "volumes");
    for (size_t i = 0; i < member_count(volumes); i++) {
        json_object *volume = json_object_array_get_idx(volumes, i);
        if (strcmp(member_text(volume, "name"), name) == 0) {
            return volume;
        }
    }
    return NULL;
}

/* The key of the file `path` in a volume of a ConfigMap or Secret; NULL: it isn't there. */
static const char *key_of(json_object *source, const char *path)
{
    json_object *items = member_of(source, "items");
    if (!items) {
        return path;
    }
    for (size_t i = 0; i < member_count(items); i++) {
        json_object *item = json_object_array_get_idx(items, i);
        if (strcmp(member_text(item, "path"), path) == 0) {
            return member_text(item, "key");
        }
    }
    return NULL;
}

/* --- the configuration --- */

static json_object *config_map_of(const struct check *check, json_object *volume)
{
    const char *name = member_text(member_of(volume, "configMap"), "name");
    return *name ? manifests_find(check->manifests, "ConfigMap", name) : NULL;
}

/* The mount with the main file where nobody names its path; NULL: there is none. */
static json_object *main_mount(const struct check *check, const struct check_pod *pod)
{
    json_object *mounts = member_of(pod->container, "volumeMounts");
    for (size_t i = 0; i < member_count(mounts); i++) {
        json_object *mount = json_object_array_get_idx(mounts, i);
        json_object *volume = check_volume(pod, member_text(mount, "name"));
        json_object *source = member_of(volume, "configMap");
        const char *key = source ? key_of(source, check->kube->sources[0].path) : NULL;
        if (key && member_of(member_of(config_map_of(check, volume), "data"), key)) {
            return mount;
        }
    }
    return NULL;
}

bool check_has_config(const struct check *check, const struct check_pod *pod)
{
    return main_mount(check, pod) != NULL;
}

/* The mount with the configuration: the one that its path is in, else the one that has the main file. */
static json_object *config_mount(const struct check *check, const struct check_pod *pod)
{
    return *pod->config ? check_mount(pod, pod->config) : main_mount(check, pod);
}

static bool is_same(json_object *text, const struct kube_source *file)
{
    return (size_t)json_object_get_string_len(text) == file->size &&
           memcmp(json_object_get_string(text), file->text, file->size) == 0;
}

bool check_is_other(const struct check *check, const struct check_pod *pod)
{
    const struct kube_source *ours = &check->kube->sources[0];
    json_object *mount = config_mount(check, pod);
    json_object *volume = mount ? check_volume(pod, member_text(mount, "name")) : NULL;
    json_object *map = config_map_of(check, volume);
    const char *path = ours->path;
    if (*pod->config && mount) {
        path = pod->config + strlen(member_text(mount, "mountPath"));
        path += strspn(path, "/");
    }
    const char *key = map ? key_of(member_of(volume, "configMap"), path) : NULL;
    json_object *text = key ? member_of(member_of(map, "data"), key) : NULL;
    return text && !is_same(text, ours);
}

static void check_source(const struct check *check, const struct check_pod *pod,
                         json_object *source, json_object *map, const struct kube_source *file)
{
    char field[FINDING_TEXT];
    const char *key = key_of(source, file->path);
    json_object *text = key ? member_of(member_of(map, "data"), key) : NULL;
    (void)finding_text(field, "the file %s of ConfigMap/%s", file->path,
                       member_text(source, "name"));
    if (!text) {
        check_note(check, pod, field, key ? "no such key" : "no item with this path",
                   "the file as it stands here", "generate the manifests again");
        return;
    }
    if (!is_same(text, file)) {
        check_note(check, pod, field, "another text", "the file as it stands here",
                   "generate the manifests again, or take over what was changed in them");
    }
}

static bool is_source(const struct kube *kube, const char *path)
{
    for (size_t i = 0; i < kube->source_count; i++) {
        if (strcmp(kube->sources[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* Queue files that only the pods have. */
static void check_strays(const struct check *check, const struct check_pod *pod,
                         json_object *source)
{
    json_object *items = member_of(source, "items");
    for (size_t i = 0; i < member_count(items); i++) {
        const char *path = member_text(json_object_array_get_idx(items, i), "path");
        const char *dot = strrchr(path, '.');
        char got[FINDING_TEXT];
        if (dot && strcmp(dot, ".cfg") == 0 && !is_source(check->kube, path)) {
            check_note(check, pod, "the mounted configuration", finding_text(got, "also %s", path),
                       "the files of the configuration only", "take it out, or write that file");
        }
    }
}

static void check_config(const struct check *check, const struct check_pod *pod)
{
    json_object *mount = config_mount(check, pod);
    json_object *volume = mount ? check_volume(pod, member_text(mount, "name")) : NULL;
    json_object *source = member_of(volume, "configMap");
    json_object *map = config_map_of(check, volume);
    if (!source) {
        check_note(check, pod, "volumeMounts",
                   mount ? "a volume that is no ConfigMap" : "nothing there",
                   *pod->config ? pod->config : "the configuration", "mount its ConfigMap there");
        return;
    }
    if (*member_text(mount, "subPath")) {
        check_note(check, pod, "volumeMounts", "the configuration by subPath", "a folder",
                   "what is mounted by subPath is never updated");
        return;
    }
    if (!map) {
        check_note(check, pod, "volumes", "a ConfigMap that isn't among these manifests",
                   member_text(source, "name"), "add it, or check what kustomize prints");
        return;
    }
    for (size_t i = 0; i < check->kube->source_count; i++) {
        check_source(check, pod, source, map, &check->kube->sources[i]);
    }
    check_strays(check, pod, source);
}

/* --- Secrets --- */

static bool has_key(json_object *secret, const char *key)
{
    return json_object_object_get_ex(member_of(secret, "data"), key, NULL) ||
           json_object_object_get_ex(member_of(secret, "stringData"), key, NULL);
}

/* In a volume that is a Secret; of others (projected, CSI) nobody knows here what they hold. */
static void check_secret(const struct check *check, const struct check_pod *pod,
                         const struct kube_file *file, const char *path, json_object *source)
{
    char got[FINDING_TEXT];
    char want[FINDING_TEXT];
    const char *name = member_text(source, "secretName");
    const char *key = key_of(source, path);
    json_object *secret = manifests_find(check->manifests, "Secret", name);
    json_object *said = member_of(source, "defaultMode");
    int64_t mode = said ? json_object_get_int64(said) : MODE_DEFAULT;
    bool is_key = strcmp(file->option, "broker.tls.key_file") == 0;
    if (!key || (secret && !has_key(secret, key))) {
        check_note(check, pod, finding_text(want, "Secret/%s", name),
                   key ? finding_text(got, "no key %s", key)
                       : finding_text(got, "no item with the path %s", path),
                   file->path, "it is the file of an option: add it, or change the option");
    } else if (is_key && mode & MODE_OTHERS) {
        check_note(check, pod, "volumes.secret.defaultMode",
                   finding_text(got, "%03o", (unsigned)mode & 0777U), "0440, which is 288",
                   "a private key that others may read is refused");
    }
}

static void check_file(const struct check *check, const struct check_pod *pod,
                       const struct kube_file *file)
{
    char where[FINDING_TEXT];
    json_object *mount = check_mount(pod, file->path);
    json_object *volume = mount ? check_volume(pod, member_text(mount, "name")) : NULL;
    json_object *secret = member_of(volume, "secret");
    bool is_ca =
        strcmp(file->option, "broker.tls.ca_file") == 0; /* no secret; the image may have it */
    bool is_fit = secret || member_of(volume, "projected") || member_of(volume, "csi") ||
                  (is_ca && (!mount || member_of(volume, "configMap")));
    (void)finding_text(where, "volumeMounts, for %s", file->option);
    if (!is_fit) {
        check_note(check, pod, where, mount ? "a volume that is no Secret" : "nothing there",
                   file->path, "mount a Secret at its folder");
    } else if (*member_text(mount, "subPath")) {
        check_note(check, pod, where, "a file by subPath", "a folder",
                   "what is mounted by subPath is never updated, so a new password never comes");
    } else if (secret) {
        size_t size = strlen(member_text(mount, "mountPath"));
        const char *path = file->path + size;
        check_secret(check, pod, file, path + strspn(path, "/"), secret);
    }
}

static void check_state(const struct check *check, const struct check_pod *pod)
{
    char got[FINDING_TEXT];
    const char *folder = check->kube->state_dir;
    json_object *mount = folder ? check_mount(pod, folder) : NULL;
    json_object *volume = mount ? check_volume(pod, member_text(mount, "name")) : NULL;
    bool is_fixed = member_of(volume, "configMap") || member_of(volume, "secret");
    json_object *security = member_of(pod->container, "securityContext");
    bool is_sealed = json_object_get_boolean(member_of(security, "readOnlyRootFilesystem"));
    bool is_worker = strcmp(pod->kind, "Job") != 0;
    if (volume && is_worker && strcmp(member_text(mount, "mountPath"), folder) == 0) {
        check_note(check, pod, "volumeMounts, for state_dir", "a volume right there",
                   check->kube->state_volume,
                   "the folder itself must be the worker's own, and a volume belongs to root");
    }
    if (folder && is_worker && is_sealed && (!volume || is_fixed)) {
        check_note(check, pod, "volumeMounts, for state_dir",
                   volume ? finding_text(got, "a volume that can't be written") : "nothing there",
                   check->kube->state_volume,
                   "mount an emptyDir there: the root filesystem is read-only");
    }
}

void check_files(const struct check *check, const struct check_pod *pod)
{
    check_config(check, pod);
    for (size_t i = 0; i < check->kube->file_count; i++) {
        check_file(check, pod, &check->kube->files[i]);
    }
    check_state(check, pod);
}
