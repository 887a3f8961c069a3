// SPDX-License-Identifier: MIT
// DESIGN: trying is the only way to learn some things: whether an unroutable publish comes back,
// whether a message finds its way through the ladder, whether a queue may be consumed. What is tried
// with is our own: a key that no queue has, and a queue that belongs to this connection and is gone
// with it at the latest. A refusal closes the channel, so each examination opens one.
#include "engine/examiner.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/random.h"
#include "engine/deadwalk.h"
#include "model/delay.h"

enum { PUBLISHING = 2, TRYING = 3, NAME_SIZE = 256, TRIPS = 2, LATE_MS = 2000 };

#define BODY "a test of `warren doctor`: it may be thrown away"

static const uint32_t trip_units[TRIPS] = { 1, 3 }; /* one queue, and two by way of the digits */

static void close_channel(const struct wr_examiner *examiner, uint16_t channel)
{
    if (wr_broker_fd(examiner->broker) >= 0) {
        (void)wr_broker_channel_close(examiner->broker, channel, NULL);
    }
}

/* A name that nobody has. */
static void make_name(const struct wr_examiner *examiner, char *out, size_t size)
{
    (void)snprintf(out, size, "%s.doctor-%08" PRIx32, examiner->settings->ns,
                   (uint32_t)wr_random());
}

static warren_status publish(struct wr_broker *broker, const char *exchange, const char *key,
                             const char *id, warren_error *err)
{
    struct wr_message message = { .exchange = wr_slice_of(exchange),
                                  .key = wr_slice_of(key),
                                  .present = WR_MESSAGE_ID | WR_DELIVERY_MODE | WR_TYPE,
                                  .message_id = wr_slice_of(id),
                                  .delivery_mode = 2,
                                  .type = wr_slice_of("warren.doctor"),
                                  .body = wr_slice_of(BODY) };
    return wr_broker_publish(broker, PUBLISHING, &message, err);
}

/* What a closed channel or connection means; true if the event was one. */
static bool is_end(struct wr_examiner *examiner, const struct wr_event *event, const char *what,
                   struct wr_diagnosis *out)
{
    if (event->kind == WR_EVENT_BLOCKED) {
        examiner->is_blocked = true;
        wr_diagnose(out, WARREN_CHECK_FAIL, "the broker takes no publishes now: %s", event->text);
        wr_advise(out, "a memory or disk alarm is on: see the broker's log");
        return true;
    }
    if (event->kind == WR_EVENT_CLOSED) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "the connection was lost: %s", event->text);
        return true;
    }
    if (event->kind != WR_EVENT_CHANNEL_CLOSED || event->channel != PUBLISHING) {
        return false;
    }
    bool is_missing = event->code == 404; /* the topology's check says whether that is bad */
    wr_diagnose(out, is_missing ? WARREN_CHECK_UNKNOWN : WARREN_CHECK_FAIL, "%s: %s", what,
                event->text);
    if (event->code == 403) {
        wr_advise(out, "give this user the write right on it (rabbitmqctl set_permissions)");
    } else {
        wr_advise(out, "declare the topology: `warren topology apply`");
    }
    return true;
}

/* --- a publish that nobody takes --- */

/* Waits for its return and confirm. */
static void await_return(struct wr_examiner *examiner, struct wr_broker *broker,
                         const char *exchange, struct wr_diagnosis *out)
{
    bool was_returned = false;
    for (;;) {
        struct wr_event event;
        wr_deadwalk_wait(broker, examiner->deadline_us, &event);
        if (is_end(examiner, &event, "publishing", out)) {
            return;
        }
        if (event.kind == WR_EVENT_NONE) {
            wr_diagnose(out, WARREN_CHECK_FAIL, "the broker neither returned nor confirmed it");
            wr_advise(out, "is the broker overloaded, or its disk slow?");
            return;
        }
        if (event.kind == WR_EVENT_RETURNED || event.kind == WR_EVENT_DELIVERY) {
            was_returned = was_returned || event.kind == WR_EVENT_RETURNED;
            wr_delivery_free(event.delivery);
        }
        if (event.kind == WR_EVENT_ACKED && was_returned) {
            wr_diagnose(out, WARREN_CHECK_OK, "%s returned it, so no publish gets lost in silence",
                        exchange);
            return;
        }
        if (event.kind == WR_EVENT_ACKED || event.kind == WR_EVENT_NACKED) {
            wr_diagnose(out, WARREN_CHECK_WARN, "%s did not return it: some queue takes every key",
                        exchange);
            wr_advise(out,
                      "look for a binding with # or * on %s or an alternate exchange: jobs of "
                      "a mistyped type would vanish there (the test message says what it is)",
                      exchange);
            return;
        }
    }
}

