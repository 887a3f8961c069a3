// SPDX-License-Identifier: MIT
// DESIGN: one trigger for each queue that a worker consumes. What the numbers were reckoned with stands
// beside them as JSON, so that they can be checked without the command line that made them.
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "escape.h"
#include "kubernetes_write.h"
#include "member.h"
#include "say.h"
#include "when.h"
#include "yaml_text.h"
#include "writer.h"

enum { MANAGEMENT_PORT = 15672, MANAGEMENT_TLS_PORT = 15671 };

static const struct kube_scaler *scaler_of(const struct kube *kube, const char *queue, size_t size)
{
    for (size_t i = 0; i < kube->scaler_count; i++) {
        const char *name = kube->scalers[i].queue;
        if (strlen(name) == size && strncmp(name, queue, size) == 0) {
            return &kube->scalers[i];
        }
    }
    return NULL;
}

/* --mean QUEUE=DURATION: each must name a queue. */
static int check_means(const struct kube *kube, json_object *means)
{
    for (size_t i = 0; i < member_count(means); i++) {
        const char *given = json_object_get_string(json_object_array_get_idx(means, i));
        int64_t ms = 0;
        const char *equals = strrchr(given, '=');
        if (!equals || !when_duration(equals + 1, &ms) || ms < 1) {
            return say_usage("--mean: got \"%s\", want QUEUE=DURATION, such as emails=250ms",
                             given);
        }
        if (!scaler_of(kube, given, (size_t)(equals - given))) {
            say("--mean: no queue %.*s is consumed", (int)(equals - given), given);
            return EXIT_NOT_FOUND;
        }
    }
    return EXIT_DONE;
}

bool kube_is_mean(const struct kube *kube, const char *given)
{
    int64_t ms = 0;
    const char *equals = given ? strrchr(given, '=') : NULL;
    return equals && when_duration(equals + 1, &ms) && ms > 0 &&
           scaler_of(kube, given, (size_t)(equals - given));
}

static int64_t mean_of(const struct kube_scaler *scaler, json_object *means)
{
    int64_t ms = scaler->mean_ms;
    for (size_t i = 0; i < member_count(means); i++) {
        const char *given = json_object_get_string(json_object_array_get_idx(means, i));
        const char *equals = strrchr(given, '=');
        size_t size = equals ? (size_t)(equals - given) : 0;
        if (size == strlen(scaler->queue) && strncmp(given, scaler->queue, size) == 0) {
            (void)when_duration(equals + 1, &ms);
        }
    }
    return ms;
}

static void scale_token(struct tokens *tokens, const struct kube *kube,
                        const struct kube_wish *wish)
{
    char duration[DURATION_TEXT];
    struct writer writer;
    struct writer quoted;
    bool is_open = writer_open(&writer);
    if (is_open) {
        fprintf(writer.out, "{\"target\": \"%s\", \"mean\": {",
                duration_text(duration, wish->target_ms));
    }
    for (size_t i = 0; is_open && i < kube->scaler_count; i++) {
        const struct kube_scaler *scaler = &kube->scalers[i];
        fputs(i ? ", " : "", writer.out);
        escape_json_string(writer.out, scaler->queue, strlen(scaler->queue));
        fprintf(writer.out, ": \"%s\"", duration_text(duration, mean_of(scaler, wish->means)));
    }
    if (is_open) {
        fputs("}}", writer.out);
    }
    char *json = is_open ? writer_take(&writer) : NULL;
    is_open = json && writer_open(&quoted);
    if (is_open) {
        fputc('\'', quoted.out);
        for (const char *at = json; *at; at++) {
            fprintf(quoted.out, *at == '\'' ? "'%c" : "%c", *at);
        }
        fputc('\'', quoted.out);
    }
    token_take(tokens, "scale", is_open ? writer_take(&quoted) : NULL);
    free(json);
}

