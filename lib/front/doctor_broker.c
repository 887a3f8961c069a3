// SPDX-License-Identifier: MIT
// DESIGN: checks of the broker and of what stands there. Each asks, or has asked already, and hands
// over to the judgment (model/diagnosis) or to the trial (engine/examiner).
#include <stdlib.h>

#include "base/clock.h"
#include "front/doctor.h"

enum { CHANNEL = 1, TRIP_US = 8000000 /* through the ladder */ };

/* --- the broker itself --- */

void wr_doctor_check_management(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    const warren_broker_facts *facts = doctor->options->facts;
    if (!facts) {
        bool was_asked = doctor->options->no_facts != NULL;
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "%s",
                    was_asked ? doctor->options->no_facts : "not configured");
        wr_advise(out, was_asked
                           ? "policies, stuck dead letters, alarms, clock and bindings are unknown "
                             "meanwhile"
                           : "set broker.management_url to learn of policies, stuck dead letters, "
                             "alarms, clock and bindings, too");
    } else if (facts->problem) {
        wr_diagnose(out, WARREN_CHECK_WARN, "%s answers, but not to all: %s", facts->source,
                    facts->problem);
        wr_advise(out, "give its user the tag monitoring (rabbitmqctl set_user_tags)");
    } else {
        wr_diagnose(out, WARREN_CHECK_OK, "%s answers", facts->source);
    }
}

static struct wr_diagnosis_server server_of(const struct wr_doctor *doctor)
{
    const struct wr_server *server = wr_broker_server(doctor->broker);
    return (struct wr_diagnosis_server){ server->product, server->version, server->major,
                                         server->minor };
}

void wr_doctor_check_version(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    struct wr_diagnosis_server server = server_of(doctor);
    wr_diagnose_version(&server, doctor->settings, out);
}

void wr_doctor_check_deprecated(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    struct wr_diagnosis_server server = server_of(doctor);
    wr_diagnose_deprecated(&server, doctor->settings, doctor->options->facts, out);
}

void wr_doctor_check_clock(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    wr_diagnose_clock(doctor->options->facts, out);
}

void wr_doctor_check_alarms(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    const warren_broker_facts *facts = doctor->options->facts;
    wr_diagnose_alarms(facts, out);
    if (!facts || !facts->has_alarms) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "AMQP tells of an alarm to who publishes only: see unroutable");
    }
}

/* --- the topology --- */

static const struct wr_bindings *translate(const warren_bindings *from, struct wr_bindings *out,
                                           struct wr_binding **out_items)
{
    struct wr_binding *items = from ? calloc(from->length + 1, sizeof *items) : NULL;
    *out_items = items;
    if (!items) {
        return NULL;
    }
    for (size_t i = 0; i < from->length; i++) {
        const warren_binding *binding = &from->items[i];
        items[i] = (struct wr_binding){ binding->source, binding->destination, binding->to_queue,
                                        binding->key, binding->has_arguments };
    }
    *out = (struct wr_bindings){ items, from->length };
    return out;
}

/* Asks once; two checks read it. */
static warren_status plan_once(struct wr_doctor *doctor, warren_error *err)
{
    const warren_broker_facts *facts = doctor->options->facts;
    struct wr_bindings known;
    struct wr_binding *items;
    if (doctor->has_plan) {
        return WARREN_OK;
    }
    const struct wr_bindings *bindings = translate(facts ? facts->bindings : NULL, &known, &items);
    warren_status rc =
        wr_topologist_plan(doctor->broker, CHANNEL, doctor->topology, bindings, &doctor->plan, err);
    free(items);
    doctor->has_plan = rc == WARREN_OK;
    return rc;
}

static bool is_object(const struct wr_item *item)
{
    return item->kind == WR_ITEM_EXCHANGE || item->kind == WR_ITEM_QUEUE;
}

static size_t count_state(const struct wr_plan *plan, enum wr_plan_state state, bool objects)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->length; i++) {
        count += plan->rows[i].state == state && is_object(plan->rows[i].item) == objects;
    }
    return count;
}

void wr_doctor_check_permissions(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    warren_error said = { 0 };
    if (plan_once(doctor, &said)) {
        wr_diagnose(out, said.status == WARREN_REFUSED ? WARREN_CHECK_FAIL : WARREN_CHECK_UNKNOWN,
                    "%s", said.text);
        wr_advise(out, "the rights that suffice stand in deploy/rabbitmq/definitions.json");
        return;
    }
    size_t refused = count_state(&doctor->plan, WR_PLAN_UNKNOWN, true);
    bool only_looks = doctor->settings->topology_check;
    wr_diagnose(out, refused && !only_looks ? WARREN_CHECK_WARN : WARREN_CHECK_OK,
                "configure: %s%s", refused ? "not all" : "all that stands there",
                refused && only_looks ? ", and topology = \"check\" needs none" : "");
    if (refused && !only_looks) {
        wr_advise(out,
                  "a worker that declares needs it on its queues and %s.*; or apply the "
                  "topology as another user and say topology = \"check\"",
                  doctor->settings->ns);
    }
    if (doctor->options->read_only) {
        wr_diagnose(out, WARREN_CHECK_OK, "read was not tried (read only)");
        return;
    }
    doctor->examiner.deadline_us =
        wr_clock_mono_us(NULL) + wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US);
    wr_examine_reading(&doctor->examiner, out);
}

