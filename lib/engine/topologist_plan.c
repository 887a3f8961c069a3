// SPDX-License-Identifier: MIT
// DESIGN: a plan changes nothing. A passive look tells whether an object exists; only if it does,
// it is declared again as the config wants it, which the broker answers with nothing or with the
// difference. Bindings can't be looked at by AMQP: with the management API's list they are known,
// without it they are not, and the plan says so.
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/topologist.h"
#include "engine/topologist_session.h"

struct look {
    struct wr_session session;
    const struct wr_topology *topology;
    const struct wr_bindings *bindings;
    struct wr_plan *plan;
    bool *exists;    /* by item: objects */
    bool *bound;     /* by item: bindings and unbindings */
    bool *left_over; /* by left-over */
};

void wr_plan_done(struct wr_plan *plan)
{
    for (size_t i = 0; i < plan->length; i++) {
        free(plan->rows[i].text);
    }
    free(plan->rows);
    wr_topology_free(plan->extra);
    *plan = (struct wr_plan){ 0 };
}

/* `text` may be NULL. */
static warren_status add_row(struct wr_plan *plan, const struct wr_item *item,
                             enum wr_plan_state state, const char *text, warren_error *err)
{
    if (plan->length == plan->capacity) {
        size_t capacity = plan->capacity ? plan->capacity * 2 : 64;
        struct wr_plan_row *rows = realloc(plan->rows, capacity * sizeof *rows);
        if (!rows) {
            return wr_no_memory(err);
        }
        plan->rows = rows;
        plan->capacity = capacity;
    }
    char *copy = text && text[0] ? strdup(text) : NULL;
    if (text && text[0] && !copy) {
        return wr_no_memory(err);
    }
    plan->rows[plan->length++] = (struct wr_plan_row){ item, state, copy };
    return WARREN_OK;
}

/* --- exchanges and queues --- */

static warren_status compare_existing(struct look *look, const struct wr_item *item,
                                      warren_error *err)
{
    struct wr_text text = { 0 };
    warren_error said = { 0 };
    enum wr_plan_state state = WR_PLAN_EXISTS;
    warren_status rc = wr_session_compare(&look->session, item, &text, &said);
    if (rc == WARREN_MISMATCH) {
        state = WR_PLAN_DIFFERS;
    } else if (rc == WARREN_REFUSED) {
        state = WR_PLAN_UNKNOWN;
        wr_text_add_string(&text, "it exists; to compare its arguments, this user would need the "
                                  "right to configure it");
    } else if (rc) {
        wr_text_done(&text);
        return wr_fail(err, rc, "comparing %s: %s", item->name, said.text);
    }
    rc = add_row(look->plan, item, state, wr_text_string(&text), err);
    wr_text_done(&text);
    return rc;
}

static warren_status plan_object(struct look *look, size_t i, warren_error *err)
{
    const struct wr_item *item = &look->topology->items[i];
    warren_error said = { 0 };
    warren_status rc = wr_session_try(&look->session, item, WR_LOOK, &said);
    look->exists[i] = rc == WARREN_OK;
    if (rc == WARREN_NOT_FOUND) {
        return add_row(look->plan, item, WR_PLAN_MISSING, NULL, err);
    }
    return rc ? wr_fail(err, rc, "looking for %s: %s", item->name, said.text)
              : compare_existing(look, item, err);
}

/* --- bindings --- */

/* Objects that the topology doesn't name (left-overs) count as existing. */
static bool may_exist(const struct look *look, const char *name, bool is_queue)
{
    enum wr_item_kind kind = is_queue ? WR_ITEM_QUEUE : WR_ITEM_EXCHANGE;
    for (size_t i = 0; i < look->topology->length; i++) {
        const struct wr_item *item = &look->topology->items[i];
        if (item->kind == kind && strcmp(item->name, name) == 0) {
            return look->exists[i];
        }
    }
    return true;
}

static warren_status plan_binding(struct look *look, size_t i, warren_error *err)
{
    const struct wr_item *item = &look->topology->items[i];
    if (!may_exist(look, item->name, false) ||
        !may_exist(look, item->destination, item->to_queue)) {
        return add_row(look->plan, item, WR_PLAN_MISSING, NULL, err);
    }
    if (!look->bindings) {
        return add_row(look->plan, item, WR_PLAN_UNKNOWN,
                       "only the management API lists bindings (broker.management_url)", err);
    }
    enum wr_plan_state state = look->bound[i] ? WR_PLAN_EXISTS : WR_PLAN_MISSING;
    return add_row(look->plan, item, state, NULL, err);
}

static bool is_left_over(const struct look *look, const char *queue)
{
    for (size_t i = 0; i < look->topology->leftover_count; i++) {
        if (look->left_over[i] && strcmp(look->topology->leftovers[i].queue, queue) == 0) {
            return true;
        }
    }
    return false;
}

