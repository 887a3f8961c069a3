// SPDX-License-Identifier: MIT
// DESIGN: a thread that accepts until its socket is shut down. It reads to the end before it hangs
// up: a close with bytes unread is a reset, which can overtake the alert that a test waits for.
#include "tls_peer.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WAIT_S = 10 };

struct tls_peer {
    SSL_CTX *context;
    int listener;
    pthread_t thread;
    int talks; /* of the thread, until it has ended */
    struct tls_talk first;
};

static void need(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "tls_peer: %s\n", what);
        exit(1);
    }
}

static void note_names(SSL *ssl, struct tls_talk *talk)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)snprintf(talk->server_name, sizeof talk->server_name, "%s", name ? name : "");
    X509 *client = SSL_get1_peer_certificate(ssl);
    if (client) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, talk->client,
                                        sizeof talk->client);
    }
    X509_free(client);
}

static void hang_up(int fd)
{
    char rest[256];
    (void)shutdown(fd, SHUT_WR);
    while (read(fd, rest, sizeof rest) > 0) {
        continue;
    }
    (void)close(fd);
}

static void talk_with(struct tls_peer *peer, int fd)
{
    struct tls_talk talk = { 0 };
    struct timeval most = { .tv_sec = WAIT_S };
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    SSL *ssl = SSL_new(peer->context);
    char hello[8] = "";
    if (ssl && SSL_set_fd(ssl, fd) == 1) {
        talk.is_accepted = SSL_accept(ssl) == 1;
        talk.has_hello = talk.is_accepted && SSL_read(ssl, hello, sizeof hello) == sizeof hello &&
                         memcmp(hello, "AMQP", 4) == 0;
        note_names(ssl, &talk);
    }
    if (peer->talks++ == 0) {
        peer->first = talk;
    }
    hang_up(fd);
    SSL_free(ssl);
}

static void *listen_on(void *user)
{
    struct tls_peer *peer = user;
    sigset_t broken_pipe;
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    int fd;
    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        talk_with(peer, fd);
    }
    return NULL;
}

static SSL_CTX *make_context(const struct tls_peer_wish *wish)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    need(context != NULL, "no context");
    /* So that it can be as old as a test wants it. */
    SSL_CTX_set_security_level(context, 0);
    (void)SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(context, wish->version_most);
    need(SSL_CTX_use_certificate(context, wish->own->x509) == 1 &&
             SSL_CTX_use_PrivateKey(context, wish->own->key) == 1,
         "its certificate is not taken");
    if (wish->client_ca) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        need(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), wish->client_ca->x509) == 1,
             "the clients' CA is not taken");
    }
    return context;
}

struct tls_peer *tls_peer_start(const struct tls_peer_wish *wish)
{
    struct tls_peer *peer = calloc(1, sizeof *peer);
    need(peer != NULL, "no memory");
    peer->context = make_context(wish);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    need(peer->listener >= 0 && bind(peer->listener, (struct sockaddr *)&here, sizeof here) == 0 &&
             listen(peer->listener, 8) == 0,
         "it can't listen");
    need(pthread_create(&peer->thread, NULL, listen_on, peer) == 0, "no thread");
    return peer;
}

int tls_peer_port(const struct tls_peer *peer)
{
    struct sockaddr_in here = { 0 };
    socklen_t size = sizeof here;
    need(getsockname(peer->listener, (struct sockaddr *)&here, &size) == 0, "it has no port");
    return ntohs(here.sin_port);
}

struct tls_talk tls_peer_stop(struct tls_peer *peer)
{
    (void)shutdown(peer->listener, SHUT_RDWR);
    (void)pthread_join(peer->thread, NULL);
    (void)close(peer->listener);
    SSL_CTX_free(peer->context);
    struct tls_talk first = peer->first;
    free(peer);
    return first;
}
