/* SPDX-License-Identifier: MIT */
/*
 * A worker's end of the control plane: a connection of its own, over which it takes orders, learns what
 * is paused, and tells what it does. It knows neither jobs nor settings: who made it carries out.
 *
 * Threads: one of its own, which makes all calls of the options. New, start, wait, stop and free by the
 * owner; poke by any.
 */
#ifndef WR_ENGINE_CONTROL_H
#define WR_ENGINE_CONTROL_H

#include "base/clock.h"
#include "base/watch.h"
#include "model/order.h"
#include "model/settings.h"

struct wr_control;

struct wr_control_options {
    const struct wr_settings *settings; /* borrowed until it is freed */
    const char *name;                   /* of the connection */
    const char *id;                     /* of the worker, unlike any other's of the namespace */
    struct wr_watch *watch;             /* over its connection; borrowed */
    /* Appends what the worker does, as JSON. */
    void (*describe)(void *user, struct wr_text *out);
    /* Carries out; what came of it is appended as a sentence. False: it was refused. */
    bool (*obey)(void *user, const struct wr_order *order, struct wr_text *answer);
    /* A pause begins or ends. */
    void (*pause)(void *user, const struct wr_pause *pause);
    void *user;
};

warren_status wr_control_start(struct wr_control **out, const struct wr_control_options *options,
                               warren_error *err);

/** Waits until it knows what is paused, at most `timeout_us`. False: it doesn't know yet. */
bool wr_control_wait(struct wr_control *control, int64_t timeout_us);

/** Tells soon what the worker does: something has changed. Any thread. */
void wr_control_poke(struct wr_control *control);

/** Ends its thread and its connection, and frees. False: an opening still hangs, and what was borrowed
 * must stay. NULL is fine. */
bool wr_control_stop(struct wr_control *control);

#endif
