// SPDX-License-Identifier: MIT
// DESIGN: a handshake that believes everything, to read what the server shows. Whether it is to be
// trusted is decided by the real connection (broker_amqp_tls.c); here it is only told when the
// certificate, or one of its chain, will expire.
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/reach.h"

/* From here on each read and write of the descriptor takes at most so long. */
static void limit_waits(int fd, int64_t timeout_us)
{
    struct timeval most = { .tv_sec = timeout_us / WR_US_PER_S,
                            .tv_usec = timeout_us % WR_US_PER_S };
    int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
}

static bool is_name(const char *name)
{
    unsigned char address[16];
    return name && inet_pton(AF_INET, name, address) != 1 &&
           inet_pton(AF_INET6, name, address) != 1;
}

static int days_until(const ASN1_TIME *time)
{
    int days = 0;
    int seconds = 0;
    return ASN1_TIME_diff(&days, &seconds, NULL, time) == 1 ? days : INT_MAX;
}

static bool read_certificate(SSL *ssl, struct wr_reach_certificate *out)
{
    X509 *leaf = SSL_get1_peer_certificate(ssl);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    if (!leaf) {
        return false;
    }
    *out = (struct wr_reach_certificate){ .chain = chain ? sk_X509_num(chain) : 1,
                                          .days_left = days_until(X509_get0_notAfter(leaf)) };
    (void)X509_NAME_oneline(X509_get_subject_name(leaf), out->subject, sizeof out->subject);
    (void)X509_NAME_oneline(X509_get_issuer_name(leaf), out->issuer, sizeof out->issuer);
    (void)snprintf(out->version, sizeof out->version, "%s", SSL_get_version(ssl));
    for (int i = 0; chain && i < sk_X509_num(chain); i++) {
        int days = days_until(X509_get0_notAfter(sk_X509_value(chain, i)));
        out->days_left = days < out->days_left ? days : out->days_left;
    }
    X509_free(leaf);
    return true;
}

warren_status wr_reach_ask_certificate(int fd, const char *name, int64_t timeout_us,
                                       struct wr_reach_certificate *out, warren_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context ? SSL_new(context) : NULL;
    bool is_read = false;
    limit_waits(fd, timeout_us);
    if (ssl && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        if (is_name(name)) {
            (void)SSL_set_tlsext_host_name(ssl, name);
        }
        is_read = SSL_connect(ssl) == 1 && read_certificate(ssl, out);
    }
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(context);
    return is_read ? WARREN_OK : wr_fail(err, WARREN_UNREACHABLE, "no TLS handshake");
}
