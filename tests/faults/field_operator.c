// SPDX-License-Identifier: MIT
// DESIGN: each deed is done on a connection of its own, or by rabbitmqctl where AMQP has no word for
// it (exchanges, policies, users), and is over when the call returns.
#include "field_operator.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "field_inside.h"
#include "io/broker.h"
#include "live.h"
#include "warren/topology.h"

enum { CHANNEL = 1, ANSWER_MOST_MS = 10000 };

/* --- by AMQP -------------------------------------------------------------------------------------- */

static struct wr_broker *open_broker(struct field *field, bool confirms)
{
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = field_open_broker(field);
    if (wr_broker_channel_open(broker, CHANNEL, confirms, &err)) {
        field_give_up("no channel for the operator", err.text);
    }
    return broker;
}

/* The next event of that kind; others are of no interest. */
static struct wr_event expect_event(struct wr_broker *broker, enum wr_event_kind kind)
{
    struct wr_event event = { .kind = WR_EVENT_NONE };
    int64_t until_us = field_now_us() + ANSWER_MOST_MS * 1000LL;
    while (event.kind != kind) {
        wr_delivery_free(event.delivery);
        event.delivery = NULL;
        if (field_now_us() > until_us || event.kind == WR_EVENT_CLOSED) {
            field_give_up("the broker does not answer the operator", event.text);
        }
        struct pollfd polled = { .fd = wr_broker_fd(broker), .events = POLLIN };
        if (!wr_broker_has_more(broker)) {
            (void)poll(&polled, 1, 100);
        }
        wr_broker_next(broker, &event);
    }
    return event;
}

void operator_declare(struct field *field, const struct wr_item *item)
{
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = open_broker(field, false);
    if (wr_broker_declare(broker, CHANNEL, item, WR_DECLARE, &err) ||
        wr_broker_sync(broker, CHANNEL, &err)) {
        field_give_up("the operator cannot declare", err.text);
    }
    wr_broker_close(broker);
}

uint64_t operator_purge(struct field *field, const char *queue)
{
    uint64_t count = 0;
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = open_broker(field, false);
    if (wr_broker_purge(broker, CHANNEL, queue, &count, &err)) {
        field_give_up("the operator cannot purge", err.text);
    }
    wr_broker_close(broker);
    return count;
}

void operator_publish(struct field *field, const struct wr_message *message)
{
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = open_broker(field, true);
    if (wr_broker_publish(broker, CHANNEL, message, &err)) {
        field_give_up("the operator cannot publish", err.text);
    }
    (void)expect_event(broker, WR_EVENT_ACKED);
    wr_broker_close(broker);
}

void operator_return(struct field *field, const char *queue, int count)
{
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = open_broker(field, false);
    if (wr_broker_prefetch(broker, CHANNEL, (uint16_t)count, &err) ||
        wr_broker_consume(broker, CHANNEL, queue, "operator", &err)) {
        field_give_up("the operator cannot consume", err.text);
    }
    for (int i = 0; i < count; i++) {
        struct wr_event event = expect_event(broker, WR_EVENT_DELIVERY);
        wr_delivery_free(event.delivery);
    }
    wr_broker_close(broker);
}

void operator_apply(struct field *field, const char *config)
{
    warren_error err = { .status = WARREN_OK };
    warren_topology *topology = NULL;
    (void)field;
    if (warren_topology_open(&topology, config, &err) ||
        warren_topology_apply(topology, NULL, &err)) {
        field_give_up("the operator cannot apply the topology", err.text);
    }
    warren_topology_close(topology);
}

/* --- by rabbitmqctl ------------------------------------------------------------------------------- */

/* Evaluates an expression over the resource R of that kind and name. */
static char *evaluate(struct field *field, const char *kind, const char *name, const char *words)
{
    field_need_broker(field);
    char *text = field_print("R = rabbit_misc:r(<<\"%s\">>, %s, <<\"%s\">>), %s.", live_vhost(),
                             kind, name, words);
    char *answer = live_ctl("eval", text, NULL);
    free(text);
    return answer;
}

int64_t operator_delete_queue(struct field *field, const char *queue)
{
    long long count = 0;
    char *answer = evaluate(field, "queue", queue,
                            "{ok, Q} = rabbit_amqqueue:lookup(R), "
                            "rabbit_amqqueue:delete(Q, false, false, <<\"operator\">>)");
    if (sscanf(answer, "{ok,%lld}", &count) != 1) {
        field_give_up("the operator cannot delete a queue", answer);
    }
    free(answer);
    return count;
}

void operator_delete_exchange(struct field *field, const char *exchange)
{
    char *answer =
        evaluate(field, "exchange", exchange, "rabbit_exchange:delete(R, false, <<\"operator\">>)");
    if (strncmp(answer, "ok", 2) != 0) {
        field_give_up("the operator cannot delete an exchange", answer);
    }
    free(answer);
}

void operator_policy(struct field *field, const struct operator_policy *policy)
{
    char priority[16];
    field_need_broker(field);
    (void)snprintf(priority, sizeof priority, "%d", policy->priority);
    if (!policy->definition) {
        free(live_ctl(policy->is_operator ? "clear_operator_policy" : "clear_policy", "-p",
                      live_vhost(), policy->name, NULL));
        return;
    }
    free(live_ctl(policy->is_operator ? "set_operator_policy" : "set_policy", "-p", live_vhost(),
                  "--apply-to", "queues", "--priority", priority, policy->name, policy->pattern,
                  policy->definition, NULL));
}

void operator_unshield(struct field *field)
{
    operator_policy(field, &(struct operator_policy){ .name = "warren-shield" });
    operator_policy(field,
                    &(struct operator_policy){ .is_operator = true, .name = "warren-shield" });
}

/* --- users ---------------------------------------------------------------------------------------- */

static char added_user[64];

static void delete_user(void)
{
    (void)live_try_ctl("delete_user", added_user, NULL);
}

const char *operator_add_user(struct field *field, const char *password)
{
    static const char *const all[3] = { ".*", ".*", ".*" };
    field_need_broker(field);
    (void)snprintf(added_user, sizeof added_user, "row%d-%ld", field->row->number, (long)getpid());
    free(live_ctl("add_user", added_user, password, NULL));
    (void)atexit(delete_user);
    operator_set_rights(field, added_user, all);
    return added_user;
}

void operator_set_password(struct field *field, const char *user, const char *password)
{
    field_need_broker(field);
    free(live_ctl("change_password", user, password, NULL));
}

void operator_set_rights(struct field *field, const char *user, const char *const rights[3])
{
    field_need_broker(field);
    if (!rights) {
        free(live_ctl("clear_permissions", "-p", live_vhost(), user, NULL));
        return;
    }
    free(live_ctl("set_permissions", "-p", live_vhost(), user, rights[0], rights[1], rights[2],
                  NULL));
}

void operator_close_connections(struct field *field, const char *user)
{
    field_need_broker(field);
    free(live_ctl("close_all_user_connections", user, "an operator's deed", NULL));
}
