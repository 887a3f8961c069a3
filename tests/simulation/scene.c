// SPDX-License-Identifier: MIT
// DESIGN: two queues with two types each, one of them isolated, so that every kind of lane, home
// and policy is there. The variants turn what is global: which queue is quorum and which classic,
// how far ahead the broker hands over, how many threads and unconfirmed publishes there may be.
//
//     scene bit 0: mail is classic and rest quorum, not the other way round
//           bit 1: prefetch and publish window as small as can be
//           bit 2: fewer threads than the types would like
#include "scene.h"

#include <stdio.h>
#include <string.h>

enum { UNIT_MS = 125 };

static const struct scene_type types[] = {
    { "a", "mail", "mail", 2, false, { 'e', 4, 250, 2, 2000, { 0, 0 }, 50 } },
    { "b", "mail", "mail.b", 1, true, { 'f', 2, 200, 1, 0, { 0, 0 }, 0 } },
    { "c", "rest", "rest", 1, false, { 'l', 3, 0, 1, 0, { 125, 1000 }, 20 } },
    { "d", "rest", "rest", 3, false, { 'f', 1, 500, 1, 0, { 0, 0 }, 0 } },
    { "nobody", "", "", 0, false, { 'f', 1, 0, 1, 0, { 0, 0 }, 0 } },
};

static const struct {
    const char *words;
    struct scene_policy policy;
} backoffs[] = {
    { NULL, { 'f', 0, 0, 0, 0, { 0, 0 }, 0 } },
    { "fixed 300ms", { 'f', 0, 300, 1, 0, { 0, 0 }, 0 } },
    { "exponential 125ms 3.0 1s", { 'e', 0, 125, 3, 1000, { 0, 0 }, 0 } },
    { "list 1s 200ms", { 'l', 0, 0, 1, 0, { 1000, 200 }, 0 } },
};

const struct scene_type *scene_type(int index)
{
    return &types[index];
}

int scene_type_of(const char *name)
{
    for (int i = 0; i <= SCENE_NOBODY; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *scene_backoff(int index)
{
    return backoffs[index].words;
}

struct scene_policy scene_policy(int type, int own_attempts, int own_backoff)
{
    struct scene_policy policy = types[type].policy;
    if (own_backoff) {
        policy = backoffs[own_backoff].policy;
        policy.attempts = types[type].policy.attempts;
        policy.jitter_percent = types[type].policy.jitter_percent;
    }
    policy.attempts = own_attempts ? own_attempts : policy.attempts;
    return policy;
}

static int64_t units(int64_t ms)
{
    return (ms + UNIT_MS - 1) / UNIT_MS;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t plain_ms(const struct scene_policy *policy, int attempt)
{
    if (policy->kind == 'l') {
        return policy->list_ms[attempt > 1 ? 1 : 0];
    }
    int64_t wait_ms = policy->first_ms;
    for (int i = 1; policy->kind == 'e' && i < attempt; i++) {
        wait_ms = least(wait_ms * policy->factor, policy->max_ms);
    }
    return wait_ms;
}

int64_t scene_round_up(int64_t delay_ms)
{
    int64_t rounded_ms = units(least(delay_ms, SCENE_DELAY_MOST_MS)) * UNIT_MS;
    return rounded_ms > 0 ? rounded_ms : UNIT_MS;
}

void scene_wait(const struct scene_policy *policy, int attempt, int64_t *out_least_ms,
                int64_t *out_most_ms)
{
    int64_t shortest = units(plain_ms(policy, attempt));
    int64_t longest = shortest + shortest * policy->jitter_percent / 100;
    if (policy->kind == 'e') {
        longest = least(longest, units(policy->max_ms));
    }
    longest = longest < shortest ? shortest : longest;
    *out_least_ms = scene_round_up(shortest * UNIT_MS);
    *out_most_ms = scene_round_up(longest * UNIT_MS);
}

static bool has_few_threads(int scene)
{
    return scene & 4;
}

int scene_shared_limit(int scene)
{
    return has_few_threads(scene) ? 2 : 6;
}

static void write_retry(const struct scene_policy *policy, char *out, size_t size)
{
    int used = snprintf(out, size, "retry: { attempts = %d; jitter = %d.%02d; ", policy->attempts,
                        policy->jitter_percent / 100, policy->jitter_percent % 100);
    out += used;
    size -= (size_t)used;
    if (policy->kind == 'l') {
        (void)snprintf(out, size, "delays = [ \"%dms\", \"%dms\" ]; };", (int)policy->list_ms[0],
                       (int)policy->list_ms[1]);
    } else if (policy->kind == 'f') {
        (void)snprintf(out, size, "backoff = \"fixed\"; first = \"%dms\"; };",
                       (int)policy->first_ms);
    } else {
        (void)snprintf(out, size, "first = \"%dms\"; factor = %d.0; max = \"%dms\"; };",
                       (int)policy->first_ms, (int)policy->factor, (int)policy->max_ms);
    }
}

static int write_queue(int scene, const char *name, char *out, size_t size)
{
    bool is_classic = (strcmp(name, "mail") == 0) == (scene & 1);
    int used = snprintf(out, size,
                        "  { name = \"%s\"; type = \"%s\"; retry: { max = \"1s\"; }; %sjobs = (",
                        name, is_classic ? "classic" : "quorum", scene & 2 ? "prefetch = 1; " : "");
    const char *comma = "";
    for (int i = 0; i < SCENE_TYPES; i++) {
        if (strcmp(types[i].queue, name) != 0) {
            continue;
        }
        char retry[200];
        write_retry(&types[i].policy, retry, sizeof retry);
        used += snprintf(out + used, size - (size_t)used,
                         "%s\n    { type = \"%s\"; concurrency = %d; isolate = %s; %s }", comma,
                         types[i].name, types[i].concurrency, types[i].isolate ? "true" : "false",
                         retry);
        comma = ",";
    }
    return used + snprintf(out + used, size - (size_t)used, " ); }");
}

void scene_write(int scene, char *out, size_t size)
{
    int used = snprintf(out, size,
                        "delay: { max = \"%dms\"; };\n"
                        "publish: { window = %d; timeout = \"%dms\"; };\n"
                        "threads = %s;\nqueues = (\n",
                        SCENE_DELAY_MOST_MS, scene & 2 ? 1 : 256, SCENE_PUBLISH_TIMEOUT_MS,
                        has_few_threads(scene) ? "3" : "\"auto\"");
    used += write_queue(scene, "mail", out + used, size - (size_t)used);
    used += snprintf(out + used, size - (size_t)used, ",\n");
    used += write_queue(scene, "rest", out + used, size - (size_t)used);
    (void)snprintf(out + used, size - (size_t)used, " );\n");
}
