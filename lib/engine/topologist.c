// SPDX-License-Identifier: MIT
// DESIGN: applying is optimistic. The whole list goes out without a look at each answer: one for every
// 32 queues and one at the end say that all is well, which is the case at every start but the first.
// Only after a mistake the list is gone through object by object, so that a person reads every
// difference at once.
//
// The unbindings of a type that is no longer isolated are sent only where its queue is left over: a
// queue of that name could be another service's. So the left-overs are looked for before, which
// costs one look where the namespace never knew an isolated type.
#include "engine/topologist.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/topologist_session.h"

void wr_topologist_report_done(struct wr_topologist_report *report)
{
    wr_text_done(&report->notes);
    free(report->leftovers);
    *report = (struct wr_topologist_report){ 0 };
}

/* --- left-overs --- */

static void note_leftover(struct wr_topologist_report *report, const struct wr_leftover *leftover)
{
    report->leftovers[report->leftover_count++] = leftover;
    wr_text_add_format(&report->notes,
                       "queue %s is left over from when type %s of queue %s was isolated: it is "
                       "worked off; once empty it can be deleted by hand\n",
                       leftover->queue, leftover->type, leftover->of_queue);
}

static warren_status find_leftovers(struct wr_session *session, const struct wr_topology *topology,
                                    bool compares, struct wr_topologist_report *report,
                                    warren_error *err)
{
    size_t count = topology->leftover_count;
    AUTO_FREE bool *found = calloc(count + 1, sizeof *found);
    free(report->leftovers);
    report->leftover_count = 0;
    report->leftovers = calloc(count + 1, sizeof *report->leftovers);
    if (!found || !report->leftovers) {
        return wr_no_memory(err);
    }
    warren_status rc = wr_session_find_leftovers(session, topology, compares, found, err);
    for (size_t i = 0; !rc && i < count; i++) {
        if (found[i]) {
            note_leftover(report, &topology->leftovers[i]);
        }
    }
    return rc;
}

static bool is_left_over(const struct wr_topologist_report *report, const char *queue)
{
    for (size_t i = 0; i < report->leftover_count; i++) {
        if (strcmp(report->leftovers[i]->queue, queue) == 0) {
            return true;
        }
    }
    return false;
}

/* --- sending many --- */

static bool is_object(const struct wr_item *item)
{
    return item->kind == WR_ITEM_EXCHANGE || item->kind == WR_ITEM_QUEUE;
}

/* Which items of a topology a pass is about. */
enum part { ALL, OBJECTS, BINDINGS };

static bool is_in(const struct wr_item *item, enum part part,
                  const struct wr_topologist_report *report)
{
    if (item->has_arguments || (part != ALL && is_object(item) != (part == OBJECTS))) {
        return false;
    }
    return !item->leftover || is_left_over(report, item->leftover);
}

static warren_status send_all(struct wr_session *session, const struct wr_topology *topology,
                              enum part part, const struct wr_topologist_report *report,
                              warren_error *err)
{
    warren_status rc = WARREN_OK;
    for (size_t i = 0; !rc && i < topology->length; i++) {
        if (is_in(&topology->items[i], part, report)) {
            rc = wr_session_send(session, &topology->items[i], WR_DECLARE, err);
        }
    }
    return rc ? rc : wr_session_sync(session, err);
}

/* --- the slow pass: every difference --- */

static const char ways_on[] =
    "Ways on: make the config say what stands there; or choose another name; or move the queue "
    "(warren topology migrate QUEUE); or, once it "
    "is empty, delete it by hand (rabbitmqctl delete_queue NAME) and apply again. Nothing is "
    "deleted or changed by itself";

static warren_status refuse(const struct wr_text *differences, struct wr_topologist_report *report,
                            warren_error *err)
{
    wr_text_add_string(&report->notes, wr_text_string(differences));
    return wr_fail(err, WARREN_MISMATCH,
                   "the broker has objects with other arguments than the config wants. %s.\n%s",
                   ways_on, wr_text_string(differences));
}

