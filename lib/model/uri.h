/* SPDX-License-Identifier: MIT */
/*
 * AMQP URLs: `amqp://user:password@host:port,host2/vhost?heartbeat=10`, after RabbitMQ's URI
 * specification and its query parameters. rabbitmq-c's own parser takes one host and no query.
 *
 * Ownership: a uri owns one block that holds all its strings, the password among them; done wipes
 * it. Errors never quote what stands in the URL before the vhost, since a badly escaped password
 * may reach anywhere there. Threads: plain data.
 */
#ifndef WR_MODEL_URI_H
#define WR_MODEL_URI_H

#include "base/text.h"
#include "model/settings.h"

#define WR_URI_MOST 8192 /* bytes of a URL */

struct wr_uri_host {
    const char *name; /* an IPv6 address without its brackets */
    uint16_t port;
};

struct wr_uri {
    bool is_tls;
    const char *user;     /* NULL: not said */
    const char *password; /* NULL: not said */
    const char *vhost;    /* "/" when the URL has no path; "" when the path is only a slash */
    struct wr_uri_host hosts[WR_HOSTS_MOST];
    size_t host_count; /* at least 1 */
    /* The query; NULL or -1: not said. */
    int64_t heartbeat_ms;
    int64_t connect_timeout_ms;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *server_name;
    int verify; /* 0 or 1 */
    char *bytes;
    size_t size;
};

/** Reads a URL. CONFIG with a sentence when it is malformed; nothing is to be freed then. */
warren_status wr_uri_read(struct wr_uri *out, const char *url, warren_error *err);

/** Wipes and frees. Zeroed ones are fine. */
void wr_uri_done(struct wr_uri *uri);

/** Whether what is sent to this host stays on the machine: `localhost`, 127.0.0.0/8 and ::1. */
bool wr_uri_is_loopback(const char *host);

#endif
