// SPDX-License-Identifier: MIT
// DESIGN: the verbs. Looking and grouping keep every letter; dropping acknowledges those that match;
// replaying publishes a match on a second connection, waits for the confirm, and only then
// acknowledges. So at any interruption a letter is still in its dead queue, or already in its work
// queue, or (between confirm and ack) in both, but never in neither.
#include "warren/dead.h"

#include "base/error.h"
#include "front/dead_home.h"
#include "front/dead_hunt.h"
#include "model/grouping.h"
#include "model/outcome.h"
#include "model/retry.h"
#include "model/topology.h"

enum { NAME_SIZE = 256, GROUPS_MOST = 1000, UNTIMED_RUN_MS = 30 * 1000 };

void warren_dead_watch(warren_admin *admin, warren_dead_progress *progress, void *user)
{
    admin->progress = progress;
    admin->progress_user = user;
}

void warren_dead_pace(warren_admin *admin, double per_second)
{
    admin->pace = per_second > 0 ? per_second : 0;
}

const char *warren_dead_reason_at(size_t index, const char **out_sentence)
{
    if (index + 1 >= WR_REASONS) { /* the last row is for words of others */
        return NULL;
    }
    if (out_sentence) {
        *out_sentence = wr_reason_sentences[index];
    }
    return wr_reason_names[index];
}

/* --- look --- */

static enum wr_walk_choice keep_letter(struct wr_hunt *hunt, const struct wr_message *message,
                                       const struct wr_letter *letter)
{
    (void)hunt;
    (void)message;
    (void)letter;
    return WR_WALK_KEEP;
}

warren_status warren_dead_each(warren_admin *admin, const warren_dead_filter *filter,
                               warren_dead_visitor *visit, void *user, warren_error *err)
{
    struct wr_hunt hunt = { .admin = admin,
                            .filter = filter,
                            .visit = visit,
                            .user = user,
                            .treat = keep_letter,
                            .err = err };
    return wr_hunt_run(&hunt);
}

/* --- group --- */

static enum wr_walk_choice group_letter(struct wr_hunt *hunt, const struct wr_message *message,
                                        const struct wr_letter *letter)
{
    (void)message;
    if (wr_grouping_add(hunt->verb, &letter->data)) {
        hunt->rc = wr_no_memory(hunt->err);
    }
    return WR_WALK_KEEP;
}

warren_status warren_dead_groups(warren_admin *admin, const warren_dead_filter *filter, size_t most,
                                 warren_dead_group_visitor *visit, void *user, uint64_t *out_beyond,
                                 warren_error *err)
{
    struct wr_grouping grouping = { .most = most ? most : GROUPS_MOST };
    struct wr_hunt hunt = {
        .admin = admin, .filter = filter, .treat = group_letter, .verb = &grouping, .err = err
    };
    warren_status rc = wr_hunt_run(&hunt);
    if (out_beyond) {
        *out_beyond = grouping.beyond;
    }
    if (!rc) {
        const char *queue = hunt.place.queue ? hunt.place.queue : "unrouted";
        rc = wr_grouping_each(&grouping, queue, visit, user) ? wr_no_memory(err) : WARREN_OK;
    }
    wr_grouping_done(&grouping);
    return rc;
}

/* --- drop --- */

static enum wr_walk_choice drop_letter(struct wr_hunt *hunt, const struct wr_message *message,
                                       const struct wr_letter *letter)
{
    (void)hunt;
    (void)message;
    (void)letter;
    return WR_WALK_REMOVE;
}

static warren_status settle(struct wr_hunt *hunt, size_t *out_count)
{
    warren_status rc = wr_hunt_run(hunt);
    if (out_count) {
        *out_count = hunt->done;
    }
    return rc;
}

warren_status warren_dead_drop(warren_admin *admin, const warren_dead_filter *filter,
                               warren_dead_visitor *before, void *user, size_t *out_count,
                               warren_error *err)
{
    struct wr_hunt hunt = { .admin = admin,
                            .filter = filter,
                            .visit = before,
                            .user = user,
                            .treat = drop_letter,
                            .err = err };
    return settle(&hunt, out_count);
}

/* --- replay --- */