static void note_accepted(const struct wr_item *item, const struct wr_text *differences,
                          struct wr_topologist_report *report)
{
    if (differences->size) {
        wr_text_add_string(&report->notes, wr_text_string(differences));
        wr_text_add_string(&report->notes,
                           item->kind == WR_ITEM_QUEUE
                               ? "  accepted: a queue keeps how it dead-letters when the broker is "
                                 "upgraded\n"
                               : "  accepted: the exchange is not Warren's\n");
    }
}

/* An exchange that the config only names may belong to others, who made it already. */
static bool is_others(struct wr_session *session, const struct wr_item *item, warren_status refused)
{
    return refused == WARREN_REFUSED && item->is_foreign &&
           wr_session_try(session, item, WR_LOOK, NULL) == WARREN_OK;
}

/* One object; its differences go where they belong. Only a status that ends the pass is returned.
 */
static warren_status declare_slowly(struct wr_session *session, const struct wr_item *item,
                                    struct wr_text *refused, struct wr_topologist_report *report,
                                    warren_error *err)
{
    struct wr_text differences = { 0 };
    warren_error said = { 0 };
    warren_status rc = wr_session_compare(session, item, &differences, &said);
    if (rc == WARREN_MISMATCH) {
        wr_text_add_string(refused, wr_text_string(&differences));
        rc = WARREN_OK;
    } else if (!rc) {
        note_accepted(item, &differences, report);
    } else if (is_others(session, item, rc)) {
        rc = WARREN_OK;
    } else if (rc == WARREN_REFUSED) {
        rc = wr_fail(err, rc,
                     "%s. This user may not configure the topology: apply it once with `warren "
                     "topology apply` as a user who may, and say topology = \"check\" here",
                     said.text);
    } else {
        rc = wr_fail(err, rc, "declaring %s: %s", item->name, said.text);
    }
    wr_text_done(&differences);
    return rc;
}

static warren_status apply_slowly(struct wr_session *session, const struct wr_topology *topology,
                                  struct wr_topologist_report *report, warren_error *err)
{
    struct wr_text refused = { 0 };
    warren_status rc = WARREN_OK;
    for (size_t i = 0; !rc && i < topology->length; i++) {
        if (is_object(&topology->items[i])) {
            rc = declare_slowly(session, &topology->items[i], &refused, report, err);
        }
    }
    if (!rc && refused.size) {
        rc = refuse(&refused, report, err);
    }
    wr_text_done(&refused);
    return rc ? rc : send_all(session, topology, BINDINGS, report, err);
}

/* --- looking only --- */

static warren_status look_all(struct wr_session *session, const struct wr_topology *topology,
                              warren_error *err)
{
    warren_status rc = WARREN_OK;
    for (size_t i = 0; !rc && i < topology->length; i++) {
        if (is_object(&topology->items[i])) {
            rc = wr_session_send(session, &topology->items[i], WR_LOOK, err);
        }
    }
    return rc ? rc : wr_session_sync(session, err);
}

static warren_status look_slowly(struct wr_session *session, const struct wr_topology *topology,
                                 struct wr_text *missing, warren_error *err)
{
    size_t levels = 0;
    const char *level = "";
    for (size_t i = 0; i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        warren_error said = { 0 };
        warren_status rc =
            is_object(item) ? wr_session_try(session, item, WR_LOOK, &said) : WARREN_OK;
        if (rc == WARREN_NOT_FOUND && item->is_level) {
            level = item->name;
            levels++;
        } else if (rc == WARREN_NOT_FOUND) {
            wr_text_add_format(missing, "missing: %s %s\n",
                               item->kind == WR_ITEM_QUEUE ? "queue" : "exchange", item->name);
        } else if (rc) {
            return wr_fail(err, rc, "looking for %s: %s", item->name, said.text);
        }
    }
    if (levels) {
        wr_text_add_format(missing,
                           "missing: %zu exchanges and queues of the delay ladder, such as %s\n",
                           levels, level);
    }
    return WARREN_OK;
}

