// SPDX-License-Identifier: MIT
// DESIGN: one request, a JSON merge patch of the pod's metadata, so that nothing has to be read before and
// the right to "patch" is all that it takes:
//
//     PATCH <api>/api/v1/namespaces/<namespace>/pods/<name>
//
// Names become a part of a path, so they are held to what Kubernetes allows: they can't lead elsewhere. The
// token goes by https only, and to a server that the account's CA has signed.
#include "io/pod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "io/secret.h"

#define ANNOTATION "controller.kubernetes.io/pod-deletion-cost"

enum { NAME_MOST = 253, TOKEN_BYTES = 16384 };

struct wr_pod {
    struct wr_post *post;
    char *token_file;
};

/* Lower case letters, digits, '-' and '.', as of a DNS name. */
static bool is_name(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.");
    return size && size <= NAME_MOST && !name[size] && name[0] != '.' && name[0] != '-';
}

static warren_status read_name(const char *variable, const char **out, warren_error *err)
{
    const char *name = getenv(variable);
    if (!name || !*name) {
        return wr_fail(err, WARREN_CONFIG,
                       "%s is not set: in the pod's manifest, take it from the downward API",
                       variable);
    }
    if (!is_name(name)) {
        return wr_fail(err, WARREN_CONFIG, "%s is no name of Kubernetes: got \"%.60s\"", variable,
                       name);
    }
    *out = name;
    return WARREN_OK;
}

/* What stands before the path. */
static warren_status find_api(const char *wanted, struct wr_text *out, warren_error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (wanted && *wanted) {
        size_t size = strlen(wanted);
        wr_text_add(out, wanted, wanted[size - 1] == '/' ? size - 1 : size);
        return WARREN_OK;
    }
    if (!host || !*host || !port || !*port) {
        return wr_fail(
            err, WARREN_CONFIG,
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no "
            "pod; set kubernetes.deletion_cost = false, or kubernetes.api");
    }
    wr_text_add_format(out, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    return WARREN_OK;
}

static warren_status find_url(const char *api, struct wr_text *out, warren_error *err)
{
    const char *space = NULL;
    const char *name = NULL;
    warren_status rc = read_name("POD_NAME", &name, err);
    rc = rc ? rc : read_name("POD_NAMESPACE", &space, err);
    rc = rc ? rc : find_api(api, out, err);
    if (rc) {
        return rc;
    }
    wr_text_add_format(out, "/api/v1/namespaces/%s/pods/%s", space, name);
    if (strncmp(wr_text_string(out), "https://", 8) != 0) {
        return wr_fail(err, WARREN_CONFIG, "the API server is spoken to by https only: got %.200s",
                       wr_text_string(out));
    }
    return WARREN_OK;
}

static char *file_in(const char *folder, const char *name)
{
    struct wr_text path = { 0 };
    wr_text_add_format(&path, "%s/%s", folder, name);
    return wr_text_take(&path);
}

static warren_status open_parts(struct wr_pod *pod, const struct wr_pod_options *options,
                                warren_error *err)
{
    struct wr_text url = { 0 };
    AUTO_FREE char *ca_file = file_in(options->account, "ca.crt");
    pod->token_file = file_in(options->account, "token");
    warren_status rc = ca_file && pod->token_file ? WARREN_OK : wr_no_memory(err);
    rc = rc ? rc : find_url(options->api, &url, err);
    if (!rc) {
        struct wr_post_options post = { .url = wr_text_string(&url),
                                        .method = "PATCH",
                                        .content_type = "application/merge-patch+json",
                                        .ca_file = ca_file };
        rc = wr_post_open(&pod->post, &post, err);
    }
    wr_text_done(&url);
    return rc;
}

warren_status wr_pod_open(struct wr_pod **out, const struct wr_pod_options *options,
                          warren_error *err)
{
    struct wr_pod *pod = calloc(1, sizeof *pod);
    if (!pod) {
        return wr_no_memory(err);
    }
    warren_status rc = open_parts(pod, options, err);
    if (rc) {
        wr_pod_close(pod);
        return rc;
    }
    *out = pod;
    return WARREN_OK;
}

static warren_status authorize(struct wr_pod *pod, warren_error *err)
{
    char *token = malloc(TOKEN_BYTES);
    if (!token) {
        return wr_no_memory(err);
    }
    warren_status rc = wr_secret_read(pod->token_file, token, TOKEN_BYTES, err);
    rc = rc ? rc : wr_post_authorize(pod->post, token, err);
    explicit_bzero(token, TOKEN_BYTES);
    free(token);
    return rc;
}

warren_status wr_pod_tell_cost(struct wr_pod *pod, int32_t cost, int64_t timeout_ms,
                               const _Atomic int64_t *until_us, struct wr_post_result *out)
{
    char body[160];
    warren_error err = { .status = WARREN_OK };
    warren_status rc = authorize(pod, &err);
    if (rc) {
        *out = (struct wr_post_result){ .may_retry = true };
        (void)snprintf(out->text, sizeof out->text, "%.255s", err.text);
        return rc;
    }
    int size = snprintf(body, sizeof body,
                        "{\"metadata\":{\"annotations\":{\"" ANNOTATION "\":\"%d\"}}}", (int)cost);
    return wr_post_send(pod->post, (struct wr_slice){ body, (size_t)size }, timeout_ms, until_us,
                        out);
}

void wr_pod_close(struct wr_pod *pod)
{
    if (!pod) {
        return;
    }
    wr_post_close(pod->post);
    free(pod->token_file);
    free(pod);
}
