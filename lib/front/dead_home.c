// SPDX-License-Identifier: MIT
// DESIGN: a replay goes home through `NS.deliver` with a key of zero delay, so that it reaches its own
// queue only, not every queue that its type is bound to. What the catch-all holds from the ladder
// keeps the key that it had. A home that isn't there would send the letter on to the catch-all, so
// the broker is asked for each home that is new.
#include "front/dead_home.h"

#include <string.h>

#include "base/error.h"
#include "model/delay.h"
#include "model/topology.h"

enum { NAME_SIZE = WR_HOME_SIZE };

static bool is_isolated(const struct wr_queue_settings *queue, const char *type)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        if (queue->jobs[i].isolate && strcmp(queue->jobs[i].type, type) == 0) {
            return true;
        }
    }
    return false;
}

/* The queue that a type's jobs of `queue` stand in. */
static void name_home(const struct wr_queue_settings *queue, const char *type, char *home)
{
    if (is_isolated(queue, type)) {
        wr_topology_isolated_queue(home, NAME_SIZE, queue->name, type);
    } else {
        memcpy(home, queue->name, strlen(queue->name) + 1);
    }
}

static warren_status find_home(struct wr_homes *homes, const warren_dead_letter *letter, char *home,
                               warren_error *err)
{
    const struct wr_queue_settings *queue =
        homes->target ? homes->target : wr_settings_queue(homes->admin->settings, letter->queue);
    if (!queue) {
        return wr_fail(err, WARREN_NOT_FOUND,
                       "message %s was meant for queue \"%s\", which this configuration doesn't "
                       "have: add it, or drop the message",
                       letter->id, letter->queue);
    }
    name_home(queue, letter->type, home);
    return WARREN_OK;
}

/* A queue that isn't there would send the replay on to the catch-all. */
static warren_status check_home(struct wr_homes *homes, const char *home, warren_error *err)
{
    struct wr_depth depth;
    if (strcmp(home, homes->known) == 0) {
        return WARREN_OK;
    }
    warren_status rc = wr_admin_depth(homes->admin, home, &depth, err);
    if (!rc) {
        memcpy(homes->known, home, strlen(home) + 1);
    }
    return rc;
}

/* The same for a delayed publish, which goes home by its type. */
static warren_status check_type(struct wr_homes *homes, const char *type, warren_error *err)
{
    const struct wr_settings *settings = homes->admin->settings;
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        for (size_t j = 0; j < queue->job_count; j++) {
            if (strcmp(queue->jobs[j].type, type) == 0) {
                char home[NAME_SIZE];
                name_home(queue, type, home);
                return check_home(homes, home, err);
            }
        }
    }
    return settings->takes_all
               ? WARREN_OK
               : wr_fail(err, WARREN_NOT_FOUND,
                         "job type %s is in no queue of this configuration: add it, or drop the "
                         "message",
                         type);
}

/* Another queue than its own must know its type, or it would be dead again at once. */
static warren_status check_target(const struct wr_homes *homes, const warren_dead_letter *letter,
                                  warren_error *err)
{
    const struct wr_queue_settings *queue = homes->target;
    if (!queue || homes->admin->settings->takes_all || (!*letter->type && queue->default_type)) {
        return WARREN_OK;
    }
    for (size_t i = 0; i < queue->job_count; i++) {
        if (strcmp(queue->jobs[i].type, letter->type) == 0) {
            return WARREN_OK;
        }
    }
    return wr_fail(err, WARREN_STATE,
                   "message %s has job type \"%s\", which queue %s doesn't take: add it there, or "
                   "move others (--type)",
                   letter->id, letter->type, queue->name);
}

warren_status wr_homes_key(struct wr_homes *homes, const struct wr_message *message,
                           const struct wr_letter *letter, char *key, warren_error *err)
{
    char home[NAME_SIZE];
    bool goes_on = letter->is_on_ladder && !homes->target;
    const char *ladder_queue = goes_on ? letter->data.queue : "";
    if (goes_on) {
        memcpy(key, message->key.data, message->key.size);
        key[message->key.size] = '\0';
        return *ladder_queue ? check_home(homes, ladder_queue, err)
                             : check_type(homes, letter->data.type, err);
    }
    warren_status rc = check_target(homes, &letter->data, err);
    if (!rc) {
        rc = find_home(homes, &letter->data, home, err);
    }
    if (!rc) {
        rc = check_home(homes, home, err);
    }
    if (!rc && !wr_delay_key(key, WR_DELAY_KEY_SIZE, 0, "queue", home)) {
        rc = wr_fail(err, WARREN_INVALID, "queue name %s is too long", home);
    }
    return rc;
}
