// SPDX-License-Identifier: MIT
// DESIGN: names become routing keys and binding keys of topic exchanges. A word '*' or '#' between
// dots would bind what it should not, a name that is too long would not fit into the key of the
// delay ladder, and a name of Warren's own objects would turn them into a work queue.
#include "model/settings_name.h"

#include <stdio.h>

static bool has_wildcard(const char *name)
{
    for (const char *at = name; at;) {
        size_t length = strcspn(at, ".");
        if (length == 1 && (at[0] == '*' || at[0] == '#')) {
            return true;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return false;
}

static bool has_control(const char *name)
{
    for (const char *at = name; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            return true;
        }
    }
    return false;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
    size_t size = strlen(text);
    size_t tail = strlen(with);
    return size >= tail && strcmp(text + size - tail, with) == 0;
}

/* Whether `name` begins with "NS.rest". */
static bool begins_in(const char *ns, const char *name, const char *rest)
{
    char own[WR_NAMESPACE_MOST + 32];
    (void)snprintf(own, sizeof own, "%.*s.%s", WR_NAMESPACE_MOST, ns, rest);
    return begins(name, own);
}

static const char *common_problem(const char *name)
{
    if (!name || !name[0]) {
        return "is empty";
    }
    if (!wr_text_is_utf8(wr_slice_of(name))) {
        return "is not UTF-8";
    }
    if (has_control(name)) {
        return "has control characters";
    }
    if (has_wildcard(name)) {
        return "has the word '*' or '#', which is a wildcard in a routing key";
    }
    return NULL;
}

const char *wr_type_problem(const char *type)
{
    const char *problem = common_problem(type);
    if (!problem && strlen(type) > WR_TYPE_NAME_MOST) {
        problem = "is longer than 236 bytes";
    }
    return problem;
}

const char *wr_queue_name_problem(const char *ns, const char *name)
{
    const char *problem = common_problem(name);
    if (problem) {
        return problem;
    }
    if (strlen(name) > WR_QUEUE_NAME_MOST) {
        return "is longer than 235 bytes";
    }
    if (begins(name, "amq.")) {
        return "begins with 'amq.', which the broker keeps for itself";
    }
    if (begins_in(ns, name, "delay.") || begins_in(ns, name, "unrouted")) {
        return "is a name that Warren keeps for its own queues";
    }
    if (ends(name, ".dead")) {
        return "ends with '.dead', as the dead queues do";
    }
    return NULL;
}

const char *wr_exchange_problem(const char *ns, const char *name)
{
    static const char *const own[] = { "arrive", "delay.", "deliver", "dead",
                                       "home",   "retry.", "unrouted" };
    const char *problem = common_problem(name);
    if (!problem && strlen(name) > 255) {
        problem = "is longer than 255 bytes";
    }
    if (!problem && begins(name, "amq.") && strcmp(name, "amq.topic") != 0) {
        problem = "begins with 'amq.', which the broker keeps for itself; only amq.topic would do";
    }
    for (size_t i = 0; !problem && i < sizeof own / sizeof own[0]; i++) {
        bool is_own = begins_in(ns, name, own[i]);
        problem = is_own ? "is a name that Warren keeps for its own exchanges" : NULL;
    }
    return problem;
}

const char *wr_namespace_problem(const char *ns)
{
    size_t length = strlen(ns);
    if (!length || length > WR_NAMESPACE_MOST) {
        return "want 1 to 60 bytes";
    }
    if (strspn(ns, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != length) {
        return "want letters, digits, '.', '_' and '-' only";
    }
    if (begins(ns, "amq.") || strcmp(ns, "amq") == 0) {
        return "begins with 'amq', which the broker keeps for itself";
    }
    return NULL;
}
