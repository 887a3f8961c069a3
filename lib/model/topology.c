// SPDX-License-Identifier: MIT
// DESIGN: what has to stand in the broker, said once, as a list. Exchanges come first, then queues,
// then bindings, so that the list can be sent as it is. The picture:
//
//   publish ──► NS.jobs (or the queue's own exchange) ──type──► work queue ──dead──► NS.dead
//   delayed publish ──► NS.delay.<ms> ──► … TTL queues, one a bit … ──► NS.deliver ──► work queue
//   retry           ──► NS.retry.<ms> ──► as a delayed one from its first queue on
//   retry, one hop  ──► NS.retry.<ms> ──► TTL queue ──► NS.delay.<ms> ──► NS.home ──► work queue
//                       … the lowest      ──► TTL queue ──► NS.arrive ──► work queue
//   what no queue takes on the way ──► NS.unrouted
//
// The ladder's bindings look at one hex digit each: exchange n, of digit p = n / 4, sends a message
// to the queue of the highest set bit at or below its own in that digit, and where none is set, on
// to the exchange of the next lower digit. So a zero digit costs one hop and no wait. What has no
// digits, a retry of one hop, is taken by none of them and goes to their alternate exchange, NS.home.
// What leaves the lowest queue is at home wherever it came from: NS.arrive is a direct exchange, which
// costs the broker far less than a look for `#.<home>`, and has NS.deliver behind it for what has
// digits still. NS.home has not, or a key with digits that no level knows would come home early.
//
// Isolated types: a switch binds the new queue and in the next breath unbinds the old one; the
// other way round a message could find no queue. The pair is sent in one write.
#include "model/topology.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "model/delay.h"

struct plan {
    struct wr_topology_builder builder;
    const struct wr_settings *settings;
    bool trusts_x_death;
    char jobs[WR_NAME_SIZE];
    char dead[WR_NAME_SIZE];
    char deliver[WR_NAME_SIZE];
    char home[WR_NAME_SIZE];
    char arrive[WR_NAME_SIZE];
    char unrouted[WR_NAME_SIZE];
    char isolated[WR_NAME_SIZE];
    const char **queues; /* the names of all queues, sorted, once all are in the list */
    size_t queue_count;
};

/* What is cut here is longer than AMQP allows, and refused below. */
static void join(char *out, size_t size, const char *head, const char *tail)
{
    if (snprintf(out, size, "%s.%s", head, tail) < 0) {
        out[0] = '\0';
    }
}

void wr_topology_dead_queue(char *out, size_t size, const char *queue)
{
    join(out, size, queue, "dead");
}

void wr_topology_isolated_queue(char *out, size_t size, const char *queue, const char *type)
{
    join(out, size, queue, type);
}

void wr_topology_exchange(char *out, size_t size, const char *ns, const char *what)
{
    join(out, size, ns, what);
}

/* --- exchanges --- */

static void add_exchange(struct plan *plan, const char *name, const char *type,
                         const char *alternate)
{
    wr_topology_add(&plan->builder, (struct wr_item){ .kind = WR_ITEM_EXCHANGE,
                                                      .name = name,
                                                      .type = type,
                                                      .alternate = alternate });
}

static void add_level_exchange(struct plan *plan, const char *name, const char *type,
                               const char *alternate)
{
    wr_topology_add(&plan->builder, (struct wr_item){ .kind = WR_ITEM_EXCHANGE,
                                                      .name = name,
                                                      .type = type,
                                                      .alternate = alternate,
                                                      .is_level = true });
}

static bool is_own_exchange(const struct plan *plan, const char *name)
{
    size_t length = strlen(plan->settings->ns);
    return strncmp(name, plan->settings->ns, length) == 0 && name[length] == '.';
}

static const char *jobs_exchange(const struct plan *plan, const struct wr_queue_settings *queue)
{
    return queue->exchange ? queue->exchange : plan->jobs;
}

