// SPDX-License-Identifier: MIT
// DESIGN: from settings to a connection. The URL, the overrides and the secret files become a plan,
// made anew for each connect so that a changed password file counts; then each host is tried once,
// in random order, so that many workers spread over a cluster. When all fail, the most useful error
// is told: a refusal says more than a host that is down. The plan's secrets are wiped at the end;
// what rabbitmq-c keeps in its own buffers is overwritten by the next frames.
#include "io/broker_amqp_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"
#include "io/secret.h"

/* Where a secret goes. */
struct room {
    char *data;
    size_t size;
};

/* The first that is there: the file, the setting, the URL, "guest". */
static warren_status choose(const char *what, const char *file, const char *const candidates[2],
                            struct room out, warren_error *err)
{
    if (file) {
        return wr_secret_read(file, out.data, out.size, err);
    }
    const char *value = candidates[0] ? candidates[0] : candidates[1] ? candidates[1] : "guest";
    if (strlen(value) >= out.size) {
        return wr_fail(err, WARREN_CONFIG, "the broker's %s is longer than %zu bytes", what,
                       out.size - 1);
    }
    memcpy(out.data, value, strlen(value) + 1);
    return WARREN_OK;
}

static warren_status read_credentials(struct wr_amqp_plan *plan, warren_error *err)
{
    const struct wr_broker_settings *settings = plan->settings;
    const char *users[2] = { settings->user, plan->uri.user };
    const char *passwords[2] = { settings->password, plan->uri.password };
    warren_status status = choose("user name", settings->user_file, users,
                                  (struct room){ plan->user, sizeof plan->user }, err);
    if (status) {
        return status;
    }
    return choose("password", settings->password_file, passwords,
                  (struct room){ plan->password, sizeof plan->password }, err);
}

static const char *either(const char *first, const char *second)
{
    return first ? first : second;
}

static void read_options(struct wr_amqp_plan *plan, const struct wr_broker_options *options)
{
    const struct wr_broker_settings *settings = plan->settings;
    const struct wr_uri *uri = &plan->uri;
    plan->name = either(either(options->name, settings->connection_name), "warren");
    plan->heartbeat_ms = uri->heartbeat_ms >= 0 ? uri->heartbeat_ms : settings->heartbeat_ms;
    plan->connect_timeout_ms =
        uri->connect_timeout_ms > 0 ? uri->connect_timeout_ms : settings->connect_timeout_ms;
    if (options->connect_most_ms && plan->connect_timeout_ms > options->connect_most_ms) {
        plan->connect_timeout_ms = options->connect_most_ms;
    }
    plan->verify = uri->verify >= 0 ? uri->verify == 1 : settings->tls.verify;
    plan->ca_file = either(uri->ca_file, settings->tls.ca_file);
    plan->cert_file = either(uri->cert_file, settings->tls.cert_file);
    plan->key_file = either(uri->key_file, settings->tls.key_file);
    plan->server_name = either(uri->server_name, settings->tls.server_name);
}

/* A password without TLS stays on the machine, unless someone said that it may leave. */
static warren_status check_plaintext(const struct wr_amqp_plan *plan, warren_error *err)
{
    if (plan->uri.is_tls || plan->settings->allow_plaintext) {
        return WARREN_OK;
    }
    for (size_t i = 0; i < plan->uri.host_count; i++) {
        const char *host = plan->uri.hosts[i].name;
        if (!wr_uri_is_loopback(host)) {
            return wr_fail(
                err, WARREN_REFUSED,
                "not connecting to %s: the password would cross the network unencrypted. "
                "Use amqps://, or set broker.allow_plaintext = true if that network is "
                "yours",
                host);
        }
    }
    return WARREN_OK;
}

static void shuffle(struct wr_uri_host *hosts, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        unsigned char dice = 0; /* at most 16 hosts: the bias is nothing */
        (void)!getrandom(&dice, sizeof dice, 0);
        size_t j = dice % i;
        struct wr_uri_host other = hosts[j];
        hosts[j] = hosts[i - 1];
        hosts[i - 1] = other;
    }
}

static warren_status open_socket(struct wr_amqp *amqp, struct wr_amqp_plan *plan,
                                 const struct wr_uri_host *host, warren_error *err)
{
    plan->stage = WR_STAGE_DIAL;
    if (plan->uri.is_tls) {
        return wr_amqp_tls_open(amqp, plan, host, err);
    }
    amqp_socket_t *socket = amqp_tcp_socket_new(amqp->connection);
    if (!socket) {
        return wr_no_memory(err);
    }
    int fd = -1;
    warren_status status = wr_amqp_dial(host, plan->connect_timeout_ms, amqp, &fd, err);
    if (!status) {
        amqp_tcp_socket_set_sockfd(socket, fd);
    }
    return status;
}

