// SPDX-License-Identifier: MIT
// DESIGN: the broker's sample follows from deploy/rabbitmq/, which is built in: its settings as they are, its
// rights with the namespace and the queues of the configuration in the place of "warren" and "default".
// So there is one list of rights, and the tests of it hold for both.
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "kubernetes_write.h"
#include "member.h"
#include "yaml_text.h"
#include "writer.h"

/* What definitions.json says instead of a configuration's queues. */
#define ANY_QUEUE "default(\\..+)?"
#define ANY_NS "warren"

/* The users of definitions.json, and the Secrets that they have here. */
static const struct role {
    const char *user;
    const char *suffix; /* of its name here */
    const char *secret; /* NULL: the operator makes one */
    bool is_broad;      /* declares, so it has rights on exchanges, too */
} roles[] = {
    { "warren-worker", "worker", "broker", false },
    { "warren-deploy", "deploy", "topology", true },
    { "warren-publisher", "publisher", NULL, false },
};

enum { ROLES = sizeof roles / sizeof roles[0] };

struct broker {
    const struct kube *kube;
    const struct kube_wish *wish;
    json_object *definitions;
    FILE *out;
    bool is_next; /* of several documents */
};

/* --- settings --- */

/* The listeners follow from `tls`, the definitions from the other resources. */
static bool is_operators(const char *line)
{
    return strncmp(line, "definitions.", 12) == 0 || strncmp(line, "listeners.", 10) == 0;
}

/* The paragraphs of rabbitmq.conf without those lines, nor comments that were only about them. */
static char *make_conf(const char *text)
{
    struct writer writer;
    if (!text || !writer_open(&writer)) {
        return NULL;
    }
    while (*text) {
        const char *end = strstr(text, "\n\n");
        const char *next = end ? end + 2 : text + strlen(text);
        bool is_theirs = false;
        for (const char *line = text; line < next; line += strcspn(line, "\n") + 1) {
            is_theirs = is_theirs || is_operators(line);
        }
        bool is_head = strncmp(text, "# The broker settings", 21) == 0;
        if (!is_theirs && !is_head) {
            fprintf(writer.out, "%s%.*s\n", ftell(writer.out) > 0 ? "\n" : "",
                    (int)((end ? end : next) - text - (end ? 0 : text != next && next[-1] == '\n')),
                    text);
        }
        text = next;
    }
    return writer_take(&writer);
}

static void block_token(struct tokens *tokens, const char *name, const char *key, const char *text)
{
    struct writer writer;
    if (!text || !writer_open(&writer)) {
        tokens->failed = true;
        return;
    }
    fprintf(writer.out, "%s: ", key);
    yaml_block(writer.out, text, strlen(text));
    token_take(tokens, name, writer_take(&writer));
}

static void settings_tokens(struct tokens *tokens)
{
    char *conf = make_conf(built_in_text("rabbitmq.conf"));
    block_token(tokens, "rabbitmq_conf", "additionalConfig", conf);
    block_token(tokens, "advanced_config", "advancedConfig", built_in_text("advanced.config"));
    free(conf);
}

/* --- rights --- */

static void write_regex(FILE *out, const char *text)
{
    for (; *text; text++) {
        fprintf(out, strchr("\\.+*?()|[]{}^$", *text) ? "\\%c" : "%c", *text);
    }
}

/* The queues of the configuration as one group; with the exchanges that they are bound to. */
static void write_queues(FILE *out, const struct kube *kube, bool has_exchanges)
{
    json_object *queues = member_of(kube->plan->root, "queues");
    fputc('(', out);
    for (size_t i = 0; i < member_count(queues); i++) {
        json_object *queue = json_object_array_get_idx(queues, i);
        const char *exchange = member_text(queue, "exchange");
        fputs(i ? "|" : "", out);
        write_regex(out, member_text(queue, "name"));
        if (has_exchanges && *exchange) {
            fputc('|', out);
            write_regex(out, exchange);
        }
    }
    fputs(")(\\..+)?", out);
}