/* The exchanges that queue files name; one of several queues is declared once. */
static warren_status add_foreign_exchange(struct plan *plan, const struct wr_queue_settings *queue,
                                          warren_error *err)
{
    const char *name = queue->exchange;
    if (!name || strcmp(name, plan->jobs) == 0) {
        return WARREN_OK;
    }
    if (is_own_exchange(plan, name)) {
        return wr_fail(err, WARREN_CONFIG,
                       "%s:%d: queue %s: exchange \"%s\" is in Warren's namespace \"%s.\"; only "
                       "%s takes jobs there: leave the option out or name another exchange",
                       queue->file ? queue->file : "config", queue->line, queue->name, name,
                       plan->settings->ns, plan->jobs);
    }
    const struct wr_topology *topology = plan->builder.topology;
    for (size_t i = 0; i < topology->length; i++) {
        if (strcmp(topology->items[i].name, name) == 0) {
            return WARREN_OK;
        }
    }
    wr_topology_add(&plan->builder, (struct wr_item){ .kind = WR_ITEM_EXCHANGE,
                                                      .name = name,
                                                      .type = "topic",
                                                      .is_foreign = true });
    return WARREN_OK;
}

static void add_markers(struct plan *plan, const struct wr_queue_settings *queue)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        if (queue->jobs[i].isolate) {
            char name[WR_NAME_SIZE];
            char marker[WR_NAME_SIZE];
            wr_topology_isolated_queue(name, sizeof name, queue->name, queue->jobs[i].type);
            join(marker, sizeof marker, plan->isolated, name);
            add_exchange(plan, marker, "fanout", NULL);
        }
    }
}

/* The exchange, and the queue, of a level; below the lowest is the way home for keys with digits. */
static void level_target(const struct plan *plan, char *out, size_t size, int level)
{
    if (level < 0) {
        (void)snprintf(out, size, "%s", plan->deliver);
    } else {
        (void)wr_delay_level_name(out, size, plan->settings->ns, level);
    }
}

static bool isolates_any(const struct wr_settings *settings)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        for (size_t j = 0; j < settings->queues[i].job_count; j++) {
            if (settings->queues[i].jobs[j].isolate) {
                return true;
            }
        }
    }
    return false;
}

static warren_status add_exchanges(struct plan *plan, int levels, warren_error *err)
{
    add_exchange(plan, plan->unrouted, "fanout", NULL);
    add_exchange(plan, plan->jobs, "topic", NULL);
    add_exchange(plan, plan->dead, "direct", plan->unrouted);
    add_exchange(plan, plan->deliver, "topic", plan->unrouted);
    add_exchange(plan, plan->home, "direct", plan->unrouted);
    add_exchange(plan, plan->arrive, "direct", plan->deliver);
    for (int level = 0; level < levels; level++) {
        char name[WR_NAME_SIZE];
        level_target(plan, name, sizeof name, level);
        add_level_exchange(plan, name, "topic", plan->home);
        (void)wr_delay_retry_name(name, sizeof name, plan->settings->ns, level);
        add_level_exchange(plan, name, "fanout", plan->unrouted);
    }
    if (isolates_any(plan->settings)) {
        add_exchange(plan, plan->isolated, "fanout", NULL);
    }
    for (size_t i = 0; i < plan->settings->queue_count; i++) {
        warren_status rc = add_foreign_exchange(plan, &plan->settings->queues[i], err);
        if (rc) {
            return rc;
        }
        add_markers(plan, &plan->settings->queues[i]);
    }
    return WARREN_OK;
}

/* --- queues --- */

static void add_kept_queue(struct plan *plan, const char *name)
{
    wr_topology_add(&plan->builder,
                    (struct wr_item){ .kind = WR_ITEM_QUEUE,
                                      .name = name,
                                      .arguments = { .type = WR_QUORUM,
                                                     .delivery_limit = WR_DELIVERY_LIMIT_KEEP } });
}

static void add_level_queue(struct plan *plan, int level)
{
    char name[WR_NAME_SIZE];
    char next[WR_NAME_SIZE];
    level_target(plan, name, sizeof name, level);
    level_target(plan, next, sizeof next, level - 1);
    wr_topology_add(&plan->builder,
                    (struct wr_item){ .kind = WR_ITEM_QUEUE,
                                      .name = name,
                                      .is_level = true,
                                      .arguments = { .type = WR_QUORUM,
                                                     .dead_exchange = level ? next : plan->arrive,
                                                     .ttl_ms = wr_delay_level_ms(level),
                                                     .at_least_once = true,
                                                     .reject_publish = true } });
}

/* Isolated queues are like the queue they stand beside, and their dead letters join its own. */
static struct wr_queue_arguments work_arguments(const struct plan *plan,
                                                const struct wr_queue_settings *queue)
{
    bool is_quorum = queue->type == WR_QUORUM;
    bool is_safe = is_quorum && !plan->trusts_x_death;
    return (struct wr_queue_arguments){ .type = queue->type,
                                        .dead_exchange = plan->dead,
                                        .dead_key = queue->name,
                                        .delivery_limit = is_quorum ? WR_DELIVERY_LIMIT_WORK : 0,
                                        .at_least_once = is_safe,
                                        .reject_publish = is_safe };
}

