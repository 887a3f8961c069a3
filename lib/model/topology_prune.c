// SPDX-License-Identifier: MIT
// DESIGN: bindings that the config no longer asks for. With the broker's own list they are known
// exactly, and only those between objects of this topology count: other services share NS.jobs and
// NS.deliver, and their bindings are none of our business. Without the list, the best guess is
// every configured type on every configured queue that doesn't list it.
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "model/delay.h"
#include "model/topology.h"

/* --- looking things up: a sorted array of borrowed bindings --- */

static int compare_bindings(const void *a, const void *b)
{
    const struct wr_binding *left = a;
    const struct wr_binding *right = b;
    int order = strcmp(left->source, right->source);
    if (!order) {
        order = strcmp(left->destination, right->destination);
    }
    if (!order) {
        order = (int)left->to_queue - (int)right->to_queue;
    }
    if (!order) {
        order = strcmp(left->key, right->key);
    }
    return order ? order : (int)left->has_arguments - (int)right->has_arguments;
}

static struct wr_binding binding_of(const struct wr_item *item)
{
    return (struct wr_binding){ .source = item->name,
                                .destination = item->destination,
                                .to_queue = item->to_queue,
                                .key = item->key };
}

static bool is_among(const struct wr_binding *binding, const struct wr_binding *sorted,
                     size_t count)
{
    return count && bsearch(binding, sorted, count, sizeof *sorted, compare_bindings);
}

warren_status wr_topology_find_bound(const struct wr_topology *topology,
                                     const struct wr_bindings *bindings, bool *out,
                                     warren_error *err)
{
    size_t count = bindings->length;
    AUTO_FREE struct wr_binding *sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted) {
        return wr_no_memory(err);
    }
    if (count) {
        memcpy(sorted, bindings->items, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_bindings);
    }
    for (size_t i = 0; i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        bool is_binding = item->kind == WR_ITEM_BIND || item->kind == WR_ITEM_UNBIND;
        struct wr_binding wanted = binding_of(item);
        out[i] = is_binding && is_among(&wanted, sorted, count);
    }
    return WARREN_OK;
}

/* --- what stands there and isn't asked for --- */

/* Everything that belongs to a topology, as sorted arrays. Objects are bindings without source. */
struct known {
    struct wr_binding *wanted;
    size_t wanted_count;
    struct wr_binding *objects;
    size_t object_count;
};

static void add_object(struct known *known, const char *name, bool is_queue)
{
    known->objects[known->object_count++] = (struct wr_binding){ "", name, is_queue, "", false };
}

static warren_status know(struct known *known, const struct wr_topology *topology,
                          warren_error *err)
{
    size_t most = topology->length + topology->leftover_count + 1;
    known->wanted = calloc(most, sizeof *known->wanted);
    known->objects = calloc(most, sizeof *known->objects);
    if (!known->wanted || !known->objects) {
        return wr_no_memory(err);
    }
    for (size_t i = 0; i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        if (item->kind == WR_ITEM_BIND) {
            known->wanted[known->wanted_count++] = binding_of(item);
        } else if (item->kind != WR_ITEM_UNBIND) {
            add_object(known, item->name, item->kind == WR_ITEM_QUEUE);
        }
    }
    qsort(known->wanted, known->wanted_count, sizeof *known->wanted, compare_bindings);
    qsort(known->objects, known->object_count, sizeof *known->objects, compare_bindings);
    return WARREN_OK;
}

static bool is_object(const struct known *known, const char *name, bool is_queue)
{
    struct wr_binding object = { "", name, is_queue, "", false };
    return is_among(&object, known->objects, known->object_count);
}

static void add_unbinding(struct wr_topology_builder *builder, const struct wr_binding *binding)
{
    wr_topology_add(builder, (struct wr_item){ .kind = WR_ITEM_UNBIND,
                                               .name = binding->source,
                                               .destination = binding->destination,
                                               .to_queue = binding->to_queue,
                                               .key = binding->key,
                                               .has_arguments = binding->has_arguments });
}

warren_status wr_topology_build_surplus(struct wr_topology **out,
                                        const struct wr_topology *topology,
                                        const struct wr_bindings *bindings, warren_error *err)
{
    struct wr_topology_builder builder;
    struct known known = { 0 };
    warren_status rc = wr_topology_start(&builder, err);
    if (rc) {
        return rc;
    }
    rc = know(&known, topology, err);
    for (size_t i = 0; !rc && i < bindings->length; i++) {
        const struct wr_binding *binding = &bindings->items[i];
        if (is_object(&known, binding->source, false) &&
            is_object(&known, binding->destination, binding->to_queue) &&
            !is_among(binding, known.wanted, known.wanted_count)) {
            add_unbinding(&builder, binding);
        }
    }
    free(known.wanted);
    free(known.objects);
    if (rc) {
        wr_topology_free(builder.topology);
        return rc;
    }
    return wr_topology_finish(&builder, out, err);
}

/* --- the guess --- */

static bool lists_type(const struct wr_queue_settings *queue, const char *type)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        if (strcmp(queue->jobs[i].type, type) == 0) {
            return true;
        }
    }
    return false;
}

struct guess {
    struct wr_topology_builder builder;
    char jobs[WR_NAME_SIZE];
    char deliver[WR_NAME_SIZE];
};

static void unbind_type(struct guess *guess, const struct wr_queue_settings *queue,
                        const char *type)
{
    char home[WR_DELAY_KEY_SIZE];
    if (lists_type(queue, type) || !wr_delay_home_key(home, sizeof home, "type", type)) {
        return;
    }
    const char *exchange = queue->exchange ? queue->exchange : guess->jobs;
    add_unbinding(&guess->builder,
                  &(struct wr_binding){ exchange, queue->name, true, type, false });
    add_unbinding(&guess->builder,
                  &(struct wr_binding){ guess->deliver, queue->name, true, home, false });
}

warren_status wr_topology_build_prune(struct wr_topology **out, const struct wr_settings *settings,
                                      warren_error *err)
{
    struct guess guess;
    warren_status rc = wr_topology_start(&guess.builder, err);
    if (rc) {
        return rc;
    }
    wr_topology_exchange(guess.jobs, sizeof guess.jobs, settings->ns, "jobs");
    wr_topology_exchange(guess.deliver, sizeof guess.deliver, settings->ns, "deliver");
    for (size_t i = 0; i < settings->queue_count; i++) {
        for (size_t j = 0; j < settings->queue_count; j++) {
            const struct wr_queue_settings *other = &settings->queues[j];
            for (size_t k = 0; j != i && k < other->job_count; k++) {
                unbind_type(&guess, &settings->queues[i], other->jobs[k].type);
            }
        }
    }
    return wr_topology_finish(&guess.builder, out, err);
}