/* The first object of a state, by name. */
static const char *first_of(const struct wr_plan *plan, enum wr_plan_state state)
{
    for (size_t i = 0; i < plan->length; i++) {
        if (plan->rows[i].state == state && is_object(plan->rows[i].item)) {
            return plan->rows[i].item->name;
        }
    }
    return "";
}

static void tell_missing(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    size_t objects = count_state(&doctor->plan, WR_PLAN_MISSING, true);
    size_t bindings = count_state(&doctor->plan, WR_PLAN_MISSING, false);
    if (objects || bindings) {
        bool only_looks = doctor->settings->topology_check;
        wr_diagnose(out, only_looks ? WARREN_CHECK_FAIL : WARREN_CHECK_WARN,
                    "missing: %zu exchanges and queues%s%s, %zu bindings", objects,
                    objects ? ", such as " : "", first_of(&doctor->plan, WR_PLAN_MISSING),
                    bindings);
        wr_advise(out, "`warren topology apply` makes them%s",
                  only_looks ? "" : ", and so does a worker's start");
    }
}

/* A line each. */
static void tell_differences(const char *text, struct wr_diagnosis *out)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        wr_diagnose(out, WARREN_CHECK_FAIL, "%.*s", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

void wr_doctor_check_topology(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    warren_error said = { 0 };
    if (plan_once(doctor, &said)) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "%s", said.text);
        return;
    }
    const struct wr_plan *plan = &doctor->plan;
    for (size_t i = 0; i < plan->length; i++) {
        if (plan->rows[i].state == WR_PLAN_DIFFERS) {
            tell_differences(plan->rows[i].text ? plan->rows[i].text : plan->rows[i].item->name,
                             out);
            wr_advise(out, "make the configuration say what stands there, or move the queue: "
                           "`warren topology migrate QUEUE`");
        }
    }
    tell_missing(doctor, out);
    size_t surplus = count_state(plan, WR_PLAN_SURPLUS, false);
    if (surplus) {
        wr_diagnose(out, WARREN_CHECK_WARN, "%zu bindings that the config doesn't ask for",
                    surplus);
        wr_advise(out, "`warren topology plan` names them, `warren topology apply --prune` "
                       "removes them");
    }
    if (count_state(plan, WR_PLAN_LEFTOVER, true)) {
        wr_diagnose(out, WARREN_CHECK_WARN,
                    "left over: queue %s of a type that is no longer "
                    "isolated",
                    first_of(plan, WR_PLAN_LEFTOVER));
        wr_advise(out, "workers empty it; then it can be deleted by hand");
    }
    size_t refused = count_state(plan, WR_PLAN_UNKNOWN, true);
    if (refused) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "%zu exchanges and queues are there; to compare their arguments this user "
                    "would need the right to configure them",
                    refused);
    }
    if (!out->state) {
        wr_diagnose(out, WARREN_CHECK_OK, "%zu exchanges and queues stand as the config wants",
                    count_state(plan, WR_PLAN_EXISTS, true));
    }
    if (count_state(plan, WR_PLAN_UNKNOWN, false)) {
        wr_diagnose(out, WARREN_CHECK_OK, "bindings are unknown without the management API");
    }
}

void wr_doctor_check_delivery_limits(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    if (!doctor->broker) { /* what a limit means depends on it */
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "the broker's version is not known");
        return;
    }
    struct wr_diagnosis_server server = server_of(doctor);
    wr_diagnose_delivery_limits(&server, doctor->topology, doctor->options->facts, out);
}

void wr_doctor_check_policies(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    wr_diagnose_policies(doctor->topology, doctor->options->facts, out);
}

void wr_doctor_check_confirm_timeout(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    (void)doctor;
    wr_diagnose(out, WARREN_CHECK_UNKNOWN, "no API tells it; the broker's default is 180 s");
    wr_advise(out, "where the broker's advanced.config is yours, see that it has "
                   "{dead_letter_worker_publisher_confirm_timeout, 5000} "
                   "(deploy/rabbitmq/advanced.config): otherwise its restart makes waiting jobs "
                   "some minutes late");
}

void wr_doctor_check_consumer_timeout(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    wr_diagnose_consumer_timeout(doctor->settings, doctor->options->facts, out);
}

void wr_doctor_check_memory(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    const char *whose = "machine";
    int64_t limit = wr_reach_memory_limit(&whose);
    wr_diagnose_memory(doctor->settings, limit, whose, out);
}

/* --- trying --- */

void wr_doctor_check_unroutable(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    doctor->examiner.deadline_us =
        wr_clock_mono_us(NULL) + wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US);
    wr_examine_unroutable(&doctor->examiner, out);
}

void wr_doctor_check_ladder(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    doctor->examiner.deadline_us = wr_clock_mono_us(NULL) + wr_doctor_left_us(doctor, TRIP_US);
    wr_examine_ladder(&doctor->examiner, out);
}

void wr_doctor_check_stuck(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    wr_diagnose_stuck(doctor->topology, doctor->options->facts, out);
}

void wr_doctor_check_unrouted(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    doctor->examiner.deadline_us =
        wr_clock_mono_us(NULL) + wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US);
    wr_examine_catch_all(&doctor->examiner, out);
}