static warren_status add_work_queue(struct plan *plan, const struct wr_queue_settings *queue,
                                    const char *name, warren_error *err)
{
    char key[WR_DELAY_KEY_SIZE];
    if (!wr_delay_home_key(key, sizeof key, "queue", name)) {
        return wr_fail(err, WARREN_CONFIG,
                       "%s:%d: queue name \"%s\" has %zu bytes; at most 235 fit into the delay "
                       "ladder's keys",
                       queue->file ? queue->file : "config", queue->line, name, strlen(name));
    }
    wr_topology_add(&plan->builder,
                    (struct wr_item){ .kind = WR_ITEM_QUEUE,
                                      .name = name,
                                      .arguments = work_arguments(plan, queue),
                                      .strategy_may_differ = queue->type == WR_QUORUM });
    return WARREN_OK;
}

static warren_status add_queues_of(struct plan *plan, const struct wr_queue_settings *queue,
                                   warren_error *err)
{
    char name[WR_NAME_SIZE];
    warren_status rc = add_work_queue(plan, queue, queue->name, err);
    for (size_t i = 0; !rc && i < queue->job_count; i++) {
        if (queue->jobs[i].isolate) {
            wr_topology_isolated_queue(name, sizeof name, queue->name, queue->jobs[i].type);
            rc = add_work_queue(plan, queue, name, err);
        }
    }
    wr_topology_dead_queue(name, sizeof name, queue->name);
    add_kept_queue(plan, name);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two objects of one name would overwrite each other's meaning: "a" with the isolated type "b.c"
 * and "a.b" with "c" is such a pair. */
static warren_status check_queue_names(struct plan *plan, warren_error *err)
{
    const struct wr_topology *topology = plan->builder.topology;
    plan->queues = calloc(topology->length + 1, sizeof *plan->queues);
    if (!plan->queues || plan->builder.failed) {
        return wr_no_memory(err);
    }
    for (size_t i = 0; i < topology->length; i++) {
        if (topology->items[i].kind == WR_ITEM_QUEUE) {
            plan->queues[plan->queue_count++] = topology->items[i].name;
        }
    }
    qsort(plan->queues, plan->queue_count, sizeof *plan->queues, compare_names);
    for (size_t i = 1; i < plan->queue_count; i++) {
        if (strcmp(plan->queues[i - 1], plan->queues[i]) == 0) {
            return wr_fail(err, WARREN_CONFIG,
                           "two queues would be named \"%s\": each queue has a \"<queue>.dead\", "
                           "each isolated type a \"<queue>.<type>\", and %s.* is Warren's own; "
                           "rename one of them",
                           plan->queues[i], plan->settings->ns);
        }
    }
    return WARREN_OK;
}

static warren_status add_queues(struct plan *plan, int levels, warren_error *err)
{
    add_kept_queue(plan, plan->unrouted);
    for (int level = 0; level < levels; level++) {
        add_level_queue(plan, level);
    }
    for (size_t i = 0; i < plan->settings->queue_count; i++) {
        warren_status rc = add_queues_of(plan, &plan->settings->queues[i], err);
        if (rc) {
            return rc;
        }
    }
    return check_queue_names(plan, err);
}

/* --- bindings --- */

static void add_binding(struct plan *plan, const char *source, const char *queue, const char *key)
{
    wr_topology_add(&plan->builder, (struct wr_item){ .kind = WR_ITEM_BIND,
                                                      .name = source,
                                                      .destination = queue,
                                                      .to_queue = true,
                                                      .key = key });
}

/* `leftover`: only if a queue of that name is what the type left, and not somebody else's. */
static void add_unbinding(struct plan *plan, const char *source, const char *queue, const char *key,
                          bool leftover)
{
    wr_topology_add(&plan->builder, (struct wr_item){ .kind = WR_ITEM_UNBIND,
                                                      .name = source,
                                                      .destination = queue,
                                                      .to_queue = true,
                                                      .key = key,
                                                      .leftover = leftover ? queue : NULL });
}

/* One of the 16 bindings of a level: for the value `value` of its digit. */
static void add_rung(struct plan *plan, int level, unsigned value)
{
    int digit = level / 4;
    unsigned at_or_below = value & ((2u << (level % 4)) - 1);
    bool to_queue = at_or_below != 0;
    int target = to_queue ? 4 * digit + wr_delay_entry_level(at_or_below) : 4 * digit - 1;
    char key[2 * WR_DELAY_DIGITS + 4] = "";
    for (int i = 0; i < digit; i++) {
        memcpy(key + 2 * i, "*.", 2);
    }
    (void)snprintf(key + 2 * digit, sizeof key - (size_t)(2 * digit), "%x.#", value);
    char source[WR_NAME_SIZE];
    char destination[WR_NAME_SIZE];
    level_target(plan, source, sizeof source, level);
    level_target(plan, destination, sizeof destination, target);
    wr_topology_add(&plan->builder, (struct wr_item){ .kind = WR_ITEM_BIND,
                                                      .name = source,
                                                      .destination = destination,
                                                      .to_queue = to_queue,
                                                      .key = key });
}

static void bind_retry(struct plan *plan, int level)
{
    char source[WR_NAME_SIZE];
    char queue[WR_NAME_SIZE];
    (void)wr_delay_retry_name(source, sizeof source, plan->settings->ns, level);
    level_target(plan, queue, sizeof queue, level);
    add_binding(plan, source, queue, "");
}

static void bind_home(struct plan *plan, const char *queue)
{
    char key[WR_DELAY_KEY_SIZE];
    if (wr_delay_home_key(key, sizeof key, "queue", queue)) {
        add_binding(plan, plan->deliver, queue, key);
    }
    if (wr_delay_key(key, sizeof key, 0, "queue", queue)) {
        add_binding(plan, plan->home, queue, key);
        add_binding(plan, plan->arrive, queue, key);
    }
}

/* The type leaves the queue it had: adjacent to the new binding, for both ways in. */
static void bind_type(struct plan *plan, const char *exchange, const struct wr_job_settings *job,
                      const char *const queues[2], bool leftover)
{
    char home[WR_DELAY_KEY_SIZE];
    (void)wr_delay_home_key(home, sizeof home, "type", job->type);
    add_binding(plan, exchange, queues[0], job->type);
    if (queues[1]) {
        add_unbinding(plan, exchange, queues[1], job->type, leftover);
    }
    add_binding(plan, plan->deliver, queues[0], home);
    if (queues[1]) {
        add_unbinding(plan, plan->deliver, queues[1], home, leftover);
    }
}

static bool may_be_left_over(const struct plan *plan, const char *name)
{
    char key[WR_DELAY_KEY_SIZE];
    return wr_delay_home_key(key, sizeof key, "queue", name) &&
           !bsearch(&name, plan->queues, plan->queue_count, sizeof *plan->queues, compare_names);
}

static void bind_shared_type(struct plan *plan, const struct wr_queue_settings *queue,
                             const struct wr_job_settings *job, const char *isolated)
{
    bool leftover = may_be_left_over(plan, isolated);
    if (leftover) {
        char marker[WR_NAME_SIZE];
        join(marker, sizeof marker, plan->isolated, isolated);
        wr_topology_add_leftover(&plan->builder,
                                 (struct wr_leftover){ .queue = isolated,
                                                       .marker = marker,
                                                       .of_queue = queue->name,
                                                       .type = job->type,
                                                       .arguments = work_arguments(plan, queue) });
    }
    bind_type(plan, jobs_exchange(plan, queue), job,
              (const char *const[]){ queue->name, leftover ? isolated : NULL }, true);
}

static warren_status bind_types(struct plan *plan, const struct wr_queue_settings *queue,
                                warren_error *err)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        const struct wr_job_settings *job = &queue->jobs[i];
        char isolated[WR_NAME_SIZE];
        char key[WR_DELAY_KEY_SIZE];
        if (!wr_delay_home_key(key, sizeof key, "type", job->type)) {
            return wr_fail(err, WARREN_CONFIG,
                           "%s:%d: job type \"%s\" has %zu bytes; at most 236 fit into the delay "
                           "ladder's keys",
                           job->file ? job->file : "config", job->line, job->type,
                           strlen(job->type));
        }
        wr_topology_isolated_queue(isolated, sizeof isolated, queue->name, job->type);
        if (job->isolate) {
            bind_home(plan, isolated);
            bind_type(plan, jobs_exchange(plan, queue), job,
                      (const char *const[]){ isolated, queue->name }, false);
        } else {
            bind_shared_type(plan, queue, job, isolated);
        }
    }
    return WARREN_OK;
}

