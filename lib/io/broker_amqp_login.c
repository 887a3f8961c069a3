// SPDX-License-Identifier: MIT
// DESIGN: the hello, and each way in which it fails as a sentence that says what to do next. What
// the client can do is announced in full: without it the broker would not tell that a consumer's
// queue is gone or that it is out of memory. The broker's own words are used to tell its refusals
// apart, since their codes are shared; they hold no secret.
#include "io/broker_amqp_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

struct refusal {
    struct wr_amqp_plan *plan;
    const struct wr_uri_host *host;
    char where[300];
    int code;
    char words[256];
};

static amqp_table_entry_t yes(const char *key)
{
    amqp_table_entry_t entry = { .key = wr_amqp_string(key) };
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

static amqp_table_entry_t text(const char *key, const char *value)
{
    amqp_table_entry_t entry = { .key = wr_amqp_string(key) };
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = wr_amqp_string(value);
    return entry;
}

static amqp_rpc_reply_t send_login(amqp_connection_state_t connection,
                                   const struct wr_amqp_plan *plan)
{
    amqp_table_entry_t can[] = {
        yes("consumer_cancel_notify"),
        yes("connection.blocked"),
        yes("basic.nack"),
        yes("publisher_confirms"),
        yes("exchange_exchange_bindings"),
        yes("authentication_failure_close"),
    };
    amqp_table_entry_t about[] = {
        text("product", "Warren"),
        text("version", WARREN_VERSION),
        text("platform", "C, rabbitmq-c"),
        text("connection_name", plan->name),
        { .key = wr_amqp_string("capabilities") },
    };
    amqp_table_entry_t *capabilities = &about[sizeof about / sizeof about[0] - 1];
    capabilities->value.kind = AMQP_FIELD_KIND_TABLE;
    capabilities->value.value.table = (amqp_table_t){ sizeof can / sizeof can[0], can };
    amqp_table_t properties = { sizeof about / sizeof about[0], about };
    int heartbeat_s = (int)((plan->heartbeat_ms + 999) / 1000);
    if (plan->settings->login_external) {
        /* The broker takes the user from the certificate; the library wants some name. */
        return amqp_login_with_properties(connection, plan->uri.vhost, WR_CHANNELS_MOST,
                                          WR_FRAME_BYTES, heartbeat_s, &properties,
                                          AMQP_SASL_METHOD_EXTERNAL, plan->user);
    }
    return amqp_login_with_properties(connection, plan->uri.vhost, WR_CHANNELS_MOST, WR_FRAME_BYTES,
                                      heartbeat_s, &properties, AMQP_SASL_METHOD_PLAIN, plan->user,
                                      plan->password);
}

/* --- failures --- */

static warren_status explain_login(const struct refusal *refusal, warren_error *err)
{
    return wr_fail(err, WARREN_REFUSED,
                   "RabbitMQ at %s refuses the login by certificate: it has no user with the name "
                   "that stands in %s. Make one without a password (rabbitmqctl add_user, then "
                   "clear_password), or set broker.login = \"plain\"",
                   refusal->where, refusal->plan->cert_file ? refusal->plan->cert_file : "it");
}

/* Whom the broker refused: "… refused for user 'joe'". By certificate it alone knows the name. */
static void read_user(const struct refusal *refusal, char *out, size_t size)
{
    const char *from = strstr(refusal->words, "refused for user '");
    const char *name = from ? from + strlen("refused for user '") : refusal->plan->user;
    (void)snprintf(out, size, "%.*s", from ? (int)strcspn(name, "'") : (int)strlen(name), name);
}

static warren_status explain_password(const struct refusal *refusal, warren_error *err)
{
    bool is_far_guest =
        strcmp(refusal->plan->user, "guest") == 0 && !wr_uri_is_loopback(refusal->host->name);
    return wr_fail(err, WARREN_REFUSED,
                   "RabbitMQ at %s refuses the login of user '%s': %s. Check the user and password "
                   "in broker.url, or broker.user and broker.password",
                   refusal->where, refusal->plan->user,
                   is_far_guest ? "the user guest may log in from the broker's own machine only"
                                : "wrong user name or password");
}

static warren_status explain_vhost(const struct refusal *refusal, warren_error *err)
{
    refusal->plan->stage = WR_STAGE_VHOST;
    const char *vhost = refusal->plan->uri.vhost;
    char user[256];
    read_user(refusal, user, sizeof user);
    if (strstr(refusal->words, "limit")) {
        return wr_fail(err, WARREN_UNREACHABLE, "RabbitMQ at %s takes no more connections: %s",
                       refusal->where, refusal->words);
    }
    if (strstr(refusal->words, "refused for user")) {
        return wr_fail(err, WARREN_REFUSED,
                       "RabbitMQ at %s: user '%s' has no access to the vhost '%s'. Give it some: "
                       "rabbitmqctl set_permissions -p '%s' '%s' …",
                       refusal->where, user, vhost, vhost, user);
    }
    if (strstr(refusal->words, "not found") && !*vhost) {
        return wr_fail(err, WARREN_REFUSED,
                       "RabbitMQ at %s has no vhost without a name. broker.url ends with a slash: "
                       "leave it away, or write %%2F after it, to mean the vhost /",
                       refusal->where);
    }
    if (strstr(refusal->words, "not found")) {
        return wr_fail(err, WARREN_REFUSED,
                       "RabbitMQ at %s has no vhost '%s'. Check the end of broker.url, or make it: "
                       "rabbitmqctl add_vhost '%s'",
                       refusal->where, vhost, vhost);
    }
    return wr_fail(err, WARREN_REFUSED, "RabbitMQ at %s refuses the vhost '%s': %s", refusal->where,
                   vhost, refusal->words);
}

static warren_status explain_refusal(const struct refusal *refusal, warren_error *err)
{
    switch (refusal->code) {
    case AMQP_ACCESS_REFUSED:
        return refusal->plan->settings->login_external ? explain_login(refusal, err)
                                                       : explain_password(refusal, err);
    case AMQP_NOT_ALLOWED:
    case AMQP_INVALID_PATH:
        return explain_vhost(refusal, err);
    default:
        return wr_fail(err, WARREN_UNREACHABLE,
                       "RabbitMQ at %s ended the login: %s (code %d). It may be starting or "
                       "stopping",
                       refusal->where, refusal->words, refusal->code);
    }
}

static warren_status explain_tls(const struct refusal *refusal, warren_error *err)
{
    char reason[128];
    refusal->plan->stage = WR_STAGE_TLS;
    wr_amqp_tls_reason(reason, sizeof reason);
    if (strstr(reason, "alert")) {
        return wr_amqp_tls_refused(refusal->plan, refusal->where, reason, err);
    }
    /* The alert may be lost on the way, when the broker hangs up before it has read all. */
    return wr_fail(err, WARREN_UNREACHABLE,
                   "TLS: %s closed the connection during the login%s%s. It may be starting or "
                   "stopping, or %s",
                   refusal->where, *reason ? ": " : "", reason,
                   refusal->plan->cert_file
                       ? "not take our certificate"
                       : "want a client certificate (broker.tls.cert_file and key_file)");
}

/* The library gave up: nothing came from the broker that says why. */
static warren_status explain_library(int status, const struct refusal *refusal, bool is_tls,
                                     warren_error *err)
{
    switch (status) {
    case AMQP_STATUS_TIMEOUT:
        return wr_fail(err, WARREN_UNREACHABLE,
                       "RabbitMQ at %s takes the connection but does not answer within %lld ms",
                       refusal->where, (long long)refusal->plan->connect_timeout_ms);
    case AMQP_STATUS_SSL_ERROR:
        return explain_tls(refusal, err);
    case AMQP_STATUS_BAD_AMQP_DATA:
    case AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION:
    case AMQP_STATUS_UNKNOWN_METHOD:
    case AMQP_STATUS_UNKNOWN_CLASS:
        return wr_fail(
            err, WARREN_REFUSED,
            "what listens at %s does not speak AMQP 0-9-1. Is it another service's port%s?",
            refusal->where, is_tls ? "" : ", or one with TLS (amqps://, 5671 as a rule)");
    case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD:
        return wr_fail(err, WARREN_REFUSED,
                       refusal->plan->settings->login_external
                           ? "RabbitMQ at %s takes no login by certificate: enable its plugin "
                             "rabbitmq_auth_mechanism_ssl and add EXTERNAL to its auth_mechanisms"
                           : "RabbitMQ at %s does not take user names and passwords "
                             "(SASL PLAIN is not among its auth_mechanisms)",
                       refusal->where);
    case AMQP_STATUS_NO_MEMORY:
        return wr_no_memory(err);
    default:
        return wr_fail(err, WARREN_UNREACHABLE,
                       "RabbitMQ at %s closed the connection during the login (%s). It may be "
                       "starting or stopping%s",
                       refusal->where, amqp_error_string2(status),
                       is_tls ? "" : "; or its port is one with TLS (amqps://, 5671 as a rule)");
    }
}

static warren_status explain(const amqp_rpc_reply_t *reply, struct wr_amqp_plan *plan,
                             const struct wr_uri_host *host, warren_error *err)
{
    struct refusal refusal = { .plan = plan, .host = host };
    wr_amqp_where(refusal.where, sizeof refusal.where, host);
    bool is_close = reply->reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
                    reply->reply.id == AMQP_CONNECTION_CLOSE_METHOD;
    if (!is_close) {
        int status = reply->reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                         ? reply->library_error
                         : AMQP_STATUS_BAD_AMQP_DATA;
        return explain_library(status, &refusal, plan->uri.is_tls, err);
    }
    const amqp_connection_close_t *close = reply->reply.decoded;
    refusal.code = close->reply_code;
    (void)wr_text_show(refusal.words, sizeof refusal.words, wr_amqp_slice(close->reply_text),
                       false);
    return explain_refusal(&refusal, err);
}

/* --- what the server says of itself --- */

static void copy_property(const amqp_table_t *properties, const char *key, char *out, size_t size)
{
    for (int i = 0; i < properties->num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->entries[i];
        if (wr_slice_is(wr_amqp_slice(entry->key), key) &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8) {
            (void)snprintf(out, size, "%.*s", (int)entry->value.value.bytes.len,
                           (const char *)entry->value.value.bytes.bytes);
        }
    }
}

static void read_server(amqp_connection_state_t connection, struct wr_server *out)
{
    const amqp_table_t *properties = amqp_get_server_properties(connection);
    copy_property(properties, "product", out->product, sizeof out->product);
    copy_property(properties, "version", out->version, sizeof out->version);
    char *rest;
    out->major = (int)strtol(out->version, &rest, 10);
    out->minor = *rest == '.' ? (int)strtol(rest + 1, NULL, 10) : 0;
    out->trusts_x_death = strcmp(out->product, "RabbitMQ") == 0 && out->major < 4;
}

warren_status wr_amqp_login(struct wr_amqp *amqp, struct wr_amqp_plan *plan,
                            const struct wr_uri_host *host, warren_error *err)
{
    struct timeval timeout = { .tv_sec = plan->connect_timeout_ms / 1000,
                               .tv_usec = plan->connect_timeout_ms % 1000 * 1000 };
    plan->stage = WR_STAGE_LOGIN;
    (void)amqp_set_handshake_timeout(amqp->connection, &timeout);
    amqp_rpc_reply_t reply = send_login(amqp->connection, plan);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        return explain(&reply, plan, host, err);
    }
    read_server(amqp->connection, &amqp->broker.server);
    amqp->heartbeat_us = amqp_get_heartbeat(amqp->connection) * WR_US_PER_S;
    return WARREN_OK;
}