static warren_status plan_unbinding(struct look *look, size_t i, warren_error *err)
{
    const struct wr_item *item = &look->topology->items[i];
    bool has_queue = item->leftover ? is_left_over(look, item->leftover)
                                    : may_exist(look, item->destination, true);
    if (!has_queue || !may_exist(look, item->name, false) || (look->bindings && !look->bound[i])) {
        return WARREN_OK;
    }
    if (!look->bindings) {
        return add_row(look->plan, item, WR_PLAN_UNKNOWN,
                       "apply removes it if it is there (a switch of isolate)", err);
    }
    return add_row(look->plan, item, WR_PLAN_SURPLUS, "apply removes it (a switch of isolate)",
                   err);
}

/* --- what stands there beyond the topology --- */

static bool is_unbound_anyway(const struct wr_topology *topology, const struct wr_item *surplus)
{
    for (size_t i = 0; !surplus->has_arguments && i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        if (item->kind == WR_ITEM_UNBIND && strcmp(item->key, surplus->key) == 0 &&
            strcmp(item->name, surplus->name) == 0 &&
            strcmp(item->destination, surplus->destination) == 0) {
            return true;
        }
    }
    return false;
}

static void add_leftovers(struct wr_topology_builder *builder, const struct look *look)
{
    for (size_t i = 0; i < look->topology->leftover_count; i++) {
        const struct wr_leftover *leftover = &look->topology->leftovers[i];
        if (look->left_over[i]) {
            wr_topology_add(builder, (struct wr_item){ .kind = WR_ITEM_QUEUE,
                                                       .name = leftover->queue,
                                                       .arguments = leftover->arguments });
        }
    }
}

static void add_surplus(struct wr_topology_builder *builder, const struct look *look,
                        const struct wr_topology *surplus)
{
    for (size_t i = 0; i < surplus->length; i++) {
        if (!is_unbound_anyway(look->topology, &surplus->items[i])) {
            wr_topology_add(builder, surplus->items[i]);
        }
    }
}

static warren_status build_extra(const struct look *look, struct wr_topology **out,
                                 warren_error *err)
{
    struct wr_topology *surplus = NULL;
    struct wr_topology_builder builder;
    warren_status rc = WARREN_OK;
    if (look->bindings) {
        rc = wr_topology_build_surplus(&surplus, look->topology, look->bindings, err);
    }
    if (rc || (rc = wr_topology_start(&builder, err))) {
        wr_topology_free(surplus);
        return rc;
    }
    add_leftovers(&builder, look);
    if (surplus) {
        add_surplus(&builder, look, surplus);
    }
    wr_topology_free(surplus);
    return wr_topology_finish(&builder, out, err);
}

static warren_status plan_extra(struct look *look, warren_error *err)
{
    warren_status rc = build_extra(look, &look->plan->extra, err);
    for (size_t i = 0; !rc && i < look->plan->extra->length; i++) {
        const struct wr_item *item = &look->plan->extra->items[i];
        bool is_queue = item->kind == WR_ITEM_QUEUE;
        rc = add_row(look->plan, item, is_queue ? WR_PLAN_LEFTOVER : WR_PLAN_SURPLUS,
                     is_queue ? "left over from an isolated type: workers empty it, then it can "
                                "be deleted by hand"
                     : item->has_arguments
                         ? "it has arguments, so apply --prune leaves it: remove it by hand"
                         : "apply --prune removes it",
                     err);
    }
    return rc;
}

/* --- the story --- */

static warren_status plan_items(struct look *look, warren_error *err)
{
    warren_status rc = WARREN_OK;
    for (size_t i = 0; !rc && i < look->topology->length; i++) {
        switch (look->topology->items[i].kind) {
        case WR_ITEM_EXCHANGE:
        case WR_ITEM_QUEUE:
            rc = plan_object(look, i, err);
            break;
        case WR_ITEM_BIND:
            rc = plan_binding(look, i, err);
            break;
        case WR_ITEM_UNBIND:
            rc = plan_unbinding(look, i, err);
            break;
        }
    }
    return rc;
}

static warren_status plan_all(struct look *look, warren_error *err)
{
    warren_status rc = WARREN_OK;
    if (look->bindings) {
        rc = wr_topology_find_bound(look->topology, look->bindings, look->bound, err);
    }
    if (!rc) {
        rc = wr_session_find_leftovers(&look->session, look->topology, true, look->left_over, err);
    }
    if (!rc) {
        rc = plan_items(look, err);
    }
    return rc ? rc : plan_extra(look, err);
}

warren_status wr_topologist_plan(struct wr_broker *broker, uint16_t channel,
                                 const struct wr_topology *topology,
                                 const struct wr_bindings *bindings, struct wr_plan *out,
                                 warren_error *err)
{
    struct look look = { .session = { .broker = broker, .channel = channel },
                         .topology = topology,
                         .bindings = bindings,
                         .plan = out };
    AUTO_FREE bool *exists = calloc(topology->length + 1, sizeof *exists);
    AUTO_FREE bool *bound = calloc(topology->length + 1, sizeof *bound);
    AUTO_FREE bool *left_over = calloc(topology->leftover_count + 1, sizeof *left_over);
    if (!exists || !bound || !left_over) {
        return wr_no_memory(err);
    }
    look.exists = exists;
    look.bound = bound;
    look.left_over = left_over;
    warren_status rc = plan_all(&look, err);
    wr_session_done(&look.session);
    return rc;
}
