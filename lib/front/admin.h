/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a warren_admin: its settings and one connection, channel 1 of which is open
 * for questions. Shared by queue.c and dead*.c. Threads: the admin's one.
 */
#ifndef WR_FRONT_ADMIN_H
#define WR_FRONT_ADMIN_H

#include "io/broker.h"
#include "model/settings.h"
#include "warren/dead.h"
#include "warren/queue.h"

enum { WR_ADMIN_CHANNEL = 1 };

struct warren_admin {
    struct wr_settings *settings;
    struct wr_broker *broker;
    bool hears_news;                /* order.c: a channel takes what workers tell, until the end */
    warren_dead_progress *progress; /* NULL: nobody is told */
    void *progress_user;
    double pace; /* of replays, letters a second; 0: none */
};

/** Asks for a queue's depth. NOT_FOUND has a text that says what to do; the channel is open again
 * afterwards. */
warren_status wr_admin_depth(warren_admin *admin, const char *queue, struct wr_depth *out,
                             warren_error *err);

#endif
