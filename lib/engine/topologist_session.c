// SPDX-License-Identifier: MIT
// DESIGN: AMQP tells of a wrong argument by closing the channel with one sentence about the first
// argument that differs. To learn of all of them, the object is declared again and again, each time
// with what the broker said it has, until it agrees; only objects that exist are ever treated so,
// hence nothing comes into being in this way.
#include "engine/topologist_session.h"

#include <stdlib.h>

#include "base/error.h"

/* QUEUES_MOST: before an answer is asked for. A broker with a slow disk needs tens of milliseconds
 * for each quorum queue, and what it answers after all of them has to come within one rpc_timeout. */
enum { DIFFERENCES_MOST = 10, VALUE_MOST = 256, QUEUES_MOST = 32 };

warren_status wr_session_send(struct wr_session *session, const struct wr_item *item,
                              enum wr_declare how, warren_error *err)
{
    if (!session->is_open) {
        warren_status rc = wr_broker_channel_open(session->broker, session->channel, false, err);
        if (rc) {
            return rc;
        }
        session->is_open = true;
    }
    if (item->kind == WR_ITEM_QUEUE && session->queues++ == QUEUES_MOST) {
        warren_status rc = wr_session_sync(session, err);
        if (rc) {
            return rc;
        }
        session->queues = 1;
    }
    return wr_broker_declare(session->broker, session->channel, item, how, err);
}

warren_status wr_session_sync(struct wr_session *session, warren_error *err)
{
    if (!session->is_open) {
        return WARREN_OK;
    }
    warren_status rc = wr_broker_sync(session->broker, session->channel, err);
    session->is_open = rc == WARREN_OK;
    session->queues = 0;
    return rc;
}

warren_status wr_session_try(struct wr_session *session, const struct wr_item *item,
                             enum wr_declare how, warren_error *err)
{
    warren_status rc = wr_session_send(session, item, how, err);
    return rc ? rc : wr_session_sync(session, err);
}

void wr_session_done(struct wr_session *session)
{
    if (session->is_open) {
        (void)wr_broker_channel_close(session->broker, session->channel, NULL);
        session->is_open = false;
    }
}

bool wr_session_is_over(warren_status status)
{
    return status && status != WARREN_MISMATCH && status != WARREN_NOT_FOUND &&
           status != WARREN_REFUSED;
}

/* --- one sentence of the broker --- */

/* "inequivalent arg 'NAME' for queue 'x' in vhost '/': received WANTED but current is FOUND" */
struct difference {
    char argument[64];
    char wanted[VALUE_MOST]; /* "" : none */
    char found[VALUE_MOST];
};

static void copy(char *out, size_t size, const char *from, size_t length)
{
    length = length < size ? length : size - 1;
    memcpy(out, from, length);
    out[length] = '\0';
}

/* A value as the broker words it: none, 'x', or the value 'x' of type 'longstr'. */
static void copy_value(char *out, const char *from, size_t length)
{
    const char *open = memchr(from, '\'', length);
    if (!open) {
        bool is_none = length >= 4 && strncmp(from, "none", 4) == 0;
        copy(out, VALUE_MOST, from, is_none ? 0 : length);
        return;
    }
    open++;
    size_t left = length - (size_t)(open - from);
    const char *type = memmem(open, left, "' of type", 9);
    const char *close = type ? type : memchr(open, '\'', left);
    copy(out, VALUE_MOST, open, close ? (size_t)(close - open) : left);
}

static bool read_difference(const char *text, struct difference *out)
{
    static const char before[] = "inequivalent arg '";
    static const char between[] = " but current is ";
    const char *argument = strstr(text, before);
    const char *end = argument ? strchr(argument + strlen(before), '\'') : NULL;
    const char *wanted = end ? strstr(end, "received ") : NULL;
    const char *found = wanted ? strstr(wanted, between) : NULL;
    if (!found) {
        return false;
    }
    argument += strlen(before);
    copy(out->argument, sizeof out->argument, argument, (size_t)(end - argument));
    wanted += strlen("received ");
    copy_value(out->wanted, wanted, (size_t)(found - wanted));
    found += strlen(between);
    copy_value(out->found, found, strlen(found));
    return true;
}

