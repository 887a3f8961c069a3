// SPDX-License-Identifier: MIT
// DESIGN: the operator's view is the configuration's: its queues are asked for one by one with a
// passive declare, which every user with any right on a queue may do and which needs no management
// API. A queue that isn't there closes the channel (AMQP has it so), which is opened again at once.
#include "warren/queue.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "front/admin.h"
#include "model/topology.h"

enum { NAME_SIZE = 256 };

static void close_admin(warren_admin **admin)
{
    warren_admin_close(*admin);
}

warren_status warren_admin_open(warren_admin **out, const char *config, warren_error *err)
{
    AUTO(close_admin) warren_admin *admin = calloc(1, sizeof *admin);
    if (!admin) {
        return wr_no_memory(err);
    }
    warren_status rc = wr_settings_load(&admin->settings, config, NULL, err);
    if (rc) {
        return rc;
    }
    struct wr_broker_options options = { .settings = &admin->settings->broker,
                                         .name = "warren admin" };
    rc = wr_broker_open(&admin->broker, &options, err);
    if (!rc) {
        rc = wr_broker_channel_open(admin->broker, WR_ADMIN_CHANNEL, false, err);
    }
    if (!rc) {
        *out = TAKE(admin);
    }
    return rc;
}

void warren_admin_close(warren_admin *admin)
{
    if (admin) {
        wr_broker_close(admin->broker);
        wr_settings_free(admin->settings);
        free(admin);
    }
}

warren_status wr_admin_depth(warren_admin *admin, const char *queue, struct wr_depth *out,
                             warren_error *err)
{
    warren_status rc = wr_broker_depth(admin->broker, WR_ADMIN_CHANNEL, queue, out, err);
    if (rc != WARREN_NOT_FOUND) {
        return rc;
    }
    rc = wr_broker_channel_open(admin->broker, WR_ADMIN_CHANNEL, false, err);
    return rc ? rc
              : wr_fail(err, WARREN_NOT_FOUND,
                        "queue %s is not at the broker: `warren topology apply` declares it",
                        queue);
}

/* --- the queues of a configuration --- */

/* Called for each queue's names; false ends the walk. */
typedef bool name_visitor(const warren_queue_info *names, void *user);

static bool visit_name(name_visitor *visit, void *user, const char *name, const char *queue,
                       const char *kind)
{
    warren_queue_info info = { .name = name, .queue = queue, .kind = kind };
    return visit(&info, user);
}

static bool visit_queue_names(const struct wr_queue_settings *queue, name_visitor *visit,
                              void *user)
{
    char name[NAME_SIZE];
    if (!visit_name(visit, user, queue->name, queue->name, "work")) {
        return false;
    }
    for (size_t i = 0; i < queue->job_count; i++) {
        if (queue->jobs[i].isolate) {
            wr_topology_isolated_queue(name, sizeof name, queue->name, queue->jobs[i].type);
            if (!visit_name(visit, user, name, queue->name, "isolated")) {
                return false;
            }
        }
    }
    wr_topology_dead_queue(name, sizeof name, queue->name);
    return visit_name(visit, user, name, queue->name, "dead");
}

static void visit_names(const struct wr_settings *settings, name_visitor *visit, void *user)
{
    char name[NAME_SIZE];
    for (size_t i = 0; i < settings->queue_count; i++) {
        if (!visit_queue_names(&settings->queues[i], visit, user)) {
            return;
        }
    }
    wr_topology_exchange(name, sizeof name, settings->ns, "unrouted");
    (void)visit_name(visit, user, name, "", "unrouted");
}

/* --- what is asked of them --- */

struct listing {
    warren_admin *admin;
    warren_queue_visitor *visit;
    void *user;
    warren_error *err;
    warren_status rc;
};

static bool list_queue(const warren_queue_info *names, void *user)
{
    struct listing *listing = user;
    warren_queue_info info = *names;
    struct wr_depth depth = { 0 };
    warren_status rc = wr_admin_depth(listing->admin, info.name, &depth, listing->err);
    if (rc && rc != WARREN_NOT_FOUND) {
        listing->rc = rc;
        return false;
    }
    info.exists = !rc;
    info.messages = depth.messages;
    info.consumers = depth.consumers;
    return listing->visit(&info, listing->user);
}

warren_status warren_queue_each(warren_admin *admin, warren_queue_visitor *visit, void *user,
                                warren_error *err)
{
    struct listing listing = { admin, visit, user, err, WARREN_OK };
    visit_names(admin->settings, list_queue, &listing);
    return listing.rc;
}

struct search {
    const char *wanted;
    bool found;
    char name[NAME_SIZE]; /* at the broker, of the one that was found */
    char nearest[NAME_SIZE];
    size_t distance;
};

static bool compare_name(const warren_queue_info *names, void *user)
{
    struct search *search = user;
    size_t distance = wr_text_distance(search->wanted, names->name);
    bool is_catch_all = strcmp(names->kind, search->wanted) == 0 && !names->queue[0];
    search->found = is_catch_all || strcmp(search->wanted, names->name) == 0;
    (void)snprintf(search->name, sizeof search->name, "%s", names->name);
    if (distance < search->distance && strlen(names->name) < sizeof search->nearest) {
        search->distance = distance;
        memcpy(search->nearest, names->name, strlen(names->name) + 1);
    }
    return !search->found;
}

warren_status warren_queue_purge(warren_admin *admin, const char *name, uint64_t *out_count,
                                 warren_error *err)
{
    enum { NEAR = 3 };
    struct search search = { .wanted = name, .distance = NEAR + 1 };
    struct wr_depth depth;
    uint64_t count = 0;
    visit_names(admin->settings, compare_name, &search);
    if (!search.found) {
        bool is_near = search.distance <= NEAR;
        return wr_fail(err, WARREN_NOT_FOUND, "queue %s is not in this configuration%s%s%s", name,
                       is_near ? ", did you mean " : "", is_near ? search.nearest : "",
                       is_near ? "?" : "");
    }
    warren_status rc = wr_admin_depth(admin, search.name, &depth, err);
    if (!rc) {
        rc = wr_broker_purge(admin->broker, WR_ADMIN_CHANNEL, search.name, &count, err);
    }
    if (!rc && out_count) {
        *out_count = count;
    }
    return rc;
}
