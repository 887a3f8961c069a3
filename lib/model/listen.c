// SPDX-License-Identifier: MIT
// DESIGN: no name lookup, since what is listened to must not depend on a resolver; and loopback
// unless an address is said, so that nothing is open to the network by accident.
#include "model/listen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool read_port(struct wr_listen *out, const char *text)
{
    int64_t port;
    bool is_digits = *text && strspn(text, "0123456789") == strlen(text);
    if (!is_digits || !wr_slice_to_int(wr_slice_of(text), &port) || port > 65535) {
        return false;
    }
    out->port = (uint16_t)port;
    return true;
}

static bool read_address(struct wr_listen *out, struct wr_slice host)
{
    struct in6_addr binary;
    bool has_brackets = host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (wr_slice_is(host, "localhost")) {
        host = wr_slice_of("127.0.0.1");
    } else if (wr_slice_is(host, "*")) {
        host = wr_slice_of("::");
        has_brackets = true;
    } else if (has_brackets) {
        host = (struct wr_slice){ host.data + 1, host.size - 2 };
    }
    if (host.size >= sizeof out->address) {
        return false;
    }
    (void)snprintf(out->address, sizeof out->address, "%.*s", WR_SLICE(host));
    out->is_v6 = has_brackets;
    return inet_pton(has_brackets ? AF_INET6 : AF_INET, out->address, &binary) == 1;
}

const char *wr_listen_read(struct wr_listen *out, const char *text)
{
    static const char want[] = "none, a port, or a numeric address and a port, such as \"9400\", "
                               "\"0.0.0.0:9400\" or \"[::1]:9400\"";
    const char *colon = strrchr(text, ':');
    *out = (struct wr_listen){ .is_off = strcmp(text, "none") == 0 };
    if (out->is_off) {
        return NULL;
    }
    struct wr_slice host =
        colon ? (struct wr_slice){ text, (size_t)(colon - text) } : wr_slice_of("localhost");
    return read_address(out, host) && read_port(out, colon ? colon + 1 : text) ? NULL : want;
}
