/* SPDX-License-Identifier: MIT */
/*
 * What a broker's management API tells of a vhost: bindings, queues with their policies, alarms,
 * the time. Each question has a deadline; one that isn't answered leaves the others standing.
 */
#ifndef MANAGEMENT_H
#define MANAGEMENT_H

#include "warren/doctor.h"

enum { MANAGEMENT_ANSWERS = 4 };

struct management {
    warren_broker_facts facts;
    warren_bindings bindings;
    warren_queue_facts *queues;
    char source[256];
    char problem[1024]; /* what could not be asked; "" for nothing */
    char deprecated[1024];
    void *answers[MANAGEMENT_ANSWERS]; /* what the strings belong to */
};

/** Asks all questions, each for at most `timeout_ms`. False when not one was answered: `problem`
 * says why. Done with management_done, either way. */
bool management_ask(const warren_management *from, long timeout_ms, struct management *out);

/** Asks for one queue's numbers now: `unacked` and `dead_lettering`, each -1 when it isn't told (yet).
 * False when it could not be asked; `out_problem` (of `size` bytes) says why. */
bool management_ask_queue(const warren_management *from, long timeout_ms, const char *queue,
                          warren_queue_facts *out, char *out_problem, size_t size);

void management_done(struct management *management);

/** The facts of a queue; NULL when there is no such queue, or the queues are unknown. */
const warren_queue_facts *management_queue(const struct management *management, const char *name);

#endif
