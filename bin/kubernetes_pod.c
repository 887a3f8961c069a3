// SPDX-License-Identifier: MIT
// DESIGN: what a pod mounts and whom it may talk to. Files that options point to come from one Secret,
// each folder of them as a volume; the topology's Job has the same files from another Secret, where
// workers may not declare anything themselves.
#include <string.h>

#include "kubernetes_write.h"
#include "yaml_text.h"
#include "writer.h"

static void config_tokens(struct tokens *tokens, const struct kube *kube)
{
    struct writer data;
    struct writer items;
    bool is_open = writer_open(&data);
    for (size_t i = 0; is_open && i < kube->source_count; i++) {
        const struct kube_source *source = &kube->sources[i];
        yaml_string(data.out, source->key);
        fputs(": ", data.out);
        yaml_block(data.out, source->text, source->size);
    }
    token_take(tokens, "config_data", is_open ? writer_take(&data) : NULL);
    is_open = writer_open(&items);
    for (size_t i = 0; is_open && i < kube->source_count; i++) {
        fputs("- key: ", items.out);
        yaml_string(items.out, kube->sources[i].key);
        fputs("\n  path: ", items.out);
        yaml_string(items.out, kube->sources[i].path);
        fputc('\n', items.out);
    }
    token_take(tokens, "config_items", is_open ? writer_take(&items) : NULL);
}

/* --- Secrets --- */

/* Whether no file before it is in the same folder. */
static bool opens_folder(const struct kube *kube, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(kube->files[i].folder, kube->files[index].folder) == 0) {
            return false;
        }
    }
    return true;
}

/* Whether two options name the same file. */
static bool is_repeated(const struct kube *kube, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(kube->files[i].path, kube->files[index].path) == 0) {
            return true;
        }
    }
    return false;
}

static void write_items(FILE *out, const struct kube *kube, const char *folder)
{
    for (size_t i = 0; i < kube->file_count; i++) {
        if (strcmp(kube->files[i].folder, folder) == 0 && !is_repeated(kube, i)) {
            fputs("      - key: ", out);
            yaml_string(out, kube->files[i].key);
            fputs("\n        path: ", out);
            yaml_string(out, kube->files[i].name);
            fputc('\n', out);
        }
    }
}

static void mounts_token(struct tokens *tokens, const struct kube *kube)
{
    struct writer writer;
    bool is_open = writer_open(&writer);
    for (size_t i = 0; is_open && i < kube->file_count; i++) {
        if (opens_folder(kube, i)) {
            fprintf(writer.out, "- name: secret-%zu\n  mountPath: ", i + 1);
            yaml_string(writer.out, kube->files[i].folder);
            fputs("\n  readOnly: true\n", writer.out);
        }
    }
    token_take(tokens, "secret_mounts", is_open ? writer_take(&writer) : NULL);
}

static void volumes_token(struct tokens *tokens, const char *name, const struct kube *kube,
                          const char *secret, const char *suffix)
{
    struct writer writer;
    bool is_open = writer_open(&writer);
    for (size_t i = 0; is_open && i < kube->file_count; i++) {
        if (opens_folder(kube, i)) {
            fprintf(writer.out,
                    "- name: secret-%zu\n  secret:\n    secretName: %s-%s\n"
                    "    defaultMode: 288  # 0440\n    items:\n",
                    i + 1, secret, suffix);
            write_items(writer.out, kube, kube->files[i].folder);
        }
    }
    token_take(tokens, name, is_open ? writer_take(&writer) : NULL);
}

/* What a file of the sample holds. */
static void write_sample(FILE *out, const struct kube_file *file, const char *user)
{
    bool is_key = strcmp(file->option, "broker.tls.key_file") == 0;
    yaml_string(out, file->key);
    if (strcmp(file->key, "username") == 0) {
        fprintf(out, ": %s\n", user);
    } else if (strncmp(file->option, "broker.tls.", 11) != 0) {
        fputs(": change-me\n", out);
    } else {
        const char *what = is_key ? "PRIVATE KEY" : "CERTIFICATE";
        fprintf(out, ": |\n    -----BEGIN %s-----\n    -----END %s-----\n", what, what);
    }
}

