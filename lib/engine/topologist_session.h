/* SPDX-License-Identifier: MIT */
/*
 * What the topologist's files share: a channel that is opened again whenever the broker closed it,
 * and comparing one object with what the broker has. Private to topologist*.c and migration*.c.
 *
 * Threads: as topologist.h.
 */
#ifndef WR_ENGINE_TOPOLOGIST_SESSION_H
#define WR_ENGINE_TOPOLOGIST_SESSION_H

#include "io/broker.h"

struct wr_session {
    struct wr_broker *broker;
    uint16_t channel;
    bool is_open;
    int queues;  /* sent since the last answer */
    bool agrees; /* the last comparison named every difference: the broker took what was adopted */
};

/** Sends one item, opening the channel first if need be; now and then it waits as a sync does, and
 * fails as one. */
warren_status wr_session_send(struct wr_session *session, const struct wr_item *item,
                              enum wr_declare how, warren_error *err);

/** Waits until all sent items were carried out. */
warren_status wr_session_sync(struct wr_session *session, warren_error *err);

/** One item, and whether it was carried out. */
warren_status wr_session_try(struct wr_session *session, const struct wr_item *item,
                             enum wr_declare how, warren_error *err);

void wr_session_done(struct wr_session *session);

/** Whether a status is about the connection or this process, so that going on makes no sense. */
bool wr_session_is_over(warren_status status);

/**
 * Declares an object that may exist with other arguments. MISMATCH: `differences` got a line for
 * each, "queue emails: x-message-ttl is 4000 at the broker, the config wants 5000". OK with lines
 * in `differences`: accepted, since a work queue may differ in its strategy, and an exchange that
 * the config only names in its arguments.
 */
warren_status wr_session_compare(struct wr_session *session, const struct wr_item *item,
                                 struct wr_text *differences, warren_error *err);

/** Which of the topology's left-overs exist; `out` has room for all. `compares`: also that they are
 * ours, by an equal redeclare where the user may. */
warren_status wr_session_find_leftovers(struct wr_session *session,
                                        const struct wr_topology *topology, bool compares,
                                        bool *out, warren_error *err);

#endif
