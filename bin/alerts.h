/* SPDX-License-Identifier: MIT */
/*
 * The table of alerts that Warren ships, and the limits that follow from a configuration.
 */
#ifndef ALERTS_H
#define ALERTS_H

#include "generate.h"

/** What an alert has one rule for. */
enum alert_scope { OF_WORKERS, OF_QUEUES, OF_TYPES, OF_INBOXES };

/** Which limit an alert has. */
enum alert_limit { NO_LIMIT, RUN_S, WAIT_S, FAILED_PART, IDLE_TIME, BACKLOG };

/** A row of the table. In `expr`, "{@}" stands for the names of queues or types, "#" for the limit. */
struct alert {
    const char *group; /* rows of one group stand together */
    const char *name;  /* also of its page in docs/runbooks */
    enum alert_scope scope;
    enum alert_limit limit;
    const char
        *severity;       /* critical: somebody has to get up; warning: somebody has to look today */
    const char *lasting; /* how long it must be so; "": not at all */
    const char *expr;
    const char *summary; /* both are templates of Prometheus' */
    const char *description;
};

/** The alerts on Warren's own metrics, or those on RabbitMQ's. */
const struct alert *alerts_table(bool is_rabbitmq, size_t *out_count);

#define LIMIT_BYTES 32

/** The limit of a type, a queue, an inbox (NULL: of any), as PromQL writes it; "" if it has none. */
void limit_of_type(char out[LIMIT_BYTES], enum alert_limit limit, const struct plan_type *type);
void limit_of_queue(char out[LIMIT_BYTES], enum alert_limit limit, const struct plan_queue *queue);
void limit_of_inbox(char out[LIMIT_BYTES], enum alert_limit limit, const struct plan_inbox *inbox);

#endif
