// SPDX-License-Identifier: MIT
// DESIGN: the URL is copied once and cut into pieces in place; percent signs are decoded in place
// too, since that only shrinks. The order of the cuts matters: query, path, user, hosts. An '@' or
// a '/' of a password that was not escaped would land in a later piece and could be printed from
// there, so an '@' is accepted in one place only and nothing of the pieces before the vhost is ever
// quoted.
#include "model/uri.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#include "base/error.h"

#define ESCAPE_HINT                                                                                \
    "in a user name or password write '/' as %2F, '@' as %40, '?' as %3F, '#' as %23, "            \
    "'%' as %25"

enum { AMQP_PORT = 5672, AMQPS_PORT = 5671, HEARTBEAT_MOST_S = 3600, TIMEOUT_MOST_MS = 600000 };
enum { HOST_MOST = 253, ZONE_MOST = 15 }; /* bytes of a host's name, of an interface's */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %xx in place; false when a percent sign has no two digits, or for %00. */
static bool unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = hex_digit(at[1]);
        int low = high < 0 ? -1 : hex_digit(at[2]);
        if (low < 0 || high + low == 0) {
            return false;
        }
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return true;
}

/* Ends `text` at the first of `mark` and returns what follows it, or NULL. */
static char *cut(char *text, char mark)
{
    char *found = strchr(text, mark);
    if (found) {
        *found++ = '\0';
    }
    return found;
}

static warren_status bad(warren_error *err, const char *what)
{
    return wr_fail(err, WARREN_CONFIG, "broker URL: %s", what);
}

static warren_status bad_escape(warren_error *err, const char *where)
{
    return wr_fail(
        err, WARREN_CONFIG,
        "broker URL: the %s has a '%%' that is not followed by two hex digits; a percent "
        "sign itself is written %%25",
        where);
}

static warren_status read_user(struct wr_uri *uri, char *text, warren_error *err)
{
    char *password = cut(text, ':');
    if (!unescape(text)) {
        return bad_escape(err, "user name");
    }
    if (password && !unescape(password)) {
        return bad_escape(err, "password");
    }
    uri->user = *text ? text : NULL;
    uri->password = password;
    return WARREN_OK;
}

static bool read_port(const char *text, uint16_t *out)
{
    int64_t port;
    if (!wr_slice_to_int(wr_slice_of(text), &port) || port < 1 || port > 65535) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

/* At most `most` of the characters that names of hosts and of interfaces have, and at least one. */
static bool is_name(const char *name, size_t most)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    return length > 0 && length <= most && name[length] == '\0';
}

static bool is_ipv6(const char *name)
{
    struct in6_addr address;
    char plain[INET6_ADDRSTRLEN + 1];
    size_t length = strcspn(name, "%"); /* a zone may follow */
    if (length >= sizeof plain || (name[length] && !is_name(name + length + 1, ZONE_MOST))) {
        return false;
    }
    memcpy(plain, name, length);
    plain[length] = '\0';
    return inet_pton(AF_INET6, plain, &address) == 1;
}

static warren_status read_host(struct wr_uri *uri, char *text, warren_error *err)
{
    struct wr_uri_host *host = &uri->hosts[uri->host_count];
    char *port;
    if (text[0] == '[') {
        host->name = text + 1;
        char *rest = cut(text, ']');
        if (!rest || !unescape(text + 1) || !is_ipv6(host->name) || (*rest && *rest != ':')) {
            return bad(err, "a host in brackets is not an IPv6 address like [::1]:5672");
        }
        port = *rest ? rest + 1 : NULL;
    } else {
        host->name = text;
        port = cut(text, ':');
        if (!is_name(host->name, HOST_MOST)) {
            return bad(err, "a host name is empty or has characters that host names do not have; "
                            "an IPv6 address is written in brackets, several hosts are separated "
                            "by commas, and " ESCAPE_HINT);
        }
    }
    host->port = uri->is_tls ? AMQPS_PORT : AMQP_PORT;
    if (port && !read_port(port, &host->port)) {
        return bad(err, "a port is not a number from 1 to 65535; " ESCAPE_HINT);
    }
    uri->host_count++;
    return WARREN_OK;
}

static warren_status read_hosts(struct wr_uri *uri, char *text, warren_error *err)
{
    if (!*text) {
        uri->hosts[0] = (struct wr_uri_host){ "localhost", uri->is_tls ? AMQPS_PORT : AMQP_PORT };
        uri->host_count = 1;
        return WARREN_OK;
    }
    for (char *rest = text; rest; text = rest) {
        if (uri->host_count == WR_HOSTS_MOST) {
            return wr_fail(err, WARREN_CONFIG, "broker URL: more than %d hosts", WR_HOSTS_MOST);
        }
        rest = cut(text, ',');
        warren_status status = read_host(uri, text, err);
        if (status) {
            return status;
        }
    }
    return WARREN_OK;
}

static warren_status read_vhost(struct wr_uri *uri, char *path, warren_error *err)
{
    if (!path) {
        uri->vhost = "/";
        return WARREN_OK;
    }
    if (strchr(path, '@')) {
        return bad(err, "an '@' stands behind the first '/': " ESCAPE_HINT);
    }
    if (strchr(path, '/')) {
        return bad(err, "the vhost has a '/' in it, which is written %2F: the vhost / is the end "
                        "\"/%2F\", or no path at all");
    }
    if (!unescape(path)) {
        return bad_escape(err, "vhost");
    }
    if (strlen(path) > 255) {
        return bad(err, "the vhost is longer than 255 bytes");
    }
    uri->vhost = path;
    return WARREN_OK;
}

