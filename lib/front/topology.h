/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a warren_topology: its settings, the list that follows from them, and a
 * connection once somebody needed one. Shared by topology.c and migrate.c. Threads: its caller's.
 */
#ifndef WR_FRONT_TOPOLOGY_H
#define WR_FRONT_TOPOLOGY_H

#include "engine/topologist.h"
#include "model/uri.h"
#include "warren/topology.h"

enum { WR_TOPOLOGY_CHANNEL = 1 };

struct warren_topology {
    struct wr_settings *settings;
    struct wr_topology *list;
    struct wr_broker *broker; /* NULL until a plan or apply */
    struct wr_uri uri;        /* read when somebody asks for the management API */
    char *user;
    char *password;
    struct wr_topologist_report report;
    struct wr_text text; /* of the last look at a migration */
    char stand_in[WR_NAME_SIZE];
};

/** Connects, unless it is connected; the list is then that of this server. A connection that broke
 * since the last call is made again. */
warren_status wr_topology_connect(warren_topology *topology, warren_error *err);

/** The caller's bindings in our words; `*out_items` is the caller's to free. */
warren_status wr_topology_translate(const warren_bindings *bindings, struct wr_bindings *out,
                                    struct wr_binding **out_items, warren_error *err);

#endif
