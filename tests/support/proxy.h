/* SPDX-License-Identifier: MIT */
/*
 * A chaos proxy: stands on a free loopback port between a client and a broker on 127.0.0.1, in a
 * thread of the test process, and does to the bytes what a bad network does.
 *
 * A connection is named by its number, in the order of acceptance from 0, for as long as the proxy
 * lives. Faults stay until proxy_pass takes them away; they hold for open and for new connections.
 * proxy_open and proxy_close own the proxy. Threads: every other call from any thread; it has
 * taken effect for all bytes that are read after it returned. Errors: what cannot be done ends the
 * process with a sentence.
 */
#ifndef TESTS_SUPPORT_PROXY_H
#define TESTS_SUPPORT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy;

enum proxy_way {
    PROXY_TO_BROKER,
    PROXY_TO_CLIENT,
    PROXY_WAYS,
};

/* Instead of a connection's number. */
enum {
    PROXY_ALL = -1,      /* every one that is open */
    PROXY_EACH_NEW = -2, /* every one that is accepted from now on (points only) */
};

/** A byte of a connection: `byte` more pass unharmed, counted from now when the connection is
 * open, from its first byte when it is yet to come. */
struct proxy_point {
    int connection;
    enum proxy_way way;
    uint64_t byte;
};

struct proxy_counts {
    size_t accepted;
    size_t open;
    size_t cuts;                  /* points of proxy_cut that were reached */
    size_t corrupted;             /* points of proxy_corrupt that were reached */
    uint64_t read[PROXY_WAYS];    /* bytes that came in */
    uint64_t written[PROXY_WAYS]; /* bytes that went out */
    uint64_t dropped[PROXY_WAYS]; /* bytes that were swallowed */
};

/** Listens, and connects each client to 127.0.0.1:port. A target that refuses is answered with a
 * reset. */
struct proxy *proxy_open(int target_port);

/** Closes all connections and the port. NULL is fine. */
void proxy_close(struct proxy *proxy);

int proxy_port(const struct proxy *proxy);

/** The port in a URL like amqp://user:password@127.0.0.1:port/vhost: what proxy_open wants. */
int proxy_port_of(const char *url);

/** That URL with the proxy's port instead. The caller frees it. */
char *proxy_url(const struct proxy *proxy, const char *url);

/** No fault any more: thaws, mends the cable, forwards, accepts, at full speed. What was swallowed stays away. */
void proxy_pass(struct proxy *proxy);

/** Each byte stays this long, each way. */
void proxy_delay(struct proxy *proxy, int delay_ms);

/** At most so many bytes a second, each way of each connection; 0: as many as there are. */
void proxy_rate(struct proxy *proxy, uint64_t bytes_per_s);

/** Neither reads nor writes nor accepts: a silent peer whose kernel still acknowledges. */
void proxy_freeze(struct proxy *proxy);
void proxy_thaw(struct proxy *proxy);

/** Like a cable that is cut: what the clients send is thrown away by the kernel before it is
 * acknowledged (a filter on the proxy's sockets that takes nothing), and nothing is sent to them.
 * New connections time out. */
void proxy_lose(struct proxy *proxy, bool is_lost);

/** Swallows what goes that way. */
void proxy_drop(struct proxy *proxy, enum proxy_way way, bool is_dropped);

/** Nobody listens: new connections get ECONNREFUSED. The port stays the proxy's. */
void proxy_refuse(struct proxy *proxy, bool is_refused);

/** Ends open connections by RST to both sides. Returns how many. */
size_t proxy_reset(struct proxy *proxy, int connection);

/** FIN to the client, as from the broker; the other way stays open. Returns how many. */
size_t proxy_half_close(struct proxy *proxy, int connection);

/** Ends the connection (FIN to both sides) when the next byte after the point arrives; what came
 * before it is delivered. */
void proxy_cut(struct proxy *proxy, struct proxy_point point);

/** Inverts the bits of `mask` in the byte at the point. */
void proxy_corrupt(struct proxy *proxy, struct proxy_point point, unsigned char mask);

struct proxy_counts proxy_counts(struct proxy *proxy);

/** Bytes of one connection that came in so far; it may be closed. 0 when there was no such. */
uint64_t proxy_read(struct proxy *proxy, int connection, enum proxy_way way);

#endif