static warren_status add_bindings(struct plan *plan, int levels, warren_error *err)
{
    add_binding(plan, plan->unrouted, plan->unrouted, "");
    for (int level = 0; level < levels; level++) {
        for (unsigned value = 0; value < 16; value++) {
            add_rung(plan, level, value);
        }
        bind_retry(plan, level);
    }
    for (size_t i = 0; i < plan->settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &plan->settings->queues[i];
        char dead[WR_NAME_SIZE];
        wr_topology_dead_queue(dead, sizeof dead, queue->name);
        add_binding(plan, plan->dead, dead, queue->name);
        bind_home(plan, queue->name);
        warren_status rc = bind_types(plan, queue, err);
        if (rc) {
            return rc;
        }
    }
    return WARREN_OK;
}

/* --- the control plane --- */

/* Orders, answers and news go through the exchange; what is to hold for workers that start later is kept
 * in the stream. */
static void add_control(struct plan *plan)
{
    char control[WR_NAME_SIZE];
    char state[WR_NAME_SIZE];
    wr_topology_exchange(control, sizeof control, plan->settings->ns, "control");
    wr_topology_exchange(state, sizeof state, plan->settings->ns, "state");
    add_exchange(plan, control, "topic", NULL);
    wr_topology_add(&plan->builder,
                    (struct wr_item){ .kind = WR_ITEM_QUEUE,
                                      .name = state,
                                      .arguments = { .type = WR_STREAM,
                                                     .bytes_most = WR_STATE_BYTES,
                                                     .segment_bytes = WR_STATE_SEGMENT_BYTES } });
    add_binding(plan, control, state, "state.#");
}