/* The management API as KEDA finds it from its own namespace, without a login. */
static void write_host(FILE *out, const struct kube *kube, const struct kube_wish *wish)
{
    const char *url = member_text(member_of(kube->plan->root, "broker"), "management_url");
    const char *at = strrchr(url, '@');
    const char *scheme_end = strstr(url, "://");
    const char *host = at ? at + 1 : scheme_end ? scheme_end + 3 : "";
    const char *broker = kube->peer_count ? kube->peers[0].host : "localhost";
    char own[300];
    bool is_tls = *url ? strncmp(url, "https:", 6) == 0 : kube->is_tls;
    if (!*host) {
        bool is_v6 = strchr(broker, ':') != NULL;
        (void)snprintf(own, sizeof own, "%s%s%s:%d", is_v6 ? "[" : "", broker, is_v6 ? "]" : "",
                       is_tls ? MANAGEMENT_TLS_PORT : MANAGEMENT_PORT);
        host = own;
    }
    size_t size = strcspn(host, ":/");
    bool is_short = size && !memchr(host, '.', size) && *host != '[';
    fprintf(out, is_tls ? "https://%.*s" : "http://%.*s", (int)size, host);
    if (is_short) {
        fprintf(out, ".%s.svc", wish->ns);
    }
    fputs(host + size, out);
    fputs(host[strlen(host) - 1] == '/' ? "" : "/", out);
}

static void write_trigger(FILE *out, const struct kube *kube, const struct kube_scaler *scaler,
                          const struct kube_wish *wish, int64_t value)
{
    fputs("- type: rabbitmq\n  metadata:\n    protocol: http\n    host: ", out);
    write_host(out, kube, wish);
    fputs("\n    vhostName: ", out);
    yaml_string(out, kube->vhost);
    fputs("\n    queueName: ", out);
    yaml_string(out, scaler->queue);
    fprintf(out, "\n    mode: QueueLength\n    value: '%" PRId64 "'\n", value);
    fprintf(out, "  authenticationRef:\n    name: %s\n", wish->name);
}

static void triggers_token(struct tokens *tokens, const struct kube *kube,
                           const struct kube_wish *wish)
{
    struct writer writer;
    bool is_open = writer_open(&writer);
    for (size_t i = 0; is_open && i < kube->scaler_count; i++) {
        const struct kube_scaler *scaler = &kube->scalers[i];
        int64_t mean_ms = mean_of(scaler, wish->means);
        write_trigger(writer.out, kube, scaler, wish,
                      kube_scale_value(scaler->threads, wish->target_ms, mean_ms));
    }
    token_take(tokens, "triggers", is_open ? writer_take(&writer) : NULL);
}

/* For the sample: the queue with the longest jobs, a pod for as many as it runs at once. */
static void longest_tokens(struct tokens *tokens, const struct kube *kube,
                           const struct kube_wish *wish)
{
    struct writer writer;
    const struct kube_scaler *longest = &kube->scalers[0];
    for (size_t i = 1; i < kube->scaler_count; i++) {
        longest = kube->scalers[i].longest_s > longest->longest_s ? &kube->scalers[i] : longest;
    }
    bool is_open = writer_open(&writer);
    if (is_open) {
        write_trigger(writer.out, kube, longest, wish, longest->threads);
    }
    token_take(tokens, "longest_trigger", is_open ? writer_take(&writer) : NULL);
    token_set(tokens, "longest", "%" PRId64, longest->longest_s);
}

int scale_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish)
{
    const char *url = member_text(member_of(kube->plan->root, "broker"), "management_url");
    bool is_tls = *url ? strncmp(url, "https:", 6) == 0 : kube->is_tls;
    int code = check_means(kube, wish->means);
    if (code) {
        return code;
    }
    token_set(tokens, "management_tls", "%s", is_tls ? "yes" : "");
    scale_token(tokens, kube, wish);
    triggers_token(tokens, kube, wish);
    longest_tokens(tokens, kube, wish);
    return EXIT_DONE;
}