/* A regular expression of the definitions, for this configuration. */
static char *translate(const struct broker *broker, const char *text, bool is_broad)
{
    struct writer writer;
    if (!writer_open(&writer)) {
        return NULL;
    }
    while (*text) {
        if (strncmp(text, ANY_QUEUE, strlen(ANY_QUEUE)) == 0) {
            write_queues(writer.out, broker->kube, is_broad);
            text += strlen(ANY_QUEUE);
        } else if (strncmp(text, ANY_NS "\\.", strlen(ANY_NS) + 2) == 0) {
            write_regex(writer.out, broker->kube->plan->ns);
            text += strlen(ANY_NS);
        } else if (strncmp(text, ANY_NS ".", strlen(ANY_NS) + 1) == 0) { /* an exchange's name */
            fputs(broker->kube->plan->ns, writer.out);
            text += strlen(ANY_NS);
        } else {
            fputc(*text++, writer.out);
        }
    }
    return writer_take(&writer);
}

static void write_translated(const struct broker *broker, const char *key, const char *text,
                             bool is_broad)
{
    char *here = translate(broker, text, is_broad);
    fprintf(broker->out, "    %s: ", key);
    yaml_string(broker->out, here ? here : "^$"); /* no memory: no rights */
    fputc('\n', broker->out);
    free(here);
}

/* Without a right of its own to declare, a worker that declares has the deployer's. */
static const struct role *role_of(const struct broker *broker, const char *user)
{
    for (size_t i = 0; i < ROLES; i++) {
        bool is_role = strcmp(roles[i].user, user) == 0;
        if (is_role && !broker->kube->only_checks && i < 2) {
            return i == 1 ? &roles[0] : NULL;
        }
        if (is_role) {
            return &roles[i];
        }
    }
    return NULL;
}

static void write_head(struct broker *broker, const char *kind, const char *suffix)
{
    fprintf(broker->out,
            "%sapiVersion: rabbitmq.com/v1beta1\nkind: %s\nmetadata:\n  name: %s-%s\nspec:\n"
            "  rabbitmqClusterReference:\n    name: @{cluster}\n",
            broker->is_next ? "---\n" : "", kind, broker->wish->name, suffix);
    broker->is_next = true;
}

static void write_vhost(struct broker *broker, const char *user)
{
    fputs("  vhost: ", broker->out);
    yaml_string(broker->out, broker->kube->vhost);
    if (user) {
        fprintf(broker->out, "\n  userReference:\n    name: %s-%s", broker->wish->name, user);
    }
    fputc('\n', broker->out);
}

static void write_user(struct broker *broker, const char *suffix, const char *secret,
                       const char *tag)
{
    write_head(broker, "User", suffix);
    if (secret) {
        fprintf(broker->out, "  importCredentialsSecret:\n    name: %s-%s\n", broker->wish->name,
                secret);
    }
    if (tag) {
        fprintf(broker->out, "  tags:\n    - %s\n", tag);
    }
}

static void write_users(struct broker *broker)
{
    for (size_t i = 0; i < ROLES; i++) {
        if (broker->kube->only_checks || i != 1) {
            write_user(broker, roles[i].suffix, roles[i].secret, NULL);
        }
    }
    write_user(broker, "keda", "keda", "management");
}

