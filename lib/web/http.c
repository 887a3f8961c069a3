// SPDX-License-Identifier: MIT
// DESIGN: libmicrohttpd, driven by one thread of ours, with limits on all that a stranger may send: open
// connections, silence, bytes of headers (its memory a connection), and the time of a request. The library
// knows no such time: who sends a byte a second would keep a connection for good, and a few of those keep
// the probes out. So each request is dated, and what is too old has its socket shut down. Nobody has to
// send a body, and who does is cut off. Nothing here can wait for the broker or for a handler: the answer
// is made of what the worker's parts say of themselves.
#include "web/http.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"

#ifdef WARREN_HTTP

#include <microhttpd.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTION_BYTES = 16384, STACK_BYTES = 256 << 10, MS_PER_S = 1000, SWEEP_EVERY_MS = 500 };

/* Somebody who is connected. */
struct visitor {
    int fd;           /* -1: nobody */
    int64_t since_us; /* when the request that is under way could have begun */
};

struct wr_http {
    struct wr_http_options options;
    struct MHD_Daemon *daemon;
    struct wr_thread thread;
    int end_fd;               /* readable: the thread ends */
    struct visitor *visitors; /* as many as may be connected */
    bool had_visitors;        /* in the last round */
    char address[80];
};

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct wr_http_reply *reply)
{
    size_t size = reply->body.size;
    char *body = reply->body.failed ? NULL : wr_text_take(&reply->body);
    if (!body) {
        wr_text_done(&reply->body);
        return MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", reply->content_type);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called with the headers, with each part of a body, and at the end. What isn't answered at the headers
 * would have its body read. */
static enum MHD_Result take_request(void *user, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *part,
                                    size_t *part_size, void **seen)
{
    const struct wr_http *http = user;
    (void)version;
    (void)part;
    bool is_look = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (is_look && !*seen) {
        *seen = user;
        return MHD_YES;
    }
    if (*part_size) {
        return MHD_NO;
    }
    struct wr_http_reply reply = { .status = MHD_HTTP_NOT_FOUND, .content_type = "text/plain" };
    if (is_look) {
        const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
        http->options.answer(http->options.user, path, accept ? accept : "", &reply);
    } else {
        reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        wr_text_add_string(&reply.body, "only GET and HEAD\n");
    }
    return send_reply(connection, &reply);
}

bool wr_http_is_there(void)
{
    return true;
}

/* --- visitors --- */

static struct visitor *find_seat(struct wr_http *http)
{
    for (int i = 0; i < http->options.connections; i++) {
        if (http->visitors[i].fd < 0) {
            return &http->visitors[i];
        }
    }
    return NULL;
}

/* Called when somebody comes, and when the connection ends. */
static void note_visitor(void *user, struct MHD_Connection *connection, void **seat,
                         enum MHD_ConnectionNotificationCode code)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct visitor *visitor = code == MHD_CONNECTION_NOTIFY_STARTED ? find_seat(user) : *seat;
    if (visitor) {
        bool comes = code == MHD_CONNECTION_NOTIFY_STARTED && info;
        visitor->fd = comes ? info->connect_fd : -1;
        visitor->since_us = wr_clock_mono_us(NULL);
    }
    *seat = visitor;
}

/* A request is answered: the next one on its connection has its own time. */
static void note_answered(void *user, struct MHD_Connection *connection, void **seen,
                          enum MHD_RequestTerminationCode code)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    (void)user;
    (void)seen;
    (void)code;
    if (info && info->socket_context) {
        struct visitor *visitor = info->socket_context;
        visitor->since_us = wr_clock_mono_us(NULL);
    }
}

/* Ends requests that take twice as long as silence may. */
static void sweep(struct wr_http *http)
{
    int64_t oldest_us = wr_clock_mono_us(NULL) - 2 * http->options.timeout_ms * WR_US_PER_MS;
    for (int i = 0; i < http->options.connections; i++) {
        const struct visitor *visitor = &http->visitors[i];
        if (visitor->fd >= 0 && visitor->since_us < oldest_us) {
            (void)shutdown(visitor->fd, SHUT_RDWR);
        }
    }
}

/* --- the thread --- */

/* How long it may sleep: for ever once nobody is connected. One more round comes before that: in it the
 * library listens again, if it had as many connections as it may. */
static int patience_ms(struct wr_http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms = SWEEP_EVERY_MS;
    bool has_visitors = MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES;
    int most_ms = timeout_ms < SWEEP_EVERY_MS ? (int)timeout_ms : SWEEP_EVERY_MS;
    bool may_rest = !has_visitors && !http->had_visitors;
    http->had_visitors = has_visitors;
    return may_rest ? -1 : has_visitors ? most_ms : 0;
}