static enum wr_walk_choice replay_letter(struct wr_hunt *hunt, const struct wr_message *message,
                                         const struct wr_letter *letter)
{
    hunt->rc = wr_hunt_replay(hunt, hunt->verb, message, letter);
    return WR_WALK_REMOVE;
}

static warren_status replay_to(struct wr_homes *homes, struct wr_hunt *hunt, size_t *out_count)
{
    hunt->publishes = true;
    hunt->needs_message = true;
    hunt->treat = replay_letter;
    hunt->verb = homes;
    return settle(hunt, out_count);
}

warren_status warren_dead_replay(warren_admin *admin, const warren_dead_filter *filter,
                                 warren_dead_visitor *before, void *user, size_t *out_count,
                                 warren_error *err)
{
    struct wr_homes homes = { .admin = admin };
    struct wr_hunt hunt = {
        .admin = admin, .filter = filter, .visit = before, .user = user, .err = err
    };
    return replay_to(&homes, &hunt, out_count);
}

/* All waits and all runs of a job. */
static int64_t patience_of(const struct wr_retry_policy *policy, int64_t timeout_ms)
{
    int64_t run_ms = timeout_ms ? timeout_ms : UNTIMED_RUN_MS;
    int64_t waits_ms = wr_retry_total_ms(policy);
    return run_ms > (INT64_MAX - waits_ms) / policy->attempts
               ? INT64_MAX
               : waits_ms + policy->attempts * run_ms;
}

warren_status warren_dead_patience(warren_admin *admin, const char *queue, int64_t *out_ms,
                                   warren_error *err)
{
    const struct wr_queue_settings *settings = wr_hunt_queue(admin->settings, queue ? queue : "");
    if (!settings) {
        return wr_fail(err, WARREN_NOT_FOUND, "queue \"%s\" is not in this configuration",
                       queue ? queue : "");
    }
    int64_t longest_ms = patience_of(&settings->retry, 0);
    for (size_t i = 0; i < settings->job_count; i++) {
        int64_t total_ms = patience_of(&settings->jobs[i].retry, settings->jobs[i].timeout_ms);
        longest_ms = total_ms > longest_ms ? total_ms : longest_ms;
    }
    *out_ms = longest_ms;
    return WARREN_OK;
}

/* --- move --- */

static enum wr_walk_choice move_letter(struct wr_hunt *hunt, const struct wr_message *message,
                                       const struct wr_letter *letter)
{
    const struct wr_queue_settings *target = hunt->with;
    hunt->rc = wr_hunt_bury(hunt, target->name, message, letter);
    return WR_WALK_REMOVE;
}

/* A dead queue that isn't there would send what is moved on to the catch-all. */
static warren_status check_dead_queue(warren_admin *admin, const struct wr_queue_settings *queue,
                                      warren_error *err)
{
    char name[NAME_SIZE];
    struct wr_depth depth;
    wr_topology_dead_queue(name, sizeof name, queue->name);
    return wr_admin_depth(admin, name, &depth, err);
}

warren_status warren_dead_move(warren_admin *admin, const warren_dead_filter *filter,
                               const char *target, warren_dead_visitor *before, void *user,
                               size_t *out_count, warren_error *err)
{
    const char *wanted = target ? target : "";
    const struct wr_queue_settings *queue = wr_hunt_queue(admin->settings, wanted);
    const struct wr_queue_settings *from = wr_hunt_queue(admin->settings, filter->queue);
    struct wr_homes homes = { .admin = admin };
    struct wr_hunt hunt = { .admin = admin,
                            .filter = filter,
                            .visit = before,
                            .user = user,
                            .publishes = true,
                            .needs_message = true,
                            .treat = move_letter,
                            .err = err };
    if (out_count) {
        *out_count = 0;
    }
    if (!queue) {
        return wr_fail(err, WARREN_NOT_FOUND,
                       "queue \"%s\" is not in this configuration: want the name of a configured "
                       "queue or of its dead queue",
                       wanted);
    }
    if (strcmp(wanted, queue->name) == 0) {
        homes.target = queue;
        return replay_to(&homes, &hunt, out_count);
    }
    if (queue == from) {
        return wr_fail(err, WARREN_STATE, "%s is the dead queue that they are in", wanted);
    }
    hunt.with = queue;
    warren_status rc = check_dead_queue(admin, queue, err);
    return rc ? rc : settle(&hunt, out_count);
}