static warren_status name_missing(struct wr_session *session, const struct wr_topology *topology,
                                  struct wr_topologist_report *report, warren_error *err)
{
    struct wr_text missing = { 0 };
    warren_status rc = look_slowly(session, topology, &missing, err);
    if (!rc && missing.size) {
        wr_text_add_string(&report->notes, wr_text_string(&missing));
        rc = wr_fail(err, WARREN_MISMATCH,
                     "the broker lacks what the config needs, and topology = \"check\" declares "
                     "nothing. Run `warren topology apply` as a user who may configure it.\n%s",
                     wr_text_string(&missing));
    }
    wr_text_done(&missing);
    return rc;
}

/* --- the story --- */

warren_status wr_topologist_apply(struct wr_broker *broker, uint16_t channel,
                                  const struct wr_topology *topology,
                                  struct wr_topologist_report *report, warren_error *err)
{
    struct wr_session session = { .broker = broker, .channel = channel };
    warren_error said = { 0 };
    warren_status rc = find_leftovers(&session, topology, true, report, &said);
    if (!rc) {
        rc = send_all(&session, topology, ALL, report, &said);
    }
    if (rc && !wr_session_is_over(rc)) {
        rc = apply_slowly(&session, topology, report, err);
    } else if (rc) {
        rc = wr_fail(err, rc, "applying the topology: %s", said.text);
    }
    wr_session_done(&session);
    return rc;
}

warren_status wr_topologist_check(struct wr_broker *broker, uint16_t channel,
                                  const struct wr_topology *topology,
                                  struct wr_topologist_report *report, warren_error *err)
{
    struct wr_session session = { .broker = broker, .channel = channel };
    warren_error said = { 0 };
    warren_status rc = look_all(&session, topology, &said);
    if (rc == WARREN_NOT_FOUND) {
        rc = name_missing(&session, topology, report, err);
    } else if (rc) {
        rc = wr_fail(err, rc, "checking the topology: %s", said.text);
    }
    if (!rc) {
        rc = find_leftovers(&session, topology, false, report, err);
    }
    wr_session_done(&session);
    return rc;
}

warren_status wr_topologist_prune(struct wr_broker *broker, uint16_t channel,
                                  const struct wr_topology *prune, warren_error *err)
{
    struct wr_session session = { .broker = broker, .channel = channel };
    struct wr_topologist_report report = { 0 };
    warren_error said = { 0 };
    warren_status rc = send_all(&session, prune, BINDINGS, &report, &said);
    wr_session_done(&session);
    return rc ? wr_fail(err, rc, "removing bindings: %s", said.text) : WARREN_OK;
}

/* --- removing --- */

/* An object that may not be deleted may also not be there: then there is no mistake. */
static warren_status remove_one(struct wr_session *session, const struct wr_item *item,
                                warren_error *err)
{
    warren_error said = { 0 };
    warren_status rc = wr_session_try(session, item, WR_REMOVE, &said);
    if (rc && !wr_session_is_over(rc) &&
        wr_session_try(session, item, WR_LOOK, NULL) == WARREN_NOT_FOUND) {
        return WARREN_OK;
    }
    return rc ? wr_fail(err, rc, "removing %s: %s", item->name, said.text) : WARREN_OK;
}

/* Queues before exchanges, so that no dead letter is under way that finds no exchange. */
static warren_status remove_all(struct wr_session *session, const struct wr_topology *topology,
                                enum wr_item_kind kind, warren_error *err)
{
    warren_status first = WARREN_OK;
    for (size_t i = 0; i < topology->length && !wr_session_is_over(first); i++) {
        const struct wr_item *item = &topology->items[i];
        if (item->kind == kind && !item->is_foreign) {
            warren_status rc = remove_one(session, item, first ? NULL : err);
            first = first && !wr_session_is_over(rc) ? first : rc;
        }
    }
    return first;
}

warren_status wr_topologist_remove(struct wr_broker *broker, uint16_t channel,
                                   const struct wr_topology *topology, warren_error *err)
{
    struct wr_session session = { .broker = broker, .channel = channel };
    warren_error later = { 0 };
    warren_status rc = remove_all(&session, topology, WR_ITEM_QUEUE, err);
    if (!wr_session_is_over(rc)) {
        warren_status rest = remove_all(&session, topology, WR_ITEM_EXCHANGE, rc ? &later : err);
        rc = rc ? rc : rest;
    }
    wr_session_done(&session);
    return rc;
}
