// SPDX-License-Identifier: MIT
// Broker URLs: what is read stays within its limits, survives being written and read again, and an
// error never tells what stood in the URL: a badly escaped password may be anywhere in it.
#include "fuzz.h"

#include "model/uri.h"

/* A word that seeds have as password, and its like. */
static const char secret[] = "S3cret";

static void add_escaped(struct wr_text *out, const char *text)
{
    for (; *text; text++) {
        wr_text_add_format(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

static void add_option(struct wr_text *out, const char *name, const char *value)
{
    if (value) {
        wr_text_add_format(out, "%s=", name);
        add_escaped(out, value);
        wr_text_add_string(out, "&");
    }
}

static void add_user(struct wr_text *out, const struct wr_uri *uri)
{
    if (!uri->user && !uri->password) {
        return;
    }
    add_escaped(out, uri->user ? uri->user : "");
    if (uri->password) {
        wr_text_add_string(out, ":");
        add_escaped(out, uri->password);
    }
    wr_text_add_string(out, "@");
}

static void add_hosts(struct wr_text *out, const struct wr_uri *uri)
{
    for (size_t i = 0; i < uri->host_count; i++) {
        const struct wr_uri_host *host = &uri->hosts[i];
        wr_text_add_string(out, i ? "," : "");
        if (strchr(host->name, ':')) {
            wr_text_add_string(out, "[");
            add_escaped(out, host->name);
            wr_text_add_string(out, "]");
        } else {
            wr_text_add_string(out, host->name);
        }
        wr_text_add_format(out, ":%u", (unsigned)host->port);
    }
}

static char *write_uri(const struct wr_uri *uri)
{
    struct wr_text out = { 0 };
    wr_text_add_string(&out, uri->is_tls ? "amqps://" : "amqp://");
    add_user(&out, uri);
    add_hosts(&out, uri);
    wr_text_add_string(&out, "/");
    add_escaped(&out, uri->vhost);
    wr_text_add_string(&out, "?");
    if (uri->heartbeat_ms >= 0) {
        wr_text_add_format(&out, "heartbeat=%lld&", (long long)(uri->heartbeat_ms / 1000));
    }
    if (uri->connect_timeout_ms >= 0) {
        wr_text_add_format(&out, "connection_timeout=%lld&", (long long)uri->connect_timeout_ms);
    }
    if (uri->verify >= 0) {
        wr_text_add_format(&out, "verify=%s&", uri->verify ? "verify_peer" : "verify_none");
    }
    add_option(&out, "cacertfile", uri->ca_file);
    add_option(&out, "certfile", uri->cert_file);
    add_option(&out, "keyfile", uri->key_file);
    add_option(&out, "server_name_indication", uri->server_name);
    return wr_text_take(&out);
}

static bool are_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_limits(const struct wr_uri *uri)
{
    MUST(uri->host_count >= 1 && uri->host_count <= WR_HOSTS_MOST);
    for (size_t i = 0; i < uri->host_count; i++) {
        MUST(uri->hosts[i].name[0] && strlen(uri->hosts[i].name) <= 253);
        MUST(uri->hosts[i].port > 0);
        (void)wr_uri_is_loopback(uri->hosts[i].name);
    }
    MUST(strlen(uri->vhost) <= 255);
    MUST(uri->heartbeat_ms >= -1 && uri->heartbeat_ms <= 3600000);
    MUST(uri->connect_timeout_ms >= -1 && uri->connect_timeout_ms <= 600000);
    MUST(uri->verify >= -1 && uri->verify <= 1);
}

static void check_same(const struct wr_uri *a, const struct wr_uri *b)
{
    MUST(a->is_tls == b->is_tls && a->host_count == b->host_count);
    for (size_t i = 0; i < a->host_count; i++) {
        MUST(strcmp(a->hosts[i].name, b->hosts[i].name) == 0);
        MUST(a->hosts[i].port == b->hosts[i].port);
    }
    MUST(are_same(a->user, b->user) && are_same(a->password, b->password));
    MUST(are_same(a->vhost, b->vhost) && are_same(a->server_name, b->server_name));
    MUST(are_same(a->ca_file, b->ca_file) && are_same(a->cert_file, b->cert_file));
    MUST(are_same(a->key_file, b->key_file) && a->verify == b->verify);
    MUST(a->heartbeat_ms == b->heartbeat_ms && a->connect_timeout_ms == b->connect_timeout_ms);
}

static void read_again(const struct wr_uri *uri)
{
    char *text = write_uri(uri);
    struct wr_uri again = { 0 };
    if (strlen(text) < WR_URI_MOST) { /* escapes may have made it longer than allowed */
        MUST(wr_uri_read(&again, text, NULL) == WARREN_OK);
        check_same(uri, &again);
    }
    wr_uri_done(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string((struct wr_slice){ (const char *)data, size });
    struct wr_uri uri = { 0 };
    warren_error err = { 0 };
    if (wr_uri_read(&uri, text, &err)) {
        MUST(err.status == WARREN_CONFIG && strncmp(err.text, "broker URL: ", 12) == 0);
        MUST(fuzz_is_printable(err.text) && !strstr(err.text, secret));
        MUST(!uri.bytes);
    } else {
        MUST(strlen(text) < WR_URI_MOST);
        check_limits(&uri);
        read_again(&uri);
    }
    wr_uri_done(&uri);
    free(text);
    return 0;
}
