/* SPDX-License-Identifier: MIT */
/*
 * A migration gives a queue other arguments and loses no message: they take a way round through a
 * temporary queue while the queue is deleted and declared anew. Which step is next is read from what
 * stands at the broker, so a migration that was killed goes on when it is begun again.
 *
 * Threads: its caller's, which owns the connection. Ownership: borrows everything.
 */
#ifndef WR_ENGINE_MIGRATION_H
#define WR_ENGINE_MIGRATION_H

#include "engine/mover.h"
#include "warren/topology.h"

/** Of what kind the queue is that stands there. */
enum wr_migration_kind {
    WR_KIND_UNKNOWN, /* other arguments differ, so that AMQP doesn't tell it */
    WR_KIND_CLASSIC,
    WR_KIND_QUORUM,
    WR_KIND_FOREIGN /* one that can't be emptied */
};

/** Judges it from the differences that were found. `agrees`: they are all that there are. `said`: the
 * type as the management API tells it, or NULL. A pure function. */
enum wr_migration_kind wr_migration_kind(const char *differences, bool agrees,
                                         enum wr_queue_type wanted, const char *said);

/** What a queue holds beside its ready messages; -1: not told yet. */
struct wr_migration_held {
    int64_t unacked;
    int64_t dead_lettering; /* held until its dead letter exchange's queues have confirmed */
};

/** The queue that stands in for another one meanwhile: "NS.migrate.<queue>". */
void wr_migration_stand_in(char *out, size_t size, const char *ns, const char *queue);

struct wr_migration {
    struct wr_broker *broker; /* channels 1 to 3 are free */
    const struct wr_settings *settings;
    const struct wr_topology *topology;
    const struct wr_bindings *bindings; /* NULL: not known */
    const struct wr_item *item;         /* the queue as it is to be; of the topology */
    const struct wr_queue_settings *queue;
    const char *type;      /* of the queue, by the management API; NULL: not known */
    int64_t still_us;      /* how long a queue has to be still; 3 s at least */
    int64_t still_back_us; /* the same for the stand-in */
    /* Asks for what a queue holds; false: it could not be asked. NULL: nobody can be asked. */
    bool (*held)(void *user, const char *queue, struct wr_migration_held *out);
    bool (*visit)(void *user, warren_migration_step step, uint64_t moved);
    void *user;
    char stand_in[WR_NAME_SIZE];
    char lock[WR_NAME_SIZE]; /* a queue that a run has for itself, so that it is the only one */
};

/** What stands there. */
struct wr_migration_state {
    warren_migration_phase phase;
    enum wr_migration_kind kind; /* of the queue that stands there now */
    bool has_queue;
    struct wr_depth depth;      /* of the queue */
    struct wr_depth moved;      /* of the stand-in */
    struct wr_text differences; /* a line each */
};

void wr_migration_state_done(struct wr_migration_state *state);

/** Finds the queue in the topology and fills `item`, `queue`, `stand_in` and `lock`. NOT_FOUND: no queue of
 * the configuration. STATE: one that can't be migrated. */
warren_status wr_migration_find(struct wr_migration *migration, const char *queue,
                                warren_error *err);

/** Looks, and changes nothing. `out` zeroed before; done with wr_migration_state_done. */
warren_status wr_migration_look(const struct wr_migration *migration,
                                struct wr_migration_state *out, warren_error *err);

/** Carries it out, from wherever it stands. `*out_moved` counts messages in both directions. STATE:
 * consumers are there, or another run, or what a queue holds doesn't go. AGAIN: `visit` ended it. MISMATCH: somebody declared the old queue again. Other
 * errors as the mover's. Begun again, it goes on. */
warren_status wr_migration_run(struct wr_migration *migration, uint64_t *out_moved,
                               warren_error *err);

#endif