static void write_difference(const struct wr_item *item, const struct difference *difference,
                             struct wr_text *out)
{
    wr_text_add_format(out, "%s %s: %s is %s at the broker, the config wants %s\n",
                       item->kind == WR_ITEM_QUEUE ? "queue" : "exchange", item->name,
                       difference->argument, difference->found[0] ? difference->found : "not set",
                       difference->wanted[0] ? difference->wanted : "none");
}

/* --- declaring with what the broker has --- */

/* A copy of an item that comes to say what stands at the broker, and its strings. */
struct twin {
    struct wr_item item;
    char type[VALUE_MOST];
    char alternate[VALUE_MOST];
    char dead_exchange[VALUE_MOST];
    char dead_key[VALUE_MOST];
};

static bool adopt_string(const char **field, char *bytes, const char *found)
{
    copy(bytes, VALUE_MOST, found, strlen(found));
    *field = found[0] ? bytes : NULL;
    return true;
}

static bool adopt_number(int64_t *field, const char *found)
{
    int64_t value = 0;
    if (found[0] && (!wr_slice_to_int(wr_slice_of(found), &value) || value == 0)) {
        return false; /* 0 would be sent as none */
    }
    *field = value;
    return true;
}

/* A flag stands for one value of an argument; any other value can't be said. */
static bool adopt_flag(bool *field, const char *value, const char *found)
{
    *field = strcmp(found, value) == 0;
    return *field || !found[0];
}

static bool adopt_queue_type(enum wr_queue_type *field, const char *found)
{
    *field = strcmp(found, "quorum") == 0 ? WR_QUORUM : WR_CLASSIC;
    return *field == WR_QUORUM || strcmp(found, "classic") == 0;
}

/* False when our items can't say what stands there. */
static bool adopt(struct twin *twin, const struct difference *difference)
{
    struct wr_queue_arguments *arguments = &twin->item.arguments;
    const char *name = difference->argument;
    const char *found = difference->found;
    if (strcmp(name, "type") == 0) {
        return adopt_string(&twin->item.type, twin->type, found);
    }
    if (strcmp(name, "alternate-exchange") == 0) {
        return adopt_string(&twin->item.alternate, twin->alternate, found);
    }
    if (strcmp(name, "x-queue-type") == 0) {
        return adopt_queue_type(&arguments->type, found);
    }
    if (strcmp(name, "x-dead-letter-exchange") == 0) {
        return adopt_string(&arguments->dead_exchange, twin->dead_exchange, found);
    }
    if (strcmp(name, "x-dead-letter-routing-key") == 0) {
        return adopt_string(&arguments->dead_key, twin->dead_key, found);
    }
    if (strcmp(name, "x-message-ttl") == 0) {
        return adopt_number(&arguments->ttl_ms, found);
    }
    if (strcmp(name, "x-delivery-limit") == 0) {
        return adopt_number(&arguments->delivery_limit, found);
    }
    if (strcmp(name, "x-max-length-bytes") == 0) {
        return adopt_number(&arguments->bytes_most, found);
    }
    if (strcmp(name, "x-stream-max-segment-size-bytes") == 0) {
        return adopt_number(&arguments->segment_bytes, found);
    }
    if (strcmp(name, "x-dead-letter-strategy") == 0) {
        return adopt_flag(&arguments->at_least_once, "at-least-once", found);
    }
    return strcmp(name, "x-overflow") == 0 &&
           adopt_flag(&arguments->reject_publish, "reject-publish", found);
}

/* A work queue may dead-letter as it did before an upgrade; somebody else's exchange may have
 * arguments of its own, if only it is a durable topic. */
static bool is_tolerable(const struct wr_item *item, const char *argument)
{
    if (item->is_foreign) {
        return strcmp(argument, "alternate-exchange") == 0 || strncmp(argument, "x-", 2) == 0;
    }
    return item->strategy_may_differ &&
           (strcmp(argument, "x-dead-letter-strategy") == 0 || strcmp(argument, "x-overflow") == 0);
}