static bool has_key(const struct kube *kube, const char *key)
{
    for (size_t i = 0; i < kube->file_count; i++) {
        if (strcmp(kube->files[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static void write_secret(FILE *out, const struct kube *kube, const char *name, const char *suffix,
                         const char *role)
{
    char user[512];
    (void)snprintf(user, sizeof user, "%s-%s", name, role);
    fprintf(out,
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s-%s\n  labels:\n"
            "    app.kubernetes.io/name: %s\n    rabbitmq.com/topology-operator: 'true'\n"
            "type: Opaque\nstringData:\n",
            name, suffix, name);
    for (size_t i = 0; i < kube->file_count; i++) {
        if (!is_repeated(kube, i)) {
            fputs("  ", out);
            write_sample(out, &kube->files[i], user);
        }
    }
    if (!has_key(kube, "username")) { /* the operators want both */
        fprintf(out, "  username: %s\n", user);
    }
    if (!has_key(kube, "password")) {
        fputs("  password: change-me\n", out);
    }
}

static void secret_tokens(struct tokens *tokens, const struct kube *kube,
                          const struct kube_wish *wish)
{
    struct writer writer;
    const char *deploy = kube->only_checks ? "topology" : "broker";
    mounts_token(tokens, kube);
    volumes_token(tokens, "secret_volumes", kube, wish->name, "broker");
    volumes_token(tokens, "topology_secret_volumes", kube, wish->name, deploy);
    bool is_open = writer_open(&writer);
    if (is_open) {
        write_secret(writer.out, kube, wish->name, "broker", "worker");
    }
    if (is_open && kube->only_checks) {
        fputs("---\n", writer.out);
        write_secret(writer.out, kube, wish->name, "topology", "deploy");
    }
    token_take(tokens, "secrets", is_open ? writer_take(&writer) : NULL);
}

/* --- whom it may talk to --- */

static void write_destination(FILE *out, const struct kube_peer *peer)
{
    char name[KUBE_HOST];
    char ns[KUBE_HOST];
    enum kube_place place = kube_place_of(peer->host, name, ns);
    if (place == KUBE_ADDRESS) {
        fprintf(out, "- to:\n    - ipBlock:\n        cidr: '%s/%d'\n  ports:\n", peer->host,
                strchr(peer->host, ':') ? 128 : 32);
        return;
    }
    if (place == KUBE_OUTSIDE) { /* a policy knows no names: any host on this port */
        fputs("- ports:\n", out);
        return;
    }
    bool has_label = peer->is_broker && *name;
    const char *first = "    - ";
    fputs("- to:\n", out);
    if (*ns) {
        fprintf(out,
                "%snamespaceSelector:\n        matchLabels:\n"
                "          kubernetes.io/metadata.name: %s\n",
                first, ns);
        first = "      ";
    }
    if (has_label) { /* as RabbitMQ's operator labels the pods of a cluster with this name */
        fprintf(out,
                "%spodSelector:\n        matchLabels:\n"
                "          app.kubernetes.io/name: %s\n",
                first, name);
    } else if (!*ns) {
        fprintf(out, "%spodSelector: {}\n", first);
    }
    fputs("  ports:\n", out);
}

static void egress_token(struct tokens *tokens, const struct kube *kube)
{
    struct writer writer;
    bool is_open = writer_open(&writer);
    for (size_t i = 0; is_open && i < kube->peer_count; i++) {
        fprintf(writer.out, "# %s\n", kube->peers[i].host);
        write_destination(writer.out, &kube->peers[i]);
        fprintf(writer.out, "    - protocol: TCP\n      port: %d\n", kube->peers[i].port);
    }
    token_take(tokens, "egress", is_open ? writer_take(&writer) : NULL);
}

/* The cluster that the broker's URL names, if it is in this one. */
static void cluster_tokens(struct tokens *tokens, const struct kube *kube)
{
    char name[KUBE_HOST];
    char ns[KUBE_HOST];
    const char *host = kube->peer_count ? kube->peers[0].host : "";
    bool is_ours = kube_place_of(host, name, ns) == KUBE_SERVICE && *name;
    const char *ca = "";
    for (size_t i = 0; i < kube->file_count; i++) {
        bool is_ca = strcmp(kube->files[i].option, "broker.tls.ca_file") == 0;
        ca = is_ca ? kube->files[i].key : ca;
    }
    token_set(tokens, "cluster", "%s", is_ours ? name : "rabbitmq");
    token_set(tokens, "broker_tls", "%s", kube->is_tls ? "yes" : "");
    token_set(tokens, "broker_ca", "%s", kube->is_tls ? ca : "");
    token_set(tokens, "prometheus_port", kube->is_tls ? "prometheus-tls" : "prometheus");
}

void pod_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish)
{
    config_tokens(tokens, kube);
    secret_tokens(tokens, kube, wish);
    egress_token(tokens, kube);
    cluster_tokens(tokens, kube);
}
