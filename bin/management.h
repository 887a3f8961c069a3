/* SPDX-License-Identifier: MIT */
/*
 * The bindings of a vhost, as the broker's management API tells them.
 */
#ifndef MANAGEMENT_H
#define MANAGEMENT_H

#include "warren/topology.h"

struct management_bindings {
    warren_bindings list;
    void *tree; /* what its strings belong to */
};

/** Fetches them. False, with a message, when the API can't be asked or read. Done with
 * management_done. */
bool management_fetch(const warren_management *from, struct management_bindings *out);

void management_done(struct management_bindings *bindings);

#endif
