// SPDX-License-Identifier: MIT
// DESIGN: TLS through rabbitmq-c's socket, but with OpenSSL's own checks: the library's name check
// knows no addresses and falls back to the common name, it loads no trusted CAs by default in 0.11,
// and it can't ask for a least version above 1.2. So its context is set up here and its own check
// of names is turned off, since ours runs inside the handshake. What the check found wrong is
// remembered by a callback, because the library keeps only that something was; another one says
// broker.tls.server_name to the peer, where the library would say the host that it dials.
#include "io/broker_amqp_state.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* What the callbacks of a handshake need to know; kept at the context. */
struct handshake {
    const char *name;
    bool is_address; /* the name is one, and is no name to say */
    int wrong;       /* the first thing that is wrong with the certificate */
};

void wr_amqp_tls_reason(char *out, size_t size)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    (void)snprintf(out, size, "%s", reason ? reason : "");
}

static warren_status bad_file(const char *what, const char *path, warren_error *err)
{
    char reason[128];
    wr_amqp_tls_reason(reason, sizeof reason);
    ERR_clear_error();
    return wr_fail(err, WARREN_CONFIG, "TLS: can't use the %s %s: %s", what, path,
                   *reason ? reason : "unknown reason");
}

/* A private key is for its owner, or for a group that was given it. */
static warren_status check_key_file(const char *path, warren_error *err)
{
    struct stat status;
    if (stat(path, &status)) {
        return wr_fail(err, WARREN_CONFIG, "TLS: can't read the key file %s: %m", path);
    }
    if (status.st_mode & (S_IRWXO | S_IWGRP)) {
        return wr_fail(err, WARREN_CONFIG,
                       "TLS: the key file %s may be read or changed by others (mode %03o): chmod "
                       "600 it",
                       path, (unsigned)(status.st_mode & 0777));
    }
    return WARREN_OK;
}

static int no_passphrase(char *buffer, int size, int writing, void *user)
{
    (void)buffer, (void)size, (void)writing, (void)user;
    return 0; /* without this, OpenSSL asks at the terminal */
}

static warren_status load_certificate(SSL_CTX *context, const struct wr_amqp_plan *plan,
                                      warren_error *err)
{
    if (!plan->cert_file && !plan->key_file) {
        return WARREN_OK;
    }
    if (!plan->cert_file || !plan->key_file) {
        return wr_fail(err, WARREN_CONFIG,
                       "TLS: a client certificate needs both its file and its key file");
    }
    warren_status status = check_key_file(plan->key_file, err);
    if (status) {
        return status;
    }
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, plan->cert_file) != 1) {
        return bad_file("certificate file", plan->cert_file, err);
    }
    if (SSL_CTX_use_PrivateKey_file(context, plan->key_file, SSL_FILETYPE_PEM) != 1 &&
        ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH) {
        return bad_file("key file", plan->key_file, err);
    }
    /* A key of another kind than the certificate's is taken until it is asked about. */
    if (SSL_CTX_check_private_key(context) != 1) {
        ERR_clear_error();
        return wr_fail(err, WARREN_CONFIG,
                       "TLS: the key file %s is not the key of the certificate %s: name the two "
                       "that were made together",
                       plan->key_file, plan->cert_file);
    }
    return WARREN_OK;
}

/* Called for each certificate of the chain, and for the name. Keeps the first error. */
static int remember(int is_good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct handshake *handshake = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!is_good && handshake && !handshake->wrong) {
        handshake->wrong = X509_STORE_CTX_get_error(store);
    }
    return is_good;
}

/* Called before the hello is made: what it says is whom we want (SNI), if that is a name. */
static void say_name(const SSL *ssl, int where, int result)
{
    (void)result;
    const struct handshake *handshake = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if ((where & SSL_CB_HANDSHAKE_START) && handshake) {
        SSL *changed = (SSL *)(uintptr_t)ssl; /* OpenSSL's own is not const, only its callback's */
        const char *name = handshake->is_address ? NULL : handshake->name;
        (void)SSL_set_tlsext_host_name(changed, (void *)(uintptr_t)name);
    }
}

static bool is_address(const char *name)
{
    unsigned char address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool want_name(SSL_CTX *context, const struct handshake *handshake)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (handshake->is_address) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, handshake->name) == 1;
    }
    return X509_VERIFY_PARAM_set1_host(param, handshake->name, 0) == 1;
}

static warren_status set_trust(SSL_CTX *context, const struct wr_amqp_plan *plan,
                               const struct handshake *handshake, warren_error *err)
{
    if (!plan->verify) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return WARREN_OK;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, remember);
    if (plan->ca_file && SSL_CTX_load_verify_locations(context, plan->ca_file, NULL) != 1) {
        return bad_file("CA file", plan->ca_file, err);
    }
    if (!plan->ca_file && SSL_CTX_set_default_verify_paths(context) != 1) {
        return bad_file("trusted CAs of", "the system", err);
    }
    if (!want_name(context, handshake)) {
        return wr_fail(err, WARREN_CONFIG, "TLS: '%s' can't be a name in a certificate",
                       handshake->name);
    }
    return WARREN_OK;
}

