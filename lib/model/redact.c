// SPDX-License-Identifier: MIT
// DESIGN: better too much hidden than a password shown. In front of the *last* '@' everything that
// follows a user's ':' can be part of a password, since people forget to escape '@', '/', '?', '#'
// and ','. So the first user name is kept, the rest up to the last '@' is "***", and only what
// follows it is shown: hosts, vhost and query, the latter with secret-sounding values hidden.
#include "model/redact.h"

#include <strings.h>

/* Where the authority begins: behind "scheme://", else at the start. */
static const char *authority_of(const char *url)
{
    size_t scheme =
        strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return strncmp(url + scheme, "://", 3) == 0 ? url + scheme + 3 : url;
}

static bool sounds_secret(struct wr_slice name)
{
    static const char *const words[] = { "pass", "secret", "token", "key", "pwd", "auth" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        for (size_t j = 0; j + length <= name.size; j++) {
            if (strncasecmp(name.data + j, words[i], length) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Appends "?a=b&password=***". */
static void add_query(const char *query, struct wr_text *out)
{
    while (*query) {
        size_t length = 1 + strcspn(query + 1, "&;");
        size_t name = strcspn(query, "=");
        bool hidden = name < length && sounds_secret((struct wr_slice){ query, name });
        wr_text_add(out, query, hidden ? name + 1 : length);
        if (hidden) {
            wr_text_add_string(out, "***");
        }
        query += length;
    }
}

/* Appends "host:port,host:port"; what stands for a port and is none could be a password without its
 * host. */
static void add_hosts(struct wr_slice hosts, struct wr_text *out)
{
    for (size_t i = 0; i < hosts.size;) {
        const char *host = hosts.data + i;
        size_t length = strcspn(host, ",");
        length = length < hosts.size - i ? length : hosts.size - i;
        size_t name = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");
        name = name < length ? name + 1 : length;
        size_t digits = strspn(host + name, ":0123456789");
        bool is_port = name + digits >= length;
        wr_text_add(out, host, is_port ? length : name);
        wr_text_add_string(out, is_port ? "" : "***");
        i += length;
        if (i < hosts.size) {
            wr_text_add(out, hosts.data + i++, 1);
        }
    }
}

void wr_settings_redact_url(const char *url, struct wr_text *out)
{
    if (!url) {
        return;
    }
    const char *authority = authority_of(url);
    wr_text_add(out, url, (size_t)(authority - url));
    const char *rest = authority;
    const char *at = strrchr(authority, '@');
    if (at) {
        size_t user = strcspn(authority, ":@/?#,");
        wr_text_add(out, authority, user);
        wr_text_add_string(out, authority + user == at ? "@" : ":***@");
        rest = at + 1;
    }
    size_t hosts = authority == url && !at ? 0 : strcspn(rest, "/?");
    add_hosts((struct wr_slice){ rest, hosts }, out);
    size_t plain = strcspn(rest + hosts, "?");
    wr_text_add(out, rest + hosts, plain);
    add_query(rest + hosts + plain, out);
}
