// SPDX-License-Identifier: MIT
// DESIGN: network policies add up: what one of those for a pod lets through is let through. What can't be
// decided here (expressions, labels of others) counts as let through, so each finding is one.
#include <arpa/inet.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "kubernetes_check.h"
#include "member.h"

/* --- whom a policy is for --- */

/* Whether all of the selector's labels are the pod's. */
static bool selects(json_object *selector, json_object *labels)
{
    json_object *wanted = member_of(selector, "matchLabels");
    if (member_of(selector, "matchExpressions")) {
        return false;
    }
    if (!wanted) {
        return true;
    }
    json_object_object_foreach(wanted, key, value)
    {
        const char *text = json_object_get_string(value);
        if (strcmp(member_text(labels, key), text ? text : "") != 0) {
            return false;
        }
    }
    return true;
}

static bool has_type(json_object *spec, const char *type, const char *rules)
{
    json_object *types = member_of(spec, "policyTypes");
    for (size_t i = 0; i < member_count(types); i++) {
        const char *one = json_object_get_string(json_object_array_get_idx(types, i));
        if (one && strcmp(one, type) == 0) {
            return true;
        }
    }
    return !types && (strcmp(type, "Ingress") == 0 || member_of(spec, rules));
}

/* --- what it lets through --- */

static bool has_port(json_object *rule, int port)
{
    json_object *ports = member_of(rule, "ports");
    bool found = member_count(ports) == 0;
    for (size_t i = 0; i < member_count(ports); i++) {
        json_object *row = json_object_array_get_idx(ports, i);
        json_object *said = member_of(row, "port");
        int64_t first = json_object_get_int64(said);
        int64_t last = member_of(row, "endPort") ? member_number(row, "endPort") : first;
        bool is_other =
            *member_text(row, "protocol") && strcmp(member_text(row, "protocol"), "TCP") != 0;
        bool is_name = !said || json_object_is_type(said, json_type_string);
        found = found || (!is_other && (is_name || (port >= first && port <= last)));
    }
    return found;
}

/* Whether an address is in a block such as 10.0.0.0/8. */
static bool is_in_block(const char *address, const char *block)
{
    unsigned char one[sizeof(struct in6_addr)];
    unsigned char other[sizeof(struct in6_addr)];
    char network[INET6_ADDRSTRLEN];
    const char *slash = strchr(block, '/');
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    int most = family == AF_INET ? 32 : 128;
    (void)snprintf(network, sizeof network, "%.*s", slash ? (int)(slash - block) : 0, block);
    if (!slash || inet_pton(family, address, one) != 1 || inet_pton(family, network, other) != 1) {
        return false;
    }
    long bits = strtol(slash + 1, NULL, 10);
    for (int i = 0; i < most && i < bits; i++) {
        unsigned mask = 0x80U >> (i % 8);
        if ((one[i / 8] & mask) != (other[i / 8] & mask)) {
            return false;
        }
    }
    return true;
}

static bool says_label(json_object *selector, const char *label, const char *value)
{
    const char *said = member_text(member_of(selector, "matchLabels"), label);
    return !*said || !*value || strcmp(said, value) == 0;
}

static bool is_destination(json_object *to, const struct kube_peer *peer)
{
    char name[KUBE_HOST];
    char ns[KUBE_HOST];
    enum kube_place place = kube_place_of(peer->host, name, ns);
    json_object *block = member_of(to, "ipBlock");
    json_object *pods = member_of(to, "podSelector");
    json_object *spaces = member_of(to, "namespaceSelector");
    if (block || place == KUBE_ADDRESS) { /* of a name nobody knows the address here */
        return place != KUBE_ADDRESS || is_in_block(peer->host, member_text(block, "cidr"));
    }
    bool is_there = !peer->is_broker || says_label(pods, "app.kubernetes.io/name", name);
    return place == KUBE_SERVICE && is_there && (!*ns || spaces) &&
           says_label(spaces, "kubernetes.io/metadata.name", ns);
}

static bool lets_out(json_object *rule, const struct kube_peer *peer)
{
    json_object *to = member_of(rule, "to");
    bool found = member_count(to) == 0;
    for (size_t i = 0; i < member_count(to); i++) {
        found = found || is_destination(json_object_array_get_idx(to, i), peer);
    }
    return found && has_port(rule, peer->port);
}

/* --- the policies of a pod --- */

/* Visits the rules of one direction. Gives whether there is a policy for it: else all is let through. */
static bool any_rule(const struct check *check, const struct check_pod *pod, const char *type,
                     const char *rules, const struct kube_peer *peer, bool *out_lets)
{
    bool found = false;
    for (size_t i = 0; i < check->manifests->count; i++) {
        json_object *object = check->manifests->items[i].object;
        json_object *spec = member_of(object, "spec");
        json_object *rows = member_of(spec, rules);
        if (strcmp(member_text(object, "kind"), "NetworkPolicy") != 0 ||
            !selects(member_of(spec, "podSelector"), member_of(pod->metadata, "labels")) ||
            !has_type(spec, type, rules)) {
            continue;
        }
        found = true;
        for (size_t k = 0; k < member_count(rows); k++) {
            json_object *rule = json_object_array_get_idx(rows, k);
            *out_lets |= peer ? lets_out(rule, peer) : has_port(rule, check->kube->port);
        }
    }
    return found;
}

void check_network(const struct check *check, const struct check_pod *pod)
{
    char want[FINDING_TEXT];
    bool is_in = false;
    if (any_rule(check, pod, "Ingress", "ingress", NULL, &is_in) && !is_in) {
        check_note(check, pod, "NetworkPolicy, ingress", "no rule for the port",
                   finding_text(want, "port %d, that of http.listen", check->kube->port),
                   "generate the manifests again, or Prometheus isn't let in");
    }
    for (size_t i = 0; i < check->kube->peer_count; i++) {
        const struct kube_peer *peer = &check->kube->peers[i];
        bool is_out = false;
        if (any_rule(check, pod, "Egress", "egress", peer, &is_out) && !is_out) {
            check_note(check, pod, "NetworkPolicy, egress", "no rule that lets it through",
                       finding_text(want, "%s, port %d", peer->host, peer->port),
                       "generate the manifests again: the configuration names this host");
        }
    }
}