static warren_status read_number(const char *key, const char *value, int64_t most, int64_t *out,
                                 warren_error *err)
{
    int64_t number;
    if (!wr_slice_to_int(wr_slice_of(value), &number) || number < 0 || number > most) {
        return wr_fail(err, WARREN_CONFIG,
                       "broker URL: %s is not a whole number from 0 to %lld (heartbeat in seconds, "
                       "connection_timeout in milliseconds)",
                       key, (long long)most);
    }
    *out = number;
    return WARREN_OK;
}

static warren_status read_verify(struct wr_uri *uri, const char *value, warren_error *err)
{
    if (strcmp(value, "verify_peer") == 0 || strcmp(value, "verify_none") == 0) {
        uri->verify = strcmp(value, "verify_peer") == 0;
        return WARREN_OK;
    }
    return bad(err, "verify is verify_peer or verify_none");
}

static warren_status read_option(struct wr_uri *uri, const char *key, char *value,
                                 warren_error *err)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = { { "cacertfile", &uri->ca_file },
                  { "certfile", &uri->cert_file },
                  { "keyfile", &uri->key_file },
                  { "server_name_indication", &uri->server_name } };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(key, texts[i].key) == 0) {
            *texts[i].to = value;
            return *value ? WARREN_OK : wr_fail(err, WARREN_CONFIG, "broker URL: %s is empty", key);
        }
    }
    if (strcmp(key, "heartbeat") == 0) {
        warren_status status = read_number(key, value, HEARTBEAT_MOST_S, &uri->heartbeat_ms, err);
        uri->heartbeat_ms *= 1000;
        return status;
    }
    if (strcmp(key, "connection_timeout") == 0) {
        return read_number(key, value, TIMEOUT_MOST_MS, &uri->connect_timeout_ms, err);
    }
    if (strcmp(key, "verify") == 0) {
        return read_verify(uri, value, err);
    }
    return bad(err, "unknown parameter behind '?'; known are heartbeat, connection_timeout, "
                    "cacertfile, certfile, keyfile, verify, server_name_indication");
}

static warren_status read_query(struct wr_uri *uri, char *text, warren_error *err)
{
    if (text && strchr(text, '@')) {
        return bad(err, "an '@' stands behind the first '?': " ESCAPE_HINT
                        " (and '@' in a file name as %40)");
    }
    for (char *rest = text; rest && *text; text = rest) {
        rest = cut(text, '&');
        char *value = cut(text, '=');
        if (!value || !unescape(value)) {
            return bad(err, "behind the '?' stand name=value pairs, separated by '&'");
        }
        warren_status status = read_option(uri, text, value, err);
        if (status) {
            return status;
        }
        if (!rest) {
            return WARREN_OK;
        }
    }
    return WARREN_OK;
}

static char *skip_scheme(struct wr_uri *uri)
{
    uri->is_tls = strncasecmp(uri->bytes, "amqps://", 8) == 0;
    if (uri->is_tls) {
        return uri->bytes + 8;
    }
    return strncasecmp(uri->bytes, "amqp://", 7) == 0 ? uri->bytes + 7 : NULL;
}

static warren_status read_pieces(struct wr_uri *uri, warren_error *err)
{
    char *authority = skip_scheme(uri);
    if (!authority) {
        return bad(err, "it starts with neither amqp:// nor amqps:// (nor memory:)");
    }
    if (strchr(authority, '#')) {
        return bad(err, "it has a '#'; " ESCAPE_HINT);
    }
    char *query = cut(authority, '?');
    char *path = cut(authority, '/');
    char *hosts = cut(authority, '@');
    if (hosts && strchr(hosts, '@')) {
        return bad(err, "it has more than one '@'; " ESCAPE_HINT);
    }
    warren_status status = hosts ? read_user(uri, authority, err) : WARREN_OK;
    status = status ? status : read_hosts(uri, hosts ? hosts : authority, err);
    status = status ? status : read_vhost(uri, path, err);
    return status ? status : read_query(uri, query, err);
}

warren_status wr_uri_read(struct wr_uri *out, const char *url, warren_error *err)
{
    size_t size = strlen(url) + 1;
    if (size > WR_URI_MOST) {
        return wr_fail(err, WARREN_CONFIG, "broker URL: longer than %d bytes", WR_URI_MOST - 1);
    }
    struct wr_uri uri = { .heartbeat_ms = -1, .connect_timeout_ms = -1, .verify = -1 };
    uri.bytes = malloc(size);
    if (!uri.bytes) {
        return wr_no_memory(err);
    }
    memcpy(uri.bytes, url, size);
    uri.size = size;
    warren_status status = read_pieces(&uri, err);
    if (status) {
        wr_uri_done(&uri);
        return status;
    }
    *out = uri;
    return WARREN_OK;
}

void wr_uri_done(struct wr_uri *uri)
{
    if (uri->bytes) {
        explicit_bzero(uri->bytes, uri->size);
    }
    free(uri->bytes);
    *uri = (struct wr_uri){ 0 };
}

bool wr_uri_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    }
    return strcasecmp(host, "localhost") == 0;
}
