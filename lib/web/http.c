// SPDX-License-Identifier: MIT
// DESIGN: libmicrohttpd, with one polling thread and limits on all that a stranger may send: open
// connections, silence, and bytes of headers (its memory a connection). Nobody has to send a body, and
// who does is cut off. Nothing here can wait for the broker or for a handler: the answer is made of
// what the worker's parts say of themselves.
#include "web/http.h"

#include "base/error.h"

#ifdef WARREN_HTTP

#include <microhttpd.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECTION_BYTES = 16384, STACK_BYTES = 256 << 10, MS_PER_S = 1000 };

struct wr_http {
    struct wr_http_options options;
    struct MHD_Daemon *daemon;
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

/* The process's signals are not for its thread. */
static struct MHD_Daemon *start_daemon(struct wr_http *http, unsigned flags,
                                       const struct sockaddr *address)
{
    const struct wr_http_options *options = &http->options;
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, options->listen.port, NULL, NULL, take_request, http, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((options->timeout_ms + MS_PER_S - 1) / MS_PER_S),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)STACK_BYTES, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static void note_address(struct wr_http *http)
{
    const struct wr_listen *listen = &http->options.listen;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    (void)snprintf(http->address, sizeof http->address, listen->is_v6 ? "[%s]:%d" : "%s:%d",
                   listen->address, info ? info->port : listen->port);
}

warren_status wr_http_start(struct wr_http **out, const struct wr_http_options *options,
                            warren_error *err)
{
    struct wr_http *http = calloc(1, sizeof *http);
    struct sockaddr_storage address = { 0 };
    if (!http) {
        return wr_no_memory(err);
    }
    http->options = *options;
    fill_address(&options->listen, &address);
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD;
    bool is_any = options->listen.is_v6 && strcmp(options->listen.address, "::") == 0;
    flags |= is_any ? MHD_USE_DUAL_STACK : options->listen.is_v6 ? MHD_USE_IPv6 : 0U;
    http->daemon = start_daemon(http, flags, (const struct sockaddr *)&address);
    if (!http->daemon) {
        free(http);
        return wr_fail(err, WARREN_FAILED,
                       "http.listen: can't listen on %s port %d: is another process there, and is "
                       "the address one of this machine's? Say another, or port 0 for any free one",
                       options->listen.address, options->listen.port);
    }
    note_address(http);
    *out = http;
    return WARREN_OK;
}

const char *wr_http_address(const struct wr_http *http)
{
    return http->address;
}

void wr_http_stop(struct wr_http *http)
{
    if (http) {
        MHD_stop_daemon(http->daemon);
        free(http);
    }
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