/* On a connection of its own: one that publishes is no longer read while an alarm is on. */
void wr_examine_unroutable(struct wr_examiner *examiner, struct wr_diagnosis *out)
{
    struct wr_broker_options options = { .settings = &examiner->settings->broker,
                                         .name = "warren doctor, publishing",
                                         .connect_most_ms = examiner->connect_most_ms };
    char exchange[WR_NAME_SIZE];
    char key[NAME_SIZE];
    struct wr_broker *broker = NULL;
    warren_error said = { 0 };
    wr_topology_exchange(exchange, sizeof exchange, examiner->settings->ns, "jobs");
    make_name(examiner, key, sizeof key);
    warren_status rc = wr_broker_open(&broker, &options, &said);
    rc = rc ? rc : wr_broker_channel_open(broker, PUBLISHING, true, &said);
    rc = rc ? rc : publish(broker, exchange, key, key, &said);
    if (rc) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", said.text);
    } else {
        await_return(examiner, broker, exchange, out);
    }
    wr_broker_close(broker);
}

/* --- a trip through the ladder --- */

struct trip {
    char queue[NAME_SIZE];
    int64_t due_us[TRIPS];
    int64_t late_us[TRIPS];
    bool is_home[TRIPS];
};

static warren_status prepare_trip(struct wr_examiner *examiner, struct trip *trip,
                                  warren_error *err)
{
    enum { WAYS = 3 };
    char exchanges[WAYS][WR_NAME_SIZE];
    char digits[WR_DELAY_KEY_SIZE];
    char plain[WR_DELAY_KEY_SIZE];
    const char *const keys[WAYS] = { digits, plain, plain };
    const char *ns = examiner->settings->ns;
    make_name(examiner, trip->queue, sizeof trip->queue);
    wr_topology_exchange(exchanges[0], sizeof exchanges[0], ns, "deliver");
    wr_topology_exchange(exchanges[1], sizeof exchanges[1], ns, "home");
    wr_topology_exchange(exchanges[2], sizeof exchanges[2], ns, "arrive");
    if (!wr_delay_home_key(digits, sizeof digits, "queue", trip->queue) ||
        !wr_delay_key(plain, sizeof plain, 0, "queue", trip->queue)) {
        return wr_fail(err, WARREN_INVALID, "the namespace is too long for a key of its own");
    }
    struct wr_item queue = { .kind = WR_ITEM_QUEUE,
                             .name = trip->queue,
                             .is_temporary = true,
                             .arguments = { .type = WR_CLASSIC } };
    warren_status rc = wr_broker_channel_open(examiner->broker, TRYING, false, err);
    rc = rc ? rc : wr_broker_declare(examiner->broker, TRYING, &queue, WR_DECLARE, err);
    for (int i = 0; !rc && i < WAYS; i++) {
        struct wr_item bind = { .kind = WR_ITEM_BIND,
                                .name = exchanges[i],
                                .destination = trip->queue,
                                .to_queue = true,
                                .key = keys[i] };
        rc = wr_broker_declare(examiner->broker, TRYING, &bind, WR_DECLARE, err);
    }
    rc = rc ? rc : wr_broker_sync(examiner->broker, TRYING, err);
    rc = rc ? rc : wr_broker_prefetch(examiner->broker, TRYING, TRIPS, err);
    rc = rc ? rc : wr_broker_consume(examiner->broker, TRYING, trip->queue, "warren-doctor", err);
    return rc ? rc : wr_broker_channel_open(examiner->broker, PUBLISHING, true, err);
}

static warren_status send_trip(struct wr_examiner *examiner, struct trip *trip, warren_error *err)
{
    for (int i = 0; i < TRIPS; i++) {
        char exchange[WR_DELAY_KEY_SIZE];
        char key[WR_DELAY_KEY_SIZE];
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        if (!wr_delay_to_queue(exchange, key, examiner->settings->ns, trip_units[i], trip->queue)) {
            return wr_fail(err, WARREN_INVALID, "the namespace is too long for the ladder");
        }
        warren_status rc = publish(examiner->broker, exchange, key, id, err);
        if (rc) {
            return rc;
        }
        trip->due_us[i] = wr_clock_mono_us(NULL) + trip_units[i] * WR_DELAY_UNIT_MS * WR_US_PER_MS;
    }
    return WARREN_OK;
}

