// SPDX-License-Identifier: MIT
// DESIGN: what the command line said stands as JSON in one of the files that were written, so that they can be
// written again, and compared, without it.
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "kubernetes.h"
#include "member.h"

static void add_text(json_object *all, const char *key, const char *text)
{
    (void)json_object_object_add(all, key, json_object_new_string(text));
}

static void add_number(json_object *all, const char *key, int64_t number)
{
    (void)json_object_object_add(all, key, json_object_new_int64(number));
}

struct json_object *kube_wish_json(const struct kube_wish *wish)
{
    json_object *all = json_object_new_object();
    add_text(all, "name", wish->name);
    add_text(all, "namespace", wish->ns);
    add_text(all, "image", wish->image);
    add_text(all, "runbooks", wish->runbooks);
    add_number(all, "replicas", wish->replicas);
    add_number(all, "max_replicas", wish->replicas_most);
    add_number(all, "target_ms", wish->target_ms);
    add_number(all, "job_memory", wish->job_bytes);
    (void)json_object_object_add(all, "deletion_cost",
                                 json_object_new_boolean(wish->wants_deletion_cost));
    (void)json_object_object_add(all, "mean", json_object_get(wish->means));
    return all;
}

bool kube_wish_read(struct kube_wish *wish, struct json_object *all)
{
    *wish = (struct kube_wish){
        .name = member_text(all, "name"),
        .ns = member_text(all, "namespace"),
        .image = member_text(all, "image"),
        .runbooks = member_text(all, "runbooks"),
        .replicas = member_number(all, "replicas"),
        .replicas_most = member_number(all, "max_replicas"),
        .target_ms = member_number(all, "target_ms"),
        .job_bytes = member_number(all, "job_memory"),
        .wants_deletion_cost = json_object_get_boolean(member_of(all, "deletion_cost")),
        .means = member_of(all, "mean"),
    };
    return *wish->name && *wish->ns && *wish->image && wish->replicas > 0 &&
           wish->replicas_most > 0 && wish->target_ms > 0 && wish->job_bytes > 0;
}
