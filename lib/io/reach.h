/* SPDX-License-Identifier: MIT */
/*
 * How far a host can be reached, step by step, each with a deadline of its own: its name, its port,
 * its certificate. For the doctor; a connection to a broker takes none of these ways.
 *
 * Threads: the caller's, which waits; a name is looked up on a thread that may outlive the call,
 * since the C library's lookup can't be ended.
 */
#ifndef WR_IO_REACH_H
#define WR_IO_REACH_H

#include <netdb.h>
#include <stdint.h>

#include "model/uri.h"
#include "warren/error.h"

#define WR_REACH_ADDRESSES_MOST 8

/** The addresses of a host. */
struct wr_reach {
    struct sockaddr_storage addresses[WR_REACH_ADDRESSES_MOST];
    socklen_t sizes[WR_REACH_ADDRESSES_MOST];
    size_t count; /* of those that are kept */
};

/** An address as text, without its port. `out` has INET6_ADDRSTRLEN bytes. */
const char *wr_reach_show(const struct wr_reach *reach, size_t index, char *out, size_t size);

/** Looks the name up. UNREACHABLE: no such name; TIMEOUT: no answer in time. */
warren_status wr_reach_look_up(const struct wr_uri_host *host, int64_t timeout_us,
                               struct wr_reach *out, warren_error *err);

/** Connects to the first address that answers. `*out_fd` is the caller's to close. UNREACHABLE
 * (refused), TIMEOUT. `*out_us`: how long it took. */
warren_status wr_reach_dial(const struct wr_reach *reach, int64_t timeout_us, int *out_fd,
                            int64_t *out_us, warren_error *err);

/** What a server's certificate says of itself. */
struct wr_reach_certificate {
    char subject[256];
    char issuer[256];
    int chain;     /* how many certificates the server sent */
    int days_left; /* until it, or the first of its chain, expires; negative: since then */
    char version[16];
};

/** Asks for the certificate on a connected descriptor, and judges nothing. `name`: for SNI; NULL or
 * an address: none. UNREACHABLE: no handshake. */
warren_status wr_reach_ask_certificate(int fd, const char *name, int64_t timeout_us,
                                       struct wr_reach_certificate *out, warren_error *err);

/** How much memory this process may use: its cgroup's limit, else the machine's memory; 0: could
 * not be read. `*out_whose`: "cgroup" or "machine". */
int64_t wr_reach_memory_limit(const char **out_whose);

#endif
