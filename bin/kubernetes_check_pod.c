// SPDX-License-Identifier: MIT
// DESIGN: what a pod's fields say is set against what follows from the configuration by the formulas that
// wrote them, whoever wrote these.
#include "kubernetes_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "member.h"

#define QUANTITY_MOST 1e18 /* bytes: more than any node has */

enum { MIB = 1 << 20, GRACE_DEFAULT_S = 30, MS = 1000 };

/* --- the end of a pod --- */

static void check_grace(const struct check *check, const struct check_pod *pod)
{
    char got[FINDING_TEXT];
    char want[FINDING_TEXT];
    json_object *said = member_of(pod->spec, "terminationGracePeriodSeconds");
    int64_t grace_s = said ? json_object_get_int64(said) : GRACE_DEFAULT_S;
    int64_t least_s = (check->kube->drain_ms + MS - 1) / MS + KUBE_GRACE_LEAST_S;
    bool is_number = !said || json_object_is_type(said, json_type_int);
    if (is_number && grace_s >= least_s) {
        return;
    }
    check_note(check, pod, "terminationGracePeriodSeconds",
               said ? finding_text(got, "%s", json_object_to_json_string(said))
                    : finding_text(got, "none, which is %d", GRACE_DEFAULT_S),
               finding_text(want, "%" PRId64 " or more (drain_timeout %.10g s + %d s)", least_s,
                            (double)check->kube->drain_ms / MS, KUBE_GRACE_LEAST_S),
               "raise it, or lower drain_timeout: else running jobs are killed");
}

/* --- probes --- */

static const struct probe {
    const char *field;
    const char *path;
    const char *word; /* of `warren run --probe` */
    const char *else_what;
} probes[] = {
    { "startupProbe", "/startupz", "startup", "a slow start would count as a hang" },
    { "livenessProbe", "/livez", "live",
      "a worker that hangs would stay, and with another path a broker that is away would restart "
      "every pod" },
    { "readinessProbe", "/readyz", "ready", "a rollout would not wait for a worker to be there" },
};

/* The number of a port that may be given by its name; 0: there is none of this name. */
static int64_t port_of(const struct check_pod *pod, json_object *port)
{
    json_object *ports = member_of(pod->container, "ports");
    if (!json_object_is_type(port, json_type_string)) {
        return json_object_get_int64(port);
    }
    for (size_t i = 0; i < member_count(ports); i++) {
        json_object *row = json_object_array_get_idx(ports, i);
        if (strcmp(member_text(row, "name"), json_object_get_string(port)) == 0) {
            return member_number(row, "containerPort");
        }
    }
    return 0;
}

/* `warren run --probe WORD` in the container. */
static bool asks_itself(json_object *probe, const char *word)
{
    json_object *command = member_of(member_of(probe, "exec"), "command");
    for (size_t i = 0; i + 1 < member_count(command); i++) {
        const char *one = json_object_get_string(json_object_array_get_idx(command, i));
        const char *next = json_object_get_string(json_object_array_get_idx(command, i + 1));
        if (one && next && strcmp(one, "--probe") == 0 && strcmp(next, word) == 0) {
            return true;
        }
    }
    return false;
}

static void check_probe(const struct check *check, const struct check_pod *pod,
                        const struct probe *row)
{
    char field[FINDING_TEXT];
    char got[FINDING_TEXT];
    char want[FINDING_TEXT];
    json_object *probe = member_of(pod->container, row->field);
    json_object *get = member_of(probe, "httpGet");
    int64_t port = port_of(pod, member_of(get, "port"));
    const char *path = member_text(get, "path");
    if (asks_itself(probe, row->word)) {
        return;
    }
    if (!get) {
        check_note(check, pod, row->field, probe ? "no httpGet" : "none",
                   finding_text(want, "GET %s on port %d", row->path, check->kube->port),
                   row->else_what);
        return;
    }
    if (strcmp(path, row->path) != 0) {
        check_note(check, pod, finding_text(field, "%s.httpGet.path", row->field), path, row->path,
                   row->else_what);
    }
    if (port != check->kube->port) {
        check_note(check, pod, finding_text(field, "%s.httpGet.port", row->field),
                   finding_text(got, "%s", json_object_to_json_string(member_of(get, "port"))),
                   finding_text(want, "%d, the port of http.listen", check->kube->port),
                   "nobody answers there");
    }
}

/* Or a number of tries: whoever says more means "for ever". */
static int64_t seconds_of(json_object *value)
{
    int64_t number = json_object_get_int64(value);
    return number < 0 ? 0 : number > INT32_MAX ? INT32_MAX : number;
}

