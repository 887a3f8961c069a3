/* SPDX-License-Identifier: MIT */
/*
 * A peer with TLS and no AMQP behind it: listens on a free loopback port, shakes hands as it was
 * told, keeps what it heard, takes the client's first words and hangs up. One conversation at a
 * time, in a thread of its own. tls_peer_start and tls_peer_stop own it. Threads: the main thread
 * calls. Errors: what cannot be done ends the process with a sentence.
 */
#ifndef TESTS_SUPPORT_TLS_PEER_H
#define TESTS_SUPPORT_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "certificates.h"

struct tls_peer;

struct tls_peer_wish {
    const struct certificate *own;
    const struct certificate *client_ca; /* clients need a certificate of this one; NULL: none */
    int version_most;                    /* such as TLS1_2_VERSION; 0: any */
};

/** What one client said. */
struct tls_talk {
    bool is_accepted;      /* the handshake was done, on this side */
    bool has_hello;        /* and AMQP's first words came */
    char server_name[256]; /* whom it wanted (SNI); "" when it named nobody */
    char client[128];      /* the common name of its certificate; "" without one */
};

struct tls_peer *tls_peer_start(const struct tls_peer_wish *wish);
int tls_peer_port(const struct tls_peer *peer);

/** Stops it once the conversation that it has is over; returns what the first client said. */
struct tls_talk tls_peer_stop(struct tls_peer *peer);

#endif