static void forget_socket(struct wr_amqp *amqp)
{
    if (amqp->watch) {
        wr_watch_clear(amqp->watch);
    }
    (void)amqp_destroy_connection(amqp->connection);
    amqp->connection = NULL;
    if (amqp->fd >= 0) {
        (void)close(amqp->fd);
        amqp->fd = -1;
    }
}

/* A descriptor of our own for the same socket: the library closes its own at will, and a cut must
 * never meet a stranger under the same number. */
static warren_status keep_socket(struct wr_amqp *amqp, const struct wr_amqp_plan *plan,
                                 warren_error *err)
{
    amqp->fd = fcntl(amqp_get_sockfd(amqp->connection), F_DUPFD_CLOEXEC, 0);
    if (amqp->fd < 0) {
        return wr_fail(err, WARREN_FAILED, "no descriptor for the connection: %m");
    }
    wr_amqp_tune_socket(amqp->fd, plan->heartbeat_ms * WR_US_PER_MS);
    if (amqp->watch) {
        wr_watch_set(amqp->watch, wr_amqp_cut_off, amqp);
    }
    return WARREN_OK;
}

/* A connect (with TLS perhaps two) and a login end by themselves, each after its time: the watch is
 * for what hangs beyond. */
static void allow_time(struct wr_amqp *amqp, const struct wr_amqp_plan *plan)
{
    if (amqp->watch) {
        wr_watch_begin(amqp->watch, 2 * plan->connect_timeout_ms * WR_US_PER_MS + amqp->stuck_us);
    }
}

static warren_status try_host(struct wr_amqp *amqp, struct wr_amqp_plan *plan,
                              const struct wr_uri_host *host, warren_error *err)
{
    allow_time(amqp, plan);
    amqp->connection = amqp_new_connection();
    if (!amqp->connection) {
        return wr_no_memory(err);
    }
    warren_status status = open_socket(amqp, plan, host, err);
    status = status ? status : keep_socket(amqp, plan, err);
    allow_time(amqp, plan);
    status = status ? status : wr_amqp_login(amqp, plan, host, err);
    plan->stage = status ? plan->stage : WR_STAGE_OPEN;
    if (status) {
        forget_socket(amqp);
    }
    return status;
}

static warren_status try_hosts(struct wr_amqp *amqp, struct wr_amqp_plan *plan, warren_error *err)
{
    shuffle(plan->uri.hosts, plan->uri.host_count);
    warren_error best = { 0 };
    enum wr_stage best_stage = WR_STAGE_PREPARE;
    for (size_t i = 0; i < plan->uri.host_count && !atomic_load(&amqp->is_cut); i++) {
        warren_error error = { 0 };
        if (try_host(amqp, plan, &plan->uri.hosts[i], &error) == WARREN_OK) {
            return WARREN_OK;
        }
        bool is_better = best.status == WARREN_UNREACHABLE && error.status != WARREN_UNREACHABLE;
        if (best.status == WARREN_OK || is_better) {
            best = error;
            best_stage = plan->stage;
        }
    }
    plan->stage = best_stage;
    if (plan->uri.host_count == 1) {
        return wr_fail(err, best.status, "%s", best.text);
    }
    return wr_fail(err, best.status, "none of the %zu hosts of broker.url works; one of them: %s",
                   plan->uri.host_count, best.text);
}

static warren_status make_and_try(struct wr_amqp *amqp, struct wr_amqp_plan *plan,
                                  const struct wr_broker_options *options, warren_error *err)
{
    read_options(plan, options);
    amqp->is_tls = plan->uri.is_tls;
    warren_status status = read_credentials(plan, err);
    status = status ? status : check_plaintext(plan, err);
    return status ? status : try_hosts(amqp, plan, err);
}

warren_status wr_amqp_connect(struct wr_amqp *amqp, const struct wr_broker_options *options,
                              warren_error *err)
{
    struct wr_amqp_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        return wr_no_memory(err);
    }
    plan->settings = options->settings;
    warren_status status = wr_uri_read(&plan->uri, options->settings->url, err);
    if (!status) {
        status = make_and_try(amqp, plan, options, err);
        if (options->stage) {
            *options->stage = plan->stage;
        }
        wr_uri_done(&plan->uri);
    }
    explicit_bzero(plan, sizeof *plan);
    free(plan);
    return status;
}