/* A message came home: which, and how late. */
static void note_arrival(struct wr_examiner *examiner, struct trip *trip,
                         const struct wr_delivery *delivery)
{
    int64_t index = -1;
    if (!wr_slice_to_int(delivery->message.message_id, &index) || index < 0 || index >= TRIPS) {
        return;
    }
    trip->is_home[index] = true;
    trip->late_us[index] = wr_clock_mono_us(NULL) - trip->due_us[index];
    (void)wr_broker_ack(examiner->broker, TRYING, delivery->tag, false);
}

/* True when nothing more is to be waited for. */
static bool take_event(struct wr_examiner *examiner, struct trip *trip, struct wr_diagnosis *out)
{
    struct wr_event event;
    wr_deadwalk_wait(examiner->broker, examiner->deadline_us, &event);
    if (event.kind == WR_EVENT_DELIVERY) {
        note_arrival(examiner, trip, event.delivery);
        wr_delivery_free(event.delivery);
        return false;
    }
    if (event.kind == WR_EVENT_RETURNED) {
        wr_delivery_free(event.delivery);
        wr_diagnose(out, WARREN_CHECK_FAIL, "the ladder's entry has no queue behind it");
        wr_advise(out, "declare the topology: `warren topology apply`");
        return true;
    }
    return is_end(examiner, &event, "entering the ladder", out) || event.kind == WR_EVENT_NONE;
}

static void await_trip(struct wr_examiner *examiner, struct trip *trip, struct wr_diagnosis *out)
{
    while (!trip->is_home[0] || !trip->is_home[1]) {
        if (take_event(examiner, trip, out)) {
            break;
        }
    }
}

static void judge_trip(const struct trip *trip, struct wr_diagnosis *out)
{
    if (out->state) {
        return;
    }
    if (!trip->is_home[0] || !trip->is_home[1]) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s did not come home in time",
                    trip->is_home[0]   ? "the message of 375 ms"
                    : trip->is_home[1] ? "the message of 125 ms"
                                       : "neither message");
        wr_advise(out, "a stuck level (see stuck), a broker that has just started (it may take "
                       "three minutes), or bindings that are gone (`warren topology apply`); what "
                       "comes later ends in the catch-all");
        return;
    }
    int64_t late_ms =
        (trip->late_us[0] > trip->late_us[1] ? trip->late_us[0] : trip->late_us[1]) / WR_US_PER_MS;
    bool is_late = late_ms > LATE_MS;
    wr_diagnose(out, is_late ? WARREN_CHECK_WARN : WARREN_CHECK_OK,
                "waits of 125 and 375 ms came home, %" PRId64 " ms late at most",
                late_ms < 0 ? 0 : late_ms);
    if (is_late) {
        wr_advise(out, "many retries at once, a slow disk, or a broker that has just started");
    }
}

static void end_trip(struct wr_examiner *examiner, const struct trip *trip)
{
    struct wr_item queue = { .kind = WR_ITEM_QUEUE, .name = trip->queue, .is_temporary = true };
    if (wr_broker_fd(examiner->broker) >= 0) {
        (void)wr_broker_declare(examiner->broker, TRYING, &queue, WR_REMOVE, NULL);
        (void)wr_broker_sync(examiner->broker, TRYING, NULL);
    }
    close_channel(examiner, TRYING);
    close_channel(examiner, PUBLISHING);
}

static void explain_unprepared(warren_status rc, const warren_error *said, struct wr_diagnosis *out)
{
    if (rc == WARREN_REFUSED) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "this user may not have a queue of its own in the namespace: %s", said->text);
        wr_advise(out, "that is as it should be for a worker; run the doctor once as the user who "
                       "applies the topology");
    } else if (rc == WARREN_NOT_FOUND) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "the ladder is not there: %s", said->text);
        wr_advise(out, "declare the topology: `warren topology apply`");
    } else {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", said->text);
    }
}

