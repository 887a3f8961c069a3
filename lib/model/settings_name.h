/* SPDX-License-Identifier: MIT */
/*
 * Which names queues, job types and the namespace may have. Threads: pure functions.
 */
#ifndef WR_MODEL_SETTINGS_NAME_H
#define WR_MODEL_SETTINGS_NAME_H

#include "base/text.h"

#define WR_NAMESPACE_MOST 60
#define WR_QUEUE_NAME_MOST 235 /* bytes: with the delay key before it, a routing key of 255 */
#define WR_TYPE_NAME_MOST 236

/** What can be said against a job type, as the end of a sentence ("has the word '*' …"); NULL:
 * nothing. Static memory. */
const char *wr_type_problem(const char *type);

/** The same for the name of a queue in the namespace. */
const char *wr_queue_name_problem(const char *ns, const char *name);

/** The same for an exchange that a queue binds its types on. */
const char *wr_exchange_problem(const char *ns, const char *name);

const char *wr_namespace_problem(const char *ns);

#endif
