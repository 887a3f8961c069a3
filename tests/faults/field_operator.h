/* SPDX-License-Identifier: MIT */
/*
 * The operator: somebody with rights over the row's vhost who deletes, unbinds, sets policies and
 * takes rights away, as people do on a bad day, and who puts things back. Also what a stranger may
 * put into a queue.
 *
 * Threads: the main thread. Errors: what cannot be done ends the process with a sentence. What goes
 * through rabbitmqctl takes about a second; what needs no more than AMQP takes milliseconds.
 */
#ifndef TESTS_FAULTS_FIELD_OPERATOR_H
#define TESTS_FAULTS_FIELD_OPERATOR_H

#include "field.h"
#include "model/message.h"
#include "model/topology.h"

/** Deletes a queue; how many ready messages went with it. By rabbitmqctl. */
int64_t operator_delete_queue(struct field *field, const char *queue);

/** Deletes an exchange with its bindings. By rabbitmqctl. */
void operator_delete_exchange(struct field *field, const char *exchange);

/** Declares or unbinds one thing. */
void operator_declare(struct field *field, const struct wr_item *item);

/** Throws away what is ready in a queue; how many those were. */
uint64_t operator_purge(struct field *field, const char *queue);

/** `warren topology apply` with that configuration. */
void operator_apply(struct field *field, const char *config);

/** Somebody's policy for queues; `definition` NULL: takes it away again. An `is_operator` one is
 * merged with all others. By rabbitmqctl. */
struct operator_policy {
    bool is_operator;
    const char *name;
    const char *pattern;
    const char *definition;
    int priority;
};
void operator_policy(struct field *field, const struct operator_policy *policy);

/** Takes the shield policies of deploy/rabbitmq/definitions.json away. By rabbitmqctl. */
void operator_unshield(struct field *field);

/** A user of the row's own, with all rights on the vhost; gone when the process ends. Returns the
 * name; borrowed. By rabbitmqctl. */
const char *operator_add_user(struct field *field, const char *password);
void operator_set_password(struct field *field, const char *user, const char *password);
/** Rights as rabbitmqctl set_permissions takes them; NULL: none at all, not even the vhost. */
void operator_set_rights(struct field *field, const char *user, const char *const rights[3]);
/** Closes all of the user's connections. */
void operator_close_connections(struct field *field, const char *user);

/** Publishes without Warren and waits for the confirm. */
void operator_publish(struct field *field, const struct wr_message *message);

/** Takes so many messages from a queue and gives them all back, so that they are redelivered. */
void operator_return(struct field *field, const char *queue, int count);

#endif