void wr_examine_ladder(struct wr_examiner *examiner, struct wr_diagnosis *out)
{
    struct trip trip = { 0 };
    warren_error said = { 0 };
    if (wr_delay_levels(examiner->settings->delay_max_ms) < 2) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "delay.max leaves one level only");
        return;
    }
    if (examiner->is_blocked) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "the broker takes no publishes now");
        return;
    }
    warren_status rc = prepare_trip(examiner, &trip, &said);
    if (rc) {
        explain_unprepared(rc, &said, out);
    } else if (send_trip(examiner, &trip, &said)) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", said.text);
    } else {
        await_trip(examiner, &trip, out);
        judge_trip(&trip, out);
    }
    end_trip(examiner, &trip);
}

/* --- consuming --- */

/* OK, NOT_FOUND, REFUSED, or what ended the connection. AGAIN: something waits there, so it was
 * left alone. */
static warren_status try_queue(struct wr_examiner *examiner, const char *queue, warren_error *err)
{
    struct wr_depth depth = { 0 };
    warren_status rc = wr_broker_channel_open(examiner->broker, TRYING, false, err);
    if (rc) {
        return rc;
    }
    rc = wr_broker_depth(examiner->broker, TRYING, queue, &depth, err);
    if (!rc && depth.messages) {
        rc = WARREN_AGAIN;
    }
    rc = rc ? rc : wr_broker_prefetch(examiner->broker, TRYING, 1, err);
    rc = rc ? rc : wr_broker_consume(examiner->broker, TRYING, queue, "warren-doctor", err);
    if (!rc) {
        (void)wr_broker_cancel(examiner->broker, TRYING, "warren-doctor", NULL);
    }
    if (!rc || rc == WARREN_AGAIN) {
        close_channel(examiner, TRYING); /* what came meanwhile goes back */
    }
    return rc;
}

void wr_examine_reading(struct wr_examiner *examiner, struct wr_diagnosis *out)
{
    size_t read = 0;
    size_t busy = 0;
    for (size_t i = 0; i < examiner->settings->queue_count; i++) {
        const char *queue = examiner->settings->queues[i].name;
        warren_error said = { 0 };
        if (wr_clock_mono_us(NULL) > examiner->deadline_us) {
            wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not all queues could be tried in time");
            break;
        }
        warren_status rc = try_queue(examiner, queue, &said);
        read += rc == WARREN_OK;
        busy += rc == WARREN_AGAIN;
        if (rc == WARREN_REFUSED) {
            wr_diagnose(out, WARREN_CHECK_FAIL, "queue %s may not be consumed: %s", queue,
                        said.text);
            wr_advise(out, "give this user the read right on its queues (rabbitmqctl "
                           "set_permissions)");
        } else if (rc && rc != WARREN_AGAIN && rc != WARREN_NOT_FOUND) {
            wr_diagnose(out, WARREN_CHECK_FAIL, "queue %s: %s", queue, said.text);
            break;
        }
    }
    if (read) {
        wr_diagnose(out, WARREN_CHECK_OK, "read: %zu queue%s", read, read == 1 ? "" : "s");
    }
    if (busy) {
        wr_diagnose(out, WARREN_CHECK_OK, "%zu with messages waiting not tried", busy);
    }
}

void wr_examine_catch_all(struct wr_examiner *examiner, struct wr_diagnosis *out)
{
    char queue[WR_NAME_SIZE];
    struct wr_depth depth = { 0 };
    warren_error said = { 0 };
    wr_topology_exchange(queue, sizeof queue, examiner->settings->ns, "unrouted");
    warren_status rc = wr_broker_channel_open(examiner->broker, TRYING, false, &said);
    rc = rc ? rc : wr_broker_depth(examiner->broker, TRYING, queue, &depth, &said);
    if (rc == WARREN_NOT_FOUND) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "%s is not there", queue);
        wr_advise(out, "declare the topology: `warren topology apply`");
        return;
    }
    if (rc) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", said.text);
        return;
    }
    close_channel(examiner, TRYING);
    wr_diagnose(out, depth.messages ? WARREN_CHECK_WARN : WARREN_CHECK_OK, "%s has %" PRIu64, queue,
                depth.messages);
    if (depth.messages) {
        wr_advise(out, "no queue took them on their way home: `warren dead list unrouted` shows "
                       "them, `warren dead replay unrouted` sends them home once their queue is "
                       "there");
    }
}
