// SPDX-License-Identifier: MIT
// DESIGN: whom a worker's pod talks to, from the URLs of the configuration: the brokers, their management
// API, the collector of traces. A network policy allows these and nothing else. The URLs were checked
// when the configuration was read, so this only takes them apart.
#include <arpa/inet.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kubernetes_read.h"
#include "member.h"

enum { AMQP_PORT = 5672, AMQPS_PORT = 5671, HTTP_PORT = 80, HTTPS_PORT = 443 };

enum kube_place kube_place_of(const char *host, char name[KUBE_HOST], char ns[KUBE_HOST])
{
    unsigned char binary[sizeof(struct in6_addr)];
    const char *dot = strchr(host, '.');
    const char *svc = strstr(host, ".svc");
    *name = *ns = '\0';
    if (inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1) {
        return KUBE_ADDRESS;
    }
    if (!dot) {
        (void)snprintf(name, KUBE_HOST, "%s", host);
        return *host ? KUBE_SERVICE : KUBE_OUTSIDE;
    }
    if (!svc || (svc[4] && svc[4] != '.') || svc <= dot) {
        return KUBE_OUTSIDE;
    }
    const char *last = svc; /* a pod's own name has more parts: pod.service.namespace.svc */
    while (last[-1] != '.') {
        last--;
    }
    (void)snprintf(ns, KUBE_HOST, "%.*s", (int)(svc - last), last);
    if (last - 1 == dot) {
        (void)snprintf(name, KUBE_HOST, "%.*s", (int)(dot - host), host);
    }
    return KUBE_SERVICE;
}

/* `host` is "name", "name:port" or "[address]:port". */
static void add_peer(struct kube *kube, const char *host, size_t size, int port, bool is_broker)
{
    struct kube_peer peer = { .port = port, .is_broker = is_broker };
    bool has_brackets = size && host[0] == '[';
    const char *end = has_brackets ? memchr(host, ']', size) : memchr(host, ':', size);
    size_t length = end ? (size_t)(end - host) : size;
    const char *colon = end && has_brackets ? end + 1 : end;
    if (colon && colon < host + size && *colon == ':') {
        peer.port = (int)strtol(colon + 1, NULL, 10);
    }
    (void)snprintf(peer.host, sizeof peer.host, "%.*s", (int)(length - has_brackets),
                   host + has_brackets);
    for (size_t i = 0; i < kube->peer_count; i++) {
        bool is_same = strcmp(kube->peers[i].host, peer.host) == 0;
        peer.is_broker = peer.is_broker || (is_same && kube->peers[i].is_broker);
        if (is_same && kube->peers[i].port == peer.port) {
            return;
        }
    }
    if (length && kube->peer_count < KUBE_PEERS) {
        kube->peers[kube->peer_count++] = peer;
    }
}

/* What stands behind "scheme://user:password@". */
static const char *authority_of(const char *url)
{
    const char *begin = strstr(url, "://");
    begin = begin ? begin + 3 : url;
    size_t size = strcspn(begin, "/?#");
    for (size_t i = size; i > 0; i--) {
        if (begin[i - 1] == '@') {
            return begin + i;
        }
    }
    return begin;
}

static int hex_digit(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *at = digit ? strchr(digits, digit | 0x20) : NULL;
    return at ? (int)(at - digits) : 0;
}

/* The path of the URL is the vhost, percent-encoded; without one it is "/". */
static void read_vhost(struct kube *kube, const char *path)
{
    size_t size = 0;
    if (*path != '/') {
        (void)snprintf(kube->vhost, sizeof kube->vhost, "/");
        return;
    }
    for (path++; *path && *path != '?' && size + 1 < sizeof kube->vhost; path++) {
        bool is_escape = *path == '%' && path[1] && path[2];
        kube->vhost[size++] =
            is_escape ? (char)(hex_digit(path[1]) * 16 + hex_digit(path[2])) : *path;
        path += is_escape ? 2 : 0;
    }
    kube->vhost[size] = '\0';
}

static void add_web_peer(struct kube *kube, const char *url)
{
    const char *host = authority_of(url);
    bool is_tls = strncmp(url, "https:", 6) == 0;
    if (*url) {
        add_peer(kube, host, strcspn(host, "/?#"), is_tls ? HTTPS_PORT : HTTP_PORT, false);
    }
}

static bool is_own(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

/* So far there are only brokers. */
static void check_brokers(const struct kube *kube, const char *url, struct findings *findings)
{
    bool is_memory = strncmp(url, "memory:", 7) == 0;
    bool is_fit = kube->peer_count > 0;
    for (size_t i = 0; i < kube->peer_count; i++) {
        is_fit = is_fit && !is_own(kube->peers[i].host);
    }
    if (is_memory) {
        findings_add(findings, "broker.url", "memory:, a broker inside the process",
                     "amqps://HOST or amqp://HOST", "each pod would have a broker of its own");
    } else if (!is_fit) {
        findings_add(findings, "broker.url", *url ? url : "none",
                     "a host that pods can reach, such as amqps://rabbitmq",
                     "in a pod localhost is the pod. ${env:NAME} without a default is looked up "
                     "here, too");
    }
}

void kube_read_peers(struct kube *kube, struct findings *findings)
{
    json_object *broker = member_of(kube->plan->root, "broker");
    const char *url = member_text(broker, "url");
    const char *host = authority_of(url);
    kube->is_tls = strncmp(url, "amqps:", 6) == 0;
    while (*host && !strchr("/?", *host)) {
        size_t size = strcspn(host, ",/?");
        add_peer(kube, host, size, kube->is_tls ? AMQPS_PORT : AMQP_PORT, true);
        host += size + (host[size] == ',');
    }
    read_vhost(kube, host);
    check_brokers(kube, url, findings);
    add_web_peer(kube, member_text(broker, "management_url"));
    add_web_peer(kube, member_text(member_of(kube->plan->root, "trace"), "endpoint"));
}