static void *serve(void *user)
{
    struct wr_http *http = user;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd polled[] = { { .fd = info->epoll_fd, .events = POLLIN },
                               { .fd = http->end_fd, .events = POLLIN } };
    while (!polled[1].revents) {
        (void)poll(polled, 2, patience_ms(http));
        (void)MHD_run(http->daemon);
        sweep(http);
    }
    return NULL;
}

/* --- its life --- */

static void fill_address(const struct wr_listen *listen, struct sockaddr_storage *out)
{
    if (listen->is_v6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(listen->port);
        (void)inet_pton(AF_INET6, listen->address, &v6->sin6_addr);
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(listen->port);
        (void)inet_pton(AF_INET, listen->address, &v4->sin_addr);
    }
}

static struct MHD_Daemon *start_daemon(struct wr_http *http, unsigned flags,
                                       const struct sockaddr *address)
{
    const struct wr_http_options *options = &http->options;
    return MHD_start_daemon(
        flags, options->listen.port, NULL, NULL, take_request, http, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((options->timeout_ms + MS_PER_S - 1) / MS_PER_S),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
        note_visitor, http, MHD_OPTION_NOTIFY_COMPLETED, note_answered, http, MHD_OPTION_END);
}

static void note_address(struct wr_http *http)
{
    const struct wr_listen *listen = &http->options.listen;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    (void)snprintf(http->address, sizeof http->address, listen->is_v6 ? "[%s]:%d" : "%s:%d",
                   listen->address, info ? info->port : listen->port);
}

static struct wr_http *new_http(const struct wr_http_options *options)
{
    struct wr_http *http = calloc(1, sizeof *http);
    if (!http) {
        return NULL;
    }
    http->options = *options;
    http->end_fd = eventfd(0, EFD_CLOEXEC);
    http->visitors = calloc((size_t)options->connections, sizeof *http->visitors);
    if (http->end_fd < 0 || !http->visitors) {
        wr_http_stop(http);
        return NULL;
    }
    for (int i = 0; i < options->connections; i++) {
        http->visitors[i].fd = -1;
    }
    return http;
}

warren_status wr_http_start(struct wr_http **out, const struct wr_http_options *options,
                            warren_error *err)
{
    struct wr_http *http = new_http(options);
    struct sockaddr_storage address = { 0 };
    if (!http) {
        return wr_no_memory(err);
    }
    fill_address(&options->listen, &address);
    unsigned flags = MHD_USE_EPOLL;
    bool is_any = options->listen.is_v6 && strcmp(options->listen.address, "::") == 0;
    flags |= is_any ? MHD_USE_DUAL_STACK : options->listen.is_v6 ? MHD_USE_IPv6 : 0U;
    http->daemon = start_daemon(http, flags, (const struct sockaddr *)&address);
    if (!http->daemon) {
        wr_http_stop(http);
        return wr_fail(err, WARREN_FAILED,
                       "http.listen: can't listen on %s port %d: is another process there, and is "
                       "the address one of this machine's? Say another, or port 0 for any free one",
                       options->listen.address, options->listen.port);
    }
    note_address(http);
    warren_status rc = wr_thread_start(&http->thread, "warren-http", STACK_BYTES, serve, http, err);
    if (rc) {
        wr_http_stop(http);
        return rc;
    }
    *out = http;
    return WARREN_OK;
}

const char *wr_http_address(const struct wr_http *http)
{
    return http->address;
}

void wr_http_stop(struct wr_http *http)
{
    if (!http) {
        return;
    }
    if (http->thread.started) {
        (void)eventfd_write(http->end_fd, 1);
        wr_thread_join(&http->thread);
    }
    if (http->daemon) {
        MHD_stop_daemon(http->daemon);
    }
    (void)close(http->end_fd);
    free(http->visitors);
    free(http);
}

#else

bool wr_http_is_there(void)
{
    return false;
}

warren_status wr_http_start(struct wr_http **out, const struct wr_http_options *options,
                            warren_error *err)
{
    (void)out;
    (void)options;
    return wr_fail(err, WARREN_FAILED,
                   "http.listen: this build has no HTTP (WARREN_HTTP=OFF): say \"none\"");
}

const char *wr_http_address(const struct wr_http *http)
{
    (void)http;
    return "";
}

void wr_http_stop(struct wr_http *http)
{
    (void)http;
}

#endif
