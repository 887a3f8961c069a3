// SPDX-License-Identifier: MIT
// DESIGN: plain TCP. rabbitmq-c could open the socket, but it forgets why it could not, and gives
// up the host's other addresses after a timeout. The name lookup is the C library's and knows no
// timeout of ours. The TLS half lets the library connect and comes here only to learn what went
// wrong.
#include "io/broker_amqp_state.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

enum { USER_TIMEOUT_LEAST_MS = 10000 };

void wr_amqp_where(char *out, size_t size, const struct wr_uri_host *host)
{
    bool is_v6 = strchr(host->name, ':') != NULL;
    (void)snprintf(out, size, is_v6 ? "[%s]:%d" : "%s:%d", host->name, host->port);
}

static void set_flag(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value); /* a wish: without it, it works too */
}

void wr_amqp_tune_socket(int fd, int64_t heartbeat_us)
{
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    int64_t timeout_ms = 2 * heartbeat_us / WR_US_PER_MS;
    if (timeout_ms < USER_TIMEOUT_LEAST_MS) {
        timeout_ms = USER_TIMEOUT_LEAST_MS;
    }
    set_flag(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)timeout_ms);
}

void wr_amqp_share_packets(int fd, bool holds_back)
{
    set_flag(fd, IPPROTO_TCP, TCP_CORK, holds_back);
}

/* Tells the watch what to cut while there is nothing but a descriptor; -1: nothing any more. */
static void point_watch(struct wr_amqp *amqp, int fd)
{
    if (amqp && amqp->watch && fd >= 0) {
        amqp->fd = fd;
        wr_watch_set(amqp->watch, wr_amqp_cut_off, amqp);
    } else if (amqp && amqp->watch) {
        wr_watch_clear(amqp->watch);
        amqp->fd = -1;
    }
}

/* Connects to one address; 0 or an errno. The watch is pointed at the descriptor only meanwhile. */
static int connect_address(const struct addrinfo *address, int64_t deadline_us,
                           struct wr_amqp *amqp, int *out_fd)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0) {
        return errno;
    }
    point_watch(amqp, fd);
    int error = connect(fd, address->ai_addr, address->ai_addrlen) ? errno : 0;
    while (error == EINPROGRESS || error == EINTR) {
        int64_t left_ms = (deadline_us - wr_clock_mono_us(NULL)) / WR_US_PER_MS;
        struct pollfd polled = { .fd = fd, .events = POLLOUT };
        int ready = poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready == 0) {
            error = ETIMEDOUT;
        } else if (ready > 0) {
            socklen_t size = sizeof error;
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        } else {
            error = errno;
        }
    }
    point_watch(amqp, -1);
    if (error) {
        (void)close(fd);
        return error;
    }
    *out_fd = fd;
    return 0;
}

static warren_status explain(int error, const struct wr_uri_host *host, int64_t timeout_ms,
                             warren_error *err)
{
    char where[300];
    wr_amqp_where(where, sizeof where, host);
    switch (error) {
    case ECONNREFUSED:
        return wr_fail(err, WARREN_UNREACHABLE,
                       "can't connect to RabbitMQ at %s: connection refused. Is the broker "
                       "running, and is this its port (5672, with TLS 5671)?",
                       where);
    case ETIMEDOUT:
        return wr_fail(err, WARREN_UNREACHABLE,
                       "can't connect to RabbitMQ at %s: no answer within %lld ms. Is the address "
                       "right, and does a firewall stand between?",
                       where, (long long)timeout_ms);
    default: {
        char buffer[128];
        return wr_fail(err, WARREN_UNREACHABLE, "can't connect to RabbitMQ at %s: %s", where,
                       strerror_r(error, buffer, sizeof buffer));
    }
    }
}

static warren_status look_up(const struct wr_uri_host *host, struct addrinfo **out,
                             warren_error *err)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%d", host->port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
    int status = getaddrinfo(host->name, port, &hints, out);
    if (status == 0) {
        return WARREN_OK;
    }
    bool is_unknown = status == EAI_NONAME;
    return wr_fail(err, WARREN_UNREACHABLE, "can't connect to RabbitMQ at %s: %s (DNS: %s)",
                   host->name,
                   is_unknown ? "no such host. Check the name in broker.url"
                              : "the name could not be looked up",
                   gai_strerror(status));
}

warren_status wr_amqp_dial(const struct wr_uri_host *host, int64_t timeout_ms, struct wr_amqp *amqp,
                           int *out_fd, warren_error *err)
{
    struct addrinfo *addresses;
    warren_status status = look_up(host, &addresses, err);
    if (status) {
        return status;
    }
    int count = 0;
    for (const struct addrinfo *at = addresses; at; at = at->ai_next) {
        count++;
    }
    int64_t share_us =
        timeout_ms * WR_US_PER_MS / (count ? count : 1); /* a dead address leaves time for others */
    int error = ETIMEDOUT;
    for (const struct addrinfo *at = addresses; at && error; at = at->ai_next) {
        error = connect_address(at, wr_clock_mono_us(NULL) + share_us, amqp, out_fd);
    }
    freeaddrinfo(addresses);
    return error ? explain(error, host, timeout_ms, err) : WARREN_OK;
}
