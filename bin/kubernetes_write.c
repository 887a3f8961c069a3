// SPDX-License-Identifier: MIT
// DESIGN: each manifest is a file below bin/kubernetes/, built in, with places for what follows from the
// configuration; here are the plain ones, and the walk over the files. One whose lines are all left
// out is none.
#include "kubernetes_write.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "say.h"
#include "tree.h"
#include "yaml_text.h"
#include "writer.h"

enum { MIB = 1 << 20, PROGRESS_LEAST_S = 600, PROGRESS_MORE_S = 60, DOWN_MOST_S = 1800 };

/* --- plain values --- */

static void name_tokens(struct tokens *tokens, const struct kube *kube,
                        const struct kube_wish *wish)
{
    char drain[DURATION_TEXT];
    bool has_cost = wish->wants_deletion_cost || kube->has_deletion_cost;
    token_set(tokens, "name", "%s", wish->name);
    token_set(tokens, "ns", "%s", wish->ns);
    token_set(tokens, "hash", "%016" PRIx64, kube->hash);
    token_set(tokens, "config_folder", KUBE_CONFIG);
    token_set(tokens, "config_path", KUBE_CONFIG "/%s", kube->sources[0].path);
    token_set(tokens, "state_dir", "%s", kube->state_dir ? kube->state_dir : "");
    token_set(tokens, "state_volume", "%s", kube->state_volume ? kube->state_volume : "");
    token_set(tokens, "state_auto", "%s", kube->names_state_dir ? "yes" : "");
    token_set(tokens, "deletion_cost", "%s", has_cost ? "yes" : "");
    token_set(tokens, "token", "%s", has_cost ? "true" : "false");
    token_set(tokens, "drain", "%s", duration_text(drain, kube->drain_ms));
}

static void number_tokens(struct tokens *tokens, const struct kube *kube,
                          const struct kube_wish *wish)
{
    int64_t progress = kube->startup_tries * KUBE_PROBE_S + PROGRESS_MORE_S;
    int64_t down = kube->grace_s < DOWN_MOST_S ? kube->grace_s : DOWN_MOST_S;
    const struct {
        const char *name;
        int64_t number;
    } rows[] = {
        { "replicas", wish->replicas },
        { "replicas_most", wish->replicas_most },
        { "progress", progress > PROGRESS_LEAST_S ? progress : PROGRESS_LEAST_S },
        { "grace", kube->grace_s },
        { "grace_more", KUBE_GRACE_S },
        { "port", kube->port },
        { "connect_wait", kube->connect_wait_s },
        { "start_more", KUBE_START_S },
        { "probe_period", KUBE_PROBE_S },
        { "startup_tries", kube->startup_tries },
        { "bodies", (kube->bodies + MIB - 1) / MIB },
        { "threads", kube->threads },
        { "job_memory", wish->job_bytes / MIB },
        { "memory", kube_memory_mib(kube, wish->job_bytes) },
        { "cooldown", kube->cooldown_s },
        { "cooldown_more", KUBE_COOLDOWN_S },
        { "cooldown_least", KUBE_COOLDOWN_LEAST_S },
        { "down_period", down },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        token_set(tokens, rows[i].name, "%" PRId64, rows[i].number);
    }
}

static void wish_token(struct tokens *tokens, const struct kube_wish *wish)
{
    json_object *all = kube_wish_json(wish);
    token_set(tokens, "wish", KUBE_WISH_LINE "%s",
              json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)json_object_put(all);
}

static void image_token(struct tokens *tokens, const struct kube_wish *wish)
{
    struct writer writer;
    if (writer_open(&writer)) {
        yaml_string(writer.out, wish->image);
    }
    token_take(tokens, "image", writer.out ? writer_take(&writer) : NULL);
}

/* --- texts of other commands --- */

/* Without the comments at its head, which name another command. */
static void rules_token(struct tokens *tokens, const char *name, const struct kube *kube,
                        const char *runbooks, bool is_rabbitmq)
{
    struct writer writer;
    bool is_whole =
        writer_open(&writer) && alerts_write(writer.out, kube->plan, is_rabbitmq, runbooks);
    char *text = writer.out ? writer_take(&writer) : NULL;
    const char *rules = text && is_whole ? strstr(text, "groups:\n") : NULL;
    token_take(tokens, name, rules ? strdup(rules) : NULL);
    free(text);
}

static void dashboard_token(struct tokens *tokens, const struct kube *kube)
{
    struct writer writer;
    bool is_whole = writer_open(&writer) && dashboard_write(writer.out, kube->plan);
    char *page = writer.out ? writer_take(&writer) : NULL;
    if (is_whole && page && writer_open(&writer)) {
        fputs("warren.json: ", writer.out);
        yaml_block(writer.out, page, strlen(page));
        token_take(tokens, "dashboard", writer_take(&writer));
    } else {
        tokens->failed = true;
    }
    free(page);
}

/* --- the files --- */

static void add_file(struct tree *tree, const struct built_in *row, const struct tokens *tokens)
{
    struct writer writer;
    if (!writer_open(&writer)) {
        tree->failed = true;
        return;
    }
    bool is_whole = template_fill(writer.out, row->text, tokens);
    char *text = writer_take(&writer);
    if (!text || !is_whole) {
        free(text);
        tree->failed = true;
    } else if (*text) {
        tree_take(tree, row->path, text);
    } else {
        free(text);
    }
}

static bool is_manifest(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strcmp(dot, ".yaml") == 0;
}

int kube_write(struct tree *tree, const struct kube *kube, const struct kube_wish *wish)
{
    struct tokens tokens = { .count = 0 };
    name_tokens(&tokens, kube, wish);
    number_tokens(&tokens, kube, wish);
    image_token(&tokens, wish);
    wish_token(&tokens, wish);
    pod_tokens(&tokens, kube, wish);
    broker_tokens(&tokens, kube, wish);
    rules_token(&tokens, "alerts", kube, wish->runbooks, false);
    rules_token(&tokens, "rabbitmq_alerts", kube, wish->runbooks, true);
    dashboard_token(&tokens, kube);
    int code = scale_tokens(&tokens, kube, wish);
    for (const struct built_in *row = built_ins; !code && !tokens.failed && row->path; row++) {
        if (is_manifest(row->path)) {
            add_file(tree, row, &tokens);
        }
    }
    if (!code && (tokens.failed || tree->failed)) {
        say("out of memory");
        code = EXIT_FAILED;
    }
    tokens_done(&tokens);
    return code;
}
