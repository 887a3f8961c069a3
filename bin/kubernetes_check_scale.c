// SPDX-License-Identifier: MIT
// DESIGN: what KEDA would do with the queues of the configuration. The values are reckoned again with the
// target and the means that stand beside them; where nobody wrote these down, only their form is looked
// at.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kubernetes_check.h"
#include "member.h"

enum { COOLDOWN_DEFAULT_S = 300 };

static bool is_said(json_object *metadata, const char *key, const char *value)
{
    json_object *said = member_of(metadata, key);
    return said && strcmp(json_object_get_string(said), value) == 0;
}

static json_object *trigger_of(json_object *triggers, const char *queue)
{
    for (size_t i = 0; i < member_count(triggers); i++) {
        json_object *metadata = member_of(json_object_array_get_idx(triggers, i), "metadata");
        if (is_said(metadata, "queueName", queue) || is_said(metadata, "useRegex", "true")) {
            return metadata;
        }
    }
    return NULL;
}

/* By the annotation; 0: nobody wrote down how it was reckoned. */
static int64_t wanted_value(json_object *scale, const struct kube_scaler *scaler)
{
    int64_t target_ms = member_duration(scale, "target");
    int64_t mean_ms = member_duration(member_of(scale, "mean"), scaler->queue);
    return target_ms && mean_ms ? kube_scale_value(scaler->threads, target_ms, mean_ms) : 0;
}

static void check_value(const struct check *check, const struct check_pod *pod,
                        const struct kube_scaler *scaler, json_object *metadata, json_object *scale)
{
    char field[FINDING_TEXT];
    char want[FINDING_TEXT];
    char digits[32];
    json_object *value = member_of(metadata, "value");
    int64_t wanted = wanted_value(scale, scaler);
    (void)finding_text(field, "the trigger of queue %s, value", scaler->queue);
    if (!json_object_is_type(value, json_type_string)) {
        check_note(check, pod, field, value ? json_object_to_json_string(value) : "none",
                   "a string such as '50'", "put it in quotes: KEDA takes no number");
        return;
    }
    (void)snprintf(digits, sizeof digits, "%" PRId64, wanted);
    if (wanted && !is_said(metadata, "value", digits)) {
        check_note(check, pod, field, json_object_get_string(value),
                   finding_text(want, "%s (%" PRId64 " threads * target %s / mean %s)", digits,
                                scaler->threads, member_text(scale, "target"),
                                member_text(member_of(scale, "mean"), scaler->queue)),
                   "generate the manifests again");
    }
}

static void check_trigger(const struct check *check, const struct check_pod *pod,
                          const struct kube_scaler *scaler, json_object *metadata)
{
    char field[FINDING_TEXT];
    const char *protocol = member_text(metadata, "protocol");
    const char *mode = member_text(metadata, "mode");
    const char *vhost = member_text(metadata, "vhostName");
    if (strcmp(protocol, "http") != 0) {
        check_note(check, pod,
                   finding_text(field, "the trigger of queue %s, protocol", scaler->queue),
                   *protocol ? protocol : "none", "http",
                   "amqp doesn't see jobs that run, so their pods would be ended");
    }
    if (is_said(metadata, "excludeUnacknowledged", "true")) {
        check_note(
            check, pod,
            finding_text(field, "the trigger of queue %s, excludeUnacknowledged", scaler->queue),
            "true", "false", "jobs that run would not count, so their pods would be ended");
    }
    if (strcmp(mode, "QueueLength") != 0) {
        check_note(check, pod, finding_text(field, "the trigger of queue %s, mode", scaler->queue),
                   *mode ? mode : "none", "QueueLength", "value is a number of jobs");
    }
    if (*vhost && strcmp(vhost, check->kube->vhost) != 0) {
        check_note(check, pod,
                   finding_text(field, "the trigger of queue %s, vhostName", scaler->queue), vhost,
                   check->kube->vhost, "it is the vhost of broker.url");
    }
}

static bool is_consumed(const struct kube *kube, const char *queue)
{
    for (size_t i = 0; i < kube->scaler_count; i++) {
        if (strcmp(kube->scalers[i].queue, queue) == 0) {
            return true;
        }
    }
    return false;
}

static void check_strays(const struct check *check, const struct check_pod *pod,
                         json_object *triggers)
{
    for (size_t i = 0; i < member_count(triggers); i++) {
        json_object *trigger = json_object_array_get_idx(triggers, i);
        json_object *metadata = member_of(trigger, "metadata");
        const char *queue = member_text(metadata, "queueName");
        bool is_ours = strcmp(member_text(trigger, "type"), "rabbitmq") == 0;
        char got[FINDING_TEXT];
        if (is_ours && !is_said(metadata, "useRegex", "true") && !is_consumed(check->kube, queue)) {
            check_note(check, pod, "triggers", finding_text(got, "queue %s", queue),
                       "queues that the configuration consumes",
                       "pods would come for jobs that they don't take");
        }
    }
}

static void check_cooldown(const struct check *check, const struct check_pod *pod,
                           json_object *spec)
{
    char got[FINDING_TEXT];
    char want[FINDING_TEXT];
    json_object *said = member_of(spec, "cooldownPeriod");
    int64_t cooldown_s = said ? json_object_get_int64(said) : COOLDOWN_DEFAULT_S;
    int64_t longest_s = 0;
    for (size_t i = 0; i < check->kube->scaler_count; i++) {
        int64_t one = check->kube->scalers[i].longest_s;
        longest_s = one > longest_s ? one : longest_s;
    }
    if (cooldown_s <= longest_s) {
        check_note(check, pod, "cooldownPeriod", finding_text(got, "%" PRId64, cooldown_s),
                   finding_text(want, "more than %" PRId64 ", the longest job", longest_s),
                   "raise it: a job without a timeout counts as half an hour");
    }
}

static void check_scaled_object(const struct check *check, const struct manifest *manifest)
{
    json_object *metadata = member_of(manifest->object, "metadata");
    json_object *spec = member_of(manifest->object, "spec");
    json_object *triggers = member_of(spec, "triggers");
    struct check_pod pod = { .file = manifest->file, .kind = "ScaledObject" };
    json_object *scale =
        json_tokener_parse(member_text(member_of(metadata, "annotations"), "warren/scale"));
    pod.name = member_text(metadata, "name");
    for (size_t i = 0; i < check->kube->scaler_count; i++) {
        const struct kube_scaler *scaler = &check->kube->scalers[i];
        json_object *trigger = trigger_of(triggers, scaler->queue);
        char got[FINDING_TEXT];
        if (!trigger) {
            check_note(check, &pod, "triggers",
                       finding_text(got, "none for queue %s", scaler->queue),
                       "one for each queue that is consumed", "generate the manifests again");
            continue;
        }
        check_trigger(check, &pod, scaler, trigger);
        check_value(check, &pod, scaler, trigger, scale);
    }
    check_strays(check, &pod, triggers);
    check_cooldown(check, &pod, spec);
    (void)json_object_put(scale);
}

void check_scalers(const struct check *check, const struct check_pod *pod)
{
    for (size_t i = 0; i < check->manifests->count; i++) {
        const struct manifest *manifest = &check->manifests->items[i];
        json_object *target = member_of(member_of(manifest->object, "spec"), "scaleTargetRef");
        bool is_scaled = strcmp(member_text(manifest->object, "kind"), "ScaledObject") == 0;
        if (is_scaled && strcmp(member_text(target, "name"), pod->name) == 0) {
            check_scaled_object(check, manifest);
        }
    }
}
