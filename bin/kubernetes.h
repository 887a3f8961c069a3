/* SPDX-License-Identifier: MIT */
/*
 * What manifests for Kubernetes must say of a configuration, and by which formulas: the one place of
 * these numbers, for `warren generate kubernetes`, which writes them, and `warren config check
 * --kubernetes`, which looks for them.
 */
#ifndef KUBERNETES_H
#define KUBERNETES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "findings.h"
#include "generate.h"

struct json_object;

/* Where things are in a container. */
#define KUBE_CONFIG "/etc/warren"
#define KUBE_STATE "/var/lib/warren/state"

/* The first line of each file that is written: what it is, and that it may be replaced. */
#define KUBE_MARK                                                                                  \
    "# Written by `warren generate kubernetes`: change the queue files, or patch it in an "        \
    "overlay.\n"

/* The file, and the line of it, that says what the command line said. */
#define KUBE_WISH_FILE "base/kustomization.yaml"
#define KUBE_WISH_LINE "# With: "

enum {
    KUBE_GRACE_LEAST_S = 5,   /* above drain_timeout: connections are closed, the process ends */
    KUBE_GRACE_S = 10,        /* what is written */
    KUBE_PROBE_S = 5,         /* between two startup probes */
    KUBE_START_S = 30,        /* for a start beside connect_wait */
    KUBE_NO_TIMEOUT_S = 1800, /* of a job without a timeout: the broker's patience by default */
    KUBE_JOB_BYTES = 4 << 20, /* of a handler, beside its job's body, unless somebody says better */
    KUBE_COOLDOWN_LEAST_S = 300,
    KUBE_COOLDOWN_S = 60, /* above the longest job */
    KUBE_FILES = 32,
    KUBE_PEERS = 18, /* the most that broker.url may name, the management API, the collector */
    KUBE_VARIABLES = 64,
};

/** A file of the configuration. Texts are owned. */
struct kube_source {
    char *path; /* from the folder of warren.cfg: "queues/emails.cfg" */
    char *key;  /* in the ConfigMap: "queues.emails.cfg" */
    char *text;
    size_t size;
};

/** A file that an option points to and that a Secret holds. */
struct kube_file {
    char option[64];  /* "broker.password_file"; the one that says ${file:} */
    char *path;       /* owned */
    char *folder;     /* owned */
    const char *name; /* in that folder */
    const char *key;  /* in the Secret: its name, but for user and password */
};

/** What one queue at the broker is scaled by. */
struct kube_scaler {
    const char *queue;
    int64_t threads;   /* how many of its jobs a pod runs at once */
    int64_t longest_s; /* a job of it */
    int64_t mean_ms;   /* a job of it, about, unless somebody says better */
};

enum { KUBE_HOST = 256 };

/** Somebody that a pod talks to. */
struct kube_peer {
    char host[KUBE_HOST];
    int port;
    bool is_broker;
};

/** Everything that follows from a configuration. Texts are borrowed from the plan unless said
 * otherwise. */
struct kube {
    const struct plan *plan;
    struct kube_source *sources; /* warren.cfg first */
    size_t source_count;
    struct kube_file files[KUBE_FILES];
    size_t file_count;
    struct kube_scaler *scalers; /* as the plan's inboxes */
    size_t scaler_count;
    struct kube_peer peers[KUBE_PEERS];
    size_t peer_count;
    char *variables[KUBE_VARIABLES]; /* of the environment, that a file asks for and has no default
                                        for; owned */
    size_t variable_count;
    char *defaults[KUBE_VARIABLES]; /* those that have one; owned */
    size_t default_count;
    char vhost[256];
    const char *state_dir; /* NULL: none */
    char *state_volume;    /* the folder above it, owned: see state_volume_of */
    bool names_state_dir;  /* state_dir = "auto": the environment says where */
    bool only_checks;      /* topology = "check": another user declares it */
    bool is_tls;
    bool says_url;          /* broker.url stands in the configuration */
    bool has_deletion_cost; /* kubernetes.deletion_cost: a pod marks itself while it is busy */
    int port;               /* of http.listen; 0: it can't be reached from outside the pod */
    int64_t drain_ms;
    int64_t grace_s;
    int64_t connect_wait_s;
    int64_t startup_tries;
    int64_t threads;
    int64_t bodies;       /* bytes that may lie in a worker */
    int64_t memory_least; /* bytes: what Warren itself may take */
    int64_t cooldown_s;
    uint64_t hash; /* of the configuration's files */
};

/** Reads what follows from the configuration at `path`, whose plan was read. What can't work in a pod
 * is noted in `findings`. Gives an exit code, after a message if it is not EXIT_DONE; kube_done
 * afterwards in any case. */
int kube_read(struct kube *kube, const struct plan *plan, const char *path,
              struct findings *findings);
void kube_done(struct kube *kube);

/** Reads the plan as well, without those variables of this environment that the configuration has a
 * default for: a pod hasn't them, so what is written must not depend on them. They are unset in this
 * process. plan_done and kube_done afterwards in any case. */
int kube_open(struct kube *kube, struct plan *plan, const char *path, struct findings *findings);

/** What a host's name says: an address, a service of this cluster ("name" or "name.namespace.svc…"; then
 * its parts, "" where it doesn't say), or somebody outside. */
enum kube_place { KUBE_OUTSIDE, KUBE_SERVICE, KUBE_ADDRESS };
enum kube_place kube_place_of(const char *host, char name[KUBE_HOST], char ns[KUBE_HOST]);

/** The memory limit of a container whose handlers take `job_bytes` a thread, in MiB. */
int64_t kube_memory_mib(const struct kube *kube, int64_t job_bytes);

/** Messages in a queue, waiting or running, for each pod: threads * target / mean, at least 1. */
int64_t kube_scale_value(int64_t threads, int64_t target_ms, int64_t mean_ms);

/** How manifests are wanted. */
struct kube_wish {
    const char *name;
    const char *ns; /* of Kubernetes */
    const char *image;
    const char *runbooks;
    int64_t replicas;
    int64_t replicas_most;
    int64_t target_ms;
    int64_t job_bytes;
    bool wants_deletion_cost;  /* even if the configuration doesn't */
    struct json_object *means; /* of --mean: a list of "QUEUE=DURATION" */
};

/** The wish as JSON, for json_object_put, and back: then it borrows from that, and false says that it is
 * none. */
struct json_object *kube_wish_json(const struct kube_wish *wish);
bool kube_wish_read(struct kube_wish *wish, struct json_object *all);

/** Whether a value of --mean is of the right form, and names a queue that is consumed. */
bool kube_is_mean(const struct kube *kube, const char *given);

/** A file that is written, with its path below the folder. */
struct tree;

/** Adds all manifests to the tree. Gives an exit code, after a message if it is not EXIT_DONE. */
int kube_write(struct tree *tree, const struct kube *kube, const struct kube_wish *wish);

/** Reads the manifests at `path` (a folder, a file, "-" for standard input) and notes where they and
 * the configuration differ. Gives an exit code, after a message if it is not EXIT_DONE. */
int kube_check(const struct kube *kube, const char *path, struct findings *findings);

#endif
