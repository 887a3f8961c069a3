/* SPDX-License-Identifier: MIT */
/*
 * The topologist brings a topology and a broker together: applies it, checks it, plans it, prunes
 * bindings. It works on a channel of its own, which it opens and closes as often as the broker
 * closes it on a mistake; the connection stays whole. It deletes nothing unless it is told to remove.
 *
 * Threads: all calls on the thread that owns the connection, which must have no events to lose on
 * that channel number. Errors: CLOSED, TIMEOUT (the connection), REFUSED (rights), MISMATCH.
 */
#ifndef WR_ENGINE_TOPOLOGIST_H
#define WR_ENGINE_TOPOLOGIST_H

#include "io/broker.h"

/** What an apply or check found. Zero-initialise; done with wr_topologist_report_done. */
struct wr_topologist_report {
    struct wr_text notes; /* a line each; after a MISMATCH every difference, uncut */
    const struct wr_leftover **leftovers; /* queues of types that are no longer isolated and that
                                             still exist: to be consumed until they are empty.
                                             Borrowed from the topology */
    size_t leftover_count;
};

void wr_topologist_report_done(struct wr_topologist_report *report);

/**
 * Declares everything in a row, with an answer asked for after every 32 queues. If something stands
 * there with other arguments, a second, slow pass collects every difference: MISMATCH, the bindings
 * are left as they were, and err's text (and the notes, in full) say what differs and how to go on.
 * A work queue that differs in its dead letter strategy or overflow only is accepted with a note.
 */
warren_status wr_topologist_apply(struct wr_broker *broker, uint16_t channel,
                                  const struct wr_topology *topology,
                                  struct wr_topologist_report *report, warren_error *err);

/** Looks without declaring; needs no right to configure. MISMATCH: objects are missing, all named.
 * Other arguments and bindings can't be seen in this way. */
warren_status wr_topologist_check(struct wr_broker *broker, uint16_t channel,
                                  const struct wr_topology *topology,
                                  struct wr_topologist_report *report, warren_error *err);

/** Carries out the unbindings of `prune` (wr_topology_build_prune, wr_topology_build_surplus). */
warren_status wr_topologist_prune(struct wr_broker *broker, uint16_t channel,
                                  const struct wr_topology *prune, warren_error *err);

/** Deletes all queues and exchanges of the topology with what is in them; those that the config
 * only names are others' and stay. After a mistake the rest is removed nonetheless, and the first
 * mistake is told. */
warren_status wr_topologist_remove(struct wr_broker *broker, uint16_t channel,
                                   const struct wr_topology *topology, warren_error *err);

/* --- the plan --- */

/* The numbers are those of warren_topology_state. */
enum wr_plan_state {
    WR_PLAN_EXISTS,
    WR_PLAN_MISSING,
    WR_PLAN_DIFFERS,
    WR_PLAN_UNKNOWN,
    WR_PLAN_SURPLUS,
    WR_PLAN_LEFTOVER
};

struct wr_plan_row {
    const struct wr_item *item; /* of the topology or of `extra` */
    enum wr_plan_state state;
    char *text; /* NULL: nothing to say */
};

struct wr_plan {
    struct wr_plan_row *rows;
    size_t length;
    size_t capacity;
    struct wr_topology *extra; /* what stands there beyond the topology */
};

/**
 * Compares without changing anything. What exists is declared again as the topology wants it, which
 * changes nothing and tells of differences; what is missing is never declared. `bindings` NULL: not
 * known. `out` zeroed before; done with wr_plan_done, also after an error.
 */
warren_status wr_topologist_plan(struct wr_broker *broker, uint16_t channel,
                                 const struct wr_topology *topology,
                                 const struct wr_bindings *bindings, struct wr_plan *out,
                                 warren_error *err);

void wr_plan_done(struct wr_plan *plan);

#endif