warren_status wr_session_compare(struct wr_session *session, const struct wr_item *item,
                                 struct wr_text *differences, warren_error *err)
{
    struct twin twin = { .item = *item };
    bool is_accepted = true;
    bool goes_on = true;
    warren_error said = { 0 };
    warren_status rc = wr_session_try(session, item, WR_DECLARE, &said);
    session->agrees = rc == WARREN_OK;
    if (rc != WARREN_MISMATCH) {
        return rc ? wr_fail(err, rc, "%s", said.text) : WARREN_OK;
    }
    for (int i = 0; i < DIFFERENCES_MOST && rc == WARREN_MISMATCH && goes_on; i++) {
        struct difference difference;
        if (!read_difference(said.text, &difference)) {
            wr_text_add_format(differences, "%s: %s\n", item->name, said.text);
            is_accepted = false;
            break;
        }
        write_difference(item, &difference, differences);
        is_accepted = is_accepted && is_tolerable(item, difference.argument);
        goes_on = adopt(&twin, &difference);
        if (goes_on) {
            rc = wr_session_try(session, &twin.item, WR_DECLARE, &said);
        }
    }
    if (wr_session_is_over(rc)) {
        return wr_fail(err, rc, "%s", said.text);
    }
    session->agrees = rc == WARREN_OK;
    return is_accepted ? WARREN_OK
                       : wr_fail(err, WARREN_MISMATCH, "%s", wr_text_string(differences));
}

/* --- left-over queues of types that were isolated --- */

static warren_status look(struct wr_session *session, enum wr_item_kind kind, const char *name,
                          bool *out_exists, warren_error *err)
{
    struct wr_item item = { .kind = kind, .name = name, .type = "fanout" };
    warren_error said = { 0 };
    warren_status rc = wr_session_try(session, &item, WR_LOOK, &said);
    *out_exists = rc == WARREN_OK;
    return rc && rc != WARREN_NOT_FOUND ? wr_fail(err, rc, "%s", said.text) : WARREN_OK;
}

/* Its dead letters go to the queue that it belongs to: no queue of anybody else's has that. */
static warren_status is_ours(struct wr_session *session, const struct wr_leftover *leftover,
                             bool *out, warren_error *err)
{
    struct wr_item item = { .kind = WR_ITEM_QUEUE,
                            .name = leftover->queue,
                            .arguments = leftover->arguments,
                            .strategy_may_differ = true };
    struct wr_text differences = { 0 };
    warren_error said = { 0 };
    warren_status rc = wr_session_compare(session, &item, &differences, &said);
    wr_text_done(&differences);
    *out = rc == WARREN_OK || rc == WARREN_REFUSED;
    return wr_session_is_over(rc) ? wr_fail(err, rc, "%s", said.text) : WARREN_OK;
}

static warren_status find_leftover(struct wr_session *session, const struct wr_leftover *leftover,
                                   bool compares, bool *out, warren_error *err)
{
    warren_status rc = look(session, WR_ITEM_EXCHANGE, leftover->marker, out, err);
    if (!rc && *out) {
        rc = look(session, WR_ITEM_QUEUE, leftover->queue, out, err);
    }
    if (!rc && *out && compares) {
        rc = is_ours(session, leftover, out, err);
    }
    return rc;
}

warren_status wr_session_find_leftovers(struct wr_session *session,
                                        const struct wr_topology *topology, bool compares,
                                        bool *out, warren_error *err)
{
    bool exists = false;
    warren_status rc = WARREN_OK;
    memset(out, 0, topology->leftover_count * sizeof *out);
    if (topology->leftover_count) {
        rc = look(session, WR_ITEM_EXCHANGE, topology->marker, &exists, err);
    }
    for (size_t i = 0; !rc && exists && i < topology->leftover_count; i++) {
        rc = find_leftover(session, &topology->leftovers[i], compares, &out[i], err);
    }
    return rc;
}