static void check_start(const struct check *check, const struct check_pod *pod)
{
    char got[FINDING_TEXT];
    char want[FINDING_TEXT];
    json_object *probe = member_of(pod->container, "startupProbe");
    json_object *period = member_of(probe, "periodSeconds");
    json_object *tries = member_of(probe, "failureThreshold");
    int64_t patience_s = (period ? seconds_of(period) : 10) * (tries ? seconds_of(tries) : 3);
    if (probe && patience_s < check->kube->connect_wait_s) {
        check_note(check, pod, "startupProbe",
                   finding_text(got, "%" PRId64 " s in all (periodSeconds * failureThreshold)",
                                patience_s),
                   finding_text(want, "%" PRId64 " s or more, broker.connect_wait",
                                check->kube->connect_wait_s),
                   "a pod would be killed while it waits for the broker");
    }
}

/* --- memory --- */

/* A quantity of Kubernetes in bytes; -1: it is none. */
static int64_t quantity_of(json_object *value)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {
        { "", 1 },        { "k", 1e3 },        { "M", 1e6 },         { "G", 1e9 },
        { "Ki", 1024.0 }, { "Mi", 1048576.0 }, { "Gi", 1073741824 }, { "Ti", 1099511627776 },
        { "m", 0.001 }
    };
    const char *text = value ? json_object_get_string(value) : "";
    char *unit;
    double number = strtod(text, &unit);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (unit != text && strcmp(unit, units[i].name) == 0 && number >= 0) {
            double bytes = number * units[i].factor;
            return bytes < QUANTITY_MOST ? (int64_t)bytes : (int64_t)QUANTITY_MOST;
        }
    }
    return -1;
}

static void check_memory(const struct check *check, const struct check_pod *pod)
{
    char got[FINDING_TEXT];
    char want[FINDING_TEXT];
    json_object *limits = member_of(member_of(pod->container, "resources"), "limits");
    json_object *said = member_of(limits, "memory");
    int64_t least_mib = (check->kube->memory_least + MIB - 1) / MIB;
    if (quantity_of(said) >= check->kube->memory_least) {
        return;
    }
    check_note(check, pod, "resources.limits.memory",
               said ? finding_text(got, "%s", json_object_to_json_string(said)) : "none",
               finding_text(want, "%" PRId64 "Mi or more (32 + 2 * %" PRId64 " of bodies)",
                            least_mib, (check->kube->bodies + MIB - 1) / MIB),
               "raise it, or lower prefetch or limits.body: else the node kills it when large jobs "
               "come");
}

/* --- what is asked of the environment --- */

static bool has_env(json_object *container, const char *name)
{
    json_object *env = member_of(container, "env");
    for (size_t i = 0; i < member_count(env); i++) {
        if (strcmp(member_text(json_object_array_get_idx(env, i), "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_variables(const struct check *check, const struct check_pod *pod)
{
    char got[FINDING_TEXT];
    for (size_t i = 0; i < check->kube->variable_count; i++) {
        const char *name = check->kube->variables[i];
        if (!member_of(pod->container, "envFrom") && !has_env(pod->container, name)) {
            check_note(check, pod, "env", finding_text(got, "no %s", name), name,
                       "the configuration asks for it and has no default");
        }
    }
}

/* Pods that say which configuration they are for. */
static void check_hash(const struct check *check, const struct check_pod *pod)
{
    char want[FINDING_TEXT];
    json_object *annotations = member_of(pod->metadata, "annotations");
    const char *said = member_text(annotations, "warren/config-hash");
    (void)finding_text(want, "%016" PRIx64, check->kube->hash);
    if (*said && strcmp(said, want) != 0) {
        check_note(check, pod, "annotations, warren/config-hash", said, want,
                   "generate the manifests again: pods are replaced when it changes");
    }
}

static void check_deletion_cost(const struct check *check, const struct check_pod *pod)
{
    static const char *const names[] = { "POD_NAME", "POD_NAMESPACE" };
    json_object *token = member_of(pod->spec, "automountServiceAccountToken");
    char want[FINDING_TEXT];
    if (!check->kube->has_deletion_cost) {
        return;
    }
    if (token && !json_object_get_boolean(token)) {
        check_note(check, pod, "automountServiceAccountToken", "false", "true",
                   "kubernetes.deletion_cost = true asks the API server");
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!has_env(pod->container, names[i])) {
            check_note(check, pod, "env", finding_text(want, "no %s", names[i]), names[i],
                       "take it from the downward API, or set kubernetes.deletion_cost = false");
        }
    }
}

void check_pod_fields(const struct check *check, const struct check_pod *pod)
{
    check_variables(check, pod);
    if (strcmp(pod->kind, "Job") == 0) {
        return;
    }
    check_grace(check, pod);
    check_memory(check, pod);
    check_hash(check, pod);
    if (strcmp(pod->kind, "ScaledJob") == 0) {
        return;
    }
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        check_probe(check, pod, &probes[i]);
    }
    check_start(check, pod);
    check_deletion_cost(check, pod);
}