static warren_status explain_certificate(int error, const struct wr_amqp_plan *plan,
                                         const char *where, const char *name, warren_error *err)
{
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return wr_fail(err, WARREN_REFUSED,
                       "TLS: the certificate of %s is not for '%s'. Connect by a name that stands "
                       "in it, or say that name in broker.tls.server_name",
                       where, name);
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return wr_fail(err, WARREN_REFUSED,
                       "TLS: the certificate of %s, or one it is signed with, has expired. Renew "
                       "it at the broker; if it is new, is the clock of this machine right?",
                       where);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return wr_fail(err, WARREN_REFUSED,
                       "TLS: the certificate of %s is not valid yet. Is the clock of this machine "
                       "right?",
                       where);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return wr_fail(
            err, WARREN_REFUSED,
            "TLS: the certificate of %s is not signed by a CA that is trusted here (%s). "
            "Name its CA in broker.tls.ca_file",
            where, plan->ca_file ? plan->ca_file : "the system's CAs");
    default:
        return wr_fail(err, WARREN_REFUSED, "TLS: the certificate of %s is refused: %s", where,
                       X509_verify_cert_error_string(error));
    }
}

warren_status wr_amqp_tls_refused(const struct wr_amqp_plan *plan, const char *where,
                                  const char *reason, warren_error *err)
{
    if (plan->cert_file) {
        return wr_fail(err, WARREN_REFUSED,
                       "TLS: %s refuses us: %s. Is our certificate %s valid, and signed by a CA "
                       "that the broker trusts?",
                       where, reason, plan->cert_file);
    }
    return wr_fail(err, WARREN_REFUSED,
                   "TLS: %s refuses us: %s. Does it ask for a client certificate "
                   "(broker.tls.cert_file and key_file)?",
                   where, reason);
}

static warren_status explain_handshake(const struct wr_amqp_plan *plan, const char *where,
                                       warren_error *err)
{
    unsigned long error = ERR_peek_last_error();
    int reason = ERR_GET_REASON(error);
    char words[128];
    wr_amqp_tls_reason(words, sizeof words);
    ERR_clear_error();
    if (reason == SSL_R_WRONG_VERSION_NUMBER) {
        return wr_fail(err, WARREN_REFUSED,
                       "TLS: what listens at %s speaks no TLS. Use amqp://, or the broker's TLS "
                       "port (5671 as a rule)",
                       where);
    }
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION) {
        return wr_fail(err, WARREN_REFUSED,
                       "TLS: %s offers nothing newer than TLS 1.1, which is not safe. Allow 1.2 or "
                       "1.3 at the broker (ssl_options.versions)",
                       where);
    }
    if (reason >= SSL_AD_REASON_OFFSET) {
        return wr_amqp_tls_refused(plan, where, words, err);
    }
    return wr_fail(err, WARREN_UNREACHABLE, "TLS: no handshake with %s: %s", where,
                   *words ? words : "the connection was closed");
}

/* The library knows only that it did not work: finds out why by connecting once more. */
static warren_status explain_connect(int library_status, const struct wr_amqp_plan *plan,
                                     const struct wr_uri_host *host, const char *where,
                                     warren_error *err)
{
    int fd = -1;
    warren_status status = wr_amqp_dial(host, plan->connect_timeout_ms, NULL, &fd, err);
    if (status) {
        return status;
    }
    (void)close(fd);
    return wr_fail(err, WARREN_UNREACHABLE, "TLS: no handshake with %s: %s", where,
                   library_status == AMQP_STATUS_TIMEOUT
                       ? "it takes connections but does not answer"
                       : amqp_error_string2(library_status));
}

static warren_status prepare(amqp_socket_t *socket, const struct wr_amqp_plan *plan,
                             struct handshake *handshake, warren_error *err)
{
    SSL_CTX *context = amqp_ssl_socket_get_context(socket);
    amqp_ssl_socket_set_verify_peer(socket, plan->verify);
    amqp_ssl_socket_set_verify_hostname(socket, 0); /* set_trust has OpenSSL do it */
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_info_callback(context, say_name);
    warren_status status = set_trust(context, plan, handshake, err);
    return status ? status : load_certificate(context, plan, err);
}

warren_status wr_amqp_tls_open(struct wr_amqp *amqp, struct wr_amqp_plan *plan,
                               const struct wr_uri_host *host, warren_error *err)
{
    amqp_socket_t *socket = amqp_ssl_socket_new(amqp->connection);
    if (!socket) {
        return wr_fail(err, WARREN_FAILED, "TLS: OpenSSL could not be set up");
    }
    struct handshake handshake = { .name = plan->server_name ? plan->server_name : host->name };
    handshake.is_address = is_address(handshake.name);
    plan->stage = WR_STAGE_TLS;
    warren_status status = prepare(socket, plan, &handshake, err);
    if (status) {
        return status;
    }
    SSL_CTX *context = amqp_ssl_socket_get_context(socket);
    SSL_CTX_set_app_data(context, &handshake);
    ERR_clear_error();
    struct timeval timeout = { .tv_sec = plan->connect_timeout_ms / 1000,
                               .tv_usec = plan->connect_timeout_ms % 1000 * 1000 };
    int opened = amqp_socket_open_noblock(socket, host->name, host->port, &timeout);
    SSL_CTX_set_app_data(context, NULL);
    if (opened == AMQP_STATUS_OK) {
        return WARREN_OK;
    }
    char where[300];
    wr_amqp_where(where, sizeof where, host);
    if (handshake.wrong) {
        ERR_clear_error();
        return explain_certificate(handshake.wrong, plan, where, handshake.name, err);
    }
    if (opened == AMQP_STATUS_SSL_CONNECTION_FAILED) {
        return explain_handshake(plan, where, err);
    }
    return explain_connect(opened, plan, host, where, err);
}