static void write_permissions(struct broker *broker)
{
    json_object *rows = member_of(broker->definitions, "permissions");
    for (size_t i = 0; i < member_count(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        const char *user = member_text(row, "user");
        const struct role *role = role_of(broker, user);
        bool is_broad = strcmp(user, "warren-deploy") == 0;
        if (role) {
            write_head(broker, "Permission", role->suffix);
            write_vhost(broker, role->suffix);
            fputs("  permissions:\n", broker->out);
            write_translated(broker, "configure", member_text(row, "configure"), is_broad);
            write_translated(broker, "write", member_text(row, "write"), is_broad);
            write_translated(broker, "read", member_text(row, "read"), is_broad);
        }
    }
    write_head(broker, "Permission", "keda");
    write_vhost(broker, "keda");
    fputs("  permissions:\n    configure: \"^$\"\n    write: \"^$\"\n    read: \"^$\"\n",
          broker->out);
}

/* The levels of the ladder that there are: up to the first that is longer than delay.max. */
static bool is_level_there(const struct broker *broker, const char *exchange)
{
    static const char prefix[] = "warren.delay.";
    int64_t most_ms = member_duration(member_of(broker->kube->plan->root, "delay"), "max");
    bool is_level = strncmp(exchange, prefix, strlen(prefix)) == 0;
    return !is_level || strtoll(exchange + strlen(prefix), NULL, 10) <= most_ms;
}

static void write_topic_permissions(struct broker *broker)
{
    json_object *rows = member_of(broker->definitions, "topic_permissions");
    for (size_t i = 0; i < member_count(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        const char *exchange = member_text(row, "exchange");
        const char *user =
            strcmp(member_text(row, "user"), "warren-worker") == 0 ? "worker" : "publisher";
        char name[128];
        (void)snprintf(name, sizeof name, "%s-%s", user, exchange + strlen(ANY_NS) + 1);
        for (char *at = name; *at; at++) {
            *at = *at == '.' ? '-' : *at;
        }
        if (is_level_there(broker, exchange)) {
            write_head(broker, "TopicPermission", name);
            write_vhost(broker, user);
            fputs("  permissions:\n", broker->out);
            write_translated(broker, "exchange", exchange, false);
            write_translated(broker, "write", member_text(row, "write"), false);
            write_translated(broker, "read", member_text(row, "read"), false);
        }
    }
}

/* The spec of both shield policies. */
static void write_shield(struct broker *broker)
{
    json_object *row = json_object_array_get_idx(member_of(broker->definitions, "policies"), 0);
    json_object *definition = member_of(row, "definition");
    char *pattern = translate(broker, member_text(row, "pattern"), false);
    fputs("rabbitmqClusterReference:\n  name: @{cluster}\nvhost: ", broker->out);
    yaml_string(broker->out, broker->kube->vhost);
    fprintf(broker->out, "\nname: %s-shield\npattern: ", broker->wish->name);
    yaml_string(broker->out, pattern ? pattern : "^$");
    fprintf(broker->out, "\napplyTo: queues\npriority: %" PRId64 "\ndefinition:\n",
            member_number(row, "priority"));
    fprintf(broker->out, "  delivery-limit: %" PRId64 "\n",
            member_number(definition, "delivery-limit"));
    free(pattern);
}

/* Empty for the one that is there anyway. */
static void vhost_token(struct tokens *tokens, const struct kube *kube)
{
    struct writer writer;
    bool is_open = writer_open(&writer);
    if (is_open && strcmp(kube->vhost, "/") != 0) {
        yaml_string(writer.out, kube->vhost);
    }
    token_take(tokens, "other_vhost", is_open ? writer_take(&writer) : NULL);
}

/* The text of a place, whose own place for the cluster is filled already. */
static void rights_token(struct tokens *tokens, const char *name, struct broker *broker,
                         void (*write)(struct broker *broker))
{
    struct writer raw;
    struct writer filled;
    bool is_open = writer_open(&raw);
    broker->is_next = false;
    broker->out = raw.out;
    if (is_open) {
        write(broker);
    }
    char *text = is_open ? writer_take(&raw) : NULL;
    is_open = text && writer_open(&filled);
    tokens->failed |= is_open && !template_fill(filled.out, text, tokens);
    token_take(tokens, name, is_open ? writer_take(&filled) : NULL);
    free(text);
}

void broker_tokens(struct tokens *tokens, const struct kube *kube, const struct kube_wish *wish)
{
    struct broker broker = { .kube = kube, .wish = wish };
    const char *text = built_in_text("definitions.json");
    broker.definitions = text ? json_tokener_parse(text) : NULL;
    if (!broker.definitions) {
        tokens->failed = true;
        return;
    }
    settings_tokens(tokens);
    vhost_token(tokens, kube);
    rights_token(tokens, "users", &broker, write_users);
    rights_token(tokens, "permissions", &broker, write_permissions);
    rights_token(tokens, "topic_permissions", &broker, write_topic_permissions);
    rights_token(tokens, "shield", &broker, write_shield);
    (void)json_object_put(broker.definitions);
}