/* --- the whole --- */

static warren_status fill(struct plan *plan, warren_error *err)
{
    int levels = wr_delay_levels(plan->settings->delay_max_ms);
    warren_status rc = add_exchanges(plan, levels, err);
    if (!rc) {
        rc = add_queues(plan, levels, err);
    }
    if (!rc && plan->settings->has_control) {
        add_control(plan);
    }
    return rc ? rc : add_bindings(plan, levels, err);
}

/* What is checked in the file already, checked where it would cut a name. */
static warren_status check_namespace(const struct wr_settings *settings, warren_error *err)
{
    enum { MOST = 200 };
    size_t length = strlen(settings->ns);
    if (length == 0 || length > MOST) {
        return wr_fail(err, WARREN_CONFIG, "the namespace has %zu bytes; it needs 1 to %d", length,
                       MOST);
    }
    return WARREN_OK;
}

/* Exchange names have AMQP's limit, too; only markers can come near it. */
static warren_status check_lengths(const struct wr_topology *topology, warren_error *err)
{
    for (size_t i = 0; i < topology->length; i++) {
        const char *name = topology->items[i].name;
        if (name && strlen(name) > 255) {
            return wr_fail(err, WARREN_CONFIG,
                           "the name \"%s\" has %zu bytes, AMQP allows 255: shorten the queue, "
                           "the job type or the namespace",
                           name, strlen(name));
        }
    }
    return WARREN_OK;
}

warren_status wr_topology_build(struct wr_topology **out, const struct wr_settings *settings,
                                bool trusts_x_death, warren_error *err)
{
    struct plan plan = { .settings = settings, .trusts_x_death = trusts_x_death };
    warren_status rc = check_namespace(settings, err);
    if (rc || (rc = wr_topology_start(&plan.builder, err))) {
        return rc;
    }
    wr_topology_exchange(plan.jobs, sizeof plan.jobs, settings->ns, "jobs");
    wr_topology_exchange(plan.dead, sizeof plan.dead, settings->ns, "dead");
    wr_topology_exchange(plan.deliver, sizeof plan.deliver, settings->ns, "deliver");
    wr_topology_exchange(plan.home, sizeof plan.home, settings->ns, "home");
    wr_topology_exchange(plan.arrive, sizeof plan.arrive, settings->ns, "arrive");
    wr_topology_exchange(plan.unrouted, sizeof plan.unrouted, settings->ns, "unrouted");
    wr_topology_exchange(plan.isolated, sizeof plan.isolated, settings->ns, "isolated");
    plan.builder.topology->marker = wr_topology_keep(&plan.builder, plan.isolated);
    rc = fill(&plan, err);
    if (!rc) {
        rc = check_lengths(plan.builder.topology, err);
    }
    free(plan.queues);
    if (rc) {
        wr_topology_free(plan.builder.topology);
        return rc;
    }
    return wr_topology_finish(&plan.builder, out, err);
}
