/* SPDX-License-Identifier: MIT */
/*
 * The pod that this process runs in, as Kubernetes' API knows it: says there what it would cost to delete
 * it. Name and namespace come from the environment (POD_NAME, POD_NAMESPACE), the API server's address too
 * (KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT), the right to write from a service account: its token
 * and CA are files that rotate, and are read each time.
 *
 * Threads: one at a time.
 */
#ifndef WR_IO_POD_H
#define WR_IO_POD_H

#include "io/post.h"

struct wr_pod;

struct wr_pod_options {
    const char *api;     /* https://host:port; NULL or "": as the environment says */
    const char *account; /* the folder with `token` and `ca.crt` */
};

/** Finds out who this is. CONFIG: this is no pod, or it can't be said which; libcurl isn't there. */
warren_status wr_pod_open(struct wr_pod **out, const struct wr_pod_options *options,
                          warren_error *err);

/** Writes the annotation controller.kubernetes.io/pod-deletion-cost. `out` has the reason when it
 * failed. Ends as wr_post_send. */
warren_status wr_pod_tell_cost(struct wr_pod *pod, int32_t cost, int64_t timeout_ms,
                               const _Atomic int64_t *until_us, struct wr_post_result *out);

/** NULL is fine. */
void wr_pod_close(struct wr_pod *pod);

#endif
